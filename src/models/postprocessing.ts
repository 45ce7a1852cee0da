/** From the output of a model for one item to the vector or the scores that it stands for, as the manifest says. */
import type { Manifest } from './manifest.ts';

type Postprocessing = Manifest['postprocessing'];

/** How many numbers one item has in the output of the graph, of a length bucket. */
export function rawWidth({ postprocessing: after, labels }: Manifest, length: number): number {
  if (after.kind === 'vector') return after.pooling === 'none' ? after.dimensions : length * after.dimensions;
  return after.groups === undefined ? labels.length : after.groups.classes;
}

/** @param raw The output of one item. @param tokens How many of its places are not padding. */
export function postprocess(raw: Float32Array, tokens: number, after: Postprocessing): Float32Array {
  if (after.kind === 'scores') {
    const scores = activated(raw, after.activation);
    return after.groups === undefined ? scores : Float32Array.from(after.groups.members, (members) => sum(members.map((index) => scores[index] ?? Number.NaN)));
  }
  const vector = pooled(raw, tokens, after);
  if (after.normalisation === 'none') return vector;
  const norm = Math.sqrt(vector.reduce((total, value) => total + value * value, 0));
  return vector.map((value) => value / norm);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Sums are in float64, in order, over the item alone: no neighbour and no padding takes part. */
function pooled(raw: Float32Array, tokens: number, { pooling, dimensions }: Extract<Postprocessing, { kind: 'vector' }>): Float32Array {
  if (pooling === 'none') return raw.slice();
  if (pooling === 'first') return raw.slice(0, dimensions);
  return Float32Array.from({ length: dimensions }, (_, dimension) => {
    let total = 0;
    for (let token = 0; token < tokens; token += 1) total += raw[token * dimensions + dimension] ?? Number.NaN;
    return total / tokens;
  });
}

function activated(raw: Float32Array, activation: 'none' | 'softmax' | 'sigmoid'): Float32Array {
  if (activation === 'none') return raw.slice();
  if (activation === 'sigmoid') return raw.map((value) => 1 / (1 + Math.exp(-value)));
  // Without the largest in the exponent the exponential of a large logit is infinite.
  const largest = raw.reduce((left, right) => Math.max(left, right), Number.NEGATIVE_INFINITY);
  const powers = Array.from(raw, (value) => Math.exp(value - largest));
  const total = sum(powers);
  return Float32Array.from(powers, (power) => power / total);
}
