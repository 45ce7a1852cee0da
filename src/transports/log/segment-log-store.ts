/**
 * The embedded log's store on disk, for the one process that owns the directory.
 *
 *   <directory>/journal/<number>.journal                                          what is committed (journal.ts)
 *   <directory>/topics/<topic>-<incarnation>/<partition>/<base sequence>.log      records (record-frame.ts)
 *   <directory>/topics/<topic>-<incarnation>/<partition>/<base sequence>.index    where to find them; can be made again (sparse-index.ts)
 *
 * Records are written and synchronised first, then the journal names them: log-committer.ts. What that means after a crash: log-recovery.ts.
 */
import { counted } from '../../core/counted.ts';
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { logError } from '../../core/errors/log.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import { recordBytes, type TopicPartition } from '../../core/records.ts';
import type { FileSystem } from '../../pipeline/file-system.ts';
import type { TopicDescription } from '../../pipeline/transport.ts';
import { createCommitQueue, type CommitQueue, type CommitSize, type GroupCommitLimits } from './commit-queue.ts';
import { createAdmission } from './expected-position.ts';
import { createCommitter, type CommitItem, type CommitObserver } from './log-committer.ts';
import { recoverLog, type TailCut } from './log-recovery.ts';
import { checkpointKey, startSequenceOf, type LogState, type PartitionState } from './log-state.ts';
import type { LogStore, LogTransaction } from './log-store.ts';
import { createPartitionWriter } from './partition-writer.ts';
import { recordFrameBytes } from './record-frame.ts';
import { createRecordWaiters } from './record-waiters.ts';
import { createRetentionPass } from './retention-pass.ts';
import { keepEverything, type LogRetention } from './retention.ts';
import { createSegmentCache } from './segment-cache.ts';
import { readRecords } from './segment-reader.ts';

export type LogLimits = {
  /** A segment file is closed when the next record would make it longer; a longer record has one of its own. */
  readonly segmentBytes: number;
  /** Bytes of commits after which the journal goes on in a new file. */
  readonly journalBytes: number;
  /** Largest record, as `recordBytes` counts it: its frame in the file is never larger. */
  readonly recordBytes: number;
  /** What at most goes into one round; one transaction always does. */
  readonly groupCommit: GroupCommitLimits;
  /** Closed segments whose files are kept open for reading. */
  readonly openClosedSegments: number;
};

export const defaultLogLimits: LogLimits = {
  segmentBytes: 64 * 1024 * 1024,
  journalBytes: 4 * 1024 * 1024,
  recordBytes: 16 * 1024 * 1024,
  groupCommit: { transactions: 1024, records: 8192, bytes: 4 * 1024 * 1024 },
  openClosedSegments: 32,
};

/** Told of what happened, in passing: it must not throw. */
type LogObserver = CommitObserver & {
  readonly tailCut: (cut: TailCut) => void;
  readonly indexRebuilt: (file: string) => void;
};

export type SegmentLogStoreOptions = {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  /** Identity of a new topic: unique, of the characters a-z, A-Z, 0-9, "_" and "-", at most 60. */
  readonly newIncarnation: () => string;
  readonly limits: LogLimits;
  /** Left out: everything is kept. */
  readonly retention?: LogRetention;
  readonly observer?: Partial<LogObserver>;
};

export type SegmentLogStore = LogStore & {
  /**
   * Removes what is beyond retention now; its files are gone soon after. Rejects as `commit` does, and with what `neededFrom` rejects with:
   * of the other topics everything is removed all the same.
   * @param signal ends what `neededFrom` waits for.
   */
  readonly retain: (signal?: AbortSignal) => Promise<void>;
};

/**
 * Rejects with LS_LOG_CORRUPT, LS_LOG_FORMAT, LS_LOG_UNREADABLE or LS_LOG_FAILED. A commit rejects with LS_LOG_FAILED once the disk refused,
 * `outcome` in its details being `not-committed` or `unknown`; its records' buffers are not to be changed before it settles.
 */
