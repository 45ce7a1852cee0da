/** What the search makes of its vectors: cells where there are clusters, 8 bits and short heads where there are none, and both without anybody waiting for it. */
import { afterAll, expect, test } from 'vitest';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../../src/clustering/search/search-workers.ts';
import { createRandom, type Random } from '../random.ts';

const workers = createSearchWorkers();
afterAll(() => workers.close());

const dimensions = 160;
const parameters = { metric: 'cosine', eps: 0.3, minPoints: 5 } as const;

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const direction = (random: Random): Float32Array => unit(Float32Array.from({ length: dimensions }, () => random.gaussian()));
const near = (random: Random, centre: Float32Array): Float32Array => unit(centre.map((value) => value + (random.gaussian() * 0.6) / Math.sqrt(dimensions)));

function loaded(vectors: readonly Float32Array[]): Float32Array {
  const rows = new Float32Array(vectors.length * dimensions);
  for (const [index, vector] of vectors.entries()) rows.set(vector, index * dimensions);
  return rows;
}

test('cells are found in what was loaded, and answers stay those of the predicate', { timeout: 120_000 }, async () => {
  const random = createRandom(7);
  const centres = Array.from({ length: 450 }, () => direction(random));
  const rows = loaded(Array.from({ length: 45_000 }, () => near(random, random.pick(centres))));
  const search = createNeighbourSearch(dimensions, parameters, { workers });
  const plain = createPlainSearch(dimensions, parameters);
  search.load(rows);
  search.loaded();
  plain.load(rows);
  const queries = Array.from({ length: 12 }, () => near(random, random.pick(centres)));
  const agree = async (): Promise<void> => {
    for (const query of queries) expect([...(await search.find(query))].sort()).toEqual([...(await plain.find(query))].sort());
  };
  await agree();
  // Every find is behind one more search for cells.
  for (let turn = 0; turn < 400 && search.statistics().kernel !== 'cells'; turn++) await search.find(queries[0]!);
  expect(search.statistics().kernel).toBe('cells');
  await agree();
  await search.close();
});

test.each([
  ['cosine', 'cells'],
  ['euclidean', 'cells'],
  ['cosine', 'cells-float32'],
] as const)('%s, %s: cells of many pages that grow and lose rows answer as the predicate does', { timeout: 120_000 }, async (metric, kernel) => {
  const random = createRandom(9);
  // As lengths of chords both mean the same for these.
  const under = { metric, eps: metric === 'cosine' ? 0.3 : Math.sqrt(0.6), minPoints: 5 };
  const centres = Array.from({ length: 12 }, () => direction(random));
  const search = createNeighbourSearch(dimensions, under, { workers, workerFrom: 0, kernel });
  const plain = createPlainSearch(dimensions, under);
  const pairs = new Map<number, number>();
  const byPlain = (points: Iterable<number>): number[] => Array.from(points, (point) => pairs.get(point) ?? -1).sort((left, right) => left - right);
  let compared = 0;
  for (let turn = 0; turn < 24; turn++) {
    const vectors = Array.from({ length: 128 }, () => near(random, random.pick(centres)));
    const [found, wanted] = [await search.prepare(vectors), await plain.prepare(vectors)];
    for (const [index, { point }] of found.entries()) pairs.set(point, wanted[index]?.point ?? -1);
    for (const [index, { near: points }] of found.entries()) {
      expect(byPlain(points)).toEqual([...(wanted[index]?.near ?? [])].sort((left, right) => left - right));
      compared += points.length;
    }
    const alone = near(random, random.pick(centres));
    const [foundAlone, wantedAlone] = [search.prepareNow(alone), plain.prepareNow(alone)];
    expect(byPlain(foundAlone.near)).toEqual([...wantedAlone.near].sort((left, right) => left - right));
    pairs.set(foundAlone.point, wantedAlone.point);
    for (const [point, plainPoint] of pairs) {
      if (!random.chance(turn % 6 === 5 ? 0.6 : 0.1)) continue;
      search.release(point);
      plain.release(plainPoint);
      pairs.delete(point);
    }
  }
  expect(search.statistics().kernel).toBe('cells');
  expect(compared).toBeGreaterThan(100_000);
  await search.close();
});

