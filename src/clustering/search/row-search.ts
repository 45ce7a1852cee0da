/**
 * Rows in blocks, some of them in cells: everything that arranges itself between searches. New vectors go to the open area; where a search finds
 * them near members of a cell they join it, where it finds many of the open area near each other these found one. Where cells spare less than they
 * cost they are dissolved, and tried again when there is much more to be spared.
 */
import type { ClusteringParameters } from '../clustering.ts';
import { normOf } from '../distance.ts';
import { CellIndex } from './cell-index.ts';
import { chooseHeadWidth, type HeadWidth } from './head-width.ts';
import { hitLists } from './hits.ts';
import type { PointTable } from './point-table.ts';
import { noCosts, RangeScan, type ScanCosts } from './range-scan.ts';
import { RowStore } from './row-store.ts';
import { blockRows, extraNumbers } from './row-layout.ts';
import type { ScanState } from './scan-context.ts';
import type { FoundNear, SearchIndex, WantedVector } from './search-index.ts';

export type RowSearchOptions = {
  /** `auto`: where they pay; `always`: founded at the first occasion and kept. */
  readonly cells: 'never' | 'auto' | 'always';
  /** Heads in 8 bits beside: `auto`: of full blocks with many coordinates, where no cell would do. */
  readonly quantised: 'never' | 'auto' | 'always';
  /** Whether rows in cells are refused by what float32 makes of their heads, instead of 7 bits. */
  readonly realCells?: boolean;
};

/** Vectors near one another that found a cell. */
const foundersMin = 24;
/** In multiply-adds of a product, of which a core does some 75 in a nanosecond: what looking into cells costs a query at least, about 15 microseconds. */
const cellsCostMin = 1_000_000;
/** Of reading a coordinate of a single row, in the same measure. */
const kernelCost = 8;
/** Of looking at a row's terms. */
const termsCost = 60;
/** Of comparing a score with a threshold. */
const scanCost = 8;
/** Of the open area, before its heads are measured for the first time; then whenever it has four times as many rows. */
const headsFromRows = 2_048;
const dissolveRows = 4_096;
/** Blocks laid out and quantised after a search, at most. */
const arrangedBlocks = 2;
/** Below, a product of reals takes no longer than its scores. */
const quantisedDimensionsMin = 128;
const quantisedFromRows = 16_384;
/** Points asked for at a time. */
const wantedPoints = 64;
/** What may wait for being put into cells; how many are put there at a time whatever it takes, so that it keeps up with what arrives, and for how long more are. */
const unplacedMax = 1_024;
const placedMin = 256;
const placedMs = 4;
/** Queries after which cells are judged. */
const judgedQueries = 256;

/** @param before what it takes the place of, with its points; as it was where there is no memory for them (LS_CLUSTERING_MEMORY_REFUSED). */
export function createRowSearch(dimensions: number, options: RowSearchOptions, before?: SearchIndex): SearchIndex {
  const rows = new RowSearch(dimensions, options, before?.points);
  const { store } = rows;
  if (before !== undefined) store.reserve(before.points.size);
  for (const point of before?.points.given() ?? []) store.put(point, before?.vector(point) as Float32Array, before?.norm(point) as number);
  return {
    points: store.points,
    add: (vector, norm) => store.add(vector, norm),
    addRows: (vectors) => store.addRows(vectors),
    remove: (point) => rows.remove(point),
    vector: (point) => store.vector(point),
    readVector: (point, into) => store.readVector(point, into),
    norm: (point) => store.norm(point),
    state: () => rows.state(),
    searchNow: (vectors, parameters) => {
      rows.scan.hand(rows.state());
      return hitLists(rows.scan.searchNow(vectors, parameters));
    },
    wanted: () => rows.wanted(),
    settle: (found, parameters, costs) => rows.settle(found, parameters, costs),
    work: () => store.points.size * dimensions,
    describe: () => rows.describe(),
    memoryBytes: () => store.memoryBytes + rows.cells.memoryBytes,
  };
}

