/** Questions that change nothing: where a vector would be, what is nearest, why an item is where it is. */
import { describe, expect, test } from 'vitest';
import type { Clustering, ClusteringParameters, Mutation } from '../../src/clustering/clustering.ts';
import { distanceFor, normOf } from '../../src/clustering/distance.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';
import { identity, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';

const at = (itemId: string, place: number): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.of(place) });

function line(places: Readonly<Record<string, number>>, parameters: Partial<ClusteringParameters> = {}): Clustering {
  const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 3, ...parameters }, identity);
  clustering.apply(Object.entries(places).map(([itemId, place]) => at(itemId, place)), 1n);
  return clustering;
}

describe('assign', () => {
  test('core, border, noise, and what would found a cluster of its own', async () => {
    const clustering = line({ a: 0, b: 0.5, c: 1, m: 5, n: 5.5 });
    const [clusterId] = clustering.clusterIds();
    expect(await clustering.assign(Float32Array.of(0.75))).toEqual({ role: 'core', clusterId, nearestCore: { itemId: 'b', distance: 0.25 } });
    expect(await clustering.assign(Float32Array.of(1.75))).toEqual({ role: 'border', clusterId, nearestCore: { itemId: 'c', distance: 0.75 } });
    expect(await clustering.assign(Float32Array.of(9))).toEqual({ role: 'noise', clusterId: null, nearestCore: null });
    expect(await clustering.assign(Float32Array.of(5.25))).toEqual({ role: 'core', clusterId: null, nearestCore: null });
    expect(clustering.size).toBe(5);
  });

  test('of the state that the answer finds, where records are applied meanwhile', async () => {
    const clustering = line({ a: 0, b: 0.1, c: 0.2 });
    const asked = clustering.assign(Float32Array.of(0.05));
    const nearest = clustering.nearest(Float32Array.of(0.05), 3);
    const nearestOfItem = clustering.nearest('a', 1);
    // Each item moves a little.
    clustering.apply([at('a', 0.01), at('b', 0.11), at('c', 0.21)], 2n);
    expect(await asked).toMatchObject({ role: 'core', clusterId: clustering.clusterIds()[0], nearestCore: { itemId: 'a' } });
    expect((await nearest).map(({ itemId }) => itemId)).toEqual(['a', 'b', 'c']);
    expect((await nearestOfItem).map(({ itemId }) => itemId)).toEqual(['b']);
    const beforeTheLastGoes = clustering.assign(Float32Array.of(0.05));
    clustering.apply(['a', 'b', 'c'].map((itemId) => ({ kind: 'remove', itemId, told: false })), 3n);
    expect(await beforeTheLastGoes).toEqual({ role: 'noise', clusterId: null, nearestCore: null });
  });

  test('in a clustering without items', async () => {
    const of = (minPoints: number): Clustering => createClustering({ metric: 'cosine', eps: 0.1, minPoints }, identity);
    expect(await of(2).assign(Float32Array.of(1, 2))).toEqual({ role: 'noise', clusterId: null, nearestCore: null });
    expect(await of(1).assign(Float32Array.of(1, 2))).toMatchObject({ role: 'core', clusterId: null });
  });

  test(`says of any vector what inserting it then does, unless that changes clusters (seed ${seed})`, async () => {
    let compared = 0;
    for (let index = 0; index < 8; index++) {
      const { scenario, random } = scenarioFor(9000 + index);
      const live = new Map<string, Float32Array>();
      const clustering = createClustering(scenario.parameters, identity);
      let sequence = 0n;
      for (const numbered of stepsOf(scenario, random, 10, live)) {
        mutate(live, numbered.step.mutations);
        perform(clustering, numbered);
        ({ sequence } = numbered);
      }
      for (let count = 0; count < 20; count++) {
        const vector = random.pick(scenario.places);
        const placement = await clustering.assign(vector);
        const clusterIds = clustering.clusterIds();
        const { transitions } = clustering.apply([{ kind: 'insert', itemId: 'visitor', vector }], ++sequence);
        const { role, clusterId } = clustering.item('visitor')!;
        expect(placement.role === 'core').toBe(role === 'core');
        if (transitions.length === 0 && (role === 'core' || placement.role === role)) {
          compared++;
          // Whoever becomes core by it may be nearer to a border item than any core before.
          if (role !== 'border' || placement.clusterId === clusterId) expect(placement).toMatchObject({ role, clusterId });
        }
        clustering.apply([{ kind: 'remove', itemId: 'visitor', told: false }], ++sequence);
        expect(clustering.clusterIds().length).toBe(clusterIds.length);
      }
    }
    expect(compared).toBeGreaterThan(80);
  });

  test('asks for no length where the next item decides it', async () => {
    const clustering = line({ a: 0 });
    clustering.apply([{ kind: 'remove', itemId: 'a', told: false }], 100n);
    expect(await clustering.assign(Float32Array.of(1, 2))).toEqual({ role: 'noise', clusterId: null, nearestCore: null });
    expect(await clustering.nearest(Float32Array.of(1, 2), 3)).toEqual([]);
  });

  test('refuses what has no distance', async () => {
    const invalid = expect.objectContaining({ code: 'LS_CLUSTERING_VECTOR_INVALID' }) as unknown;
    await expect(line({ a: 0 }).assign(Float32Array.of(1, 2))).rejects.toEqual(invalid);
    await expect(line({ a: 0 }).nearest(Float32Array.of(Number.NaN), 1)).rejects.toEqual(invalid);
  });
});

