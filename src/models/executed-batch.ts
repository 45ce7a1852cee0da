/**
 * The shapes in which a model is executed. Items of one length bucket are put into batches of the sizes that the manifest allows, filled up
 * with padding; nothing else is ever executed, so that `models verify` can prove for all shapes that neighbours do not matter.
 */
import type { InputPort, ItemValues, PreparedInput } from './preprocessing/preprocessor.ts';

type TensorData = { readonly type: 'int64'; readonly data: BigInt64Array } | { readonly type: 'float32'; readonly data: Float32Array };

export type TensorValue = TensorData & { readonly dims: readonly number[] };

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

/** The tensors of a batch by the names of the model's inputs; rows beyond the items, and what an item leaves of its row, are zero. */
export function packBatch(items: readonly PreparedInput[], { batchSize, length }: ExecutedBatch, ports: readonly InputPort[]): Record<string, TensorValue> {
  return Object.fromEntries(
    ports.map(({ name, type, itemDimensions }) => {
      const dims = itemDimensions.map((dimension) => (dimension === 'length' ? length : dimension));
      const width = dims.reduce((product, dimension) => product * dimension, 1);
      const rows = items.map(({ values }) => values[name]);
      return [name, { ...packRows(rows, type, batchSize, width), dims: [batchSize, ...dims] }];
    }),
  );
}

function packRows(rows: readonly (ItemValues | undefined)[], type: InputPort['type'], batchSize: number, width: number): TensorData {
  const [alone] = rows;
  // The tensor of an image has a megabyte and more, and most networks for images take one at a time.
  if (batchSize === 1 && alone?.length === width) return alone instanceof Float32Array ? { type: 'float32', data: alone } : { type: 'int64', data: alone };
  if (type === 'float32') {
    const data = new Float32Array(batchSize * width);
    for (const [row, values] of rows.entries()) if (values instanceof Float32Array) data.set(values, row * width);
    return { type, data };
  }
  const data = new BigInt64Array(batchSize * width);
  for (const [row, values] of rows.entries()) if (values instanceof BigInt64Array) data.set(values, row * width);
  return { type, data };
}
