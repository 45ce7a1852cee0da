/**
 * One round of the group commit, in the order that makes it all or nothing:
 *
 *   1. frames are written to the partitions' segments; those files, and the directories of new ones, are synchronised
 *   2. one frame that names the new ends is appended to the journal and synchronised
 *   3. it becomes visible and is acknowledged
 *   4. what retention removed, as the journal now says, is taken off the disk (retention.ts)
 *
 * After any failure nothing more is written until the log is opened again: a synchronisation that failed tells nothing about what reached the
 * disk, and may succeed when repeated though the data is gone. A failure in step 1 leaves nothing that an opening would take for committed;
 * one in step 2 leaves the outcome unknown until then.
 */
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { logError } from '../../core/errors/log.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { FileSystem } from '../../pipeline/file-system.ts';
import type { TopicDescription } from '../../pipeline/transport.ts';
import type { CommitSize } from './commit-queue.ts';
import type { Journal } from './journal.ts';
import type { AppendRecord, GroupCheckpoint, LogTransaction } from './log-store.ts';
import { applyChange, checkpointKey, replacedStart, topicDirectory, type LogChange, type LogState, type PartitionChange, type PartitionState, type Removal, type Segment } from './log-state.ts';
import type { PartitionWrite, PartitionWriter } from './partition-writer.ts';
import { expiredBefore, type Expiry } from './retention.ts';
import type { SegmentCache } from './segment-cache.ts';
import { indexPath, saveIndex, segmentPath, type SegmentPaths } from './segment-file.ts';

export type CommitItem = CommitSize &
  (
    /** `replaces`: in the place of one of this name. No transaction may be in its round, or handed over before it is through. */
    | { readonly kind: 'topic'; readonly description: TopicDescription; readonly replaces: boolean }
    | { readonly kind: 'transaction'; readonly transaction: LogTransaction }
    | { readonly kind: 'retention'; readonly expiries: ReadonlyMap<PartitionState, Expiry> }
  );

export type CommitObserver = {
  readonly commitDone: (commit: { readonly durationMs: number; readonly transactions: number; readonly records: number; readonly bytes: number }) => void;
  readonly segmentRolled: (path: string) => void;
  readonly journalRolled: () => void;
  /** Everything below `before` is gone. */
  readonly segmentsRemoved: (removed: Removal & { readonly segments: number; readonly bytes: number }) => void;
  /** The records are gone, but their file is still there: it goes at the next opening. */
  readonly removalFailed: (path: string, error: unknown) => void;
  readonly failed: (error: Error) => void;
};

export type CommitterOptions = SegmentPaths & {
  readonly clock: Clock;
  readonly state: LogState;
  readonly journal: Journal;
  readonly writer: PartitionWriter;
  readonly cache: SegmentCache;
  readonly observer: CommitObserver;
  readonly published: (partitions: readonly PartitionState[]) => void;
};

export type Committer = {
  readonly round: (items: readonly CommitItem[]) => Promise<void>;
  readonly afterRound: () => Promise<void>;
};