describe('nearest', () => {
  test('to an item without itself, to a vector, with items of equal vectors in the order of their ids', async () => {
    const clustering = line({ b: 0, a: 0, c: 2, d: -1, e: 9 });
    expect(await clustering.nearest('b', 3)).toEqual([{ itemId: 'a', distance: 0 }, { itemId: 'd', distance: 1 }, { itemId: 'c', distance: 2 }]);
    expect((await clustering.nearest(Float32Array.of(0.5), 3)).map(({ itemId }) => itemId)).toEqual(['a', 'b', 'c']);
    expect(await clustering.nearest('nobody', 3)).toEqual([]);
    expect(await clustering.nearest('b', 99)).toHaveLength(4);
    expect(await createClustering(clustering.parameters, identity).nearest(Float32Array.of(1), 3)).toEqual([]);
  });

  test('passes over what was only prepared', async () => {
    const clustering = line({ a: 0, b: 5 });
    const prepared = await clustering.prepare([Float32Array.of(0.1), Float32Array.of(0.2)]);
    expect((await clustering.nearest(Float32Array.of(0), 2)).map(({ itemId }) => itemId)).toEqual(['a', 'b']);
    expect(await clustering.assign(Float32Array.of(0))).toMatchObject({ role: 'noise' });
    for (const vector of prepared) clustering.discard(vector);
  });

  test('of what has gone while it was looked for, nothing is told', async () => {
    const clustering = line({ a: 0, b: 5, c: 6 });
    const looking = clustering.nearest(Float32Array.of(0), 2);
    clustering.apply([{ kind: 'remove', itemId: 'a', told: false }], 2n);
    clustering.apply([at('far', 100)], 3n);
    expect((await looking).map(({ itemId }) => itemId)).toEqual(['b', 'c']);
  });

  const searches: readonly [string, OpenSearch][] = [
    ['the plain search', createPlainSearch],
    ['the fast search', createNeighbourSearch],
    ['the fast search, float32', (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'flat' })],
  ];
  test.each(searches)('misses nothing where all that is nearer is prepared, and discarded, while it is looked for, by %s', async (_name, openSearch) => {
    const place = (value: number): Float32Array => Float32Array.from({ length: 20 }, (_, index) => (index === 0 ? value : 0));
    const clustering = createClustering({ metric: 'euclidean', eps: 100, minPoints: 2 }, identity, openSearch);
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    clustering.apply(ids.map((itemId, index) => ({ kind: 'insert', itemId, vector: place(index + 1) })), 1n);
    // Discarded so many turns after it was prepared: at some of them the answer is on its way.
    for (let turns = 0; turns < 30; turns++) {
      const preparing = clustering.prepare(Array.from({ length: 8 }, () => place(0.5)));
      const looking = clustering.nearest(place(0), ids.length);
      const prepared = await preparing;
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      for (const each of prepared) clustering.discard(each);
      expect((await looking).map(({ itemId }) => itemId), `${turns} turns`).toEqual(ids);
    }
    await clustering.close();
  });
});

