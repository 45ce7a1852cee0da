/**
 * Items come and go, points with them: weights, densities and edges of one record, before anybody asks what is core. An item that enters joins
 * the live point whose vector has its bytes, if there is one. Until the cores that are lost are out of their components, weights are those of
 * the items that stay; what has entered is counted in the densities alone.
 */
import { hash } from 'node:crypto';
import { vectorBytes } from '../distance.ts';
import type { PreparedVector } from '../neighbour-search.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { append, appendNeighbours, createIntList, fetchHeads, pushInt, readNeighbours, removeEdges, type IntList } from './adjacency.ts';
import { perNeighbour, perPoint } from './effort.ts';
import { forgetLater, releaseGone, tidyUp, tidiedFromDegree } from './gone-points.ts';
import { componentFields } from './component-table.ts';
import { clusterOfPoint } from './components.ts';
import { forgetTold, pointOf, unlinkItem, type EngineState } from './engine-state.ts';
import { addItem, findItem, removeItem } from './item-table.ts';
import type { NetMutations } from './mutations.ts';
import { openPoint, pointFields, pointFlags } from './points.ts';
import { addToField, readField, writeField } from './records.ts';
import type { Structure } from './structure.ts';

const { weight, density, component, anchor } = pointFields;

export type Entered = {
  readonly item: number;
  readonly point: number;
  /** The cluster in which an item of this id was core before the record: a replaced item may have been. -1: none. */
  readonly former: number;
};

export type Membership = {
  /** How many items have left a point. */
  readonly left: Map<number, number>;
  /** Components of which core items have left. */
  readonly lessened: Set<number>;
  readonly entered: readonly Entered[];
  /** How many of them on each point. */
  readonly enteredOn: ReadonlyMap<number, number>;
  /** Points without items now. Their edges are still there. */
  readonly dead: readonly number[];
  readonly opened: readonly PreparedVector[];
};

export function* changeMembers(state: EngineState, net: NetMutations): SlicedWork<Membership> {
  const left = new Map<number, number>();
  const lessened = new Set<number>();
  const formers = yield* leave(state, net.leaving, left, lessened);
  const { entered, enteredOn, opened } = enter(state, net.entering, left, formers);
  for (const prepared of net.unused) state.stored.discard(prepared);
  const { records } = state.structure.points;
  const dead = [...left.keys()].filter((point) => readField(records, point, weight) === 0 && !enteredOn.has(point));
  return { left, lessened, entered, enteredOn, dead, opened };
}

/** @returns itemId -> cluster, for those that are replaced and were core. */
function* leave(state: EngineState, leaving: NetMutations['leaving'], left: Map<number, number>, lessened: Set<number>): SlicedWork<Map<string, number>> {
  const { items, structure } = state;
  const { points: { records }, components } = structure;
  const formers = new Map<string, number>();
  for (const { itemId, item, replaced } of leaving) {
    yield perPoint;
    const point = pointOf(items, item);
    const place = readField(records, point, component);
    if (place !== -1) {
      if (replaced) formers.set(itemId, clusterOfPoint(structure, point));
      addToField(components.records, place, componentFields.cores, -1);
      lessened.add(place);
    } else if (readField(records, point, anchor) !== -1) {
      addToField(components.records, readField(records, readField(records, point, anchor), component), componentFields.borders, -1);
    }
    addToField(records, point, weight, -1);
    left.set(point, (left.get(point) ?? 0) + 1);
    unlinkItem(state, item);
    forgetTold(state, item);
    // One that is replaced keeps its number.
    if (!replaced) removeItem(items, item);
  }
  return formers;
}

function enter(
  state: EngineState,
  entering: NetMutations['entering'],
  left: ReadonlyMap<number, number>,
  formers: ReadonlyMap<string, number>,
): { entered: Entered[]; enteredOn: Map<number, number>; opened: PreparedVector[] } {
  const { stored, structure: { points } } = state;
  const entered: Entered[] = [];
  const enteredOn = new Map<number, number>();
  const opened: PreparedVector[] = [];
  // Of two that enter with one vector, and were searched for before, neither answer names the other, and no word is left yet.
  const openedByDigest = new Map<string, number>();
  for (const { itemId, vector, prepared } of entering) {
    stored.open(vector.length, state.parameters, state.items.size === 0);
    const current = stored.current(vector, prepared !== undefined && enteredOn.has(prepared.point) ? undefined : prepared);
    const digest = entering.length === 1 ? '' : hash('sha256', vectorBytes(vector), 'base64');
    const alike = openedByDigest.get(digest);
    // A point whose items have all left in this record is as good as a live one.
    const twin = twinOf(state, current, (point) => left.has(point) || enteredOn.has(point)) ?? sameBytes(state, current.point, alike === undefined ? [] : [alike]);
    if (twin === undefined) {
      openPoint(points, current.point);
      opened.push(current);
      openedByDigest.set(digest, current.point);
    } else stored.discard(current);
    const point = twin ?? current.point;
    const replaced = findItem(state.items, itemId);
    const item = replaced === -1 ? addItem(state.items, itemId, point) : replaced;
    entered.push({ item, point, former: formers.get(itemId) ?? -1 });
    enteredOn.set(point, (enteredOn.get(point) ?? 0) + 1);
  }
  return { entered, enteredOn, opened };
}

