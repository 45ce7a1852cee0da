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

const recipes: Readonly<Record<TinyName, Recipe>> = {
  'vit-gpt2': encoderAndDecoder,
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

/** One that Python gave. */
async function firstAnswer(name: TinyName): Promise<KnownTransformerAnswer> {
  switch (name) {
    case 'vit-gpt2': {
      const { images, cases } = await golden<CaptionGolden>(name);
      const [first] = cases;
      const input = { kind: 'image', file: `known/${images[0]!}`, contentType: 'image/png', config: configOf(first!) } as const;
      return { input, output: { kind: 'caption', text: first!.texts[0]!.trim() }, tolerance: 0 };
    }
  }
}

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
async function tinyArtefacts(name: TinyName, options?: TinyOptions): Promise<TransformerArtefacts> {
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

export async function outcomeOf(transformer: Transformer, input: ModelInput): Promise<ItemOutcome> {
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
