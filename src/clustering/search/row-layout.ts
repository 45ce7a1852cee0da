/**
 * Where the numbers of stored vectors lie. Rows are kept in blocks of 2,048, which lie one after the other in segments: shared memories of up to
 * 1 GiB, that every thread and the WebAssembly of each can read.
 *
 *     segment  | scratch of each worker | scratch of the main thread | block 0 | block 1 | ...
 *     block    | 2,048 heads of h + 3 numbers | 2,048 tails of d - h numbers | 2,048 points | 2,048 norms (float64) | 256 next pages | 2,048 quantised heads, or the terms of 256 pages |
 *     head     | x[0] ... x[h - 1] | distance of the tail from its reference | |x| | |x| x |x| / 2 |
 *     terms    | reach: distance, cosine, sine, 0 | 8 distances of tails | 8 norms | 8 times 4 bytes | 8 times 4 bytes | ... |: of the 8 rows of a page, their quantised heads 4 coordinates at a time
 *              reach: how far they, and those in the pages of the cell behind this one, are from its centre, and their greatest angle at most
 *
 * The three numbers more make the bound on a product part of the product: with the query q = (q[0..h), |q tail|, -a, -b) a row can be near only
 * where q . head reaches a threshold (query-record.ts), so that pairs are refused by a product of h + 3 numbers and one comparison. The
 * reference is zero in the open area, and the centre of its cell for a row in a cell. h may differ from block to block; d + 3 numbers they are.
 * Rows in cells are refused by their terms alone, which say the same in 7 bits (quantised-terms.ts).
 */
import { pageBytes, type SharedMemory } from './web-assembly.ts';
export const blockBits = 11;
export const blockRows = 1 << blockBits;
export const pageBits = 3;
export const pageRows = 1 << pageBits;
export const blockPages = blockRows / pageRows;
/** Behind a vector's head. */
export const extraNumbers = 3;
/** Queries at a time. */
export const batchMax = 128;
/** Threads beside the main one that search at the same time. */
export const workersMax = 4;
/** Those of kernels.wat, and one for it to write into. */
const queryColumns = 9;
const segmentBytesMax = 2 ** 30;

/** Those of a batch with a block; or with centres of cells, and behind them what a kernel has to know of these. */
export const scoreBytes = batchMax * blockRows * 4;

/** Of the answers of one kernel call, in numbers: a block's or some cells'. */
export const answersMax = 16_384;
/** Cells handed to one kernel call. */
export const workMax = 2_048;
/** Of one: first page, rows, scale, threshold. */
export const workItemBytes = 32;
const workBytes = workMax * workItemBytes;
/** Of kernels.wat: queries that a cell was not refused for, its pages and their reaches, a bit for each row and query, filled up. */
const listBytes = 10_240 + batchMax * (blockRows / pageRows + 8);
/** Of a query's record, whatever its head's width: 8 bounds, twice the head and the tail, each filled up. */
const recordBytesMax = (dimensions: number): number => roundUp(32 + 8 * (dimensions + extraNumbers) + 3 * 16, 64);
/** In a page's terms, in front of its rows'. */
export const reachBytes = 16;
/** In a query's record, in front of its integers. */
export const integersAt = 16;

/** Coordinates in the heads of rows in cells. */
function pageHeadWidth(dimensions: number): number {
  return dimensions < 32 ? dimensions : roundUp(Math.min(64, Math.max(32, dimensions / 8)), 16);
}

export const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

export type Scratch = {
  /** The records of the queries, `recordBytes` apart. */
  readonly records: number;
  readonly recordBytes: number;
  readonly answers: number;
  readonly work: number;
  readonly list: number;
  /** Of quantised queries: thresholds, and terms of 16 bytes. */
  readonly thresholds: number;
  readonly terms: number;
  /** Of queries of cells: numbers of each. */
  readonly columns: number;
  /** Scores of a product, at most `scoreBytes`. Only a worker's. */
  readonly scores: number;
};

export type RowLayout = {
  readonly dimensions: number;
  readonly blockBytes: number;
  /** Coordinates in the heads of rows in cells, and of their quantised heads, which are filled up. */
  readonly pageHeadWidth: number;
  readonly pageIntegers: number;
  /** Of a page. */
  readonly termBytes: number;
  /** Of what a query's quantised head says, in its record. */
  readonly integers: number;
  /** Offsets in a block, whatever its head's width, in bytes. */
  readonly points: number;
  readonly norms: number;
  readonly next: number;
  readonly quantised: number;
  /** Address of block 0 of every segment. */
  readonly base: number;
  readonly blocksPerSegment: number;
  readonly workers: readonly Scratch[];
  readonly main: Scratch;
};

