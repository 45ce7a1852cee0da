/** The tiny models with a manifest each, and what Python's transformers answered. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import type { ItemOutcome } from '../../../src/models/inference.ts';
import type { ModelAnswer, ModelInput } from '../../../src/models/model-port.ts';
import { loadArtefacts, type TransformerArtefacts } from '../../../src/models/repository.ts';
import { openTransformer, type Transformer } from '../../../src/models/transformers/open-transformer.ts';
import type { KnownTransformerAnswer, TransformerManifest } from '../../../src/models/transformers/transformer-manifest.ts';
import { temporaryDirectory, writeModel } from '../model-directory.ts';

const root = join(import.meta.dirname, '../tiny');

export type TinyName = TransformerManifest['architecture'];

type Recipe = Pick<TransformerManifest, 'graphs'> & Partial<Pick<TransformerManifest, 'similarity'>>;

const encoderAndDecoder = { graphs: { encoder: 'onnx/encoder_model.onnx', decoder: 'onnx/decoder_model_merged.onnx' } };

const imageAndText = { graphs: { vision: 'onnx/vision_model.onnx', text: 'onnx/text_model.onnx' } };

const recipes: Readonly<Record<TinyName, Recipe>> = {
  'vit-gpt2': encoderAndDecoder,
  blip: encoderAndDecoder,
  blip2: { graphs: { vision: 'onnx/vision_encoder.onnx', embedding: 'onnx/embed_tokens.onnx', decoder: 'onnx/decoder_model_merged.onnx' } },
  whisper: encoderAndDecoder,
  // The exponential of config.json's logit_scale_init_value, as which the script leaves it.
  clip: { ...imageAndText, similarity: { scale: Math.exp(2.6592), bias: 0 } },
  // As the script sets them.
  siglip: { ...imageAndText, similarity: { scale: Math.exp(2), bias: -1 } },
  owlvit: { graphs: { model: 'onnx/model.onnx' } },
  detr: { graphs: { model: 'onnx/model.onnx' } },
};

export async function golden<Golden>(name: TinyName): Promise<Golden> {
  return JSON.parse(await readFile(join(root, name, 'goldens.json'), 'utf8')) as Golden;
}

export const readInput = (name: string): Promise<Buffer> => readFile(join(root, 'inputs', name));

/** What wide.png is resized to by Python. */
export const readResized = (name: TinyName): Promise<Buffer> => readFile(join(root, name, 'wide.resized.png'));

export async function contentOf(name: TinyName): Promise<Record<string, Buffer>> {
  const directory = join(root, name);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.png') && entry.name !== 'goldens.json');
  const paths = files.map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/')).sort();
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await readFile(join(directory, path))] as const)));
}

/** As its manifest has them; inputs are files of the directory `known`. */
export type KnownAnswers = readonly KnownTransformerAnswer[];

