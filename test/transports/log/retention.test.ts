import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { noHeaders } from '../../../src/core/records.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import { openLog } from '../../../src/transports/log/open-log.ts';
import type { LogRetention } from '../../../src/transports/log/retention.ts';
import { openSegmentLogStore } from '../../../src/transports/log/segment-log-store.ts';
import { createSimulatedDisk, type DiskOperation } from '../../simulation/simulated-disk.ts';
import { createRefusingFileSystem } from './refusing-file-system.ts';
import { append, openStore, smallLimits, temporaryDirectory, testClock, values } from './store-fixture.ts';

const here = { topic: 'labels', partition: 0 };
/** Two records to a segment. */
const limits = { ...smallLimits, segmentBytes: 700 };
const value = (number: number): string => `${number} ${'x'.repeat(280)}`;
const first = async (store: LogStore): Promise<number> => Number((await store.bounds(here)).startSequence);

function keeping(retention: Partial<ReturnType<LogRetention['limitsOf']>>, neededFrom?: () => bigint): LogRetention {
  return { limitsOf: () => ({ ms: undefined, bytes: undefined, ...retention }), neededFrom: () => Promise.resolve(neededFrom?.()) };
}

/** Records 0 to count - 1, one a second. */
async function filled(retention: LogRetention, count: number, options: Partial<Parameters<typeof openStore>[1]> = {}) {
  const clock = testClock();
  const startMs = clock.nowMs();
  const directory = await temporaryDirectory();
  const store = await openStore(directory, { clock, limits, retention, ...options });
  await store.createTopic('labels', 1);
  for (let number = 0; number < count; number += 1) {
    clock.set(startMs + number * 1000);
    await append(store, 'labels', 0, value(number));
  }
  return { clock, directory, store, startMs, retention };
}

async function logFiles(directory: string): Promise<readonly string[]> {
  const [topic] = (await readdir(join(directory, 'topics'))).filter((name) => name.startsWith('labels'));
  return (await readdir(join(directory, 'topics', topic!, '0'))).sort();
}

function partitionPath(directory: string, name: string): string {
  return join(directory, 'topics', 'labels-id1', '0', name);
}

