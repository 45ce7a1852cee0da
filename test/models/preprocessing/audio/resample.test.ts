// Resampling gives the numbers of scipy with the same filter, those of soxr where both hear everything, and the same whatever pieces come.
import { describe, expect, test } from 'vitest';
import { audioLimits, sampleRate } from '../../../../src/models/preprocessing/audio/audio-decoder.ts';
import { createFilterRows } from '../../../../src/models/preprocessing/audio/filter-rows.ts';
import { createResampler } from '../../../../src/models/preprocessing/audio/resample.ts';
import { seededRandom } from '../../../codec/seeded-random.ts';
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

/** By the definition of the filter, without any table. */
function exactSample(samples: Float32Array, rate: number, index: number): number {
  const scale = 0.9475937167399596 * Math.min(1, 16_000 / rate);
  const place = (index * rate) / 16_000;
  let total = 0;
  for (let at = Math.max(0, Math.ceil(place - 64 / scale)); at < Math.min(samples.length, place + 64 / scale); at += 1) {
    const turns = (at - place) * scale;
    const window = besselI0(14.769656459379492 * Math.sqrt(Math.max(0, 1 - (turns / 64) ** 2))) / besselI0(14.769656459379492);
    total += samples[at]! * scale * window * (turns === 0 ? 1 : Math.sin(Math.PI * turns) / (Math.PI * turns));
  }
  return total;
}

function besselI0(x: number): number {
  let [total, term] = [1, 1];
  for (let index = 1; index < 60; index += 1) {
    term *= (x / 2 / index) ** 2;
    total += term;
  }
  return total;
}

// Rates of which each second has 16,000 places of its own: a row for each would be too much, so that neighbours are interpolated.
test.each([1_001, 7_999, 44_101, 95_999, 383_999])('%i samples a second: as the filter is defined', (rate) => {
  const random = seededRandom(rate);
  const samples = Float32Array.from({ length: Math.ceil(rate / 20) }, () => random.below(65_536) / 32_768 - 1);
  const whole = resampled(samples, rate);
  const worst = Array.from({ length: 27 }, (_, index) => index * 29).reduce((largest, index) => Math.max(largest, Math.abs(exactSample(samples, rate, index) - whole[index]!)), 0);
  expect(worst).toBeLessThan(2e-7);
});

test('no rate costs much more than others do, for the longest sound that is allowed', () => {
  /** Multiplications, and weights that are computed, which are kept. */
  const costOf = (rate: number): { readonly perSample: number; readonly computedMax: number } => {
    let multiplications = 0;
    let computedMax = 0;
    const resampler = createResampler(rate, sampleRate, (step, phases) => {
      const rows = createFilterRows(step, phases);
      computedMax = (rows.count + 1) * 2 * rows.reach;
      expect(rows.row(1)).toBe(rows.row(1));
      return { ...rows, row: (index) => {
        const row = rows.row(index);
        multiplications += row.length;
        return row;
      } };
    });
    const samples = new Float32Array(Math.ceil(rate / 100));
    const count = resampler.push(samples).length + resampler.finish().length;
    return { perSample: multiplications / count, computedMax };
  };
  const multiplicationsOf = (rate: number): number => {
    const { perSample, computedMax } = costOf(rate);
    expect(computedMax, String(rate)).toBeLessThanOrEqual(2 ** 20);
    return perSample * sampleRate * Math.min(audioLimits.secondsMax, audioLimits.decodedSamplesMax / rate);
  };
  const ordinary = multiplicationsOf(96_000);
  for (const rate of [1_001, 8_001, 15_999, 16_001, 44_101, 47_999, 88_201, 95_999, 97_223, 191_999, 383_999]) expect(multiplicationsOf(rate) / ordinary, String(rate)).toBeLessThan(2.1);
});
