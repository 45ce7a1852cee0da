/** `topics repartition`: what a configuration makes of the partitions of the features topic. */
import { randomUUID } from 'node:crypto';
import { followerOf, type Access } from './compose.ts';
import { topics } from './core/topics.ts';
import { repartition, repartitionOutlook, type Repartition, type RepartitionOptions, type RepartitionOutlook } from './stages/cluster/repartition.ts';

/** Rejects as `repartition` does. */
export function repartitionFeatures(access: Access, signal: AbortSignal): Promise<readonly Repartition[]> {
  return repartition(optionsOf(access), access.partitionCountOf(topics.features), signal);
}

/** Changes nothing. */
export function repartitionOutlookOf(access: Access, signal: AbortSignal): Promise<RepartitionOutlook> {
  return repartitionOutlook(optionsOf(access), access.partitionCountOf(topics.features), signal);
}

function optionsOf(access: Access): RepartitionOptions {
  return { ...followerOf(access), stateStore: access.stateStore, extractGroup: `${access.configuration.group}-extract`, newPlanOwner: randomUUID };
}
