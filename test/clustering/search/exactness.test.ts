/** Every kernel, forced in turn, against the plain loop over the predicate: the same adjacency, whatever is prepared, released and asked for in between. */
import { afterAll, describe, expect, test } from 'vitest';
import type { NeighbourSearch } from '../../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch, type SearchOptions } from '../../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../../src/clustering/search/search-workers.ts';
import { createRandom, type Random } from '../random.ts';
import { vectorSources, type VectorSource } from './vector-sources.ts';

const isFull = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_261_121);
const steps = isFull ? 400 : 12;

/** However little there is to search, three threads share it. */
const workers = createSearchWorkers({ threads: 3, threadWork: 1 });
afterAll(() => workers.close());

const kernels: readonly SearchOptions[] = [
  { kernel: 'flat' },
  { kernel: 'flat', workers, workerFrom: 0 },
  { kernel: 'flat-int8', workers, workerFrom: 0 },
  { kernel: 'cells' },
  { kernel: 'cells', workers, workerFrom: 0 },
  { kernel: 'cells-float32' },
  { kernel: 'cells-float32', workers, workerFrom: 0 },
  { kernel: 'tree' },
  // What is chosen: few vectors are held otherwise than many.
  { workers, workerFrom: 0 },
];

/** The same vectors in the search under test and in the plain one, by the plain one's points. */
type Pair = { readonly fast: NeighbourSearch; readonly plain: NeighbourSearch; readonly points: Map<number, number>; readonly random: Random; readonly source: VectorSource };

const ascending = (points: Iterable<number>): number[] => [...points].sort((left, right) => left - right);

async function step({ fast, plain, points, random, source }: Pair): Promise<number> {
  const known = [...points.values()];
  const vectors = Array.from({ length: random.between(1, 24) }, () => source.next(random, known.length === 0 ? undefined : plain.vector(random.pick(known))));
  const alone = random.chance(0.3) ? vectors.pop() : undefined;
  const preparing = fast.prepare(vectors);
  const expected = await plain.prepare(vectors);
  const foundAlone = alone === undefined ? undefined : fast.prepareNow(alone);
  const found = await preparing;
  for (const [index, { point }] of found.entries()) points.set(point, expected[index]?.point ?? -1);
  const expectedAlone = alone === undefined ? undefined : plain.prepareNow(alone);
  if (foundAlone !== undefined) points.set(foundAlone.point, expectedAlone?.point ?? -1);
  let compared = 0;
  const compare = (near: Iterable<number>, plainNear: Iterable<number>): void => {
    const wanted = ascending(plainNear);
    expect(ascending(Array.from(near, (point) => points.get(point) ?? -1))).toEqual(wanted);
    compared += wanted.length;
  };
  // One that is prepared while a search runs may be found by it or not.
  for (const [index, { near }] of found.entries()) compare(near.filter((point) => point !== foundAlone?.point), expected[index]?.near ?? []);
  if (foundAlone !== undefined) compare(foundAlone.near, expectedAlone?.near ?? []);
  return compared;
}

function release({ fast, plain, points, random }: Pair, share: number): void {
  for (const [point, plainPoint] of points) {
    if (!random.chance(share)) continue;
    fast.release(point);
    plain.release(plainPoint);
    points.delete(point);
  }
}

function edges(pairs: Iterable<{ readonly point: number; readonly near: Int32Array }>, points: ReadonlyMap<number, number>): string[] {
  const name = (point: number): number => points.get(point) ?? -1;
  return Array.from(pairs, ({ point, near }) => Array.from(near, (other) => ascending([name(point), name(other)]).join('-'))).flat().sort();
}

describe.each(vectorSources.map((open) => [open().name, open] as const))('%s', (_, open) => {
  test.each(kernels.map((options) => [`${options.kernel ?? 'any kernel'}${options.workers === undefined ? '' : ' in the worker'}`, options] as const))('%s', { timeout: 3_600_000 }, async (__, options) => {
    const random = createRandom(seed);
    const source = open();
    const { dimensions, parameters } = source;
    const pair: Pair = { fast: createNeighbourSearch(dimensions, parameters, options), plain: createPlainSearch(dimensions, parameters), points: new Map(), random, source };
    const { fast, plain, points } = pair;
    let compared = 0;
    for (let index = 0; index < steps; index++) {
      compared += await step(pair);
      release(pair, index % 8 === 7 ? 0.5 : 0.05);
    }
    expect(compared).toBeGreaterThan(steps);
    const names = new Map([...points.values()].map((point) => [point, point]));
    const other = { ...parameters, metric: parameters.metric === 'cosine' ? ('euclidean' as const) : ('cosine' as const), eps: 0.5 };
    for (const under of [parameters, { ...parameters, eps: parameters.eps * 1.5 }, other]) {
      const wanted = edges(plain.pairsNow(under), names);
      expect(edges(fast.pairsNow(under), points)).toEqual(wanted);
    }
    const query = source.next(random, undefined);
    expect(ascending(Array.from(await fast.find(query), (point) => points.get(point) ?? -1))).toEqual(ascending(await plain.find(query)));
    const distances = (nearest: readonly { readonly distance: number }[]): number[] => nearest.map(({ distance }) => distance);
    expect(distances(await fast.nearest(query, 7))).toEqual(distances(await plain.nearest(query, 7)));
    for (const [point, plainPoint] of points) {
      expect(fast.vector(point)).toEqual(plain.vector(plainPoint));
      expect(fast.norm(point)).toBe(plain.norm(plainPoint));
    }
    await fast.close();
  });
});

test('the seed of this run', () => {
  console.log(`seed ${seed}, ${steps} steps per source and kernel`);
  expect(kernels).toHaveLength(9);
});
