/**
 * The shapes in which a model is executed. Items of one length bucket are put into batches of the sizes that the manifest allows, filled up
 * with padding; nothing else is ever executed, so that `models verify` can prove for all shapes that neighbours do not matter.
 */
import type { PreparedInput } from './prepare-input.ts';

export type TensorValue =
  | { readonly type: 'int64'; readonly data: BigInt64Array; readonly dims: readonly number[] }
  | { readonly type: 'float32'; readonly data: Float32Array; readonly dims: readonly number[] };

/** `items` are positions in the list that was given. */
export type ExecutedBatch = { readonly batchSize: number; readonly length: number; readonly items: readonly number[] };

/** The smallest allowed size that holds `count` items; the largest where none does. Sizes rise. */
function batchSizeFor(count: number, batchSizes: readonly number[]): number {
  return batchSizes.find((size) => size >= count) ?? batchSizes.at(-1) ?? 1;
}

/** Undefined elements are items that could not be prepared: they are in no batch. */
export function planBatches(items: readonly (PreparedInput | undefined)[], batchSizes: readonly number[]): ExecutedBatch[] {
  const byLength = new Map<number, number[]>();
  for (const [index, item] of items.entries()) {
    if (item === undefined) continue;
    const group = byLength.get(item.length);
    if (group === undefined) byLength.set(item.length, [index]);
    else group.push(index);
  }
  const batches: ExecutedBatch[] = [];
  for (const [length, group] of byLength) {
    for (let start = 0; start < group.length; ) {
      const batchSize = batchSizeFor(group.length - start, batchSizes);
      batches.push({ batchSize, length, items: group.slice(start, start + batchSize) });
      start += batchSize;
    }
  }
  return batches;
}

/** The tensors of a batch by the names of the model's inputs; rows beyond the items are zero. */
export function packBatch(prepared: readonly PreparedInput[], batch: ExecutedBatch, valuesInput: string): Record<string, TensorValue> {
  const { batchSize, length } = batch;
  if (prepared[0]?.kind === 'values') {
    const width = prepared[0].row.length;
    const data = new Float32Array(batchSize * width);
    for (const [row, item] of prepared.entries()) if (item.kind === 'values') data.set(item.row, row * width);
    return { [valuesInput]: { type: 'float32', data, dims: [batchSize, width] } };
  }
  const ids = new BigInt64Array(batchSize * length);
  const weights = new Float32Array(batchSize * length);
  for (const [row, item] of prepared.entries()) {
    if (item.kind !== 'subwords') continue;
    for (const [index, id] of item.ids.entries()) ids[row * length + index] = BigInt(id);
    weights.set(item.weights, row * length);
  }
  return {
    ids: { type: 'int64', data: ids, dims: [batchSize, length] },
    weights: { type: 'float32', data: weights, dims: [batchSize, length] },
  };
}
