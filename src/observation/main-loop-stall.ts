/**
 * The longest stall of the main loop: CPU time of the main thread within one turn, which is what starves timers and heartbeats; the wall
 * clock of a shared machine would count other people's work.
 *
 * A timer looks at the thread's CPU time. A turn that runs long holds the timer back, so its whole time falls between two looks; the figure
 * is therefore an upper bound, by at most one interval.
 */
const intervalMs = 5;

export type StallMonitor = {
  /** Longest since the start, milliseconds. */
  readonly longestMs: () => number;
  /** Longest since the last call of this function. */
  readonly longestSinceLastMs: () => number;
  readonly stop: () => void;
};

export function startStallMonitor(threadCpuMs: () => number = mainThreadCpuMs): StallMonitor {
  let last = threadCpuMs();
  let longest = 0;
  let longestSinceLast = 0;
  const timer = setInterval(() => {
    const now = threadCpuMs();
    longest = Math.max(longest, now - last);
    longestSinceLast = Math.max(longestSinceLast, now - last);
    last = now;
  }, intervalMs);
  timer.unref();
  return {
    longestMs: () => longest,
    longestSinceLastMs: () => {
      const value = longestSinceLast;
      longestSinceLast = 0;
      return value;
    },
    stop: () => {
      clearInterval(timer);
    },
  };
}

function mainThreadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
