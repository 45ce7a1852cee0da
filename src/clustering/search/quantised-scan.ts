/** Full blocks of the open area by products of integers. */
import { quantisedZero, type QuantisedBlock } from './quantised-heads.ts';
import { roundedUp, tailNorm } from './query-record.ts';
import { answersMax, batchMax, roundUp } from './row-layout.ts';
import type { IndexedQuery, IntegerProduct, ScanContext } from './scan-context.ts';

/** 7 bits with the sign. */
const queryMax = 63;

type QuantisedQuery = {
  readonly scale: number;
  /** Of what the integers stand for, and of what they leave. */
  readonly norm: number;
  readonly error: number;
  readonly tail: number;
  /** What the rows' zero adds to a product. */
  readonly offset: number;
};

export type QuantisedBatch = {
  /** Queries, filled up to a multiple of 16. */
  readonly width: number;
  /** One column per query. */
  readonly numbers: Int8Array;
  readonly queries: readonly QuantisedQuery[];
};

export function quantiseBatch(batch: readonly IndexedQuery[], headWidth: number): QuantisedBatch {
  const width = roundUp(batch.length, 16);
  const numbers = new Int8Array(width * headWidth);
  const queries = batch.map(({ query: { vector } }, place) => {
    let greatest = 1e-30;
    for (let index = 0; index < headWidth; index++) greatest = Math.max(greatest, Math.abs(vector[index] as number));
    const scale = greatest / queryMax;
    let sum = 0;
    let squares = 0;
    let errors = 0;
    for (let index = 0; index < headWidth; index++) {
      const value = vector[index] as number;
      const whole = Math.round(value / scale);
      numbers[index * width + place] = whole;
      sum += whole;
      squares += whole * whole;
      errors += (value - whole * scale) ** 2;
    }
    return { scale, norm: roundedUp(Math.sqrt(squares) * scale), error: roundedUp(Math.sqrt(errors)), tail: roundedUp(tailNorm(vector, headWidth)), offset: quantisedZero * sum };
  });
  return { width, numbers, queries };
}

type ScannedBlock = { readonly local: number; readonly rows: number; readonly quantisedHeads: Uint8Array; readonly quantised: QuantisedBlock };

/** The records of the queries and the layout are the kernels' already. */
export async function scanQuantisedBlock(
  context: ScanContext,
  segment: number,
  { local, rows, quantisedHeads, quantised }: ScannedBlock,
  batch: readonly IndexedQuery[],
  { width, numbers, queries }: QuantisedBatch,
  product: IntegerProduct,
): Promise<void> {
  const { kernels, memory, answers } = context.segment(segment);
  const { records, recordBytes, thresholds, terms, scores } = context.scratch;
  await product(quantisedHeads.subarray(0, (rows * numbers.length) / width), numbers, width, new Int32Array(memory.buffer, scores, rows * width));
  writeThresholds(new Int32Array(memory.buffer, thresholds, batchMax), new DataView(memory.buffer, terms, 16 * batchMax), batch, queries, quantised);
  const limit = context.scratch.answers + answersMax * 4;
  for (let row = 0; row < rows; ) {
    context.expectAnswers(segment);
    row = kernels.scanQuantised(records, recordBytes, scores, row, rows, width, thresholds, terms, local, limit);
    const count = (kernels.answersEnd() - context.scratch.answers) / 4;
    for (let at = 0; at < count; at += 2) context.takeAnswer(segment, batch[answers[at] as number] as IndexedQuery, answers[at + 1] as number);
  }
}

/** From which product on a row of the block can be near, and what makes a real bound of one. */
function writeThresholds(thresholds: Int32Array, terms: DataView, batch: readonly IndexedQuery[], queries: readonly QuantisedQuery[], block: QuantisedBlock): void {
  thresholds.fill(2 ** 31 - 1);
  for (const [place, { scale, norm, error, tail, offset }] of queries.entries()) {
    const { low } = (batch[place] as IndexedQuery).query.bounds;
    const lost = roundedUp(norm * block.error + error * block.normMax);
    const unit = scale * block.scale;
    // Against the row of the block that the bound is lowest for.
    const least = low.constant + low.norm * (low.norm > 0 ? block.normMin : block.normMax) + low.square * block.squareMin - lost - roundedUp(tail * block.tail);
    const product = Math.floor((least - Math.abs(least) * 1e-9) / unit) + offset - 1;
    thresholds[place] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 2, product));
    terms.setFloat32(16 * place, unit, true);
    terms.setFloat32(16 * place + 4, lost, true);
    terms.setInt32(16 * place + 8, offset, true);
  }
}
