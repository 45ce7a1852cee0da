/** The calls of the store one by one: what they share, wait for, refuse. */
import { describe, expect, test } from 'vitest';
import type { LogTransaction } from '../../../src/transports/log/log-store.ts';
import { createRefusingFileSystem } from './refusing-file-system.ts';
import { append, openStore, readAll, record, smallLimits, temporaryDirectory, testClock, values } from './store-fixture.ts';

const here = { topic: 'labels', partition: 0 };

describe('group commit', () => {
  test('concurrent commits share synchronisations, in the order of the calls', async () => {
    const fileSystem = createRefusingFileSystem();
    const commits: { transactions: number; records: number }[] = [];
    const store = await openStore(await temporaryDirectory(), { fileSystem, observer: { commitDone: (done) => commits.push(done) } });
    await store.createTopic('labels', 2);
    commits.length = 0;
    const synchronisations = (): number => fileSystem.calls.filter((call) => call.call === 'dataSync').length;
    const before = synchronisations();
    const batch = Array.from({ length: 40 }, (_, value) => store.commit({ records: [record('labels', value % 2, `${value}`)], checkpoints: [] }));
    await Promise.all(batch);
    // Two segments and the journal.
    expect(synchronisations() - before).toBe(3);
    expect(commits).toMatchObject([{ transactions: 40, records: 40 }]);
    const expected = Array.from({ length: 20 }, (_, value) => `${value * 2}`);
    expect(await values(store, 'labels', 0)).toEqual(expected);
    await store.close();
  });

  test('a round holds to its limits, but takes one transaction whatever its size', async () => {
    const commits: { transactions: number; records: number }[] = [];
    const store = await openStore(await temporaryDirectory(), {
      limits: { ...smallLimits, groupCommit: { transactions: 3, records: 5, bytes: 1000 } },
      observer: { commitDone: (done) => commits.push(done) },
    });
    await store.createTopic('labels', 1);
    commits.length = 0;
    const sizes = [1, 1, 1, 1, 9, 2, 2, 2];
    await Promise.all(sizes.map((size) => append(store, 'labels', 0, ...Array.from({ length: size }, () => 'value'))));
    expect(commits.map((commit) => [commit.transactions, commit.records])).toEqual([
      [3, 3],
      [1, 1],
      [1, 9],
      [2, 4],
      [1, 2],
    ]);
    commits.length = 0;
    await Promise.all([650, 200, 10, 2000].map((length) => append(store, 'labels', 0, 'x'.repeat(length))));
    expect(commits.map((commit) => commit.transactions)).toEqual([3, 1]);
    await store.close();
  });

  test('append time is the clock of the round, and never goes back within a partition, even over a restart', async () => {
    const directory = await temporaryDirectory();
    const clock = testClock(5000);
    let store = await openStore(directory, { clock });
    await store.createTopic('labels', 2);
    await append(store, 'labels', 0, 'a');
    clock.set(4000);
    await append(store, 'labels', 0, 'b');
    await append(store, 'labels', 1, 'c');
    await store.close();
    store = await openStore(directory, { clock });
    await append(store, 'labels', 0, 'd');
    clock.set(6000);
    await append(store, 'labels', 0, 'e');
    expect((await readAll(store, here)).map((stored) => stored.appendTimeMs)).toEqual([5000, 5000, 5000, 6000]);
    expect((await readAll(store, { topic: 'labels', partition: 1 }))[0]?.appendTimeMs).toBe(4000);
    await store.close();
  });

  test('the last of several checkpoints of a group counts; a transaction may hold only checkpoints, or nothing', async () => {
    const directory = await temporaryDirectory();
    let store = await openStore(directory);
    await store.createTopic('labels', 1);
    const at = (nextSequence: bigint): LogTransaction => ({ records: [], checkpoints: [{ group: 'g', ...here, nextSequence, metadata: `${nextSequence}` }] });
    await Promise.all([store.commit(at(3n)), store.commit(at(1n)), store.commit({ records: [], checkpoints: [] })]);
    await store.close();
    store = await openStore(directory);
    expect(await store.checkpoint('g', here)).toMatchObject({ nextSequence: 1n, metadata: '1' });
    await store.close();
  });
});

