/**
 * The bounds by which kernels decide, and the record of a query that holds them.
 *
 * Both metrics ask whether a product q . x reaches a number that depends on the norms: cosine (1 - eps) |q| |x|, euclidean
 * (|q|^2 + |x|^2 - eps^2) / 2. Written a |x| + b |x|^2 / 2 + c, where a, b and c are the query's. What float32 makes of a sum of k products is off by
 * at most gamma(k) = k u / (1 - k u), u = 2^-24, times the product of the norms, in whatever order and with or without fused operations (Higham,
 * Accuracy and Stability, 3.1). The bounds are moved apart by four times what d + 32 terms can make, relative to every addend: below the lower
 * a pair is not near, from the higher on it is, and between them the predicate decides.
 *
 * Where a head was multiplied alone, the rest adds at most |q tail| times the distance of x's tail from its reference, and q tail . reference
 * (Cauchy and Schwarz); the first is part of the product by the row's extra numbers, the second is taken from the threshold.
 */
import type { ClusteringParameters } from '../clustering.ts';
import { extraNumbers, roundUp } from './row-layout.ts';

export type Bounds = { readonly low: BoundTerms; readonly high: BoundTerms };
/** `norm` |x| + `square` |x|^2 / 2 + `constant`. */
type BoundTerms = { readonly norm: number; readonly square: number; readonly constant: number };

/** A norm outside is decided on by the predicate alone: its square or a product of two might leave float32. Zero is inside. */
export const isOrdinary = (norm: number): boolean => norm === 0 || (norm >= 1e-15 && norm <= 1e15);

export const errorShare = (dimensions: number): number => 4 * (dimensions + 32) * 2 ** -24;

/** Far below every product of ordinary norms' squares that is not 0, far above what float32 loses at its lower end. */
const tiny = 1e-36;

export function boundsOf({ metric, eps }: ClusteringParameters, dimensions: number, norm: number): Bounds {
  const share = errorShare(dimensions);
  if (metric === 'cosine') {
    // No distance is above 2 by more than rounding, so a larger eps decides no more than 4 does.
    const factor = 1 - Math.min(eps, 4);
    const slack = share * (1 + Math.abs(factor)) * norm;
    return {
      low: { norm: factor * norm - slack, square: 0, constant: -tiny },
      high: { norm: factor * norm + slack, square: 0, constant: tiny },
    };
  }
  const limit = Math.min(eps * eps, 1e36);
  const middle = (norm * norm - limit) / 2;
  const slack = (share * (norm * norm + limit)) / 2 + tiny;
  return {
    low: { norm: -share * norm, square: 1 - share, constant: middle - slack },
    high: { norm: share * norm, square: 1 + share, constant: middle + slack },
  };
}

/** Rounded away from what it bounds. */
export const roundedUp = (value: number): number => value * (1 + 2 ** -20);

export function tailNorm(vector: Float32Array, from: number): number {
  let sum = 0;
  for (let index = from; index < vector.length; index++) sum += (vector[index] as number) ** 2;
  return Math.sqrt(sum);
}

export type Query = {
  readonly vector: Float32Array;
  readonly norm: number;
  /** Its own point, which is no answer; -1 where it is not stored. */
  readonly point: number;
  readonly bounds: Bounds;
};

/** The numbers of a query that a head is multiplied with. */
export function writeAugmentedHead(query: Query, headWidth: number, into: Float32Array): void {
  const { low } = query.bounds;
  into.set(query.vector.subarray(0, headWidth));
  into[headWidth] = roundedUp(tailNorm(query.vector, headWidth));
  into[headWidth + 1] = -low.norm;
  into[headWidth + 2] = -low.square;
}

/** The record that kernels.wat reads: bounds, augmented head, plain head, tail. @param record as many zeros or an earlier record of the same width. */
export function writeRecord(query: Query, headWidth: number, record: Float32Array): void {
  const { vector, bounds } = query;
  const padded = roundUp(headWidth + extraNumbers, 4);
  const tail = 8 + 2 * padded;
  record.fill(0, 8, tail + roundUp(vector.length - headWidth, 4));
  // Behind them is place for two that rows in cells need.
  record.set([bounds.low.norm, bounds.high.norm, bounds.low.square, bounds.high.square, bounds.low.constant, bounds.high.constant]);
  writeAugmentedHead(query, headWidth, record.subarray(8, 8 + padded));
  record.set(vector.subarray(0, headWidth), 8 + padded);
  record.set(vector.subarray(headWidth), tail);
}
