import { describe, expect, test } from 'vitest';
import { packBatch, planBatches } from '../../src/models/executed-batch.ts';
import { createPreprocessor, lengthEstimator } from '../../src/models/preprocessing/preprocessors.ts';
import { lengthBucket, type InputPort, type PreparedInput } from '../../src/models/preprocessing/preprocessor.ts';
import { parseGraphManifest } from './graph-models.ts';
import { encoderManifest } from './model-directory.ts';

const subwords = (length: number): PreparedInput => ({ values: { ids: BigInt64Array.of(7n, 8n), weights: Float32Array.of(1, 0.5) }, length, tokens: 2 });

describe('planBatches', () => {
  test('executes allowed sizes only, one length at a time, and every item once', () => {
    const items = [32, 128, 32, undefined, 32, 32, 128, 32, 32].map((length) => (length === undefined ? undefined : subwords(length)));
    expect(planBatches(items, [1, 4])).toEqual([
      { batchSize: 4, length: 32, items: [0, 2, 4, 5] },
      { batchSize: 4, length: 32, items: [7, 8] },
      { batchSize: 4, length: 128, items: [1, 6] },
    ]);
    expect(planBatches(items.slice(0, 2), [1, 4])).toEqual([
      { batchSize: 1, length: 32, items: [0] },
      { batchSize: 1, length: 128, items: [1] },
    ]);
    expect(planBatches(items.slice(0, 1), [4]).map(({ batchSize }) => batchSize)).toEqual([4]);
    expect(planBatches([undefined], [1])).toEqual([]);
  });
});

test('packBatch fills up with zeros', () => {
  const ports: InputPort[] = [
    { name: 'ids', type: 'int64', itemDimensions: ['length'] },
    { name: 'weights', type: 'float32', itemDimensions: ['length'] },
  ];
  expect(packBatch([subwords(4)], { batchSize: 2, length: 4, items: [0] }, ports)).toEqual({
    ids: { type: 'int64', data: BigInt64Array.of(7n, 8n, 0n, 0n, 0n, 0n, 0n, 0n), dims: [2, 4] },
    weights: { type: 'float32', data: Float32Array.of(1, 0.5, 0, 0, 0, 0, 0, 0), dims: [2, 4] },
  });
  const row: PreparedInput = { values: { x: Float32Array.of(1, 2) }, length: 0, tokens: 0 };
  expect(packBatch([row], { batchSize: 2, length: 0, items: [0] }, [{ name: 'x', type: 'float32', itemDimensions: [2] }])).toEqual({ x: { type: 'float32', data: Float32Array.of(1, 2, 0, 0), dims: [2, 2] } });
});

describe('the length bucket', () => {
  const manifest = parseGraphManifest(
    JSON.stringify({
      ...encoderManifest,
      files: [{ path: 'model.onnx', sha256: '0'.repeat(64), sizeBytes: 1 }],
      knownAnswers: [{ input: { kind: 'text', text: 'twelve words' }, output: [0, 0, 0, 0, 0, 0, 0, 0], tolerance: 1 }],
    }),
  );

  test('is the shortest that holds the item', () => {
    expect([1, 16, 17, 64, 65, 128].map((length) => lengthBucket(length, [16, 64, 128]))).toEqual([16, 16, 64, 64, 128, 128]);
  });

  test('depends on the item alone, up to the longest text there is', async () => {
    const { prepare } = createPreprocessor({ kind: 'graph', manifest, directory: '', files: new Map(), graph: { path: 'model.onnx', bytes: new Uint8Array(new SharedArrayBuffer(0)), externalData: [] } });
    expect((await prepare({ kind: 'text', text: 'one' })).length).toBe(16);
    const longest = await prepare({ kind: 'text', text: 'word '.repeat(5_000) });
    expect(longest.length).toBe(128);
    expect(longest.tokens).toBeLessThanOrEqual(128);
    expect(longest.values['ids']).toHaveLength(longest.tokens);
  });

  test('is guessed well enough to be one of the executed', () => {
    const estimate = lengthEstimator(manifest);
    expect(estimate({ kind: 'text', text: 'a' })).toBe(16);
    expect(estimate({ kind: 'text', text: 'x'.repeat(1_000_000) })).toBe(128);
    expect(estimate({ kind: 'values', values: {} })).toBe(0);
  });
});