describe('waiting', () => {
  test('ends when the partition grows beyond the end, not when another does', async () => {
    const store = await openStore(await temporaryDirectory());
    await store.createTopic('labels', 2);
    const woken: string[] = [];
    const signal = new AbortController().signal;
    const first = store.waitForRecords(here, 0n, signal).then(() => woken.push('first'));
    const second = store.waitForRecords(here, 1n, signal).then(() => woken.push('second'));
    await append(store, 'labels', 1, 'elsewhere');
    expect(woken).toEqual([]);
    await append(store, 'labels', 0, 'a');
    await first;
    expect(woken).toEqual(['first']);
    await append(store, 'labels', 0, 'b');
    await second;
    await store.waitForRecords(here, 1n, signal);
    await store.close();
  });

  test('ends when the signal aborts, before or while waiting', async () => {
    const store = await openStore(await temporaryDirectory());
    await store.createTopic('labels', 1);
    await store.waitForRecords(here, 0n, AbortSignal.abort());
    const controller = new AbortController();
    const waiting = store.waitForRecords(here, 0n, controller.signal);
    controller.abort();
    await waiting;
    await store.close();
  });
});

describe('closing', () => {
  test('finishes what was begun and refuses what comes after', async () => {
    const directory = await temporaryDirectory();
    const fileSystem = createRefusingFileSystem();
    const store = await openStore(directory, { fileSystem });
    await store.createTopic('labels', 1);
    await append(store, 'labels', 0, 'a');
    const waiting = store.waitForRecords(here, 9n, new AbortController().signal);
    const read = store.read(here, 0n, { records: 1, bytes: 1 });
    const commit = append(store, 'labels', 0, 'b');
    const closed = [store.close(), store.close()];
    await expect(waiting).rejects.toMatchObject({ code: 'LS_LOG_CLOSED' });
    await commit;
    expect(await read).toHaveLength(1);
    await Promise.all(closed);
    expect(fileSystem.openHandles()).toBe(0);
    const refused = { code: 'LS_LOG_CLOSED' };
    await expect(append(store, 'labels', 0, 'c')).rejects.toMatchObject(refused);
    await expect(store.read(here, 0n, { records: 1, bytes: 1 })).rejects.toMatchObject(refused);
    await expect(store.topics()).rejects.toMatchObject(refused);
    await expect(store.createTopic('labels', 1)).rejects.toMatchObject(refused);
    await expect(store.bounds(here)).rejects.toMatchObject(refused);
    await expect(store.waitForRecords(here, 0n, AbortSignal.abort())).rejects.toMatchObject(refused);
    const reopened = await openStore(directory);
    expect(await values(reopened, 'labels', 0)).toEqual(['a', 'b']);
    await reopened.close();
  });
});

