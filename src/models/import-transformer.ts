/**
 * From a directory in the layout of Hugging Face to a directory of this program: the encoder's ONNX file and its tokenizer are copied, and what
 * sentence-transformers' files say of pooling, normalisation and length becomes a manifest. It must pass the proofs of `models verify`.
 */
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { transformerPoolings } from './import-choices.ts';
import type { GraphManifest } from './manifest.ts';
import { writeModelDirectory, type ModelDraft, type WrittenModel } from './manifest-writer.ts';
import type { WriteOptions } from './model-place.ts';
import type { OnnxGraph, OnnxPort } from './onnx-graph.ts';
import { createTokenIds, tokenizerConfigName } from './preprocessing/tokenizer.ts';
import { readTransformerSource, refuse, type TransformerSource } from './transformer-source.ts';

/** Lengths that padding goes to: the work grows with them, so they are close together where texts are. */
const lengths = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/** A transformer gains little from larger batches, and an item of padding costs as much as a real one. */
const batchSizes = [1, 4];

const maxTokensDefault = 256;

/** Short, with accents and what the vocabulary lacks, and long enough for another length. */
const knownTexts = [
  'A cat sits on the mat.',
  'Zoë’s café in Łódź sells 12 kinds of ☕ and 茶, open from 8:30.',
  'The second payment was taken twice from my account, and the first one has not arrived at the shop although the bank says that it was sent on Monday morning.',
];

export type TransformerImport = {
  /** Holds config.json, tokenizer.json and onnx/model.onnx (or model.onnx). */
  readonly from: string;
  /** To be made. */
  readonly directory: string;
  /** A directory does not tell it. */
  readonly licence?: string | undefined;
  /** Where it comes from; otherwise the name of the directory. */
  readonly source?: string | undefined;
  /** Otherwise made from the name of the directory. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Special tokens counted; otherwise what the files say, or 256. */
  readonly maxTokens?: number | undefined;
  /** Otherwise what sentence-transformers' files say, or the mean. */
  readonly pooling?: (typeof transformerPoolings)[number] | undefined;
  readonly normalisation?: 'none' | 'l2' | undefined;
  /** Otherwise 1 and 4, or 1 alone where results depend on the batch. */
  readonly batchSizes?: readonly number[] | undefined;
};

/** Rejects, leaving nothing behind, with LS_MODEL_IMPORT and with the other LS_MODEL_* errors of a model that does not load. */
export async function importTransformer(options: TransformerImport, write: WriteOptions = {}): Promise<WrittenModel> {
  const source = await readTransformerSource(resolve(options.from));
  const draft = draftOf(source, options);
  await refuseTokenizer(source, draft);
  return writeModelDirectory(options.directory, draft, write);
}

/** The worker that loads the copy would do so as well, later and by a name that nobody knows. */
async function refuseTokenizer({ directory, files }: TransformerSource, { manifest: { preprocessing } }: ModelDraft): Promise<void> {
  if (preprocessing.kind !== 'tokenizer') return;
  const read = new Map<string, Uint8Array>();
  for (const file of [preprocessing.file, tokenizerConfigName]) if (files.includes(file)) read.set(file, await readFile(join(directory, file)));
  createTokenIds({ directory, files: read }, preprocessing.file, preprocessing.maxTokens);
}

type Ports = Extract<GraphManifest['preprocessing'], { kind: 'tokenizer' }>['inputs'];

const portNames = { ids: 'input_ids', mask: 'attention_mask', types: 'token_type_ids' } as const;

function draftOf(source: TransformerSource, options: TransformerImport): ModelDraft {
  const { graph, structure, model, config } = source;
  const path = join(source.directory, model);
  const inputs = portsOf(graph.inputs, path);
  const { output, perToken, dimensions } = outputOf(graph, config.hidden_size, path);
  const [fixedBatch, fixedLength] = (graph.inputs[0]?.shape ?? []).map((size) => (typeof size === 'number' && size > 0 ? size : undefined));
  const maxTokens = maxTokensOf(source, options.maxTokens, fixedLength);
  const directoryName = basename(source.directory);
  if (options.licence === undefined) refuse(source.directory, 'does not tell its licence: name it (--licence NAME)');
  return {
    manifest: {
      name: options.name ?? directoryName.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+/, ''),
      version: options.version ?? '1.0.0',
      task: 'text-features',
      licence: options.licence,
      source: options.source ?? directoryName,
      model,
      opset: structure.opset,
      dequantise: structure.operators.has('DequantizeLinear'),
      preprocessing: { kind: 'tokenizer', file: 'tokenizer.json', maxTokens, inputs },
      postprocessing: {
        kind: 'vector',
        output,
        dimensions,
        pooling: perToken ? (options.pooling ?? source.sentence?.pooling ?? 'mean') : 'none',
        normalisation: options.normalisation ?? source.sentence?.normalisation ?? 'l2',
      },
      labels: [],
      executedShapes: {
        batchSizes: [...(options.batchSizes ?? (fixedBatch === undefined ? batchSizes : [fixedBatch]))],
        lengths: fixedLength === undefined ? [...lengths.filter((length) => length < maxTokens), maxTokens] : [fixedLength],
      },
      quality: {},
    },
    files: source.files.map((file) => ({ path: file, content: { copyOf: join(source.directory, file) } })),
    knownInputs: knownTexts.map((text) => ({ kind: 'text', text })),
    // What other processors make of the same sums.
    toleranceShare: 1e-3,
    keepsBatchSizes: options.batchSizes !== undefined,
  };
}

function portsOf(inputs: readonly OnnxPort[], path: string): Ports {
  const names = inputs.map(({ name }) => name);
  const known: readonly string[] = Object.values(portNames);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) refuse(path, `reads ${unknown}, which is not built; known are ${known.join(', ')}`);
  if (!names.includes(portNames.ids)) refuse(path, `does not read ${portNames.ids}`);
  return {
    ids: portNames.ids,
    ...(names.includes(portNames.mask) ? { mask: portNames.mask } : {}),
    ...(names.includes(portNames.types) ? { types: portNames.types } : {}),
  };
}

type Output = { readonly output: string; readonly perToken: boolean; readonly dimensions: number };

/** An output with one vector per token is preferred: its pooling is then this program's, over the tokens that are no padding. */
function outputOf({ outputs }: OnnxGraph, hiddenSize: number | undefined, path: string): Output {
  for (const name of ['last_hidden_state', 'token_embeddings', 'sentence_embedding']) {
    const port = outputs.find((output) => output.name === name);
    if (port === undefined) continue;
    const last = port.shape?.at(-1);
    const dimensions = typeof last === 'number' && last > 0 ? last : hiddenSize;
    if (dimensions === undefined) return refuse(path, `does not tell how long the vectors of ${name} are, nor does hidden_size in config.json`);
    return { output: name, perToken: name !== 'sentence_embedding', dimensions };
  }
  return refuse(path, `gives ${outputs.map(({ name }) => name).join(', ')}; an encoder gives last_hidden_state, token_embeddings or sentence_embedding`);
}

function maxTokensOf({ directory, lengthMax, lengthUsual }: TransformerSource, asked: number | undefined, fixedLength: number | undefined): number {
  const highest = Math.min(lengthMax, fixedLength ?? Number.POSITIVE_INFINITY);
  if (asked !== undefined && asked > highest) return refuse(directory, `takes at most ${highest} tokens, not ${asked}`);
  return Math.min(asked ?? lengthUsual ?? maxTokensDefault, highest);
}
