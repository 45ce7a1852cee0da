// Resampling gives the numbers of scipy with the same filter, those of soxr where both hear everything, and the same whatever pieces come.
import { describe, expect, test } from 'vitest';
import { createResampler } from '../../../../src/models/preprocessing/audio/resample.ts';
import { float32Of, readGoldens } from './sound-files.ts';

const { resampling, resampledStep } = await readGoldens();

function resampled(samples: Float32Array, rate: number, pieceLengths: readonly number[] = [samples.length]): Float32Array {
  const resampler = createResampler(rate, 16_000);
  const parts: Float32Array[] = [];
  for (let start = 0, index = 0; start < samples.length; index += 1) {
    const length = pieceLengths[index % pieceLengths.length]!;
    parts.push(resampler.push(samples.subarray(start, start + length)));
    start += length;
  }
  parts.push(resampler.finish());
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

const worstOf = (left: Float32Array, right: Float32Array): number => left.reduce((largest, value, index) => Math.max(largest, Math.abs(value - right[index]!)), 0);

describe.each(resampling)('$rate samples a second', ({ rate, input, samples: count, soxr, kaiserBest }) => {
  const samples = Float32Array.from(new Int16Array(Uint8Array.from(Buffer.from(input, 'base64')).buffer), (value) => value / 32_768);
  const whole = resampled(samples, rate);
  const everySo = whole.filter((_, index) => index % resampledStep === 0);

  test('as scipy, with the same filter', () => {
    expect(whole).toHaveLength(Math.ceil((samples.length * 16_000) / rate));
    expect(whole).toHaveLength(count);
    expect(worstOf(float32Of(kaiserBest), everySo)).toBeLessThan(2e-7);
  });

  test('within -66 dB of soxr', () => {
    expect(worstOf(float32Of(soxr), everySo)).toBeLessThan(5e-4);
  });

  test('in pieces', () => {
    for (const lengths of [[1], [7, 160, 3], [1_000], [5_000, 1]]) expect(resampled(samples, rate, lengths)).toEqual(whole);
  });
});

test('a tone above half of the new rate is silenced, one below stays', () => {
  const tone = (hertz: number): Float32Array => resampled(Float32Array.from({ length: 48_000 }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / 48_000)), 48_000);
  const loudest = (samples: Float32Array): number => Math.max(...samples.subarray(2_000, -2_000).map(Math.abs));
  expect(loudest(tone(9_000))).toBeLessThan(1e-5);
  expect(loudest(tone(5_000))).toBeGreaterThan(0.999);
});

test('a constant stays what it is, and nothing comes of nothing', () => {
  for (const rate of [1_000, 8_000, 44_101, 384_000]) {
    const samples = resampled(new Float32Array(rate / 10).fill(0.25), rate);
    expect(Math.abs(samples[800]! - 0.25), String(rate)).toBeLessThan(1e-4);
  }
  expect(resampled(new Float32Array(0), 44_100)).toHaveLength(0);
  expect(resampled(Float32Array.of(1), 384_000)).toHaveLength(1);
});