test('few vectors take about as much memory as their numbers, and become rows of blocks when there are more', async () => {
  const random = createRandom(10);
  const search = createNeighbourSearch(dimensions, parameters, { workers });
  const plain = createPlainSearch(dimensions, parameters);
  const add = async (count: number): Promise<void> => {
    const vectors = Array.from({ length: count }, () => direction(random));
    await search.prepare(vectors);
    await plain.prepare(vectors);
  };
  await add(40);
  expect(search.statistics().kernel).toBe('plain');
  expect(search.statistics().memoryBytes).toBeLessThan(2 * 40 * dimensions * 4 + 2_048);
  await add(400);
  expect(search.statistics().kernel).toBe('flat');
  expect(search.statistics().memoryBytes).toBeLessThan(2 ** 20);
  const wanted = await plain.nearest(direction(random), 20);
  for (const { point } of wanted) expect(search.vector(point)).toEqual(plain.vector(point));
  expect([...(await search.find(plain.vector(wanted[0]?.point ?? -1)))]).toEqual([...(await plain.find(plain.vector(wanted[0]?.point ?? -1)))]);
  await search.close();
});

test('without clusters full blocks are prefiltered in 8 bits by their heads, and answers stay those of the predicate', { timeout: 120_000 }, async () => {
  const random = createRandom(8);
  const seeds = Array.from({ length: 40 }, () => direction(random));
  const rows = loaded(Array.from({ length: 18_000 }, (_, index) => (index % 100 === 0 ? near(random, random.pick(seeds)) : direction(random))));
  const search = createNeighbourSearch(dimensions, parameters, { workers });
  const plain = createPlainSearch(dimensions, parameters);
  search.load(rows);
  search.loaded();
  plain.load(rows);
  for (let turn = 0; turn < 400 && search.statistics().kernel !== 'flat-int8'; turn++) await search.find(seeds[0]!);
  expect(search.statistics().kernel).toBe('flat-int8');
  expect(search.statistics().reason).toMatch(/heads of \d+ of 160 coordinates/);
  const added = Array.from({ length: 16 }, () => near(random, random.pick(seeds)));
  const [found, wanted] = [await search.prepare(added), await plain.prepare(added)];
  expect(found.map((prepared) => [...prepared.near].sort())).toEqual(wanted.map((prepared) => [...prepared.near].sort()));
  expect(wanted.reduce((sum, prepared) => sum + prepared.near.length, 0)).toBeGreaterThan(16);
  await search.close();
});

test('a worker that fails is done without, and the statistics say so', async () => {
  const failing = { enter: () => 0, leave: () => undefined, search: () => Promise.reject(new Error('ended')), close: () => Promise.resolve() };
  const search = createNeighbourSearch(32, parameters, { workers: failing, workerFrom: 0, kernel: 'flat' });
  const vector = new Float32Array(32).fill(1);
  const [first, second] = await search.prepare([vector, vector]);
  expect([...(first?.near ?? [])]).toEqual([second?.point]);
  expect(search.statistics().reason).toContain('a worker failed 1 times');
});

test('what is released while a search runs is not in its answer, and its point is not given to others before it ends', async () => {
  const search = createNeighbourSearch(32, parameters, { workers, workerFrom: 0, kernel: 'flat' });
  const vector = new Float32Array(32).fill(1);
  const [first] = await search.prepare([vector]);
  const preparing = search.prepare([vector]);
  await Promise.resolve();
  search.release(first?.point ?? -1);
  const alone = search.prepareNow(vector);
  expect(alone.point).not.toBe(first?.point);
  const [second] = await preparing;
  expect([...(second?.near ?? [])]).not.toContain(first?.point);
  expect([...alone.near]).toContain(second?.point);
  await search.close();
});
