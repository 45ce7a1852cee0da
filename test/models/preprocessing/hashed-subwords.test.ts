import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { hashedSubwords, type HashedSubwordsParameters } from '../../../src/models/preprocessing/hashed-subwords.ts';

type Golden = {
  readonly parameters: HashedSubwordsParameters;
  readonly cases: readonly { readonly text: string; readonly ids: readonly number[]; readonly weights: readonly number[] }[];
};

const parameters: HashedSubwordsParameters = {
  wordBuckets: 1000,
  ngramBuckets: 500,
  ngramLengthMin: 3,
  ngramLengthMax: 4,
  maxWordLength: 8,
  maxCharacters: 4096,
  maxTokens: 256,
};

describe('hashed subwords', () => {
  test('equal the numbers that scripts/models computed', async () => {
    const bytes = await readFile(new URL('hashed-subwords.golden.json', import.meta.url), 'utf8');
    const golden = JSON.parse(bytes) as Golden;
    expect(golden.cases.length).toBeGreaterThan(10);
    for (const { text, ids, weights } of golden.cases) {
      const actual = hashedSubwords(text, golden.parameters);
      expect(Array.from(actual.ids), JSON.stringify(text)).toEqual(ids);
      expect(actual.weights, JSON.stringify(text)).toEqual(Float32Array.from(weights));
    }
  });

  test('give a word its own bucket and let its n-grams share a weight of 1', () => {
    const { ids, weights } = hashedSubwords('harbour', parameters);
    // <harbour> has 9 characters: 7 runs of 3 and 6 runs of 4.
    expect(ids).toHaveLength(1 + 7 + 6);
    expect(ids[0]).toBeLessThan(1000);
    expect(Math.min(...ids.slice(1))).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...ids.slice(1))).toBeLessThan(1500);
    expect(weights).toEqual(Float32Array.from([1, ...Array.from({ length: 13 }, () => 1 / 13)]));
  });

  test('do not depend on case, compatibility forms or what lies between words', () => {
    const expected = hashedSubwords('fine harbour', parameters);
    for (const text of ['FINE Harbour', ' \ufb01ne\u2026 <harbour>!', '\uff46\uff49\uff4e\uff45\u3000harbour']) {
      expect(hashedSubwords(text, parameters), text).toEqual(expected);
    }
  });

  test('give a one-letter word without n-grams its bucket alone', () => {
    const { ids, weights } = hashedSubwords('a', { ...parameters, ngramLengthMin: 4 });
    expect(ids).toHaveLength(1);
    expect(weights).toEqual(Float32Array.of(1));
  });

  test('are empty for a text without a word', () => {
    for (const text of ['', ' ', '\u{1f600}!?', '\ud800']) {
      expect(hashedSubwords(text, parameters)).toEqual({ ids: new Int32Array(), weights: new Float32Array() });
    }
  });

  test('end with the last whole word that fits', () => {
    const two = hashedSubwords('one two', parameters);
    const tight = { ...parameters, maxTokens: two.ids.length };
    expect(hashedSubwords('one two three', tight)).toEqual(two);
    expect(hashedSubwords('one two', { ...tight, maxTokens: two.ids.length - 1 })).toEqual(hashedSubwords('one', parameters));
  });

  test('cut a run of letters in pieces, each a word', () => {
    expect(hashedSubwords('harbourmaster', parameters)).toEqual(hashedSubwords('harbourm aster', parameters));
    expect(hashedSubwords('harbours', parameters).ids).toHaveLength(1 + 8 + 7);
  });

  test('look at no more than maxCharacters code points of a text of a megabyte', () => {
    for (const unit of ['x', 'word ', ' ', '\u{1d5a0}', '\ufdfa', 'a\u0301']) {
      const text = unit.repeat(1_000_000 / unit.length);
      const first = Array.from(text.slice(0, 10_000)).slice(0, parameters.maxCharacters).join('');
      const actual = hashedSubwords(text, parameters);
      expect(actual).toEqual(hashedSubwords(first, parameters));
      expect(actual.ids.length).toBeLessThanOrEqual(parameters.maxTokens);
    }
  });

  test('count a character outside the basic plane once, also where the text is cut', () => {
    const cut = { ...parameters, maxCharacters: 3 };
    expect(hashedSubwords('ab\u{1d5ba}c', cut)).toEqual(hashedSubwords('aba', parameters));
    expect(hashedSubwords('\u{1d5ba}\u{1d5ba}\u{1d5ba}\u{1d5ba}', cut)).toEqual(hashedSubwords('aaa', parameters));
  });
});
