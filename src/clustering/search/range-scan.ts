/**
 * The search itself, the same in the worker and on the main thread: which rows are near the queries. It reads what it was handed and changes
 * nothing but the scratch of its thread.
 *
 * Pairs are refused by proven bounds (query-record.ts): those with rows of the open area by a matrix product for a batch, by the kernels alone for
 * a single query; those with rows in cells by the cells' centres first. What is left is decided on by the kernels with all coordinates, in the band
 * by the predicate. Vectors whose norm is not for float32 are compared with everything by the predicate.
 */
import type { ClusteringParameters } from '../clustering.ts';
import { CellScan } from './cell-scan.ts';
import type { GroupedHits } from './hits.ts';
import { scanOpenBatch, scanOpenNow } from './open-scan.ts';
import { isOrdinary } from './query-record.ts';
import { batchMax, blockRows, pageRows, type RowLayout } from './row-layout.ts';
import { ScanContext, wholeScan, type IndexedQuery, type Products, type ScanPart, type ScanState, type ScanThread, type SearchedVector } from './scan-context.ts';

/** What was scanned since the search was opened: queries where there were cells, their pairs with rows in cells, those pairs whose terms were looked at, and of these the ones that were read. */
export type ScanCosts = { cellQueries: number; cellPairs: number; cellRowPairs: number; cellReadPairs: number };

export const noCosts: Readonly<ScanCosts> = { cellQueries: 0, cellPairs: 0, cellRowPairs: 0, cellReadPairs: 0 };

export function addCosts(one: ScanCosts, other: ScanCosts, times = 1): ScanCosts {
  return {
    cellQueries: one.cellQueries + times * other.cellQueries,
    cellPairs: one.cellPairs + times * other.cellPairs,
    cellRowPairs: one.cellRowPairs + times * other.cellRowPairs,
    cellReadPairs: one.cellReadPairs + times * other.cellReadPairs,
  };
}

/** Below, a product costs more than the kernels. */
const productQueriesMin = 3;

export class RangeScan {
  readonly costs: ScanCosts = { ...noCosts };
  readonly #context: ScanContext;
  readonly #cells: CellScan;

  constructor(layout: RowLayout, thread: ScanThread) {
    this.#context = new ScanContext(layout, thread);
    this.#cells = new CellScan(this.#context, thread);
  }

  hand(state: ScanState): void {
    this.#context.hand(state);
  }

  /** What is near each, at once, by the kernels alone. */
  searchNow(vectors: readonly SearchedVector[], parameters: ClusteringParameters, part = wholeScan): GroupedHits {
    const queries = this.#begin(vectors, parameters, part);
    for (const indexed of queries) {
      if (!isOrdinary(indexed.query.norm)) continue;
      scanOpenNow(this.#context, indexed);
      this.#cells.scanNow(indexed);
    }
    return this.#end(queries);
  }

  /** The same by matrix products, where there are any. */
  async search(vectors: readonly SearchedVector[], parameters: ClusteringParameters, products: Products | undefined, part = wholeScan): Promise<GroupedHits> {
    if (products === undefined || vectors.length < productQueriesMin) return this.searchNow(vectors, parameters, part);
    const queries = this.#begin(vectors, parameters, part);
    const ordinary = queries.filter(({ query }) => isOrdinary(query.norm));
    for (let start = 0; start < ordinary.length; start += batchMax) await this.#searchBatch(ordinary.slice(start, start + batchMax), products);
    return this.#end(queries);
  }

  #begin(vectors: readonly SearchedVector[], parameters: ClusteringParameters, part: ScanPart): IndexedQuery[] {
    return this.#context.begin(vectors, parameters, part).map((query, index) => ({ index, query }));
  }

  async #searchBatch(batch: readonly IndexedQuery[], products: Products): Promise<void> {
    await scanOpenBatch(this.#context, batch, products);
    await this.#cells.scanBatch(batch, products.reals);
    const { cells } = this.#context.state;
    if (cells === undefined) return;
    // Of a search that several threads share, one of them counts what they share.
    if (this.#context.part.index === 0) {
      this.costs.cellQueries += batch.length;
      this.costs.cellPairs += cells.rowsInCells * batch.length;
    }
    this.costs.cellRowPairs = this.#cells.rowPairs;
    this.costs.cellReadPairs = this.#cells.readPairs;
  }

  #end(queries: readonly IndexedQuery[]): GroupedHits {
    if (this.#context.part.index === 0) for (const indexed of queries) this.#scanByPredicate(indexed);
    return this.#context.hits.grouped(queries.length);
  }

  /** Odd vectors with everything, everything with odd vectors. */
  #scanByPredicate({ index, query }: IndexedQuery): void {
    const { state } = this.#context;
    const scanArea = (blocks: Int32Array, rows: number): void => {
      for (let position = 0; position < rows; position++) this.#context.decide(index, query, blocks[Math.floor(position / blockRows)] as number, position % blockRows);
    };
    scanArea(state.oddBlocks, state.oddRows);
    if (isOrdinary(query.norm)) return;
    scanArea(state.openBlocks, state.openRows);
    for (let cell = 0; cell < (state.cells?.count ?? 0); cell++) this.#scanCellByPredicate(cell, { index, query });
  }

  #scanCellByPredicate(cell: number, { index, query }: IndexedQuery): void {
    const { cells } = this.#context.state;
    if (cells === undefined) return;
    const segment = cells.segments[cell] as number;
    let page = cells.firstPages[cell] as number;
    let left = cells.rows[cell] as number;
    while (left > 0) {
      const here = ((left - 1) % pageRows) + 1;
      const { block, row } = this.#context.pageRow(segment, page);
      for (let place = 0; place < here; place++) this.#context.decide(index, query, block, row + place);
      left -= here;
      page = this.#context.block(block).next[row / pageRows] as number;
    }
  }
}
