/**
 * The pairs nearest to each other, up to a number that memory allows: every pair at a distance below `bound` is there, and no other. When they are too
 * many, the bound falls to the median of what is there.
 */
export type Pairs = {
  readonly count: number;
  readonly left: Uint32Array;
  readonly right: Uint32Array;
  readonly distances: Float64Array;
  /** Infinity where nothing had to go. */
  readonly bound: number;
};

export type NearestPairs = {
  readonly add: (left: number, right: number, distance: number) => void;
  readonly pairs: () => Pairs;
};

const initialCapacity = 1024;

export function createNearestPairs(pairsMax: number): NearestPairs {
  let capacity = Math.min(initialCapacity, pairsMax);
  let [left, right, distances] = [new Uint32Array(capacity), new Uint32Array(capacity), new Float64Array(capacity)];
  let count = 0;
  let bound = Infinity;

  function makeRoom(): void {
    if (capacity < pairsMax) {
      capacity = Math.min(pairsMax, 2 * capacity);
      [left, right, distances] = [grown(left, new Uint32Array(capacity)), grown(right, new Uint32Array(capacity)), grown(distances, new Float64Array(capacity))];
      return;
    }
    bound = medianOf(distances.slice(0, count));
    let kept = 0;
    for (let at = 0; at < count; at++) {
      if (!((distances[at] as number) < bound)) continue;
      left[kept] = left[at] as number;
      right[kept] = right[at] as number;
      distances[kept++] = distances[at] as number;
    }
    count = kept;
  }

  return {
    add: (from, to, distance) => {
      if (!(distance < bound)) return;
      if (count === capacity) {
        makeRoom();
        if (!(distance < bound)) return;
      }
      left[count] = from;
      right[count] = to;
      distances[count++] = distance;
    },
    pairs: () => ({ count, left, right, distances, bound }),
  };
}

function grown<Column extends Uint32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

/** Hoare's selection: about three looks at each value. The values change their places. */
function medianOf(values: Float64Array): number {
  const wanted = values.length >> 1;
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number;
    let up = low;
    let down = high;
    while (up <= down) {
      while ((values[up] as number) < pivot) up++;
      while ((values[down] as number) > pivot) down--;
      if (up > down) break;
      const value = values[up] as number;
      values[up++] = values[down] as number;
      values[down--] = value;
    }
    if (wanted <= down) high = down;
    else if (wanted >= up) low = up;
    else break;
  }
  return values[wanted] as number;
}
