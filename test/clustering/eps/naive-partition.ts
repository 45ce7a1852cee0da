/** DBSCAN of a few vectors under one eps, as scikit-learn has it, with the nearest core for border items: from all distances, nothing shared. */
import type { Metric } from '../../../src/core/events.generated.ts';

export type NaivePartition = {
  /** -1 is noise. */
  readonly labels: readonly number[];
  readonly isCore: readonly boolean[];
  /** Neighbours of each, itself not counted. */
  readonly degrees: readonly number[];
};

const sameBytes = (left: Float32Array, right: Float32Array): boolean => left.every((value, index) => Object.is(value, right[index]));

/** Squared for euclidean. */
function naiveDistance(left: Float32Array, right: Float32Array, metric: Metric): number {
  if (sameBytes(left, right)) return 0;
  let sum = 0;
  for (let index = 0; index < left.length; index++) sum += metric === 'cosine' ? left[index]! * right[index]! : (left[index]! - right[index]!) ** 2;
  const norm = (vector: Float32Array): number => Math.sqrt(vector.reduce((squares, value) => squares + value * value, 0));
  return metric === 'cosine' ? 1 - sum / (norm(left) * norm(right)) : sum;
}

export function naiveDistances(vectors: readonly Float32Array[], metric: Metric): readonly (readonly number[])[] {
  return vectors.map((left) => vectors.map((right) => naiveDistance(left, right, metric)));
}

type Parameters = { readonly metric: Metric; readonly eps: number; readonly minPoints: number };

/** @param distances by `naiveDistances`. */
export function naivePartition(vectors: readonly Float32Array[], distances: readonly (readonly number[])[], { metric, eps, minPoints }: Parameters): NaivePartition {
  const limit = metric === 'cosine' ? eps : eps * eps;
  const near = distances.map((row) => row.flatMap((distance, other) => (distance <= limit ? [other] : [])));
  const isCore = near.map((others) => others.length >= minPoints);
  const labels = vectors.map(() => -1);
  let clusters = 0;
  for (const start of vectors.keys()) {
    if (!isCore[start] || labels[start] !== -1) continue;
    const pending = [start];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (labels[at] !== -1) continue;
      labels[at] = clusters;
      pending.push(...near[at]!.filter((other) => isCore[other] === true && labels[other] === -1));
    }
    clusters++;
  }
  const bytes = vectors.map((vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength));
  for (const index of vectors.keys()) {
    if (isCore[index]) continue;
    const [nearest] = near[index]!
      .filter((other) => isCore[other] === true)
      .sort((left, right) => distances[index]![left]! - distances[index]![right]! || Buffer.compare(bytes[left]!, bytes[right]!));
    if (nearest !== undefined) labels[index] = labels[nearest]!;
  }
  return { labels, isCore, degrees: near.map((others) => others.length - 1) };
}