describe('retention removes', () => {
  test('whole segments whose last record is over age, and moves the beginning', async () => {
    const { store, directory, clock, startMs } = await filled(keeping({ ms: 5000 }), 10);
    clock.set(startMs + 8_000);
    await store.retain();
    // Of the segments 0-1, 2-3, ... that of 2 is not over age at 8 s: its last record, 3, is 5 s old.
    expect(await first(store)).toBe(2);
    clock.set(startMs + 8_001);
    await store.retain();
    expect(await first(store)).toBe(4);
    expect((await values(store, 'labels', 0)).map((text) => text.split(' ')[0])).toEqual(['4', '5', '6', '7', '8', '9']);
    await store.close();
    expect((await logFiles(directory)).filter((name) => /0000000[0-3]\./.test(name))).toEqual([]);
  });

  test('the oldest segments while those that stay hold the bytes, and never the active one', async () => {
    const { store } = await filled(keeping({ bytes: 1300 }), 10);
    await store.retain();
    // A segment is 660 bytes, the active one, full as it is, too.
    expect(await first(store)).toBe(6);
    await store.close();
    const small = await filled(keeping({ bytes: 1 }), 10);
    await small.store.retain();
    expect(await first(small.store)).toBe(8);
    await small.store.close();
  });

  test('what is over age in a partition that nobody writes to any more; sequences go on', async () => {
    const { store, directory, clock, startMs, retention } = await filled(keeping({ ms: 5000 }), 5);
    clock.set(startMs + 60_000);
    await store.retain();
    expect(await store.bounds(here)).toEqual({ startSequence: 5n, endSequence: 5n });
    await append(store, 'labels', 0, 'next');
    await store.close();
    expect((await logFiles(directory)).filter((name) => name.endsWith('.log'))).toEqual(['00000000000000000005.log']);
    const again = await openStore(directory, { clock, limits, retention });
    expect(await values(again, 'labels', 0)).toEqual(['next']);
    clock.set(startMs + 120_000);
    await again.retain();
    await again.close();
    const empty = await openStore(directory, { clock, limits, retention });
    expect(await empty.bounds(here)).toEqual({ startSequence: 6n, endSequence: 6n });
    await append(empty, 'labels', 0, 'after a restart');
    expect((await empty.read(here, 6n, { records: 1, bytes: 1 }))[0]?.sequence).toBe(6n);
    await empty.close();
  });

  test('nothing that somebody needs, however old', async () => {
    let needed = 0n;
    const { store, clock, startMs } = await filled(keeping({ ms: 60_000, bytes: 1 }, () => needed), 10);
    clock.set(startMs + 3_600_000);
    for (const [from, beginning] of [[0n, 0], [1n, 0], [2n, 2], [7n, 6], [9n, 8], [10n, 10]] as const) {
      needed = from;
      await store.retain();
      expect(await first(store), `needed from ${from}`).toBe(beginning);
    }
    await store.close();
  });

  test('nothing without limits, and a segment takes records for no longer than the age', async () => {
    const kept = await filled(keeping({}), 6);
    kept.clock.set(kept.startMs + 1e12);
    await kept.store.retain();
    expect(await first(kept.store)).toBe(0);
    await kept.store.close();
    // One segment would hold all of them.
    const rolled = await filled(keeping({ ms: 2000 }), 9, { limits: { ...smallLimits, segmentBytes: 1_000_000 } });
    rolled.clock.set(rolled.startMs + 8_500);
    await rolled.store.retain();
    expect(await first(rolled.store)).toBe(6);
    await rolled.store.close();
  });

  test('with its position: a read below the beginning is lost, one that had none begins there', async () => {
    const { store, clock, startMs } = await filled(keeping({ ms: 5000 }), 10);
    const transport = createLogTransport(store);
    clock.set(startMs + 8_001);
    await store.retain();
    const budget = { records: 1, bytes: 1 };
    const signal = new AbortController().signal;
    await expect(transport.read(here, '3', budget, signal)).rejects.toMatchObject({ code: 'LS_TRANSPORT_POSITION_LOST', details: { position: 3n, startSequence: 4n } });
    expect((await transport.read(here, undefined, budget, signal))[0]?.sequence).toBe(4n);
    await transport.close();
  });

  test('under a reader: it gets what it asked for, or a later beginning', async () => {
    const { store, clock, startMs } = await filled(keeping({ ms: 1 }), 40, { limits: { ...limits, openClosedSegments: 1 } });
    clock.set(startMs + 3_600_000);
    const reads = Array.from({ length: 40 }, (_, from) => store.read(here, BigInt(from), { records: 3, bytes: 5000 }));
    const retained = store.retain();
    for (const [from, records] of (await Promise.all(reads)).entries()) {
      const sequences = records.map(({ sequence }) => Number(sequence));
      expect(sequences[0] ?? 40).toBeGreaterThanOrEqual(from);
      expect(sequences).toEqual(sequences.map((_, place) => (sequences[0] ?? 0) + place));
    }
    await retained;
    expect(await store.bounds(here)).toEqual({ startSequence: 40n, endSequence: 40n });
    await store.close();
  });
});

test('a reader that makes an index again while retention removes the segment leaves none behind', async () => {
  const { store, directory, clock, startMs, retention } = await filled(keeping({ ms: 5000 }), 10);
  await store.close();
  await rm(partitionPath(directory, '00000000000000000000.index'));
  const disk = createNodeFileSystem();
  const [saving, goOn] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const open: typeof disk.open = async (path, options) => {
    if (path.endsWith('0000.index') && options.create) {
      saving.resolve(undefined);
      await goOn.promise;
    }
    return disk.open(path, options);
  };
  const again = await openStore(directory, { clock, limits, retention, fileSystem: { ...disk, open } });
  const read = again.read(here, 0n, { records: 1, bytes: 1 });
  await saving.promise;
  clock.set(startMs + 8_001);
  await again.retain();
  expect(await first(again)).toBe(4);
  await expect.poll(async () => (await logFiles(directory)).filter((name) => /0000000[0-3]\./.test(name))).toEqual([]);
  goOn.resolve(undefined);
  await read;
  await again.close();
  expect((await logFiles(directory)).filter((name) => /0000000[0-3]\./.test(name))).toEqual([]);
});