export type TinyOptions = {
  readonly knownAnswers?: KnownAnswers;
  /** Where it is made; otherwise in a temporary directory. */
  readonly directory?: string;
  /** Instead of what the manifest says otherwise. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Instead of the published files. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
};

/** A directory with a manifest that the program takes. */
export async function tinyDirectory(name: TinyName, { knownAnswers, directory, overrides = {}, files = {} }: TinyOptions = {}): Promise<string> {
  const answers = knownAnswers ?? [await firstAnswer(name)];
  const inputs = await Promise.all(answers.map(async ({ input }) => [input.file, await readInput(input.file.replace('known/', ''))] as const));
  const content = { ...(await contentOf(name)), ...Object.fromEntries(inputs), ...files };
  const manifest = {
    kind: 'transformers', name: `tiny-${name}`, version: '1.0.0', licence: 'Apache-2.0', source: 'made by scripts/tiny_models', architecture: name, reproducible: true,
    ...recipes[name], knownAnswers: answers, ...overrides,
  };
  return writeModel(directory ?? (await temporaryDirectory()), manifest, content);
}

/** One that Python gave, of an image that is not resized. */
async function firstAnswer(name: TinyName): Promise<KnownTransformerAnswer> {
  switch (name) {
    case 'clip':
    case 'siglip': {
      const { classes, probabilities } = await golden<ZeroShotGolden>(name);
      return { input: { ...knownImage, classes: [...classes] }, output: { kind: 'zero-shot', probabilities: [...probabilities[0]!] }, tolerance: 1e-4 };
    }
    case 'owlvit':
    case 'detr': {
      const { classes, threshold, detections } = await golden<DetectionGolden>(name);
      const input = { ...knownImage, config: { threshold }, ...(classes === undefined ? {} : { classes: [...classes] }) };
      return { input, output: detectionsIn(detections[0]!), tolerance: 1e-4 };
    }
    case 'whisper': {
      const { clips, cases } = await golden<SpeechGolden>(name);
      const { parameters, texts } = cases[0]!;
      const input = { kind: 'audio', file: `known/${clips[0]!}`, contentType: 'audio/wav', config: { ...parameters } } as const;
      return { input, output: { kind: 'transcript', text: texts[0]!.trim(), segments: [] }, tolerance: 0 };
    }
    default: {
      const { cases } = await golden<CaptionGolden>(name);
      return { input: { ...knownImage, config: configOf(cases[0]!) }, output: { kind: 'caption', text: cases[0]!.texts[0]!.trim() }, tolerance: 0 };
    }
  }
}

const knownImage = { kind: 'image', file: 'known/circles.png', contentType: 'image/png', config: {} } as const;

export type ZeroShotGolden = { readonly images: readonly string[]; readonly classes: readonly string[]; readonly hypothesisTemplate: string; readonly probabilities: readonly (readonly number[])[] };

type GoldenBoxes = {
  readonly image: string;
  readonly boxes: readonly { readonly score: number; readonly label: string; readonly box: { readonly xmin: number; readonly ymin: number; readonly xmax: number; readonly ymax: number } }[];
};

export type DetectionGolden = {
  readonly classes?: readonly string[];
  readonly threshold: number;
  readonly lowThreshold?: number;
  readonly detections: readonly GoldenBoxes[];
  readonly detectionsAtLowThreshold?: readonly GoldenBoxes[];
};

/** The surest first, as the program tells them; Python leaves those of DETR in the order of its queries. */
export function detectionsIn({ boxes }: GoldenBoxes): Extract<KnownTransformerAnswer['output'], { kind: 'detections' }> {
  const sorted = [...boxes].sort((left, right) => right.score - left.score);
  return {
    kind: 'detections',
    boxes: sorted.map(({ box: { xmin, ymin, xmax, ymax } }) => [xmin, ymin, xmax, ymax]),
    labels: sorted.map(({ label }) => label),
    scores: sorted.map(({ score }) => score),
  };
}

export type SpeechGolden = {
  readonly clips: readonly string[];
  readonly logMel: readonly { readonly clip: string; readonly mean: number; readonly every4thBinOfEvery100thFrame: readonly (readonly number[])[] }[];
  readonly detectedLanguages: readonly string[];
  readonly cases: readonly { readonly parameters: Readonly<Record<string, string | number | boolean>>; readonly texts: readonly string[] }[];
  /** Of sounds that tune() makes. */
  readonly byLength: readonly {
    readonly samples: number;
    readonly isSilent: boolean;
    readonly parameters: Readonly<Record<string, string | number | boolean>>;
    readonly segments: readonly { readonly start: number; readonly end: number; readonly tokens: readonly number[] }[];
    readonly text: string;
  }[];
  /** What Python makes of the tokens of one window. */
  readonly readings: {
    readonly firstTimestamp: number;
    readonly cases: readonly {
      readonly tokens: readonly number[];
      readonly frames: number;
      readonly segments: readonly { readonly start: number; readonly end: number; readonly tokens: readonly number[] }[];
      readonly onward: number;
    }[];
  };
  readonly long: {
    readonly joined: readonly string[];
    readonly sequential: {
      readonly frames: number;
      readonly parameters: Readonly<Record<string, string | number | boolean>>;
      readonly segments: readonly { readonly start: number; readonly end: number; readonly tokens: readonly number[] }[];
      readonly text: string;
    };
  };
};

export type CaptionCase = {
  readonly name: string;
  readonly prefix: string | null;
  readonly startIds: readonly number[];
  readonly parameters: { readonly num_beams: number; readonly max_new_tokens: number; readonly early_stopping?: boolean; readonly length_penalty?: number; readonly num_return_sequences?: number };
  readonly sequences: readonly (readonly number[])[];
  readonly scores: readonly number[] | null;
  readonly texts: readonly string[];
};

export type CaptionGolden = { readonly endId: number; readonly padId: number; readonly images: readonly string[]; readonly cases: readonly CaptionCase[] };

/** The config that asks for what a golden answer was asked for. */
export function configOf({ parameters: { num_beams, max_new_tokens, early_stopping, length_penalty } }: CaptionCase): { num_beams: number; max_new_tokens: number; early_stopping?: boolean; length_penalty?: number } {
  return { num_beams, max_new_tokens, ...(early_stopping === undefined ? {} : { early_stopping }), ...(length_penalty === undefined ? {} : { length_penalty }) };
}

/** The directory is gone again: what was read is in memory. */
export async function tinyArtefacts(name: TinyName, options?: TinyOptions): Promise<TransformerArtefacts> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-tiny-'));
  try {
    const artefacts = await loadArtefacts(await tinyDirectory(name, { ...options, directory }));
    if (artefacts.kind === 'transformers') return artefacts;
    throw new Error(`${name} is no transformer`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Opens it in this thread, with no known answers asked. */
export async function openTiny(name: TinyName, options?: TinyOptions): Promise<Transformer> {
  return openTransformer(await tinyArtefacts(name, options));
}

async function outcomeOf(transformer: Transformer, input: ModelInput): Promise<ItemOutcome> {
  const [outcome] = await transformer.begin([input])();
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

export async function answerTo(transformer: Transformer, input: ModelInput): Promise<ModelAnswer> {
  const outcome = await outcomeOf(transformer, input);
  if ('answer' in outcome) return outcome.answer;
  throw new Error('failure' in outcome ? `${outcome.failure.code}: ${outcome.failure.message}` : 'no answer');
}

/** The code that it fails with; 'answered' where it does not. */
export async function codeOf(transformer: Transformer, input: ModelInput): Promise<string> {
  const outcome = await outcomeOf(transformer, input);
  return 'failure' in outcome ? outcome.failure.code : 'answered';
}
