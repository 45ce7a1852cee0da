/** Long computations that let the loop turn: they yield how much they have done since the last yield, in multiply-adds or their like, and no clock is read. */
export type SlicedWork<Result> = Generator<number, Result, void>;

/** About four milliseconds. */
const sliceWork = 4_000_000;

/**
 * Rejects with the signal's reason between two slices.
 * @param told how much is done, after each slice.
 */
export async function inSlices<Result>(work: SlicedWork<Result>, signal?: AbortSignal, told?: (done: number) => void): Promise<Result> {
  let done = 0;
  let pausedAt = 0;
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    done += step.value;
    if (done - pausedAt < sliceWork) continue;
    pausedAt = done;
    told?.(done);
    await new Promise((resumed) => setImmediate(resumed));
    signal?.throwIfAborted();
  }
}

/** The same in one turn. */
export function atOnce<Result>(work: SlicedWork<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
