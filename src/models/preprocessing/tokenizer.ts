/**
 * A text becomes the ids that a transformer was trained on, by the tokenizer.json that it was published with. What that file says of padding and
 * truncation is left aside: the manifest's `maxTokens` cuts, at the end and in front of the closing special tokens, and the length bucket pads.
 * tokenizer_config.json beside it counts where the manifest lists it. As with Hugging Face, a text that spells out a special token ("[SEP]") gets
 * that token, which nothing but its own vector depends on, and what the vocabulary lacks becomes [UNK]. A text of which nothing is left is refused.
 * A regular expression that one text could keep searching for ever, words of many pieces, and steps that the library takes otherwise than the one
 * with which models are trained, are refused at the load.
 */
import { posix } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { modelError } from '../../core/errors/model.ts';
import type { GraphManifest } from '../manifest.ts';
import type { GraphArtefacts } from '../repository.ts';
import { isLinearPattern, patternSources } from './linear-pattern.ts';
import { lengthBucket, type Preprocessor } from './preprocessor.ts';

export type TokenizerPreprocessing = Extract<GraphManifest['preprocessing'], { kind: 'tokenizer' }>;

export const tokenizerConfigName = 'tokenizer_config.json';

/**
 * UTF-16 units that are looked at, for each token that a text may have. The work for a word grows with the square of its length, so that a long
 * text without spaces would keep a worker for seconds. Ordinary text has 3 to 5 units per token: what is left out would have been cut anyway.
 */
const unitsPerToken = 16;

/** Published files have 100. The work for a word grows with its square, and faster: at 1,000 one text takes 20 seconds, at 200 half a second. */
const wordUnitsMax = 200;

/** Ordinary text has about so many UTF-16 units per token; only the queue's guess rests on it. */
const unitsPerTokenUsual = 4.2;

/** What is read here; the library reads the rest. */
const tokenizerFile = z.looseObject({
  added_tokens: z.array(z.looseObject({ content: z.string().min(1), single_word: z.boolean().default(false) })).default([]),
  normalizer: z.looseObject({ type: z.string() }).nullable().default(null),
  pre_tokenizer: z.looseObject({ type: z.string() }).nullable().default(null),
  post_processor: z.looseObject({ type: z.string() }).nullable().default(null),
  decoder: z.looseObject({ type: z.string() }).nullable().default(null),
  model: z.looseObject({
    type: z.literal('WordPiece', 'must be WordPiece, the only kind of tokenizer that is read'),
    unk_token: z.string(),
    max_input_chars_per_word: z.int().min(1).max(wordUnitsMax).default(100),
    vocab: z.record(z.string(), z.int().min(0)),
  }),
});

type TokenizerFile = z.infer<typeof tokenizerFile>;

const tokenizerConfig = z.looseObject({
  do_lower_case: z.boolean().nullish(),
  strip_accents: z.boolean().nullish(),
  tokenize_chinese_chars: z.boolean().nullish(),
});

type TokenizerConfig = z.infer<typeof tokenizerConfig>;

/** The bytes of a model's files by their paths, and the directory for messages. */
export type ModelFiles = { readonly directory: string; readonly files: ReadonlyMap<string, Uint8Array> };

export type TokenIds = (text: string) => number[];