export function rowLayout(dimensions: number): RowLayout {
  const points = blockRows * 4 * (dimensions + extraNumbers);
  const norms = points + blockRows * 4;
  const next = norms + blockRows * 8;
  const quantised = next + blockPages * 4;
  // Memory that nothing was written to takes only addresses.
  const headWidth = pageHeadWidth(dimensions);
  const pageIntegers = roundUp(headWidth, 16);
  const termBytes = reachBytes + pageRows * (8 + pageIntegers);
  const blockBytes = roundUp(quantised + Math.max(blockRows * dimensions, blockPages * termBytes), 64);
  const integers = recordBytesMax(dimensions);
  const recordBytes = roundUp(integers + integersAt + pageIntegers, 64);
  const scratch = (records: number, count: number): Scratch => {
    const answers = records + count * recordBytes;
    const work = answers + answersMax * 4;
    const list = work + workBytes;
    const thresholds = list + listBytes;
    const terms = thresholds + 4 * batchMax;
    const columns = terms + 16 * batchMax;
    return { records, recordBytes, answers, work, list, thresholds, terms, columns, scores: columns + 4 * queryColumns * batchMax };
  };
  const workers: Scratch[] = [];
  let address = 0;
  for (let worker = 0; worker < workersMax; worker++) {
    workers.push(scratch(address, batchMax));
    address = (workers[worker] as Scratch).scores + scoreBytes;
  }
  const main = scratch(address, 1);
  const base = main.scores;
  const blocksPerSegment = Math.max(1, Math.floor((segmentBytesMax - base) / blockBytes));
  return { dimensions, blockBytes, pageHeadWidth: headWidth, pageIntegers, termBytes, integers, points, norms, next, quantised, base, blocksPerSegment, workers, main };
}

export const memoryPages = (bytes: number): number => Math.ceil(bytes / pageBytes);

/** What a thread needs to read the rows of a block. */
export type BlockView = {
  readonly segment: number;
  /** Its index within the segment. */
  readonly local: number;
  /** Coordinates in the head. */
  readonly headWidth: number;
  readonly heads: Float32Array;
  readonly tails: Float32Array;
  readonly points: Int32Array;
  readonly norms: Float64Array;
  readonly next: Int32Array;
  /** As quantised-heads.ts writes them. */
  readonly quantised: Uint8Array;
  /** The same place, where rows are in cells: the terms of its pages, as numbers and as bytes. */
  readonly terms: Float32Array;
  readonly termBytes: Uint8Array;
};

export function blockView(layout: RowLayout, memory: SharedMemory, segment: number, local: number, headWidth: number): BlockView {
  const { buffer } = memory;
  const address = layout.base + local * layout.blockBytes;
  const width = headWidth + extraNumbers;
  return {
    segment,
    local,
    headWidth,
    heads: new Float32Array(buffer, address, blockRows * width),
    tails: new Float32Array(buffer, address + blockRows * width * 4, blockRows * (layout.dimensions - headWidth)),
    points: new Int32Array(buffer, address + layout.points, blockRows),
    norms: new Float64Array(buffer, address + layout.norms, blockRows),
    next: new Int32Array(buffer, address + layout.next, blockPages),
    quantised: new Uint8Array(buffer, address + layout.quantised, blockRows * headWidth),
    terms: new Float32Array(buffer, address + layout.quantised, (blockPages * layout.termBytes) / 4),
    termBytes: new Uint8Array(buffer, address + layout.quantised, blockPages * layout.termBytes),
  };
}

/** The vector of a row: a view where it lies in one piece, otherwise copied into `into`. */
export function rowVector({ heads, tails, headWidth }: BlockView, row: number, dimensions: number, into: Float32Array): Float32Array {
  const start = row * (headWidth + extraNumbers);
  if (headWidth === dimensions) return heads.subarray(start, start + dimensions);
  copyNumbers(heads, start, into, 0, headWidth);
  copyNumbers(tails, row * (dimensions - headWidth), into, headWidth, dimensions - headWidth);
  return into;
}

/** Number by number, because shared memory is copied byte by byte where both sides are not aligned alike. */
export function copyNumbers(from: Float32Array, start: number, to: Float32Array, at: number, count: number): void {
  for (let index = 0; index < count; index++) to[at + index] = from[start + index] as number;
}
