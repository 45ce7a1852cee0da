/**
 * The one definition of "near" (SEMANTICS.md, rule 14): float64 arithmetic over the stored float32 values, in index order, so that it is
 * symmetric and the same on every machine. Any faster search must decide as these functions do.
 *
 * Float32 values squared and summed stay far inside float64 (1e-90 to 1e77 each), so sums neither overflow nor vanish: values like 1e25 need
 * no treatment, and the only vector without a direction is the zero vector.
 */
import { endianness } from 'node:os';
import { types } from 'node:util';
import type { Metric } from '../core/events.generated.ts';
import type { ClusteringParameters } from './clustering.ts';

export type Point = { readonly vector: Float32Array; readonly norm: number };

/** The metric's own scale: cosine distance, squared euclidean distance. */
export type Distance = (left: Point, right: Point) => number;

/**
 * Whether a vector may enter a collection: a pure check, for whoever has to refuse it before it is applied.
 * @returns undefined when it may, otherwise what is wrong with it, to be read after "the vector".
 */
export function checkVector(vector: Float32Array, dimensions: number, metric: Metric): string | undefined {
  // Values of other arrays would be rounded on one way and not on the other.
  if (!types.isFloat32Array(vector)) return 'is no Float32Array';
  if (vector.length === 0) return 'has no dimensions';
  if (vector.length !== dimensions) return `has ${vector.length} dimensions instead of ${dimensions}`;
  const squares = sumOfSquares(vector);
  if (!Number.isFinite(squares)) {
    const index = vector.findIndex((value) => !Number.isFinite(value));
    return `holds ${String(vector[index])} at index ${index}`;
  }
  return metric === 'cosine' && squares === 0 ? 'is zero, so it has no direction for the metric cosine' : undefined;
}

/** Finite where all values are, and 0 where all are. In some order: four at a time, since one sum has to wait for itself. */
function sumOfSquares(vector: Float32Array): number {
  const { length } = vector;
  const fours = length - (length % 4);
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  for (let index = 0; index < fours; index += 4) {
    first += (vector[index] as number) ** 2;
    second += (vector[index + 1] as number) ** 2;
    third += (vector[index + 2] as number) ** 2;
    fourth += (vector[index + 3] as number) ** 2;
  }
  for (let index = fours; index < length; index++) first += (vector[index] as number) ** 2;
  return first + second + third + fourth;
}

export function normOf(vector: Float32Array): number {
  let sum = 0;
  // Twice as fast by the index, and a restored snapshot asks for the norms of all its vectors.
  for (let index = 0; index < vector.length; index++) {
    const value = vector[index] as number;
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/** The stored form: float32, little-endian. A view where the machine has this order itself. */
export function vectorBytes(vector: Float32Array): Buffer {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}

export function vectorFromBytes(bytes: Buffer): Float32Array {
  const own = new Uint8Array(bytes);
  if (endianness() !== 'LE') Buffer.from(own.buffer).swap32();
  return new Float32Array(own.buffer);
}

export function distanceFor(metric: Metric): Distance {
  return metric === 'cosine' ? cosineDistance : squaredEuclideanDistance;
}

/** Whether two items are neighbours. */
export function nearnessFor({ metric, eps }: ClusteringParameters): (left: Point, right: Point) => boolean {
  if (metric === 'cosine') return (left, right) => cosineDistance(left, right) <= eps;
  const limit = eps * eps;
  return (left, right) => isWithinSquaredEuclidean(left.vector, right.vector, limit);
}

function cosineDistance(left: Point, right: Point): number {
  const distance = 1 - dot(left.vector, right.vector) / (left.norm * right.norm);
  // Rounding puts a vector up to 1e-15 from itself; identical bytes are at distance 0. Only so near, or without direction, can they be equal.
  if (distance > 1e-12 || distance < -1e-12) return distance;
  return vectorBytes(left.vector).equals(vectorBytes(right.vector)) ? 0 : distance;
}

function squaredEuclideanDistance(left: Point, right: Point): number {
  let sum = 0;
  for (let index = 0; index < left.vector.length; index++) {
    const difference = (left.vector[index] as number) - (right.vector[index] as number);
    sum += difference * difference;
  }
  return sum;
}

/** Gives up early, which changes no answer: each addend is at least 0, so the rounded sum never falls. */
function isWithinSquaredEuclidean(left: Float32Array, right: Float32Array, limit: number): boolean {
  let sum = 0;
  let index = 0;
  while (index < left.length) {
    const end = Math.min(index + 16, left.length);
    for (; index < end; index++) {
      const difference = (left[index] as number) - (right[index] as number);
      sum += difference * difference;
    }
    if (sum > limit) return false;
  }
  return sum <= limit;
}

function dot(left: Float32Array, right: Float32Array): number {
  const { length } = left;
  let sum = 0;
  for (let index = 0; index < length; index++) sum += (left[index] as number) * (right[index] as number);
  return sum;
}
