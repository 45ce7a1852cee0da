/** The rows in cells: cells are refused by centre and radius, the rows of the others by their terms (quantised-terms.ts) against the centre of their cell. */
import { cellChunk, cellLayout, cellNumbers, writeCellQuery, type CellLayout, type CellScratch, type CellState } from './cell-layout.ts';
import { kernelsFor, type Kernels } from './kernels.ts';
import { writeQuantisedQuery, type QuantisedQuery } from './quantised-terms.ts';
import { errorShare } from './query-record.ts';
import { scratchOf, type IndexedQuery, type Product, type ScanContext, type ScanThread } from './scan-context.ts';
import { answersMax, batchMax, extraNumbers, roundUp, scoreBytes, workItemBytes, workMax } from './row-layout.ts';

/** Cells that were not refused, from `first` on, and the products of the query with the tails of their centres. */
type Reached = { readonly first: number; readonly indices: Int32Array; readonly tails: Float32Array };

/** Cells from `first` on, for so many queries and others to fill up. */
type Chunk = { readonly state: CellState; readonly first: number; readonly count: number; readonly width: number };

/** Of a cell, where kernels.wat says where it is to go on. */
const positions = 256;
/** In numbers. */
const headInTable = 12;

export class CellScan {
  readonly #context: ScanContext;
  readonly #layout: CellLayout;
  readonly #scratch: CellScratch;
  readonly #share: number;
  /** Of the queries of the batch. */
  readonly #quantised: QuantisedQuery[] = [];
  #kernels: Kernels | undefined;
  #bytes = 0;
  /** Rows that were not refused with their cell, over all queries. */
  rowPairs = 0;
  /** Of those, the ones that were not refused by their terms. */
  readPairs = 0;

  constructor(context: ScanContext, thread: ScanThread) {
    this.#context = context;
    this.#layout = cellLayout(context.layout.dimensions);
    this.#scratch = scratchOf(this.#layout, thread);
    this.#share = errorShare(context.layout.dimensions);
  }

