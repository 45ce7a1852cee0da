/** What the two kinds of partition have in common: a map's (map-partition.ts) and a fold's (fold-partition.ts). */
import type { Clock, Random } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { ConsumedRecord } from '../core/records.ts';
import { recordBytes } from '../core/records.ts';
import { deliverUntilSettled, type Settled } from './delivery.ts';
import type { InputPause } from './input-pause.ts';
import type { RunnerLimits } from './limits.ts';
import type { RunnerObserver } from './observe.ts';
import { backOffMs, codeOf, isRetryable } from './retry.ts';
import type { AssignedPartition, Checkpoint, ReadBudget } from './transport.ts';

/** A partition at work. */
export type PartitionRun = {
  /** Resolves when the partition is not worked on any more; rejects with what stopped it. */
  readonly done: Promise<void>;
  /** Reads nothing more, delivers what it has begun with, in order, and is done: a map with all that it read, a fold with the batch that it is at. */
  readonly drain: () => void;
  /** Is done at once. What was not delivered is forgotten; a delivery in flight may still take effect. */
  readonly abort: () => void;
  readonly inFlight: () => ReadBudget;
};

export type PartitionContext = {
  readonly partition: AssignedPartition;
  /** Where the group stands when the run begins. */
  readonly start: Checkpoint;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: RunnerLimits;
  /** This partition's part of the stage's budget; it changes with the number of partitions. */
  readonly share: () => ReadBudget;
  readonly observer: RunnerObserver;
  readonly inputPause: InputPause;
  /** Told after every delivery. */
  readonly checkpointed: (checkpoint: Checkpoint) => void;
};

/**
 * The next records, waiting for the transport without bound. `position` is where the records already taken end: after a failure nothing is
 * known about where the transport stands, so it is told. Resolves with none when the signal aborts.
 */
export async function pollPatiently(
  context: PartitionContext,
  position: string,
  budget: ReadBudget,
  signal: AbortSignal,
): Promise<readonly ConsumedRecord[]> {
  const { partition, clock, random, limits, observer } = context;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      const records = await partition.poll(budget, signal);
      if (records.length > 0) observer.polled(partition, records.length, bytesOf(records));
      return records;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      observer.pollRetried(partition, attempt, error);
      await clock.sleep(backOffMs(limits.patience, attempt, random), signal);
      partition.seek(position);
    }
  }
  return [];
}

export function bytesOf(records: readonly ConsumedRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += recordBytes(record);
  return bytes;
}

/** Delivers for a run; false when the signal aborted first. Throws what stops the partition. */
export async function deliverInRun(context: PartitionContext, delivery: Settled, inputs: number, signal: AbortSignal): Promise<boolean> {
  const { partition, clock, observer } = context;
  const startedMs = clock.elapsedMs();
  if (!(await deliverUntilSettled(context, delivery, signal))) return false;
  const { outputs, checkpoint } = delivery;
  observer.delivered(partition, { inputs, outputs: outputs.length, durationMs: clock.elapsedMs() - startedMs, checkpoint });
  context.checkpointed(checkpoint);
  return true;
}

/** A partition that went to another owner has not failed. */
export function isRevocation(error: unknown): boolean {
  return codeOf(error) === 'LS_TRANSPORT_REVOKED';
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The message of a failure with its code, for an error that wraps it. */
export function describeError(error: unknown): string {
  return error instanceof LabelstreamError ? `${error.code}: ${error.message}` : toError(error).message;
}
