/** Snapshots of format 4: written while records go on, and read whatever has happened to them. */
import { describe, expect, test } from 'vitest';
import type { Clustering, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering, restoreClustering } from '../../src/clustering/incremental-dbscan.ts';
import { createRandom, type Random } from './random.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf } from './run-scenario.ts';

function canonical(clustering: Clustering): Buffer {
  return Buffer.concat([...clustering.canonicalState()]);
}

async function restore(chunks: readonly Buffer[]): Promise<Clustering> {
  let next = 0;
  const restored = await restoreClustering(() => Promise.resolve(chunks[next++]));
  expect(next).toBe(chunks.length);
  return restored;
}

describe('a snapshot', () => {
  test(`is of the moment it was asked for, although records are applied between its chunks (seed ${seed})`, async () => {
    let applied = 0;
    for (let index = 0; index < (isFull ? 150 : 20); index++) {
      const { scenario, random } = scenarioFor(7000 + index);
      const live = new Map<string, Float32Array>();
      const clustering = createClustering(scenario.parameters, identity);
      const steps = stepsOf(scenario, random, 80, live);
      const step = (): void => {
        const numbered = steps.next();
        if (numbered.done === true) return;
        mutate(live, numbered.value.step.mutations);
        perform(clustering, numbered.value);
        applied++;
      };
      for (let count = random.below(20); count >= 0; count--) step();
      for (let round = 0; round < 4; round++) {
        const expected = canonical(clustering);
        const chunks: Buffer[] = [];
        const snapshot = clustering.snapshot();
        if (random.chance(0.5)) step();
        for (const chunk of snapshot) {
          chunks.push(chunk);
          if (random.chance(0.5)) for (let count = random.below(4); count > 0; count--) step();
        }
        expect(canonical(await restore(chunks)).equals(expected), `scenario ${index}, round ${round}`).toBe(true);
      }
    }
    expect(applied).toBeGreaterThan(500);
  });

  const insert = (itemId: string, ...values: number[]): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.from(values) });
  const place = (random: Random): [number, number] => [random.next() * 30, random.next() * 30];

  test.each([false, true])('of many chunks, one beside another, with everything made anew in between: %s', async (rebuilds) => {
    const random = createRandom(seed);
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 8 }, identity);
    const ids: string[] = [];
    const mutations = Array.from({ length: 4200 }, (_, index) => insert(`item ${index}`, ...place(random)));
    clustering.apply(mutations, 1n);
    for (const { itemId } of mutations) ids.push(itemId);
    let sequence = 1n;
    const change = (): void => {
      const removed = ids.splice(random.below(ids.length), 1)[0]!;
      const replaced = random.pick(ids);
      const added = `new ${sequence}`;
      ids.push(added);
      clustering.apply([{ kind: 'remove', itemId: removed, told: true }, insert(replaced, ...place(random)), insert(added, ...place(random))], ++sequence);
    };
    for (let count = 0; count < 50; count++) change();
    const expected = canonical(clustering);
    const [first, second] = [clustering.snapshot()[Symbol.iterator](), clustering.snapshot()[Symbol.iterator]()];
    const chunks: [Buffer[], Buffer[]] = [[], []];
    for (let turn = 0; ; turn++) {
      const [left, right] = [first.next(), turn % 3 === 0 ? second.next() : undefined];
      if (left.done !== true) chunks[0].push(left.value);
      if (right !== undefined && right.done !== true) chunks[1].push(right.value);
      if (left.done === true && right?.done === true) break;
      for (let count = 0; count < 8; count++) change();
      if (rebuilds && turn === 6) clustering.rebuild({ metric: 'euclidean', eps: 0.9, minPoints: 8 }, 'g2', ++sequence);
    }
    expect(chunks[0].length).toBeGreaterThan(8);
    for (const chunk of chunks.flat()) expect(chunk.length).toBeLessThanOrEqual(256 * 1024);
    const restored = await restore(chunks[0]);
    expect(canonical(restored).equals(expected)).toBe(true);
    expect(canonical(await restore(chunks[1])).equals(expected)).toBe(true);
    const now = canonical(clustering);
    expect(canonical(await restore([...clustering.snapshot()])).equals(now)).toBe(true);
  });

  test('keeps what has gone only until it is written, or closed', () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    clustering.apply([insert('a', 0), insert('b', 1)], 1n);
    let sequence = 1n;
    const churn = (): void => {
      for (let count = 0; count < 20; count++) {
        clustering.apply([insert('visitor', 5 + count)], ++sequence);
        clustering.apply([{ kind: 'remove', itemId: 'visitor', told: false }], ++sequence);
      }
    };
    churn();
    const before = clustering.memoryBytes();
    const open = clustering.snapshot()[Symbol.iterator]();
    churn();
    expect(clustering.memoryBytes().search).toBeGreaterThan(before.search);
    open.return?.();
    expect(open.next().done).toBe(true);
    const after = clustering.memoryBytes();
    churn();
    expect(clustering.memoryBytes()).toEqual(after);
    for (const chunk of clustering.snapshot()) expect(chunk.length).toBeGreaterThan(0);
    churn();
    expect(clustering.memoryBytes()).toEqual(after);
  });

  test('outlives the last item, and vectors of another length after it', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    clustering.apply([insert('a', 0), insert('b', 1), insert('c', 0)], 1n);
    const expected = canonical(clustering);
    const snapshot = clustering.snapshot();
    clustering.apply(['a', 'b', 'c'].map((itemId): Mutation => ({ kind: 'remove', itemId, told: true })), 2n);
    clustering.apply([insert('a', 1, 2), insert('b', 1, 2)], 3n);
    expect(canonical(await restore([...snapshot])).equals(expected)).toBe(true);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['a', 'b']]);
    clustering.rebase(2, -10n);
    const rebased = canonical(clustering);
    const moved = clustering.snapshot();
    clustering.rebase(3, 5n);
    expect(canonical(await restore([...moved])).equals(rebased)).toBe(true);
  });

  test('outlives the last item, and many neighbours of another length, that come and go, between its chunks', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    const ids = Array.from({ length: 40 }, (_, index) => `item ${index}`);
    clustering.apply(ids.map((itemId, index) => insert(itemId, index / 10)), 1n);
    const all = [...clustering.snapshot()].length;
    // Wherever the writer is.
    for (let before = 0; before < all; before++) {
      const sequence = BigInt(10 * before + 10);
      const snapshot = clustering.snapshot()[Symbol.iterator]();
      const of = canonical(clustering);
      const chunks: Buffer[] = [];
      const read = (count: number): void => {
        for (let next = snapshot.next(); next.done !== true; next = snapshot.next()) if (chunks.push(next.value) >= count) return;
      };
      if (before > 0) read(before);
      clustering.apply(ids.map((itemId): Mutation => ({ kind: 'remove', itemId, told: true })), sequence);
      clustering.apply(ids.slice(0, 30).map((itemId) => insert(itemId, 1, 2)), sequence + 1n);
      clustering.apply(ids.slice(0, 30).map((itemId, index) => insert(itemId, index / 20, 0)), sequence + 2n);
      clustering.apply(ids.slice(0, 10).map((itemId): Mutation => ({ kind: 'remove', itemId, told: true })), sequence + 3n);
      read(Infinity);
      expect(canonical(await restore(chunks)).equals(of), `${before} chunks`).toBe(true);
      expect(clustering.clusters().map(({ size }) => size)).toEqual([20]);
      clustering.apply(ids.slice(10, 30).map((itemId): Mutation => ({ kind: 'remove', itemId, told: true })), sequence + 4n);
      clustering.apply(ids.map((itemId, index) => insert(itemId, index / 10)), sequence + 5n);
      expect(clustering.clusters().map(({ size }) => size)).toEqual([40]);
    }
  });

  test('gives items numbers in the order of those they had', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    clustering.apply(['a', 'b', 'c', 'd', 'e'].map((itemId, index) => insert(itemId, index)), 1n);
    clustering.apply([{ kind: 'remove', itemId: 'b', told: false }, insert('d', 9)], 2n);
    expect(['a', 'b', 'c', 'd', 'e'].map((itemId) => clustering.itemIndex(itemId))).toEqual([0, -1, 2, 3, 4]);
    const restored = await restore([...clustering.snapshot()]);
    expect(['a', 'c', 'd', 'e'].map((itemId) => restored.itemIndex(itemId))).toEqual([0, 1, 2, 3]);
    expect(restored.itemIdAt(2)).toBe('d');
  });

  test('ids of any length, and of characters of any number of bytes', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    const ids = ['', 'x', 'ü'.repeat(200), '\u{1f600}'.repeat(63), 'y'.repeat(254), 'y'.repeat(255), 'z'.repeat(70_000), 'w'.repeat(300_000)];
    clustering.apply(ids.map((itemId, index) => insert(itemId, index)), 1n);
    const restored = await restore([...clustering.snapshot()]);
    expect(ids.map((itemId) => restored.item(itemId)?.itemId)).toEqual(ids);
    expect(canonical(restored).equals(canonical(clustering))).toBe(true);
    for (const itemId of ids) restored.apply([{ kind: 'remove', itemId, told: false }], BigInt(ids.indexOf(itemId) + 2));
    expect(restored.size).toBe(0);
  });
});

