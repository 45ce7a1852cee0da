/** Helpers around AbortSignal. */
import type { Clock } from '../core/clock.ts';

/** For timers of our own, whose end nobody reads: without a reason every abort makes an exception with its stack, which costs more than the timer. */
export const timerOver = 'over';

/** Resolves with what the promise gives, or with undefined as soon as the signal aborts; what comes after that is nobody's. */
export async function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result | undefined> {
  if (signal.aborted) return undefined;
  let wake = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    wake = () => resolve(undefined);
    signal.addEventListener('abort', wake, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', wake);
  }
}

/** @param operation gets a signal that aborts with the other one, or when the time is over. */
export async function within<Result>(clock: Clock, durationMs: number, signal: AbortSignal, operation: (ending: AbortSignal) => Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const late = new AbortController();
  void clock.sleep(durationMs, done.signal).then(() => {
    if (!done.signal.aborted) late.abort();
  });
  try {
    return await operation(AbortSignal.any([signal, late.signal]));
  } finally {
    done.abort(timerOver);
  }
}

/** Rejects with the signal's reason when it aborts, at once where it has; never resolves. To be raced against. */
export function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const rejectNow = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) rejectNow();
    signal.addEventListener('abort', rejectNow, { once: true });
  });
}
