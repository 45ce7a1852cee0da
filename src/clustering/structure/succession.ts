/**
 * How a clustering that was built beside another takes its place (SEMANTICS.md, rule 16): it holds the same items under other parameters, or with
 * other vectors, and goes on under the ids, ages and aliases of its predecessor, with what consumers were told by that. Its components take over
 * the clusters with which they share most core items, as if the predecessor had been rebuilt. Items that leave with the same record it need not hold:
 * they may have no vector in it.
 */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { Mutation, NetChange } from '../clustering.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { nameCluster, type ClusterTable } from './cluster-table.ts';
import { componentFields } from './component-table.ts';
import { addShare, clusterOfPoint, createComponentChange, type ComponentChange } from './components.ts';
import { pointOf, requireSettled, wholly, type EngineState } from './engine-state.ts';
import { findItem, findItemLike, itemFields, itemIdOf, liveItems, toldNothing, writeTold } from './item-table.ts';
import { checkedMutations, type NetMutations } from './mutations.ts';
import { nameComponents, tellDifferences } from './naming.ts';
import { applyChecked } from './net-change.ts';
import { perPoint } from './effort.ts';
import { isLive, pointFields, pointLimit } from './points.ts';
import { readField, writeField } from './records.ts';

const { component } = pointFields;

/** @param previous stays as it is. */
export function* succeedRecord(state: EngineState, previous: EngineState, generation: string, mutations: readonly Mutation[], sequence: bigint): SlicedWork<NetChange> {
  requireSettled(state);
  requireSettled(previous);
  state.isChanging = true;
  try {
    const predecessors = yield* predecessorsOf(state, previous, mutations);
    const net = yield* checkedAfter(state, previous, mutations, sequence);
    for (const { item, replaced } of net.leaving) if (!replaced) predecessors[item] = -1;
    // The names that it gives are those of a clustering of its own, and nobody hears of them.
    yield* wholly(state, applyChecked(state, net, sequence));
    return yield* wholly(state, takePlace(state, previous, { generation, predecessors, net, sequence }));
  } finally {
    state.isChanging = false;
  }
}

/** As if the records before had been its own. */
function* checkedAfter(state: EngineState, previous: EngineState, mutations: readonly Mutation[], sequence: bigint): SlicedWork<NetMutations> {
  const own = state.sequence;
  state.sequence = previous.sequence;
  try {
    return yield* checkedMutations(state, state.parameters, mutations, sequence, (itemId) => findItem(previous.items, itemId) !== -1);
  } catch (error) {
    state.sequence = own;
    throw error;
  }
}

type Succession = { readonly generation: string; readonly predecessors: Int32Array; readonly net: NetMutations; readonly sequence: bigint };

function* takePlace(state: EngineState, previous: EngineState, { generation, predecessors, net, sequence }: Succession): SlicedWork<NetChange> {
  state.identity = { ...previous.identity, generation };
  takeClusters(state.clusters, previous.clusters);
  const entered = net.entering.map(({ itemId }) => findItem(state.items, itemId));
  yield* takeTold(state, previous, predecessors, new Set(entered));
  const change = yield* sharedCores(state, previous, predecessors);
  const transitions = yield* nameComponents(state, change, sequence);
  return yield* tellDifferences(state, { removalsTold: net.removalsTold, entered, candidates: [livePoints(state)], transitions, sequence });
}

/** Item -> the item of the same id in the predecessor. */
function* predecessorsOf({ items }: EngineState, previous: EngineState, mutations: readonly Mutation[]): SlicedWork<Int32Array> {
  const predecessors = new Int32Array(items.limit).fill(-1);
  const kinds = new Map(mutations.map(({ itemId, kind }) => [itemId, kind]));
  let missing: string | undefined;
  let held = items.size;
  for (const [itemId, kind] of kinds) if (kind === 'remove' && findItem(items, itemId) === -1 && findItem(previous.items, itemId) !== -1) held += 1;
  if (held !== previous.items.size) missing = `it holds ${items.size} items, and its predecessor ${previous.items.size}, of which ${held - items.size} leave`;
  for (const item of liveItems(items)) {
    yield perPoint;
    const found = findItemLike(previous.items, items, item);
    if (found === -1) missing = `its predecessor does not hold ${itemIdOf(items, item)}`;
    predecessors[item] = found;
  }
  if (missing !== undefined) throw clusteringError('LS_CLUSTERING_SUCCESSOR_INVALID', `a clustering cannot take the place of another: ${missing}`);
  return predecessors;
}

/** Those of the predecessor, under the same numbers, so far named by aliases alone. */
function takeClusters(clusters: ClusterTable, previous: ClusterTable): void {
  clusters.indices.clear();
  clusters.unnamed.clear();
  clusters.entries.length = 0;
  clusters.free.length = 0;
  for (const index of previous.free) clusters.free.push(index);
  for (const entry of previous.entries) clusters.entries.push(entry === undefined ? undefined : { ...entry, references: 0 });
  for (const [index, entry] of clusters.entries.entries()) {
    if (entry === undefined) continue;
    clusters.indices.set(entry.id, index);
    if (entry.alias !== undefined) nameCluster(clusters, entry.alias.to);
  }
}

function* takeTold({ items, clusters }: EngineState, previous: EngineState, predecessors: Int32Array, entered: ReadonlySet<number>): SlicedWork<void> {
  for (const item of liveItems(items)) {
    yield perPoint;
    items.beforeChange(item);
    const predecessor = entered.has(item) ? -1 : (predecessors[item] as number);
    if (predecessor === -1) {
      writeTold(items, item, toldNothing, 0, 0);
      continue;
    }
    const { records } = previous.items;
    const told = readField(records, predecessor, itemFields.told);
    if (told >= 0) nameCluster(clusters, told);
    writeTold(items, item, told, readField(records, predecessor, itemFields.low), readField(records, predecessor, itemFields.high));
  }
  for (const [index, entry] of clusters.entries.entries()) if (entry?.references === 0) clusters.unnamed.add(index);
}

/** Every component is one touched, and every cluster that lived one that was before. */
function* sharedCores(state: EngineState, previous: EngineState, predecessors: Int32Array): SlicedWork<ComponentChange> {
  const change = createComponentChange();
  for (const [cluster, entry] of state.clusters.entries.entries()) if (entry !== undefined && entry.component !== -1) change.clusters.add(cluster);
  const { points: { records }, components } = state.structure;
  for (const item of liveItems(state.items)) {
    yield perPoint;
    const index = readField(records, pointOf(state.items, item), component);
    if (index === -1) continue;
    let shares = change.shares.get(index);
    if (shares === undefined) {
      change.shares.set(index, (shares = new Map<number, number>()));
      writeField(components.records, index, componentFields.cluster, -1);
    }
    const predecessor = predecessors[item] ?? -1;
    if (predecessor === -1) continue;
    const point = pointOf(previous.items, predecessor);
    if (readField(previous.structure.points.records, point, component) !== -1) addShare(shares, clusterOfPoint(previous.structure, point));
  }
  return change;
}

function* livePoints({ structure: { points } }: EngineState): Generator<number> {
  for (let point = 0; point < pointLimit(points); point++) if (isLive(points, point)) yield point;
}
