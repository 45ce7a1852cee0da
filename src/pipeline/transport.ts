/**
 * The transport port: what the runner asks of Kafka, Event Hubs or the embedded log. One conformance suite holds every adapter to it
 * (test/conformance).
 *
 * Batches in, explicit commit out. How outputs and positions are made durable together (or one after the other) is the adapter's business:
 * the runner calls `deliver` and gets back only when both are. A consumer's partitions are pulled, so back-pressure is not pulling.
 */
import type { ConsumedRecord, OutputRecord, Position, TopicPartition } from '../core/records.ts';

export type Delivery = 'at-least-once' | 'exactly-once';

export type Capabilities = {
  /** Outputs and positions can commit atomically. Without it `exactly-once` is refused at start-up. */
  readonly transactions: boolean;
  /** A former owner's late writes are rejected. */
  readonly fencing: boolean;
};

export type TopicDescription = {
  readonly topic: string;
  readonly incarnation: string;
  readonly partitionCount: number;
};

/**
 * One end of a partition: `sequence` is at most that of the first record at or after it, with nothing else before that (start), or one above the last
 * record's (end).
 */
export type Bound = { readonly position: Position; readonly sequence: bigint };
/** Where a record is looked for: by its sequence, or by its append time (milliseconds since the epoch). */
export type Landmark = { readonly sequence: bigint } | { readonly appendTimeMs: number };
export type PartitionBounds = { readonly start: Bound; readonly end: Bound };

/**
 * What a consumer group has committed for a partition: everything up to and including `sequence` is handled; of the next record, the first
 * `outputsSent` outputs are out (SEMANTICS.md, rule 18). `sequence` is one below the first record's where nothing was handled yet.
 */
export type Checkpoint = {
  readonly position: Position;
  readonly sequence: bigint;
  readonly outputsSent: number;
  /** How many partitions the topic had when the group first started there, at the ends; every later checkpoint of the partition carries it on. */
  readonly firstStartPartitions?: number;
};

export type GroupPlace = TopicPartition & { readonly checkpoint: Checkpoint };

export type ReadBudget = { readonly records: number; readonly bytes: number };

/** A partition while this process owns it. After `revoked` every method rejects with LS_TRANSPORT_REVOKED. */
export type AssignedPartition = TopicPartition & {
  readonly incarnation: string;
  /**
   * The group's checkpoint, read after any former owner was fenced; undefined where the group never committed one. After a `deliver` that
   * rejected it first settles what became of that call: a delivery that this answer does not show will not happen any more.
   */
  readonly committed: () => Promise<Checkpoint | undefined>;
  readonly bounds: () => Promise<PartitionBounds>;
  readonly seek: (position: Position) => void;
  /**
   * The next records in order, at least one, at most the budget (a first record is admitted whatever its size); waits for one to arrive.
   * Resolves with none when the signal aborts. Rejects with LS_TRANSPORT_POSITION_LOST where the position is no longer in the topic.
   */
  readonly poll: (budget: ReadBudget, signal: AbortSignal) => Promise<readonly ConsumedRecord[]>;
  /**
   * Makes the outputs durable, in their order, and then (at-least-once) or atomically with them (exactly-once) the checkpoint. One call at
   * a time per partition. After a rejection nothing is known about what got through: the caller re-reads `committed` or delivers the same again.
   */
  readonly deliver: (outputs: readonly OutputRecord[], checkpoint: Checkpoint) => Promise<void>;
};

export type ConsumerListener = {
  /** Awaited before the transport hands out the partitions' records. */
  readonly assigned: (partitions: readonly AssignedPartition[]) => Promise<void>;
  /** Awaited before the partitions go to another owner: drain, deliver, forget. */
  readonly revoked: (partitions: readonly TopicPartition[]) => Promise<void>;
  /** The subscription ended by itself and cannot go on. */
  readonly failed: (error: Error) => void;
};

export type Subscription = { readonly close: () => Promise<void> };

export type SubscribeOptions = {
  readonly group: string;
  readonly topics: readonly string[];
  readonly delivery: Delivery;
  readonly listener: ConsumerListener;
};

/**
 * The one place in the world that may append to a topic under a claim. Claims do not touch `append`, nor what stages deliver: they are for work
 * that is decided by what the topic holds, where two who decide at once would do it twice.
 */
export type TopicClaim = {
  /**
   * Appends durably, in order per partition, all or nothing: hand over no more than may be in memory at once. Rejects with
   * LS_TRANSPORT_FENCED, and nothing of the call was or will be appended, once the topic was claimed anew. After any other rejection nothing
   * is known, until a new claim settles it.
   */
  readonly append: (records: readonly OutputRecord[]) => Promise<void>;
  /** Lets go of what the claim holds here. It does not end the claim: only the next one does. */
  readonly close: () => Promise<void>;
};

export type TopicExpectation = {
  readonly topic: string;
  readonly partitionCount: number;
  /** The setting that says so, for messages. */
  readonly partitionCountSetting: string;
};

export type TopicExpectations = {
  readonly topics: readonly TopicExpectation[];
  /** State is safe in a snapshot after so long at the latest: until then its records must be kept. */
  readonly snapshotIntervalMs: number;
};

