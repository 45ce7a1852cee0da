/** The answers of a batch of queries, in whatever order they are found: pairs of a query's index and a point. */
export class Hits {
  #pairs = new Int32Array(1_024);
  #length = 0;

  add(query: number, point: number): void {
    if (this.#length === this.#pairs.length) {
      const longer = new Int32Array(this.#length * 2);
      longer.set(this.#pairs);
      this.#pairs = longer;
    }
    this.#pairs[this.#length] = query;
    this.#pairs[this.#length + 1] = point;
    this.#length += 2;
  }

  grouped(queries: number): GroupedHits {
    const next = new Int32Array(queries);
    for (let index = 0; index < this.#length; index += 2) (next[this.#pairs[index] as number] as number)++;
    const ends = new Int32Array(queries);
    let end = 0;
    for (let query = 0; query < queries; query++) {
      const count = next[query] as number;
      next[query] = end;
      end += count;
      ends[query] = end;
    }
    const points = new Int32Array(end);
    for (let index = 0; index < this.#length; index += 2) {
      const query = this.#pairs[index] as number;
      const at = next[query] as number;
      points[at] = this.#pairs[index + 1] as number;
      next[query] = at + 1;
    }
    return { points, ends };
  }
}

/** The points of query i lie in front of ends[i], behind those of the query before. */
export type GroupedHits = { readonly points: Int32Array<ArrayBuffer>; readonly ends: Int32Array<ArrayBuffer> };

/** Element i: the points of query i, in the memory of all. */
export function hitLists({ points, ends }: GroupedHits): Int32Array[] {
  return Array.from(ends, (end, query) => points.subarray(query === 0 ? 0 : ends[query - 1], end));
}

/** Of the same queries. */
export function mergeHits(one: GroupedHits, other: GroupedHits): GroupedHits {
  const points = new Int32Array(one.points.length + other.points.length);
  const ends = one.ends.map((end, query) => end + (other.ends[query] as number));
  for (let query = 0; query < ends.length; query++) {
    const [from, otherFrom] = query === 0 ? [0, 0] : [one.ends[query - 1] as number, other.ends[query - 1] as number];
    points.set(one.points.subarray(from, one.ends[query]), from + otherFrom);
    points.set(other.points.subarray(otherFrom, other.ends[query]), (one.ends[query] as number) + otherFrom);
  }
  return { points, ends };
}
