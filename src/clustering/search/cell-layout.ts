/**
 * The table of cells that a search reads: a memory with a scratch for each thread and a matrix of one row per cell: its centre, the radius around
 * it (rounded up, and widened by what float32 makes of the products below), the smallest and the greatest norm in it, the smallest half square
 * of one, one divided by the centre's length (0 where it has no direction), cosine and sine of the greatest angle between a row and the centre
 * (at least), the scale of the quantised heads and how much of one they leave at most (quantised-terms.ts). With the query q = (q, |q|, -a or 0,
 * 0 or -a, -b, 0, ...) a cell can hold a near row only where the product reaches the query's constant.
 */
import type { Query } from './query-record.ts';
import { roundUp, workersMax } from './row-layout.ts';
import { type SharedMemory } from './web-assembly.ts';

export const cellNumbers = 9;
/** Cells whose scores are computed at a time. */
export const cellChunk = 1_024;

export type CellScratch = { readonly query: number; readonly tail: number; readonly found: number; readonly tails: number; readonly scores: number };

export type CellLayout = { readonly rowBytes: number; readonly base: number; readonly workers: readonly CellScratch[]; readonly main: CellScratch };

export function cellLayout(dimensions: number): CellLayout {
  const queryBytes = roundUp(4 * (dimensions + cellNumbers) + 16, 64);
  const scratch = (query: number): CellScratch => {
    const tail = query + queryBytes;
    const found = tail + queryBytes;
    const tails = found + cellChunk * 4;
    return { query, tail, found, tails, scores: tails + cellChunk * 4 };
  };
  const bytes = scratch(0).scores + cellChunk * 4;
  const workers = Array.from({ length: workersMax }, (_, worker) => scratch((worker + 1) * bytes));
  return { rowBytes: 4 * (dimensions + cellNumbers), main: scratch(0), workers, base: (workersMax + 1) * bytes };
}

/** What a thread is handed. Element i of the columns is about cell i; a cell without rows is none. */
export type CellState = {
  readonly memory: SharedMemory;
  readonly count: number;
  /** The first page, as the kernels of its segment count it. */
  readonly firstPages: Int32Array;
  readonly rows: Int32Array;
  readonly segments: Int32Array;
  readonly rowsInCells: number;
};

export function writeCellQuery({ vector, norm, bounds: { low } }: Query, into: Float32Array): void {
  const { length } = vector;
  into.set(vector);
  into[length] = norm * (1 + 2 ** -20);
  into[length + 1] = low.norm > 0 ? -low.norm : 0;
  into[length + 2] = low.norm > 0 ? 0 : -low.norm;
  into[length + 3] = -low.square;
  into.fill(0, length + 4, length + cellNumbers);
}
