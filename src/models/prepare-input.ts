/** From an item to the numbers that a model reads, and to the length bucket in which it is executed: both depend on the item alone. */
import { modelError } from '../core/errors/model.ts';
import { hashedSubwords } from './hashed-subwords.ts';
import type { Manifest } from './manifest.ts';
import type { ModelInput } from './model-port.ts';

export type PreparedInput =
  | { readonly kind: 'subwords'; readonly ids: Int32Array; readonly weights: Float32Array; readonly length: number }
  | { readonly kind: 'values'; readonly row: Float32Array; readonly length: 0 };

/** Throws LS_MODEL_INPUT. */
export function prepareInput(input: ModelInput, { preprocessing, executedShapes }: Manifest): PreparedInput {
  if (preprocessing.kind === 'values') {
    if (input.kind !== 'values') throw modelError('LS_MODEL_INPUT', `this model reads values, not a ${input.kind}`);
    return { kind: 'values', row: valuesRow(input.values, preprocessing.fields), length: 0 };
  }
  if (input.kind !== 'text') throw modelError('LS_MODEL_INPUT', `this model reads a text, not ${input.kind}`);
  const { ids, weights } = hashedSubwords(input.text, preprocessing);
  if (ids.length === 0) throw modelError('LS_MODEL_INPUT', 'the field text holds no word: no letter and no digit', { field: 'text' });
  return { kind: 'subwords', ids, weights, length: lengthBucket(ids.length, executedShapes.lengths ?? []) };
}

function valuesRow(values: Readonly<Record<string, number>>, fields: readonly string[]): Float32Array {
  const row = new Float32Array(fields.length);
  for (const [index, field] of fields.entries()) {
    const value = Object.hasOwn(values, field) ? values[field] : undefined;
    if (value === undefined) throw modelError('LS_MODEL_INPUT', `the field ${field} is missing; the model reads ${fields.join(', ')}`, { field });
    row[index] = value;
    // A double can be finite and yet be too large for the float32 that the model computes with.
    if (!Number.isFinite(row[index])) throw modelError('LS_MODEL_INPUT', `the field ${field} is ${value}, not a finite float32`, { field });
  }
  return row;
}

/** The shortest executed length that holds so many ids; the longest where none does, which the manifest's maxTokens rules out. */
export function lengthBucket(length: number, lengths: readonly number[]): number {
  return lengths.find((bucket) => bucket >= length) ?? lengths.at(-1) ?? 0;
}

/**
 * Guesses the bucket of an item without splitting it, so that the queue can put likely neighbours together; the worker decides the real
 * one. The ratio is measured on the texts of the known answers.
 */
export function lengthEstimator(manifest: Manifest): (input: ModelInput) => number {
  const { preprocessing, executedShapes, knownAnswers } = manifest;
  if (preprocessing.kind === 'values') return () => 0;
  let characters = 0;
  let ids = 0;
  for (const { input } of knownAnswers) {
    if (input.kind !== 'text') continue;
    characters += input.text.length;
    ids += hashedSubwords(input.text, preprocessing).ids.length;
  }
  const idsPerCharacter = characters === 0 ? 1 : ids / characters;
  return (input) => (input.kind === 'text' ? lengthBucket(Math.ceil(input.text.length * idsPerCharacter), executedShapes.lengths ?? []) : 0);
}
