// The vectors that a view gives of a collection: all, or always the same ones of them.
import { expect, test } from 'vitest';
import { seededRandom, shuffled } from '../../../src/core/seeded-random.ts';
import { define, openFold, type FoldHarness } from './fold-harness.ts';

const items = Array.from({ length: 200 }, (_, index) => `item-${String(index).padStart(3, '0')}`);

async function foldOf(order: readonly string[]): Promise<FoldHarness> {
  const harness = openFold();
  await harness.fold(define());
  for (const [origin, item] of order.entries()) {
    const collection = item.endsWith('7') ? 'news-de' : 'news-en';
    await harness.insert({ item, at: [Number(item.slice(5)), 1], origin, collection });
  }
  return harness;
}

const places = (vectors: readonly Float32Array[]): number[] => vectors.map(([place = -1]) => place);

test('all vectors of a collection, in the order of their items, with what they are compared by', async () => {
  const { partition } = await foldOf(shuffled(items, seededRandom(1)));
  const [sample, ...others] = partition.view.vectors('news-en', 1000);
  expect(others).toEqual([]);
  expect(sample).toMatchObject({ collection: 'news-en', itemCount: 180, parameters: { metric: 'euclidean', eps: 1, minPoints: 3 } });
  expect(places(sample!.vectors)).toEqual(items.filter((item) => !item.endsWith('7')).map((item) => Number(item.slice(5))));
  expect(partition.view.vectors('news-de', 1000)[0]?.vectors).toHaveLength(20);
  expect(partition.view.vectors('news-fr', 1000)).toEqual([]);
});

test('a sample has the size asked for, is the same in whatever order items came, and a part of every larger one', async () => {
  const [one, other] = [await foldOf(items), await foldOf(shuffled(items, seededRandom(2)))];
  const sampleOf = ({ partition }: FoldHarness, size: number): number[] => places(partition.view.vectors('news-en', size)[0]!.vectors);
  let smaller: number[] = [];
  for (const size of [1, 10, 90, 179, 180, 181]) {
    const sample = sampleOf(one, size);
    expect(sample).toHaveLength(Math.min(size, 180));
    expect(sampleOf(other, size)).toEqual(sample);
    expect(sample).toEqual(expect.arrayContaining(smaller));
    smaller = sample;
  }
  // Spread over ids that count upwards: neither the first nor the last ones.
  const half = sampleOf(one, 90);
  expect(half.filter((place) => place < 100).length).toBeGreaterThan(25);
  expect(half.filter((place) => place >= 100).length).toBeGreaterThan(25);
});

test('what is done to the vectors given does nothing to those of the collection', async () => {
  const { partition } = await foldOf(items.slice(0, 3));
  partition.view.vectors('news-en', 10)[0]!.vectors[0]!.fill(9);
  expect(places(partition.view.vectors('news-en', 10)[0]!.vectors)).toEqual([0, 1, 2]);
});
