/**
 * CLIP and SigLIP: an encoder of texts beside one of images. How probable a class is comes of the cosine between the image and the sentence that
 * stands for the class: of CLIP by a softmax over all classes, of SigLIP for each class by itself.
 */
import { z } from 'zod';
import type { ZeroShotConfig } from '../../core/task-config.ts';
import { modelError } from '../../core/errors/model.ts';
import type { ModelInput } from '../model-port.ts';
import type { OpenArchitecture } from './architecture-port.ts';
import { float32Tensor, int64Tensor, numbersOf, onesTensor, requirePorts, type Feeds, type Graph } from './graph.ts';
import { createImageProcessor } from './image-processor.ts';
import { publishedFile, refuseFile } from './published-files.ts';
import { createTextTokenizer, type TextTokenizer } from './text-tokenizer.ts';
import { createEmbeddingCache } from './embedding-cache.ts';

type Kind = {
  /** The output of both graphs that is the embedding, text then image. */
  readonly outputs: readonly [text: string, image: string];
  /** Texts that are shorter are filled up to the longest that the model takes. */
  readonly isPadded: boolean;
  readonly probabilities: (logits: readonly number[]) => number[];
};

const configFile = z.looseObject({ text_config: z.looseObject({ max_position_embeddings: z.int().min(2).optional() }).default({}) });
const tokenizerConfig = z.looseObject({ pad_token: z.union([z.string(), z.looseObject({ content: z.string() })]).nullish() });

const defaultTemplate = 'This is a photo of {}.';

export const openClip: OpenArchitecture = (parts) => openContrastive(parts, { outputs: ['text_embeds', 'image_embeds'], isPadded: false, probabilities: softmax });

export const openSiglip: OpenArchitecture = (parts) => openContrastive(parts, { outputs: ['pooler_output', 'pooler_output'], isPadded: true, probabilities: (logits) => logits.map((logit) => 1 / (1 + Math.exp(-logit))) });

async function openContrastive({ artefacts, resources, open }: Parameters<OpenArchitecture>[0], kind: Kind): ReturnType<OpenArchitecture> {
  const { directory, manifest } = artefacts;
  const { similarity, defaults } = manifest;
  if (similarity === undefined) return refuseFile(artefacts, 'manifest.json', 'similarity is needed');
  const lengthMax = publishedFile(artefacts, 'config.json', configFile).text_config.max_position_embeddings ?? (kind.isPadded ? 64 : 77);
  const processor = createImageProcessor(artefacts, resources.imageDecoding);
  const tokenizer = createTextTokenizer(artefacts);
  const padding = kind.isPadded ? paddingId(artefacts, tokenizer) : undefined;
  const vision = await open('vision');
  requirePorts(vision, { inputs: ['pixel_values'], outputs: [kind.outputs[1]] }, directory);
  const text = await open('text');
  requirePorts(text, { inputs: ['input_ids', 'attention_mask'], outputs: [kind.outputs[0]] }, directory);
  const embeddings = createEmbeddingCache((sentence) => embedded(text, kind.outputs[0], cut(tokenizer.encode(sentence), lengthMax, padding)));
  return async (input) => {
    const { classes, config } = zeroShotQuestion(input);
    const { hypothesis_template: template = defaultTemplate }: ZeroShotConfig = { ...defaults, ...config };
    const { values, width, height } = await processor(input as Extract<ModelInput, { kind: 'image' }>);
    return async () => {
      const outputs = await vision.run({ pixel_values: float32Tensor(values, [1, 3, height, width]) });
      const image = directionOf(outputs, kind.outputs[1]);
      const logits: number[] = [];
      // replaceAll would give a meaning to `$&` in the name of a class.
      for (const name of classes) logits.push(similarity.scale * product(await embeddings.of(template.split('{}').join(name)), image) + similarity.bias);
      return { kind: 'zero-shot', classes, probabilities: kind.probabilities(logits) };
    };
  };
}

/** Throws LS_MODEL_INPUT, or LS_MODEL_REQUEST. */
function zeroShotQuestion(input: ModelInput): { readonly classes: readonly string[]; readonly config: ZeroShotConfig } {
  if (input.kind !== 'image') throw modelError('LS_MODEL_INPUT', `this model reads images, not ${input.kind}`);
  if (input.text !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model writes no text and takes none to begin with');
  const { classes = [], config = {} } = input;
  if (classes.length === 0) throw modelError('LS_MODEL_REQUEST', 'this model tells classes apart that it has to be given');
  return { classes, config };
}

function paddingId(artefacts: Parameters<typeof publishedFile>[0], tokenizer: TextTokenizer): number {
  const { pad_token: token } = publishedFile(artefacts, 'tokenizer_config.json', tokenizerConfig);
  const id = token === null || token === undefined ? undefined : tokenizer.idOf(typeof token === 'string' ? token : token.content);
  return id ?? refuseFile(artefacts, 'tokenizer_config.json', 'pad_token is no token of the tokenizer');
}

/** The last token stays: it ends the text, and is what the text is read at. */
function cut(ids: readonly number[], lengthMax: number, padding: number | undefined): readonly number[] {
  const short = ids.length <= lengthMax ? ids : [...ids.slice(0, lengthMax - 1), ids.at(-1) ?? 0];
  return padding === undefined ? short : [...short, ...Array.from({ length: lengthMax - short.length }, () => padding)];
}

async function embedded(graph: Graph, output: string, ids: readonly number[]): Promise<Float64Array> {
  const dims = [1, ids.length];
  return directionOf(await graph.run({ input_ids: int64Tensor(ids, dims), attention_mask: onesTensor(dims) }), output);
}

/** Of length 1. Throws LS_MODEL_OUTPUT_NOT_FINITE where the graph gives nothing but zeros: a probability that comes of these is no number. */
function directionOf(outputs: Feeds, name: string): Float64Array {
  const { data } = numbersOf(outputs, name);
  const norm = Math.sqrt(data.reduce((total, value) => total + value * value, 0));
  if (norm === 0) throw modelError('LS_MODEL_OUTPUT_NOT_FINITE', `${name} is zero throughout, and has no direction`);
  return Float64Array.from(data, (value) => value / norm);
}

/** Of vectors of one length. */
function product(left: Float64Array, right: Float64Array): number {
  if (left.length !== right.length) throw modelError('LS_MODEL_OUTPUT', `the texts have ${left.length} dimensions, the images ${right.length}`);
  let total = 0;
  for (let index = 0; index < left.length; index += 1) total += (left[index] ?? 0) * (right[index] ?? 0);
  return total;
}

function softmax(logits: readonly number[]): number[] {
  // Without the largest in the exponent the exponential of a large logit is infinite.
  const largest = logits.reduce((found, logit) => Math.max(found, logit), Number.NEGATIVE_INFINITY);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
