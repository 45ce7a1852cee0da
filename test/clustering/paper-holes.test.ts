/**
 * What the paper on IncrementalDBSCAN (Ester et al., VLDB 1998) leaves open or gets wrong, one test each. The gaps are described in the notes
 * of the Python package incdbscan; the rules chosen here are those of DBSCAN itself, with the canonical border rule. Over the plain search and the fast one,
 * with what it would choose (a tree) and with the kernels of many dimensions.
 */
import { describe, expect, test } from 'vitest';
import type { Clustering, ClusteringParameters, NetChange } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';

type Line = Readonly<Record<string, number | readonly [number, number]>>;

type Make = (parameters: Omit<ClusteringParameters, 'metric'>, places: Line) => Clustering;

const clusteringOver = (openSearch: OpenSearch): Make => (parameters, places) => {
  const clustering = createClustering({ metric: 'euclidean', ...parameters }, { collection: 'c', epoch: 1, generation: 'g' }, openSearch);
  insert(clustering, places, 1n);
  return clustering;
};

const kernels: Readonly<Record<string, OpenSearch>> = {
  'the plain search': createPlainSearch,
  'the fast search': (dimensions, parameters) => createNeighbourSearch(dimensions, parameters),
  'the fast search, float32': (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'flat' }),
  'the fast search, 8 bits': (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'flat-int8' }),
  'the fast search, cells': (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'cells' }),
};

function insert(clustering: Clustering, places: Line, sequence: bigint): NetChange {
  const mutations = Object.entries(places).map(([itemId, place]) => {
    return { kind: 'insert' as const, itemId, vector: Float32Array.of(...(typeof place === 'number' ? [place] : place)) };
  });
  return clustering.apply(mutations, sequence);
}

function remove(clustering: Clustering, itemId: string, sequence: bigint): NetChange {
  return clustering.apply([{ kind: 'remove', itemId, told: false }], sequence);
}

/** Members of each cluster, oldest cluster first. */
function groups(clustering: Clustering): string[] {
  return clustering.clusters().map(({ itemIds }) => itemIds.join(''));
}

