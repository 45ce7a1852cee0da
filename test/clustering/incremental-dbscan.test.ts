/** What a user of the engine has to be able to rely on, case by case; fuzz.test.ts compares everything at once. */
import { describe, expect, test } from 'vitest';
import type { Clustering, ClusteringParameters, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { clusterId } from '../../src/core/ids.ts';

const identity = { collection: 'c', epoch: 1, generation: 'g' };
const at = (itemId: string, place: number): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.of(place) });
const without = (itemId: string, told = false): Mutation => ({ kind: 'remove', itemId, told });

function line(places: Readonly<Record<string, number>>, parameters: Partial<ClusteringParameters> = {}): Clustering {
  const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 3, ...parameters }, identity);
  clustering.apply(Object.entries(places).map(([itemId, place]) => at(itemId, place)), 1n);
  return clustering;
}

describe('assignments', () => {
  test('a new item always gets one, noise too; a replaced item as well, wherever it goes', () => {
    const clustering = line({ a: 0, b: 0.5, c: 1 });
    expect(clustering.apply([at('n', 9)], 2n).assignments).toEqual([{ itemId: 'n', clusterId: null, role: 'noise' }]);
    expect(clustering.apply([at('n', 9)], 3n).assignments).toEqual([{ itemId: 'n', clusterId: null, role: 'noise' }]);
    const [id] = clustering.clusterIds();
    expect(clustering.apply([at('b', 0.6)], 4n).assignments).toEqual([{ itemId: 'b', clusterId: id, role: 'core' }]);
  });

  test('a change of role within the cluster is not told', () => {
    const clustering = line({ a: 0, b: 0.5, c: 1, d: 1.9 });
    expect(clustering.item('d')?.role).toBe('border');
    expect(clustering.apply([at('e', 2.5)], 2n).assignments.map(({ itemId }) => itemId)).toEqual(['e']);
    expect(clustering.item('d')?.role).toBe('core');
  });

  test('a removal is told only where asked, and only of an item that was live', () => {
    const clustering = line({ a: 0, b: 0.5, c: 1, d: 5, e: 6 });
    expect(clustering.apply([without('d'), without('e', true), without('nobody', true)], 2n).assignments).toEqual([
      { itemId: 'e', clusterId: null, role: 'removed' },
    ]);
    // Deleted and back within one record: a new version, not a removal. Let go of twice, once to be told: told.
    expect(clustering.apply([without('a', true), at('a', 0.1)], 3n).assignments.map(({ role }) => role)).toEqual(['core']);
    expect(clustering.apply([without('a', true), at('a', 9), without('a')], 4n).assignments).toContainEqual({
      itemId: 'a', clusterId: null, role: 'removed',
    });
  });

  test('are in the byte order of itemId, removals among them', () => {
    const clustering = line({ '\u{ffee}': 0, '\u{1f600}': 10, b: 20 });
    const change = clustering.apply([at('\u{1f600}', 11), at('\u{ffee}', 1), without('b', true), at('Z', 30)], 2n);
    expect(change.assignments.map(({ itemId }) => itemId)).toEqual(['Z', 'b', '\u{ffee}', '\u{1f600}']);
  });
});

