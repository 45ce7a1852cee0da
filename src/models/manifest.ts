/**
 * manifest.json says everything that has to be known to run a model and to trust it: its files with their hashes, what is done before and
 * after it, the shapes in which it may be executed, and answers that it must give. The types of the program are inferred from this schema.
 */
import { z } from 'zod';
import { modelError } from '../core/errors/model.ts';

/** Relative, forward slashes, no step out of the directory; symbolic links are followed and checked where files are opened. */
function isConfined(path: string): boolean {
  return !path.startsWith('/') && !/[\\:\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const confinedPath = z
  .string()
  .refine(isConfined, 'must be a path inside the directory of the model: relative, with forward slashes, without . and ..');

const ascendingIntegers = (max: number) =>
  z
    .array(z.int().min(1).max(max))
    .min(1)
    .refine((sizes) => sizes.every((size, index) => index === 0 || size > (sizes[index - 1] ?? size)), 'must rise, without repeats');

const unique = (values: readonly string[]): boolean => new Set(values).size === values.length;

const file = z.strictObject({
  path: confinedPath,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 lower-case hexadecimal digits'),
  sizeBytes: z.int().min(0).max(2 ** 32),
});

const positive = z.int().min(1).max(2 ** 31 - 1);

const preprocessing = z.discriminatedUnion('kind', [
  /** ONNX inputs `ids` (int64) and `weights` (float32), both [batch, length]; a weight of 0 is padding. See hashed-subwords.ts. */
  z.strictObject({
    kind: z.literal('hashed-subwords'),
    wordBuckets: positive,
    ngramBuckets: positive,
    ngramLengthMin: positive,
    ngramLengthMax: positive,
    maxWordLength: positive,
    maxCharacters: positive,
    maxTokens: positive,
  }),
  /** One ONNX input (float32, [batch, fields]). */
  z.strictObject({
    kind: z.literal('values'),
    input: z.string().min(1).default('values'),
    fields: z.array(z.string().min(1)).min(1).refine(unique, 'must not name a field twice'),
  }),
]);

const postprocessing = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('vector'), output: z.string().min(1), dimensions: z.int().min(1).max(65_536) }),
  z.strictObject({ kind: z.literal('scores'), output: z.string().min(1) }),
]);

const knownAnswer = z.strictObject({
  input: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('text'), text: z.string() }),
    z.strictObject({ kind: z.literal('values'), values: z.record(z.string(), z.number()) }),
  ]),
  output: z.array(z.number()).min(1),
  /** Largest allowed absolute difference of one number of the output. */
  tolerance: z.number().min(0),
});

const manifestParts = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be 1 to 100 of a-z 0-9 . _ -'),
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, 'must be a version like 1.0.0'),
  task: z.string().min(1),
  licence: z.string().min(1),
  source: z.string().min(1),
  files: z
    .array(file)
    .min(1)
    .refine((files) => unique(files.map(({ path }) => path)), 'must not list a file twice'),
  model: confinedPath,
  opset: z.int().min(1),
  preprocessing,
  postprocessing,
  labels: z.array(z.string().min(1)).refine(unique, 'must not name a label twice').default([]),
  executedShapes: z.strictObject({ batchSizes: ascendingIntegers(1024), lengths: ascendingIntegers(65_536).optional() }),
  /** The bytes of an item's result depend on the item alone; proved by `labelstream models verify` and, in small, at every load. */
  reproducible: z.boolean(),
  knownAnswers: z.array(knownAnswer).min(1),
  quality: z.record(z.string(), z.unknown()).default({}),
  card: confinedPath.optional(),
});

export type Manifest = z.infer<typeof manifestParts>;

const manifestSchema = manifestParts.superRefine((manifest, context) => {
  for (const { path, message } of contradictions(manifest)) context.addIssue({ code: 'custom', path, message });
});

type Contradiction = { readonly path: (string | number)[]; readonly message: string };

/** What each part allows and the parts together do not. */
function contradictions(manifest: Manifest): Contradiction[] {
  const found: Contradiction[] = [];
  const { preprocessing: before, postprocessing: after, labels, knownAnswers, executedShapes } = manifest;
  const readsText = before.kind === 'hashed-subwords';
  if (readsText && executedShapes.lengths === undefined) {
    found.push({ path: ['executedShapes', 'lengths'], message: 'is needed by a model that reads texts' });
  }
  if (readsText && before.maxTokens > (executedShapes.lengths?.at(-1) ?? Number.POSITIVE_INFINITY)) {
    found.push({ path: ['preprocessing', 'maxTokens'], message: 'must not exceed the longest of executedShapes.lengths' });
  }
  if (!readsText && executedShapes.lengths !== undefined) {
    found.push({ path: ['executedShapes', 'lengths'], message: 'means nothing to a model that reads values' });
  }
  if (after.kind === 'scores' && labels.length === 0) found.push({ path: ['labels'], message: 'is needed by a model that gives scores' });
  const width = after.kind === 'vector' ? after.dimensions : labels.length;
  const inputKind = readsText ? 'text' : 'values';
  for (const [index, { input, output }] of knownAnswers.entries()) {
    if (input.kind !== inputKind) found.push({ path: ['knownAnswers', index, 'input'], message: `must be of the kind ${inputKind}` });
    if (output.length !== width) {
      found.push({ path: ['knownAnswers', index, 'output'], message: `has ${output.length} numbers; the model gives ${width}` });
    }
  }
  return found;
}

/** How many numbers the model gives for one item. */
export function outputWidth({ postprocessing: after, labels }: Manifest): number {
  return after.kind === 'vector' ? after.dimensions : labels.length;
}

/** Throws LS_MODEL_MANIFEST, whose message lists every mistake. `path` is the manifest's own, for the message. */
export function parseManifest(text: string, path: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw modelError('LS_MODEL_MANIFEST', `${path} is no JSON: ${error instanceof Error ? error.message : ''}`, { path }, { cause: error });
  }
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || '(the whole)'}: ${issue.message}`);
  throw modelError('LS_MODEL_MANIFEST', `${path} has ${mistakes.length} mistake${mistakes.length === 1 ? '' : 's'}:\n${mistakes.join('\n')}`, { path, mistakes: mistakes.length });
}