/** The point whose vector has the same bytes. */
function twinOf({ structure, stored }: EngineState, prepared: PreparedVector, isTaken: (point: number) => boolean): number | undefined {
  const { point } = prepared;
  const search = stored.search();
  const { records } = structure.points;
  const limit = structure.points.marks.length;
  const live = search.alike(point, stored.near(prepared)).filter((other) => other < limit && (readField(records, other, weight) > 0 || isTaken(other)));
  return sameBytes({ stored }, point, live);
}

function sameBytes({ stored }: Pick<EngineState, 'stored'>, point: number, among: readonly number[]): number | undefined {
  if (among.length === 0) return undefined;
  const search = stored.search();
  const bytes = vectorBytes(search.vector(point));
  return among.find((other) => vectorBytes(search.vector(other)).equals(bytes));
}

/**
 * Densities and edges for what has changed, except that dead points keep the edges they had.
 * @returns every point whose density has crossed minPoints, maybe back again, or that has lost or gained items, each once.
 */
export function* changeDensities(state: EngineState, membership: Membership, scratch: IntList): SlicedWork<number[]> {
  const { structure, parameters: { minPoints } } = state;
  const { marks, records } = structure.points;
  const { left, enteredOn, opened } = membership;
  const touched: number[] = [];
  const touch = (point: number): void => {
    if (marks[point] !== 0) return;
    marks[point] = 1;
    touched.push(point);
  };
  const isOpened = new Set(opened.map(({ point }) => point));
  const changeBy = (point: number, difference: number): void => {
    touch(point);
    if (difference === 0) return;
    weigh(structure, point, difference);
    readNeighbours(structure.adjacency, point, scratch);
    const { values, length } = scratch;
    for (let index = 0; index < length; index++) {
      const neighbour = values[index] as number;
      const now = addToField(records, neighbour, density, difference);
      if (now >= minPoints !== now - difference >= minPoints) touch(neighbour);
    }
  };
  for (const [point, count] of left) {
    changeBy(point, (enteredOn.get(point) ?? 0) - count);
    yield perPoint + perNeighbour * scratch.length;
  }
  for (const [point, count] of enteredOn) if (!left.has(point) && !isOpened.has(point)) changeBy(point, count);
  for (const prepared of opened) {
    touch(prepared.point);
    linkPoint(state, prepared, enteredOn, touch);
  }
  for (const point of touched) marks[point] = 0;
  return touched;
}

/** So many items more on a point, as far as its own density and the count of pairs go. */
function weigh(structure: Structure, point: number, difference: number): void {
  const { records } = structure.points;
  structure.pairCount += difference * (2 * readField(records, point, density) + difference);
  addToField(records, point, density, difference);
}

const linked = createIntList();

/** A new point gets its edges. Whoever is not live yet hears of it. */
function linkPoint(state: EngineState, prepared: PreparedVector, enteredOn: ReadonlyMap<number, number>, touch: (point: number) => void): void {
  const { structure, stored, parameters: { minPoints } } = state;
  const { records } = structure.points;
  const { point } = prepared;
  const own = enteredOn.get(point) ?? 0;
  const limit = structure.points.marks.length;
  let around = 0;
  linked.length = 0;
  const near = stored.settle(prepared);
  fetchHeads(structure.adjacency, near);
  for (const other of near) {
    const staying = other < limit ? readField(records, other, weight) : 0;
    const weightOfOther = enteredOn.size === 1 ? staying : staying + (isLinked(structure, other) ? (enteredOn.get(other) ?? 0) : 0);
    if (weightOfOther === 0) {
      if (other >= limit || structure.points.flags[other] !== pointFlags.gone) stored.leaveWord(other, point);
      continue;
    }
    append(structure.adjacency, other, point);
    pushInt(linked, other);
    const now = addToField(records, other, density, own);
    around += weightOfOther;
    if (now >= minPoints && now - own < minPoints) touch(other);
  }
  appendNeighbours(structure.adjacency, point, linked.values, 0, linked.length);
  structure.adjacency.edgeCount += linked.length;
  addToField(records, point, density, around);
  weigh(structure, point, own);
}

/** Whether a point has been counted into the densities: a new one is not before its edges are there. */
function isLinked({ points }: Structure, point: number): boolean {
  return point < points.marks.length && readField(points.records, point, density) > 0;
}

/** Takes the dead points out of the graph, once nobody asks for their neighbours any more. */
export function* bury({ structure, stored, watchers, items }: EngineState, dead: readonly number[], scratch: IntList): SlicedWork<void> {
  const { adjacency, gone, points } = structure;
  for (const point of dead) {
    readNeighbours(adjacency, point, scratch);
    const cost = perPoint + perNeighbour * scratch.length;
    for (const watcher of watchers) watcher.beforeBurial(point, scratch);
    writeField(points.records, point, density, 0);
    stored.forgetWords(point);
    if (scratch.length < tidiedFromDegree) {
      removeEdges(adjacency, point, scratch);
      stored.retire(point);
    } else forgetLater(adjacency, gone, point, scratch);
    yield cost;
  }
  if (dead.length === 0) return;
  if (items.size === 0) releaseGone(points, gone, stored.retire);
  else yield* tidyUp(adjacency, gone, stored.retire);
}
