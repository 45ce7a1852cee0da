/** A log store that forgets everything with the process: the smallest thing that keeps the interface's promises, for tests. */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { recordBytes, type TopicPartition } from '../../../src/core/records.ts';
import type { TopicDescription } from '../../../src/pipeline/transport.ts';
import { requireExpected } from '../../../src/transports/log/expected-position.ts';
import type { GroupCheckpoint, LogStore, LogTransaction, StoredRecord } from '../../../src/transports/log/log-store.ts';

export type MemoryLogStore = LogStore & {
  /** Removes the records below `startSequence`, as retention does. */
  readonly trim: (topicPartition: TopicPartition, startSequence: bigint) => void;
};

type Partition = { start: bigint; readonly records: StoredRecord[]; readonly waiting: Set<() => void> };

export function createMemoryLogStore(nowMs: () => number = Date.now): MemoryLogStore {
  const topics = new Map<string, { readonly description: TopicDescription; readonly partitions: readonly Partition[] }>();
  const checkpoints = new Map<string, GroupCheckpoint>();
  let closed = false;

  const partitionOf = ({ topic, partition }: TopicPartition): Partition => {
    if (closed) throw new Error('The log is closed.');
    const found = topics.get(topic)?.partitions[partition];
    if (found === undefined) throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `There is no partition ${partition} of ${topic}.`);
    return found;
  };
  const endOf = (partition: Partition): bigint => partition.start + BigInt(partition.records.length);
  const apply = ({ records, checkpoints: moved, expected }: LogTransaction): void => {
    if (expected !== undefined) requireExpected(expected, checkpoints.get(checkpointKey(expected.group, expected))?.nextSequence);
    const partitions = records.map(partitionOf);
    moved.forEach(partitionOf);
    for (const [index, record] of records.entries()) {
      const partition = partitions[index]!;
      const { key, value, headers } = record;
      partition.records.push({ sequence: endOf(partition), appendTimeMs: nowMs(), key, value, headers });
    }
    for (const checkpoint of moved) checkpoints.set(checkpointKey(checkpoint.group, checkpoint), checkpoint);
    for (const partition of new Set(partitions)) for (const wake of [...partition.waiting]) wake();
  };

  return {
    createTopic: async (topic, partitionCount) => {
      await nextTurn();
      const existing = topics.get(topic);
      if (existing !== undefined) return existing.description;
      const description = { topic, incarnation: randomUUID(), partitionCount };
      const partitions = Array.from({ length: partitionCount }, (): Partition => ({ start: 0n, records: [], waiting: new Set() }));
      topics.set(topic, { description, partitions });
      return description;
    },
    replaceTopic: async (topic, formerIncarnation, partitionCount) => {
      await nextTurn();
      const existing = topics.get(topic);
      if (existing !== undefined && existing.description.incarnation !== formerIncarnation) {
        if (existing.description.partitionCount === partitionCount) return existing.description;
        const isEmpty = existing.partitions.every(({ records }) => records.length === 0);
        if (!isEmpty) throw pipelineError('LS_TRANSPORT_PARTITION_COUNT', `${topic} has ${existing.description.partitionCount} partitions.`);
      }
      const description = { topic, incarnation: randomUUID(), partitionCount };
      const partitions = Array.from({ length: partitionCount }, (): Partition => ({ start: 1n, records: [], waiting: new Set() }));
      topics.set(topic, { description, partitions });
      for (const [key, checkpoint] of checkpoints) if (checkpoint.topic === topic) checkpoints.delete(key);
      return description;
    },
    topics: () => Promise.resolve([...topics.values()].map(({ description }) => description)),
    commit: async (transaction) => {
      await nextTurn();
      apply(transaction);
    },
    read: async (topicPartition, fromSequence, budget) => {
      await nextTurn();
      const partition = partitionOf(topicPartition);
      const from = fromSequence < partition.start ? 0 : Number(fromSequence - partition.start);
      const read: StoredRecord[] = [];
      let bytes = 0;
      for (const record of partition.records.slice(from, from + budget.records)) {
        bytes += recordBytes(record);
        if (read.length > 0 && bytes > budget.bytes) break;
        read.push(record);
      }
      return read;
    },
    bounds: async (topicPartition) => {
      await nextTurn();
      const partition = partitionOf(topicPartition);
      return { startSequence: partition.start, endSequence: endOf(partition) };
    },
    checkpoint: async (group, topicPartition) => {
      await nextTurn();
      return checkpoints.get(checkpointKey(group, topicPartition));
    },
    waitForRecords: async (topicPartition, endSequence, signal) => {
      const partition = partitionOf(topicPartition);
      while (endOf(partition) <= endSequence && !signal.aborted) await woken(partition, signal);
    },
    close: () => {
      closed = true;
      return Promise.resolve();
    },
    trim: (topicPartition, startSequence) => {
      const partition = partitionOf(topicPartition);
      partition.records.splice(0, Number(startSequence - partition.start));
      partition.start = startSequence;
    },
  };
}

function checkpointKey(group: string, { topic, partition }: TopicPartition): string {
  return JSON.stringify([group, topic, partition]);
}

function woken(partition: Partition, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      partition.waiting.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    partition.waiting.add(wake);
    signal.addEventListener('abort', wake);
  });
}
