/**
 * One look of retention at all topics (retention.ts). Each goes by itself: of one whose needs cannot be learned nothing is removed, of the others
 * everything that is beyond their limits.
 */
import type { Clock } from '../../core/clock.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { CommitItem } from './log-committer.ts';
import { checkpointKey, type LogState, type PartitionState, type TopicState } from './log-state.ts';
import { expiredBefore, type Expiry, type LogRetention } from './retention.ts';

export type RetentionPassOptions = {
  readonly state: LogState;
  readonly queue: CommitQueue<CommitItem>;
  readonly retention: LogRetention;
  readonly clock: Clock;
};

/** Rejects with the first failure of a topic, once all have ended. */
export function createRetentionPass(options: RetentionPassOptions): (signal?: AbortSignal) => Promise<void> {
  return async (signal = new AbortController().signal) => {
    const topics = [...options.state.topics.values()];
    for (const result of await Promise.allSettled(topics.map((topic) => retainTopic(options, topic, signal)))) {
      if (result.status === 'rejected') throw result.reason;
    }
  };
}

async function retainTopic({ state, queue, retention, clock }: RetentionPassOptions, { description, partitions }: TopicState, signal: AbortSignal): Promise<void> {
  const { topic, incarnation } = description;
  const limits = retention.limitsOf(topic);
  const overLimits = partitions.filter((partition) => expiredBefore(partition, { limits, neededFrom: undefined }, clock.nowMs(), true) !== undefined);
  const expiries = await Promise.all(
    overLimits.map(async (partition): Promise<readonly [PartitionState, Expiry]> => {
      const committed = (group: string): bigint | undefined => state.checkpoints.get(checkpointKey(group, partition))?.nextSequence;
      const neededFrom = await retention.neededFrom({ topic, partition: partition.partition, incarnation }, committed, signal);
      return [partition, { limits, neededFrom }];
    }),
  );
  if (expiries.length > 0) await queue.submit({ kind: 'retention', expiries: new Map(expiries), records: 0, bytes: 0 });
}
