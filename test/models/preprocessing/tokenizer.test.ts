import { describe, expect, test } from 'vitest';
import { createTokenIds, estimatedTokens, tokenizerConfigName } from '../../../src/models/preprocessing/tokenizer.ts';
import { toyId, toyIds, toyTokenizer, type Json } from '../toy-transformer.ts';

const bytes = (json: unknown): Uint8Array => Buffer.from(JSON.stringify(json));

function idsOf(text: string, { maxTokens = 16, tokenizer = toyTokenizer, config }: { maxTokens?: number; tokenizer?: Json; config?: Json } = {}): number[] {
  const files = new Map([['tokenizer.json', bytes(tokenizer)], ...(config === undefined ? [] : [[tokenizerConfigName, bytes(config)] as const])]);
  return createTokenIds({ directory: 'toy', files }, 'tokenizer.json', maxTokens)(text);
}

describe('ids of a text', () => {
  test.each<[string, string, string[]]>([
    ['the longest piece first', 'Cats sat on the MAT.', ['cat', '##s', 'sat', 'on', 'the', 'mat', '.']],
    ['accents are stripped', 'café cafe\u0301', ['caf', '##e', 'caf', '##e']],
    ['what the vocabulary lacks is one token', 'cat zebra 猫😀', ['cat', '[UNK]', '[UNK]', '[UNK]']],
    ['control characters vanish', 'c\u0000a\u200bt\ufffd', ['cat']],
    ['a sigma is a sigma at the end of a word, too', 'ΣΟΣ', ['σ', '##ο', '##σ']],
    ['ideographs beyond 16 bits stand alone', 'cat𠀀𠀁cat', ['cat', '[UNK]', '[UNK]', 'cat']],
    ['half a code point is what has no UTF-8 form', 'cat\ud83d', ['cat']],
    ['a special token that is spelled out is that token', 'cat[SEP]sat [MASK] [sep]', ['cat', '[SEP]', 'sat', '[MASK]', '[UNK]', '[UNK]', '[UNK]']],
  ])('%s', (_, text, tokens) => {
    expect(idsOf(text)).toEqual(toyIds('[CLS]', ...tokens, '[SEP]'));
  });

  test('are not padded, and cut in front of the closing special token, by the manifest instead of tokenizer.json', () => {
    expect(idsOf('cat')).toHaveLength(3);
    const long = 'cat sat on the mat the cat sat on the mat the cat sat on the mat';
    expect(idsOf(long)).toHaveLength(16);
    expect(idsOf(long, { maxTokens: 4 })).toEqual(toyIds('[CLS]', 'cat', 'sat', '[SEP]'));
  });

  test.each([
    ['', 'nothing'],
    [' \n\t\u3000', 'blanks'],
    ['\u0301'.repeat(100_000), 'marks alone'],
    ['\u0000\u200b\ufeff\ufffd', 'control characters alone'],
    ['\ud83d'.repeat(1_000), 'halves of code points alone'],
  ])('there are none where nothing is left: %#', (text) => {
    expect(idsOf(text)).toEqual([]);
  });

  test('tokenizer_config.json beside it counts for lower case, accents and ideographs', () => {
    expect(idsOf('Cat é', { config: { do_lower_case: false, strip_accents: null } })).toEqual(toyIds('[CLS]', 'Cat', 'é', '[SEP]'));
    expect(idsOf('É', { config: { do_lower_case: true, strip_accents: false } })).toEqual(toyIds('[CLS]', 'é', '[SEP]'));
    expect(idsOf('cat猫', { config: { tokenize_chinese_chars: false } })).toEqual(toyIds('[CLS]', '[UNK]', '[SEP]'));
  });

  test('the units that are looked at are bounded, and none is cut in half', () => {
    const tokens = 8;
    const blanks = ' '.repeat(16 * tokens - 1);
    expect(idsOf(`${blanks}q cat`, { maxTokens: tokens })).toEqual(toyIds('[CLS]', 'q', '[SEP]'));
    expect(idsOf(`${blanks}😀`, { maxTokens: tokens })).toEqual([]);
    expect(idsOf('q'.repeat(100_000), { maxTokens: tokens })).toEqual(toyIds('[CLS]', '[UNK]', '[SEP]'));
    expect(idsOf('q'.repeat(100), { maxTokens: tokens })).toEqual([toyId('[CLS]'), toyId('q'), ...Array.from({ length: 5 }, () => toyId('##q')), toyId('[SEP]')]);
  });
});

