/** The manifest of a model that a plugin runs (`kind: plugin`): what else a graph or an architecture tells, it says itself. */
import { z } from 'zod';
import { commonParts, knownFileInputs, unique, type Contradiction } from '../manifest-parts.ts';
import { knownOutput } from '../transformers/transformer-manifest.ts';

const inputKinds = ['text', 'values', 'image', 'audio'] as const;

const knownInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('text'), text: z.string() }),
  z.strictObject({ kind: z.literal('values'), values: z.record(z.string(), z.number()) }),
  ...knownFileInputs(z.record(z.string(), z.unknown()).default({})),
]);

export const pluginManifestParts = z.strictObject({
  kind: z.literal('plugin'),
  ...commonParts,
  /** By its own name, and the name that it gives the model. */
  plugin: z.string().min(1),
  opens: z.string().min(1),
  tasks: z.tuple([z.string().min(1)], z.string().min(1)),
  input: z.enum(inputKinds),
  /** Of what gives scores. */
  labels: z.array(z.string().min(1)).refine(unique, 'must not name a label twice').default([]),
  /** Of what gives vectors; 0 where it gives none. */
  dimensions: z.int().min(0).max(65_536).default(0),
  /** The most items that it is given at once. */
  batchItemsMax: z.int().min(1).max(1024).default(1),
  /** What the plugin reads, and nobody else. */
  settings: z.record(z.string(), z.unknown()).default({}),
  knownAnswers: z.array(z.strictObject({ input: knownInput, output: z.union([z.array(z.number()).min(1), knownOutput]), tolerance: z.number().min(0) })).min(1),
});

export type PluginManifest = z.infer<typeof pluginManifestParts>;

/** What each part allows and the parts together do not. */
export function pluginContradictions({ input: inputKind, labels, dimensions, files, knownAnswers }: PluginManifest): Contradiction[] {
  const found: Contradiction[] = [];
  if (labels.length > 0 && dimensions > 0) found.push({ path: ['dimensions'], message: 'must be 0 where there are labels: a model gives vectors or scores' });
  for (const [index, { input, output }] of knownAnswers.entries()) {
    const path = ['knownAnswers', index, 'input'];
    if (input.kind !== inputKind) found.push({ path, message: `must be of the kind ${inputKind}` });
    if ('file' in input && !files.some((file) => file.path === input.file)) found.push({ path, message: 'names a file that is not among the files' });
    const width = labels.length + dimensions;
    if (Array.isArray(output) && output.length !== width) found.push({ path: ['knownAnswers', index, 'output'], message: `has ${output.length} numbers; the model gives ${width}` });
    if (!Array.isArray(output) && width > 0) found.push({ path: ['knownAnswers', index, 'output'], message: `must be ${width} numbers` });
  }
  return found;
}
