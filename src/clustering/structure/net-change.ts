/**
 * How one record changes a clustering. `applyRecord` updates the structure from what the record touches; `rebuildRecord` makes it anew under
 * other parameters. Both end in the same way (naming.ts).
 *
 * A record may touch a hundred thousand points (a cluster breaks, a source is forgotten), so it is applied in slices. Between two of them the state is
 * that of no record: `isChanging` says so to whoever asks.
 */
import { clusteringError } from '../../core/errors/clustering.ts';
import type { ClusteringParameters, Mutation, NetChange } from '../clustering.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { createIntList, readNeighbours } from './adjacency.ts';
import { anchoredOn, chooseAnchor, releaseAnchor } from './anchors.ts';
import { componentFields } from './component-table.ts';
import { addShare, clusterOfPoint, createComponentChange, gainCore, noteRemaining, touch, type ComponentChange } from './components.ts';
import { checkParameters, linkItem, pointOf, requireSettled, wholly, type EngineState } from './engine-state.ts';
import { bury, changeDensities, changeMembers, type Membership } from './membership.ts';
import { itemIdOf, liveItems } from './item-table.ts';
import { checkedMutations, type NetMutations } from './mutations.ts';
import { membersReassigned, nameComponents, tellDifferences } from './naming.ts';
import { perList, perNeighbour, perPoint } from './effort.ts';
import { loseCores } from './pieces.ts';
import { pointFields } from './points.ts';
import { addToField, readField } from './records.ts';
import { linkAnew } from './rebuild.ts';
import type { Structure } from './structure.ts';

const { weight, density, component, anchor } = pointFields;

/** For the neighbours of one point at a time, never across calls. */
const scratch = createIntList();

/** Where it throws, by `checkedMutations`, nothing has changed. */
export function* applyRecord(state: EngineState, mutations: readonly Mutation[], sequence: bigint): SlicedWork<NetChange> {
  requireSettled(state);
  state.isChanging = true;
  try {
    const net = yield* checkedMutations(state, state.parameters, mutations, sequence);
    return yield* wholly(state, applyChecked(state, net, sequence));
  } finally {
    state.isChanging = false;
  }
}

export function* applyChecked(state: EngineState, net: NetMutations, sequence: bigint): SlicedWork<NetChange> {
  state.sequence = sequence;
  const { structure } = state;
  // What the record's own answers name is to stay what it is until all of them are used.
  const release = state.stored.hold();
  const membership = yield* changeMembers(state, net);
  const touched = yield* changeDensities(state, membership, scratch);
  release();
  const { lost, gained } = coresChanged(state, touched, membership);
  const unanchored = yield* releaseAnchors(state, lost, gained, membership);

  const change = createComponentChange();
  const broken = yield* loseCores(structure, lost);
  for (const index of membership.lessened) broken.add(index);
  noteRemaining(structure, change, broken);
  yield* bury(state, membership.dead, scratch);
  admit(state, change, membership);
  for (const point of gained) {
    gainCore(structure, change, point, scratch);
    yield perPoint + perNeighbour * scratch.length;
  }
  addFormers(state, change, membership);
  for (const point of gained) {
    gatherUnanchored(state, point, unanchored);
    yield perPoint + perNeighbour * scratch.length;
  }
  yield* chooseAnchors(structure, unanchored);

  const transitions = yield* nameComponents(state, change, sequence);
  return yield* tellDifferences(state, {
    removalsTold: net.removalsTold,
    entered: membership.entered.map(({ item }) => item),
    candidates: [unanchored, gained, membersReassigned(state, change)],
    transitions,
    sequence,
  });
}

/** In one slice for the most part: what is rebuilt has no other way but all pairs of points. */
export function* rebuildRecord(
  state: EngineState,
  parameters: ClusteringParameters,
  generation: string,
  mutations: readonly Mutation[],
  sequence: bigint,
): SlicedWork<NetChange> {
  requireSettled(state);
  checkParameters(parameters);
  state.isChanging = true;
  try {
    const net = yield* checkedMutations(state, parameters, mutations, sequence);
    requireDirections(state, parameters, net);
    return yield* wholly(state, rebuilt(state, parameters, generation, net, sequence));
  } finally {
    state.isChanging = false;
  }
}

function* rebuilt(state: EngineState, parameters: ClusteringParameters, generation: string, net: NetMutations, sequence: bigint): SlicedWork<NetChange> {
  state.sequence = sequence;
  const formers = formerClusters(state);
  state.parameters = parameters;
  state.identity = { ...state.identity, generation };
  state.stored.use(parameters);
  const release = state.stored.hold();
  const membership = yield* changeMembers(state, net);
  const live = linkAnew(state, membership);
  release();

  const { structure } = state;
  const change = createComponentChange();
  for (const [cluster, entry] of state.clusters.entries.entries()) if (entry !== undefined && entry.component !== -1) change.clusters.add(cluster);
  for (const { item, point } of membership.entered) {
    linkItem(state, item, point);
    addToField(structure.points.records, point, weight, 1);
  }
  const cores = live.filter((point) => readField(structure.points.records, point, density) >= parameters.minPoints);
  for (const point of cores) {
    const index = gainCore(structure, change, point, scratch);
    const former = formers[point] ?? -1;
    const staying = readField(structure.points.records, point, weight) - (membership.enteredOn.get(point) ?? 0);
    if (former !== -1 && staying > 0) addShare(touch(structure.components, change, index), former, staying);
  }
  addFormers(state, change, membership);
  yield* chooseAnchors(structure, live);
  const transitions = yield* nameComponents(state, change, sequence);
  const entered = membership.entered.map(({ item }) => item);
  return yield* tellDifferences(state, { removalsTold: net.removalsTold, entered, candidates: [live], transitions, sequence });
}

