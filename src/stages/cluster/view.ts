/**
 * What people ask about clusters, answered from the state of one partition; `combineViews` makes one answer of several partitions, with the
 * sequence that each stood at (SEMANTICS.md, rule 25). Owner and follower answer with the same functions.
 */
import type { Role } from '../../clustering/clustering.ts';
import type { Origin } from '../../core/events.generated.ts';
import { itemHashOf } from '../../core/ids.ts';
import { explainItem, type ItemExplanation } from './item-explanation.ts';
import { nearestToMean } from './samples.ts';
import { compareText, liveItem, sortedByKey, tombstoneRetentionOf, type CollectionState, type FamilyState, type PartitionState } from './state.ts';
import { tombstonesOf, type TombstoneDescription } from './tombstones.ts';
import { sampleVectors, type VectorSample } from './vector-sample.ts';

type CollectionDescription = {
  readonly family: string;
  readonly collection: string;
  readonly generation: string;
  /** In force. */
  readonly eps: number;
  readonly minPoints: number;
  readonly itemCount: number;
  readonly clusterCount: number;
  readonly noiseCount: number;
  /** Nothing enters it, for it has reached its memory budget. */
  readonly isFrozen: boolean;
  /** What it goes over to; `builtSinceMs` by the log's times, null while nobody builds it. */
  readonly pending: { readonly generation: string; readonly eps: number; readonly minPoints: number; readonly projectionSha256: string | null; readonly builtSinceMs: number | null } | null;
};

type MemberDescription = {
  readonly itemId: string;
  readonly role: Exclude<Role, 'removed'>;
  /** The start of a text. */
  readonly preview: string | null;
};

type ClusterDescription = {
  readonly family: string;
  readonly collection: string;
  readonly clusterId: string;
  readonly name: string | null;
  readonly size: number;
  readonly coreCount: number;
  /** Items near the middle of the cluster, the nearest first. */
  readonly samples: readonly MemberDescription[];
};

type ClusterDetail = ClusterDescription & {
  /** Byte order of itemId. */
  readonly members: readonly MemberDescription[];
};

type ItemPlace = MemberDescription & {
  readonly inputId: string;
  readonly family: string;
  readonly collection: string;
  readonly clusterId: string | null;
  readonly clusterName: string | null;
  readonly origin: Origin;
};

type ClusterFilter = {
  readonly family?: string;
  readonly collection?: string;
  /** Per cluster; 3 unless told. */
  readonly samplesMax?: number;
};

export type PartitionView = {
  /** Byte order of family, then collection. */
  readonly collections: () => readonly CollectionDescription[];
  readonly frozenCount: () => number;
  /** Of families: what they are to go over to is not in force yet. */
  readonly pendingCount: () => number;
  /** By collection, the largest first; of one size the older first. */
  readonly clusters: (filter?: ClusterFilter) => readonly ClusterDescription[];
  /** The living cluster that the id resolves to; undefined where it is unknown or dissolved. */
  readonly cluster: (clusterId: string) => ClusterDetail | undefined;
  /** Where the item is: once for each family that holds it. */
  readonly item: (itemId: string) => readonly ItemPlace[];
  /** Why the item is there: once for each family that holds it. */
  readonly explain: (itemId: string, neighboursMax: number) => readonly ItemExplanation[];
  /** What keeps earlier versions of it from coming back, as of the partition's time. */
  readonly tombstones: (itemId: string) => readonly TombstoneDescription[];
  /** Of each collection of that name, `sizeMax` vectors at most. */
  readonly vectors: (collection: string, sizeMax: number) => readonly VectorSample[];
};

const samplesDefault = 3;

export function createPartitionView(state: PartitionState): PartitionView {
  return {
    collections: () =>
      Array.from(collectionsOf(state, {}), ({ family, collection }) => ({
        family: family.name,
        collection: collection.name,
        generation: family.generation,
        eps: family.parameters.eps,
        minPoints: family.parameters.minPoints,
        itemCount: collection.items.size,
        clusterCount: collection.clustering.clusterIds().length,
        noiseCount: collection.clustering.noiseCount(),
        isFrozen: collection.isFrozen,
        pending: describePending(family),
      })),
    pendingCount: () => state.families.values().filter(({ pending }) => pending !== undefined).toArray().length,
    frozenCount: () => [...collectionsOf(state, {})].filter(({ collection }) => collection.isFrozen).length,
    clusters: (filter = {}) =>
      [...collectionsOf(state, filter)].flatMap(({ family, collection }) =>
        describeClusters(family, collection, filter.samplesMax ?? samplesDefault),
      ),
    cluster: (clusterId) => {
      for (const { family, collection } of collectionsOf(state, {})) {
        const living = collection.clustering.resolve(clusterId);
        if (living !== undefined) return describeMembers(family, collection, living);
      }
      return undefined;
    },
    item: (itemId) => sortedByKey(state.families).flatMap(([, family]) => placeIn(family, itemId)),
    explain: (itemId, neighboursMax) => sortedByKey(state.families).flatMap(([, family]) => explainItem(family, itemId, neighboursMax) ?? []),
    tombstones: (itemId) => tombstonesOf(state.tombstones, tombstoneRetentionOf(state), itemHashOf(itemId), state.timeMs),
    vectors: (name, sizeMax) => Array.from(collectionsOf(state, { collection: name }), ({ family, collection }) => sampleVectors(family, collection, sizeMax)),
  };
}

