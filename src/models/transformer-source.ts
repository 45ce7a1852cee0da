/**
 * Reads a directory in the layout of Hugging Face: which files make up the encoder, and what they say of lengths, pooling and normalisation. A link
 * that leaves the directory is refused: a model that somebody else made must not have other files of this machine copied into it.
 */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, posix, sep } from 'node:path';
import { z } from 'zod';
import { modelError } from '../core/errors/model.ts';
import { onnxGraph, type OnnxGraph } from './onnx-graph.ts';
import { onnxStructure, type OnnxStructure } from './onnx-structure.ts';
import { tokenizerConfigName } from './preprocessing/tokenizer.ts';

const count = z.int().min(1);

const configFile = z.looseObject({
  model_type: z.string().default(''),
  hidden_size: count.optional(),
  max_position_embeddings: count.optional(),
});
/** transformers writes 1e30 for a length that it does not know. */
const tokenizerConfigFile = z.looseObject({ model_max_length: z.number().optional() });
const tokenizerFile = z.looseObject({ truncation: z.looseObject({ max_length: count }).nullish() });
const sentenceFile = z.looseObject({ max_seq_length: count.nullish() });
const modulesFile = z.array(z.looseObject({ path: z.string(), type: z.string() }));
const poolingFile = z.looseObject({ word_embedding_dimension: count.optional() });

/** Paths are relative to the directory. */
export type TransformerSource = {
  readonly directory: string;
  readonly files: readonly string[];
  readonly model: string;
  readonly structure: OnnxStructure;
  readonly graph: OnnxGraph;
  readonly config: z.output<typeof configFile>;
  /** Tokens that the model takes at most. */
  readonly lengthMax: number;
  /** Tokens that its authors cut at. */
  readonly lengthUsual: number | undefined;
  readonly sentence: { readonly pooling: 'mean' | 'first'; readonly normalisation: 'none' | 'l2' } | undefined;
};

const modelNames = ['onnx/model.onnx', 'model.onnx'];

/** Rejects with LS_MODEL_IMPORT. */
export async function readTransformerSource(directory: string): Promise<TransformerSource> {
  const config = await readJson(directory, 'config.json', configFile);
  const tokenizer = await readJson(directory, 'tokenizer.json', tokenizerFile);
  const tokenizerConfig = await readJsonIfThere(directory, tokenizerConfigName, tokenizerConfigFile);
  const sentence = await readJsonIfThere(directory, 'sentence_bert_config.json', sentenceFile);
  const { model, bytes } = await readModel(directory);
  const { structure, graph } = understood(join(directory, model), bytes);
  const weights: string[] = [];
  for (const location of structure.externalLocations) weights.push(await weightsPath(directory, model, location));
  return {
    directory,
    files: [model, ...weights, 'config.json', 'tokenizer.json', ...(tokenizerConfig === undefined ? [] : [tokenizerConfigName])],
    model,
    structure,
    graph,
    config,
    lengthMax: Math.min(positionsOf(config), tokenizerConfig?.model_max_length ?? Number.POSITIVE_INFINITY),
    lengthUsual: sentence?.max_seq_length ?? tokenizer.truncation?.max_length,
    sentence: await readSentenceModules(directory),
  };
}

/** Models of RoBERTa's family number their positions from 2 on. */
function positionsOf({ model_type: type, max_position_embeddings: positions = Number.POSITIVE_INFINITY }: z.output<typeof configFile>): number {
  return ['roberta', 'xlm-roberta', 'camembert', 'mpnet'].includes(type) ? positions - 2 : positions;
}

async function readModel(directory: string): Promise<{ readonly model: string; readonly bytes: Uint8Array }> {
  for (const model of modelNames) {
    const bytes = await readIfThere(directory, model);
    if (bytes !== undefined) return { model, bytes };
  }
  return refuse(directory, `holds neither ${modelNames.join(' nor ')}`);
}

export async function weightsPath(directory: string, model: string, location: string): Promise<string> {
  const path = posix.join(posix.dirname(model), location);
  if (path.startsWith('../') || posix.isAbsolute(location)) refuse(join(directory, model), `keeps weights in ${JSON.stringify(location)}, outside of the directory`);
  if ((await confinedRealPath(directory, path)) === undefined) refuse(join(directory, model), `keeps weights in ${JSON.stringify(location)}, which is missing`);
  return path;
}

