/** What the parts of a search share in one thread: the memories as they were handed over, the kernels of each, the queries' records, the answers. */
import type { ClusteringParameters } from '../clustering.ts';
import { nearnessFor, type Point } from '../distance.ts';
import type { CellState } from './cell-layout.ts';
import { Hits } from './hits.ts';
import { areIntegersExact, kernelsFor, type Kernels } from './kernels.ts';
import type { QuantisedBlock } from './quantised-heads.ts';
import { boundsOf, writeRecord, type Query } from './query-record.ts';
import { answersMax, blockPages, blockRows, blockView, extraNumbers, rowVector, workItemBytes, workMax, type BlockView, type RowLayout, type Scratch } from './row-layout.ts';
import { type SharedMemory } from './web-assembly.ts';

/** What is searched, as it is handed to a thread. */
export type ScanState = {
  readonly memories: readonly SharedMemory[];
  /** Coordinates in the heads of block i. */
  readonly headWidths: Int32Array;
  readonly openBlocks: Int32Array;
  readonly openRows: number;
  /** Element i: of block i of the open area, where its heads are quantised. */
  readonly openQuantised: readonly (QuantisedBlock | undefined)[];
  readonly oddBlocks: Int32Array;
  readonly oddRows: number;
  /** Whether rows in cells are refused by their quantised heads, where the processor gets those right. */
  readonly quantisedCells: boolean;
  readonly cells: CellState | undefined;
};

/** out [b, n] = queries [b, k] x rows [n, k] transposed, with b, n and k as told. */
export type Product = (queries: Float32Array, rows: Float32Array, width: number, out: Float32Array) => Promise<void>;

/** out [n, b] = rows [n, k] x queries [k, b], with b as told. */
export type IntegerProduct = (rows: Uint8Array, queries: Int8Array, width: number, out: Int32Array) => Promise<void>;

/** `integers`: where they are known to be computed right. */
export type Products = { readonly reals: Product; readonly integers: IntegerProduct | undefined };

export type SearchedVector = {
  readonly vector: Float32Array;
  readonly norm: number;
  /** Its own point, which is no answer; -1 where it is not stored. */
  readonly point: number;
};

/** Which of the queries of a search, by index. */
export type IndexedQuery = { readonly index: number; readonly query: Query };

/** `main`, or a worker by its number. */
export type ScanThread = 'main' | number;

/** What one thread is to search of an index that several search: every `count`th piece of it from `index` on. */
export type ScanPart = { readonly index: number; readonly count: number };

export const wholeScan: ScanPart = { index: 0, count: 1 };

export type SegmentUse = {
  readonly kernels: Kernels;
  /** Whether products of integers have the known answer. */
  readonly isExact: boolean;
  readonly memory: SharedMemory;
  readonly bytes: number;
  readonly answers: Int32Array;
  readonly work: DataView;
};

/** Of the scratches that there are one of for each thread. */
export function scratchOf<Of>({ main, workers }: { readonly main: Of; readonly workers: readonly Of[] }, thread: ScanThread): Of {
  const scratch = thread === 'main' ? main : workers[thread];
  if (scratch === undefined) throw new RangeError(`there is no worker ${thread}`);
  return scratch;
}

export class ScanContext {
  readonly layout: RowLayout;
  readonly scratch: Scratch;
  readonly segments: SegmentUse[] = [];
  hits = new Hits();
  part = wholeScan;
  near: (left: Point, right: Point) => boolean = () => false;
  readonly #blocks: BlockView[] = [];
  readonly #copy: Float32Array;
  #state: ScanState | undefined;

  constructor(layout: RowLayout, thread: ScanThread) {
    this.layout = layout;
    this.scratch = scratchOf(layout, thread);
    this.#copy = new Float32Array(layout.dimensions);
  }

