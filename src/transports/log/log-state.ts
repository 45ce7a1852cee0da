/**
 * What is committed: topics, how far each segment of each partition reaches, the groups' checkpoints. It is nothing but the sum of the
 * journal's frames, in memory while the log runs and after a restart alike: a commit and a recovery go through the same `applyFrame`.
 */
import { join } from 'node:path';
import type { TopicPartition } from '../../core/records.ts';
import type { TopicDescription } from '../../pipeline/transport.ts';
import type { GroupCheckpoint } from './log-store.ts';

/** `lengthBytes` is how far it is committed; whatever lies beyond in the file does not exist. */
export type Segment = {
  readonly baseSequence: bigint;
  lengthBytes: number;
  /** Of its last record, or later: older journals told it of the partition alone. */
  lastAppendTimeMs: number;
};

export type PartitionState = TopicPartition & {
  /** Relative to the log's directory. */
  readonly directory: string;
  /** In order; the last one is the active one. None before the first record, and where everything was removed. Grows in place; removal replaces it. */
  segments: Segment[];
  nextSequence: bigint;
  /** Of the last record: the next one's is not below it. */
  appendTimeMs: number;
};

export type TopicState = { readonly description: TopicDescription; readonly partitions: readonly PartitionState[] };

export type LogState = { readonly topics: Map<string, TopicState>; readonly checkpoints: Map<string, GroupCheckpoint> };

export type PartitionChange = TopicPartition & {
  /** Those that grew or are new, in order. */
  readonly segments: readonly Segment[];
  readonly nextSequence: bigint;
  readonly appendTimeMs: number;
};

/** Everything below `before` is gone; a segment begins there, or the log ends. */
export type Removal = TopicPartition & { readonly before: bigint };

/** The first sequence of a topic that was put in the place of another: nobody may take its beginning for that of everything. */
export const replacedStart = 1n;

/** One group commit, or (first in a journal file) everything that holds so far. */
export type LogChange = {
  readonly topics: readonly TopicDescription[];
  readonly partitions: readonly PartitionChange[];
  /** To be applied after the growth of the partitions. */
  readonly removals: readonly Removal[];
  readonly checkpoints: readonly GroupCheckpoint[];
};

export function emptyLogState(): LogState {
  return { topics: new Map(), checkpoints: new Map() };
}

/** File systems limit a name to 255 bytes; the incarnation alone tells topics apart, the topic's name is there for people. */
export function topicDirectory(description: TopicDescription): string {
  return join('topics', `${description.topic.slice(0, 180)}-${description.incarnation}`);
}

export function checkpointKey(group: string, location: TopicPartition): string {
  return JSON.stringify([group, location.topic, location.partition]);
}

export function applyChange(state: LogState, change: LogChange): void {
  for (const description of change.topics) {
    if (state.topics.has(description.topic)) {
      // It was made anew: where groups stood in the former says nothing.
      for (const [key, { topic }] of state.checkpoints) if (topic === description.topic) state.checkpoints.delete(key);
    }
    const directory = topicDirectory(description);
    const partitions = Array.from({ length: description.partitionCount }, (_, partition): PartitionState => ({
      topic: description.topic,
      partition,
      directory: join(directory, String(partition)),
      segments: [],
      nextSequence: 0n,
      appendTimeMs: 0,
    }));
    state.topics.set(description.topic, { description, partitions });
  }
  for (const changed of change.partitions) applyPartitionChange(state, changed);
  for (const removal of change.removals) {
    const partition = partitionOf(state, removal);
    partition.segments = partition.segments.filter((segment) => segment.baseSequence >= removal.before);
  }
  for (const checkpoint of change.checkpoints) state.checkpoints.set(checkpointKey(checkpoint.group, checkpoint), checkpoint);
}

function partitionOf(state: LogState, { topic, partition }: TopicPartition): PartitionState {
  const found = state.topics.get(topic)?.partitions[partition];
  if (found === undefined) throw new Error(`it names partition ${partition} of ${topic}, which does not exist`);
  return found;
}

function applyPartitionChange(state: LogState, change: PartitionChange): void {
  const partition = partitionOf(state, change);
  for (const { baseSequence, lengthBytes, lastAppendTimeMs } of change.segments) {
    const last = partition.segments.at(-1);
    if (last?.baseSequence === baseSequence) [last.lengthBytes, last.lastAppendTimeMs] = [lengthBytes, lastAppendTimeMs];
    else partition.segments.push({ baseSequence, lengthBytes, lastAppendTimeMs });
  }
  partition.nextSequence = change.nextSequence;
  partition.appendTimeMs = change.appendTimeMs;
}

/** Of the first record kept, or the next one. */
export function startSequenceOf({ segments, nextSequence }: PartitionState): bigint {
  return segments[0]?.baseSequence ?? nextSequence;
}

/** The change that makes `state` out of an empty one. */
export function wholeState(state: LogState): LogChange {
  const topics = [...state.topics.values()];
  return {
    topics: topics.map((topic) => topic.description),
    partitions: topics.flatMap((topic) => topic.partitions).filter((partition) => partition.nextSequence > 0n),
    removals: [],
    checkpoints: [...state.checkpoints.values()],
  };
}
