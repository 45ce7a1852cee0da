/**
 * What people ask about clusters, answered from the state of one partition; `combineViews` makes one answer of several partitions, with the
 * sequence that each stood at (SEMANTICS.md, rule 25). Owner and follower answer with the same functions.
 */
import type { ClusterSummary } from '../../clustering/clustering.ts';
import { itemHashOf } from '../../core/ids.ts';
import type { Answer, ClusterDescription, ClusterDetail, ClusterFilter, ClusterView, CollectionDescription, FamilyDefinition, ItemPlace, MemberDescription, MemberPage, PartitionStanding, PartitionView } from './cluster-queries.ts';
import { explainItem, reasonOf } from './item-explanation.ts';
import { exportCollection } from './collection-export.ts';
import { nearestToMean } from './samples.ts';
import { collectionsNamed, compareText, liveItem, sortedByKey, tombstoneRetentionOf, type CollectionState, type FamilyState, type PartitionState } from './state.ts';
import { tombstonesOf } from './tombstones.ts';
import { sampleVectors } from './vector-sample.ts';
import { nearestInFamily, placeVector } from './vector-places.ts';

const samplesDefault = 3;

export function createPartitionView(state: PartitionState): PartitionView {
  return {
    collections: () =>
      Array.from(collectionsNamed(state, {}), ({ family, collection }) => ({
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
    frozenCount: () => [...collectionsNamed(state, {})].filter(({ collection }) => collection.isFrozen).length,
    clusters: (filter = {}) =>
      [...collectionsNamed(state, filter)].flatMap(({ family, collection }) =>
        describeClusters(family, collection, filter),
      ),
    resolve: (clusterId) => {
      const found = resolveIn(state, clusterId);
      return found && { family: found.family.name, collection: found.collection.name, clusterId: found.living };
    },
    metricOf: (name) => {
      const family = state.families.get(name);
      return (family?.pending ?? family)?.parameters.metric;
    },
    cluster: (clusterId, page) => {
      const found = resolveIn(state, clusterId);
      return found && describeMembers(found.family, found.collection, found.living, page);
    },
    item: (itemId) => sortedByKey(state.families).flatMap(([, family]) => placeIn(family, itemId)),
    explain: (itemId, neighboursMax) => sortedByKey(state.families).flatMap(([, family]) => explainItem(family, itemId, neighboursMax) ?? []),
    reasons: (itemId, neighboursMax) => sortedByKey(state.families).flatMap(([, family]) => reasonOf(family, itemId, neighboursMax) ?? []),
    tombstones: (itemId) => tombstonesOf(state.tombstones, tombstoneRetentionOf(state), itemHashOf(itemId), state.timeMs),
    familyOf: (collection) => collectionsNamed(state, { collection }).next().value?.family.name ?? state.families.get(collection)?.name,
    definitionsOf: (collection, family) => familiesOf(state, collection, family).map(definitionOf),
    place: (collection, vector, family) => placeVector(state, { collection, family }, vector),
    nearest: (itemId, countMax) => Promise.all(sortedByKey(state.families).flatMap(([, family]) => nearestInFamily(family, itemId, countMax) ?? [])),
    exports: (filter) => Array.from(collectionsNamed(state, filter), ({ family, collection }) => exportCollection(family, collection)),
    vectors: (name, sizeMax) => Array.from(collectionsNamed(state, { collection: name }), ({ family, collection }) => sampleVectors(family, collection, sizeMax)),
  };
}

function resolveIn(state: PartitionState, clusterId: string) {
  for (const { family, collection } of collectionsNamed(state, {})) {
    const living = collection.clustering.resolve(clusterId);
    if (living !== undefined) return { family, collection, living };
  }
  return undefined;
}

function familiesOf(state: PartitionState, collection: string, named: string | undefined): readonly FamilyState[] {
  const holding = named === undefined ? Array.from(collectionsNamed(state, { collection }), ({ family }) => family) : [];
  if (holding.length > 0) return holding;
  const called = state.families.get(named ?? collection);
  return called === undefined ? [] : [called];
}

function definitionOf({ name: family, definition: { model, modelVersion, dimensions }, projectionSha256, parameters }: FamilyState): FamilyDefinition {
  return { family, model, modelVersion, dimensions, projectionSha256, ...parameters };
}

function describePending({ pending }: FamilyState): CollectionDescription['pending'] {
  if (pending === undefined) return null;
  const { generation, parameters: { eps, minPoints }, projectionSha256, builtSinceMs = null } = pending;
  return { generation, eps, minPoints, projectionSha256, builtSinceMs };
}

/** Members are listed, which takes time that grows with them, only where samples are asked for. */
function describeClusters(family: FamilyState, collection: CollectionState, { samplesMax = samplesDefault, countMax }: ClusterFilter): readonly ClusterDescription[] {
  const summaries = [...collection.clustering.clusterSizes()].sort((left, right) => right.size - left.size);
  const itemIdsOf = (clusterId: string): readonly string[] => (samplesMax === 0 ? [] : (collection.clustering.cluster(clusterId)?.itemIds ?? []));
  return summaries.slice(0, countMax).map((summary) => describeCluster(family, collection, { ...summary, itemIds: itemIdsOf(summary.clusterId) }, samplesMax));
}

function describeCluster(family: FamilyState, collection: CollectionState, { clusterId, size, coreCount, itemIds }: ClusterSummary, samplesMax: number): ClusterDescription {
  const samples = nearestToMean(collection.clustering, itemIds, samplesMax).map((itemId) => describeMember(collection, itemId));
  const name = collection.clusterNames.get(clusterId) ?? null;
  return { family: family.name, collection: collection.name, clusterId, name, size, coreCount, samples };
}

function describeMembers(family: FamilyState, collection: CollectionState, clusterId: string, { offset, limit }: MemberPage = { offset: 0, limit: Infinity }): ClusterDetail | undefined {
  const summary = collection.clustering.cluster(clusterId);
  if (summary === undefined) return undefined;
  const members = summary.itemIds.slice(offset, offset + limit).map((itemId) => describeMember(collection, itemId));
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
    definitionsOf: (collection, family) => answer(partitions.flatMap(({ view }) => view.definitionsOf(collection, family))),
    vectors: (collection, sizeMax) => answer(partitions.flatMap(({ view }) => view.vectors(collection, sizeMax)).sort(byName)),
  };
}
