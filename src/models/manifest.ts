/**
 * manifest.json says everything that has to be known to run a model and to trust it: its files with their hashes, what is done before and
 * after it, the shapes in which it may be executed, and answers that it must give. The types of the program are inferred from this schema.
 */
import { z } from 'zod';
import { modelError } from '../core/errors/model.ts';
import { taskConfigMistakes } from '../core/task-config.ts';
import { boxForm, type BoxForm } from './boxes/box-form.ts';
import { commonParts, confinedPath, knownConfig, knownDetections, unique, type Contradiction } from './manifest-parts.ts';
import { pluginContradictions, pluginManifestParts } from './plugins/plugin-manifest.ts';
import { architectures } from './transformers/architectures.ts';
import { transformerContradictions, transformerManifestParts } from './transformers/transformer-manifest.ts';

const ascendingIntegers = (max: number) =>
  z
    .array(z.int().min(1).max(max))
    .min(1)
    .refine((sizes) => sizes.every((size, index) => index === 0 || size > (sizes[index - 1] ?? size)), 'must rise, without repeats');

const positive = z.int().min(1).max(2 ** 31 - 1);

const imageExtent = z.int().min(1).max(4096);

export const vectorDimensionsMax = 65_536;

const threeOf = <Part extends z.ZodType>(part: Part) => z.tuple([part, part, part]);

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
  /** The tokenizer that a transformer was published with (tokenizer.json of Hugging Face); ONNX inputs int64 [batch, length]. */
  z.strictObject({
    kind: z.literal('tokenizer'),
    file: confinedPath,
    /** Special tokens counted; a longer text is cut. */
    maxTokens: positive,
    inputs: z.strictObject({ ids: z.string().min(1), mask: z.string().min(1).optional(), types: z.string().min(1).optional() }),
  }),
  /** One ONNX input (float32 or float16): the pixels of an encoded image. The steps are taken in the order of these fields. */
  z.strictObject({
    kind: z.literal('image'),
    input: z.string().min(1),
    width: imageExtent,
    height: imageExtent,
    resize: z.strictObject({
      /** cover: fill and cut the middle out; contain: fit and fill up with the background; stretch: fit without keeping the proportions. */
      rule: z.enum(['cover', 'contain', 'stretch']),
      /** With `cover`: the shorter side is scaled to this, before the middle is cut out; without it, to what just covers. */
      shorterSide: imageExtent.optional(),
      /** With `contain`: where the image stands; without it, in the middle. */
      placement: z.enum(['middle', 'top-left']).optional(),
      kernel: z.enum(['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3']),
    }),
    /** Behind transparent pixels, and beside an image that is `contain`ed: red, green, blue, 0 to 255. */
    background: threeOf(z.int().min(0).max(255)).default([0, 0, 0]),
    colourOrder: z.enum(['RGB', 'BGR']),
    /** Each number 0 to 255 is multiplied by `scale`, then the mean is subtracted, then divided by the deviation; in colour order. */
    scale: z.number().positive(),
    mean: threeOf(z.number()).default([0, 0, 0]),
    deviation: threeOf(z.number().positive()).default([1, 1, 1]),
    layout: z.enum(['NCHW', 'NHWC']),
  }),
]);

const postprocessing = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('vector'),
    output: z.string().min(1),
    dimensions: z.int().min(1).max(vectorDimensionsMax),
    /** Of an output [batch, length, dimensions]: the mean over the tokens that are no padding, or the first one. */
    pooling: z.enum(['none', 'mean', 'first']).default('none'),
    normalisation: z.enum(['none', 'l2']).default('none'),
  }),
  z.strictObject({
    kind: z.literal('scores'),
    output: z.string().min(1),
    /** What turns the output into scores. */
    activation: z.enum(['none', 'softmax', 'sigmoid']).default('none'),
    /** Each label stands for several classes of the graph, whose scores are added: members[i] are the indices of labels[i]. */
    groups: z.strictObject({ classes: positive, members: z.array(z.array(z.int().min(0)).min(1)).min(1) }).optional(),
  }),
  /** Boxes on the image, in the form in which the graph writes them down (boxes/box-form.ts); the config of a request may say other limits. */
  z.strictObject({
    kind: z.literal('boxes'),
    form: boxForm,
    /** What is told has a higher score. */
    scoreMin: z.number().min(0).max(1).default(0.25),
    /** Of two boxes of one label that share more of their union, only the surer one is told. */
    overlapMax: z.number().min(0).max(1).default(0.45),
    /** The most boxes that are told of an image, the surest ones. */
    boxesMax: z.int().min(1).max(1_000).default(100),
  }),
]);