export async function openSegmentLogStore(options: SegmentLogStoreOptions): Promise<SegmentLogStore> {
  const { directory, fileSystem, clock, limits, retention = keepEverything } = options;
  const observer = { ...silentObserver, ...options.observer };
  const cache = createSegmentCache(limits.openClosedSegments);
  const paths = { fileSystem, directory };
  const writer = createPartitionWriter({ ...paths, cache, segmentBytes: limits.segmentBytes, retention });
  const recovery = { ...paths, journalBytes: limits.journalBytes, activeOpened: writer.recover, tailCut: observer.tailCut };
  const { state, journal } = await recoverLog(recovery).catch(async (error: unknown) => {
    await cache.close();
    throw unreadable(error);
  });
  const waiters = createRecordWaiters();
  const published = (partitions: readonly PartitionState[]): void => partitions.forEach(waiters.wake);
  const committer = createCommitter({ ...paths, clock, state, journal, writer, cache, observer, published });
  const queue = createCommitQueue<CommitItem>(limits.groupCommit, committer.round, committer.afterRound);
  const admit = createAdmission(state);
  const createTopic = topicCreation(state, queue, options.newIncarnation);
  const replacement = topicReplacement(state, queue, options.newIncarnation);
  const reads = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  const open = <Arguments extends readonly unknown[], Result>(call: (...callArguments: Arguments) => Promise<Result> | Result) => {
    return async (...callArguments: Arguments): Promise<Result> => {
      if (closing !== undefined) throw closedError();
      return call(...callArguments);
    };
  };
  const close = async (): Promise<void> => {
    waiters.fail(closedError());
    await queue.idle();
    await Promise.allSettled(reads);
    await cache.close();
    await journal.close();
  };

  return {
    createTopic: open(createTopic),
    topics: open(() => [...state.topics.values()].map((topic) => topic.description)),
    replaceTopic: open(replacement.replaceTopic),
    commit: open(async (transaction) => {
      if (replacement.isUnderWay()) await replacement.over();
      const size = checkTransaction(state, transaction, limits.recordBytes);
      admit(transaction);
      await queue.submit({ kind: 'transaction', transaction, ...size });
    }),
    read: open(async (location, fromSequence, budget) => {
      const partition = requirePartition(state, location);
      const read = readRecords({ ...paths, cache, indexRebuilt: observer.indexRebuilt }, partition, fromSequence, budget);
      reads.add(read);
      try {
        return await read;
      } catch (error) {
        throw unreadable(error);
      } finally {
        reads.delete(read);
      }
    }),
    bounds: open((location) => {
      const partition = requirePartition(state, location);
      return { startSequence: startSequenceOf(partition), endSequence: partition.nextSequence };
    }),
    checkpoint: open((group, location) => {
      requirePartition(state, location);
      return state.checkpoints.get(checkpointKey(group, location));
    }),
    waitForRecords: open((location, endSequence, signal) => waiters.wait(requirePartition(state, location), endSequence, signal)),
    retain: open(createRetentionPass({ state, queue, retention, clock })),
    close: () => (closing ??= close()),
  };
}


const nothing = (): void => undefined;
const silentObserver: LogObserver = {
  commitDone: nothing,
  segmentRolled: nothing,
  journalRolled: nothing,
  segmentsRemoved: nothing,
  removalFailed: nothing,
  failed: nothing,
  tailCut: nothing,
  indexRebuilt: nothing,
};

function closedError(): LabelstreamError {
  return logError('LS_LOG_CLOSED', 'The log is closed.');
}

function unreadable(error: unknown): unknown {
  if (error instanceof LabelstreamError) return error;
  return logError('LS_LOG_UNREADABLE', error instanceof Error ? error.message : String(error), {}, { cause: error });
}

function requirePartition(state: LogState, { topic, partition }: TopicPartition): PartitionState {
  const found = state.topics.get(topic)?.partitions[partition];
  if (found !== undefined) return found;
  throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `The log has no partition ${partition} of a topic "${topic}".`, { topic, partition });
}

