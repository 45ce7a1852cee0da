/**
 * Cells: groups of stored vectors around a centre, each within a radius that is known, so that a search refuses a whole cell by one product. A cell
 * is founded where a search found many vectors of the open area near one another, and grows by those that are found near its members. Which cells
 * there are changes no answer, only its cost. Only the main thread changes them, between searches.
 */
import type { Metric } from '../../core/events.generated.ts';
import { normOf } from '../distance.ts';
import { cellLayout, cellNumbers, type CellState } from './cell-layout.ts';
import { errorShare, isOrdinary, roundedUp } from './query-record.ts';
import { scaleOf } from './quantised-terms.ts';
import { memoryPages, pageBits, pageRows } from './row-layout.ts';
import type { PageReach, RowStore } from './row-store.ts';
import { lengthen, sharedMemory, type SharedMemory } from './web-assembly.ts';

/** Rows in a cell, at most: the answers of one cell have to fit in front of the kernels' limit. */
const cellRowsMax = 2_048;
/** A cell of fewer would cost more than it spares. */
const cellRowsMin = 16;
const cellsMax = 2 ** 22;
/** A cell of fewer rows is made anew when it has doubled; one of more has a centre that hardly moves, and is when it has four times as many. */
const smallRows = 48;

const noReach: PageReach = { distance: 0, cosine: 1 };
const farther = (one: PageReach, other: PageReach): PageReach => ({ distance: Math.max(one.distance, other.distance), cosine: Math.min(one.cosine, other.cosine) });

/** Where a vector is, seen from a centre. The distance is as it is; those behind it are rounded up. */
type RowPlace = { readonly norm: number; readonly distance: number; readonly tailDistance: number; readonly reach: PageReach };

export class CellIndex {
  /** By which rows are sorted; any will do. */
  metric: Metric = 'cosine';
  readonly #store: RowStore;
  readonly #layout: ReturnType<typeof cellLayout>;
  /** Made with the first cell. */
  #memory: SharedMemory | undefined;
  /** Vectors stored when there was none to be had. */
  #refusedAtRows = 0;
  readonly #share: number;
  readonly #copy: Float32Array;
  #numbers: Float32Array = new Float32Array(0);
  #firstPages: Int32Array = new Int32Array(0);
  /** The same, as the kernels of the segment count them. */
  #localPages: Int32Array = new Int32Array(0);
  #rows: Int32Array = new Int32Array(0);
  #segments: Int32Array = new Int32Array(0);
  /** Rows when the centre was last made the mean. */
  #centredRows: Int32Array = new Int32Array(0);
  #cellOfPage: Int32Array = new Int32Array(0);
  readonly #sums = { head: { squares: 0, products: 0 }, tail: { squares: 0, products: 0 } };
  /** Vectors that are being put elsewhere. */
  #held: Float32Array = new Float32Array(0);
  #count = 0;
  #rowsInCells = 0;
  readonly #free: number[] = [];

  constructor(store: RowStore) {
    this.#store = store;
    this.#layout = cellLayout(store.dimensions);
    this.#share = errorShare(store.dimensions);
    this.#copy = new Float32Array(store.dimensions);
  }

  get cells(): number {
    return this.#count - this.#free.length;
  }

  get rowsInCells(): number {
    return this.#rowsInCells;
  }

