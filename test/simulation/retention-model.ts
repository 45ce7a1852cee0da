/**
 * What retention may and must not have done to a log, over its crashes: a beginning that was durable never comes back, nothing is removed that
 * somebody needs or that the limits leave, and no file of what is gone is left once the log was opened.
 */
import { join } from 'node:path';
import type { FileSystem } from '../../src/pipeline/file-system.ts';
import { fileHeaderBytes, numberInName } from '../../src/transports/log/file-header.ts';
import { topicDirectory } from '../../src/transports/log/log-state.ts';
import type { LogStore } from '../../src/transports/log/log-store.ts';
import { recordFrameBytes } from '../../src/transports/log/record-frame.ts';
import type { LogRetention } from '../../src/transports/log/retention.ts';
import type { SegmentLogStore } from '../../src/transports/log/segment-log-store.ts';
import { Violation } from './transaction-model.ts';

export type RetentionModel = {
  readonly nowMs: () => number;
  readonly retention: LogRetention;
  /** Passes, now and then, until the signal aborts or the log fails. */
  readonly run: (store: SegmentLogStore, signal: AbortSignal, failed: (error: unknown) => void) => Promise<void>;
  readonly verify: (store: LogStore) => Promise<void>;
  readonly verifyFiles: (store: LogStore, fileSystem: FileSystem, directory: string) => Promise<void>;
  /** Records that are gone. */
  readonly removed: () => bigint;
};

const protectedTopic = 'features';

export function createRetentionModel(random: () => number): RetentionModel {
  const limits = {
    bytes: random() < 0.5 ? undefined : 300 + Math.floor(random() * 4000),
    ms: random() < 0.5 ? undefined : 3000,
  };
  const starts = new Map<string, bigint>();
  let neededFrom = 0n;
  let drift = 0;

  const note = async (store: LogStore): Promise<void> => {
    for (const location of await partitionsOf(store)) {
      const place = `${location.topic}/${location.partition}`;
      const { startSequence } = await store.bounds(location);
      const known = starts.get(place) ?? 0n;
      if (startSequence < known) throw new Violation(`${place} began at ${known} and begins at ${startSequence} again`);
      starts.set(place, startSequence);
    }
  };
  return {
    nowMs: () => 1_000_000 + (drift += Math.floor(random() * 40)),
    retention: {
      limitsOf: () => limits,
      neededFrom: ({ topic }) => Promise.resolve(topic === protectedTopic ? neededFrom : undefined),
    },
    run: async (store, signal, failed) => {
      while (!signal.aborted) {
        if (random() < 0.3) neededFrom += BigInt(Math.floor(random() * 4));
        try {
          await store.retain();
          await note(store);
        } catch (error) {
          if (error instanceof Violation) throw error;
          failed(error);
          return;
        }
        for (let turns = Math.floor(random() * 200); turns > 0; turns -= 1) await Promise.resolve();
      }
    },
    verify: async (store) => {
      await note(store);
      for (const location of await partitionsOf(store)) {
        const place = `${location.topic}/${location.partition}`;
        const { startSequence } = await store.bounds(location);
        if (location.topic === protectedTopic && startSequence > neededFrom) throw new Violation(`${place} begins at ${startSequence}, but ${neededFrom} is needed`);
        if (startSequence === 0n || limits.ms !== undefined) continue;
        const bytes = await keptBytes(store, location);
        if (bytes < (limits.bytes ?? Infinity)) throw new Violation(`${place} keeps ${bytes} bytes from ${startSequence} on, less than it may`);
      }
    },
    verifyFiles: async (store, fileSystem, directory) => {
      for (const description of await store.topics()) {
        for (let partition = 0; partition < description.partitionCount; partition += 1) {
          const { startSequence } = await store.bounds({ topic: description.topic, partition });
          for (const name of await fileSystem.list(join(directory, topicDirectory(description), String(partition)))) {
            const base = numberInName(name, 'log') ?? numberInName(name, 'index');
            if (base !== undefined && base < startSequence) throw new Violation(`${name} of ${description.topic}/${partition} is left, which begins at ${startSequence}`);
          }
        }
      }
    },
    removed: () => [...starts.values()].reduce((sum, start) => sum + start, 0n),
  };
}

async function partitionsOf(store: LogStore): Promise<readonly { readonly topic: string; readonly partition: number }[]> {
  return (await store.topics()).flatMap(({ topic, partitionCount }) => Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition })));
}

/** As if every record had a segment of its own: no less than what the files have. */
async function keptBytes(store: LogStore, location: { readonly topic: string; readonly partition: number }): Promise<number> {
  const { startSequence, endSequence } = await store.bounds(location);
  let bytes = 0;
  for (let next = startSequence; next < endSequence; ) {
    const records = await store.read(location, next, { records: 50, bytes: 5000 });
    for (const record of records) bytes += recordFrameBytes(record) + fileHeaderBytes;
    next += BigInt(records.length);
  }
  return bytes;
}
