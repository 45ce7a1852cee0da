/** What bounds a runner, each with its reason. Sizes are those of `recordBytes`. */
import type { RetryPolicy } from './retry.ts';

export type RunnerLimits = {
  /**
   * Held between poll and delivery, over all partitions of the stage. Every partition has an equal share of it: with a common pot, one that
   * waits for a failing model would starve the others.
   */
  readonly recordsInFlightMax: number;
  readonly bytesInFlightMax: number;
  /** Held by one partition, however large its share. */
  readonly partitionRecordsInFlightMax: number;
  readonly partitionBytesInFlightMax: number;
  /** One delivery, so one transaction. A map's input goes whole, however many outputs it has; a fold's may span several. */
  readonly deliveryRecordsMax: number;
  readonly deliveryBytesMax: number;
  /** How long a finished result waits for company; under load longer (map-release.ts). */
  readonly lingerMs: number;
  /** How long an unfinished record may hold finished successors back before it is parked (SEMANTICS.md, rule 5). */
  readonly holdMsMax: number;
  /** Records folded at a time, before their outputs are delivered. */
  readonly foldRecordsMax: number;
  readonly snapshotEveryRecords: number;
  readonly snapshotEveryMs: number;
  /** For draining a partition that goes to another owner. */
  readonly revokeDeadlineMs: number;
  /** What a stage may repeat. */
  readonly processRetry: RetryPolicy;
  /** The transport, and the probes of a paused partition, are waited for without bound. */
  readonly patience: Pick<RetryPolicy, 'baseMs' | 'capMs'>;
};

export const defaultRunnerLimits: RunnerLimits = {
  // Several model batches of 64 in front of every worker, and as many on their way to the disk.
  recordsInFlightMax: 8_192,
  bytesInFlightMax: 256 * 1024 * 1024,
  partitionRecordsInFlightMax: 2_048,
  partitionBytesInFlightMax: 64 * 1024 * 1024,
  // A synchronisation takes about a millisecond: a thousand records share it.
  deliveryRecordsMax: 1_000,
  deliveryBytesMax: 4 * 1024 * 1024,
  lingerMs: 5,
  holdMsMax: 2_000,
  foldRecordsMax: 256,
  snapshotEveryRecords: 50_000,
  snapshotEveryMs: 60_000,
  // Less than a consumer group's usual rebalance timeout of 60 s.
  revokeDeadlineMs: 20_000,
  processRetry: { attemptsMax: 5, baseMs: 100, capMs: 10_000, waitedForCodes: new Set() },
  patience: { baseMs: 50, capMs: 10_000 },
};
