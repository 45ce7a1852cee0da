/**
 * Applies what a record does to one collection, and says what consumers are to be told of it: cluster events first, in the order of the
 * clustering's transitions, then names, then assignments in the byte order of itemId.
 *
 * A name belongs to a cluster id. On a merge the survivor keeps its own; if it has none it takes the first name among the retired, because a
 * person's work is not to be lost to the chance of which id goes on; consumers are told by a `labelled` event. The parts that leave a split
 * have no name, and the name of a dissolved cluster is gone.
 */
import type { Clustering, NetChange, ToldAssignment, Transition } from '../../clustering/clustering.ts';
import { applyInSlices, succeedInSlices } from '../../clustering/incremental-dbscan.ts';
import { sortInSlices, type SlicedWork } from '../../clustering/sliced-work.ts';
import { dropIfEmpty } from './families.ts';
import type { Item } from './item.ts';
import type { CollectionChanges, RecordChanges } from './record-changes.ts';
import { compareText, type BuiltCollection, type CollectionState, type FamilyState } from './state.ts';

export type ClusterChange =
  | Transition
  /** `name` is null where the name was taken away. */
  | { readonly type: 'labelled'; readonly survivor: string; readonly name: string | null };

export type SettledCollection = {
  readonly family: FamilyState;
  readonly collection: string;
  readonly cause: string;
  readonly clusterChanges: readonly ClusterChange[];
  readonly assignments: readonly { readonly item: Item; readonly assignment: ToldAssignment }[];
};

/** An item is read, and noted what it was told: about nanoseconds. */
const perTold = 2000;

const nothing: NetChange = { transitions: [], assignments: [] };

export function* settleCollection(changes: RecordChanges, noted: CollectionChanges): SlicedWork<SettledCollection> {
  const { family, collection } = noted;
  const net = yield* applyChanges(changes, noted);
  collection.items.settle();
  const clusterChanges = [...net.transitions, ...followNames(collection, net.transitions), ...applyLabel(noted)];
  const hasMerged = net.transitions.some(({ type }) => type === 'merged');
  const tellsAll = noted.relabelsAll || (family.definition.relabelOnMerge && hasMerged);
  const assignments = tellsAll ? yield* withLiteralDifferences(collection, net.assignments) : net.assignments;
  const told: SettledCollection['assignments'][number][] = [];
  for (const assignment of assignments) {
    yield perTold;
    told.push({ item: tell(noted, assignment), assignment });
  }
  dropIfEmpty(changes.state, family, collection);
  return {
    family,
    collection: collection.name,
    cause: noted.byContent ? changes.cause : changes.causeOfExpiry,
    clusterChanges,
    assignments: told,
  };
}

function* applyChanges({ state, sequence }: RecordChanges, noted: CollectionChanges): SlicedWork<NetChange> {
  const { family, collection, mutations, successor } = noted;
  if (successor !== undefined) return yield* replaceClustering(family, noted, successor, sequence);
  if (mutations.length === 0) return nothing;
  const { clustering } = collection;
  const net = yield* keepingRawVectors(noted, applyInSlices(clustering, mutations, sequence));
  state.builds.get(family.name)?.changed(collection, mutations.map(({ itemId }) => itemId));
  return net;
}

/** What was built in the background goes on with the ids and all that was told. */
function* replaceClustering(family: FamilyState, noted: CollectionChanges, successor: BuiltCollection, sequence: bigint): SlicedWork<NetChange> {
  const { collection, mutations } = noted;
  const { clustering: former } = collection;
  collection.items.moveTo(successor.clustering);
  collection.clustering = successor.clustering;
  collection.raw = successor.raw;
  const net = yield* keepingRawVectors(noted, succeedInSlices(successor.clustering, former, family.generation, sequence, mutations));
  // It waits for the search that is under way; nobody waits for it.
  void former.close();
  return net;
}

function* keepingRawVectors({ collection: { clustering, raw }, mutations, rawVectors }: CollectionChanges, applying: SlicedWork<NetChange>): SlicedWork<NetChange> {
  if (raw === undefined) return yield* applying;
  for (const { kind, itemId } of mutations) {
    const index = kind === 'remove' ? clustering.itemIndex(itemId) : -1;
    if (index !== -1) raw.delete(index);
  }
  const net = yield* applying;
  for (const [itemId, vector] of rawVectors) {
    const index = clustering.itemIndex(itemId);
    if (index !== -1) raw.set(index, vector);
  }
  return net;
}

/** Hands names over by the transitions and forgets those of clusters that are gone. */
function followNames({ clusterNames, clustering }: CollectionState, transitions: readonly Transition[]): readonly ClusterChange[] {
  if (transitions.length === 0 || clusterNames.size === 0) return [];
  const inherited: ClusterChange[] = [];
  for (const { type, survivor, retired } of transitions) {
    if (type !== 'merged' || survivor === null || clusterNames.has(survivor)) continue;
    const name = retired.map((clusterId) => clusterNames.get(clusterId)).find((candidate) => candidate !== undefined);
    if (name === undefined) continue;
    clusterNames.set(survivor, name);
    inherited.push({ type: 'labelled', survivor, name });
  }
  for (const clusterId of [...clusterNames.keys()]) if (!lives(clustering, clusterId)) clusterNames.delete(clusterId);
  return inherited;
}

function lives(clustering: Clustering, clusterId: string): boolean {
  return clustering.resolve(clusterId) === clusterId;
}

/** A name given to a retired id is meant for the cluster that took it in; nobody is told a name that is there already. */
function applyLabel({ collection: { clustering, clusterNames }, label }: CollectionChanges): readonly ClusterChange[] {
  const survivor = label === undefined ? undefined : clustering.resolve(label.clusterId);
  // The cluster lived when the record was checked; a window that expired with it may have dissolved it.
  if (label === undefined || survivor === undefined || (clusterNames.get(survivor) ?? '') === label.name) return [];
  if (label.name === '') clusterNames.delete(survivor);
  else clusterNames.set(survivor, label.name);
  return [{ type: 'labelled', survivor, name: label.name === '' ? null : label.name }];
}

/** With items that resolve rightly by aliases, but whose last told id is another one (for consumers that read labels alone). */
function* withLiteralDifferences({ items, clustering }: CollectionState, told: readonly ToldAssignment[]): SlicedWork<ToldAssignment[]> {
  const alreadyTold = new Set(told.map(({ itemId }) => itemId));
  const assignments = [...told];
  for (const { itemId, toldClusterId } of items.values()) {
    yield perTold;
    const current = clustering.item(itemId);
    if (current === undefined || alreadyTold.has(itemId) || current.clusterId === toldClusterId) continue;
    assignments.push({ itemId, clusterId: current.clusterId, role: current.role });
  }
  return yield* sortInSlices(assignments, (left, right) => compareText(left.itemId, right.itemId));
}

/** Notes what the item was told. */
function tell({ collection, removedItems }: CollectionChanges, { itemId, clusterId }: ToldAssignment): Item {
  const live = collection.items.tell(itemId, clusterId);
  if (live !== undefined) return live;
  const removed = removedItems.get(itemId);
  if (removed === undefined) throw new Error(`The clustering of ${collection.name} told of an item it does not hold: ${itemId}`);
  return removed;
}
