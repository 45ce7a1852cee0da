import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileSystem } from '../../../src/pipeline/file-system.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import { defaultLogLimits } from '../../../src/transports/log/segment-log-store.ts';
import { append, openStore, readAll, record, temporaryDirectory, testClock, values } from './store-fixture.ts';

const here = { topic: 'labels', partition: 0 };

describe('the log on a real disk', () => {
  test('gives back what was committed, also after being opened again', async () => {
    const directory = await temporaryDirectory();
    const clock = testClock(1000);
    const store = await openStore(directory, { clock });
    expect(await store.createTopic('labels', 2)).toEqual({ topic: 'labels', incarnation: 'id1', partitionCount: 2 });
    const headers = new Map([
      ['origin', Buffer.from([1, 2, 3])],
      ['ünï', Buffer.alloc(0)],
    ]);
    await store.commit({
      records: [
        { topic: 'labels', partition: 0, key: Buffer.from('k'), value: Buffer.from('first'), headers },
        { topic: 'labels', partition: 1, key: null, value: Buffer.alloc(0), headers: new Map() },
        { topic: 'labels', partition: 0, key: Buffer.alloc(0), value: Buffer.from('second'), headers: new Map() },
      ],
      checkpoints: [{ group: 'g', topic: 'labels', partition: 1, nextSequence: 7n, metadata: 'ä"\n' }],
    });
    for (const opened of [store, undefined]) {
      if (opened === undefined) await store.close();
      const current = opened ?? (await openStore(directory));
      expect(await readAll(current, here)).toEqual([
        { sequence: 0n, appendTimeMs: 1000, key: Buffer.from('k'), value: Buffer.from('first'), headers },
        { sequence: 1n, appendTimeMs: 1000, key: Buffer.alloc(0), value: Buffer.from('second'), headers: new Map() },
      ]);
      expect(await readAll(current, { topic: 'labels', partition: 1 })).toEqual([
        { sequence: 0n, appendTimeMs: 1000, key: null, value: Buffer.alloc(0), headers: new Map() },
      ]);
      expect(await current.bounds(here)).toEqual({ startSequence: 0n, endSequence: 2n });
      expect(await current.topics()).toEqual([{ topic: 'labels', incarnation: 'id1', partitionCount: 2 }]);
      const checkpoint = await current.checkpoint('g', { topic: 'labels', partition: 1 });
      expect(checkpoint).toMatchObject({ nextSequence: 7n, metadata: 'ä"\n' });
      expect(await current.checkpoint('g', here)).toBeUndefined();
      if (opened === undefined) await current.close();
    }
  });

  test('puts a topic in the place of another: records, positions and files of the former are gone, and it begins above 0', async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    const { incarnation } = await store.createTopic('labels', 2);
    await store.createTopic('kept', 1);
    await append(store, 'labels', 1, ...Array.from({ length: 30 }, (_, index) => `old ${index} ${'x'.repeat(200)}`));
    await append(store, 'kept', 0, 'a');
    const stands = (topic: string) => ({ group: 'g', topic, partition: 0, nextSequence: 1n, metadata: '' });
    await store.commit({ records: [], checkpoints: [stands('labels'), stands('kept')] });
    const files = async () => (await readdir(join(directory, 'topics'), { recursive: true })).filter((name) => name.startsWith(`labels-${incarnation}`) && /[.](log|index)$/.test(name));
    expect((await files()).length).toBeGreaterThan(3);
    // What is handed over meanwhile comes into the new one, and what it has no place for is refused.
    const replaced = store.replaceTopic('labels', incarnation, 1);
    const appended = append(store, 'labels', 0, 'new');
    await expect(append(store, 'labels', 1, 'nowhere')).rejects.toMatchObject({ code: 'LS_TRANSPORT_TOPIC_MISSING' });
    const description = await replaced;
    await appended;
    expect(description).toMatchObject({ topic: 'labels', partitionCount: 1 });
    expect(description.incarnation).not.toBe(incarnation);
    expect(await files()).toEqual([]);
    expect(await store.replaceTopic('labels', incarnation, 1)).toEqual(description);
    await expect(store.replaceTopic('labels', incarnation, 3)).rejects.toMatchObject({ code: 'LS_TRANSPORT_PARTITION_COUNT' });
    for (const opened of [store, undefined]) {
      if (opened === undefined) await store.close();
      const current = opened ?? (await openStore(directory));
      expect(await current.topics()).toContainEqual(description);
      expect(await current.bounds(here)).toEqual({ startSequence: 1n, endSequence: 2n });
      expect(await values(current, 'labels', 0)).toEqual(['new']);
      expect(await values(current, 'kept', 0)).toEqual(['a']);
      expect(await current.checkpoint('g', here)).toBeUndefined();
      expect(await current.checkpoint('g', { topic: 'kept', partition: 0 })).toMatchObject({ nextSequence: 1n });
      if (opened === undefined) await current.close();
    }
  });

  test('that was cut off while a topic took the place of another removes what is left of it when it is opened', async () => {
    const directory = await temporaryDirectory();
    const node = createNodeFileSystem();
    let dead = false;
    const fileSystem: FileSystem = { ...node, remove: (path) => (dead ? Promise.reject(new Error('The process is gone.')) : node.remove(path)) };
    const store = await openStore(directory, { fileSystem });
    const { incarnation } = await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'old');
    dead = true;
    await store.replaceTopic('labels', incarnation, 2);
    const left = async () => (await readdir(join(directory, 'topics', `labels-${incarnation}`), { recursive: true })).filter((name) => name.endsWith('.log'));
    expect(await left()).toHaveLength(1);
    await store.close();
    const reopened = await openStore(directory);
    expect(await left()).toEqual([]);
    expect(await reopened.topics()).toMatchObject([{ topic: 'labels', partitionCount: 2 }]);
    await reopened.close();
  });

  test('rolls segments and journals, and reads from any sequence across them', async () => {
    const directory = await temporaryDirectory();
    let store = await openStore(directory);
    await store.createTopic('labels', 1);
    const expected: string[] = [];
    for (let round = 0; round < 60; round += 1) {
      const batch = Array.from({ length: 7 }, (_, index) => `value ${round}.${index} ${'x'.repeat(round * 3)}`);
      expected.push(...batch);
      await append(store, 'labels', 0, ...batch);
      if (round % 20 === 19) {
        await store.close();
        store = await openStore(directory);
      }
    }
    expect(await values(store, 'labels', 0)).toEqual(expected);
    for (let from = 0; from < expected.length; from += 1) {
      const [first, second] = await store.read(here, BigInt(from), { records: 2, bytes: 100_000 });
      expect(first?.value.toString()).toBe(expected[from]);
      expect(second?.value.toString()).toBe(expected[from + 1]);
    }
    await store.close();
    expect(await readdir(join(directory, 'journal'))).toHaveLength(1);
    const files = await readdir(join(directory, 'topics', 'labels-id1', '0'));
    expect(files.filter((name) => name.endsWith('.log')).length).toBeGreaterThan(10);
  });

  test('holds to the budget of a read, but always gives a first record', async () => {
    const store = await openStore(await temporaryDirectory());
    await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'a'.repeat(5000), 'b', 'c', 'd');
    const read = async (from: bigint, records: number, bytes: number): Promise<number> =>
      (await store.read(here, from, { records, bytes })).length;
    expect(await read(0n, 10, 1)).toBe(1);
    expect(await read(0n, 10, 5064)).toBe(1);
    expect(await read(0n, 10, 5064 + 65)).toBe(2);
    expect(await read(1n, 2, 1_000_000)).toBe(2);
    expect(await read(1n, 10, 130)).toBe(2);
    expect(await read(4n, 10, 1_000_000)).toBe(0);
    await store.close();
  });

  test('carries records larger than a segment and than a read chunk', async () => {
    const directory = await temporaryDirectory();
    const store = await openStore(directory);
    await store.createTopic('labels', 1);
    const large = Buffer.alloc(900_000, 'large');
    await store.commit({ records: [record('labels', 0, 'small'), record('labels', 0, large), record('labels', 0, 'after')], checkpoints: [] });
    await store.close();
    const reopened = await openStore(directory);
    const records = await readAll(reopened, here);
    expect(records.map((stored) => stored.value.length)).toEqual([5, 900_000, 5]);
    expect(records[1]?.value.equals(large)).toBe(true);
    await reopened.close();
  });

  test.each([100_000, 3_000, 60])('reads records of %d bytes once, whatever is asked for at a time', async (size) => {
    const inner = createNodeFileSystem();
    let readBytes = 0;
    const fileSystem: FileSystem = {
      ...inner,
      open: async (...parameters) => {
        const handle = await inner.open(...parameters);
        const read: typeof handle.read = async (offset, length) => {
          const bytes = await handle.read(offset, length);
          readBytes += bytes.length;
          return bytes;
        };
        return { ...handle, read };
      },
    };
    const store = await openStore(await temporaryDirectory(), { fileSystem, limits: defaultLogLimits });
    await store.createTopic('labels', 1);
    const count = Math.ceil(4_000_000 / size);
    await store.commit({ records: Array.from({ length: count }, () => record('labels', 0, Buffer.alloc(size))), checkpoints: [] });
    readBytes = 0;
    const records = Math.ceil(400_000 / size);
    for (let next = 0; next < count; ) next += (await store.read(here, BigInt(next), { records, bytes: 50_000_000 })).length;
    // The index knows a record about every 4 KiB: that much more before the first, and behind the last one.
    expect(readBytes).toBeLessThan(count * (size + 64) + 10 * 4 * 4096);
    await store.close();
  });
});
