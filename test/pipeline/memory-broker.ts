/**
 * A broker in memory, for the tests of the runner. It survives the death of its clients, gives sequences with gaps (as transaction markers
 * leave them) and positions that mean nothing to anybody else.
 */
import type { Clock } from '../../src/core/clock.ts';
import { pipelineError } from '../../src/core/errors/pipeline.ts';
import { recordBytes, type ConsumedRecord, type OutputRecord, type TopicPartition } from '../../src/core/records.ts';
import type { Checkpoint, PartitionBounds, ReadBudget } from '../../src/pipeline/transport.ts';
import { connectToBroker, type BrokerAccess, type MemoryClient } from './memory-client.ts';
import type { Faults } from './memory-faults.ts';

type AppliedDelivery = TopicPartition & {
  readonly group: string;
  readonly previous: Checkpoint | undefined;
  readonly outputs: readonly OutputRecord[];
  readonly checkpoint: Checkpoint;
};

export type MemoryBroker = {
  /** Also gives a topic that is there more partitions. */
  readonly createTopic: (topic: string, partitionCount: number) => void;
  readonly append: (records: readonly OutputRecord[]) => void;
  readonly records: (topicPartition: TopicPartition) => readonly ConsumedRecord[];
  readonly allRecords: (topic: string) => readonly ConsumedRecord[];
  readonly partitions: (topic: string) => readonly TopicPartition[];
  readonly bounds: (topicPartition: TopicPartition) => PartitionBounds;
  readonly checkpoint: (group: string, topicPartition: TopicPartition) => Checkpoint | undefined;
  readonly commit: BrokerAccess['commit'];
  /** Where it stood expired. */
  readonly forgetGroup: (group: string) => void;
  /** Deleted and made anew: its records and where groups stood are gone. */
  readonly makeAnew: (topic: string) => void;
  /** Retention: the first `count` records of a partition are gone. */
  readonly truncate: (topicPartition: TopicPartition, count: number) => void;
  readonly connect: (options?: { readonly faults?: Faults; readonly assigned?: readonly TopicPartition[] }) => MemoryClient;
  /** Every delivery that took effect with its checkpoint, in order. */
  readonly applied: readonly AppliedDelivery[];
};

type Stored = { readonly incarnation: string; readonly records: ConsumedRecord[]; start: number; nextSequence: bigint };

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
const positionOf = (index: number): string => `at:${index.toString(36)}`;
const indexOf = (position: string): number => Number.parseInt(position.slice(3), 36);

