/** A tokenizer.json of a few words, and a network that reads its ids: a transformer's directory that needs no download. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryDirectory } from './model-directory.ts';
import { node, onnxModel, tensor, type Port } from './onnx-writer.ts';
import { weights } from './onnx-fixtures.ts';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'cat', 'sat', 'mat', 'the', 'on', '##s', '##ting', 'caf', '##e', 'σ', '##σ', 'ο', '##ο', '.', ',', 'q', '##q', 'Cat', 'é', '##é', 'word'];
const specials = words.slice(0, 5);

export const toyId = (token: string): number => words.indexOf(token);
export const toyIds = (...tokens: readonly string[]): number[] => tokens.map(toyId);

export type Json = Readonly<Record<string, unknown>>;

/** Pads and cuts to 8 by itself, as published ones do: that must not count. */
export const toyTokenizer: Json = {
  version: '1.0',
  truncation: { max_length: 8, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
  padding: { strategy: { Fixed: 8 }, direction: 'Right', pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
  added_tokens: specials.map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }],
    pair: [],
    special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
};

export const toyDimensions = 6;
const port = (name: string): Port => ({ name, type: 'int64', shape: ['batch', 'length'] });
const table = tensor('table', [words.length, toyDimensions], weights(words.length * toyDimensions, 5));

/** last_hidden_state = table[ids], with a mask that counts for nothing; `quantised`: by one scale over the whole batch, as dynamic quantisation does. */
export function toyTransformer(variant: 'good' | 'quantised' = 'good'): Uint8Array {
  const mask = [node('Cast', ['attention_mask'], ['mask'], [{ name: 'to', value: 1 }]), node('Unsqueeze', ['mask', 'last-axis'], ['mask-column'])];
  const axis = tensor('last-axis', [1], BigInt64Array.from([2n]));
  const masked = [node('Gather', ['table', 'input_ids'], ['rows']), ...mask, node('Mul', ['rows', 'mask-column'], [variant === 'good' ? 'last_hidden_state' : 'masked'])];
  return onnxModel({
    inputs: [port('input_ids'), port('attention_mask')],
    outputs: [{ name: 'last_hidden_state', type: 'float32', shape: ['batch', 'length', toyDimensions] }],
    initializers: [table, axis],
    nodes: variant === 'good' ? masked : [
      ...masked,
      node('DynamicQuantizeLinear', ['masked'], ['quantised', 'scale', 'zero']),
      node('DequantizeLinear', ['quantised', 'scale', 'zero'], ['last_hidden_state']),
    ],
  });
}

export type ToyFiles = Readonly<Record<string, Json | readonly unknown[] | Uint8Array | undefined>>;

const sourceFiles: ToyFiles = {
  'config.json': { model_type: 'bert', hidden_size: toyDimensions, max_position_embeddings: 40 },
  'tokenizer.json': { ...toyTokenizer, truncation: null },
  'tokenizer_config.json': { do_lower_case: true, model_max_length: 1e30 },
  'onnx/model.onnx': toyTransformer(),
};

/** A directory in the layout of Hugging Face. What is undefined in `overrides` is left out. */
export async function toySource(overrides: ToyFiles = {}): Promise<string> {
  const directory = join(await temporaryDirectory(), 'Toy Encoder_v1');
  for (const [path, content] of Object.entries({ ...sourceFiles, ...overrides })) {
    if (content === undefined) continue;
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return directory;
}
