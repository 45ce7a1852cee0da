/**
 * Heads in 8 bits, for products of integers, which are more than twice as fast: x = scale (X - 128) + e with X in 1 to 255. Queries have 7 bits, so
 * that the sum of two products fits 16: no processor saturates. A block has one scale, and the greatest error of its rows; what a product of integers
 * says is off by at most |q| |e of the row| + |e of the query| |x| (quantised-scan.ts).
 *
 * A block is quantised as a whole when it is full, and from then on row by row; one whose scale does not fit a new row loses it.
 */
import { extraNumbers, type BlockView } from './row-layout.ts';
import { roundedUp } from './query-record.ts';

export const quantisedZero = 128;
const quantisedMax = 127;

/** Of the rows in a block. */
export type QuantisedBlock = {
  readonly scale: number;
  /** Greatest |e|, tail's norm and norm, least norm and half square: rounded away from what they bound. */
  readonly error: number;
  readonly tail: number;
  readonly normMax: number;
  readonly normMin: number;
  readonly squareMin: number;
};

/** Undefined where its rows have no scale in common. */
export function quantiseBlock(block: BlockView, rows: number): QuantisedBlock | undefined {
  const { heads, headWidth } = block;
  let greatest = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * (headWidth + extraNumbers);
    for (let index = start; index < start + headWidth; index++) greatest = Math.max(greatest, Math.abs(heads[index] as number));
  }
  if (!(greatest >= 1e-30)) return undefined;
  let quantised: QuantisedBlock | undefined = { scale: greatest / quantisedMax, error: 0, tail: 0, normMax: 0, normMin: Infinity, squareMin: Infinity };
  for (let row = 0; row < rows && quantised !== undefined; row++) quantised = quantiseRow(block, row, quantised);
  return quantised;
}

/** Returns what holds of the block with this row in it; undefined where the scale does not fit it. */
export function quantiseRow({ heads, headWidth, quantised }: BlockView, row: number, block: QuantisedBlock): QuantisedBlock | undefined {
  const start = row * (headWidth + extraNumbers);
  const { scale } = block;
  let squares = 0;
  for (let index = 0; index < headWidth; index++) {
    const value = heads[start + index] as number;
    const whole = Math.round(value / scale);
    if (whole > quantisedMax || whole < -quantisedMax) return undefined;
    quantised[row * headWidth + index] = whole + quantisedZero;
    squares += (value - whole * scale) ** 2;
  }
  const [tail = 0, norm = 0, square = 0] = heads.subarray(start + headWidth, start + headWidth + extraNumbers);
  return {
    scale,
    error: Math.max(block.error, roundedUp(Math.sqrt(squares))),
    tail: Math.max(block.tail, tail),
    normMax: Math.max(block.normMax, roundedUp(norm)),
    normMin: Math.min(block.normMin, norm),
    squareMin: Math.min(block.squareMin, square),
  };
}
