/**
 * Notices that what is waited for does not come. Time is counted in ticks of its own: a process that was stopped for an hour, or a main thread that
 * was busy, has missed its ticks like whatever it waits for, and holds none of it against that.
 */

const ticksMax = 10;

/** @param awaited what is waited for now, if anything; another value is progress. @returns ends the watch. */
export function watchProgress(awaited: () => object | undefined, stalledMsMax: number, stalled: () => void): () => void {
  let seen = awaited();
  let ticks = 0;
  const timer = setInterval(() => {
    const now = awaited();
    ticks = now === undefined || now !== seen ? 0 : ticks + 1;
    seen = now;
    if (ticks < ticksMax) return;
    clearInterval(timer);
    stalled();
  }, stalledMsMax / ticksMax);
  timer.unref();
  return () => clearInterval(timer);
}
