/** From the output of a model for one item to the vector or the scores that it stands for, as the manifest says. */
import type { GraphManifest } from './manifest.ts';

/** Those whose result is a row of numbers. */
type Postprocessing = Exclude<GraphManifest['postprocessing'], { kind: 'boxes' }>;

/** How many numbers one item has in the output of the graph, of a length bucket. */
export function rawWidth(after: Postprocessing, labels: number, length: number): number {
  if (after.kind === 'vector') return after.pooling === 'none' ? after.dimensions : length * after.dimensions;
  return after.groups === undefined ? labels : after.groups.classes;
}

/** @param raw The output of one item. @param tokens How many of its places are not padding. */
export function postprocess(raw: Float32Array, tokens: number, after: Postprocessing): Float32Array {
  if (after.kind === 'scores') {
    const scores = activated(raw, after.activation);
    return after.groups === undefined ? scores : grouped(scores, after.groups.members);
  }
  const vector = pooled(raw, tokens, after);
  if (after.normalisation === 'none') return vector;
  const norm = Math.sqrt(vector.reduce((total, value) => total + value * value, 0));
  return vector.map((value) => value / norm);
}

function grouped(scores: Float32Array, groups: readonly (readonly number[])[]): Float32Array {
  const sums = new Float32Array(groups.length);
  for (const [group, members] of groups.entries()) {
    let total = 0;
    for (const index of members) total += scores[index] ?? Number.NaN;
    sums[group] = total;
  }
  return sums;
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
  return activation === 'sigmoid' ? raw.map((value) => 1 / (1 + Math.exp(-value))) : softmax(raw);
}

/** Loops: with callbacks a thousand classes took six times as long. */
function softmax(raw: Float32Array): Float32Array {
  // Without the largest in the exponent the exponential of a large logit is infinite.
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of raw) largest = Math.max(largest, value);
  const powers = new Float64Array(raw.length);
  let total = 0;
  for (let index = 0; index < raw.length; index += 1) {
    const power = Math.exp((raw[index] ?? Number.NaN) - largest);
    powers[index] = power;
    total += power;
  }
  const scores = new Float32Array(raw.length);
  for (let index = 0; index < raw.length; index += 1) scores[index] = (powers[index] ?? Number.NaN) / total;
  return scores;
}