describe('transitions', () => {
  test('a new cluster has an id made of what founded it', () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    const change = clustering.apply([at('x', 10), at('y', 10), at('a', 0), at('b', 0)], 7n);
    const ids = [0, 1].map((rank) => clusterId('c', 1, 'g', 7n, rank));
    expect(clustering.clusters().map(({ clusterId: id, itemIds }) => [id, itemIds])).toEqual([[ids[0], ['a', 'b']], [ids[1], ['x', 'y']]]);
    expect(change.transitions).toEqual(
      ids.map((id) => ({ type: 'emerged', survivor: id, retired: [], minted: [id], sizes: [{ clusterId: id, size: 2 }] })),
    );
  });

  test('one record splits a cluster and moves a part of it to another: split without anything minted', () => {
    const clustering = line({ a: 0, b: 0, c: 0, d: 0, m: 1, e: 2, f: 2, x: 5, y: 5, z: 5, w: 5 });
    const [left, right] = clustering.clusterIds();
    const change = clustering.apply([without('m'), at('n', 3), at('o', 4)], 2n);
    expect(change.transitions).toEqual([
      { type: 'split', survivor: left, retired: [], minted: [], sizes: [{ clusterId: left, size: 4 }, { clusterId: right, size: 8 }] },
    ]);
    expect(change.assignments.map(({ itemId, clusterId: id }) => [itemId, id === right])).toEqual([
      ['e', true], ['f', true], ['n', true], ['o', true],
    ]);
  });

  test('one record breaks a cluster up among two others: split of the id, then its alias to where most of it went', () => {
    const clustering = line({ a: 0, b: 0, c: 0, d: 0, o: 3, p: 3, q: 3, r: 4, s: 5, t: 5, x: 8, y: 8, z: 8, w: 8 });
    const [first, second, third] = clustering.clusterIds();
    const change = clustering.apply([without('r'), at('e', 1), at('f', 2), at('g', 6), at('h', 7)], 2n);
    expect(change.transitions).toEqual([
      { type: 'split', survivor: second, retired: [], minted: [], sizes: [{ clusterId: first, size: 9 }, { clusterId: third, size: 8 }] },
      { type: 'merged', survivor: first, retired: [second], minted: [], sizes: [{ clusterId: first, size: 9 }] },
    ]);
    expect(clustering.resolve(second!)).toBe(first);
    expect(change.assignments.map(({ itemId }) => itemId)).toEqual(['e', 'f', 'g', 'h', 's', 't']);
  });

  test('a cluster broken up in equal parts becomes an alias of the older cluster', () => {
    const clustering = line({ a: 0, b: 0, c: 0, d: 0, o: 3, p: 3, q: 3, r: 4, s: 5, t: 5, u: 5, x: 8, y: 8, z: 8, w: 8 });
    const [first, second] = clustering.clusterIds();
    const change = clustering.apply([without('r'), at('e', 1), at('f', 2), at('g', 6), at('h', 7)], 2n);
    expect(change.transitions.map(({ type, survivor }) => [type, survivor])).toEqual([['split', second], ['merged', first]]);
  });

  test('a cluster that breaks and is joined again within a record has not changed', () => {
    const clustering = line({ a: 0, b: 0, c: 0, m: 1, x: 2, y: 2, z: 2 });
    expect(clustering.apply([without('m'), at('n', 1)], 2n).transitions).toEqual([]);
  });

  test('dissolving comes first, and what the cluster held is told', () => {
    const clustering = line({ a: 0, b: 0.5, c: 1 });
    const [id] = clustering.clusterIds();
    const change = clustering.apply([without('b', true), at('x', 9), at('y', 9), at('z', 9)], 2n);
    expect(change.transitions.map(({ type }) => type)).toEqual(['dissolved', 'emerged']);
    expect(change.transitions[0]).toEqual({ type: 'dissolved', survivor: null, retired: [id], minted: [], sizes: [] });
    expect(change.assignments.map(({ itemId, role }) => [itemId, role])).toEqual([
      ['a', 'noise'], ['b', 'removed'], ['c', 'noise'], ['x', 'core'], ['y', 'core'], ['z', 'core'],
    ]);
    expect(clustering.resolve(id!)).toBeUndefined();
  });
});

describe('aliases', () => {
  test('lead to the living cluster while an item was last told the retired id, and go with the last such item', () => {
    const clustering = line({ a: 0, b: 0, c: 0, d: 0, x: 3, y: 3, z: 3 });
    const [left, right] = clustering.clusterIds();
    clustering.apply([at('m', 1), at('n', 2)], 2n);
    expect(clustering.resolve(right!)).toBe(left);
    clustering.apply([without('x'), without('y')], 3n);
    expect(clustering.resolve(right!)).toBe(left);
    clustering.apply([at('z', 3)], 4n);
    expect(clustering.resolve(right!)).toBeUndefined();
    expect(clustering.resolve(left!)).toBe(left);
    expect(clustering.resolve('never minted')).toBeUndefined();
  });
});