describe('after a crash', () => {
  test('a file below the beginning is removed, one at or above it that is missing is damage', async () => {
    const { store, directory, clock, startMs, retention } = await filled(keeping({ ms: 5000 }), 10);
    const segment = await readFile(partitionPath(directory, '00000000000000000000.log'));
    clock.set(startMs + 8_001);
    await store.retain();
    await store.close();
    await writeFile(partitionPath(directory, '00000000000000000000.log'), segment);
    await writeFile(partitionPath(directory, '00000000000000000002.index'), 'left over');
    // Of a segment that was begun, and committed by nobody.
    await writeFile(partitionPath(directory, '00000000000000000099.index'), 'left over');
    const again = await openStore(directory, { clock, limits, retention });
    expect(await first(again)).toBe(4);
    expect(await logFiles(directory)).not.toContain('00000000000000000000.log');
    expect(await logFiles(directory)).not.toContain('00000000000000000002.index');
    expect(await logFiles(directory)).not.toContain('00000000000000000099.index');
    await again.close();
    await rm(partitionPath(directory, '00000000000000000004.log'));
    await expect(openStore(directory, { clock, limits, retention })).rejects.toMatchObject({ code: 'LS_LOG_CORRUPT', details: { file: partitionPath(directory, '00000000000000000004.log') } });
  });

  test('at any step of a pass everything kept is there, and the beginning is the old one or the new one', async () => {
    const seen = new Set<bigint>();
    const { steps } = await crashedAt(undefined, false, 1);
    for (let step = 1; step <= steps; step += 1) {
      for (const power of [true, false]) seen.add((await crashedAt(step, power, 17 * step + Number(power))).startSequence);
    }
    expect([...seen].sort()).toEqual([0n, 6n]);
    // A write, its synchronisation, three segments with their indexes, the directory.
    expect(steps).toBeGreaterThanOrEqual(9);
  });
});

/** Counts the disk's operations of a pass and ends the process at one of them. */
async function crashedAt(step: number | undefined, power: boolean, seed: number): Promise<{ readonly startSequence: bigint; readonly steps: number }> {
  const disk = createSimulatedDisk(seededRandom(seed));
  const clock = testClock();
  const startMs = clock.nowMs();
  const retention = keeping({ ms: 3000 });
  const options = { directory: '/log', clock, newIncarnation: () => 'id', limits, retention };
  let counting = false;
  let steps = 0;
  const over = Promise.withResolvers<undefined>();
  const operation = (_operation: DiskOperation, phase: 'begin' | 'end'): undefined => {
    if (!counting || phase === 'end') return;
    steps += 1;
    if (steps !== step) return;
    if (power) disk.losePower();
    else disk.killProcess();
    over.resolve(undefined);
  };
  const store = await openSegmentLogStore({ ...options, fileSystem: disk.startProcess({ operation }) });
  await store.createTopic('labels', 1);
  for (let number = 0; number < 10; number += 1) {
    clock.set(startMs + number * 1000);
    await append(store, 'labels', 0, value(number));
  }
  counting = true;
  const passed = store.retain().catch(() => undefined).then(() => store.close());
  await Promise.race([passed, over.promise]);
  const again = await openSegmentLogStore({ ...options, fileSystem: disk.startProcess({ operation: () => undefined }) });
  const { startSequence } = await again.bounds(here);
  const kept = (await values(again, 'labels', 0)).map((text) => Number(text.split(' ')[0]));
  expect(kept, `crash at step ${step ?? 'none'}, seed ${seed}`).toEqual(Array.from({ length: 10 - Number(startSequence) }, (_, place) => Number(startSequence) + place));
  await again.retain();
  expect(await first(again)).toBe(6);
  await again.close();
  return { startSequence, steps };
}

describe('a disk that refuses', () => {
  test('the journal: nothing is removed, and the log says why', async () => {
    const fileSystem = createRefusingFileSystem();
    const { store, directory, clock, startMs, retention } = await filled(keeping({ ms: 5000 }), 10, { fileSystem });
    const before = (await logFiles(directory)).filter((name) => name.endsWith('.log'));
    clock.set(startMs + 60_000);
    fileSystem.refuse(({ call, path }) => (call === 'write' && path.endsWith('.journal') ? 'ENOSPC' : undefined));
    await expect(store.retain()).rejects.toMatchObject({ code: 'LS_LOG_FAILED', details: { outcome: 'unknown' } });
    expect(await values(store, 'labels', 0)).toHaveLength(10);
    await store.close();
    expect((await logFiles(directory)).filter((name) => name.endsWith('.log'))).toEqual(before);
    fileSystem.refuse(() => undefined);
    const again = await openStore(directory, { clock, limits, retention, fileSystem });
    expect(await values(again, 'labels', 0)).toHaveLength(10);
    await again.retain();
    expect(await first(again)).toBe(10);
    await again.close();
  });

  test('to remove a file: it is told, the log goes on, and the next opening removes it', async () => {
    const fileSystem = createRefusingFileSystem();
    const told: string[] = [];
    const observer = { removalFailed: (path: string) => void told.push(path) };
    const { store, directory, clock, startMs, retention } = await filled(keeping({ ms: 5000 }), 10, { fileSystem, observer });
    clock.set(startMs + 8_001);
    const [stuck, later] = ['00000000000000000000.log', '00000000000000000002.log'].map((name) => partitionPath(directory, name));
    fileSystem.refuse(({ call, path }) => (call === 'remove' && path === stuck ? 'EIO' : undefined));
    await store.retain();
    await append(store, 'labels', 0, 'goes on');
    expect(await first(store)).toBe(4);
    await store.close();
    expect(told).toEqual([stuck]);
    expect(await logFiles(directory)).toContain('00000000000000000000.log');
    expect(fileSystem.calls.some(({ call, path }) => call === 'remove' && path === later)).toBe(true);
    fileSystem.refuse(() => undefined);
    await (await openStore(directory, { clock, limits, retention })).close();
    expect(await logFiles(directory)).not.toContain('00000000000000000000.log');
  });
});