  get memoryBytes(): number {
    // Nothing was written to the rest.
    return (this.#count === 0 ? 0 : this.#layout.base + this.#rows.length * this.#layout.rowBytes) + this.#firstPages.byteLength * 5 + this.#cellOfPage.byteLength;
  }

  state(): CellState | undefined {
    if (this.#memory === undefined || this.#rowsInCells === 0) return undefined;
    return { memory: this.#memory, count: this.#count, firstPages: this.#localPages, rows: this.#rows, segments: this.#segments, rowsInCells: this.#rowsInCells };
  }

  /** The cell of a row in a page. */
  cellOf(row: number): number {
    return this.#cellOfPage[row >> pageBits] as number;
  }

  /** Whether a row more fits into the cell, and its segment. */
  hasRoom(cell: number): boolean {
    const rows = this.#rows[cell] as number;
    return rows < cellRowsMax && (rows % pageRows !== 0 || this.#store.hasPage(this.#segments[cell] as number));
  }

  /** How far a vector is from the centre of a cell; Infinity where there is no room. */
  distance(cell: number, vector: Float32Array, norm: number): number {
    return this.hasRoom(cell) ? this.#placeOf(cell, vector, norm).distance : Infinity;
  }

  /** Its vector; undefined where the cell has no rows. */
  centre(cell: number): Float32Array | undefined {
    return (this.#rows[cell] ?? 0) === 0 ? undefined : this.#numbers.slice(cell * this.#width, cell * this.#width + this.#store.dimensions);
  }

  /** Puts points of the open area into a new cell; those beyond the reach of their mean stay. Returns -1 where that leaves none. @param reach the radius at most. */
  found(points: readonly number[], reach: number): number {
    const cell = this.#take();
    if (cell < 0) return -1;
    const first = points.length > cellRowsMax ? points.slice(0, cellRowsMax) : points;
    const vectors = this.#room(first.length);
    const { dimensions } = this.#store;
    for (const [place, point] of first.entries()) {
      const vector = vectors.subarray(place * dimensions, (place + 1) * dimensions);
      const found = this.#store.readVector(point, vector);
      if (found !== vector) vector.set(found);
    }
    this.#centre(cell, vectors, Float64Array.from(first, (point) => this.#store.norm(point)));
    this.#segments[cell] = -1;
    this.#centredRows[cell] = 0;
    const within = first.filter((point, place) => this.#placeOf(cell, vectors.subarray(place * dimensions, (place + 1) * dimensions), this.#store.norm(point)).distance <= reach);
    for (const point of within.length < cellRowsMin ? [] : within) this.join(cell, point, reach);
    if (this.#rows[cell] === 0) this.#give(cell);
    else if (this.#rows[cell] === first.length) this.#centredRows[cell] = first.length;
    else this.#recentre(cell);
    return this.#rows[cell] === 0 ? -1 : cell;
  }

  /** Puts a point of the open area into a cell, where it is within the reach. */
  join(cell: number, point: number, reach: number): void {
    const rows = this.#rows[cell] as number;
    const vector = this.#store.readVector(point, this.#copy);
    const place = this.#placeOf(cell, vector, this.#store.norm(point));
    if (place.distance > reach) return;
    const offset = rows % pageRows;
    if (offset === 0 && !this.#addPage(cell)) return;
    this.#widen(cell, place);
    const page = this.#firstPages[cell] as number;
    this.#lose(cell, this.#store.moveToPage({ point, vector, norm: place.norm }, page * pageRows + offset, { tailDistance: place.tailDistance, scale: this.#scale(cell) }));
    this.#store.setReach(page, farther(this.#store.reach(page), place.reach));
    this.#rows[cell] = rows + 1;
    this.#rowsInCells += 1;
    const centred = this.#centredRows[cell] as number;
    if (centred > 0 && rows + 1 >= centred * (centred < smallRows ? 2 : 4)) this.#recentre(cell);
  }

  /** Closes the row of a point in a page; the point is to be given a row of the open area, or to be given back, before. */
  leave(row: number): void {
    const cell = this.cellOf(row);
    const page = this.#firstPages[cell] as number;
    const rows = (this.#rows[cell] as number) - 1;
    const last = page * pageRows + (rows % pageRows);
    if (last !== row) {
      this.#store.moveWithinPages(last, row, this.#scale(cell));
      this.#reachBack(cell, Math.floor(row / pageRows), row);
    }
    this.#rows[cell] = rows;
    this.#rowsInCells -= 1;
    if (rows % pageRows !== 0) return;
    if (rows > 0) this.#setFirstPage(cell, this.#store.nextPage(page));
    this.#store.givePage(page);
    if (rows === 0) this.#give(cell);
  }

  /** Rows of a cell, in no order. */
  *rows(cell: number): Generator<number> {
    let page = this.#firstPages[cell] as number;
    for (let left = this.#rows[cell] as number; left > 0; ) {
      const here = ((left - 1) % pageRows) + 1;
      for (let row = 0; row < here; row++) yield page * pageRows + row;
      left -= here;
      if (left > 0) page = this.#store.nextPage(page);
    }
  }

  /** Puts the points of one cell back into the open area. Returns how many; 0 where there is none. */
  dissolveOne(): number {
    const cell = this.#rows.findLastIndex((rows) => rows > 0);
    if (cell < 0) return 0;
    const points = [...this.rows(cell)].map((row) => this.#store.pointAt(row));
    for (const point of points) {
      const row = this.#store.points.row(point);
      this.#store.moveToOpen(point);
      this.leave(row);
    }
    return points.length;
  }

  get #width(): number {
    return this.#store.dimensions + cellNumbers;
  }

  #setFirstPage(cell: number, page: number): void {
    this.#firstPages[cell] = page;
    this.#localPages[cell] = this.#store.localPage(page);
  }

  #addPage(cell: number): boolean {
    const page = this.#store.takePage(this.#segments[cell] as number);
    if (page < 0) return false;
    const first = this.#firstPages[cell] as number;
    if ((this.#rows[cell] as number) > 0) this.#store.setNextPage(page, first);
    this.#store.setReach(page, (this.#rows[cell] as number) > 0 ? this.#store.reach(first) : noReach);
    this.#segments[cell] = this.#store.segmentOfPage(page);
    this.#setFirstPage(cell, page);
    if (page >= this.#cellOfPage.length) this.#cellOfPage = lengthened(this.#cellOfPage, page + 1, false);
    this.#cellOfPage[page] = cell;
    return true;
  }

  #scale(cell: number): number {
    return this.#numbers[cell * this.#width + this.#store.dimensions + 7] as number;
  }

  /** The numbers behind the centre, for one row more. */
  #widen(cell: number, { norm, reach }: RowPlace): void {
    const numbers = this.#numbers;
    const at = cell * this.#width + this.#store.dimensions;
    const halfSquare = (norm * norm) / 2;
    const cosine = Math.min(numbers[at + 5] as number, reach.cosine);
    numbers[at] = Math.max(numbers[at] as number, reach.distance);
    numbers[at + 1] = Math.min(numbers[at + 1] as number, norm * (1 - 2 ** -20));
    numbers[at + 2] = Math.max(numbers[at + 2] as number, roundedUp(norm));
    numbers[at + 3] = Math.min(numbers[at + 3] as number, halfSquare * (1 - 2 ** -20));
    numbers[at + 5] = cosine;
    numbers[at + 6] = roundedUp(Math.sqrt(1 - cosine * cosine));
  }

  /** A row was put into a page: it and those in front of it reach as far. The first one does already. */
  #reachBack(cell: number, page: number, row: number): void {
    const { reach } = this.#placeOf(cell, this.#store.vectorAt(row, this.#copy), this.#store.normAt(row));
    let at = this.#firstPages[cell] as number;
    while (at !== page) {
      at = this.#store.nextPage(at);
      this.#store.setReach(at, farther(this.#store.reach(at), reach));
    }
  }

  /** Makes the mean the centre, and sorts the rows: the farthest come first, so that a search needs only the first pages of most cells that it reaches. */
  #recentre(cell: number): void {
    const store = this.#store;
    const { dimensions } = store;
    const rows = Int32Array.from(this.rows(cell));
    const vectors = this.#room(rows.length);
    const norms = new Float64Array(rows.length);
    const points = new Int32Array(rows.length);
    for (let place = 0; place < rows.length; place++) {
      const row = rows[place] as number;
      store.copyVector(row, vectors, place * dimensions);
      norms[place] = store.normAt(row);
      points[place] = store.pointAt(row);
    }
    this.#centre(cell, vectors, norms);
    const scale = this.#scale(cell);
    const vectorOf = (place: number): Float32Array => vectors.subarray(place * dimensions, (place + 1) * dimensions);
    const places = Array.from(norms, (norm, place) => ({ vector: vectorOf(place), point: points[place] as number, ...this.#placeOf(cell, vectorOf(place), norm) }));
    places.sort((one, other) => (this.metric === 'cosine' ? one.reach.cosine - other.reach.cosine : other.reach.distance - one.reach.distance));
    let behind: PageReach = noReach;
    for (let index = rows.length - 1; index >= 0; index--) {
      const row = rows[index] as number;
      const place = places[index] as (typeof places)[number];
      this.#widen(cell, place);
      this.#lose(cell, store.setPageRow(row, place, { tailDistance: place.tailDistance, scale }));
      behind = farther(behind, place.reach);
      // The rows of a page lie together, so the last to set it is its first.
      if (index === 0 || Math.floor((rows[index - 1] as number) / pageRows) !== Math.floor(row / pageRows)) store.setReach(Math.floor(row / pageRows), behind);
    }
    this.#centredRows[cell] = rows.length;
  }

  /** As if it had no rows yet. @param vectors one after the other, as many as there are norms. */
  #centre(cell: number, vectors: Float32Array, norms: Float64Array): void {
    const { dimensions, layout } = this.#store;
    const sums = new Float64Array(dimensions);
    for (let place = 0, at = 0; place < norms.length; place++) {
      for (let index = 0; index < dimensions; index++, at++) sums[index] = (sums[index] as number) + (vectors[at] as number);
    }
    const centre = Float32Array.from(sums, (sum) => sum / norms.length);
    const norm = normOf(centre);
    const at = cell * this.#width;
    this.#numbers.set(centre, at);
    let scale = 0;
    for (let place = 0; place < norms.length; place++) scale = Math.max(scale, scaleOf(vectors.subarray(place * dimensions, (place + 1) * dimensions), norms[place] as number, layout));
    this.#numbers.set([0, Infinity, 0, Infinity, norm > 0 && isOrdinary(norm) ? 1 / norm : 0, 1, 0, scale, 0], at + dimensions);
  }

  /** What the quantised head of one row more leaves. */
  #lose(cell: number, error: number): void {
    const at = cell * this.#width + this.#store.dimensions + 8;
    this.#numbers[at] = Math.max(this.#numbers[at] as number, error);
  }

  /** Where a vector is, seen from the centre: distances rounded up, and widened by what products with the centre, at most as long as distance and norm together, are off by. */
  #placeOf(cell: number, vector: Float32Array, norm: number): RowPlace {
    const numbers = this.#numbers;
    const { dimensions, layout } = this.#store;
    const at = cell * this.#width;
    const { head, tail } = this.#sums;
    sumsWith(vector, numbers, at, 0, layout.pageHeadWidth, head);
    sumsWith(vector, numbers, at, layout.pageHeadWidth, dimensions, tail);
    const distance = Math.sqrt(head.squares + tail.squares);
    const cosine = norm === 0 ? -1 : ((head.products + tail.products) / norm) * (numbers[at + dimensions + 4] as number);
    return {
      norm,
      distance,
      tailDistance: roundedUp(Math.sqrt(tail.squares)),
      reach: { distance: roundedUp(distance + 2 * this.#share * (2 * distance + 2 * norm)), cosine: Math.max(-1, cosine - 2 ** -20) },
    };
  }

  /** For so many vectors, one after the other; whatever was there is overwritten. */
  #room(vectors: number): Float32Array {
    const numbers = vectors * this.#store.dimensions;
    if (this.#held.length < numbers) this.#held = new Float32Array(Math.min(2 * numbers, Math.max(numbers, cellRowsMax * this.#store.dimensions)));
    return this.#held;
  }

  #take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count === cellsMax) return -1;
    if (this.#count === this.#rows.length && !this.#grow(Math.ceil(Math.max(64, this.#count * 1.25)))) return -1;
    this.#count += 1;
    return this.#count - 1;
  }

  #give(cell: number): void {
    this.#rows[cell] = 0;
    this.#numbers.fill(0, cell * this.#width, (cell + 1) * this.#width);
    this.#free.push(cell);
  }

  /** Returns whether there is memory for them; where not it is asked for again when there are twice as many vectors. */
  #grow(cells: number): boolean {
    const { base, rowBytes } = this.#layout;
    const stored = this.#store.points.size;
    if (stored < 2 * this.#refusedAtRows) return false;
    this.#memory ??= sharedMemory(memoryPages(base), Math.min(65_536, memoryPages(base + cellsMax * rowBytes)));
    // What is read beyond the last row, to fill vectors up, stays within the memory.
    if (this.#memory === undefined || !lengthen(this.#memory, memoryPages(base + (cells + 16) * rowBytes))) {
      this.#refusedAtRows = stored;
      return false;
    }
    this.#numbers = new Float32Array(this.#memory.buffer, base, cells * this.#width);
    this.#firstPages = lengthened(this.#firstPages, cells, false);
    this.#localPages = lengthened(this.#localPages, cells, true);
    this.#rows = lengthened(this.#rows, cells, true);
    this.#segments = lengthened(this.#segments, cells, true);
    this.#centredRows = lengthened(this.#centredRows, cells, false);
    return true;
  }
}

/** Of the differences between a vector and a centre, and of their products, over coordinates from..to. Two at a time, since one sum has to wait for itself. */
function sumsWith(vector: Float32Array, numbers: Float32Array, at: number, from: number, to: number, sums: { squares: number; products: number }): void {
  let squares = 0;
  let products = 0;
  let otherSquares = 0;
  let otherProducts = 0;
  let index = from;
  for (; index + 1 < to; index += 2) {
    const value = vector[index] as number;
    const other = vector[index + 1] as number;
    const centre = numbers[at + index] as number;
    const otherCentre = numbers[at + index + 1] as number;
    squares += (value - centre) * (value - centre);
    otherSquares += (other - otherCentre) * (other - otherCentre);
    products += value * centre;
    otherProducts += other * otherCentre;
  }
  if (index < to) {
    const value = vector[index] as number;
    const centre = numbers[at + index] as number;
    squares += (value - centre) * (value - centre);
    products += value * centre;
  }
  sums.squares = squares + otherSquares;
  sums.products = products + otherProducts;
}

/** @param shared whether other threads read it. */
function lengthened(column: Int32Array, length: number, shared: boolean): Int32Array {
  const wanted = Math.max(length, Math.ceil(column.length * 1.25));
  const longer = shared ? new Int32Array(new SharedArrayBuffer(length * 4)) : new Int32Array(wanted);
  longer.set(column);
  return longer;
}
