/** What a broker in memory may do to its clients, within the transport port. */
import { errorFactory, type LabelstreamError } from '../../src/core/errors/error.ts';
import type { OutputRecord, TopicPartition } from '../../src/core/records.ts';
import type { Checkpoint } from '../../src/pipeline/transport.ts';

const testError = errorFactory({
  LS_TEST_BROKER_AWAY: { cause: 'environment', retryable: true, summary: 'injected', remedy: 'none' },
});
export const brokerAway = (): LabelstreamError => testError('LS_TEST_BROKER_AWAY', 'injected');

export const deliverFaults = [
  'none',
  /** Nothing happens, and it rejects. */
  'rejected-before',
  /** Everything happens, and it rejects. */
  'rejected-after',
  /** At least once: a part of the outputs, no checkpoint, and it rejects. Exactly once: as before. */
  'rejected-between',
  /** It rejects; whether it happens is decided when the committed checkpoint is read. */
  'undecided',
  /** The process dies at the same points. */
  'crash-before',
  'crash-after',
  'crash-between',
  /** Nothing happens, and there is no answer until the request times out or the partition is taken away. */
  'hangs',
] as const;
type DeliverFault = (typeof deliverFaults)[number];

export type Faults = {
  readonly deliver: (partition: TopicPartition, outputs: readonly OutputRecord[], checkpoint: Checkpoint) => DeliverFault;
  /** Whether an undecided delivery happens. */
  readonly decides: () => boolean;
  readonly poll: (partition: TopicPartition) => 'none' | 'rejected' | 'rejected-with-records-lost';
  readonly committed: (partition: TopicPartition) => 'none' | 'rejected';
  readonly append: () => 'none' | 'rejected-before' | 'rejected-after';
  readonly delayMs: () => number;
};

export const noFaults: Faults = {
  deliver: () => 'none',
  decides: () => false,
  poll: () => 'none',
  committed: () => 'none',
  append: () => 'none',
  delayMs: () => 0,
};
