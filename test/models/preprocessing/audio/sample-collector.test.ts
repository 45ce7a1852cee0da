// Whatever the pieces, what comes out is what went in, and no piece is kept.
import { expect, test } from 'vitest';
import { createSampleCollector } from '../../../../src/models/preprocessing/audio/sample-collector.ts';

test.each([[[1]], [[0, 3, 65_536]], [[65_535, 1, 2]], [[150_000, 7]]])('pieces of %j', (lengths) => {
  const samples = Float32Array.from({ length: 200_000 }, (_, index) => index);
  const collector = createSampleCollector();
  for (let start = 0, index = 0; start < samples.length; index += 1) {
    const piece = samples.slice(start, start + lengths[index % lengths.length]!);
    collector.push(piece);
    start += piece.length;
    piece.fill(-1);
  }
  const joined = collector.joined();
  expect(joined).toHaveLength(samples.length);
  expect(joined.every((sample, index) => sample === samples[index])).toBe(true);
});

test('of nothing comes nothing', () => {
  expect(createSampleCollector().joined()).toHaveLength(0);
});
