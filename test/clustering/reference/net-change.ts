/**
 * How one record changes a clustering. `applyRecord` updates the structure from what the record touches, `rebuildRecord` makes it anew under
 * other parameters; both end in the same way: components get their ids, and consumers are told what differs from what they would resolve.
 */
import { clusteringError } from '../../../src/core/errors/clustering.ts';
import { clusterId } from '../../../src/core/ids.ts';
import { clearEdges, neighboursOf, releaseSlots, removeEdgesTo } from './adjacency.ts';
import { chooseAnchor, releaseAnchor } from './borders.ts';
import type { ClusteringParameters, Mutation, NetChange, ToldAssignment, Transition } from '../../../src/clustering/clustering.ts';
import { createComponentChange, gainCores, loseCores, type ComponentChange } from './components.ts';
import { checkVector, distanceFor, nearnessFor } from '../../../src/clustering/distance.ts';
import { checkParameters, type EngineState } from './engine-state.ts';
import { evolve, matchIdentities, type Age } from './identities.ts';
import { clusterIdOf, inItemOrder, membersOf, roleOf, type Item } from './item.ts';
import { createItem, link, netMutations, type NetMutations } from './neighbourhoods.ts';

export function applyRecord(state: EngineState, mutations: readonly Mutation[], sequence: bigint): NetChange {
  const net = checkedMutations(state, state.parameters, mutations, sequence);
  const formerClusterIds = clusterIdsOfCores(net.leaving);
  const { entered, degreeChanged } = mutateNeighbourhoods(state, net);
  const { minPoints } = state.parameters;
  const isDense = (item: Item): boolean => item.degree + 1 >= minPoints;
  const demoted = degreeChanged.filter((item) => item.component !== undefined && !isDense(item));
  const gained = degreeChanged.filter((item) => item.component === undefined && isDense(item));
  const lost = [...net.leaving.filter(({ component }) => component !== undefined), ...demoted];

  const unanchored = new Set([...entered, ...demoted]);
  for (const core of lost) {
    for (const border of core.anchored) {
      releaseAnchor(border);
      unanchored.add(border);
    }
  }
  for (const item of gained) releaseAnchor(item);
  const change = createComponentChange();
  loseCores(change, lost);
  gainCores(change, gained, (itemId) => formerClusterIds.get(itemId));
  for (const item of gained) for (const neighbour of neighboursOf(item)) unanchored.add(neighbour);
  const distance = distanceFor(state.parameters.metric);
  for (const item of unanchored) if (item.component === undefined) chooseAnchor(item, distance);

  releaseSlots(state.graph, net.leaving);

  const transitions = nameComponents(state, change, sequence);
  const reassigned = membersReassigned(state, change);
  return tellDifferences(state, { net, entered, candidates: [unanchored, gained, reassigned], transitions, sequence });
}

export function rebuildRecord(
  state: EngineState,
  parameters: ClusteringParameters,
  generation: string,
  mutations: readonly Mutation[],
  sequence: bigint,
): NetChange {
  checkParameters(parameters);
  const net = checkedMutations(state, parameters, mutations, sequence);
  const formerClusterIds = clusterIdsOfCores(state.items.values());
  state.parameters = parameters;
  state.identity = { ...state.identity, generation };
  for (const item of net.leaving) leave(state, item);
  releaseSlots(state.graph, net.leaving);
  const remaining = [...state.items.values()];
  for (const item of remaining) {
    clearEdges(item);
    item.anchored.clear();
    item.component = undefined;
    item.anchor = undefined;
  }
  const entered = net.entering.map(({ itemId, vector }) => createItem(state.graph, itemId, vector));
  const items = [...remaining, ...entered];
  const isNear = nearnessFor(parameters);
  state.items.clear();
  for (const item of items) {
    link(item, state.items.values(), isNear);
    state.items.set(item.itemId, item);
  }

  const change = createComponentChange();
  for (const former of state.living.keys()) change.clusterIds.add(former);
  const cores = items.filter((item) => item.degree + 1 >= parameters.minPoints);
  gainCores(change, cores, (itemId) => formerClusterIds.get(itemId));
  const distance = distanceFor(parameters.metric);
  for (const item of items) if (item.component === undefined) chooseAnchor(item, distance);
  const transitions = nameComponents(state, change, sequence);
  return tellDifferences(state, { net, entered, candidates: [items], transitions, sequence });
}