/** Throws LS_MODEL_LOAD where a file is not what it should be. The function gives the ids of a text, special ones included, cut to `maxTokens`. */
export function createTokenIds({ directory, files }: ModelFiles, file: string, maxTokens: number): TokenIds {
  const refuse: Refuse = (path, reason, cause) => {
    throw modelError('LS_MODEL_LOAD', `${posix.join(directory, path)}: ${reason}`, { directory, file: path }, { cause });
  };
  const configFile = posix.join(posix.dirname(file), tokenizerConfigName);
  const config = files.has(configFile) ? parsed(tokenizerConfig, files.get(configFile), configFile, refuse) : {};
  const published = asConfigured(parsed(tokenizerFile, files.get(file), file, refuse), config);
  const { model, added_tokens: addedTokens } = published;
  if (!Object.hasOwn(model.vocab, model.unk_token)) refuse(file, `the vocabulary lacks ${model.unk_token}, which stands for the words that it lacks`);
  const pattern = patternSources([published.normalizer, published.pre_tokenizer]).find((source) => !isLinearPattern(source));
  if (pattern !== undefined) refuse(file, `the regular expression ${pattern} is not taken: only rows of characters and classes whose last one is repeated are`);
  const foreign = foreignStep(published.pre_tokenizer);
  if (foreign !== undefined) refuse(file, `the pre-tokenizer ${foreign} is not taken as it is set: it would give other tokens than where the model was trained`);
  const single = addedTokens.find((token) => token.single_word);
  if (single !== undefined) refuse(file, `the token ${single.content} stands for whole words only, which is not built`);
  const tokenizer = opened(published, config, (error) => refuse(file, 'the tokenizer cannot be read', error));
  const { opening, closing } = specialTokens(tokenizer);
  const contentMax = maxTokens - opening.length - closing.length;
  if (contentMax < 1) refuse(file, `${maxTokens} tokens leave no room beside the special ones`);
  const prepared = textPreparation(published);
  return (text) => {
    const content = tokenizer.encode(prepared(firstUnits(text, unitsPerToken * maxTokens)), { add_special_tokens: false }).ids;
    return content.length === 0 ? [] : [...opening, ...content.slice(0, contentMax), ...closing];
  };
}

export function createTokenizerPreprocessor(parameters: TokenizerPreprocessing, lengths: readonly number[], artefacts: GraphArtefacts): Preprocessor {
  const { ids: idsPort, mask: maskPort, types: typesPort } = parameters.inputs;
  const tokenIds = createTokenIds(artefacts, parameters.file, parameters.maxTokens);
  const ports = [idsPort, maskPort, typesPort].flatMap((name) => (name === undefined ? [] : [{ name, type: 'int64', itemDimensions: ['length'] } as const]));
  return {
    ports,
    prepare: (input) => {
      if (input.kind !== 'text') throw modelError('LS_MODEL_INPUT', `this model reads a text, not ${input.kind}`);
      const ids = tokenIds(input.text);
      if (ids.length === 0) throw modelError('LS_MODEL_INPUT', 'the field text holds nothing that the tokenizer keeps', { field: 'text' });
      return {
        values: {
          [idsPort]: BigInt64Array.from(ids, BigInt),
          ...(maskPort === undefined ? {} : { [maskPort]: new BigInt64Array(ids.length).fill(1n) }),
          // One sentence, no pair: every token is of type 0, and so is what stands for padding.
          ...(typesPort === undefined ? {} : { [typesPort]: new BigInt64Array(ids.length) }),
        },
        length: lengthBucket(ids.length, lengths),
        tokens: ids.length,
      };
    },
  };
}

/** About how many tokens a text has, told from its length: the vocabulary is not loaded where the queue is. */
export function estimatedTokens(text: string): number {
  return 2 + Math.ceil(text.length / unitsPerTokenUsual);
}

type Refuse = (path: string, reason: string, cause?: unknown) => never;

function parsed<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array | undefined, file: string, refuse: Refuse): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes ?? []).toString('utf8'));
  } catch (error) {
    return refuse(file, `is no JSON: ${messageOf(error)}`, error);
  }
  const result = schema.safeParse(json);
  return result.success ? result.data : refuse(file, result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
}

/** As BertTokenizerFast of transformers: what tokenizer_config.json says of lower case, accents and ideographs replaces what tokenizer.json says. */
function asConfigured(file: TokenizerFile, config: TokenizerConfig): TokenizerFile {
  if (file.normalizer?.type !== 'BertNormalizer') return file;
  return {
    ...file,
    normalizer: {
      ...file.normalizer,
      ...(typeof config.do_lower_case === 'boolean' ? { lowercase: config.do_lower_case } : {}),
      ...(config.strip_accents === undefined ? {} : { strip_accents: config.strip_accents }),
      ...(typeof config.tokenize_chinese_chars === 'boolean' ? { handle_chinese_chars: config.tokenize_chinese_chars } : {}),
    },
  };
}

