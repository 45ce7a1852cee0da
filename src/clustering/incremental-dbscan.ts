/**
 * Exact incremental DBSCAN, insert and delete, over any search that answers by the one predicate. Items and points are small integers, and all
 * that is known about them are columns of integers (structure/). The rules are those of SEMANTICS.md (14, 15); where the paper it comes from
 * (Ester et al., VLDB 1998) leaves gaps, test/clustering names each.
 */
import type { Clustering, ClusteringIdentity, ClusteringParameters, ClusterSize, ClusterSummary, Mutation, NetChange } from './clustering.ts';
import type { OpenSearch } from './neighbour-search.ts';
import { createPlainSearch } from './plain-search.ts';
import { atOnce, type SlicedWork } from './sliced-work.ts';
import { adjacencyBytes, takenShare } from './structure/adjacency.ts';
import { canonicalChunks } from './structure/canonical-state.ts';
import { entryOf, follow, livingByAge, type ClusterEntry } from './structure/cluster-table.ts';
import { componentFields } from './structure/component-table.ts';
import { membersOf, sizeOf } from './structure/components.ts';
import { createEngineState, itemsOn, pointOf, rebaseState, requireSettled, settling, type EngineState } from './structure/engine-state.ts';
import { findItem, idBytes, itemFields, itemIdOf, itemTableBytes } from './structure/item-table.ts';
import { clusterIdOf, roleOf } from './structure/naming.ts';
import { applyRecord, rebuildRecord } from './structure/net-change.ts';
import { pointsBytes } from './structure/points.ts';
import { explain, nearestItems, placementOf } from './structure/queries.ts';
import { readField, recordsBytes } from './structure/records.ts';
import { restoreState } from './structure/snapshot-reader.ts';
import { snapshotChunks } from './structure/snapshot-writer.ts';
import { succeedRecord } from './structure/succession.ts';

/**
 * A clustering without items, of vectors of one length (`Float32Array`, finite values), which the first one decides. DBSCAN: Ester, Kriegel, Sander and Xu, KDD 1996;
 * incremental: Ester and others, VLDB 1998.
 * @param parameters eps as cosine distance (0 to 2), or as euclidean distance, not squared; minPoints counts the item itself and its duplicates.
 * @param identity what cluster ids are hashed from: two clusterings of one identity must not see different records of one sequence.
 * @param openSearch is called when the first vector comes. Without one every vector is compared with every other, on this thread.
 * @throws LS_CLUSTERING_PARAMETERS_INVALID. Its `apply` and `rebuild` throw LS_CLUSTERING_VECTOR_INVALID (see `checkVector`),
 *   LS_CLUSTERING_ITEM_ID_INVALID and LS_CLUSTERING_SEQUENCE_NOT_RISING, and have changed nothing then; what was prepared is still the caller's.
 */
export function createClustering(
  parameters: ClusteringParameters,
  identity: ClusteringIdentity,
  openSearch: OpenSearch = createPlainSearch,
): Clustering {
  return clusteringOver(createEngineState(parameters, identity, openSearch));
}

/**
 * @param next gives the chunks of `snapshot()` one by one, as they were given; is asked for exactly as many as there were.
 * @throws LS_CLUSTERING_SNAPSHOT_INVALID
 */
export async function restoreClustering(
  next: () => Promise<Buffer | undefined>,
  openSearch: OpenSearch = createPlainSearch,
): Promise<Clustering> {
  return clusteringOver(await restoreState(next, openSearch));
}

const neighboursShown = 20;

/** For one clustering that takes the place of another. */
const states = new WeakMap<Clustering, EngineState>();

function clusteringOver(state: EngineState): Clustering {
  const clustering = portOver(state);
  states.set(clustering, state);
  return clustering;
}

function stateOf(clustering: Clustering): EngineState {
  const state = states.get(clustering);
  if (state === undefined) throw new TypeError('a clustering was given that neither `createClustering` nor `restoreClustering` has made');
  return state;
}

/** Whether a number is that of an item that lives. */
export function holdsItemAt(clustering: Clustering, index: number): boolean {
  const { records, limit } = stateOf(clustering).items;
  return Number.isSafeInteger(index) && index >= 0 && index < limit && readField(records, index, itemFields.point) !== -1;
}

/**
 * `apply` in slices, in the stage's own clusterings. Until it has ended, who prepares vectors waits for it, too, and what tells of clusters, roles and
 * vectors throws an Error; which items there are, their numbers and the memory taken are those of the moment.
 */
export function applyInSlices(clustering: Clustering, mutations: readonly Mutation[], sequence: bigint): SlicedWork<NetChange> {
  return applyRecord(stateOf(clustering), mutations, sequence);
}