export function createCommitter(options: CommitterOptions): Committer {
  const { clock, state, journal, observer } = options;
  let failure: LabelstreamError | undefined;
  let fullSegments: FullSegment[] = [];
  let removedSegments: RemovedSegments[] = [];

  const poison = (message: string, outcome: 'not-committed' | 'unknown', cause: unknown): LabelstreamError => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    failure = logError('LS_LOG_FAILED', `${message}: ${reason}`, { outcome }, { cause });
    observer.failed(failure);
    return failure;
  };

  return {
    round: async (items) => {
      if (failure !== undefined) {
        throw logError('LS_LOG_FAILED', 'Nothing was committed, because the log failed before.', { outcome: 'not-committed' }, { cause: failure });
      }
      const startMs = clock.elapsedMs();
      let prepared: PreparedRound;
      try {
        prepared = await prepare(options, items, clock.nowMs());
      } catch (error) {
        throw poison('Nothing was committed, because writing the records failed', 'not-committed', error);
      }
      const { change, writes } = prepared;
      if (change.topics.length + change.partitions.length + change.removals.length + change.checkpoints.length > 0) {
        try {
          await journal.append(change);
        } catch (error) {
          throw poison('Whether this was committed is unknown until the log is opened again, because the journal failed', 'unknown', error);
        }
      }
      removedSegments = [...change.removals.map((removal) => removedBy(options, removal)), ...change.topics.flatMap((topic) => replacedBy(options, topic))];
      applyChange(state, change);
      options.published(writes.map((write) => write.partition));
      fullSegments = writes.flatMap(({ partition, write }) => write.segments.slice(0, -1).map((segment) => ({ partition, segment })));
      observer.commitDone({ durationMs: clock.elapsedMs() - startMs, transactions: items.length, ...sizeOf(items) });
    },
    afterRound: async () => {
      if (failure !== undefined) return;
      try {
        for (const full of fullSegments.splice(0)) await closeSegment(options, full);
        for (const removed of removedSegments.splice(0)) await removeFiles(options, removed);
        if (!journal.rollDue()) return;
        await journal.roll(state);
        observer.journalRolled();
      } catch (error) {
        poison('The journal could not go on in a new file', 'not-committed', error);
      }
    },
  };
}

function sizeOf(items: readonly CommitItem[]): CommitSize {
  let records = 0;
  let bytes = 0;
  for (const item of items) {
    records += item.records;
    bytes += item.bytes;
  }
  return { records, bytes };
}

type Write = { readonly partition: PartitionState; readonly write: PartitionWrite };
type PreparedRound = { readonly change: LogChange; readonly writes: readonly Write[] };

/** Step 1: when it resolves, everything that the journal is going to name is durable. */
async function prepare(options: CommitterOptions, items: readonly CommitItem[], nowMs: number): Promise<PreparedRound> {
  const created = items.filter((item) => item.kind === 'topic');
  const topics = created.map(({ description }) => description);
  const transactions = items.flatMap((item) => (item.kind === 'transaction' ? [item.transaction] : []));
  for (const description of topics) await makeTopicDirectories(options, description);
  const writes: Write[] = [];
  for (const [partition, records] of recordsByPartition(options.state, transactions)) {
    writes.push({ partition, write: await options.writer.write(partition, records, nowMs) });
  }
  await synchronise(options.fileSystem, writes);
  const partitions = [...created.flatMap((item) => (item.replaces ? begunAbove(item.description) : [])), ...writes.map(({ write }) => write.change)];
  const removals = removalsOf(items, writes, nowMs);
  return { change: { topics, partitions, removals, checkpoints: lastCheckpoints(transactions) }, writes };
}

function begunAbove({ topic, partitionCount }: TopicDescription): readonly PartitionChange[] {
  return Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition, segments: [], nextSequence: replacedStart, appendTimeMs: 0 }));
}

/** Decided here, between two rounds of writing: nobody else moves the ends of segments. */
function removalsOf(items: readonly CommitItem[], writes: readonly Write[], nowMs: number): readonly Removal[] {
  const written = new Set(writes.map(({ partition }) => partition));
  const expiries = new Map(items.flatMap((item) => (item.kind === 'retention' ? [...item.expiries] : [])));
  return [...expiries].flatMap(([partition, expiry]) => {
    const before = expiredBefore(partition, expiry, nowMs, !written.has(partition));
    return before === undefined ? [] : [{ topic: partition.topic, partition: partition.partition, before }];
  });
}

/** Waits for every synchronisation even where one fails: none is in flight when the round has ended. */
async function synchronise(fileSystem: FileSystem, writes: readonly Write[]): Promise<void> {
  const synchronisations = writes.flatMap(({ write }) => [
    ...write.handles.map((handle) => handle.dataSync()),
    ...(write.newDirectoryEntries === undefined ? [] : [fileSystem.directorySync(write.newDirectoryEntries)]),
  ]);
  for (const result of await Promise.allSettled(synchronisations)) if (result.status === 'rejected') throw result.reason;
}