describe('topics and limits', () => {
  test('a topic is made once, with one incarnation', async () => {
    const store = await openStore(await temporaryDirectory());
    const made = await Promise.all([store.createTopic('a', 2), store.createTopic('a', 2), store.createTopic('b', 1)]);
    expect(made.map((topic) => [topic.topic, topic.partitionCount])).toEqual([['a', 2], ['a', 2], ['b', 1]]);
    expect(made[1]).toEqual(made[0]);
    expect(await store.createTopic('a', 2)).toEqual(made[0]);
    const mismatch = { code: 'LS_TRANSPORT_PARTITION_COUNT', details: { partitionCount: 2, askedPartitionCount: 3 } };
    await expect(store.createTopic('a', 3)).rejects.toMatchObject(mismatch);
    const results = await Promise.allSettled([store.createTopic('c', 1), store.createTopic('c', 2)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    await store.close();
  });

  test('the longest name works', async () => {
    const directory = await temporaryDirectory();
    let store = await openStore(directory, { newIncarnation: () => 'i'.repeat(60) });
    const name = 'N'.repeat(249);
    await store.createTopic(name, 1);
    await append(store, name, 0, 'value');
    await store.close();
    store = await openStore(directory);
    expect(await values(store, name, 0)).toEqual(['value']);
    await store.close();
  });

  test.each(['', '.', '..', 'a/b', '../a', 'a b', 'ä', 'N'.repeat(250), 'a\0'])('a topic named %j is refused', async (name) => {
    const store = await openStore(await temporaryDirectory());
    await expect(store.createTopic(name, 1)).rejects.toMatchObject({ code: 'LS_TRANSPORT_TOPIC_INVALID' });
    await store.close();
  });

  test.each([0, -1, 1.5, Number.NaN, 10_001])('%d partitions are refused', async (count) => {
    const store = await openStore(await temporaryDirectory());
    await expect(store.createTopic('a', count)).rejects.toMatchObject({ code: 'LS_TRANSPORT_TOPIC_INVALID' });
    await store.close();
  });

  test('an unknown topic or partition is refused by every call, and nothing of the transaction is committed', async () => {
    const store = await openStore(await temporaryDirectory());
    await store.createTopic('labels', 1);
    const missing = { code: 'LS_TRANSPORT_TOPIC_MISSING' };
    for (const location of [{ topic: 'other', partition: 0 }, { topic: 'labels', partition: 1 }, { topic: 'labels', partition: -1 }]) {
      await expect(store.commit({ records: [record('labels', 0, 'a'), { ...record('', 0, 'b'), ...location }], checkpoints: [] })).rejects.toMatchObject(missing);
      const checkpoints = [{ group: 'g', ...location, nextSequence: 0n, metadata: '' }];
      await expect(store.commit({ records: [record('labels', 0, 'a')], checkpoints })).rejects.toMatchObject(missing);
      await expect(store.read(location, 0n, { records: 1, bytes: 1 })).rejects.toMatchObject(missing);
      await expect(store.bounds(location)).rejects.toMatchObject(missing);
      await expect(store.checkpoint('g', location)).rejects.toMatchObject(missing);
      await expect(store.waitForRecords(location, 0n, AbortSignal.abort())).rejects.toMatchObject(missing);
    }
    expect(await store.bounds(here)).toEqual({ startSequence: 0n, endSequence: 0n });
    await store.close();
  });

  test('a record over the limit is refused with its transaction, one at the limit is not', async () => {
    const store = await openStore(await temporaryDirectory(), { limits: { ...smallLimits, recordBytes: 1000 } });
    await store.createTopic('labels', 1);
    const sized = (bytes: number): LogTransaction => ({ records: [record('labels', 0, 'a'), record('labels', 0, 'x'.repeat(bytes - 64))], checkpoints: [] });
    await expect(store.commit(sized(1001))).rejects.toMatchObject({ code: 'LS_TRANSPORT_RECORD_TOO_LARGE', details: { bytes: 1001, bytesMax: 1000 } });
    expect(await values(store, 'labels', 0)).toEqual([]);
    await store.commit(sized(1000));
    expect(await values(store, 'labels', 0)).toHaveLength(2);
    await store.close();
  });

  test('file handles stay few, however many segments are read at once', async () => {
    const fileSystem = createRefusingFileSystem();
    // A journal that rolls has two files open for a moment.
    const limits = { ...smallLimits, segmentBytes: 300, journalBytes: 1_000_000 };
    const store = await openStore(await temporaryDirectory(), { fileSystem, limits });
    await store.createTopic('labels', 1);
    for (let value = 0; value < 40; value += 1) await append(store, 'labels', 0, `${value} ${'x'.repeat(280)}`);
    const read = async (from: number): Promise<string | undefined> =>
      (await store.read(here, BigInt(from), { records: 1, bytes: 1 }))[0]?.value.toString().split(' ')[0];
    const order = Array.from({ length: 200 }, (_, place) => (place * 17) % 40);
    expect(await Promise.all(order.map(read))).toEqual(order.map(String));
    for (const from of order) expect(await read(from)).toBe(`${from}`);
    // Three closed segments, the active one and the journal.
    expect(fileSystem.openHandles()).toBe(5);
    await store.close();
    expect(fileSystem.openHandles()).toBe(0);
  });
});
