/** Everything a clustering remembers, and so what its snapshot holds. */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { Metric } from '../../core/events.generated.ts';
import type { ClusteringIdentity, ClusteringParameters } from '../clustering.ts';
import type { OpenSearch } from '../neighbour-search.ts';
import type { SlicedWork } from '../sliced-work.ts';
import type { IntList } from './adjacency.ts';
import { createClusterTable, follow, nameCluster, rebaseClusters, unnameCluster, type ClusterTable } from './cluster-table.ts';
import { createItemTable, itemFields, liveItems, toldNothing, toldSequence, writeTold, type ItemTable } from './item-table.ts';
import { pointFields } from './points.ts';
import { readField, writeField } from './records.ts';
import { createStoredPoints, type StoredPoints } from './stored-points.ts';
import { createStructure, type Structure } from './structure.ts';

export type EngineState = {
  parameters: ClusteringParameters;
  identity: ClusteringIdentity;
  /** Of the last record applied. */
  sequence: bigint | undefined;
  /** A record is being applied in slices: nothing else holds but what is stored and searched for. */
  isChanging: boolean;
  /** What a record failed with when it was partly applied: nothing holds any more. */
  failure: { readonly error: unknown } | undefined;
  readonly items: ItemTable;
  readonly clusters: ClusterTable;
  readonly stored: StoredPoints;
  readonly structure: Structure;
  /** Snapshots that are being written, which may still need what is about to change. */
  readonly watchers: Set<Watcher>;
};

export type Watcher = {
  /** An item enters, leaves, moves or is told something. */
  readonly beforeItem: (item: number) => void;
  /** The component or the anchor of a point changes. */
  readonly beforePoint: (point: number) => void;
  /** A point leaves the graph, and these are its neighbours. */
  readonly beforeBurial: (point: number, neighbours: IntList) => void;
  /** The graph is made anew; or nothing is left in it, and its points are numbered anew. */
  readonly beforeRebuild: () => void;
};

export function createEngineState(parameters: ClusteringParameters, identity: ClusteringIdentity, openSearch: OpenSearch): EngineState {
  checkParameters(parameters);
  const watchers = new Set<Watcher>();
  const beforeRebuild = (): void => {
    for (const watcher of watchers) watcher.beforeRebuild();
  };
  const stored = createStoredPoints(openSearch, beforeRebuild);
  const beforePoint = (point: number): void => {
    for (const watcher of watchers) watcher.beforePoint(point);
  };
  const beforeItem = (item: number): void => {
    for (const watcher of watchers) watcher.beforeItem(item);
  };
  return {
    parameters,
    identity,
    sequence: undefined,
    isChanging: false,
    failure: undefined,
    items: createItemTable(beforeItem),
    clusters: createClusterTable(),
    stored,
    structure: createStructure(stored.search, beforePoint),
    watchers,
  };
}

/** Resolves when no record is being applied. Rejects with LS_CLUSTERING_BROKEN. */
export async function settling(state: EngineState): Promise<void> {
  while (state.isChanging) await new Promise((resumed) => setImmediate(resumed));
  requireSettled(state);
}

/** Throws LS_CLUSTERING_BROKEN. */
export function requireSettled({ isChanging, failure }: EngineState): void {
  if (isChanging) throw new Error('A record is being applied, and the clustering was asked for what it changes.');
  if (failure === undefined) return;
  const reason = failure.error instanceof Error ? failure.error.message : String(failure.error);
  throw clusteringError('LS_CLUSTERING_BROKEN', `a record that was partly applied has failed: ${reason}`, {}, { cause: failure.error });
}

/** What changes a state, from the first change on: where it fails, the state is of no use any more. */
export function* wholly<Result>(state: EngineState, work: SlicedWork<Result>): SlicedWork<Result> {
  let isWhole = false;
  try {
    const result = yield* work;
    isWhole = true;
    return result;
  } catch (error) {
    state.failure = { error };
    throw error;
  } finally {
    // Given up between two slices.
    if (!isWhole) state.failure ??= { error: new Error('it was not applied to its end') };
  }
}

/** The length of vectors; undefined where the next one decides it. What waits to be inserted keeps the search, and with it the length. */
export function dimensionsIn({ items, stored }: EngineState): number | undefined {
  return items.size === 0 && stored.isIdle() ? undefined : stored.dimensions();
}

const metrics: readonly string[] = ['cosine', 'euclidean'] satisfies readonly Metric[];