  /** One query, by the kernels alone. */
  scanNow(indexed: IndexedQuery): void {
    const { cells: state } = this.#context.state;
    if (state === undefined || state.count === 0) return;
    this.#writePageRecords([indexed]);
    for (const segment of this.#context.segments.keys()) this.#writeColumns(segment, [indexed]);
    const { buffer } = state.memory;
    const { query, scores } = this.#scratch;
    const kernels = this.#tableKernels(state);
    const numbers = new Float32Array(buffer, query, roundUp(this.#width, 4));
    numbers.fill(0);
    writeCellQuery(indexed.query, numbers);
    for (const { first, count } of this.#chunks(state.count, cellChunk)) {
      kernels.products(query, this.#row(first), this.#layout.rowBytes, count, numbers.byteLength, scores);
      this.#scanReached(state, { first, count }, indexed);
    }
  }

  /** At most `batchMax` queries, with the centres by a matrix product. */
  async scanBatch(batch: readonly IndexedQuery[], product: Product): Promise<void> {
    const { cells: state } = this.#context.state;
    if (state === undefined || state.count === 0) return;
    this.#writePageRecords(batch);
    const width = roundUp(batch.length, 4);
    const queries = new Float32Array(width * this.#width);
    for (const [place, { query }] of batch.entries()) queries.set(query.vector, place * this.#width);
    for (const segment of this.#context.segments.keys()) this.#writeColumns(segment, batch);
    const { scores } = this.#context.scratch;
    const chunk = Math.min(cellChunk, Math.floor(scoreBytes / (4 * (batchMax + this.#tableWidth))));
    for (const { first, count } of this.#chunks(state.count, chunk)) {
      const centres = new Float32Array(state.memory.buffer, this.#row(first), count * this.#width);
      const products = (segment: number): Float32Array => new Float32Array(this.#context.segment(segment).memory.buffer, scores, count * width);
      await product(centres, queries, this.#width, products(0));
      for (const segment of this.#context.segments.keys()) {
        if (segment > 0) products(segment).set(products(0));
        this.#scanChunk(segment, { state, first, count, width }, centres, batch);
      }
    }
  }

  /** The cells that this thread is to search, at most so many at a time. */
  *#chunks(cells: number, countMax: number): Generator<{ readonly first: number; readonly count: number }> {
    const { index, count: parts } = this.#context.part;
    // As many of them for each thread, and in eights, as the kernels look at them: what they see behind a chunk would be another thread's.
    const chunk = roundUp(Math.ceil(cells / (parts * Math.ceil(cells / (parts * countMax)))), 8);
    for (let first = index * chunk; first < cells; first += parts * chunk) yield { first, count: Math.min(chunk, cells - first) };
  }

  /** Of a row of the table, in numbers. */
  get #width(): number {
    return this.#context.layout.dimensions + cellNumbers;
  }

  #row(cell: number): number {
    return this.#layout.base + cell * this.#layout.rowBytes;
  }

  #tableKernels(state: CellState): Kernels {
    const { byteLength } = state.memory.buffer;
    if (this.#kernels === undefined || this.#bytes !== byteLength) this.#kernels = kernelsFor(state.memory);
    this.#bytes = byteLength;
    return this.#kernels;
  }

  #writePageRecords(batch: readonly IndexedQuery[]): void {
    const { layout } = this.#context;
    const { recordBytes } = this.#context.scratch;
    this.#quantised.length = 0;
    for (const segment of this.#context.segments.keys()) {
      this.#context.layOut(segment, layout.pageHeadWidth);
      this.#context.writeRecords(segment, layout.pageHeadWidth, batch);
      for (const [place, { query }] of batch.entries()) {
        const record = new DataView(this.#context.segment(segment).memory.buffer, this.#context.record(place), recordBytes);
        this.#quantised[place] = writeQuantisedQuery(query, layout, record);
      }
    }
  }

  /** What kernels.wat wants to know of the queries of a batch, for the test of cell-layout.ts. No cell is near one that only fills up. */
  #writeColumns(segment: number, batch: readonly IndexedQuery[]): void {
    const { columns } = this.#context.scratch;
    const numbers = new Float32Array(this.#context.segment(segment).memory.buffer, columns, 8 * batchMax);
    numbers.fill(0);
    numbers.fill(Infinity, 4 * batchMax, 5 * batchMax);
    for (const [place, { query }] of batch.entries()) {
      const { norm, bounds: { low } } = query;
      const column = [norm * (1 + 2 ** -20), low.norm > 0 ? -low.norm : 0, low.norm > 0 ? 0 : -low.norm, -low.square, low.constant, norm * norm * (1 + 2 ** -20), this.#share * norm, low.square === 0 ? low.norm - 2 * this.#share * norm : -Infinity];
      for (const [index, value] of column.entries()) numbers[index * batchMax + place] = value;
    }
  }

  /** Of a row of `#writeTable`. */
  get #tableWidth(): number {
    return headInTable + roundUp(this.#context.layout.pageHeadWidth + extraNumbers, 4);
  }

  /** What kernels.wat wants to know of cells beside the products: the numbers behind the centre, the centre's head, zeros. Number by number, since shared memory is copied byte by byte where both sides are not aligned alike. */
  #writeTable(table: Float32Array, centres: Float32Array, count: number): void {
    const { dimensions, pageHeadWidth } = this.#context.layout;
    const [from, to] = [this.#width, this.#tableWidth];
    for (let index = 0; index < count; index++) {
      const [source, target] = [index * from, index * to];
      for (let number = 0; number < cellNumbers; number++) table[target + number] = centres[source + dimensions + number] as number;
      for (let coordinate = 0; coordinate < pageHeadWidth; coordinate++) table[target + headInTable + coordinate] = centres[source + coordinate] as number;
      table.fill(0, target + headInTable + pageHeadWidth, target + to);
    }
  }

  /** Products with the centres are there; what else is needed is brought to where the rows are. */
  #scanChunk(segment: number, { state, first, count, width }: Chunk, centres: Float32Array, batch: readonly IndexedQuery[]): void {
    const { records, recordBytes, answers: answersAt, work, list, columns, scores } = this.#context.scratch;
    const { kernels, memory, answers } = this.#context.segment(segment);
    const table = scores + 4 * count * width;
    this.#writeTable(new Float32Array(memory.buffer, table, count * this.#tableWidth), centres, count);
    const pages = new Int32Array(memory.buffer, work, 2 * count);
    for (let index = 0; index < count; index++) {
      pages[2 * index] = state.firstPages[first + index] as number;
      pages[2 * index + 1] = state.segments[first + index] === segment ? (state.rows[first + index] as number) : 0;
    }
    const [lookedAt, read] = [kernels.rowsLookedAt(), kernels.rowsRead()];
    const limit = answersAt + answersMax * 4;
    for (let position = 0; position < count * positions; ) {
      this.#context.expectAnswers(segment);
      position = kernels.cellsOfBatch(records, recordBytes, columns, scores, width, table, 4 * this.#tableWidth, work, list, position, count, limit);
      const end = (kernels.answersEnd() - answersAt) / 4;
      for (let at = 0; at < end; ) {
        const indexed = batch[answers[at] as number] as IndexedQuery;
        const next = at + 2 + (answers[at + 1] as number);
        for (at += 2; at < next; at++) this.#context.takeAnswer(segment, indexed, answers[at] as number);
      }
    }
    this.rowPairs += (kernels.rowsLookedAt() - lookedAt) >>> 0;
    this.readPairs += (kernels.rowsRead() - read) >>> 0;
  }

  /** The rows of the cells whose score reaches the query's constant. */
  #scanReached(state: CellState, scored: { readonly first: number; readonly count: number }, indexed: IndexedQuery): void {
    const { found, tail, tails, scores } = this.#scratch;
    const kernels = this.#tableKernels(state);
    const count = kernels.reaching(scores, scored.count, indexed.query.bounds.low.constant, found);
    if (count === 0) return;
    const { buffer } = state.memory;
    const { pageHeadWidth } = this.#context.layout;
    const { vector } = indexed.query;
    const numbers = new Float32Array(buffer, tail, roundUp(vector.length - pageHeadWidth, 4));
    numbers.fill(0);
    numbers.set(vector.subarray(pageHeadWidth));
    kernels.productsAt(tail, this.#row(scored.first) + 4 * pageHeadWidth, this.#layout.rowBytes, found, count, numbers.byteLength, tails);
    const reached = { first: scored.first, indices: new Int32Array(buffer, found, count), tails: new Float32Array(buffer, tails, count) };
    for (const segment of this.#context.segments.keys()) this.#scanSegment(state, segment, reached, indexed);
  }

  #scanSegment(state: CellState, segment: number, reached: Reached, indexed: IndexedQuery): void {
    const { work } = this.#context.segment(segment);
    const { query } = indexed;
    const { dimensions } = this.#context.layout;
    const numbers = new Float32Array(state.memory.buffer, this.#layout.base, state.count * this.#width);
    const [{ scale, lost } = { scale: 0, lost: 0 }] = this.#quantised;
    const slack = this.#share * query.norm;
    let items = 0;
    for (let index = 0; index < reached.indices.length; index++) {
      const cell = reached.first + (reached.indices[index] as number);
      const rows = state.rows[cell] as number;
      if (rows === 0 || state.segments[cell] !== segment) continue;
      const at = cell * this.#width + dimensions;
      // What float32 makes of products with the centre is relative to its length, at most radius + greatest norm.
      const threshold = query.bounds.low.constant - (reached.tails[index] as number) - 2 * slack * ((numbers[at] as number) + (numbers[at + 2] as number)) - lost * (numbers[at + 8] as number);
      const item = items * workItemBytes;
      work.setInt32(item, state.firstPages[cell] as number, true);
      work.setInt32(item + 4, rows, true);
      work.setFloat32(item + 8, scale * (numbers[at + 7] as number), true);
      work.setFloat32(item + 12, threshold, true);
      // Any cosine will do that is not too small, and no sine is greater than 1.
      work.setFloat32(item + 16, Infinity, true);
      work.setFloat32(item + 20, 0, true);
      work.setFloat32(item + 24, Infinity, true);
      items += 1;
      if (items < workMax) continue;
      this.#scanWork(segment, items, indexed);
      items = 0;
    }
    this.#scanWork(segment, items, indexed);
  }

  #scanWork(segment: number, items: number, indexed: IndexedQuery): void {
    const { answers, work, list, columns } = this.#context.scratch;
    const { kernels } = this.#context.segment(segment);
    for (let done = 0; done < items; ) {
      this.#context.expectAnswers(segment);
      done += kernels.cells(this.#context.record(0), columns, work + done * workItemBytes, items - done, list, answers + answersMax * 4);
      this.#context.takeAnswers(segment, indexed);
    }
  }
}
