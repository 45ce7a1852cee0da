/**
 * Changes the number of samples a second by band-limited interpolation: a sinc of 64 zero crossings to each side under a Kaiser window, with the
 * numbers that resampy, librosa and torchaudio call "kaiser_best". What is above 0.95 of half the lower rate is left out.
 *
 *   out[m] = sum over i of in[i] * h(i / inRate - m / outRate),   h: see filter-rows.ts
 *
 * Written here: of the port of libsamplerate to WebAssembly the last release is of 2024, and its numbers are none that Python's libraries give, with which
 * models are trained and measured.
 */
import { createFilterRows } from './filter-rows.ts';

export type Resampler = {
  /** What can be told so far, of the samples until now and these. */
  readonly push: (samples: Float32Array) => Float32Array;
  /** What was held back: behind the end there is silence. In all there are ceil(samples * outRate / inRate). */
  readonly finish: () => Float32Array;
};

/** @param createRows to count what is asked of the rows. */
export function createResampler(inRate: number, outRate: number, createRows = createFilterRows): Resampler {
  if (inRate === outRate) return { push: (samples) => samples, finish: () => new Float32Array(0) };
  const divisor = greatestDivisor(inRate, outRate);
  const [step, phases] = [inRate / divisor, outRate / divisor];
  const { count: rowCount, reach, row } = createRows(step, phases);
  // Samples around the place that is interpolated at: `reach` before and behind it. In front of the first one there is silence.
  let held = new Float32Array(reach);
  let heldFrom = -reach;
  let [place, phase] = [0, 0];
  let inCount = 0;
  let outCount = 0;

  const interpolate = (countMax: number): Float32Array => {
    const end = heldFrom + held.length;
    const result = new Float32Array(Math.max(0, Math.min(countMax, Math.ceil(((end - place) * phases) / step) + 1)));
    let count = 0;
    for (; count < result.length && place + reach < end; count += 1) {
      const from = place - reach + 1 - heldFrom;
      // Where there is a row for each phase, it is this one; otherwise the place is between two.
      const rowPlace = (phase * rowCount) / phases;
      const rowIndex = Math.floor(rowPlace);
      const before = weighted(row(rowIndex), held, from);
      result[count] = rowPlace === rowIndex ? before : before + (rowPlace - rowIndex) * (weighted(row(rowIndex + 1), held, from) - before);
      phase += step;
      place += Math.floor(phase / phases);
      phase %= phases;
    }
    outCount += count;
    return result.subarray(0, count);
  };

  const hold = (samples: Float32Array): void => {
    const from = Math.min(held.length, Math.max(0, place - reach + 1 - heldFrom));
    const joined = new Float32Array(held.length - from + samples.length);
    joined.set(held.subarray(from));
    joined.set(samples, held.length - from);
    held = joined;
    heldFrom += from;
  };

  return {
    push: (samples) => {
      inCount += samples.length;
      hold(samples);
      return interpolate(Number.POSITIVE_INFINITY);
    },
    finish: () => {
      const left = Math.ceil((inCount * phases) / step) - outCount;
      hold(new Float32Array(2 * reach + 1));
      return interpolate(left);
    },
  };
}

function weighted(row: Float64Array, samples: Float32Array, from: number): number {
  let total = 0;
  for (let index = 0; index < row.length; index += 1) total += (row[index] ?? 0) * (samples[from + index] ?? 0);
  return total;
}

function greatestDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestDivisor(right, left % right);
}
