/** The snapshot holds the whole state, in a form that depends on nothing but the state. */
import { describe, expect, test } from 'vitest';
import type { Clustering, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering, restoreClustering } from '../../src/clustering/incremental-dbscan.ts';
import { createRandom } from './random.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';

async function restore(chunks: Iterable<Buffer>): Promise<Clustering> {
  const iterator = chunks[Symbol.iterator]();
  const restored = await restoreClustering(() => Promise.resolve(iterator.next().value as Buffer | undefined));
  expect(iterator.next().done).toBe(true);
  return restored;
}

function bytes(clustering: Clustering): string {
  return Array.from(clustering.canonicalState(), (chunk) => `${chunk.length}:${chunk.toString('latin1')}`).join('');
}

const small: Mutation[] = ['a', 'b', 'c', 'd'].map((itemId, index) => ({ kind: 'insert', itemId, vector: Float32Array.of(index / 4, 1) }));

describe('the snapshot of a clustering', () => {
  test(`restored at random places, it goes on as if never cut (seed ${seed})`, async () => {
    let cuts = 0;
    for (let index = 0; index < (isFull ? 100 : 12); index++) {
      const { scenario, random } = scenarioFor(1000 + index);
      const cutting = createRandom(seed + index);
      const live = new Map<string, Float32Array>();
      const whole = createClustering(scenario.parameters, identity);
      let cut = createClustering(scenario.parameters, identity);
      for (const numbered of stepsOf(scenario, random, 50, live)) {
        mutate(live, numbered.step.mutations);
        expect(perform(cut, numbered)).toEqual(perform(whole, numbered));
        if (!cutting.chance(0.2)) continue;
        cut = await restore(cut.snapshot());
        expect(bytes(cut)).toBe(bytes(whole));
        cuts++;
      }
      expect(bytes(cut)).toBe(bytes(whole));
      expect(cut.clusters()).toEqual(whole.clusters());
      for (const [itemId, vector] of live) expect(cut.vector(itemId)).toEqual(vector);
    }
    expect(cuts).toBeGreaterThan(50);
  });

  test('does not depend on the order of the mutations within a record', () => {
    const forwards = createClustering({ metric: 'euclidean', eps: 0.3, minPoints: 2 }, identity);
    const backwards = createClustering({ metric: 'euclidean', eps: 0.3, minPoints: 2 }, identity);
    expect(forwards.apply(small, 5n)).toEqual(backwards.apply(small.toReversed(), 5n));
    expect(bytes(forwards)).toBe(bytes(backwards));
  });

  test('holds an empty clustering, its identity and its last sequence', async () => {
    const empty = await restore(createClustering({ metric: 'cosine', eps: 0.2, minPoints: 3 }, identity).snapshot());
    expect(empty.size).toBe(0);
    expect(empty.parameters).toEqual({ metric: 'cosine', eps: 0.2, minPoints: 3 });
    const used = createClustering({ metric: 'cosine', eps: 0.2, minPoints: 3 }, identity);
    used.apply(small, 7n);
    const restored = await restore(used.snapshot());
    expect(() => restored.apply([], 7n)).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_SEQUENCE_NOT_RISING' }));
  });

  test('comes in chunks of at most 256 KiB of items', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 0.1, minPoints: 2 }, identity);
    const random = createRandom(seed);
    const mutations = Array.from({ length: 600 }, (_, index): Mutation => {
      return { kind: 'insert', itemId: `item ${index}`, vector: Float32Array.from({ length: 256 }, random.gaussian) };
    });
    clustering.apply(mutations, 1n);
    const chunks = [...clustering.canonicalState()];
    expect(chunks.length).toBeGreaterThan(3);
    for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(256 * 1024);
    expect(bytes(await restore(chunks))).toBe(bytes(clustering));
  });

  test('is made in turns of bounded work, also where every item is a neighbour of every other', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 0.1, minPoints: 2 }, identity);
    const itemCount = 700;
    clustering.apply(Array.from({ length: itemCount }, (_, index): Mutation => ({ kind: 'insert', itemId: `item ${index}`, vector: Float32Array.of(1) })), 1n);
    const chunks = [...clustering.canonicalState()];
    const itemsIn = chunks.map((chunk) => chunk.toString('latin1').split('item ').length - 1);
    expect(itemsIn.reduce((sum, count) => sum + count, 0)).toBe(itemCount);
    // The first items of the order have next to nothing to write, and yet all their edges to look at.
    expect(Math.max(...itemsIn) * (itemCount - 1)).toBeLessThanOrEqual(64 * 1024);
    expect(bytes(await restore(chunks))).toBe(bytes(clustering));
  });

  test('needs no distance to be restored, and keeps what consumers were told', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    const at = (itemId: string, place: number): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.of(place) });
    clustering.apply([at('a', 0), at('b', 0.5), at('x', 2), at('y', 2.5)], 1n);
    const [left, right] = clustering.clusterIds();
    clustering.apply([at('m', 1.2)], 2n);
    const restored = await restore(clustering.canonicalState());
    expect(restored.resolve(right ?? '')).toBe(left);
    // x and y were told the retired id; by its alias they are where they belong, so a change elsewhere tells them nothing.
    expect(restored.apply([at('c', -0.5)], 3n).assignments.map(({ itemId }) => itemId)).toEqual(['c']);
  });
});

describe('a snapshot that is not one', () => {
  const invalid = expect.objectContaining({ code: 'LS_CLUSTERING_SNAPSHOT_INVALID' }) as unknown;
  const made = (): Buffer[] => {
    const clustering = createClustering({ metric: 'euclidean', eps: 0.3, minPoints: 2 }, identity);
    clustering.apply(small, 5n);
    return [...clustering.canonicalState()];
  };

  test.each([
    ['nothing', []],
    ['no header', [Buffer.from('not JSON')]],
    ['another format', [Buffer.from('{"format":99}')]],
    ['a header alone', made().slice(0, 1)],
    ['no items', made().slice(0, -1)],
    ['clusters that are no list', [made()[0]!, Buffer.from('7'), made()[2]!]],
    ['more items than the header says', made().map((chunk, index) => (index === 0 ? Buffer.from(chunk.toString().replace('"itemCount":4', '"itemCount":3')) : chunk))],
    ['a chunk cut short', [...made().slice(0, -1), (made().at(-1) ?? Buffer.of()).subarray(0, -3)]],
    ['ranks of items that are not there', made().map((chunk, index, all) => (index === all.length - 1 ? Buffer.from(chunk).fill(9, 60, 64) : chunk))],
    ['an unknown role', made().map((chunk, index, all) => (index === all.length - 1 ? Buffer.from(chunk).fill(9, 5, 6) : chunk))],
  ])('%s is refused with a code', async (_, chunks) => {
    const iterator = chunks[Symbol.iterator]();
    await expect(restoreClustering(() => Promise.resolve(iterator.next().value))).rejects.toEqual(invalid);
  });
});
