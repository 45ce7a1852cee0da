/** Rows of a snapshot, several at a time: a sum of squares waits for each of its additions, and meanwhile those of other rows are at hand. */
import { isOrdinary } from './query-record.ts';
import { extraNumbers, type BlockView } from './row-layout.ts';

export const copiedRows = 4;

/**
 * Copies rows that lie one behind the other into the open area, whose heads are whole vectors.
 * @param norms gets what `normOf` makes of each.
 * @returns whether all of them belong there; otherwise there are zeros where they would be.
 */
export function copyOrdinaryRows(rows: Float32Array, start: number, { heads, headWidth }: BlockView, row: number, norms: Float64Array): boolean {
  const width = headWidth + extraNumbers;
  const to = row * width;
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  for (let index = 0; index < headWidth; index++) {
    const from = start + index;
    const at = to + index;
    const value0 = rows[from] as number;
    const value1 = rows[from + headWidth] as number;
    const value2 = rows[from + 2 * headWidth] as number;
    const value3 = rows[from + 3 * headWidth] as number;
    heads[at] = value0;
    heads[at + width] = value1;
    heads[at + 2 * width] = value2;
    heads[at + 3 * width] = value3;
    sum0 += value0 * value0;
    sum1 += value1 * value1;
    sum2 += value2 * value2;
    sum3 += value3 * value3;
  }
  norms[0] = Math.sqrt(sum0);
  norms[1] = Math.sqrt(sum1);
  norms[2] = Math.sqrt(sum2);
  norms[3] = Math.sqrt(sum3);
  if (!norms.every(isOrdinary)) {
    heads.fill(0, to, to + copiedRows * width);
    return false;
  }
  for (let copied = 0; copied < copiedRows; copied++) {
    const norm = norms[copied] as number;
    const behind = to + copied * width + headWidth;
    // There is no tail.
    heads[behind] = 0;
    heads[behind + 1] = norm;
    heads[behind + 2] = (norm * norm) / 2;
  }
  return true;
}
