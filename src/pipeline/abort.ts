/** Helpers around AbortSignal. */

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