export function checkParameters({ metric, eps, minPoints }: ClusteringParameters): void {
  if (!metrics.includes(metric)) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `the metric is ${metric}, none of: ${metrics.join(', ')}`, { metric });
  if (!Number.isFinite(eps) || eps < 0) {
    throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `eps is ${eps}, not a finite number from 0 up`, { eps });
  }
  if (!Number.isSafeInteger(minPoints) || minPoints < 1) {
    throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `minPoints is ${minPoints}, not a whole number from 1 up`, { minPoints });
  }
}

export function pointOf({ records }: ItemTable, item: number): number {
  return readField(records, item, itemFields.point);
}

export function* itemsOn({ items, structure }: EngineState, point: number): Generator<number> {
  for (let item = readField(structure.points.records, point, pointFields.firstItem); item !== -1; item = readField(items.records, item, itemFields.next)) {
    yield item;
  }
}

/** Into the list of its point. The weight is the caller's. */
export function linkItem({ items, structure }: EngineState, item: number, point: number): void {
  items.beforeChange(item);
  const first = readField(structure.points.records, point, pointFields.firstItem);
  writeField(items.records, item, itemFields.point, point);
  writeField(items.records, item, itemFields.next, first);
  writeField(items.records, item, itemFields.previous, -1);
  if (first !== -1) writeField(items.records, first, itemFields.previous, item);
  writeField(structure.points.records, point, pointFields.firstItem, item);
}

export function unlinkItem({ items: { records }, structure }: EngineState, item: number): void {
  const after = readField(records, item, itemFields.next);
  const before = readField(records, item, itemFields.previous);
  if (after !== -1) writeField(records, after, itemFields.previous, before);
  if (before !== -1) writeField(records, before, itemFields.next, after);
  else writeField(structure.points.records, readField(records, item, itemFields.point), pointFields.firstItem, after);
}

/** What a consumer makes of the item's last assignment: the cluster, -1 for noise, undefined where none was told. */
export function resolveTold({ items, clusters }: EngineState, item: number): number | undefined {
  const told = readField(items.records, item, itemFields.told);
  if (told < 0) return told === -1 ? -1 : undefined;
  return follow(clusters, told);
}

/** The halves of a sequence, in which items keep it. */
export function halvesOf(sequence: bigint): { readonly low: number; readonly high: number } {
  return { low: Number(BigInt.asIntN(32, sequence)), high: Number(BigInt.asIntN(32, sequence >> 32n)) };
}

/** @param cluster -1 for noise. */
export function tell({ items, clusters }: EngineState, item: number, cluster: number, { low, high }: ReturnType<typeof halvesOf>): void {
  items.beforeChange(item);
  const former = readField(items.records, item, itemFields.told);
  if (cluster >= 0) nameCluster(clusters, cluster);
  if (former >= 0) unnameCluster(clusters, former);
  writeTold(items, item, cluster, low, high);
}

/** The item is not live any more. */
export function forgetTold({ items, clusters }: EngineState, item: number): void {
  items.beforeChange(item);
  const former = readField(items.records, item, itemFields.told);
  if (former >= 0) unnameCluster(clusters, former);
  writeField(items.records, item, itemFields.told, toldNothing);
}

/** @throws LS_CLUSTERING_ARGUMENT_INVALID where a sequence would need more than 64 bits. Nothing has changed then. */
export function rebaseState(state: EngineState, epoch: number, distance: bigint): void {
  requireRoom(state, distance);
  state.identity = { ...state.identity, epoch };
  if (state.sequence !== undefined) state.sequence += distance;
  rebaseClusters(state.clusters, distance);
  for (const item of liveItems(state.items)) {
    const { low, high } = halvesOf(toldSequence(state.items, item) + distance);
    state.items.beforeChange(item);
    writeTold(state.items, item, readField(state.items.records, item, itemFields.told), low, high);
  }
}

/** The last record is the highest: only what was told is below it. */
function requireRoom({ sequence, items }: EngineState, distance: bigint): void {
  const isBeyond = (former: bigint): boolean => BigInt.asIntN(64, former + distance) !== former + distance;
  if ((sequence === undefined || !isBeyond(sequence)) && !liveItems(items).some((item) => isBeyond(toldSequence(items, item)))) return;
  throw clusteringError('LS_CLUSTERING_ARGUMENT_INVALID', `moved by ${distance}, sequences are no whole numbers of 64 bits`, { distance });
}