describe('a damaged snapshot', () => {
  const invalid = expect.objectContaining({ code: 'LS_CLUSTERING_SNAPSHOT_INVALID' }) as unknown;
  const made = (): Buffer[] => {
    const { scenario, random } = scenarioFor(8001);
    const clustering = createClustering(scenario.parameters, identity);
    const live = new Map<string, Float32Array>();
    for (const numbered of stepsOf(scenario, random, 10, live)) {
      mutate(live, numbered.step.mutations);
      perform(clustering, numbered);
    }
    return [...clustering.snapshot()];
  };
  const reading = (chunks: readonly Buffer[]): Promise<Clustering> => {
    let next = 0;
    return restoreClustering(() => Promise.resolve(chunks[next++]));
  };

  test('of which chunks are missing, swapped, empty or cut short is refused', async () => {
    const chunks = made();
    expect(chunks.length).toBeGreaterThanOrEqual(6);
    for (const index of chunks.keys()) {
      await expect(reading(chunks.toSpliced(index, 1)), `without chunk ${index}`).rejects.toEqual(invalid);
      await expect(reading(chunks.slice(0, index)), `up to chunk ${index}`).rejects.toEqual(invalid);
      await expect(reading(chunks.with(index, Buffer.alloc(0))), `chunk ${index} empty`).rejects.toEqual(invalid);
      await expect(reading(chunks.with(index, chunks[index]!.subarray(0, -5))), `chunk ${index} cut`).rejects.toEqual(invalid);
      if (index > 0) await expect(reading(chunks.with(index, chunks[index - 1]!)), `chunk ${index} twice`).rejects.toEqual(invalid);
    }
  });

  const changes: readonly (readonly [string, (count: number) => unknown])[] = [
    ['itemCount', (count: number) => count + 1], ['itemCount', (count: number) => count - 1], ['pointCount', (count: number) => count - 1],
    ['pointCount', () => 1e12], ['edgeCount', (count: number) => count - 1], ['edgeCount', () => 1e12], ['dimensions', (count: number) => count + 1],
    ...['itemCount', 'pointCount', 'edgeCount', 'dimensions'].flatMap((field) => [null, 'x', '3', -1, 1.5, undefined, {}].map((value) => [field, () => value] as const)),
    ...[{ clusters: null, aliases: 0 }, { clusters: 1, aliases: 'x' }, { clusters: -1, aliases: 0 }, { clusters: 1 }, null].map((value) => ['chunks', () => value] as const),
    ['parameters', () => ({ metric: 'cosine', eps: -1, minPoints: 3 })], ['parameters', () => null], ['sequence', () => 'x'],
  ];
  test.each(changes)('whose header has another %s', async (field, change) => {
    const chunks = made();
    const header = JSON.parse(chunks[0]!.toString()) as Record<string, number>;
    const changed = Buffer.from(JSON.stringify({ ...header, [field]: change(header[field]!) }));
    await expect(reading(chunks.with(0, changed))).rejects.toEqual(invalid);
  });

  test.each([null, 'x', undefined])('that has %s for how many edges there are, where no item is core, is refused', async (edgeCount) => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 3 }, identity);
    clustering.apply([0, 1].map((place): Mutation => ({ kind: 'insert', itemId: `at ${place}`, vector: Float32Array.of(place) })), 1n);
    const [header, ...rest] = [...clustering.snapshot()];
    expect((await reading([header!, ...rest])).meanDegree()).toBe(1);
    const changed = { ...(JSON.parse(header!.toString()) as object), edgeCount };
    await expect(reading([Buffer.from(JSON.stringify(changed)), ...rest])).rejects.toEqual(invalid);
  });

  test('in which a point lists itself, or what is no point, is refused for that', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);
    clustering.apply(['a', 'b', 'c'].map((itemId, index): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.of(index / 10) })), 1n);
    const chunks = [...clustering.snapshot()];
    const lists = chunks.pop() as Buffer;
    // Behind the head: a point, how many neighbours it has, and the first of them.
    const neighbourAt = 8 + 2 * 4;
    expect([0, 4, 8].map((offset) => lists.readInt32LE(8 + offset))).toEqual([0, 2, expect.any(Number)]);
    for (const neighbour of [0, 3, 2 ** 31 - 1, -1, -(2 ** 31)]) {
      const damaged = Buffer.from(lists);
      damaged.writeInt32LE(neighbour, neighbourAt);
      await expect(reading([...chunks, damaged]), `neighbour ${neighbour}`).rejects.toThrow(/point 0 lists what is no other point/);
    }
  });

  test(`with one byte changed anywhere is refused, or read without a fault (seed ${seed})`, async () => {
    const random = createRandom(seed);
    const chunks = made();
    let refused = 0;
    for (let run = 0; run < (isFull ? 3000 : 300); run++) {
      const index = random.below(chunks.length);
      const chunk = Buffer.from(chunks[index]!);
      chunk[random.below(chunk.length)] = random.below(256);
      await reading(chunks.with(index, chunk)).then(
        (restored) => {
          expect(restored.clusters().reduce((sum, { size }) => sum + size, restored.noiseCount())).toBe(restored.size);
        },
        (error: unknown) => {
          expect(error, `run ${run}`).toEqual(invalid);
          refused++;
        },
      );
    }
    expect(refused).toBeGreaterThan(50);
  });
});
