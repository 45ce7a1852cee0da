/** The clusters as who does not process them reads them, and what is appended for them: beside a live `run` or without one. */
import type { OpenSearch } from './clustering/neighbour-search.ts';
import { createNeighbourSearch } from './clustering/search/fast-search.ts';
import type { Configuration } from './config/load.ts';
import type { InputEnd } from './core/events.generated.ts';
import type { OutputRecord, TopicPartition } from './core/records.ts';
import { inputTopics, topics } from './core/topics.ts';
import { createGenerationObserver } from './observation/log-observer.ts';
import type { Access } from './open-access.ts';
import { rejectionOf } from './pipeline/abort.ts';
import { fetchArtefact } from './pipeline/artefact-store.ts';
import { cloudEventSourceOf } from './pipeline/event-headers.ts';
import { clusterGroupOf } from './stage-groups.ts';
import { appendControls } from './stages/cluster/append-controls.ts';
import { followClusters } from './stages/cluster/cluster-follower.ts';
import { createClusterStage, type ClusterStage, type ClusterStageOptions } from './stages/cluster/cluster-stage.ts';
import { forgetRecords } from './stages/cluster/control-records.ts';
import { keptSnapshots, strayNames, type KeptSnapshot } from './stages/cluster/kept-snapshots.ts';
import { createLiveClusters, type OwnedPartitions } from './stages/cluster/live-clusters.ts';
import { requireNoPlan } from './stages/cluster/repartition-plan.ts';
import { clusterStageName } from './stages/cluster/stage-name.ts';
import type { ClusterView, LiveClusters } from './stages/cluster/cluster-queries.ts';
import { endsOf } from './until-idle.ts';

/** The clusters as of now, by reading: beside a live `run` or without one (SEMANTICS.md, rule 25). */
export async function clustersOf(access: Access, signal: AbortSignal): Promise<ClusterView> {
  const options = followerOf(access);
  // The commands that append to features ask for the clusters first.
  await Promise.race([requireNoPlan(access.stateStore, options.group), rejectionOf(signal)]);
  return followClusters(options, signal);
}

/** What reads the clusters beside their owner, or while there is none. */
export function followerOf(access: Access) {
  // What this fold gives is thrown away, so nothing has to be known of how it would be written.
  const stage = clusterStageOf({ ...access, codec: { ...access.codec, encode: () => Buffer.alloc(0) } });
  return { transport: access.transport, stateStore: access.stateStore, stage, group: clusterGroupOf(access.configuration) };
}

/** The clusters as they change, for who asks again and again. To be closed. */
export function liveClustersOf(access: Access, owned: OwnedPartitions, followerIdleMsMax: number): LiveClusters {
  return createLiveClusters({ ...followerOf(access), owned, clock: access.context.clock, followerIdleMsMax });
}

/** Every snapshot of the clusters that is kept, one after the other in memory. */
export function snapshotsOf(access: Access, signal: AbortSignal): AsyncGenerator<KeptSnapshot> {
  return keptSnapshots({ transport: access.transport, stateStore: access.stateStore, stage: clusterStageOf(access) }, signal);
}

/** What lies beside those snapshots, by name: nothing reads it. */
export function strayStateOf({ transport, stateStore }: Access): Promise<readonly string[]> {
  return strayNames({ transport, stateStore, stage: { name: clusterStageName } });
}

/** Takes the items out of every collection: what was published of them up to now, and nothing later (SEMANTICS.md, rule 21). Tells where it was said. */
export async function forgetItems(access: Access, itemIds: readonly string[]): Promise<readonly TopicPartition[]> {
  const { transport, codec } = access;
  const through = await Promise.all(
    (await endsOf(access, inputTopics)).map(async ({ topic, partition, sequence }): Promise<InputEnd> => {
      const { incarnation } = await transport.describeTopic(topic);
      return { incarnation, partition, endSequence: sequence };
    }),
  );
  await codec.prepareEncode();
  return appendControlsTo(access, (partitionCount) => forgetRecords(codec, partitionCount, itemIds, through));
}

/** What an operator has to say to CLUSTER. Tells where it was said. Rejects with LS_STATE_REPARTITION_PENDING, and is to be repeated then. */
export function appendControlsTo(access: Access, recordsFor: (featuresPartitionCount: number) => readonly OutputRecord[]): Promise<readonly TopicPartition[]> {
  return appendControls({ ...access, group: clusterGroupOf(access.configuration) }, recordsFor);
}

/** @param openSearch without it everything is searched on the main thread: who only reads folds little. */
export function clusterStageOf({ codec, partitionCountOf, configuration, stateStore, context }: Access, openSearch: OpenSearch = createNeighbourSearch): ClusterStage {
  const partitionCounts = { labels: partitionCountOf(topics.labels), clusterEvents: partitionCountOf(topics.clusterEvents), deadLetters: partitionCountOf(topics.deadLetters) };
  const projections = { fetchProjection: (sha256: string) => fetchArtefact(stateStore, sha256), clock: context.clock };
  const { collectionBytesMax } = configuration.cluster;
  const told = createGenerationObserver(context.logger);
  const observer: ClusterStageOptions['observer'] = {
    ...told,
    generationFailed: (...failure) => {
      context.metrics.generationFailed();
      told.generationFailed(...failure);
    },
  };
  return createClusterStage({ codec, partitionCounts, openSearch, observer, ...projections, collectionBytesMax, cloudEventSource: cloudEventSource(configuration) });
}

export function cloudEventSource({ output, group }: Configuration): string | undefined {
  return output.cloudEvents ? cloudEventSourceOf(group) : undefined;
}
