/** Retention in the background of the process that owns the log: whenever a segment is full, and by the clock. */
import type { Clock } from '../../core/clock.ts';
import { timerOver } from '../../pipeline/abort.ts';

export type RetentionLoop = {
  /** A segment is full: there may be something to remove. */
  readonly wake: () => void;
  /** Resolves when no pass is under way. */
  readonly stop: () => Promise<void>;
};

export type RetentionLoopOptions = {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** @param signal aborts when the loop stops. */
  readonly retain: (signal: AbortSignal) => Promise<void>;
  /** Told of a pass that failed; the next one tries again. */
  readonly failed: (error: unknown) => void;
};

export function startRetentionLoop({ clock, intervalMs, retain, failed }: RetentionLoopOptions): RetentionLoop {
  const stopping = new AbortController();
  let waiting = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      waiting = new AbortController();
      await retain(stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) failed(error);
      });
      await clock.sleep(intervalMs, AbortSignal.any([waiting.signal, stopping.signal]));
    }
  };
  const ended = run();
  return {
    wake: () => waiting.abort(timerOver),
    stop: () => {
      stopping.abort();
      return ended;
    },
  };
}
