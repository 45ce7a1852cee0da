/**
 * One delivery, repeated until it is known to stand. A rejection is ambiguous: the outputs may be there and the answer lost. So before the same
 * outputs are sent again the committed checkpoint is read: what it shows as done is done, and sending it again would double it (SEMANTICS.md,
 * rules 18 and 24).
 */
import type { Clock, Random } from '../core/clock.ts';
import { pipelineError } from '../core/errors/pipeline.ts';
import type { OutputRecord } from '../core/records.ts';
import { deadLetterCode } from './dead-letter.ts';
import type { RunnerLimits } from './limits.ts';
import type { RunnerObserver } from './observe.ts';
import { unlessAborted } from './abort.ts';
import { createRetry, type RetryPolicy } from './retry.ts';
import type { AssignedPartition, Checkpoint } from './transport.ts';

export type Settled = {
  readonly outputs: readonly OutputRecord[];
  readonly checkpoint: Checkpoint;
  /** What is committed before it; undefined: nothing ever was. */
  readonly previous: Checkpoint | undefined;
};

export type DeliveryContext = {
  readonly partition: AssignedPartition;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Pick<RunnerLimits, 'patience'>;
  readonly observer: Pick<RunnerObserver, 'deliveryRetried' | 'deadLettered'>;
};

/** False when the signal aborted before the outcome was known. Rejects with the failure that is not retryable, or LS_PIPELINE_CHECKPOINT_CONFLICT. */
export async function deliverUntilSettled(context: DeliveryContext, delivery: Settled, signal: AbortSignal): Promise<boolean> {
  const { partition, observer } = context;
  const settled = await patiently(context, signal, async (attempt) => {
    if (attempt > 1 && (await stands(context, delivery))) return true;
    await partition.deliver(delivery.outputs, delivery.checkpoint);
    return true;
  });
  if (settled !== true) return false;
  for (const output of delivery.outputs) {
    const code = deadLetterCode(output);
    if (code !== undefined) observer.deadLettered(partition, code);
  }
  return true;
}

/** Runs something on the transport, waiting for it without bound; undefined when the signal aborts. */
export async function patiently<Result>(
  context: DeliveryContext,
  signal: AbortSignal,
  operation: (attempt: number) => Promise<Result>,
): Promise<Result | undefined> {
  if (signal.aborted) return undefined;
  const { partition, clock, random, limits, observer } = context;
  const policy: RetryPolicy = { ...limits.patience, attemptsMax: Infinity, waitedForCodes: new Set() };
  const retry = createRetry({
    policy,
    clock,
    random,
    signal,
    retried: (attempt, error) => observer.deliveryRetried(partition, attempt, error),
  });
  const running = retry(operation);
  // Once the signal aborted nobody waits for it any more.
  running.catch(() => undefined);
  return unlessAborted(running, signal);
}

async function stands({ partition }: DeliveryContext, { checkpoint, previous }: Settled): Promise<boolean> {
  const committed = await partition.committed();
  if (same(committed, checkpoint)) return true;
  if (same(committed, previous)) return false;
  const { topic, partition: number } = partition;
  throw pipelineError(
    'LS_PIPELINE_CHECKPOINT_CONFLICT',
    `Partition ${number} of ${topic} is committed at ${nameOf(committed)}, where ${nameOf(previous)} or ${nameOf(checkpoint)} was expected.`,
    { topic, partition: number },
  );
}

/** Positions are never compared (rule 1). */
function same(left: Checkpoint | undefined, right: Checkpoint | undefined): boolean {
  return left?.sequence === right?.sequence && left?.outputsSent === right?.outputsSent;
}

function nameOf(checkpoint: Checkpoint | undefined): string {
  return checkpoint === undefined ? 'nothing' : `sequence ${checkpoint.sequence} and ${checkpoint.outputsSent} outputs`;
}