/** `succeed` in slices, as `applyInSlices`. */
export function succeedInSlices(clustering: Clustering, previous: Clustering, generation: string, sequence: bigint, mutations: readonly Mutation[]): SlicedWork<NetChange> {
  return succeedRecord(stateOf(clustering), stateOf(previous), generation, mutations, sequence);
}

/** Resolves when no record is being applied. */
export function whenSettled(clustering: Clustering): Promise<void> {
  return settling(stateOf(clustering));
}

function settled(state: EngineState): EngineState {
  requireSettled(state);
  return state;
}

function portOver(state: EngineState): Clustering {
  const { items, clusters, stored } = state;
  return {
    get size() {
      return items.size;
    },
    get parameters() {
      return state.parameters;
    },
    has: (itemId) => findItem(items, itemId) !== -1,
    vector: (itemId) => {
      const item = findItem(items, itemId);
      return item === -1 ? undefined : settled(state).structure.search.vector(pointOf(items, item)).slice();
    },
    item: (itemId) => {
      const item = findItem(items, itemId);
      if (item === -1) return undefined;
      const point = pointOf(items, item);
      settled(state);
      return { itemId, role: roleOf(state, point), clusterId: clusterIdOf(state, point) };
    },
    apply: (mutations, sequence) => atOnce(applyRecord(state, mutations, sequence)),
    rebuild: (parameters, generation, sequence, mutations = []) => atOnce(rebuildRecord(state, parameters, generation, mutations, sequence)),
    succeed: (previous, generation, sequence, mutations = []) => atOnce(succeedRecord(state, stateOf(previous), generation, mutations, sequence)),
    clusters: () => livingByAge(settled(state).clusters).map((entry) => summaryOf(state, entry)),
    clusterSizes: () => livingByAge(settled(state).clusters).map((entry) => sizesOf(state, entry)),
    cluster: (clusterId) => {
      const index = clusters.indices.get(clusterId);
      const entry = index === undefined ? undefined : entryOf(settled(state).clusters, index);
      return entry === undefined || entry.component === -1 ? undefined : summaryOf(state, entry);
    },
    clusterIds: () => livingByAge(settled(state).clusters).map(({ id }) => id),
    resolve: (clusterId) => {
      const index = clusters.indices.get(clusterId);
      const entry = index === undefined ? undefined : entryOf(settled(state).clusters, follow(clusters, index));
      return entry === undefined || entry.component === -1 ? undefined : entry.id;
    },
    noiseCount: () => livingByAge(settled(state).clusters).reduce((count, { component }) => count - sizeOf(state.structure, component), items.size),
    meanDegree: () => (items.size === 0 ? 0 : (settled(state).structure.pairCount - items.size) / items.size),
    rebase: (epoch, distance) => rebaseState(settled(state), epoch, distance),
    snapshot: () => snapshotChunks(settled(state)),
    canonicalState: () => canonicalChunks(settled(state)),
    prepare: async (vectors) => {
      const [first] = vectors;
      if (first === undefined) return [];
      if (state.isChanging) await settling(state);
      requireSettled(state);
      stored.open(first.length, state.parameters, items.size === 0);
      return stored.prepare(vectors);
    },
    discard: (prepared) => stored.discard(prepared),
    itemIndex: (itemId) => findItem(items, itemId),
    itemIdAt: (index) => itemIdOf(items, index),
    assign: (vector) => placementOf(state, vector),
    nearest: (to, count) => nearestItems(state, to, count),
    explain: (itemId, neighboursMax = neighboursShown) => explain(settled(state), itemId, neighboursMax),
    memoryBytes: () => ({
      search: stored.dimensions() === undefined ? 0 : stored.search().statistics().memoryBytes,
      structure: itemTableBytes(items) + pointsBytes(state.structure.points) + recordsBytes(state.structure.components.records),
      adjacency: adjacencyBytes(state.structure.adjacency),
      adjacencyShare: takenShare(state.structure.adjacency),
    }),
    close: () => stored.close(),
  };
}

function sizesOf({ structure }: EngineState, { id, component }: ClusterEntry): ClusterSize {
  return { clusterId: id, size: sizeOf(structure, component), coreCount: readField(structure.components.records, component, componentFields.cores) };
}

function summaryOf(state: EngineState, entry: ClusterEntry): ClusterSummary {
  const keys: Buffer[] = [];
  for (const point of membersOf(state.structure, entry.component)) for (const item of itemsOn(state, point)) keys.push(idBytes(state.items, item));
  keys.sort((left, right) => Buffer.compare(left, right));
  return { ...sizesOf(state, entry), itemIds: keys.map(String) };
}
