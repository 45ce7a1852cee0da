/** Rows of a snapshot, several at a time, by a kernel: they are put into scratch memory, where it finds them. */
import { kernelsFor, type Kernels } from './kernels.ts';
import { isOrdinary } from './query-record.ts';
import { extraNumbers, type BlockView, type RowLayout } from './row-layout.ts';
import type { SharedMemory } from './web-assembly.ts';

export const copiedRows = 4;

export type RowCopy = {
  /**
   * Copies rows that lie one behind the other into the open area, whose heads are whole vectors.
   * @param norms gets what `normOf` makes of each.
   * @returns whether all of them belong there; otherwise there are zeros where they would be, or the rows are too long to be copied so.
   */
  readonly copyOrdinary: (start: number, block: BlockView, row: number, norms: Float64Array) => boolean;
};

type Scratch = { readonly kernels: Kernels; readonly sums: Float64Array; readonly staged: Float32Array };

/** @returns for the rows of one call after the other, which are not to change until the next. */
export function createRowCopies({ dimensions, main }: RowLayout, memories: readonly SharedMemory[]): (rows: Float32Array) => RowCopy {
  const scratches = new Map<SharedMemory, Scratch>();
  const width = dimensions + extraNumbers;
  const groupNumbers = copiedRows * dimensions;
  // What of the main thread's scratch lies between its records and its lists is nobody's between two searches.
  const address = main.answers + copiedRows * Float64Array.BYTES_PER_ELEMENT;
  const room = Math.floor((main.list - address) / (4 * groupNumbers)) * groupNumbers;
  const scratchOf = (segment: number): Scratch => {
    const memory = memories[segment] as SharedMemory;
    const known = scratches.get(memory);
    if (known !== undefined) return known;
    const sums = new Float64Array(memory.buffer, main.answers, copiedRows);
    const scratch = { kernels: kernelsFor(memory), sums, staged: new Float32Array(memory.buffer, address, room) };
    scratches.set(memory, scratch);
    return scratch;
  };
  return (rows) => {
    let staging: { readonly segment: number; readonly from: number } | undefined;
    return {
      copyOrdinary: (start, { segment, heads }, row, norms) => {
        if (room === 0) return false;
        const { kernels, sums, staged } = scratchOf(segment);
        if (staging?.segment !== segment || start + groupNumbers > staging.from + room) {
          staged.set(rows.subarray(start, start + room));
          staging = { segment, from: start };
        }
        const to = row * width;
        kernels.copyRows(address + 4 * (start - staging.from), heads.byteOffset + 4 * to, 4 * dimensions, 4 * width, main.answers);
        for (let copied = 0; copied < copiedRows; copied++) norms[copied] = Math.sqrt(sums[copied] as number);
        if (!norms.every(isOrdinary)) {
          heads.fill(0, to, to + copiedRows * width);
          return false;
        }
        for (let copied = 0; copied < copiedRows; copied++) {
          const norm = norms[copied] as number;
          const behind = to + copied * width + dimensions;
          // There is no tail.
          heads[behind] = 0;
          heads[behind + 1] = norm;
          heads[behind + 2] = (norm * norm) / 2;
        }
        return true;
      },
    };
  };
}
