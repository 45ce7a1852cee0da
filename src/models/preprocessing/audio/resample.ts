/**
 * Changes the number of samples a second by band-limited interpolation: a sinc of 64 zero crossings to each side under a Kaiser window, with the
 * numbers that resampy, librosa and torchaudio call "kaiser_best". What is above 0.95 of half the lower rate is left out.
 *
 *   out[m] = sum over i of in[i] * h(i / inRate - m / outRate)
 *   h(t) = c * sinc(c * inRate * t) * kaiser(c * inRate * t / 64),   c = 0.9476 * min(1, outRate / inRate)
 *
 * Written here: of the port of libsamplerate to WebAssembly the last release is of 2024, and its numbers are none that Python's libraries give, with which
 * models are trained and measured.
 */

const zeroCrossings = 64;
const rolloff = 0.9475937167399596;
const kaiserBeta = 14.769656459379492;

export type Resampler = {
  /** What can be told so far, of the samples until now and these. */
  readonly push: (samples: Float32Array) => Float32Array;
  /** What was held back: behind the end there is silence. In all there are ceil(samples * outRate / inRate). */
  readonly finish: () => Float32Array;
};

/** Rows of weights that are kept, in numbers: 16 MB. Rates that share no large divisor have more, and are computed each time. */
const keptWeightsMax = 2 ** 21;

export function createResampler(inRate: number, outRate: number): Resampler {
  if (inRate === outRate) return { push: (samples) => samples, finish: () => new Float32Array(0) };
  const divisor = greatestDivisor(inRate, outRate);
  const [step, phases] = [inRate / divisor, outRate / divisor];
  const rowOf = createRows(step, phases);
  const { reach } = rowOf;
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
      const row = rowOf.row(phase);
      const from = place - reach + 1 - heldFrom;
      let total = 0;
      for (let index = 0; index < row.length; index += 1) total += (row[index] ?? 0) * (held[from + index] ?? 0);
      result[count] = total;
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

type Rows = {
  /** Weights of the samples from `reach - 1` before a place to `reach` behind it, where the place is `phase / phases` behind a sample. */
  readonly row: (phase: number) => Float64Array;
  readonly reach: number;
};

function createRows(step: number, phases: number): Rows {
  const scale = rolloff * Math.min(1, phases / step);
  const reach = Math.ceil(zeroCrossings / scale);
  const isKept = phases * 2 * reach <= keptWeightsMax;
  const kept: (Float64Array | undefined)[] = [];
  const scratch = new Float64Array(2 * reach);
  const windowEdge = besselI0(kaiserBeta);
  const filled = (row: Float64Array, phase: number): Float64Array => {
    for (let index = 0; index < row.length; index += 1) {
      const turns = (index - reach + 1 - phase / phases) * scale;
      const part = turns / zeroCrossings;
      const window = Math.abs(part) < 1 ? besselI0(kaiserBeta * Math.sqrt(1 - part * part)) / windowEdge : 0;
      row[index] = scale * window * (turns === 0 ? 1 : Math.sin(Math.PI * turns) / (Math.PI * turns));
    }
    return row;
  };
  return { reach, row: (phase) => (isKept ? (kept[phase] ??= filled(new Float64Array(2 * reach), phase)) : filled(scratch, phase)) };
}

/** The modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let [total, term] = [1, 1];
  for (let index = 1; term > total * 1e-17; index += 1) {
    term *= quarter / (index * index);
    total += term;
  }
  return total;
}

function greatestDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestDivisor(right, left % right);
}
