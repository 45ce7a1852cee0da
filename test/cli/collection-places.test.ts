/** Which collections a name or a template means to `collections fit` and `clusters eps`, and what each gives of a sample. */
import { describe, expect, it } from 'vitest';
import { placesOf, sharesOf, type CollectionPlace } from '../../src/cli/collection-places.ts';

type Configuration = Parameters<typeof placesOf>[1]['configuration'];

const place = (family: string, collection: string, itemCount = 1): CollectionPlace => ({
  family, collection, generation: 'g', eps: 0.1, minPoints: 5, itemCount, clusterCount: 0, noiseCount: 0, meanDegree: 0, isFrozen: false, pending: null,
}) as CollectionPlace;
const configuration = { collections: [{ name: 'news-${language}' }, { name: 'empty' }] } as Configuration;
const known = [place('news-${language}', 'news-de', 3), place('news-${language}', 'news-en', 5), place('other-${language}', 'news-en', 1)];
const view = { collections: () => ({ value: known, heldAt: [] }) };
const named = (wanted: string) => placesOf(view, { configuration }, wanted, 'do');

describe('the collections that are meant', () => {
  it('are all of the family of a template, or those of the name, in whatever families', () => {
    expect(named('news-${language}')).toEqual(known.slice(0, 2));
    expect(named('news-de')).toEqual(known.slice(0, 1));
    expect(named('news-en')).toEqual(known.slice(1));
  });

  it('are there', () => {
    expect(() => named('empty')).toThrow('the collection "empty" holds no items, so there is nothing to do; with items there are: news-de, news-en. What is not processed yet is in none: `labelstream lag` tells');
    expect(() => named('x')).toThrow('there is no collection "x" with items in it; there are: news-de, news-en');
    const nothing = { collections: () => ({ value: [], heldAt: [] }) };
    expect(() => placesOf(nothing, { configuration }, 'x', 'do')).toThrow('there are: none');
  });
});

describe('the shares of a sample', () => {
  const shares = (counts: readonly number[], sampleMax: number) => sharesOf(counts.map((itemCount) => ({ itemCount })), sampleMax);

  it('are everything where that is no more', () => {
    expect(shares([3, 5], 8)).toEqual([3, 5]);
    expect(shares([], 8)).toEqual([]);
  });

  it('are those of the items, and as much as is wanted in all', () => {
    expect(shares([1_000_000, 20_000], 20_000)).toEqual([19_607, 393]);
    const many = shares(Array.from({ length: 1000 }, () => 20_000), 500);
    expect(many.reduce((sum, share) => sum + share, 0)).toBe(500);
    expect(Math.max(...many)).toBe(1);
  });
});