function checkedMutations(
  state: EngineState,
  { metric }: ClusteringParameters,
  mutations: readonly Mutation[],
  sequence: bigint,
): NetMutations {
  if (state.sequence !== undefined && sequence <= state.sequence) {
    const message = `sequence ${String(sequence)} does not follow ${String(state.sequence)}`;
    throw clusteringError('LS_CLUSTERING_SEQUENCE_NOT_RISING', message, { sequence, previous: state.sequence });
  }
  const net = netMutations(mutations, state.items);
  const [live] = state.items.values();
  const dimensions = live?.vector.length ?? net.entering[0]?.vector.length ?? 0;
  for (const { itemId, vector } of net.entering) {
    const fault = checkVector(vector, dimensions, metric);
    if (fault !== undefined) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `the vector of ${itemId} ${fault}`, { itemId });
  }
  state.sequence = sequence;
  return net;
}

function clusterIdsOfCores(items: Iterable<Item>): Map<string, string> {
  const clusterIds = new Map<string, string>();
  for (const { itemId, component } of items) {
    if (component?.clusterId !== undefined) clusterIds.set(itemId, component.clusterId);
  }
  return clusterIds;
}

function leave(state: EngineState, item: Item): void {
  state.items.delete(item.itemId);
  state.told.forget(item);
}

/** @returns the items that entered, and every live item whose number of neighbours may have changed, these among them. */
function mutateNeighbourhoods(state: EngineState, net: NetMutations): { entered: Item[]; degreeChanged: Item[] } {
  const touched = new Set<Item>();
  for (const item of net.leaving) {
    leave(state, item);
    releaseAnchor(item);
    removeEdgesTo(item);
    for (const neighbour of neighboursOf(item)) touched.add(neighbour);
  }
  for (const item of net.leaving) touched.delete(item);
  const isNear = nearnessFor(state.parameters);
  const entered = net.entering.map(({ itemId, vector }) => {
    const item = createItem(state.graph, itemId, vector);
    link(item, state.items.values(), isNear);
    state.items.set(itemId, item);
    touched.add(item);
    for (const neighbour of neighboursOf(item)) touched.add(neighbour);
    return item;
  });
  return { entered, degreeChanged: [...touched] };
}

/** Gives the components touched their ids, and keeps clusters and aliases accordingly. */
function nameComponents(state: EngineState, change: ComponentChange, sequence: bigint): readonly Transition[] {
  const { living, identity } = state;
  const mintedAges = new Map<string, Age>();
  const ageOf = (id: string): Age => {
    const age = living.get(id)?.age ?? mintedAges.get(id);
    if (age === undefined) throw new Error(`cluster ${id} was never founded`);
    return age;
  };
  const { kept, unnamed } = matchIdentities(change.shares, ageOf);
  for (const [component, id] of kept) component.clusterId = id;
  for (const [rank, component] of unnamed.entries()) {
    component.clusterId = clusterId(identity.collection, identity.epoch, identity.generation, sequence, rank);
    mintedAges.set(component.clusterId, { sequence, rank });
  }
  const { aliases, dissolved, transitions } = evolve(change.clusterIds, change.shares, unnamed, ageOf);
  for (const component of change.shares.keys()) {
    const id = component.clusterId;
    if (id !== undefined) living.set(id, { component, age: ageOf(id) });
  }
  for (const id of dissolved) living.delete(id);
  for (const { from, to } of aliases) {
    living.delete(from);
    state.told.retire({ from, to, sequence });
  }
  return transitions;
}

/** The items of components that took in cores of a cluster whose id leads elsewhere now: an alias does not carry those over. */
function* membersReassigned(state: EngineState, change: ComponentChange): Generator<Item> {
  for (const [component, shares] of change.shares) {
    const carriedOver = [...shares.keys()].every((former) => state.told.follow(former) === component.clusterId);
    if (!carriedOver) yield* membersOf(component);
  }
}

function tellDifferences(
  state: EngineState,
  record: {
    readonly net: NetMutations;
    readonly entered: readonly Item[];
    /** All items whose cluster may have changed, beside those that entered. */
    readonly candidates: readonly Iterable<Item>[];
    readonly transitions: readonly Transition[];
    readonly sequence: bigint;
  },
): NetChange {
  const { told } = state;
  const differing = new Set(record.entered);
  for (const items of record.candidates) {
    for (const item of items) {
      if (item.told !== undefined && told.resolve(item.told) !== clusterIdOf(item)) differing.add(item);
    }
  }
  const assignments: ToldAssignment[] = record.net.removalsTold.map((itemId) => ({ itemId, clusterId: null, role: 'removed' }));
  for (const item of differing) {
    const id = clusterIdOf(item);
    told.tell(item, id, record.sequence);
    assignments.push({ itemId: item.itemId, clusterId: id, role: roleOf(item) });
  }
  told.sweep();
  return { transitions: record.transitions, assignments: inItemOrder(assignments) };
}
