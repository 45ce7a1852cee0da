/** Named numbers become a row in the order of the manifest's fields. */
import { modelError } from '../../core/errors/model.ts';
import type { GraphManifest } from '../manifest.ts';
import type { Preprocessor } from './preprocessor.ts';

export type ValuesPreprocessing = Extract<GraphManifest['preprocessing'], { kind: 'values' }>;

export function createValuesPreprocessor({ input: port, fields }: ValuesPreprocessing): Preprocessor {
  return {
    ports: [{ name: port, type: 'float32', itemDimensions: [fields.length] }],
    prepare: (input) => {
      if (input.kind !== 'values') throw modelError('LS_MODEL_INPUT', `this model reads values, not ${input.kind}`);
      return { values: { [port]: valuesRow(input.values, fields) }, length: 0, tokens: 0 };
    },
  };
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
