/** What a graph is asked for, and what its rows for one item stand for, as the manifest says: a vector, scores, or boxes. */
import { modelError } from '../core/errors/model.ts';
import { createBoxReader } from './boxes/box-form.ts';
import { detectedBoxes, limitsOf } from './boxes/detected-boxes.ts';
import type { GraphManifest } from './manifest.ts';
import type { ModelAnswer } from './model-port.ts';
import { postprocess, rawWidth } from './postprocessing.ts';
import type { PreparedInput } from './preprocessing/preprocessor.ts';

export type ItemResults = {
  readonly outputs: readonly GraphOutput[];
  /** Element i of `rows` is the item's row of output i. Throws LS_MODEL_OUTPUT_NOT_FINITE. */
  readonly result: (rows: readonly Float32Array[], item: PreparedInput) => Float32Array | ModelAnswer;
};

export type GraphOutput = {
  readonly name: string;
  /** How many numbers it has for one item, of a length bucket. */
  readonly width: (length: number) => number;
  /** Numbers for each token, where the output has them: their count is the length's, or still open. */
  readonly perToken?: number;
};

export function createItemResults(manifest: GraphManifest): ItemResults {
  const { postprocessing: after } = manifest;
  if (after.kind === 'boxes') return boxResults(manifest, after);
  const perToken = after.kind === 'vector' && after.pooling !== 'none' ? { perToken: after.dimensions } : {};
  return {
    outputs: [{ name: after.output, width: (length) => rawWidth(after, manifest.labels.length, length), ...perToken }],
    result: ([row = new Float32Array()], { tokens }) => finite('the output', postprocess(row, tokens, after)),
  };
}

function boxResults({ preprocessing: before, labels }: GraphManifest, after: Extract<GraphManifest['postprocessing'], { kind: 'boxes' }>): ItemResults {
  if (before.kind !== 'image') throw new TypeError('boxes lie on images');
  const seen = { size: { width: before.width, height: before.height }, resize: before.resize };
  const reader = createBoxReader(after.form, seen.size, labels.length);
  return {
    outputs: reader.outputs.map(({ name, width }) => ({ name, width: () => reader.places * width })),
    result: (rows, { picture }) => {
      if (picture === undefined) throw new TypeError('boxes lie on images');
      for (const [index, { name }] of reader.outputs.entries()) finite(name, rows[index] ?? new Float32Array());
      return detectedBoxes(rows, { reader, labels, seen, original: picture.size, limits: limitsOf(after, picture.config) });
    },
  };
}

function finite(name: string, row: Float32Array): Float32Array {
  for (let index = 0; index < row.length; index += 1) {
    if (Number.isFinite(row[index])) continue;
    throw modelError('LS_MODEL_OUTPUT_NOT_FINITE', `number ${index} of ${name} is ${row[index] ?? ''}`, { index });
  }
  return row;
}