/** Something about a topic that would lose, refuse or misdate records. */
export type TopicFinding = {
  readonly topic: string;
  /** In the words of the transport; `topic` where it is missing. */
  readonly setting: string;
  /** With an `error` no stage may work. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly remedy: string;
};

/** How a topic was made, for making it anew alike. The settings are in the transport's own words, those alone that the topic has for itself. */
export type TopicForm = { readonly replicationFactor: number | undefined; readonly settings: Readonly<Record<string, string>> };

/** As the topic's own settings have it. */
export type TopicRetention = {
  /** Longest time after its append that a record is there; undefined: no limit by age. */
  readonly keptMsMax: number | undefined;
  /** Of a partition; undefined: no limit. */
  readonly bytesMax: number | undefined;
};

export type TopicReplacement = {
  readonly topic: string;
  /** Which goes, with all that it holds. */
  readonly formerIncarnation: string;
  readonly partitionCount: number;
  readonly form: TopicForm;
};

export type Transport = {
  readonly capabilities: Capabilities;
  /** Makes the topics that are missing; refuses (LS_TRANSPORT_PARTITION_COUNT) where one exists with another partition count. */
  readonly createTopics: (topics: readonly { readonly topic: string; readonly partitionCount: number }[]) => Promise<void>;
  /** In the order of the topics; none where all is as it must be. */
  readonly checkTopics: (expectations: TopicExpectations) => Promise<readonly TopicFinding[]>;
  /** Rejects with LS_TRANSPORT_TOPIC_MISSING. */
  readonly describeTopic: (topic: string) => Promise<TopicDescription>;
  /** Rejects with LS_TRANSPORT_TOPIC_MISSING. */
  readonly topicForm: (topic: string) => Promise<TopicForm>;
  /** Undefined where a topic has no settings of that (the configuration says it all), or where they may not be seen. */
  readonly topicRetention: (topic: string) => Promise<TopicRetention | undefined>;
  /**
   * Puts another incarnation of the topic in the place of the former, whose records and groups' positions are gone. Partitions begin above sequence 0,
   * as where the beginning is lost: who needs a state to begin with finds out if it has none. Nobody may work on the topic. What was cut short is
   * brought to its end by the same call; where another incarnation is there already, it is left as it is, if it has as many partitions. With another
   * number it is replaced as well while it holds no record, and otherwise refused (LS_TRANSPORT_PARTITION_COUNT).
   */
  readonly replaceTopic: (replacement: TopicReplacement) => Promise<TopicDescription>;
  readonly bounds: (topicPartition: TopicPartition) => Promise<PartitionBounds>;
  /**
   * Resolves when `bounds` and `read` know of all that had been written to the partition at the call. On Kafka a transaction that is committed
   * is not seen yet: its markers follow, and it waits for transactions that others have open, too.
   */
  readonly decided: (topicPartition: TopicPartition) => Promise<void>;
  /** The first record kept at or after the landmark; the end where there is none. For operators who name a place or a time. */
  readonly boundAt: (topicPartition: TopicPartition, landmark: Landmark) => Promise<Bound>;
  /** Outside any group: what a follower, `tail` and restore read with. `from` undefined is the first record kept. Same contract as `poll`. */
  readonly read: (
    topicPartition: TopicPartition,
    from: Position | undefined,
    budget: ReadBudget,
    signal: AbortSignal,
  ) => Promise<readonly ConsumedRecord[]>;
  /** Whether a read from the position would not reject with LS_TRANSPORT_POSITION_LOST; waits for no record. */
  readonly isKept: (topicPartition: TopicPartition, position: Position) => Promise<boolean>;
  /** Appends durably, outside any group, in order per partition: publishing, control records, metrics. */
  readonly append: (records: readonly OutputRecord[]) => Promise<void>;
  /**
   * Takes the topic from whoever claimed it before, in this process or another, living or dead. What that one appended under its claim is
   * seen by `bounds` and `read` from here on; what it has not appended by now never will be. On Kafka: a producer with a transactional id made
   * of the topic's name, each `append` a transaction. Where `capabilities.fencing` is false nobody is fenced, and deterministic ids alone
   * make up for it (SEMANTICS.md, rule 20).
   */
  readonly claim: (topic: string) => Promise<TopicClaim>;
  /** The group's checkpoint of a partition, for lag and tests. */
  readonly committed: (group: string, topicPartition: TopicPartition) => Promise<Checkpoint | undefined>;
  /**
   * Sets where a group stands, for operators: to accept a gap that retention left, or to have records handled again. Needs no member; rejects
   * with LS_TRANSPORT_GROUP_ACTIVE while the group has one that this transport knows of (on the embedded log: in this process), which is all that
   * it finds out without a place.
   */
  readonly resetGroup: (group: string, places: readonly GroupPlace[]) => Promise<void>;
  /** Resolves when `assigned` was called for the first time and is over, or when the member was told that there is no partition for it. */
  readonly subscribe: (options: SubscribeOptions) => Promise<Subscription>;
  readonly close: () => Promise<void>;
};
