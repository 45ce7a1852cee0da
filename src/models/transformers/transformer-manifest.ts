/**
 * The manifest of a transformer (`kind: transformers`): an architecture, which graph plays which role in it, and what its published files do not
 * say. Everything is listed with its hash; nothing is ever read that is not.
 */
import { z } from 'zod';
import { taskConfigMistakes } from '../../core/task-config.ts';
import { commonParts, confinedPath, knownConfig, knownFileInputs, knownDetections, type Contradiction } from '../manifest-parts.ts';
import { architectureNames, architectures } from './architectures.ts';

const knownInput = z.discriminatedUnion('kind', [...knownFileInputs(knownConfig.default({}))]);

const finite = z.number();

/** In the shape of the task's results. */
export const knownOutput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('caption'), text: z.string() }),
  z.strictObject({
    kind: z.literal('transcript'),
    text: z.string(),
    segments: z.array(z.strictObject({ startSeconds: finite, endSeconds: finite, text: z.string() })).default([]),
  }),
  z.strictObject({ kind: z.literal('zero-shot'), probabilities: z.array(finite).min(1) }),
  knownDetections,
]);

export const transformerManifestParts = z.strictObject({
  kind: z.literal('transformers'),
  ...commonParts,
  architecture: z.enum(architectureNames),
  /** The file of each role: `{ encoder: onnx/encoder_model.onnx, decoder: onnx/decoder_model_merged.onnx }`. */
  graphs: z.record(z.string(), confinedPath),
  /** What holds where the config of a request does not say otherwise, in its words. */
  defaults: knownConfig.default({}),
  /** Of CLIP and SigLIP: probabilities come of `scale x cosine + bias`. Both were learnt, and stand in no file but the joint graph. */
  similarity: z.strictObject({ scale: z.number().positive(), bias: z.number().default(0) }).optional(),
  knownAnswers: z
    .array(
      z.strictObject({
        input: knownInput,
        output: knownOutput,
        /** Largest allowed absolute difference of a score, a probability or a time; texts and labels are equal, corners of boxes within a pixel. */
        tolerance: z.number().min(0),
      }),
    )
    .min(1),
});

export type TransformerManifest = z.infer<typeof transformerManifestParts>;

export type KnownOutput = z.infer<typeof knownOutput>;

export type KnownTransformerAnswer = TransformerManifest['knownAnswers'][number];

const outputKinds: Readonly<Record<string, KnownTransformerAnswer['output']['kind']>> = {
  'image-captioning': 'caption',
  'automated-speech-recognition': 'transcript',
  'zero-shot-image-classification': 'zero-shot',
  'object-detection': 'detections',
};

/** What each part allows and the parts together do not. */
export function transformerContradictions(manifest: TransformerManifest): Contradiction[] {
  return [...fileContradictions(manifest), ...similarityContradictions(manifest), ...answerContradictions(manifest)];
}

function fileContradictions({ architecture, graphs, files, defaults }: TransformerManifest): Contradiction[] {
  const needed = architectures[architecture];
  const found: Contradiction[] = [];
  const isListed = (path: string): boolean => files.some((file) => file.path === path);
  for (const path of needed.files) if (!isListed(path)) found.push({ path: ['files'], message: `lacks ${path}, which a model of the architecture ${architecture} needs` });
  for (const role of needed.graphs) if (graphs[role] === undefined) found.push({ path: ['graphs'], message: `lacks ${role}: a model of the architecture ${architecture} has ${needed.graphs.join(', ')}` });
  for (const [role, path] of Object.entries(graphs)) {
    if (!needed.graphs.includes(role)) found.push({ path: ['graphs', role], message: `is no graph of the architecture ${architecture}, which has ${needed.graphs.join(', ')}` });
    else if (!isListed(path)) found.push({ path: ['graphs', role], message: 'is not among the files' });
  }
  for (const mistake of taskConfigMistakes(needed.tasks[0], defaults)) found.push({ path: ['defaults'], message: mistake });
  return found;
}

const contrastive: ReadonlySet<string> = new Set(['clip', 'siglip']);

function similarityContradictions({ architecture, similarity }: TransformerManifest): Contradiction[] {
  const isContrastive = contrastive.has(architecture);
  if (isContrastive === (similarity !== undefined)) return [];
  return [{ path: ['similarity'], message: isContrastive ? `is needed by a model of the architecture ${architecture}` : `means nothing to a model of the architecture ${architecture}` }];
}

function answerContradictions({ architecture, knownAnswers, files }: TransformerManifest): Contradiction[] {
  const { tasks, input: inputKind } = architectures[architecture];
  const found: Contradiction[] = [];
  for (const [index, { input, output }] of knownAnswers.entries()) {
    const path = ['knownAnswers', index, 'input'];
    if (input.kind !== inputKind) found.push({ path, message: `must be of the kind ${inputKind}` });
    if (!files.some((file) => file.path === input.file)) found.push({ path, message: 'names a file that is not among the files' });
    for (const mistake of taskConfigMistakes(tasks[0], input.config)) found.push({ path, message: mistake });
    const kind = outputKinds[tasks[0]];
    if (kind !== undefined && output.kind !== kind) found.push({ path: ['knownAnswers', index, 'output'], message: `must be of the kind ${kind}` });
  }
  return found;
}