const knownAnswer = z.strictObject({
  input: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('text'), text: z.string() }),
    z.strictObject({ kind: z.literal('values'), values: z.record(z.string(), z.number()) }),
    /** One of the files of the manifest. */
    z.strictObject({ kind: z.literal('image'), file: confinedPath, contentType: z.string().min(1), config: knownConfig.optional() }),
  ]),
  output: z.union([z.array(z.number()).min(1), knownDetections]),
  /** Largest allowed absolute difference of one number of a row, or of one score; labels are equal, corners of boxes within a pixel. */
  tolerance: z.number().min(0),
});

/** A graph that is run once for a batch of items, between what is done before and after it. */
const graphManifestParts = z.strictObject({
  // Optional, too: only so does the union below recognise it where it is left out.
  kind: z.literal('graph').optional().default('graph'),
  ...commonParts,
  task: z.string().min(1),
  model: confinedPath,
  opset: z.int().min(1),
  /** Weights that are stored as integers are turned to float32 at load, and pairs of quantising operators are left out. */
  dequantise: z.boolean().default(false),
  preprocessing,
  postprocessing,
  labels: z.array(z.string().min(1)).refine(unique, 'must not name a label twice').default([]),
  executedShapes: z.strictObject({ batchSizes: ascendingIntegers(1024), lengths: ascendingIntegers(65_536).optional() }),
  knownAnswers: z.array(knownAnswer).min(1),
});

export type GraphManifest = z.infer<typeof graphManifestParts>;

const manifestSchema = z.discriminatedUnion('kind', [
  graphManifestParts.superRefine((manifest, context) => {
    for (const { path, message } of contradictions(manifest)) context.addIssue({ code: 'custom', path, message });
  }),
  transformerManifestParts.superRefine((manifest, context) => {
    for (const { path, message } of transformerContradictions(manifest)) context.addIssue({ code: 'custom', path, message });
  }),
  pluginManifestParts.superRefine((manifest, context) => {
    for (const { path, message } of pluginContradictions(manifest)) context.addIssue({ code: 'custom', path, message });
  }),
]);

export type Manifest = z.infer<typeof manifestSchema>;

/** The tasks that a model is made for; the first one is the one that it is known by. */
export function tasksOf(manifest: Manifest): readonly [string, ...string[]] {
  switch (manifest.kind) {
    case 'graph':
      return [manifest.task];
    case 'transformers':
      return architectures[manifest.architecture].tasks;
    case 'plugin':
      return manifest.tasks;
  }
}

/** The sizes of the batches in which it is executed. A transformer takes its items one by one. */
export function batchSizesOf(manifest: Manifest): readonly [number, ...number[]] {
  switch (manifest.kind) {
    case 'graph':
      return manifest.executedShapes.batchSizes as [number, ...number[]];
    case 'transformers':
      return [1];
    case 'plugin':
      return manifest.batchItemsMax === 1 ? [1] : [1, manifest.batchItemsMax];
  }
}

const inputKinds = { 'hashed-subwords': 'text', tokenizer: 'text', values: 'values', image: 'image' } as const;

/** The kind of items that a model reads. */
export function inputKindOf(manifest: Manifest): 'text' | 'values' | 'image' | 'audio' {
  switch (manifest.kind) {
    case 'graph':
      return inputKinds[manifest.preprocessing.kind];
    case 'transformers':
      return architectures[manifest.architecture].input;
    case 'plugin':
      return manifest.input;
  }
}

/** What each part allows and the parts together do not. */
function contradictions(manifest: GraphManifest): Contradiction[] {
  return [...lengthContradictions(manifest), ...imageContradictions(manifest), ...outputContradictions(manifest), ...answerContradictions(manifest)];
}

