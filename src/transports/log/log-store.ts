/**
 * The embedded log as the log transport sees it: an owner's store on disk, or the same thing reached over the owner's local socket.
 */
import type { Headers, TopicPartition } from '../../core/records.ts';
import type { TopicDescription } from '../../pipeline/transport.ts';

export type StoredRecord = {
  readonly sequence: bigint;
  readonly appendTimeMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Headers;
};

export type AppendRecord = TopicPartition & Pick<StoredRecord, 'key' | 'value' | 'headers'>;

export type GroupCheckpoint = TopicPartition & {
  readonly group: string;
  /** The next sequence the group reads; `metadata` is the transport's own. */
  readonly nextSequence: bigint;
  readonly metadata: string;
};

/** Everything in one transaction becomes durable and visible together, or not at all. */
export type LogTransaction = {
  readonly records: readonly AppendRecord[];
  readonly checkpoints: readonly GroupCheckpoint[];
  /** Where a group must stand, by whatever was committed before (0: nowhere yet); otherwise LS_TRANSPORT_FENCED, and nothing is committed. */
  readonly expected?: ExpectedPosition;
};

export type ExpectedPosition = Pick<GroupCheckpoint, 'group' | 'topic' | 'partition' | 'nextSequence'>;

export type LogBounds = { readonly startSequence: bigint; readonly endSequence: bigint };

export type LogStore = {
  readonly createTopic: (topic: string, partitionCount: number) => Promise<TopicDescription>;
  /**
   * Puts another incarnation in the place of this one, whose records and positions are gone; its partitions begin above sequence 0. Where it is not
   * there any more, the one that is stays, unless its partition count is another (LS_TRANSPORT_PARTITION_COUNT). For the owner of the directory
   * alone: otherwise LS_LOG_OWNED.
   */
  readonly replaceTopic: (topic: string, formerIncarnation: string, partitionCount: number) => Promise<TopicDescription>;
  readonly topics: () => Promise<readonly TopicDescription[]>;
  /** Resolves when the transaction is durable; concurrent calls share a synchronisation (group commit). */
  readonly commit: (transaction: LogTransaction) => Promise<void>;
  /** Committed records from `fromSequence` on, in order, within the budget; a first record is admitted whatever its size; none at the end. */
  readonly read: (
    topicPartition: TopicPartition,
    fromSequence: bigint,
    budget: { readonly records: number; readonly bytes: number },
  ) => Promise<readonly StoredRecord[]>;
  readonly bounds: (topicPartition: TopicPartition) => Promise<LogBounds>;
  readonly checkpoint: (group: string, topicPartition: TopicPartition) => Promise<GroupCheckpoint | undefined>;
  /** Resolves when the partition's end is above `endSequence`, or the signal aborts. */
  readonly waitForRecords: (topicPartition: TopicPartition, endSequence: bigint, signal: AbortSignal) => Promise<void>;
  readonly close: () => Promise<void>;
};