function describePending({ pending }: FamilyState): CollectionDescription['pending'] {
  if (pending === undefined) return null;
  const { generation, parameters: { eps, minPoints }, projectionSha256, builtSinceMs = null } = pending;
  return { generation, eps, minPoints, projectionSha256, builtSinceMs };
}

type Place = { readonly family: FamilyState; readonly collection: CollectionState };

function* collectionsOf(state: PartitionState, filter: ClusterFilter): Generator<Place> {
  for (const [, family] of sortedByKey(state.families)) {
    if (filter.family !== undefined && filter.family !== family.name) continue;
    for (const [name, collection] of sortedByKey(family.collections)) {
      if (filter.collection === undefined || filter.collection === name) yield { family, collection };
    }
  }
}

type Summary = { readonly clusterId: string; readonly size: number; readonly coreCount: number; readonly itemIds: readonly string[] };

function describeClusters(family: FamilyState, collection: CollectionState, samplesMax: number): readonly ClusterDescription[] {
  const summaries = [...collection.clustering.clusters()].sort((left, right) => right.size - left.size);
  return summaries.map((summary) => describeCluster(family, collection, summary, samplesMax));
}

function describeCluster(
  family: FamilyState,
  collection: CollectionState,
  { clusterId, size, coreCount, itemIds }: Summary,
  samplesMax: number,
): ClusterDescription {
  const samples = nearestToMean(collection.clustering, itemIds, samplesMax).map((itemId) => describeMember(collection, itemId));
  const name = collection.clusterNames.get(clusterId) ?? null;
  return { family: family.name, collection: collection.name, clusterId, name, size, coreCount, samples };
}

function describeMembers(family: FamilyState, collection: CollectionState, clusterId: string): ClusterDetail | undefined {
  const summary = collection.clustering.clusters().find((cluster) => cluster.clusterId === clusterId);
  if (summary === undefined) return undefined;
  const members = summary.itemIds.map((itemId) => describeMember(collection, itemId));
  return { ...describeCluster(family, collection, summary, samplesDefault), members };
}

function describeMember({ clustering, items }: CollectionState, itemId: string): MemberDescription {
  return { itemId, role: clustering.item(itemId)?.role ?? 'noise', preview: items.get(itemId)?.preview ?? null };
}

function placeIn(family: FamilyState, itemId: string): readonly ItemPlace[] {
  const live = liveItem(family, itemId);
  if (live === undefined) return [];
  const { collection, item } = live;
  const clusterId = collection.clustering.item(itemId)?.clusterId ?? null;
  return [
    {
      ...describeMember(collection, itemId),
      inputId: item.inputId,
      family: family.name,
      collection: collection.name,
      clusterId,
      clusterName: clusterId === null ? null : (collection.clusterNames.get(clusterId) ?? null),
      origin: item.origin,
    },
  ];
}

/** `sequence` is that of the last record folded; undefined where none is known to be. */
type PartitionStanding = { readonly partition: number; readonly sequence: bigint | undefined };

type Answer<Value> = { readonly value: Value; readonly heldAt: readonly PartitionStanding[] };

export type PartitionExplanation = ItemExplanation & { readonly partition: number };

export type ClusterView = {
  readonly collections: () => Answer<readonly CollectionDescription[]>;
  readonly clusters: (filter?: ClusterFilter) => Answer<readonly ClusterDescription[]>;
  readonly cluster: (clusterId: string) => Answer<ClusterDetail | undefined>;
  readonly item: (itemId: string) => Answer<readonly ItemPlace[]>;
  readonly explain: (itemId: string, neighboursMax: number) => Answer<readonly PartitionExplanation[]>;
  /** Of every partition that has one. */
  readonly tombstones: (itemId: string) => Answer<readonly (TombstoneDescription & { readonly partition: number })[]>;
  /** Of each collection of that name. */
  readonly vectors: (collection: string, sizeMax: number) => Answer<readonly VectorSample[]>;
};

export type StandingView = { readonly view: PartitionView; readonly standing: () => PartitionStanding };

export function combineViews(partitions: readonly StandingView[]): ClusterView {
  const answer = <Value>(value: Value): Answer<Value> => ({ value, heldAt: partitions.map(({ standing }) => standing()) });
  const byName = (left: { readonly family: string; readonly collection: string }, right: typeof left): number =>
    compareText(left.family, right.family) || compareText(left.collection, right.collection);
  return {
    collections: () => answer(partitions.flatMap(({ view }) => view.collections()).sort(byName)),
    clusters: (filter) => answer(partitions.flatMap(({ view }) => view.clusters(filter)).sort(byName)),
    cluster: (clusterId) =>
      answer(partitions.map(({ view }) => view.cluster(clusterId)).find((candidate) => candidate !== undefined)),
    item: (itemId) => answer(partitions.flatMap(({ view }) => view.item(itemId)).sort(byName)),
    explain: (itemId, neighboursMax) =>
      answer(partitions.flatMap(({ view, standing }) => view.explain(itemId, neighboursMax).map((explanation) => ({ ...explanation, partition: standing().partition }))).sort(byName)),
    tombstones: (itemId) =>
      answer(partitions.flatMap(({ view, standing }) => view.tombstones(itemId).map((tombstone) => ({ ...tombstone, partition: standing().partition })))),
    vectors: (collection, sizeMax) => answer(partitions.flatMap(({ view }) => view.vectors(collection, sizeMax)).sort(byName)),
  };
}