  get state(): ScanState {
    if (this.#state === undefined) throw new Error('searched before anything was handed over');
    return this.#state;
  }

  hand(state: ScanState): void {
    this.#state = state;
    for (const [index, memory] of state.memories.entries()) {
      if (this.segments[index]?.bytes === memory.buffer.byteLength) continue;
      const { answers, work } = this.scratch;
      const kernels = kernelsFor(memory);
      this.segments[index] = {
        kernels,
        isExact: this.segments[index]?.isExact ?? areIntegersExact(kernels, memory, work),
        memory,
        bytes: memory.buffer.byteLength,
        answers: new Int32Array(memory.buffer, answers, answersMax),
        work: new DataView(memory.buffer, work, workMax * workItemBytes),
      };
    }
    for (const [index, headWidth] of state.headWidths.entries()) {
      if (this.#blocks[index]?.headWidth === headWidth) continue;
      const segment = Math.floor(index / this.layout.blocksPerSegment);
      this.#blocks[index] = blockView(this.layout, state.memories[segment] as SharedMemory, segment, index % this.layout.blocksPerSegment, headWidth);
    }
  }

  begin(vectors: readonly SearchedVector[], parameters: ClusteringParameters, part: ScanPart): Query[] {
    this.part = part;
    this.near = nearnessFor(parameters);
    this.hits = new Hits();
    return vectors.map((query) => ({ ...query, bounds: boundsOf(parameters, this.layout.dimensions, query.norm) }));
  }

  segment(index: number): SegmentUse {
    return this.segments[index] as SegmentUse;
  }

  block(index: number): BlockView {
    return this.#blocks[index] as BlockView;
  }

  /** Tells a segment's kernels how its blocks with such heads are laid out. */
  layOut(segment: number, headWidth: number): Kernels {
    const { kernels } = this.segment(segment);
    const { base, blockBytes, points, next, quantised, termBytes, integers, dimensions } = this.layout;
    const headBytes = 4 * (headWidth + extraNumbers);
    const isQuantised = this.state.quantisedCells && this.segment(segment).isExact ? 1 : 0;
    kernels.layout(base, blockBytes, headBytes, 4 * (dimensions - headWidth), blockRows * headBytes, points, next, quantised, termBytes, integers, isQuantised);
    return kernels;
  }

  /** Writes the records of the queries into a segment's scratch, for heads of that width. */
  writeRecords(segment: number, headWidth: number, queries: readonly IndexedQuery[]): void {
    const { records, recordBytes } = this.scratch;
    const { buffer } = this.segment(segment).memory;
    for (const [place, { query }] of queries.entries()) writeRecord(query, headWidth, new Float32Array(buffer, records + place * recordBytes, recordBytes / 4));
  }

  record(place: number): number {
    return this.scratch.records + place * this.scratch.recordBytes;
  }

  /** Where the next kernel call is to leave its answers. */
  expectAnswers(segment: number): void {
    this.segment(segment).kernels.answersAt(this.scratch.answers);
  }

  /** Takes the answers of the last kernel call; those in the band are decided on now. */
  takeAnswers(segment: number, { index, query }: IndexedQuery): void {
    const { kernels, answers } = this.segment(segment);
    const count = (kernels.answersEnd() - this.scratch.answers) / 4;
    for (let place = 0; place < count; place++) this.takeAnswer(segment, { index, query }, answers[place] as number);
  }

  takeAnswer(segment: number, { index, query }: IndexedQuery, answer: number): void {
    if (answer < 0) this.decide(index, query, segment * this.layout.blocksPerSegment + Math.floor((-1 - answer) / blockRows), (-1 - answer) % blockRows);
    else if (answer !== query.point) this.hits.add(index, answer);
  }

  /** By the predicate. */
  decide(index: number, query: Query, block: number, row: number): void {
    const view = this.block(block);
    const point = view.points[row] as number;
    if (point === query.point) return;
    const vector = rowVector(view, row, this.layout.dimensions, this.#copy);
    if (this.near(query, { vector, norm: view.norms[row] as number })) this.hits.add(index, point);
  }

  /** A page by the segment it lies in and what its kernels call it, as block and first row. */
  pageRow(segment: number, localPage: number): { readonly block: number; readonly row: number } {
    return { block: segment * this.layout.blocksPerSegment + Math.floor(localPage / blockPages), row: (localPage % blockPages) * (blockRows / blockPages) };
  }
}
