/**
 * Text to numbers without a vocabulary: every word falls into a bucket by its hash, and so does every run of a few
 * characters of it (fastText's subwords), so that a word never seen still resembles its relatives. The text is cut to
 * its first `maxCharacters` code points, normalised to NFKC and lower-cased; a word is a run of letters, marks and
 * numbers, in pieces of at most `maxWordLength` code points. Each word gives its own bucket with weight 1 and one bucket
 * for each n-gram of `<word>`, which share a weight of 1. The first word that does not fit into `maxTokens` ends the
 * text, so the work is bounded whatever arrives. scripts/models/hashed_subwords.py does the same, bit for bit.
 */

export type HashedSubwordsParameters = {
  /** Ids 0 to wordBuckets - 1 are whole words. */
  readonly wordBuckets: number;
  /** The ids after them are n-grams. */
  readonly ngramBuckets: number;
  /** Code points, the marks at both ends of the word counted. */
  readonly ngramLengthMin: number;
  readonly ngramLengthMax: number;
  /** Code points in a piece of a word. */
  readonly maxWordLength: number;
  /** Code points of the text that are looked at. */
  readonly maxCharacters: number;
  /** Ids that a text gives at most. */
  readonly maxTokens: number;
};

/** Pairs: weights[i] belongs to ids[i]. Both are empty for a text without a word. */
export type HashedSubwords = { readonly ids: Int32Array; readonly weights: Float32Array };

type Output = { readonly ids: Int32Array; readonly weights: Float32Array; length: number };

const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const utf8 = new TextEncoder();
const wordCharacter = /[\p{L}\p{M}\p{N}]/u;

/** FNV-1a, 32 bits, then the finaliser of MurmurHash3: FNV alone mixes its low bits badly. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET_BASIS;
  for (let index = start; index < end; index += 1) {
    hash = Math.imul(hash ^ (bytes[index] ?? 0), FNV_PRIME);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Positions in UTF-8 where a code point starts, and after them the length: the ends of all n-grams. */
function codePointOffsets(bytes: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let index = 0; index < bytes.length; index += 1) {
    if (((bytes[index] ?? 0) & 0xc0) !== 0x80) {
      offsets.push(index);
    }
  }
  offsets.push(bytes.length);
  return offsets;
}

function countNgrams(markedLength: number, parameters: HashedSubwordsParameters): number {
  let count = 0;
  for (let length = parameters.ngramLengthMin; length <= parameters.ngramLengthMax; length += 1) {
    count += Math.max(0, markedLength - length + 1);
  }
  return count;
}

/** False, and nothing appended, where the word does not fit any more. */
function appendWord(output: Output, word: string, parameters: HashedSubwordsParameters): boolean {
  const bytes = utf8.encode(`<${word}>`);
  const offsets = codePointOffsets(bytes);
  const markedLength = offsets.length - 1;
  const ngramCount = countNgrams(markedLength, parameters);
  if (output.length + 1 + ngramCount > parameters.maxTokens) {
    return false;
  }
  output.ids[output.length] = hashBytes(bytes, 1, bytes.length - 1) % parameters.wordBuckets;
  output.weights[output.length] = 1;
  output.length += 1;
  for (let length = parameters.ngramLengthMin; length <= parameters.ngramLengthMax; length += 1) {
    for (let start = 0; start + length <= markedLength; start += 1) {
      const hash = hashBytes(bytes, offsets[start] ?? 0, offsets[start + length] ?? 0);
      output.ids[output.length] = parameters.wordBuckets + (hash % parameters.ngramBuckets);
      output.weights[output.length] = 1 / ngramCount;
      output.length += 1;
    }
  }
  return true;
}

/** The first `count` code points; a slice of twice as many units holds at least these, whatever is cut at its end. */
function firstCodePoints(text: string, count: number): string {
  if (text.length <= count) {
    return text;
  }
  return Array.from(text.slice(0, 2 * count)).slice(0, count).join('');
}

function* splitWords(text: string, parameters: HashedSubwordsParameters): Generator<string> {
  const folded = firstCodePoints(text, parameters.maxCharacters).normalize('NFKC').toLowerCase();
  let word = '';
  let length = 0;
  for (const character of folded) {
    const isPart = wordCharacter.test(character);
    if (isPart) {
      word += character;
      length += 1;
    }
    if (length > 0 && (!isPart || length === parameters.maxWordLength)) {
      yield word;
      word = '';
      length = 0;
    }
  }
  if (length > 0) {
    yield word;
  }
}

export function hashedSubwords(text: string, parameters: HashedSubwordsParameters): HashedSubwords {
  const output: Output = {
    ids: new Int32Array(parameters.maxTokens),
    weights: new Float32Array(parameters.maxTokens),
    length: 0,
  };
  for (const word of splitWords(text, parameters)) {
    if (!appendWord(output, word, parameters)) {
      break;
    }
  }
  return { ids: output.ids.slice(0, output.length), weights: output.weights.slice(0, output.length) };
}