test('a journal of format 1, which says nothing of ages, is read: its segments are as young as their partition', async () => {
  const { store, directory, clock, startMs } = await filled(keeping({}), 6);
  await store.close();
  // Its journal begins with the whole state, in which a partition has one time.
  await (await openStore(directory, { clock, limits })).close();
  const [name] = await readdir(join(directory, 'journal'));
  const path = join(directory, 'journal', name!);
  await writeFile(path, withoutAges(await readFile(path)));
  const again = await openStore(directory, { clock, limits, retention: keeping({ ms: 3000 }) });
  clock.set(startMs + 8_000);
  await again.retain();
  expect(await first(again)).toBe(0);
  clock.set(startMs + 8_001);
  await again.retain();
  expect(await first(again)).toBe(6);
  await again.close();
});

/** The journal as format 1 had it. */
function withoutAges(journal: Buffer): Buffer {
  const header = Buffer.from(journal.subarray(0, 24));
  header.writeUInt32BE(1, 8);
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
  const frames: Buffer[] = [];
  for (let offset = 24; journal.readUInt32BE(offset) === 0xf54c4a46; ) {
    const length = journal.readUInt32BE(offset + 8);
    const text = JSON.parse(journal.toString('utf8', offset + 12, offset + 12 + length)) as { partitions: { segments: unknown[][] }[] };
    for (const partition of text.partitions) partition.segments = partition.segments.map(([base, bytes]) => [base, bytes]);
    const content = Buffer.from(JSON.stringify(text));
    const frame = Buffer.concat([journal.subarray(offset, offset + 12), content]);
    frame.writeUInt32BE(content.length, 8);
    frame.writeUInt32BE(crc32(frame.subarray(8)), 4);
    frames.push(frame);
    offset += 12 + length;
  }
  return Buffer.concat([header, ...frames]);
}

describe('the owner of a log', () => {
  const record = (number: number) => ({ ...here, key: null, value: Buffer.from(value(number)), headers: noHeaders });

  test('removes by the clock and when a segment is full, and tells what it could not do', async () => {
    const clock = testClock();
    const startMs = clock.nowMs();
    let ring: (() => void) | undefined;
    const sleep = (durationMs: number, signal?: AbortSignal): Promise<void> => {
      expect(durationMs).toBe(60_000);
      return new Promise((resolve) => {
        ring = resolve;
        signal?.addEventListener('abort', () => resolve());
      });
    };
    const failures: unknown[] = [];
    let fails = false;
    const neededFrom = (): Promise<undefined> => (fails ? Promise.reject(new Error('no snapshots')) : Promise.resolve(undefined));
    const removed: { readonly before: bigint; readonly segments: number }[] = [];
    const store = await openLog({
      directory: await temporaryDirectory(),
      role: 'owner-required',
      random: () => 0,
      clock: { ...clock, sleep },
      fileSystem: createRefusingFileSystem(),
      newIncarnation: () => 'id',
      limits,
      retention: { limitsOf: () => ({ ms: 5000, bytes: undefined }), neededFrom },
      retentionCheckMs: 60_000,
      retentionFailed: (error) => void failures.push(error),
      observer: { segmentsRemoved: ({ before, segments }) => void removed.push({ before, segments }) },
    });
    await store.createTopic('labels', 1);
    for (let number = 0; number < 4; number += 1) await store.commit({ records: [record(number)], checkpoints: [] });
    clock.set(startMs + 6_000);
    // It fills the second segment: a look.
    await store.commit({ records: [record(4)], checkpoints: [] });
    await expect.poll(() => removed).toEqual([{ before: 4n, segments: 2 }]);
    clock.set(startMs + 20_000);
    fails = true;
    ring?.();
    await expect.poll(() => failures).toHaveLength(1);
    fails = false;
    ring?.();
    await expect.poll(() => removed.at(-1)).toEqual({ before: 5n, segments: 1 });
    expect(await store.bounds(here)).toEqual({ startSequence: 5n, endSequence: 5n });
    await store.close();
  });
});
