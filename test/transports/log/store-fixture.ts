/** What the tests of the log's store share. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../../src/core/clock.ts';
import { noHeaders, type TopicPartition } from '../../../src/core/records.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import type { AppendRecord, LogStore, StoredRecord } from '../../../src/transports/log/log-store.ts';
import { defaultLogLimits, openSegmentLogStore, type LogLimits, type SegmentLogStore, type SegmentLogStoreOptions } from '../../../src/transports/log/segment-log-store.ts';

export const smallLimits: LogLimits = { ...defaultLogLimits, segmentBytes: 2000, journalBytes: 2000, recordBytes: 1_000_000, openClosedSegments: 3 };

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-log-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'state', 'log');
}

/** A clock that stands at `nowMs` until a test moves it. */
export function testClock(nowMs = 1_700_000_000_000): Clock & { nowMs: () => number; set: (ms: number) => void } {
  let current = nowMs;
  return {
    nowMs: () => current,
    elapsedMs: () => 0,
    set: (ms) => (current = ms),
    sleep: () => Promise.resolve(),
  };
}

function countingIds(): () => string {
  let count = 0;
  return () => `id${(count += 1)}`;
}

export function openStore(directory: string, options: Partial<SegmentLogStoreOptions> = {}): Promise<SegmentLogStore> {
  return openSegmentLogStore({
    directory,
    fileSystem: createNodeFileSystem(),
    clock: testClock(),
    newIncarnation: countingIds(),
    limits: smallLimits,
    ...options,
  });
}

export function record(topic: string, partition: number, value: string | Buffer, key: string | null = null): AppendRecord {
  return { topic, partition, value: Buffer.from(value), key: key === null ? null : Buffer.from(key), headers: noHeaders };
}

export async function append(store: LogStore, topic: string, partition: number, ...values: readonly string[]): Promise<void> {
  await store.commit({ records: values.map((value) => record(topic, partition, value)), checkpoints: [] });
}

/** Everything in a partition, read in small budgets. */
export async function readAll(store: LogStore, location: TopicPartition): Promise<readonly StoredRecord[]> {
  const all: StoredRecord[] = [];
  let next = (await store.bounds(location)).startSequence;
  for (;;) {
    const records = await store.read(location, next, { records: 7, bytes: 3000 });
    const last = records.at(-1);
    if (last === undefined) return all;
    all.push(...records);
    next = last.sequence + 1n;
  }
}

export async function values(store: LogStore, topic: string, partition: number): Promise<readonly string[]> {
  const records = await readAll(store, { topic, partition });
  return records.map((stored) => stored.value.toString());
}
