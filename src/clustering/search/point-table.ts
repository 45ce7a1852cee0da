/** Points: small integers given and given back, each with the row that holds its vector. */
export class PointTable {
  #rows = new Int32Array(64).fill(-1);
  #free: number[] = [];
  #count = 0;

  get size(): number {
    return this.#count - this.#free.length;
  }

  /** Above every point given. */
  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#rows.byteLength + 8 * this.#free.length;
  }

  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count === this.#rows.length) {
      const longer = new Int32Array(Math.ceil(this.#count * 1.25)).fill(-1, this.#count);
      longer.set(this.#rows);
      this.#rows = longer;
    }
    this.#count += 1;
    return this.#count - 1;
  }

  give(point: number): void {
    this.#rows[point] = -1;
    this.#free.push(point);
  }

  /** -1 where the point is not given. */
  row(point: number): number {
    return this.#rows[point] ?? -1;
  }

  setRow(point: number, row: number): void {
    this.#rows[point] = row;
  }

  /** Every point given, ascending. */
  *given(): Generator<number> {
    for (let point = 0; point < this.#count; point++) if (this.row(point) >= 0) yield point;
  }
}