function lengthContradictions({ preprocessing: before, executedShapes }: GraphManifest): Contradiction[] {
  const path = ['executedShapes', 'lengths'];
  const { lengths } = executedShapes;
  if (before.kind !== 'hashed-subwords' && before.kind !== 'tokenizer') {
    return lengths === undefined ? [] : [{ path, message: 'means nothing to a model that reads no texts' }];
  }
  if (lengths === undefined) return [{ path, message: 'is needed by a model that reads texts' }];
  if (before.maxTokens <= (lengths.at(-1) ?? 0)) return [];
  return [{ path: ['preprocessing', 'maxTokens'], message: 'must not exceed the longest of executedShapes.lengths' }];
}

function imageContradictions({ preprocessing: before }: GraphManifest): Contradiction[] {
  if (before.kind !== 'image') return [];
  const { rule, shorterSide, placement } = before.resize;
  if (placement !== undefined && rule !== 'contain') return [{ path: ['preprocessing', 'resize', 'placement'], message: 'is for the rule contain alone' }];
  if (shorterSide === undefined) return [];
  const path = ['preprocessing', 'resize', 'shorterSide'];
  if (rule !== 'cover') return [{ path, message: 'is for the rule cover alone' }];
  return shorterSide >= Math.max(before.width, before.height) ? [] : [{ path, message: 'must not be less than the width and the height that are cut out' }];
}

function outputContradictions({ preprocessing: before, postprocessing: after, labels, files }: GraphManifest): Contradiction[] {
  const found: Contradiction[] = [];
  if (before.kind === 'tokenizer' && !files.some(({ path }) => path === before.file)) {
    found.push({ path: ['preprocessing', 'file'], message: 'is not among the files' });
  }
  if (after.kind === 'vector') {
    if (after.pooling !== 'none' && before.kind !== 'tokenizer') {
      found.push({ path: ['postprocessing', 'pooling'], message: 'means nothing to a model without tokens' });
    }
    return found;
  }
  if (labels.length === 0) found.push({ path: ['labels'], message: `is needed by a model that gives ${after.kind}` });
  if (after.kind === 'boxes') return [...found, ...boxContradictions(before, after.form)];
  if (after.groups === undefined) return found;
  const { classes, members } = after.groups;
  const path = ['postprocessing', 'groups', 'members'];
  if (members.length !== labels.length) found.push({ path, message: `has ${members.length} groups for ${labels.length} labels` });
  if (members.flat().some((index) => index >= classes)) found.push({ path, message: `names a class beyond the ${classes} that there are` });
  if (!unique(members.flat().map(String))) found.push({ path, message: 'must not name a class twice' });
  return found;
}

function boxContradictions(before: GraphManifest['preprocessing'], form: BoxForm): Contradiction[] {
  if (before.kind !== 'image') return [{ path: ['postprocessing', 'kind'], message: 'must not be boxes: they lie on images, which this model does not read' }];
  if (form.kind !== 'grid-offsets') return [];
  const { width, height } = before;
  const unfit = form.strides.find((stride) => width % stride !== 0 || height % stride !== 0);
  return unfit === undefined ? [] : [{ path: ['postprocessing', 'form', 'strides'], message: `has ${unfit}, of which ${width} x ${height} pixels are no multiple` }];
}

function answerContradictions(manifest: GraphManifest): Contradiction[] {
  const found: Contradiction[] = [];
  const width = outputWidth(manifest);
  const given = width === undefined ? 'boxes' : `${width} numbers`;
  const inputKind = inputKindOf(manifest);
  for (const [index, { input, output }] of manifest.knownAnswers.entries()) {
    const path = ['knownAnswers', index, 'input'];
    if (input.kind !== inputKind) found.push({ path, message: `must be of the kind ${inputKind}` });
    if (input.kind === 'image' && !manifest.files.some((listed) => listed.path === input.file)) found.push({ path, message: 'names a file that is not among the files' });
    if (input.kind === 'image' && input.config !== undefined) for (const mistake of taskConfigMistakes(manifest.task, input.config)) found.push({ path, message: mistake });
    const [numbers, held] = Array.isArray(output) ? [output.length, `${output.length} numbers`] : [undefined, 'boxes'];
    if (numbers !== width) found.push({ path: ['knownAnswers', index, 'output'], message: `has ${held}; the model gives ${given}` });
  }
  return found;
}

/** How many numbers the model gives for one item; undefined where it gives boxes. */
export function outputWidth({ postprocessing: after, labels }: Pick<GraphManifest, 'postprocessing' | 'labels'>): number | undefined {
  if (after.kind === 'boxes') return undefined;
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
