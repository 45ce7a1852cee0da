/** Gives a cluster a name, which stays with it while it grows and merges. */
import { appendControlsTo } from '../clusters-of.ts';
import type { TopicPartition } from '../core/records.ts';
import type { Access } from '../open-access.ts';
import { labelRecord } from '../stages/cluster/control-records.ts';

/** Of a living cluster. */
export type ClusterPlace = { readonly family: string; readonly collection: string; readonly clusterId: string };

/** @param name none: it has no name any more. Rejects as `appendControlsTo` does. */
export async function nameCluster(access: Access, { family, collection, clusterId }: ClusterPlace, name: string): Promise<readonly TopicPartition[]> {
  await access.codec.prepareEncode();
  return appendControlsTo(access, (partitionCount) => [labelRecord(access.codec, partitionCount, family, { collection, clusterId, name })]);
}
