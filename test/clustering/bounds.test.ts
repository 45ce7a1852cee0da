/** What happens at the edges of what a clustering can hold, and of what it looks at in one turn. */
import { describe, expect, test } from 'vitest';
import type { Clustering, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering, restoreClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { addEdge, createAdjacency, createIntList, readNeighbours, someNeighbours, takenShare } from '../../src/clustering/structure/adjacency.ts';
import { canonicalChunks } from '../../src/clustering/structure/canonical-state.ts';
import { createEngineState, type EngineState } from '../../src/clustering/structure/engine-state.ts';
import { createGonePoints, forgetLater } from '../../src/clustering/structure/gone-points.ts';
import { atOnce } from '../../src/clustering/sliced-work.ts';
import { applyRecord } from '../../src/clustering/structure/net-change.ts';
import { createPoints, openPoint } from '../../src/clustering/structure/points.ts';
import { explain } from '../../src/clustering/structure/queries.ts';
import { identity } from './run-scenario.ts';

const parameters = { metric: 'euclidean', eps: 1, minPoints: 3 } as const;
const insert = (itemId: string, ...values: number[]): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.from(values) });
const remove = (itemId: string): Mutation => ({ kind: 'remove', itemId, told: false });

function stateOfPages(pagesMax: number): EngineState {
  const state = createEngineState(parameters, identity, createPlainSearch);
  state.structure.adjacency = createAdjacency(state.structure.points, pagesMax);
  return state;
}

describe('where the lists of neighbours are full', () => {
  test('a record that brings an item is refused, and nothing has changed; others go on, and make room', () => {
    const state = stateOfPages(440);
    let sequence = 0n;
    let refused: unknown;
    let count = 0;
    for (; refused === undefined && count < 1000; count++) {
      const before = Buffer.concat([...canonicalChunks(state)]);
      try {
        atOnce(applyRecord(state, [insert(`item ${count}`, count / 10)], ++sequence));
      } catch (error) {
        refused = error;
        expect(Buffer.concat([...canonicalChunks(state)]).equals(before)).toBe(true);
      }
    }
    expect(refused).toMatchObject({ code: 'LS_CLUSTERING_GRAPH_FULL', retryable: false });
    expect(takenShare(state.structure.adjacency)).toBeGreaterThan(15 / 16);
    expect(count).toBeGreaterThan(200);
    expect(atOnce(applyRecord(state, [remove('not there')], ++sequence))).toEqual({ transitions: [], assignments: [] });
    for (let gone = 0; gone < 20; gone++) atOnce(applyRecord(state, [remove(`item ${gone}`)], ++sequence));
    expect(takenShare(state.structure.adjacency)).toBeLessThan(15 / 16);
    for (let round = 0; round < 500; round++) {
      atOnce(applyRecord(state, [insert('visitor', 0.5)], ++sequence));
      atOnce(applyRecord(state, [remove('visitor')], ++sequence));
    }
  });

  test('one record that is too much for them says so', () => {
    const state = stateOfPages(64);
    const mutations = Array.from({ length: 60 }, (_, index) => insert(`item ${index}`, index / 1000));
    expect(() => atOnce(applyRecord(state, mutations, 1n))).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_GRAPH_FULL' }));
  });
});

describe('what is looked at for an explanation', () => {
  test('is bounded, and what is found is among the neighbours', () => {
    const state = createEngineState(parameters, identity, createPlainSearch);
    atOnce(applyRecord(state, Array.from({ length: 40 }, (_, index) => insert(`item ${index}`, index / 1000)), 1n));
    const whole = explain(state, 'item 0', 100);
    expect(whole?.neighbours.map(({ itemId }) => itemId)).toEqual(Array.from({ length: 39 }, (_, index) => `item ${index + 1}`));
    const bounded = explain(state, 'item 0', 100, 7);
    expect(bounded).toMatchObject({ role: 'core', density: 40, clusterId: whole?.clusterId });
    expect(bounded?.neighbours).toHaveLength(7);
    expect(whole?.neighbours).toEqual(expect.arrayContaining(bounded?.neighbours as unknown[]));
    expect(bounded?.nearestCore).toEqual(bounded?.neighbours[0]);
  });

  test('leaves out who has gone', () => {
    const points = createPoints();
    const adjacency = createAdjacency(points);
    for (let point = 0; point < 60; point++) openPoint(points, point);
    for (let point = 1; point < 60; point++) addEdge(adjacency, 0, point);
    const list = createIntList();
    for (let point = 1; point < 60; point += 2) {
      readNeighbours(adjacency, point, list);
      forgetLater(adjacency, createGonePoints(), point, list);
    }
    const left = Array.from({ length: 29 }, (_, index) => 2 * index + 2);
    expect(someNeighbours(adjacency, 0, 100).sort((a, b) => a - b)).toEqual(left);
    expect(someNeighbours(adjacency, 0, 20)).toHaveLength(20);
    expect(left).toEqual(expect.arrayContaining(someNeighbours(adjacency, 0, 20)));
  });

  test('of thousands of items in one place it takes some', () => {
    const clustering = createClustering(parameters, identity);
    for (let index = 0; index < 9000; index++) clustering.apply([insert(`item ${index}`, 1, 2)], BigInt(index));
    const explained = clustering.explain('item 0', 20_000);
    expect(explained).toMatchObject({ density: 9000, nearestCore: { distance: 0 } });
    expect(explained?.neighbours.length).toBeGreaterThan(8000);
    expect(explained?.neighbours.length).toBeLessThan(9000);
  });
});

describe('the search of a clustering that is restored', () => {
  const watched = (): { open: OpenSearch; opened: () => number; closed: () => number } => {
    let opened = 0;
    let closed = 0;
    const open: OpenSearch = (...given) => {
      opened++;
      const search = createPlainSearch(...given);
      return { ...search, close: () => Promise.reject(new Error(`closed ${++closed}`)) };
    };
    return { open, opened: () => opened, closed: () => closed };
  };
  const chunksOf = (clustering: Clustering): Buffer[][] => [[...clustering.snapshot()], [...clustering.canonicalState()]];

  test('is closed where the snapshot turns out damaged or ends, or cannot be read, and not otherwise', async () => {
    const clustering = createClustering(parameters, identity);
    clustering.apply(Array.from({ length: 30 }, (_, index) => insert(`item ${index}`, index / 3)), 1n);
    let refused = 0;
    for (const chunks of chunksOf(clustering)) {
      for (let cut = 1; cut <= chunks.length; cut++) {
        const { open, opened, closed } = watched();
        let next = 0;
        const broken = new Error('the disk is gone');
        const read = (): Promise<Buffer | undefined> => (next === cut && cut % 2 === 0 ? Promise.reject(broken) : Promise.resolve(next < cut ? chunks[next++] : undefined));
        const outcome = await restoreClustering(read, open).catch((error: unknown) => error);
        if (cut === chunks.length) {
          expect((outcome as Clustering).size).toBe(30);
          expect([opened(), closed()]).toEqual([1, 0]);
          continue;
        }
        expect(outcome).toEqual(cut % 2 === 0 ? broken : expect.objectContaining({ code: 'LS_CLUSTERING_SNAPSHOT_INVALID' }));
        expect(closed()).toBe(opened());
        refused += closed();
      }
    }
    expect(refused).toBeGreaterThan(3);
  });
});