describe('rebuild', () => {
  test('carries ids over, mints under the new generation, and keeps aliases and assignments consistent', () => {
    const clustering = line({ a: 0, b: 0, c: 0, d: 0, x: 3, y: 3, z: 3, n: 9, o: 9 });
    const [left, right] = clustering.clusterIds();
    const joined = clustering.rebuild({ metric: 'euclidean', eps: 3, minPoints: 3 }, 'g2', 2n);
    expect(joined.transitions).toEqual([
      { type: 'merged', survivor: left, retired: [right], minted: [], sizes: [{ clusterId: left, size: 7 }] },
    ]);
    expect(joined.assignments).toEqual([]);
    const parted = clustering.rebuild({ metric: 'euclidean', eps: 1, minPoints: 2 }, 'g3', 3n, [at('p', 9)]);
    const minted = [0, 1].map((rank) => clusterId('c', 1, 'g3', 3n, rank));
    expect(clustering.clusterIds()).toEqual([left, ...minted]);
    expect(parted.transitions.map(({ type, minted: ids }) => [type, ids])).toEqual([['split', [minted[1]]], ['emerged', [minted[0]]]]);
    expect(parted.assignments.map(({ itemId }) => itemId)).toEqual(['n', 'o', 'p', 'x', 'y', 'z']);
    expect(clustering.parameters).toEqual({ metric: 'euclidean', eps: 1, minPoints: 2 });
  });

  test('to cosine with a vector without direction among the live ones is refused', () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    const insert = (itemId: string, ...values: number[]): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.from(values) });
    clustering.apply([insert('zero', 0, 0), insert('a', 0.5, 0), insert('b', 0.6, 0)], 1n);
    expect(clustering.noiseCount()).toBe(0);
    const cosine = { metric: 'cosine', eps: 0.1, minPoints: 2 } as const;
    expect(() => clustering.rebuild(cosine, 'g2', 2n)).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_VECTOR_INVALID', details: { itemId: 'zero' } }));
    expect(clustering.noiseCount()).toBe(0);
    clustering.rebuild(cosine, 'g2', 2n, [{ kind: 'remove', itemId: 'zero', told: true }]);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['a', 'b']]);
  });
});

describe('what is refused', () => {
  const code = (name: string): unknown => expect.objectContaining({ code: name });

  test.each([[-0.1, 3], [Number.NaN, 3], [Infinity, 3], [0.5, 0], [0.5, 2.5]])('eps %d with minPoints %d', (eps, minPoints) => {
    const create = (): Clustering => createClustering({ metric: 'cosine', eps, minPoints }, identity);
    expect(create).toThrow(code('LS_CLUSTERING_PARAMETERS_INVALID'));
    const clustering = line({ a: 0 });
    expect(() => clustering.rebuild({ metric: 'cosine', eps, minPoints }, 'g2', 2n)).toThrow(code('LS_CLUSTERING_PARAMETERS_INVALID'));
    expect(clustering.apply([at('b', 0)], 2n).assignments).toHaveLength(1);
  });

  test('a vector that checkVector refuses, before anything has changed', () => {
    const clustering = line({ a: 0, b: 0, c: 0 });
    const before = Array.from(clustering.snapshot(), String);
    const wide: Mutation = { kind: 'insert', itemId: 'w', vector: Float32Array.of(1, 2) };
    expect(() => clustering.apply([without('a'), wide], 2n)).toThrow(code('LS_CLUSTERING_VECTOR_INVALID'));
    expect(() => clustering.apply([at('w', Number.NaN)], 2n)).toThrow(code('LS_CLUSTERING_VECTOR_INVALID'));
    expect(Array.from(clustering.snapshot(), String)).toEqual(before);
  });

  test('a sequence that does not rise', () => {
    const clustering = line({ a: 0 });
    for (const sequence of [1n, 0n]) {
      expect(() => clustering.apply([at('b', 1)], sequence)).toThrow(code('LS_CLUSTERING_SEQUENCE_NOT_RISING'));
      expect(() => clustering.rebuild(clustering.parameters, 'g2', sequence)).toThrow(code('LS_CLUSTERING_SEQUENCE_NOT_RISING'));
    }
    expect(clustering.has('b')).toBe(false);
  });
});

test('vectors are owned: neither the one given nor the one returned is shared', () => {
  const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 1 }, identity);
  const given = Float32Array.of(1, 2);
  clustering.apply([{ kind: 'insert', itemId: 'a', vector: given }], 1n);
  given.fill(9);
  clustering.vector('a')?.fill(8);
  expect(clustering.vector('a')).toEqual(Float32Array.of(1, 2));
  expect(clustering.vector('nobody')).toBeUndefined();
});