class RowSearch {
  readonly store: RowStore;
  readonly cells: CellIndex;
  readonly scan: RangeScan;
  readonly #options: RowSearchOptions;
  #heads: HeadWidth;
  #headsAtRows = headsFromRows / 4;
  #headsParameters: ClusteringParameters | undefined;
  /** Where cells did not pay: from how many rows on they are tried again. */
  #cellsFrom: number;
  #judged = noCosts;
  #openRowsWhenAsked = 0;
  /** Up to so many rows of the open area are known to be where they belong. */
  #exploredOpenRows = 1_024;
  #isDissolving = false;
  readonly #copy: Float32Array;
  /** What searches have found, and was not used yet. */
  readonly #unplaced: FoundNear[] = [];
  /** Cells whose centres nobody has searched for. */
  readonly #founded: number[] = [];
  #reason = 'few vectors';

  constructor(dimensions: number, options: RowSearchOptions, points?: PointTable) {
    this.store = new RowStore(dimensions, points);
    this.cells = new CellIndex(this.store);
    this.#copy = new Float32Array(dimensions);
    this.scan = new RangeScan(this.store.layout, 'main');
    this.#options = options;
    this.#heads = { headWidth: dimensions, costShare: 1 };
    this.#cellsFrom = options.cells === 'never' ? Infinity : 0;
  }

  state(): ScanState {
    const { memories, blocks, open, odd, quantised } = this.store;
    return {
      memories,
      headWidths: Int32Array.from(blocks, ({ headWidth }) => headWidth),
      openBlocks: Int32Array.from(open.blocks),
      openRows: open.count,
      openQuantised: open.blocks.map((block) => quantised[block] ?? undefined),
      oddBlocks: Int32Array.from(odd.blocks),
      oddRows: odd.count,
      quantisedCells: this.#options.realCells !== true,
      cells: this.cells.state(),
    };
  }

  remove(point: number): void {
    const row = this.store.points.row(point);
    const isInPage = this.store.isInPage(row);
    this.store.remove(point);
    if (isInPage) this.cells.leave(row);
  }