export function understood(path: string, bytes: Uint8Array): { readonly structure: OnnxStructure; readonly graph: OnnxGraph } {
  try {
    return { structure: onnxStructure(bytes), graph: onnxGraph(bytes) };
  } catch (error) {
    return refuse(path, `is no ONNX file: ${messageOf(error)}`, error);
  }
}

/** modules.json of sentence-transformers lists what follows the transformer; what is not in the ONNX file has to be pooling or normalisation. */
async function readSentenceModules(directory: string): Promise<TransformerSource['sentence']> {
  const modules = await readJsonIfThere(directory, 'modules.json', modulesFile);
  if (modules === undefined) {
    const pooling = await readPooling(directory, '1_Pooling/config.json');
    return pooling === undefined ? undefined : { pooling, normalisation: 'none' };
  }
  let pooling: 'mean' | 'first' | undefined;
  let normalisation: 'none' | 'l2' = 'none';
  for (const { type, path } of modules) {
    const kind = type.split('.').at(-1) ?? '';
    if (kind === 'Pooling') pooling = await readPooling(directory, posix.join(path, 'config.json'));
    else if (kind === 'Normalize') normalisation = 'l2';
    else if (kind !== 'Transformer') refuse(join(directory, 'modules.json'), `the module ${kind} is not built`);
  }
  return pooling === undefined ? undefined : { pooling, normalisation };
}

async function readPooling(directory: string, path: string): Promise<'mean' | 'first' | undefined> {
  const config = await readJsonIfThere(directory, path, poolingFile);
  if (config === undefined) return undefined;
  const modes = Object.entries(config).flatMap(([key, value]) => (key.startsWith('pooling_mode_') && value === true ? [key] : []));
  if (modes.length === 1 && modes[0] === 'pooling_mode_mean_tokens') return 'mean';
  if (modes.length === 1 && modes[0] === 'pooling_mode_cls_token') return 'first';
  return refuse(join(directory, path), `pools by ${modes.join(' and ') || 'nothing'}; built are pooling_mode_mean_tokens and pooling_mode_cls_token, one of them`);
}

export async function readJson<Schema extends z.ZodType>(directory: string, path: string, schema: Schema): Promise<z.output<Schema>> {
  return parsed(join(directory, path), await readNeeded(directory, path), schema);
}

async function readJsonIfThere<Schema extends z.ZodType>(directory: string, path: string, schema: Schema): Promise<z.output<Schema> | undefined> {
  const bytes = await readIfThere(directory, path);
  return bytes === undefined ? undefined : parsed(join(directory, path), bytes, schema);
}

function parsed<Schema extends z.ZodType>(path: string, bytes: Uint8Array, schema: Schema): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    return refuse(path, `is no JSON: ${messageOf(error)}`, error);
  }
  const result = schema.safeParse(json);
  return result.success ? result.data : refuse(path, result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

export async function readNeeded(directory: string, path: string): Promise<Uint8Array> {
  return (await readIfThere(directory, path)) ?? refuse(join(directory, path), 'is missing');
}

export async function readIfThere(directory: string, path: string): Promise<Uint8Array | undefined> {
  const found = await confinedRealPath(directory, path);
  if (found === undefined) return undefined;
  try {
    return await readFile(found);
  } catch (error) {
    return refuse(join(directory, path), messageOf(error), error);
  }
}

/** Undefined where there is no such file. */
async function confinedRealPath(directory: string, path: string): Promise<string | undefined> {
  let root: string;
  let target: string;
  try {
    root = await realpath(directory);
    target = await realpath(join(directory, path));
  } catch (error) {
    return isMissing(error) ? undefined : refuse(join(directory, path), messageOf(error), error);
  }
  // In the cache of the Hub, what lies in snapshots/REVISION are links into blobs beside it.
  const cache = basename(dirname(root)) === 'snapshots' ? [join(dirname(dirname(root)), 'blobs')] : [];
  if ([root, ...cache].some((folder) => target.startsWith(folder.endsWith(sep) ? folder : folder + sep))) return target;
  return refuse(join(directory, path), 'is a link that leaves the directory');
}

/** Throws LS_MODEL_IMPORT. */
export function refuse(file: string, reason: string, cause?: unknown): never {
  throw modelError('LS_MODEL_IMPORT', `${file}: ${reason}`, { file }, { cause });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
