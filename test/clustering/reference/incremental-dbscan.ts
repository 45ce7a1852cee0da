/**
 * The reference engine: exact incremental DBSCAN in plain float64 loops, one comparison per live item and insertion. It is built for clarity
 * and stays as the oracle of any faster one. The rules are those of SEMANTICS.md (14, 15); where the paper it comes from (Ester et al., VLDB
 * 1998) leaves gaps, test/clustering names each.
 */
import type { Clustering, ClusteringIdentity, ClusteringParameters, ClusterSummary } from '../../../src/clustering/clustering.ts';
import { createEngineState, livingByAge, rebaseState, type EngineState } from './engine-state.ts';
import { clusterIdOf, inItemOrder, membersOf, roleOf, sizeOf } from './item.ts';
import { applyRecord, rebuildRecord } from './net-change.ts';
import { restoreState, snapshotChunks } from './snapshot.ts';

/** What the oracle answers of the port. */
export type ReferenceClustering = Pick<
  Clustering,
  | 'size' | 'parameters' | 'has' | 'vector' | 'item' | 'apply' | 'rebuild' | 'clusters' | 'clusterIds' | 'resolve' | 'noiseCount' | 'meanDegree'
  | 'rebase' | 'snapshot'
>;

/**
 * A clustering without items.
 * @throws LS_CLUSTERING_PARAMETERS_INVALID. Its `apply` and `rebuild` throw LS_CLUSTERING_VECTOR_INVALID (see `checkVector`) and
 *   LS_CLUSTERING_SEQUENCE_NOT_RISING, and have changed nothing then.
 */
export function createReference(parameters: ClusteringParameters, identity: ClusteringIdentity): ReferenceClustering {
  return clusteringOver(createEngineState(parameters, identity));
}

/**
 * @param next gives the chunks of `snapshot()` one by one, as they were given; is asked for exactly as many as there were.
 * @throws LS_CLUSTERING_SNAPSHOT_INVALID
 */
export async function restoreReference(next: () => Promise<Buffer | undefined>): Promise<ReferenceClustering> {
  return clusteringOver(await restoreState(next));
}

function clusteringOver(state: EngineState): ReferenceClustering {
  const { items, living, told } = state;
  return {
    get size() {
      return items.size;
    },
    get parameters() {
      return state.parameters;
    },
    has: (itemId) => items.has(itemId),
    vector: (itemId) => items.get(itemId)?.vector.slice(),
    item: (itemId) => {
      const item = items.get(itemId);
      return item && { itemId, role: roleOf(item), clusterId: clusterIdOf(item) };
    },
    apply: (mutations, sequence) => applyRecord(state, mutations, sequence),
    rebuild: (parameters, generation, sequence, mutations = []) =>
      rebuildRecord(state, parameters, generation, mutations, sequence),
    clusters: () =>
      livingByAge(state).map(
        ([clusterId, { component }]): ClusterSummary => ({
          clusterId,
          size: sizeOf(component),
          coreCount: component.cores.size,
          itemIds: inItemOrder(membersOf(component)).map(({ itemId }) => itemId),
        }),
      ),
    clusterIds: () => livingByAge(state).map(([clusterId]) => clusterId),
    resolve: (clusterId) => {
      const current = told.follow(clusterId);
      return living.has(current) ? current : undefined;
    },
    noiseCount: () => {
      let count = items.size;
      for (const { component } of living.values()) count -= sizeOf(component);
      return count;
    },
    meanDegree: () => {
      let sum = 0;
      for (const { degree } of items.values()) sum += degree;
      return items.size === 0 ? 0 : sum / items.size;
    },
    rebase: (epoch, distance) => rebaseState(state, epoch, distance),
    snapshot: () => snapshotChunks(state),
  };
}