/** The tokens are those of the Rust library, tokenizers 0.23.3 for Python. */
describe('words are those of all scripts', () => {
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'cat', 'café', 'caf', 'é', 'über', 'x', '²', 'x²', '!?', '१२', 'a_b', 'a', 'b', 'a\ufeffb', '\ufeff', 'क्षि', 'a\u200cb', '猫', '…'];
  const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
  const rows: readonly [text: string, atWords: string[], atBlanks: string[]][] = [
    ['café über', ['café', 'über'], ['café', 'über']],
    ['x²', ['x', '²'], ['x²']],
    ['cat!? cat', ['cat', '!?', 'cat'], ['[UNK]', 'cat']],
    ['१२ a_b', ['१२', 'a_b'], ['१२', 'a_b']],
    ['a\u0085b', ['a', 'b'], ['a', 'b']],
    ['a\ufeffb', ['a', '\ufeff', 'b'], ['a\ufeffb']],
    ['a\u00a0b\u3000cat', ['a', 'b', 'cat'], ['a', 'b', 'cat']],
    ['a\u200cb', ['a\u200cb'], ['a\u200cb']],
    ['क्षि', ['क्षि'], ['क्षि']],
    ['猫…cat', ['猫', '…', 'cat'], ['[UNK]']],
  ];
  const tokens = (text: string, step: Json): string[] => {
    const tokenizer = { ...toyTokenizer, normalizer: null, pre_tokenizer: step, model: { ...(toyTokenizer['model'] as Json), vocab } };
    return idsOf(text, { tokenizer }).slice(1, -1).map((id) => words[id] ?? '');
  };
  test.each(rows)('%s', (text, atWords, atBlanks) => {
    expect(tokens(text, { type: 'Whitespace' })).toEqual(atWords);
    expect(tokens(text, { type: 'WhitespaceSplit' })).toEqual(atBlanks);
    expect(tokens(text, { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }] }] })).toEqual(atWords);
  });
});

test('a pattern that only repeats its end is taken', () => {
  const normalizer = { type: 'Sequence', normalizers: [toyTokenizer['normalizer'], { type: 'Replace', pattern: { Regex: '_+' }, content: ' ' }] };
  expect(idsOf('cat___sat', { tokenizer: { ...toyTokenizer, normalizer } })).toEqual(toyIds('[CLS]', 'cat', 'sat', '[SEP]'));
});

describe('a tokenizer is refused', () => {
  const model = toyTokenizer['model'] as Json;
  test.each<[string, Json, RegExp]>([
    ['of another kind', { ...toyTokenizer, model: { ...model, type: 'Unigram' } }, /model\.type: must be WordPiece/],
    ['without a token for what it lacks', { ...toyTokenizer, model: { ...model, unk_token: '<unk>' } }, /lacks <unk>/],
    ['with tokens for whole words', { ...toyTokenizer, added_tokens: [{ id: 5, content: 'cat', single_word: true }] }, /cat stands for whole words/],
    ['with a word of many pieces', { ...toyTokenizer, model: { ...model, max_input_chars_per_word: 201 } }, /max_input_chars_per_word/],
    ['with a pattern that can search for ever', { ...toyTokenizer, normalizer: { type: 'Replace', pattern: { Regex: '^(\\w+\\s?)*$' }, content: '' } }, /regular expression \^\(/],
    ['with such a pattern deep in a sequence', { ...toyTokenizer, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: 'a+b' } }] } }, /regular expression a\+b/],
    ['with a pattern that is none', { ...toyTokenizer, normalizer: { type: 'Replace', pattern: { Regex: '[z-a]' }, content: '' } }, /cannot be read/],
    ['with a class that is none', { ...toyTokenizer, normalizer: { type: 'Replace', pattern: { Regex: '\\p{Unheard}' }, content: '' } }, /cannot be read/],
    ['that the library cannot read', { ...toyTokenizer, normalizer: { type: 'Unheard' } }, /cannot be read/],
    ['with other digits than where the model was trained', { ...toyTokenizer, pre_tokenizer: { type: 'Digits', individual_digits: true } }, /the pre-tokenizer Digits is not taken/],
    ['with other punctuation, deep in a sequence', { ...toyTokenizer, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Whitespace' }, { type: 'Punctuation' }] } }, /the pre-tokenizer Punctuation is not taken/],
    ['that splits in a way that is not built', { ...toyTokenizer, pre_tokenizer: { type: 'Split', pattern: { Regex: '\\s' }, behavior: 'MergedWithPrevious', invert: false } }, /the pre-tokenizer Split is not taken/],
    ['that splits around a string', { ...toyTokenizer, pre_tokenizer: { type: 'Split', pattern: { String: 'a' }, behavior: 'Removed', invert: false } }, /the pre-tokenizer Split is not taken/],
    ['that splits by what is left', { ...toyTokenizer, pre_tokenizer: { type: 'Split', pattern: { Regex: '\\s' }, behavior: 'Isolated', invert: true } }, /the pre-tokenizer Split is not taken/],
  ])('%s', (_, tokenizer, message) => {
    expect(() => idsOf('cat', { tokenizer })).toThrow(expect.objectContaining({ code: 'LS_MODEL_LOAD', message: expect.stringMatching(message) as string }));
  });

  test('that is no JSON, or leaves no room', () => {
    const files = new Map([['tokenizer.json', Buffer.from('{')]]);
    expect(() => createTokenIds({ directory: 'toy', files }, 'tokenizer.json', 16)).toThrow(/is no JSON/);
    expect(() => idsOf('cat', { maxTokens: 2 })).toThrow(/leave no room/);
  });
});

test('the guess of the queue grows with the text', () => {
  expect(estimatedTokens('')).toBe(2);
  expect(estimatedTokens('I am still waiting on my card?')).toBe(10);
});
