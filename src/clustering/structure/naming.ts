/** How every record ends: components get their clusters, and consumers are told what differs from what they would resolve. */
import { clusterId } from '../../core/ids.ts';
import type { NetChange, ToldAssignment, Transition } from '../clustering.ts';
import { sortInSlices, type SlicedWork } from '../sliced-work.ts';
import { entryOf, follow, foundCluster, retireCluster, sweep } from './cluster-table.ts';
import { componentFields } from './component-table.ts';
import { clusterOfPoint, membersOf, sizeOf, type ComponentChange } from './components.ts';
import { halvesOf, itemsOn, pointOf, resolveTold, tell, type EngineState } from './engine-state.ts';
import { evolve, isUnchanged, matchIdentities, tiedComponents, type Shares } from './identities.ts';
import { idBytes, itemFields, itemIdOf } from './item-table.ts';
import { perPoint } from './effort.ts';
import { pointFields } from './points.ts';
import { readField, writeField } from './records.ts';

const { component, anchor, firstItem } = pointFields;

/** An id is made a string, and an object for whoever is told: as `perPoint`. */
const perTold = 4000;

const isPlain = /^[\u0000-\ud7ff]*$/;

/** Gives the components touched their clusters, and keeps clusters and aliases accordingly. */
export function* nameComponents(state: EngineState, change: ComponentChange, sequence: bigint): SlicedWork<readonly Transition[]> {
  const { clusters, identity, structure } = state;
  const shares = withoutEmpty(change.shares);
  if (isUnchanged(change.clusters, shares)) {
    for (const [index, counts] of shares) for (const cluster of counts.keys()) assign(state, index, cluster);
    return [];
  }
  const ageOf = (cluster: number): ReturnType<typeof entryOf>['age'] => entryOf(clusters, cluster).age;
  const lowestMembers = new Map<number, Buffer>();
  const lowestOf = (index: number): Buffer => lowestMembers.get(index) as Buffer;
  for (const index of tiedComponents(shares)) lowestMembers.set(index, yield* lowestMemberOf(state, index));
  const { kept, left } = matchIdentities(shares, ageOf, lowestOf);
  for (const index of left.length < 2 ? [] : left) if (!lowestMembers.has(index)) lowestMembers.set(index, yield* lowestMemberOf(state, index));
  const unnamed = left.toSorted((first, second) => Buffer.compare(lowestOf(first), lowestOf(second)));
  for (const [index, cluster] of kept) assign(state, index, cluster);
  for (const [rank, index] of unnamed.entries()) {
    const id = clusterId(identity.collection, identity.epoch, identity.generation, sequence, rank);
    assign(state, index, foundCluster(clusters, id, { sequence, rank }));
  }
  const { aliases, dissolved, transitions } = evolve(change.clusters, shares, unnamed, {
    ageOf,
    idOf: (cluster) => entryOf(clusters, cluster).id,
    clusterOf: (index) => readField(structure.components.records, index, componentFields.cluster),
    sizeOf: (index) => sizeOf(structure, index),
  });
  for (const cluster of dissolved) retireCluster(clusters, cluster);
  for (const { from, to } of aliases) retireCluster(clusters, from, { to, sequence });
  return transitions;
}

function withoutEmpty(shares: Shares): Shares {
  const isEmpty = (count: number): boolean => count === 0;
  if (!shares.values().some((counts) => counts.values().some(isEmpty))) return shares;
  return new Map(Array.from(shares, ([index, counts]) => [index, new Map([...counts].filter(([, count]) => !isEmpty(count)))]));
}

function assign({ structure, clusters }: EngineState, index: number, cluster: number): void {
  writeField(structure.components.records, index, componentFields.cluster, cluster);
  entryOf(clusters, cluster).component = index;
}

function* lowestMemberOf(state: EngineState, index: number): SlicedWork<Buffer> {
  let lowest: Buffer | undefined;
  for (const point of membersOf(state.structure, index)) {
    yield perPoint;
    for (const item of itemsOn(state, point)) {
      const bytes = idBytes(state.items, item);
      if (lowest === undefined || Buffer.compare(bytes, lowest) < 0) lowest = bytes;
    }
  }
  return lowest ?? Buffer.alloc(0);
}

/** The points of components that took in cores of a cluster whose id leads elsewhere now: an alias does not carry those over. */
export function* membersReassigned({ structure, clusters }: EngineState, change: ComponentChange): Generator<number> {
  for (const [index, shares] of change.shares) {
    const cluster = readField(structure.components.records, index, componentFields.cluster);
    const carriedOver = [...shares.keys()].every((former) => follow(clusters, former) === cluster);
    if (!carriedOver) yield* membersOf(structure, index);
  }
}

export function roleOf({ structure: { points: { records } } }: EngineState, point: number): 'core' | 'border' | 'noise' {
  if (readField(records, point, component) !== -1) return 'core';
  return readField(records, point, anchor) === -1 ? 'noise' : 'border';
}

export function clusterIdOf({ structure, clusters }: EngineState, point: number): string | null {
  const cluster = clusterOfPoint(structure, point);
  return cluster === -1 ? null : entryOf(clusters, cluster).id;
}

export function* tellDifferences(
  state: EngineState,
  record: {
    readonly removalsTold: readonly string[];
    /** Items. */
    readonly entered: readonly number[];
    /** All points whose cluster may have changed. */
    readonly candidates: readonly Iterable<number>[];
    readonly transitions: readonly Transition[];
    readonly sequence: bigint;
  },
): SlicedWork<NetChange> {
  const { items, structure } = state;
  const differing = new Set(record.entered);
  const { records } = structure.points;
  for (const points of record.candidates) {
    for (const point of points) {
      yield perPoint;
      const cluster = clusterOfPoint(structure, point);
      // By hand, since it may be all there is.
      for (let item = readField(records, point, firstItem); item !== -1; item = readField(items.records, item, itemFields.next)) {
        const told = resolveTold(state, item);
        if (told !== undefined && told !== cluster) differing.add(item);
      }
    }
  }
  const halves = halvesOf(record.sequence);
  const assignments = record.removalsTold.map((itemId): ToldAssignment => ({ itemId, clusterId: null, role: 'removed' }));
  for (const item of differing) {
    yield perTold;
    const point = pointOf(items, item);
    assignments.push({ itemId: itemIdOf(items, item), clusterId: clusterIdOf(state, point), role: roleOf(state, point) });
    tell(state, item, clusterOfPoint(structure, point), halves);
  }
  sweep(state.clusters);
  return { transitions: record.transitions, assignments: yield* inItemOrder(assignments) };
}

/** The byte order of UTF-8 is that of code points: that of strings, where all are of the first plane without its end, in which surrogates are. */
function* inItemOrder(assignments: ToldAssignment[]): SlicedWork<ToldAssignment[]> {
  if (assignments.length < 2) return assignments;
  if (assignments.every(({ itemId }) => isPlain.test(itemId))) {
    return yield* sortInSlices(assignments, (left, right) => (left.itemId < right.itemId ? -1 : left.itemId > right.itemId ? 1 : 0));
  }
  const keyed = assignments.map((told) => ({ key: Buffer.from(told.itemId), told }));
  return (yield* sortInSlices(keyed, (left, right) => Buffer.compare(left.key, right.key))).map(({ told }) => told);
}
