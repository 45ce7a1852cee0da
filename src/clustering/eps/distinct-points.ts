/**
 * The vectors of a sample with identical bytes folded into one point that weighs as many items: they are at distance 0 of each other and at the same
 * distance of everything else, so whatever is counted is counted once, times their weight.
 */
import type { Metric } from '../../core/events.generated.ts';
import { distanceFor, normOf, vectorBytes } from '../distance.ts';

export type DistinctPoints = {
  readonly count: number;
  readonly dimensions: number;
  /** One after the other; three rows of zeros follow, so that the last group of four has nothing missing. */
  readonly values: Float32Array;
  readonly norms: Float64Array;
  /** Items of each. */
  readonly weights: Int32Array;
  readonly itemCount: number;
  /** The point of each vector, in the order that they were given. */
  readonly pointOf: Int32Array;
};

/** @param vectors of one length, each of which `checkVector` lets pass. */
export function distinctPoints(vectors: readonly Float32Array[]): DistinctPoints {
  const points = new Map<string, number>();
  const first: Float32Array[] = [];
  const weights: number[] = [];
  const pointOf = Int32Array.from(vectors, (vector) => {
    const key = vectorBytes(vector).toString('latin1');
    const known = points.get(key);
    if (known !== undefined) {
      weights[known] = (weights[known] ?? 0) + 1;
      return known;
    }
    points.set(key, first.length);
    weights.push(1);
    return first.push(vector) - 1;
  });
  const dimensions = vectors[0]?.length ?? 0;
  const values = new Float32Array((first.length + 3) * dimensions);
  for (const [point, vector] of first.entries()) values.set(vector, point * dimensions);
  const norms = new Float64Array(first.length + 3);
  norms.set(Float64Array.from(first, normOf));
  return { count: first.length, dimensions, values, norms, weights: Int32Array.from(weights), itemCount: vectors.length, pointOf };
}

export function vectorOf({ values, dimensions }: DistinctPoints, point: number): Float32Array {
  return values.subarray(point * dimensions, (point + 1) * dimensions);
}

/**
 * The distances of one point from four others that follow each other, exactly as `distanceFor` gives them: every sum is in index order. Four at once, since each addition of a
 * single sum would wait for the one before it.
 */
export function distancesFour(metric: Metric, points: DistinctPoints): (from: number, first: number, into: Float64Array) => void {
  const { values, norms, dimensions } = points;
  const sums = metric === 'cosine' ? dotsFour : squaresFour;
  const exact = distanceFor(metric);
  return (from, first, into) => {
    sums(values, dimensions, from * dimensions, first * dimensions, into);
    if (metric !== 'cosine') return;
    for (let lane = 0; lane < 4; lane++) {
      const other = first + lane;
      const distance = 1 - (into[lane] as number) / ((norms[from] as number) * (norms[other] as number));
      const isNearZero = distance <= 1e-12 && distance >= -1e-12;
      into[lane] = isNearZero ? exact({ vector: vectorOf(points, from), norm: norms[from] as number }, { vector: vectorOf(points, other), norm: norms[other] as number }) : distance;
    }
  };
}

function dotsFour(values: Float32Array, dimensions: number, from: number, first: number, into: Float64Array): void {
  let [a, b, c, d] = [0, 0, 0, 0];
  const [second, third, fourth] = [first + dimensions, first + 2 * dimensions, first + 3 * dimensions];
  for (let index = 0; index < dimensions; index++) {
    const value = values[from + index] as number;
    a += value * (values[first + index] as number);
    b += value * (values[second + index] as number);
    c += value * (values[third + index] as number);
    d += value * (values[fourth + index] as number);
  }
  into[0] = a;
  into[1] = b;
  into[2] = c;
  into[3] = d;
}

function squaresFour(values: Float32Array, dimensions: number, from: number, first: number, into: Float64Array): void {
  let [a, b, c, d] = [0, 0, 0, 0];
  const [second, third, fourth] = [first + dimensions, first + 2 * dimensions, first + 3 * dimensions];
  for (let index = 0; index < dimensions; index++) {
    const value = values[from + index] as number;
    const one = value - (values[first + index] as number);
    const two = value - (values[second + index] as number);
    const three = value - (values[third + index] as number);
    const four = value - (values[fourth + index] as number);
    a += one * one;
    b += two * two;
    c += three * three;
    d += four * four;
  }
  into[0] = a;
  into[1] = b;
  into[2] = c;
  into[3] = d;
}
