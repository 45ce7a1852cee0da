/** What retention of the embedded log leaves, whatever the age: what a restore reads again, and what marks dead letters that are still there. */
import type { Clock } from './core/clock.ts';
import { topics } from './core/topics.ts';
import { rejectionOf, within } from './pipeline/abort.ts';
import { marksNeededFrom } from './pipeline/redrive.ts';
import type { StateStore } from './pipeline/state-store.ts';
import type { Transport } from './pipeline/transport.ts';
import { clusterStageName } from './stages/cluster/stage-name.ts';
import type { FeaturesPartition } from './stages/cluster/state.ts';
import type { LogRetention } from './transports/log/retention.ts';

/** Retention looks again: what does not answer is given up for this time. */
const neededFromMsMax = 30_000;

/** It is asked from the opening of the log on, which is before there is a transport. */
export function recordsNeededFrom(clusterGroup: string, clock: Clock, stateStore: Pick<StateStore, 'list'>, opened: Promise<Transport>): LogRetention['neededFrom'] {
  return (partition, committed, signal) =>
    within(clock, neededFromMsMax, signal, async (ending) => {
      if (partition.topic === topics.features) return featuresNeededFrom(stateStore, partition, committed(clusterGroup), ending);
      if (partition.topic !== topics.redrive) return undefined;
      const transport = await Promise.race([opened, rejectionOf(ending)]);
      return marksNeededFrom(transport, partition, ending);
    });
}

/**
 * What a restore may have to read again, from the oldest of the snapshots kept on: retention removes nothing of that, whatever the age
 * (SEMANTICS.md, rule 17). So it cannot outrun the snapshots, and there is nothing to refuse at start-up. A snapshot above the committed position
 * restores nothing: it is of a history that the log lost since, by being restored from an older copy.
 */
async function featuresNeededFrom(stateStore: Pick<StateStore, 'list'>, { topic, partition, incarnation }: FeaturesPartition, committed: bigint | undefined, signal: AbortSignal): Promise<bigint> {
  const listed = await stateStore.list({ stage: clusterStageName, topic, incarnation, partition }, signal);
  return (listed.findLast((sequence) => sequence < (committed ?? 0n)) ?? -1n) + 1n;
}
