/**
 * The log-mel spectrogram that Whisper reads, as WhisperFeatureExtractor of transformers makes it: windows of 400 samples (Hann, periodic) every 160,
 * the signal mirrored at both ends, powers through triangular filters that are even on Slaney's mel scale, ten-base logarithms down to 8 below the
 * largest, then (x + 4) / 4.
 */
import { sampleRate } from './audio-decoder.ts';

export type Spectrogram = {
  /** Row after row: [bands, frames]. */
  readonly values: Float32Array;
  readonly bandCount: number;
  readonly frameCount: number;
};

const windowSize = 400;
const hopSize = 160;
const binCount = windowSize / 2 + 1;

/** Without the frame that is centred on the end, as there. Samples have to be more than half a window. */
export function logMelSpectrogram(samples: Float32Array, bandCount: number): Spectrogram {
  const filters = melFilters(bandCount);
  const powersOf = createPowerSpectrum();
  const frameCount = Math.floor(samples.length / hopSize);
  const values = new Float32Array(bandCount * frameCount);
  let largest = Number.NEGATIVE_INFINITY;
  const frame = new Float64Array(windowSize);
  for (let index = 0; index < frameCount; index += 1) {
    const isSilent = !fillFrame(frame, samples, index * hopSize - windowSize / 2);
    const powers = isSilent ? undefined : powersOf(frame);
    for (const [band, { first, weights }] of filters.entries()) {
      let total = 0;
      if (powers !== undefined) for (let bin = 0; bin < weights.length; bin += 1) total += (powers[first + bin] ?? 0) * (weights[bin] ?? 0);
      const value = Math.log10(Math.max(1e-10, total));
      values[band * frameCount + index] = value;
      largest = Math.max(largest, value);
    }
  }
  for (let index = 0; index < values.length; index += 1) values[index] = (Math.max(values[index] ?? 0, largest - 8) + 4) / 4;
  return { values, bandCount, frameCount };
}

const hann = Float64Array.from({ length: windowSize }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / windowSize));

/** False where all is silent: most of a short sound that is filled up to 30 s. */
function fillFrame(frame: Float64Array, samples: Float32Array, start: number): boolean {
  let isAudible = false;
  const last = samples.length - 1;
  for (let index = 0; index < windowSize; index += 1) {
    const place = start + index;
    const mirrored = place < 0 ? -place : place > last ? 2 * last - place : place;
    const sample = samples[mirrored] ?? 0;
    if (sample !== 0) isAudible = true;
    frame[index] = sample * (hann[index] ?? 0);
  }
  return isAudible;
}

const parts = 16;
const partSize = windowSize / parts;

/** |DFT|² of the bins up to half of the sampling rate. 400 is 16 times 25: sixteen transforms of 25, then sixteen turns for each bin. */
function createPowerSpectrum(): (frame: Float64Array) => Float64Array {
  const cosines = Float64Array.from({ length: windowSize }, (_, index) => Math.cos((2 * Math.PI * index) / windowSize));
  const sines = Float64Array.from({ length: windowSize }, (_, index) => Math.sin((2 * Math.PI * index) / windowSize));
  const real = new Float64Array(windowSize);
  const imaginary = new Float64Array(windowSize);
  const powers = new Float64Array(binCount);
  return (frame) => {
    for (let part = 0; part < parts; part += 1) {
      for (let bin = 0; bin < partSize; bin += 1) {
        let [x, y] = [0, 0];
        for (let place = 0; place < partSize; place += 1) {
          const turn = (place * bin * parts) % windowSize;
          const sample = frame[place * parts + part] ?? 0;
          x += sample * (cosines[turn] ?? 0);
          y -= sample * (sines[turn] ?? 0);
        }
        real[part * partSize + bin] = x;
        imaginary[part * partSize + bin] = y;
      }
    }
    for (let bin = 0; bin < binCount; bin += 1) {
      let [x, y] = [0, 0];
      for (let part = 0; part < parts; part += 1) {
        const turn = (part * bin) % windowSize;
        const [cosine, sine] = [cosines[turn] ?? 0, sines[turn] ?? 0];
        const [a, b] = [real[part * partSize + (bin % partSize)] ?? 0, imaginary[part * partSize + (bin % partSize)] ?? 0];
        x += a * cosine + b * sine;
        y += b * cosine - a * sine;
      }
      powers[bin] = x * x + y * y;
    }
    return powers;
  };
}

type Filter = { readonly first: number; readonly weights: Float64Array };

const highestHertz = 8_000;

/** Linear up to 1000 Hz, logarithmic above. */
function melOf(hertz: number): number {
  return hertz < 1_000 ? (3 * hertz) / 200 : 15 + Math.log(hertz / 1_000) * (27 / Math.log(6.4));
}

function hertzOf(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1_000 * Math.exp((Math.log(6.4) / 27) * (mel - 15));
}

/** Triangles between neighbouring frequencies, each of one area. */
function melFilters(bandCount: number): readonly Filter[] {
  const highest = melOf(highestHertz);
  const corners = Array.from({ length: bandCount + 2 }, (_, index) => hertzOf((highest * index) / (bandCount + 1)));
  return Array.from({ length: bandCount }, (_, band): Filter => {
    const [low = 0, middle = 0, high = 0] = corners.slice(band, band + 3);
    const weights: number[] = [];
    let first = 0;
    for (let bin = 0; bin < binCount; bin += 1) {
      const hertz = (bin * sampleRate) / windowSize;
      const weight = Math.max(0, Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle)));
      if (weight === 0) continue;
      if (weights.length === 0) first = bin;
      weights.push((weight * 2) / (high - low));
    }
    return { first, weights: Float64Array.from(weights) };
  });
}