/** @param options.gap how many sequences to leave out before the next record. */
export function createMemoryBroker(options: {
  readonly clock: Clock;
  readonly gap?: () => number;
  readonly transactions?: boolean;
}): MemoryBroker {
  const { clock } = options;
  const stored = new Map<string, Stored>();
  const partitionCounts = new Map<string, number>();
  const checkpoints = new Map<string, Checkpoint>();
  const applied: AppliedDelivery[] = [];
  const waiting = new Set<() => void>();

  const storedAt = (topicPartition: TopicPartition): Stored => {
    const found = stored.get(keyOf(topicPartition));
    if (found === undefined) throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `no ${keyOf(topicPartition)}`);
    return found;
  };
  const append = (outputs: readonly OutputRecord[]): void => {
    for (const output of outputs) {
      const log = storedAt(output);
      const sequence = log.nextSequence + BigInt(log.records.length === 0 ? 0 : (options.gap?.() ?? 0));
      log.nextSequence = sequence + 1n;
      const nextPosition = positionOf(log.records.length + 1);
      log.records.push({ ...output, incarnation: log.incarnation, sequence, nextPosition, appendTimeMs: Math.floor(clock.nowMs()) });
    }
    for (const wake of waiting) wake();
  };
  const bounds = (topicPartition: TopicPartition): PartitionBounds => {
    const { records, start, nextSequence } = storedAt(topicPartition);
    return {
      start: { position: positionOf(start), sequence: records[start]?.sequence ?? nextSequence },
      end: { position: positionOf(records.length), sequence: nextSequence },
    };
  };
  const readAt = (topicPartition: TopicPartition, index: number, budget: ReadBudget): ConsumedRecord[] => {
    const { records, start } = storedAt(topicPartition);
    if (index < start) throw pipelineError('LS_TRANSPORT_POSITION_LOST', `${keyOf(topicPartition)} begins after ${positionOf(index)}`);
    let bytes = 0;
    const within = records.slice(index, index + budget.records);
    const end = within.findIndex((record, taken) => {
      bytes += recordBytes(record);
      return taken > 0 && bytes > budget.bytes;
    });
    return end < 0 ? within : within.slice(0, end);
  };
  const waitForAppend = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  const checkpointKey = (group: string, topicPartition: TopicPartition): string => `${group} ${keyOf(topicPartition)}`;
  const partitions = (topic: string): TopicPartition[] =>
    Array.from({ length: partitionCounts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition }));

  const access: BrokerAccess = {
    clock,
    transactions: options.transactions ?? true,
    append,
    bounds,
    boundAt: (topicPartition, landmark) => {
      const { records, start } = storedAt(topicPartition);
      const index = records.findIndex((record, at) => at >= start && ('sequence' in landmark ? record.sequence >= landmark.sequence : record.appendTimeMs >= landmark.appendTimeMs));
      const found = records[index];
      return found === undefined ? bounds(topicPartition).end : { position: positionOf(index), sequence: found.sequence };
    },
    isKept: (topicPartition, position) => indexOf(position) >= storedAt(topicPartition).start,
    incarnation: (topicPartition) => storedAt(topicPartition).incarnation,
    partitions,
    readWaiting: async (topicPartition, position, budget, signal) => {
      const index = position === undefined ? storedAt(topicPartition).start : indexOf(position);
      for (;;) {
        const records = signal.aborted ? [] : readAt(topicPartition, index, budget);
        if (records.length > 0 || signal.aborted) return records;
        await waitForAppend(signal);
      }
    },
    checkpoint: (group, topicPartition) => checkpoints.get(checkpointKey(group, topicPartition)),
    commit: (group, { topic, partition }, outputs, checkpoint) => {
      const key = checkpointKey(group, { topic, partition });
      applied.push({ topic, partition, group, previous: checkpoints.get(key), outputs, checkpoint });
      checkpoints.set(key, checkpoint);
    },
  };
  return {
    createTopic: (topic, partitionCount) => {
      partitionCounts.set(topic, partitionCount);
      for (const topicPartition of partitions(topic)) {
        if (!stored.has(keyOf(topicPartition))) stored.set(keyOf(topicPartition), { incarnation: `life-of-${topic}`, records: [], start: 0, nextSequence: 0n });
      }
    },
    append,
    records: (topicPartition) => storedAt(topicPartition).records,
    allRecords: (topic) => partitions(topic).flatMap((topicPartition) => storedAt(topicPartition).records),
    partitions,
    bounds,
    checkpoint: access.checkpoint,
    commit: access.commit,
    forgetGroup: (group) => {
      for (const key of checkpoints.keys()) if (key.startsWith(`${group} `)) checkpoints.delete(key);
    },
    makeAnew: (topic) => {
      for (const topicPartition of partitions(topic)) {
        stored.set(keyOf(topicPartition), { incarnation: `next-${storedAt(topicPartition).incarnation}`, records: [], start: 0, nextSequence: 0n });
        for (const key of checkpoints.keys()) if (key.endsWith(` ${keyOf(topicPartition)}`)) checkpoints.delete(key);
      }
    },
    truncate: (topicPartition, count) => {
      storedAt(topicPartition).start = count;
    },
    connect: (connectOptions) => connectToBroker(access, connectOptions),
    applied,
  };
}
