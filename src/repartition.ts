/** `topics repartition`: what a configuration makes of the partitions of the features topic. */
import { randomUUID } from 'node:crypto';
import { followerOf } from './clusters-of.ts';
import type { Access } from './open-access.ts';
import { LabelstreamError } from './core/errors/error.ts';
import { topics } from './core/topics.ts';
import { requireNoPlan } from './stages/cluster/repartition-plan.ts';
import { repartition, repartitionOutlook, type Repartition, type RepartitionOptions, type RepartitionOutlook } from './stages/cluster/repartition.ts';

/** Rejects as `repartition` does. */
export function repartitionFeatures(access: Access, signal: AbortSignal): Promise<readonly Repartition[]> {
  return repartition(optionsOf(access), access.partitionCountOf(topics.features), signal);
}

/** Changes nothing. */
export function repartitionOutlookOf(access: Access, signal: AbortSignal): Promise<RepartitionOutlook> {
  return repartitionOutlook(optionsOf(access), access.partitionCountOf(topics.features), signal);
}

/**
 * For who would make `features` where one that was cut short is to make it anew, with the settings that it had. Rejects with
 * LS_STATE_REPARTITION_PENDING, and with what the state store rejects with.
 */
export async function requireNoRepartition(access: Access): Promise<void> {
  try {
    await requireNoPlan(access.stateStore, followerOf(access).group);
  } catch (error) {
    // Topics may be made before the container, which then holds no plan.
    if (!(error instanceof LabelstreamError && error.code === 'LS_STATE_CONTAINER_MISSING')) throw error;
  }
}

function optionsOf(access: Access): RepartitionOptions {
  return { ...followerOf(access), stateStore: access.stateStore, extractGroup: `${access.configuration.group}-extract`, newPlanOwner: randomUUID };
}