describe('explain', () => {
  test('role, density, nearest core and neighbours, and the record that last changed it', () => {
    const clustering = line({ a: 0, b: 0.5, c: 1, d: 1.75, n: 9 });
    clustering.apply([at('e', 20)], 5n);
    const [clusterId] = clustering.clusterIds();
    expect(clustering.explain('d')).toEqual({
      role: 'border', clusterId, density: 2, minPoints: 3, changedAt: 1n,
      nearestCore: { itemId: 'c', distance: 0.75 },
      neighbours: [{ itemId: 'c', distance: 0.75 }],
    });
    expect(clustering.explain('b')).toMatchObject({ role: 'core', density: 3, nearestCore: { distance: 0.5 } });
    expect(clustering.explain('b')?.neighbours.map(({ itemId }) => itemId).sort()).toEqual(['a', 'c']);
    expect(clustering.explain('n')).toMatchObject({ role: 'noise', clusterId: null, density: 1, nearestCore: null, neighbours: [] });
    expect(clustering.explain('e')).toMatchObject({ changedAt: 5n });
    expect(clustering.explain('nobody')).toBeUndefined();
    expect(clustering.explain('b', 1)?.neighbours).toHaveLength(1);
  });

  test('distances are those of the predicate, for cosine too', () => {
    const clustering = createClustering({ metric: 'cosine', eps: 0.5, minPoints: 2 }, identity);
    const vectors = { a: Float32Array.of(1, 0.1), b: Float32Array.of(1, 0.4), twin: Float32Array.of(1, 0.1) };
    clustering.apply(Object.entries(vectors).map(([itemId, vector]) => ({ kind: 'insert', itemId, vector })), 1n);
    const point = (vector: Float32Array) => ({ vector, norm: normOf(vector) });
    expect(clustering.explain('a')?.neighbours).toEqual([
      { itemId: 'twin', distance: 0 },
      { itemId: 'b', distance: distanceFor('cosine')(point(vectors.a), point(vectors.b)) },
    ]);
    expect(clustering.explain('a')).toMatchObject({ density: 3, nearestCore: { itemId: 'twin', distance: 0 } });
  });
});

describe('numbers and memory', () => {
  test('an item keeps its number while it lives, also when it is replaced; afterwards others get it', () => {
    const clustering = line({ a: 0, b: 1, c: 2 });
    const index = clustering.itemIndex('b');
    clustering.apply([at('b', 7)], 2n);
    expect(clustering.itemIndex('b')).toBe(index);
    expect(clustering.itemIdAt(index)).toBe('b');
    clustering.apply([{ kind: 'remove', itemId: 'b', told: false }], 3n);
    expect(clustering.itemIndex('b')).toBe(-1);
    clustering.apply([at('new', 8)], 4n);
    expect(clustering.itemIndex('new')).toBe(index);
  });

  test('memory does not grow with what has gone', () => {
    const clustering = line({ a: 0 });
    const churn = (): void => {
      for (let round = 0; round < 6; round++) {
        const sequence = BigInt(clustering.explain('a') === undefined ? 0 : next++);
        clustering.apply(Array.from({ length: 200 }, (_, index) => at(`item ${index}`, index / 50)), sequence);
        clustering.apply(Array.from({ length: 200 }, (_, index) => ({ kind: 'remove', itemId: `item ${index}`, told: false })), BigInt(next++));
      }
    };
    let next = 2;
    churn();
    const memory = clustering.memoryBytes();
    churn();
    expect(clustering.memoryBytes()).toEqual(memory);
    expect(clustering.meanDegree()).toBe(0);
  });
});
