import { describe, expect, test } from 'vitest';
import { postprocess } from '../../src/models/postprocessing.ts';

const vector = { kind: 'vector', output: 'o', dimensions: 2, pooling: 'none', normalisation: 'none' } as const;
const scores = { kind: 'scores', output: 'o', activation: 'none' } as const;

describe('a vector', () => {
  // Three tokens of two dimensions; the last one is padding.
  const tokens = Float32Array.of(1, 2, 3, 6, 100, 100);

  test.each([
    ['none', Float32Array.of(1, 2), [1, 2]],
    ['mean', tokens, [2, 4]],
    ['first', tokens, [1, 2]],
  ] as const)('pooled by %s', (pooling, raw, expected) => {
    expect([...postprocess(raw, 2, { ...vector, pooling })]).toEqual(expected);
  });

  test('normalised has length one; one of nothing but zeros has no direction, which is not finite', () => {
    const unit = postprocess(Float32Array.of(3, 4), 0, { ...vector, normalisation: 'l2' });
    expect([...unit]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
    expect([...postprocess(Float32Array.of(0, 0), 0, { ...vector, normalisation: 'l2' })]).toEqual([Number.NaN, Number.NaN]);
  });

  test('owns its memory: a kept vector does not keep its batch', () => {
    const batch = new Float32Array(1000);
    expect(postprocess(batch.subarray(0, 2), 0, vector).buffer.byteLength).toBe(8);
    expect(postprocess(batch.subarray(0, 3), 0, scores).buffer.byteLength).toBe(12);
  });
});

describe('scores', () => {
  test('of logits add up to one, however large the logits are', () => {
    const found = postprocess(Float32Array.of(1000, 1000, -1000), 0, { ...scores, activation: 'softmax' });
    expect([...found]).toEqual([0.5, 0.5, 0]);
  });

  test('of independent labels lie between zero and one', () => {
    const found = postprocess(Float32Array.of(0, 100, -100), 0, { ...scores, activation: 'sigmoid' });
    expect(found[0]).toBe(0.5);
    expect(found[1]).toBe(1);
    expect(found[2]).toBeCloseTo(0, 30);
  });

  test('of a group are those of its classes together; what is in no group counts nowhere', () => {
    const groups = { classes: 4, members: [[0, 2], [3]] };
    expect([...postprocess(Float32Array.of(0.125, 0.25, 0.5, 0.0625), 0, { ...scores, groups })]).toEqual([0.625, 0.0625]);
  });
});