describe.each(Object.entries(kernels).map(([name, openSearch]) => [name, clusteringOver(openSearch)] as const))('gaps of the 1998 paper, over %s', (_name, clusteringOf) => {
  test('absorption although no item becomes core (empty update seeds): the item is border, not noise', () => {
    const clustering = clusteringOf({ eps: 1, minPoints: 4 }, { a: 0, b: 0.5, c: 0.6, d: 1 });
    const change = insert(clustering, { p: 1.8 }, 2n);
    expect(clustering.item('p')).toEqual({ itemId: 'p', role: 'border', clusterId: clustering.clusterIds()[0] });
    expect(change.transitions).toEqual([]);
    expect(change.assignments.map(({ itemId }) => itemId)).toEqual(['p']);
  });

  test('one insertion creates two clusters, since its new cores are not connected to each other', () => {
    const clustering = clusteringOf({ eps: 2, minPoints: 4 }, { c: -4, b: -3, a: -2, x: 2, y: 3, z: 4 });
    expect(clustering.noiseCount()).toBe(6);
    const change = insert(clustering, { p: 0 }, 2n);
    expect(change.transitions.map(({ type }) => type)).toEqual(['emerged', 'emerged']);
    expect(clustering.item('p')?.role).toBe('border');
    // p is as far from a as from x; the stored bytes of 2 (00 00 00 40) are lower than those of -2 (00 00 00 c0).
    expect(groups(clustering)).toEqual(['abc', 'pxyz']);
  });

  test('one insertion creates a cluster and joins two others, each per connected component of the new cores', () => {
    const clustering = clusteringOf(
      { eps: 1, minPoints: 4 },
      {
        // Two clusters below, one place short of each other.
        e: [-1.8, -1], f: [-1.7, -1], g: [-1.6, -1], h: [-0.9, -1],
        m: [0, -1],
        i: [0.9, -1], j: [1.6, -1], k: [1.7, -1], l: [1.8, -1],
        // Three loose items above.
        x: [-0.5, 1.6], y: [0, 1], z: [0.5, 1.6],
      },
    );
    expect(groups(clustering)).toEqual(['efgh', 'ijklm']);
    const change = insert(clustering, { p: [0, 0] }, 2n);
    expect(change.transitions.map(({ type }) => type)).toEqual(['merged', 'emerged']);
    expect(groups(clustering)).toEqual(['efghijklm', 'pxyz']);
    expect(clustering.item('p')?.role).toBe('border');
  });

  test('deleting a core item splits its cluster although no other item loses its core property', () => {
    const clustering = clusteringOf({ eps: 2, minPoints: 3 }, { c: -4, b: -3, a: -2, p: 0, x: 2, y: 3, z: 4 });
    const [former] = clustering.clusterIds();
    const change = remove(clustering, 'p', 2n);
    expect(groups(clustering)).toEqual(['abc', 'xyz']);
    expect(change.transitions).toEqual([
      {
        type: 'split', survivor: former, retired: [], minted: [clustering.clusterIds()[1]],
        sizes: clustering.clusterIds().map((clusterId) => ({ clusterId, size: 3 })),
      },
    ]);
    expect(change.assignments.map(({ itemId }) => itemId)).toEqual(['x', 'y', 'z']);
  });

  test('deleting an item that is not core itself splits a cluster, since the core between its halves was one by it', () => {
    const clustering = clusteringOf(
      { eps: 1, minPoints: 4 },
      { a: [-1.8, 0], b: [-1.7, 0], c: [-1.6, 0], d: [-0.9, 0], q: [0, 0], e: [0.9, 0], f: [1.6, 0], g: [1.7, 0], h: [1.8, 0], p: [0, 1] },
    );
    expect(clustering.item('p')?.role).toBe('border');
    expect(clustering.clusterIds()).toHaveLength(1);
    const change = remove(clustering, 'p', 2n);
    expect(change.transitions.map(({ type }) => type)).toEqual(['split']);
    expect(groups(clustering)).toEqual(['abcd', 'efghq']);
  });

  test('a border item whose core is deleted moves to the other cluster in reach instead of becoming noise', () => {
    const clustering = clusteringOf(
      { eps: 1, minPoints: 4 },
      { a: -1.5, b: -1.5, c: -1.5, p: -0.7, v: 0.1, q: 1, x: 1.8, y: 1.8, z: 1.8 },
    );
    const [left, right] = clustering.clusterIds();
    expect(clustering.item('v')).toEqual({ itemId: 'v', role: 'border', clusterId: left });
    const change = remove(clustering, 'p', 2n);
    expect(clustering.item('v')).toEqual({ itemId: 'v', role: 'border', clusterId: right });
    expect(change.assignments).toContainEqual({ itemId: 'v', clusterId: right, role: 'border' });
  });

  test('deleting one border item splits two clusters at once', () => {
    const row = (y: number, names: string): Line =>
      Object.fromEntries([-2, -1.5, -1, 0, 1, 1.5, 2].map((x, index) => [names[index] ?? '', [x, y] as const]));
    const clustering = clusteringOf({ eps: 1, minPoints: 4 }, { ...row(1, 'abcqdef'), ...row(-1, 'ghipjkl'), m: [0, 0] });
    const former = clustering.clusterIds();
    expect(former).toHaveLength(2);
    expect(clustering.item('m')?.role).toBe('border');
    const change = remove(clustering, 'm', 2n);
    expect(change.transitions.map(({ type, survivor }) => [type, survivor])).toEqual(former.map((id) => ['split', id]));
    expect(clustering.clusterIds()).toHaveLength(4);
  });

  test('a merge keeps the id of the cluster with most cores, not that of the newest label', () => {
    const clustering = clusteringOf({ eps: 1, minPoints: 3 }, { a: 0, b: 0.5, c: 1, d: 1.5, x: 3, y: 3.5, z: 4 });
    const [large, small] = clustering.clusterIds();
    const change = insert(clustering, { m: 2.3 }, 2n);
    expect(change.transitions).toEqual([
      { type: 'merged', survivor: large, retired: [small], minted: [], sizes: [{ clusterId: large, size: 8 }] },
    ]);
    expect(change.assignments).toEqual([{ itemId: 'm', clusterId: large, role: 'core' }]);
    expect(clustering.resolve(small ?? '')).toBe(large);
  });
});
