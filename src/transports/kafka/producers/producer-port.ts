/**
 * What the Kafka transport asks of a client that produces. Two implement it: kafkajs (the default) and @platformatic/kafka. All sends are
 * acks=all. Whatever a call rejected with, nothing is known of what got through (SEMANTICS.md, rule 24): the caller closes the producer and opens
 * another; with the same transactional id, that settles it.
 */
import type { OutputRecord } from '../../../core/records.ts';

/** What a consumer group is to stand at when the transaction commits. */
export type GroupOffset = {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: bigint;
  readonly metadata: string;
};

export type PlainProducer = {
  /** Resolves when every record is durable, in order per partition. Several calls may be in flight; their order among each other is open. */
  readonly send: (records: readonly OutputRecord[]) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type TransactionalProducer = {
  /**
   * One transaction: the records, the group's offset, the commit. One call at a time. Rejects with LS_TRANSPORT_FENCED when the transactional id
   * was initialised elsewhere.
   */
  readonly transact: (records: readonly OutputRecord[], offset: GroupOffset | undefined) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type Producers = {
  readonly open: () => Promise<PlainProducer>;
  /**
   * Initialised when it resolves: whoever had the id is fenced, and what became of its last transaction is settled (committed or aborted, its
   * markers written).
   *
   * @param entitled awaited last before the id is initialised, however long connections and other openings took; what it rejects with ends the opening.
   */
  readonly openTransactional: (transactionalId: string, entitled?: () => Promise<void>) => Promise<TransactionalProducer>;
};
