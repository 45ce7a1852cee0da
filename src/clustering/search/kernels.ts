/** The WebAssembly of kernels.wat, made ready for one memory. Threads share memories; each has its own instances, which hold layout and answers. */
import { kernelsModule } from './kernels.generated.ts';
import { instantiator, type SharedMemory } from './web-assembly.ts';

export type Kernels = {
  /** Base and size of blocks, strides of head and tail rows, offsets of tails, points, next pages and terms in a block, terms of a page, offset of integers in a record, all in bytes; whether these are to be used. */
  readonly layout: (
    base: number,
    blockBytes: number,
    headBytes: number,
    tailBytes: number,
    tails: number,
    points: number,
    next: number,
    terms: number,
    termBytes: number,
    integers: number,
    quantised: number,
  ) => void;
  readonly answersAt: (address: number) => void;
  readonly answersEnd: () => number;
  readonly scan: (query: number, scores: number, count: number, threshold: number, block: number) => void;
  readonly rows: (query: number, block: number, row: number, count: number, threshold: number) => void;
  /** How many rows in cells were looked at, ever, and how many of them were not refused by their terms; modulo 2^32. */
  readonly rowsLookedAt: () => number;
  readonly rowsRead: () => number;
  readonly integerProducts: (signed: number, unsigned: number, out: number) => void;
  readonly cells: (query: number, columns: number, work: number, count: number, list: number, limit: number) => number;
  readonly cellsOfBatch: (
    records: number,
    recordBytes: number,
    columns: number,
    products: number,
    width: number,
    table: number,
    rowBytes: number,
    pages: number,
    list: number,
    position: number,
    cells: number,
    limit: number,
  ) => number;
  readonly scanQuantised: (
    records: number,
    recordBytes: number,
    products: number,
    row: number,
    rows: number,
    width: number,
    thresholds: number,
    terms: number,
    block: number,
    limit: number,
  ) => number;
  readonly reaching: (scores: number, count: number, threshold: number, out: number) => number;
  readonly products: (query: number, rows: number, stride: number, count: number, bytes: number, out: number) => void;
  readonly copyRows: (from: number, to: number, bytes: number, stride: number, sums: number) => void;
  readonly productsAt: (query: number, rows: number, stride: number, indices: number, count: number, bytes: number, out: number) => void;
};

const instantiate = instantiator(() => Buffer.from(kernelsModule, 'base64'));

export function kernelsFor(memory: SharedMemory): Kernels {
  return instantiate(memory) as Kernels;
}

/** The known answer of the largest operands there are, which is where a processor that adds in 16 bits would saturate, and of others. @param scratch of 48 bytes. */
export function areIntegersExact(kernels: Kernels, { buffer }: SharedMemory, scratch: number): boolean {
  const signed = new Int8Array(buffer, scratch, 16);
  const unsigned = new Uint8Array(buffer, scratch + 16, 16);
  const sums = new Int32Array(buffer, scratch + 32, 4);
  return [-128, -127, 127, 1].every((greatest) => {
    signed.set(Array.from({ length: 16 }, (_, index) => (index < 12 ? greatest : 37 * index - 500)));
    unsigned.set(Array.from({ length: 16 }, (_, index) => (index < 12 ? 127 : 9 * index - 20)));
    sums.fill(-7);
    kernels.integerProducts(scratch, scratch + 16, scratch + 32);
    return sums.every((sum, lane) => sum === [0, 1, 2, 3].reduce((total, place) => total + (signed[4 * lane + place] as number) * (unsigned[4 * lane + place] as number), -7));
  });
}