function* chooseAnchors(structure: Structure, points: Iterable<number>): SlicedWork<void> {
  for (const point of points) {
    if (readField(structure.points.records, point, component) !== -1) continue;
    yield perList;
    chooseAnchor(structure, point, scratch);
  }
}

/** Under `cosine`, of what stays: items that came under another metric may have none. */
function requireDirections(state: EngineState, { metric }: ClusteringParameters, { leaving }: NetMutations): void {
  if (metric !== 'cosine' || state.parameters.metric === 'cosine' || state.items.size === 0) return;
  const gone = new Set(leaving.map(({ item }) => item));
  let lowest: string | undefined;
  for (const item of liveItems(state.items)) {
    if (gone.has(item) || state.structure.search.norm(pointOf(state.items, item)) > 0) continue;
    const itemId = itemIdOf(state.items, item);
    if (lowest === undefined || Buffer.compare(Buffer.from(itemId), Buffer.from(lowest)) < 0) lowest = itemId;
  }
  if (lowest === undefined) return;
  const message = `the vector of ${lowest} is zero, so it has no direction for the metric cosine; remove the item in the same record, or before`;
  throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', message, { itemId: lowest });
}

/** Point -> the cluster it is core in, -1 where it is not. */
function formerClusters({ structure }: EngineState): Int32Array {
  const { records, marks } = structure.points;
  const formers = new Int32Array(marks.length).fill(-1);
  for (let point = 0; point < formers.length; point++) {
    if (readField(records, point, weight) > 0 && readField(records, point, component) !== -1) formers[point] = clusterOfPoint(structure, point);
  }
  return formers;
}

/** Lost are points that were core and are not any more, or are dead; gained those that are core now and were not. */
function coresChanged({ structure, parameters }: EngineState, touched: readonly number[], { dead }: Membership): { lost: number[]; gained: number[] } {
  const { records } = structure.points;
  const lost: number[] = [];
  const gained: number[] = [];
  const isDead = dead.length === 0 ? undefined : new Set(dead);
  for (const point of touched) {
    const wasCore = readField(records, point, component) !== -1;
    const isCore = readField(records, point, density) >= parameters.minPoints && isDead?.has(point) !== true;
    if (wasCore && !isCore) lost.push(point);
    else if (isCore && !wasCore) gained.push(point);
  }
  return { lost, gained };
}

/** @returns the points whose anchor is to be chosen anew: those that hung on a core that is lost, and those that are not core any more or new. */
function* releaseAnchors({ structure }: EngineState, lost: readonly number[], gained: readonly number[], { dead, opened }: Membership): SlicedWork<Set<number>> {
  const unanchored = new Set<number>(opened.map(({ point }) => point));
  for (const core of lost) {
    yield perPoint;
    for (const border of [...anchoredOn(structure, core)]) {
      releaseAnchor(structure, border);
      unanchored.add(border);
    }
    unanchored.add(core);
  }
  const { records } = structure.points;
  for (const point of dead) {
    if (readField(records, point, component) === -1) releaseAnchor(structure, point);
    unanchored.delete(point);
  }
  for (const point of gained) releaseAnchor(structure, point);
  return unanchored;
}

/** What has entered is counted in weights, components and lists from here on. */
function admit(state: EngineState, change: ComponentChange, { entered }: Membership): void {
  const { structure: { points: { records }, components } } = state;
  for (const { item, point } of entered) {
    const place = readField(records, point, component);
    if (place !== -1) {
      touch(components, change, place);
      addToField(components.records, place, componentFields.cores, 1);
    } else if (readField(records, point, anchor) !== -1) {
      addToField(components.records, readField(records, readField(records, point, anchor), component), componentFields.borders, 1);
    }
    addToField(records, point, weight, 1);
    linkItem(state, item, point);
  }
}

/** Replaced items that were core and are core again. */
function addFormers({ structure }: EngineState, change: ComponentChange, { entered }: Membership): void {
  for (const { point, former } of entered) {
    const place = readField(structure.points.records, point, component);
    if (former !== -1 && place !== -1) addShare(touch(structure.components, change, place), former);
  }
}

/** The neighbours of a new core may hang on it now. */
function gatherUnanchored({ structure }: EngineState, point: number, unanchored: Set<number>): void {
  const { records } = structure.points;
  readNeighbours(structure.adjacency, point, scratch);
  for (let index = 0; index < scratch.length; index++) {
    const neighbour = scratch.values[index] as number;
    if (readField(records, neighbour, component) !== -1) continue;
    releaseAnchor(structure, neighbour);
    unanchored.add(neighbour);
  }
}

