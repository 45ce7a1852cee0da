/**
 * Resizing as Pillow does it, to the last bit: separable, first along the rows, with weights in 22-bit fixed point and 8 bits between the two
 * passes. What is made smaller is made of all pixels below a weight that is as much wider. Only the part that is wanted is computed.
 */
import type { Area, ImageSize } from './image-geometry.ts';

export type Kernel = 'nearest' | 'linear' | 'cubic' | 'mitchell' | 'lanczos2' | 'lanczos3';

const precisionBits = 22;
const half = 1 << (precisionBits - 1);
const channels = 3;

type Filter = { readonly support: number; readonly weight: (distance: number) => number };

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const lanczos = (lobes: number): Filter => ({ support: lobes, weight: (x) => (Math.abs(x) < lobes ? sinc(x) * sinc(x / lobes) : 0) });

/** Piecewise cubic after Mitchell and Netravali. */
function piecewiseCubic(b: number, c: number): Filter {
  return {
    support: 2,
    weight: (distance) => {
      const x = Math.abs(distance);
      if (x < 1) return ((12 - 9 * b - 6 * c) * x ** 3 + (-18 + 12 * b + 6 * c) * x ** 2 + (6 - 2 * b)) / 6;
      return x < 2 ? ((-b - 6 * c) * x ** 3 + (6 * b + 30 * c) * x ** 2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6 : 0;
    },
  };
}

const filters: Readonly<Record<Exclude<Kernel, 'nearest'>, Filter>> = {
  linear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  cubic: piecewiseCubic(0, 0.5),
  mitchell: piecewiseCubic(1 / 3, 1 / 3),
  lanczos2: lanczos(2),
  lanczos3: lanczos(3),
};

/** Which pixels of a row or column one pixel of the result is made of. */
type Taps = { readonly first: number; readonly weights: Int32Array };

/** @param area of the image resized to `resized`. Gives 3 x area.width x area.height bytes. */
export function resample(pixels: Uint8Array, size: ImageSize, resized: ImageSize, area: Area, kernel: Kernel): Uint8Array {
  const columns = tapsOf(size.width, resized.width, area.left, area.width, kernel);
  const rows = tapsOf(size.height, resized.height, area.top, area.height, kernel);
  const wide = new Uint8Array(channels * area.width * size.height);
  for (let y = 0; y < size.height; y += 1) {
    for (let x = 0; x < area.width; x += 1) weigh(pixels, channels * y * size.width, channels, columns[x], wide, channels * (y * area.width + x));
  }
  const result = new Uint8Array(channels * area.width * area.height);
  const rowBytes = channels * area.width;
  for (let y = 0; y < area.height; y += 1) {
    for (let x = 0; x < area.width; x += 1) weigh(wide, channels * x, rowBytes, rows[y], result, y * rowBytes + channels * x);
  }
  return result;
}

function weigh(from: Uint8Array, start: number, step: number, taps: Taps | undefined, to: Uint8Array, at: number): void {
  if (taps === undefined) return;
  const { first, weights } = taps;
  for (let channel = 0; channel < channels; channel += 1) {
    let sum = half;
    for (let tap = 0; tap < weights.length; tap += 1) sum += (from[start + (first + tap) * step + channel] ?? 0) * (weights[tap] ?? 0);
    to[at + channel] = Math.min(255, Math.max(0, sum >> precisionBits));
  }
}

function tapsOf(size: number, resized: number, from: number, count: number, kernel: Kernel): readonly Taps[] {
  const scale = size / resized;
  const width = Math.max(1, scale);
  return Array.from({ length: count }, (_, index): Taps => {
    const centre = (from + index + 0.5) * scale;
    if (kernel === 'nearest') return { first: Math.min(size - 1, Math.floor(centre)), weights: Int32Array.of(1 << precisionBits) };
    const { support, weight } = filters[kernel];
    const first = Math.max(0, Math.trunc(centre - support * width + 0.5));
    const end = Math.min(size, Math.trunc(centre + support * width + 0.5));
    const weights = Array.from({ length: end - first }, (_tap, tap) => weight((first + tap - centre + 0.5) * (1 / width)));
    const sum = weights.reduce((total, value) => total + value, 0);
    return { first, weights: Int32Array.from(weights, (value) => Math.sign(value) * Math.floor(Math.abs((value / sum) * 2 ** precisionBits) + 0.5)) };
  });
}
