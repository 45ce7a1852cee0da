/**
 * The weights of band-limited interpolation, row by row: one row for each place between two samples. Rates that share a large divisor come to few places;
 * of others only as many rows are made as may be kept, and what two neighbours give is interpolated linearly. The filter itself is a table that is computed
 * once: a file may hold a thousand streams, each of a rate of its own.
 *
 *   h(t) = c * sinc(c * inRate * t) * kaiser(c * inRate * t / 64),   c = 0.9476 * min(1, outRate / inRate)
 */

const zeroCrossings = 64;
const rolloff = 0.9475937167399596;
const kaiserBeta = 14.769656459379492;

/** From one zero crossing to the next. Between two entries a line differs from the filter by at most (pi / 4096)^2 / 24 = 2.5e-8 of its height. */
const tablePrecision = 4_096;

/** 8 MB. Rows of so many weights are closer to each other than the entries of the table. */
const keptWeightsMax = 2 ** 20;

type FilterRows = {
  /** Rows from one sample to the next. */
  readonly count: number;
  /** Samples before and behind a place that are heard there. */
  readonly reach: number;
  /** Weights of the samples from `reach - 1` before a place to `reach` behind it, where the place is `index / count` behind a sample; `index` may be `count`. */
  readonly row: (index: number) => Float64Array;
};

/** @param phases places between two samples that there are, @param step how many of them the next place is away: both without a common divisor. */
export function createFilterRows(step: number, phases: number): FilterRows {
  const scale = rolloff * Math.min(1, phases / step);
  const reach = Math.ceil(zeroCrossings / scale);
  const length = 2 * reach;
  const count = Math.min(phases, Math.floor(keptWeightsMax / length) - 1);
  const made = (index: number): Float64Array => {
    const row = new Float64Array(length);
    for (let sample = 0; sample < length; sample += 1) row[sample] = scale * filterAt((sample - reach + 1 - index / count) * scale);
    return row;
  };
  const kept: (Float64Array | undefined)[] = [];
  return { count, reach, row: (index) => (kept[index] ??= made(index)) };
}

let table: Float64Array | undefined;

/** @param turns zero crossings from the middle. */
function filterAt(turns: number): number {
  const place = Math.abs(turns) * tablePrecision;
  const index = Math.floor(place);
  if (index >= zeroCrossings * tablePrecision) return 0;
  table ??= Float64Array.from({ length: zeroCrossings * tablePrecision + 1 }, (_, entry) => windowedSinc(entry / tablePrecision));
  const before = table[index] ?? 0;
  return before + (place - index) * ((table[index + 1] ?? 0) - before);
}

function windowedSinc(turns: number): number {
  const part = turns / zeroCrossings;
  const window = besselI0(kaiserBeta * Math.sqrt(1 - part * part)) / besselI0(kaiserBeta);
  return window * (turns === 0 ? 1 : Math.sin(Math.PI * turns) / (Math.PI * turns));
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
