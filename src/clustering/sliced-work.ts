/** Long computations that let the loop turn: they yield how much they have done since the last yield, in multiply-adds or their like, and no clock is read. */
export type SlicedWork<Result> = Generator<number, Result, void>;

/** About four milliseconds. */
const sliceWorkDefault = 4_000_000;

/**
 * Rejects with the signal's reason between two slices.
 * @param told how much is done, after each slice.
 * @param sliceWork how much is done in one.
 */
export async function inSlices<Result>(work: SlicedWork<Result>, signal?: AbortSignal, told?: (done: number) => void, sliceWork = sliceWorkDefault): Promise<Result> {
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

const sortedAtOnce = 2048;
/** What moving a value to its place counts as. */
const perMove = 100;

/** A stable sort: runs by the language's own, which are then merged. @returns the values given, or a copy of them. */
export function* sortInSlices<Value>(values: Value[], compare: (left: Value, right: Value) => number): SlicedWork<Value[]> {
  if (values.length <= sortedAtOnce) return values.sort(compare);
  let sorted: Value[] = [];
  for (let start = 0; start < values.length; start += sortedAtOnce) {
    yield sortedAtOnce * perMove * Math.log2(sortedAtOnce);
    sorted.push(...values.slice(start, start + sortedAtOnce).sort(compare));
  }
  for (let length = sortedAtOnce; length < values.length; length *= 2) {
    const merged: Value[] = [];
    for (let start = 0; start < values.length; start += 2 * length) yield* merge(sorted, start, length, compare, merged);
    sorted = merged;
  }
  return sorted;
}

/** Two runs side by side, of this length or, at the end, less. */
function* merge<Value>(sorted: readonly Value[], start: number, length: number, compare: (left: Value, right: Value) => number, merged: Value[]): SlicedWork<void> {
  const middle = Math.min(start + length, sorted.length);
  const end = Math.min(middle + length, sorted.length);
  let [left, right] = [start, middle];
  while (left < middle || right < end) {
    yield perMove;
    const takesLeft = right === end || (left < middle && compare(sorted[left] as Value, sorted[right] as Value) <= 0);
    merged.push(sorted[takesLeft ? left++ : right++] as Value);
  }
}

/** The same in one turn. */
export function atOnce<Result>(work: SlicedWork<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
