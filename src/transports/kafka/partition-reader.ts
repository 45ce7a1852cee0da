/** Reading one partition by offset, outside any group: what consumers and single reads share. The fetcher (fetcher.ts) makes them. */
import type { ConsumedRecord, TopicPartition } from '../../core/records.ts';
import type { ReadBudget } from '../../pipeline/transport.ts';

export type PartitionReader = {
  /** Where the next poll reads, also one that waits. What was fetched ahead from elsewhere is dropped. */
  readonly seek: (offset: bigint) => void;
  /**
   * The next visible records (read committed) in order, at least one, at most the budget; waits for one. With none when the signal aborts.
   * Rejects with LS_TRANSPORT_POSITION_LOST where the offset is not in the partition, with a retryable error while the broker is away, with
   * LS_TRANSPORT_CALL_OVERLAP while another poll waits.
   */
  readonly poll: (budget: ReadBudget, signal: AbortSignal) => Promise<readonly ConsumedRecord[]>;
  /**
   * The furthest place known to be as good: markers and aborted records, which nobody sees, may stand between. Retention can take those away,
   * and to other tools they are lag.
   */
  readonly pastHidden: (offset: bigint) => bigint;
  /** Ends a poll that waits with the error, and every later one. */
  readonly close: (reason: Error) => void;
};

export type Fetcher = {
  readonly open: (topicPartition: TopicPartition & { readonly incarnation: string }, offset: bigint) => PartitionReader;
  readonly close: () => Promise<void>;
};