function checkTransaction(state: LogState, transaction: LogTransaction, recordBytesMax: number): CommitSize {
  let bytes = 0;
  for (const record of transaction.records) {
    requirePartition(state, record);
    const size = recordBytes(record);
    if (size > recordBytesMax) {
      throw pipelineError(
        'LS_TRANSPORT_RECORD_TOO_LARGE',
        `A record of ${size} bytes for ${record.topic} is over the log's limit of ${recordBytesMax} bytes; nothing of its transaction was committed.`,
        { topic: record.topic, partition: record.partition, bytes: size, bytesMax: recordBytesMax },
      );
    }
    bytes += recordFrameBytes(record);
  }
  for (const checkpoint of transaction.checkpoints) requirePartition(state, checkpoint);
  return { records: transaction.records.length, bytes };
}

const partitionCountMax = 10_000;

/** Calls for one topic wait for each other, so that it is made once. */
function topicCreation(state: LogState, queue: CommitQueue<CommitItem>, newIncarnation: () => string): LogStore['createTopic'] {
  const creating = new Map<string, Promise<void>>();
  return async (topic, partitionCount) => {
    checkTopic(topic, partitionCount);
    if (!state.topics.has(topic)) {
      const description: TopicDescription = { topic, incarnation: newIncarnation(), partitionCount };
      const creation = creating.get(topic) ?? queue.submit({ kind: 'topic', description, replaces: false, records: 0, bytes: 0 });
      creating.set(topic, creation);
      await creation.finally(() => creating.delete(topic));
    }
    return described(state, topic, partitionCount);
  };
}

type TopicReplacement = {
  readonly replaceTopic: LogStore['replaceTopic'];
  readonly isUnderWay: () => boolean;
  /** Until then nothing is handed over: it would be checked against what there was before. */
  readonly over: () => Promise<void>;
};

function topicReplacement(state: LogState, queue: CommitQueue<CommitItem>, newIncarnation: () => string): TopicReplacement {
  let replacing: Promise<void> | undefined;
  const over = async (): Promise<void> => {
    while (replacing !== undefined) await replacing.catch(() => undefined);
  };
  return {
    over,
    isUnderWay: () => replacing !== undefined,
    replaceTopic: async (...replacement) => {
      const before = replacing ?? Promise.resolve();
      const own = before.catch(() => undefined).then(() => replace(state, queue, newIncarnation, replacement));
      replacing = own;
      try {
        await own;
      } finally {
        if (replacing === own) replacing = undefined;
      }
      return described(state, replacement[0], replacement[2]);
    },
  };
}

async function replace(
  state: LogState,
  queue: CommitQueue<CommitItem>,
  newIncarnation: () => string,
  [topic, formerIncarnation, partitionCount]: Parameters<LogStore['replaceTopic']>,
): Promise<void> {
  checkTopic(topic, partitionCount);
  await queue.idle();
  const existing = state.topics.get(topic);
  if (existing !== undefined && existing.description.incarnation !== formerIncarnation) {
    const isEmpty = existing.partitions.every(({ segments }) => segments.length === 0);
    if (existing.description.partitionCount === partitionCount || !isEmpty) return;
  }
  const description: TopicDescription = { topic, incarnation: newIncarnation(), partitionCount };
  await queue.submit({ kind: 'topic', description, replaces: true, records: 0, bytes: 0 });
  // Its files are gone when this is over, as far as they can be removed now.
  await queue.idle();
}

function described(state: LogState, topic: string, partitionCount: number): TopicDescription {
  const existing = state.topics.get(topic)?.description;
  if (existing?.partitionCount === partitionCount) return existing;
  throw pipelineError(
    'LS_TRANSPORT_PARTITION_COUNT',
    `Topic "${topic}" exists with ${counted(existing?.partitionCount ?? 0, 'partition')}, not ${partitionCount}.`,
    { topic, partitionCount: existing?.partitionCount ?? 0, askedPartitionCount: partitionCount },
  );
}

function checkTopic(topic: string, partitionCount: number): void {
  const named = /^[a-zA-Z0-9._-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..';
  if (named && Number.isInteger(partitionCount) && partitionCount >= 1 && partitionCount <= partitionCountMax) return;
  throw pipelineError('LS_TRANSPORT_TOPIC_INVALID', `A topic cannot have the name "${topic}" and ${partitionCount} partitions.`, {
    topic,
    partitionCount,
  });
}
