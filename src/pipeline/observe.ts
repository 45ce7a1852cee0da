/**
 * What a runner tells about itself. Metrics, logs and readiness wrap the runner through this port; the pipeline holds no counter of its own.
 * Callbacks run in the middle of the work: they must be quick and must not throw.
 */
import type { TopicPartition } from '../core/records.ts';
import type { Checkpoint, ReadBudget } from './transport.ts';

export type RunnerObserver = {
  readonly assigned: (partition: TopicPartition, checkpoint: Checkpoint) => void;
  /** The partition is not worked on any more: drained, given up or failed. */
  readonly ended: (partition: TopicPartition) => void;
  readonly polled: (partition: TopicPartition, records: number, bytes: number) => void;
  readonly pollRetried: (partition: TopicPartition, attempt: number, error: unknown) => void;
  readonly processed: (partition: TopicPartition, durationMs: number, systemFailures: readonly string[]) => void;
  /** Held in memory: read and not yet delivered, in records and bytes. `gap`: how many of them have finished and wait for an earlier one. */
  readonly inFlight: (partition: TopicPartition, held: ReadBudget, gap: number) => void;
  readonly delivered: (partition: TopicPartition, delivery: DeliveryObservation) => void;
  readonly deliveryRetried: (partition: TopicPartition, attempt: number, error: unknown) => void;
  /** One dead letter was delivered. */
  readonly deadLettered: (partition: TopicPartition, code: string) => void;
  readonly parked: (partition: TopicPartition, sequence: bigint, heldMs: number) => void;
  /** Rule 8: the partition waits for a system that fails with this code. */
  readonly paused: (partition: TopicPartition, code: string) => void;
  readonly resumed: (partition: TopicPartition) => void;
  /** On the way to the committed position; `remaining` sequences are still to be folded again. */
  readonly restoring: (partition: TopicPartition, remaining: bigint) => void;
  /** The state stands at the committed position. */
  readonly restored: (partition: TopicPartition, restored: RestoreObservation) => void;
  readonly snapshotWritten: (partition: TopicPartition, sequence: bigint, durationMs: number) => void;
  readonly snapshotFailed: (partition: TopicPartition, error: unknown) => void;
  /** Snapshots above the committed position were removed, from newest to oldest: they belong to a history that the log does not have. */
  readonly snapshotsDiscarded: (partition: TopicPartition, sequences: readonly bigint[]) => void;
  /** The owner appended a record of its own: a tick, say. */
  readonly ownRecordAppended: (partition: TopicPartition) => void;
  readonly failed: (error: Error, partition: TopicPartition | undefined) => void;
  /** A shutdown ran out of time: what was in flight will be read again, and in at-least-once may be delivered twice. */
  readonly forced: (recordsInFlight: number) => void;
};

type DeliveryObservation = {
  readonly inputs: number;
  readonly outputs: number;
  readonly durationMs: number;
  readonly checkpoint: Checkpoint;
};

type RestoreObservation = {
  /** The state was still in memory: nobody else has committed anything since. */
  readonly kept: boolean;
  /** Undefined: folded from the beginning of the log, where the state was not kept. */
  readonly snapshotSequence: bigint | undefined;
  readonly records: number;
  readonly durationMs: number;
};

const ignore = (): void => undefined;

export const silentObserver: RunnerObserver = {
  assigned: ignore,
  ended: ignore,
  polled: ignore,
  pollRetried: ignore,
  processed: ignore,
  inFlight: ignore,
  delivered: ignore,
  deliveryRetried: ignore,
  deadLettered: ignore,
  parked: ignore,
  paused: ignore,
  resumed: ignore,
  restoring: ignore,
  restored: ignore,
  snapshotWritten: ignore,
  snapshotFailed: ignore,
  snapshotsDiscarded: ignore,
  ownRecordAppended: ignore,
  failed: ignore,
  forced: ignore,
};