  settle(found: readonly FoundNear[], parameters: ClusteringParameters, costs: ScanCosts): boolean {
    this.#judge(costs);
    this.cells.metric = parameters.metric;
    // Which cells there are changes no answer, so what there is no time for may be forgotten.
    if (this.#unplaced.length < unplacedMax) this.#unplaced.push(...found);
    const isPlacing = this.#unplaced.length > 0;
    if (this.#isDissolving) this.#dissolve();
    else this.#placeSome(parameters);
    return this.#arrangeHeads(parameters) || this.#isDissolving || isPlacing;
  }

  #placeSome(parameters: ClusteringParameters): void {
    const startedMs = performance.now();
    const waiting = this.#unplaced;
    let placed = 0;
    for (; placed < waiting.length && this.#isWorthCells && (placed < placedMin || performance.now() - startedMs < placedMs); placed++) {
      const { point, near, cell } = waiting[placed] as FoundNear;
      if (cell === undefined) this.#place(point, near, parameters);
      else if (this.cells.centre(cell) !== undefined) this.#join(cell, [...near].filter((other) => this.#isOpenPoint(other)), parameters);
    }
    waiting.splice(0, this.#isWorthCells ? placed : waiting.length);
  }

  #isOpenPoint(point: number): boolean {
    const row = this.store.points.row(point);
    return row >= 0 && this.store.isOpen(row);
  }

  /** Of vectors that were loaded nothing is known: some of those that are in no cell yet, as long as many of these turn out to belong into one. */
  wanted(): WantedVector[] {
    const { open } = this.store;
    if (this.#unplaced.length > 0) return [];
    // Those that are near the point by which a cell was founded are most of what belongs into it; near its centre are the others.
    const founded = this.#founded.splice(0, wantedPoints).flatMap((cell): WantedVector[] => {
      const vector = this.cells.centre(cell);
      return vector === undefined ? [] : [{ vector, norm: normOf(vector), point: -1, cell }];
    });
    if (founded.length > 0) {
      this.#openRowsWhenAsked = 0;
      return founded;
    }
    if (!this.#isWorthCells || this.#isDissolving || open.count <= this.#exploredOpenRows) return [];
    // Of the last ones asked for, how many a cell took in.
    const taken = this.#openRowsWhenAsked - open.count;
    if (this.#openRowsWhenAsked > 0 && taken < wantedPoints / 4) {
      this.#openRowsWhenAsked = 0;
      this.#exploredOpenRows = 2 * open.count;
      return [];
    }
    this.#openRowsWhenAsked = open.count;
    return Array.from({ length: Math.min(wantedPoints, open.count) }, (_, index) => {
      const point = this.store.pointAt(this.#openRow(Math.floor(((index + 0.5) * open.count) / wantedPoints)));
      return { vector: this.store.vector(point), norm: this.store.norm(point), point };
    });
  }

  describe(): { kernel: string; reason: string } {
    const { headWidth, costShare } = this.#heads;
    const heads = headWidth < this.store.dimensions ? `; heads of ${headWidth} of ${this.store.dimensions} coordinates, ${Math.round(100 * costShare)} % of the cost` : '';
    const kernel = this.cells.rowsInCells > 0 ? 'cells' : this.store.quantised.some((block) => block) ? 'flat-int8' : 'flat';
    return { kernel, reason: `${this.cells.rowsInCells} of ${this.store.points.size} vectors in ${this.cells.cells} cells (${this.#reason})${heads}` };
  }

  /** Puts into a cell those of the points that are within its reach: of what was loaded, most come this way. */
  #join(cell: number, points: readonly number[], parameters: ClusteringParameters): void {
    for (const point of points) if (this.cells.hasRoom(cell)) this.cells.join(cell, point, reachOf(parameters, this.store.norm(point)));
  }

  /** Puts a vector of the open area into the nearest cell of its neighbours, or founds one with them. */
  #place(point: number, near: Int32Array, parameters: ClusteringParameters): void {
    const { store, cells } = this;
    const row = store.points.row(point);
    if (row < 0 || !store.isOpen(row)) return;
    const vector = store.readVector(point, this.#copy);
    const norm = store.norm(point);
    const reach = reachOf(parameters, norm);
    const open: number[] = [point];
    const seen: number[] = [];
    let best = -1;
    let bestDistance = Infinity;
    let last = -1;
    for (let index = 0; index < near.length; index++) {
      const other = near[index] as number;
      const otherRow = store.points.row(other);
      if (otherRow < 0) continue;
      if (store.isOpen(otherRow)) open.push(other);
      else if (seen.length < 8 && store.isInPage(otherRow)) {
        const cell = cells.cellOf(otherRow);
        // Mostly they are all in one.
        if (cell === last || seen.includes(cell)) continue;
        last = cell;
        seen.push(cell);
        const distance = cells.distance(cell, vector, norm);
        if (distance < bestDistance) {
          best = cell;
          bestDistance = distance;
        }
      }
    }
    if (bestDistance <= reach) this.#join(best, open, parameters);
    else if (open.length >= (this.#options.cells === 'always' ? 3 : foundersMin)) {
      const cell = cells.found(open, reach);
      if (cell >= 0 && this.#founded.length < unplacedMax) this.#founded.push(cell);
    }
  }

  /** Whether a query is spared enough by cells, were none of their rows read. */
  get #isWorthCells(): boolean {
    const { store, cells } = this;
    if (this.#options.cells !== 'auto' || cells.rowsInCells > 0) return store.points.size >= this.#cellsFrom;
    return store.points.size >= this.#cellsFrom && store.points.size * (store.openHeadWidth + extraNumbers + scanCost) > 1.2 * cellsCostMin;
  }

  /** Compares what cells have cost, by the rows that were read in them, with what these would have cost in the open area. */
  #judge({ cellQueries, cellPairs, cellRowPairs, cellReadPairs }: ScanCosts): void {
    const before = this.#judged;
    const queries = cellQueries - before.cellQueries;
    if (this.#options.cells !== 'auto' || queries < judgedQueries) return;
    this.#judged = { cellQueries, cellPairs, cellRowPairs, cellReadPairs };
    const { dimensions, openHeadWidth } = this.store;
    const rows = (cellRowPairs - before.cellRowPairs) / queries;
    const read = (cellReadPairs - before.cellReadPairs) / queries;
    const all = (cellPairs - before.cellPairs) / queries;
    // What a query pays for cells at all is shared by all rows that are to be in some.
    const entry = cellsCostMin * (all / this.store.points.size);
    const cost = entry + this.cells.cells * (dimensions + scanCost) + rows * termsCost + read * dimensions * kernelCost;
    const share = cost / (all * (openHeadWidth + extraNumbers + scanCost));
    this.#reason = `of their rows a query looks at ${((100 * rows) / all).toFixed(1)} % and reads ${((100 * read) / all).toFixed(1)} %, which is ${(100 * share).toFixed(0)} % of the cost without`;
    if (share <= 1) return;
    this.#isDissolving = true;
    this.#cellsFrom = 4 * this.store.points.size;
  }

  #dissolve(): void {
    for (let rows = 0; rows < dissolveRows; ) {
      const moved = this.cells.dissolveOne();
      this.#isDissolving = moved > 0;
      if (moved === 0) return;
      rows += moved;
    }
  }

  /** Returns whether blocks are left. */
  #arrangeHeads(parameters: ClusteringParameters): boolean {
    const { open, blocks } = this.store;
    if (open.count >= headsFromRows && (open.count >= 4 * this.#headsAtRows || this.#headsParameters !== parameters)) {
      this.#headsAtRows = open.count;
      this.#headsParameters = parameters;
      this.#heads = chooseHeadWidth(this.#sample(12), this.#sample(256), parameters, this.store.dimensions);
      this.store.openHeadWidth = this.#heads.headWidth;
    }
    let left = arrangedBlocks;
    for (const [place, block] of open.blocks.entries()) {
      const isAlike = blocks[block]?.headWidth === this.store.openHeadWidth;
      if (isAlike && !this.#isToQuantise(place, block)) continue;
      if (left-- === 0) return true;
      this.store.relayout(block, this.store.openHeadWidth);
      if (this.#isToQuantise(place, block)) this.store.quantise(place);
    }
    return false;
  }

  #isToQuantise(place: number, block: number): boolean {
    const { open, quantised, dimensions } = this.store;
    if (quantised[block] !== undefined || this.#options.quantised === 'never') return false;
    return this.#options.quantised === 'always' || (dimensions >= quantisedDimensionsMin && open.count >= quantisedFromRows && (place + 1) * blockRows <= open.count);
  }

  #openRow(position: number): number {
    return (this.store.open.blocks[Math.floor(position / blockRows)] as number) * blockRows + (position % blockRows);
  }

  /** Rows of the open area, evenly apart. */
  #sample(count: number): { readonly vector: Float32Array; readonly norm: number }[] {
    const { open } = this.store;
    return Array.from({ length: count }, (_, index) => {
      const position = Math.floor(((index + 0.5) * open.count) / count);
      const row = this.#openRow(position);
      return { vector: this.store.vectorAt(row, new Float32Array(this.store.dimensions)), norm: this.store.normAt(row) };
    });
  }
}

/** How far from its centre a member of a cell may be: about eps, as a length. */
function reachOf({ metric, eps }: ClusteringParameters, norm: number): number {
  return metric === 'cosine' ? Math.sqrt(2 * Math.min(eps, 1)) * norm : eps;
}
