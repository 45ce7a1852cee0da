/** The time that one attempt may take: all in all, and without anything arriving. */
import type { Clock } from '../core/clock.ts';
import { timerOver } from '../pipeline/abort.ts';

export type FetchTimes = { readonly totalMsMax: number; readonly idleMsMax: number };

export type FetchWatch = {
  /** Aborts with the signal that was given, or when a time is over. */
  readonly signal: AbortSignal;
  /** To be called whenever something arrives. */
  readonly arrived: () => void;
  /** What is wrong, for a message; undefined while the times hold. */
  readonly late: () => string | undefined;
  readonly end: () => void;
};

export function watchFetch(clock: Clock, { totalMsMax, idleMsMax }: FetchTimes, signal: AbortSignal): FetchWatch {
  const over = new AbortController();
  const lateness = new AbortController();
  let late: string | undefined;
  let arrivedAtMs = clock.elapsedMs();
  const giveUp = (what: string): void => {
    if (over.signal.aborted) return;
    late ??= what;
    lateness.abort(timerOver);
  };
  void clock.sleep(totalMsMax, over.signal).then(() => giveUp(`it took more than ${totalMsMax} ms`));
  void untilIdle().then(() => giveUp(`nothing came for ${idleMsMax} ms`));

  async function untilIdle(): Promise<void> {
    // One timer at a time, however many pieces arrive.
    for (let leftMs = idleMsMax; leftMs > 0 && !over.signal.aborted; leftMs = arrivedAtMs + idleMsMax - clock.elapsedMs()) await clock.sleep(leftMs, over.signal);
  }

  return {
    signal: AbortSignal.any([signal, lateness.signal]),
    arrived: () => void (arrivedAtMs = clock.elapsedMs()),
    late: () => late,
    end: () => over.abort(timerOver),
  };
}