function opened(file: TokenizerFile, config: TokenizerConfig, refuse: (error: unknown) => never): Tokenizer {
  try {
    return new Tokenizer({ ...file, pre_tokenizer: withUnicodeWords(file.pre_tokenizer) }, config);
  } catch (error) {
    return refuse(error);
  }
}

/** The Rust library's `\w`; the white space of both is `\p{White_Space}` there, while JavaScript's `\s` counts U+FEFF and leaves out U+0085. */
const wordCharacters = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d`;

/** What a word is to the steps of these types. */
const wordPatterns = new Map<unknown, string>([
  ['Whitespace', String.raw`[${wordCharacters}]+|[^${wordCharacters}\p{White_Space}]+`],
  ['WhitespaceSplit', String.raw`\P{White_Space}+`],
]);

const isStep = (step: unknown): step is { readonly type: unknown } => typeof step === 'object' && step !== null && 'type' in step;

/** The library's own steps of these types split at every letter that is not ASCII ("café" becomes "caf", "é"), or at other blanks than the Rust one. */
function withUnicodeWords(step: unknown): unknown {
  if (!isStep(step)) return step;
  if ('pretokenizers' in step && Array.isArray(step.pretokenizers)) return { ...step, pretokenizers: step.pretokenizers.map(withUnicodeWords) };
  const pattern = wordPatterns.get(step.type);
  return pattern === undefined ? step : { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true };
}

/** The type of the first step that the library takes otherwise than the Rust one, if at all: digits and punctuation are others to it, and most ways to split unknown. */
function foreignStep(steps: unknown): string | undefined {
  const open = [steps];
  while (open.length > 0) {
    const step = open.pop();
    if (!isStep(step)) continue;
    if (step.type === 'Sequence' && 'pretokenizers' in step && Array.isArray(step.pretokenizers)) for (const inner of step.pretokenizers) open.push(inner);
    else if (step.type === 'Split' ? !isFamiliarSplit(step) : step.type !== 'BertPreTokenizer' && !wordPatterns.has(step.type)) return typeof step.type === 'string' ? step.type : '';
  }
  return undefined;
}

const splitStep = z.discriminatedUnion('behavior', [
  z.looseObject({ behavior: z.literal('Removed'), pattern: z.looseObject({ Regex: z.string() }) }),
  z.looseObject({ behavior: z.literal('Isolated'), invert: z.literal(false) }),
]);

const isFamiliarSplit = (step: object): boolean => splitStep.safeParse(step).success;

/** What the tokenizer puts before and after a text. */
function specialTokens(tokenizer: Tokenizer): { readonly opening: readonly number[]; readonly closing: readonly number[] } {
  const probe = tokenizer.encode('a', { add_special_tokens: false }).ids;
  const whole = tokenizer.encode('a').ids;
  const start = whole.findIndex((_, index) => probe.every((id, offset) => whole[index + offset] === id));
  return { opening: whole.slice(0, start), closing: whole.slice(start + probe.length) };
}

/** Without half a code point at the end. What has no UTF-8 form cannot have come through a stream, and is replaced as there. */
function firstUnits(text: string, count: number): string {
  if (text.length <= count) return text.toWellFormed();
  const cut = text.slice(0, count);
  return (/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut).toWellFormed();
}

/** Ideographs beyond 16 bits, as far as the Rust library sets them apart. */
const wideIdeographs = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/**
 * What the library does otherwise than the Rust one, with which such models are trained: it overlooks ideographs beyond 16 bits, and it lowers
 * a sigma at the end of a word to another letter. How it splits a text is mended above. What remains are letters that became marks or punctuation
 * after Unicode 8, in rare scripts, and U+0085 and U+FEFF before a BertPreTokenizer where no normalizer cleans the text.
 */
function textPreparation({ normalizer }: TokenizerFile): (text: string) => string {
  if (normalizer?.type !== 'BertNormalizer') return (text) => text;
  const { lowercase, handle_chinese_chars: ideographs } = normalizer;
  return (text) => {
    const lowered = lowercase === true ? text.replaceAll('Σ', 'σ') : text;
    return ideographs === true ? lowered.replace(wideIdeographs, ' $& ') : lowered;
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