async function makeTopicDirectories(options: CommitterOptions, description: TopicDescription): Promise<void> {
  const { fileSystem, directory } = options;
  const topic = join(directory, topicDirectory(description));
  for (let partition = 0; partition < description.partitionCount; partition += 1) {
    await fileSystem.makeDirectory(join(topic, String(partition)));
  }
  await fileSystem.directorySync(topic);
  await fileSystem.directorySync(join(directory, 'topics'));
  await fileSystem.directorySync(directory);
}

function requirePartition(state: LogState, { topic, partition }: TopicPartition): PartitionState {
  const found = state.topics.get(topic)?.partitions[partition];
  if (found === undefined) throw new Error(`partition ${partition} of ${topic} was checked before`);
  return found;
}

function recordsByPartition(state: LogState, transactions: readonly LogTransaction[]): Map<PartitionState, AppendRecord[]> {
  const byPartition = new Map<PartitionState, AppendRecord[]>();
  for (const { records } of transactions) {
    for (const record of records) {
      const partition = requirePartition(state, record);
      const collected = byPartition.get(partition);
      if (collected === undefined) byPartition.set(partition, [record]);
      else collected.push(record);
    }
  }
  return byPartition;
}

function lastCheckpoints(transactions: readonly LogTransaction[]): readonly GroupCheckpoint[] {
  const last = new Map<string, GroupCheckpoint>();
  for (const { checkpoints } of transactions) {
    for (const checkpoint of checkpoints) last.set(checkpointKey(checkpoint.group, checkpoint), checkpoint);
  }
  return [...last.values()];
}

type RemovedSegments = { readonly partition: PartitionState; readonly removal: Removal; readonly segments: readonly Segment[]; readonly replaced?: boolean };

/** All that the topic held which another takes the place of. */
function replacedBy({ state }: CommitterOptions, { topic }: TopicDescription): readonly RemovedSegments[] {
  const partitions = state.topics.get(topic)?.partitions ?? [];
  return partitions.map((partition) => {
    const removal = { topic, partition: partition.partition, before: partition.nextSequence };
    return { partition, removal, segments: partition.segments, replaced: true };
  });
}

function removedBy({ state }: CommitterOptions, removal: Removal): RemovedSegments {
  const partition = requirePartition(state, removal);
  return { partition, removal, segments: partition.segments.filter((segment) => segment.baseSequence < removal.before) };
}

/** Nothing depends on it any more: what fails is told, and left for the next opening. */
async function removeFiles(options: CommitterOptions, { partition, removal, segments, replaced = false }: RemovedSegments): Promise<void> {
  const { fileSystem, directory, cache, observer, writer } = options;
  if (replaced || partition.segments.length === 0) writer.release(partition);
  const attempt = async (path: string, call: () => Promise<void>): Promise<void> => {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) observer.removalFailed(path, error);
    }
  };
  for (const { baseSequence } of segments) {
    const [path, index] = [segmentPath(options, partition, baseSequence), indexPath(options, partition, baseSequence)];
    await attempt(path, () => fileSystem.remove(path));
    await attempt(index, () => fileSystem.remove(index));
    await cache.forget(path);
  }
  // So that what is said to be gone does not come back with the power.
  const partitionDirectory = join(directory, partition.directory);
  await attempt(partitionDirectory, () => fileSystem.directorySync(partitionDirectory));
  if (!replaced) observer.segmentsRemoved({ ...removal, segments: segments.length, bytes: segments.reduce((sum, segment) => sum + segment.lengthBytes, 0) });
}

type FullSegment = { readonly partition: PartitionState; readonly segment: PartitionWrite['segments'][number] };

async function closeSegment(options: CommitterOptions, { partition, segment }: FullSegment): Promise<void> {
  await saveIndex(options.fileSystem, indexPath(options, partition, segment.baseSequence), segment, segment.open.index);
  await options.cache.unpin(segment.open.path);
  options.observer.segmentRolled(segment.open.path);
}
