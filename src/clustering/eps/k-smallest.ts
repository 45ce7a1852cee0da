/** The k smallest distances of each of many points, where a neighbour of weight w counts w times: for each point a heap with the largest on top. */
export type KSmallest = {
  readonly add: (point: number, distance: number, weight: number) => void;
  /** The k-th smallest; 0 where k is 0 or less, Infinity where fewer were added. */
  readonly kth: (point: number) => number;
};

/** @param wanted k of each point. */
export function createKSmallest(wanted: Int32Array): KSmallest {
  const starts = new Float64Array(wanted.length + 1);
  for (const [point, k] of wanted.entries()) starts[point + 1] = (starts[point] as number) + Math.max(0, k);
  const heaps = new Float64Array(starts[wanted.length] as number);
  const sizes = new Int32Array(wanted.length);
  return {
    add: (point, distance, weight) => {
      const k = wanted[point] as number;
      const start = starts[point] as number;
      for (let times = 0; times < weight; times++) {
        const size = sizes[point] as number;
        if (size < k) {
          rise(heaps, start, size, distance);
          sizes[point] = size + 1;
        } else if (k > 0 && distance < (heaps[start] as number)) {
          sink(heaps, start, k, distance);
        } else {
          return;
        }
      }
    },
    kth: (point) => {
      const k = wanted[point] as number;
      if (k <= 0) return 0;
      return (sizes[point] as number) < k ? Infinity : (heaps[starts[point] as number] as number);
    },
  };
}

/** Puts a value behind the last one. */
function rise(heap: Float64Array, start: number, size: number, value: number): void {
  let at = size;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[start + parent] as number;
    if (above >= value) break;
    heap[start + at] = above;
    at = parent;
  }
  heap[start + at] = value;
}

/** Puts a value in the place of the largest. */
function sink(heap: Float64Array, start: number, size: number, value: number): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && (heap[start + child + 1] as number) > (heap[start + child] as number)) child++;
    const below = heap[start + child] as number;
    if (below <= value) break;
    heap[start + at] = below;
    at = child;
  }
  heap[start + at] = value;
}
