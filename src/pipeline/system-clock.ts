import type { Clock } from '../core/clock.ts';

/** Node's timers turn longer waits into none at all. */
const timeoutMsMax = 2 ** 31 - 1;

/** The machine's clock. A sleeper keeps the process alive; an aborted one leaves no timer behind. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    for (let leftMs = durationMs; leftMs > 0 && signal?.aborted !== true; leftMs -= timeoutMsMax) {
      await sleepOnce(Math.min(leftMs, timeoutMsMax), signal);
    }
  },
};

function sleepOnce(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    // Node cuts fractions off, and whoever wakes too early may find nothing due.
    const timer = setTimeout(wake, Math.ceil(durationMs));
    signal?.addEventListener('abort', wake, { once: true });
  });
}
