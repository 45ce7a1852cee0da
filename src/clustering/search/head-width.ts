/**
 * How many coordinates of a row go into its head (row-layout.ts): few make a short product, many leave few pairs to be decided on with all
 * coordinates. Measured on a sample of the stored pairs, by the costs of both.
 */
import type { ClusteringParameters } from '../clustering.ts';
import { boundsOf, isOrdinary, roundedUp } from './query-record.ts';
import { extraNumbers } from './row-layout.ts';

/** A pair decided on by itself costs this many times what its coordinates cost in a matrix product: reads of single rows, no blocking. */
const singlePairCost = 12;
/** Of comparing a score with a threshold, in coordinates of a product. */
const scanCost = 8;

export type SampledVector = { readonly vector: Float32Array; readonly norm: number };

export type HeadWidth = { readonly headWidth: number; /** Of comparing a pair, as a share of what it is with all coordinates in the head. */ readonly costShare: number };

/** @param queries and rows: few are enough, since a width pays only where it leaves very few pairs. */
export function chooseHeadWidth(queries: readonly SampledVector[], rows: readonly SampledVector[], parameters: ClusteringParameters, dimensions: number): HeadWidth {
  const widths = headWidths(dimensions);
  const left = new Float64Array(widths.length);
  let pairs = 0;
  const rowTails = rows.map(({ vector }) => tailNorms(vector, widths));
  for (const query of queries) {
    if (!isOrdinary(query.norm)) continue;
    const { low } = boundsOf(parameters, dimensions, query.norm);
    const queryTails = tailNorms(query.vector, widths);
    for (const [index, row] of rows.entries()) {
      if (row === query || !isOrdinary(row.norm)) continue;
      pairs += 1;
      const threshold = low.norm * row.norm + (low.square * row.norm * row.norm) / 2 + low.constant;
      let product = 0;
      let at = 0;
      for (const [place, width] of widths.entries()) {
        for (; at < width; at++) product += (query.vector[at] as number) * (row.vector[at] as number);
        if (product + (queryTails[place] as number) * (rowTails[index]?.[place] as number) >= threshold) left[place] = (left[place] as number) + 1;
      }
    }
  }
  const cost = (place: number): number => (widths[place] as number) + extraNumbers + scanCost + ((left[place] as number) / Math.max(1, pairs)) * singlePairCost * dimensions;
  const whole = dimensions + extraNumbers + scanCost;
  const best = widths.reduce((least, _, place) => (cost(place) < cost(least) ? place : least), widths.length - 1);
  return pairs === 0 || cost(best) > 0.9 * whole ? { headWidth: dimensions, costShare: 1 } : { headWidth: widths[best] as number, costShare: cost(best) / whole };
}

/** Of the coordinates from each width on. */
function tailNorms(vector: Float32Array, widths: readonly number[]): number[] {
  let squares = 0;
  let from = vector.length;
  return widths
    .toReversed()
    .map((width) => {
      for (; from > width; from--) squares += (vector[from - 1] as number) ** 2;
      return roundedUp(Math.sqrt(squares));
    })
    .reverse();
}

/** Ascending; with the extra numbers they fill vectors of 16 up, the last has all coordinates. */
function headWidths(dimensions: number): number[] {
  const step = dimensions <= 256 ? 16 : 32;
  const widths: number[] = [];
  for (let width = step - extraNumbers; width < dimensions; width += step) widths.push(width);
  return [...widths, dimensions];
}
