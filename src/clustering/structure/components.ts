/**
 * The connected components of the core points, kept up to date by what a record changes: first cores are lost, which may break a component
 * into pieces (pieces.ts), then cores are gained, which may join several. A component that breaks and is joined again within a record has not
 * changed. A component is a circle of its points; joining two of them relabels the smaller.
 *
 * For the identities it is written down, for every component touched, how many core items it shares with each cluster before the record.
 */
import { readNeighbours, type IntList } from './adjacency.ts';
import { anchoredOn } from './anchors.ts';
import { pointFields } from './points.ts';
import { componentFields, freeComponent, takeComponent, type Components } from './component-table.ts';
import { addToField, readField, writeField, type Records } from './records.ts';
import type { Structure } from './structure.ts';

const { points: pointCount, cores, borders, head, cluster } = componentFields;
const { weight, component, anchor, next, previous } = pointFields;

export type ComponentChange = {
  /**
   * The components touched, as they are after the record -> cluster before the record -> number of items core before and after it. 0: they have
   * points of it, but all core items on these are new.
   */
  readonly shares: Map<number, Map<number, number>>;
  /** The clusters before the record that the components touched came from. */
  readonly clusters: Set<number>;
};

export function createComponentChange(): ComponentChange {
  return { shares: new Map(), clusters: new Set() };
}

/** The cluster is -1 only while a record is applied. */
export function clusterOfPoint({ points, components }: Structure, point: number): number {
  let place = readField(points.records, point, component);
  if (place === -1) {
    const core = readField(points.records, point, anchor);
    if (core === -1) return -1;
    place = readField(points.records, core, component);
  }
  return readField(components.records, place, cluster);
}

export function sizeOf({ components: { records } }: Structure, index: number): number {
  return readField(records, index, cores) + readField(records, index, borders);
}

function* coresOf({ points, components }: Structure, index: number): Generator<number> {
  const first = readField(components.records, index, head);
  let point = first;
  do {
    yield point;
    point = readField(points.records, point, next);
  } while (point !== first);
}

/** Core points and what hangs on them. */
export function* membersOf(structure: Structure, index: number): Generator<number> {
  for (const core of coresOf(structure, index)) {
    yield core;
    yield* anchoredOn(structure, core);
  }
}

/** The point is in no component; what hangs on it is not counted. */
export function putInComponent({ points: { records }, components, beforeChange }: Structure, point: number, index: number): void {
  beforeChange(point);
  const first = readField(components.records, index, head);
  const last = first === -1 ? point : readField(records, first, previous);
  const after = first === -1 ? point : first;
  writeField(records, point, component, index);
  writeField(records, point, next, after);
  writeField(records, point, previous, last);
  writeField(records, last, next, point);
  writeField(records, after, previous, point);
  writeField(components.records, index, head, point);
  addToField(components.records, index, pointCount, 1);
  addToField(components.records, index, cores, readField(records, point, weight));
}

/** Nothing hangs on the point, or its own is counted elsewhere. */
export function takeOutOfComponent({ points: { records }, components, beforeChange }: Structure, point: number): void {
  beforeChange(point);
  const index = readField(records, point, component);
  const after = readField(records, point, next);
  const before = readField(records, point, previous);
  writeField(records, before, next, after);
  writeField(records, after, previous, before);
  for (const field of [component, next, previous]) writeField(records, point, field, -1);
  writeField(components.records, index, head, after === point ? -1 : after);
  addToField(components.records, index, pointCount, -1);
  addToField(components.records, index, cores, -readField(records, point, weight));
}

/**
 * To be called once cores are lost and none is gained yet, for every component that has changed; the cores it has then are all of them also
 * from before the record. Components without points are gone.
 */
export function noteRemaining({ components }: Structure, change: ComponentChange, touched: Iterable<number>): void {
  const { records } = components;
  for (const index of touched) {
    change.clusters.add(readField(records, index, cluster));
    if (readField(records, index, pointCount) === 0) freeComponent(components, index);
    else touch(components, change, index);
  }
}

/** What the component shares; before it changes for the first time, all its items that are core from its own cluster. */
export function touch({ records }: Components, change: ComponentChange, index: number): Map<number, number> {
  const known = change.shares.get(index);
  if (known !== undefined) return known;
  const shares = new Map<number, number>();
  const former = readField(records, index, cluster);
  if (former !== -1) {
    change.clusters.add(former);
    shares.set(former, readField(records, index, cores));
    writeField(records, index, cluster, -1);
  }
  change.shares.set(index, shares);
  return shares;
}

/** An item that is core now was core in a cluster before the record. */
export function addShare(shares: Map<number, number>, clusterIndex: number, count = 1): void {
  shares.set(clusterIndex, (shares.get(clusterIndex) ?? 0) + count);
}

/** @param point is core now and was not. @returns its component, which is joined with those of its neighbours. */
export function gainCore(structure: Structure, change: ComponentChange, point: number, scratch: IntList): number {
  const { points: { records }, components } = structure;
  let own = takeComponent(components, -1);
  change.shares.set(own, new Map());
  putInComponent(structure, point, own);
  readNeighbours(structure.adjacency, point, scratch);
  for (let index = 0; index < scratch.length; index++) {
    const other = readField(records, scratch.values[index] as number, component);
    if (other !== -1 && other !== own) own = join(structure, change, own, other);
  }
  return own;
}

function join(structure: Structure, change: ComponentChange, left: number, right: number): number {
  const { records } = structure.components;
  const [larger, smaller] = readField(records, left, pointCount) >= readField(records, right, pointCount) ? [left, right] : [right, left];
  const shares = touch(structure.components, change, larger);
  for (const [former, count] of touch(structure.components, change, smaller)) addShare(shares, former, count);
  change.shares.delete(smaller);
  for (const core of coresOf(structure, smaller)) {
    structure.beforeChange(core);
    writeField(structure.points.records, core, component, larger);
  }
  linkCircles(structure.points.records, readField(records, larger, head), readField(records, smaller, head));
  for (const field of [pointCount, cores, borders]) addToField(records, larger, field, readField(records, smaller, field));
  freeComponent(structure.components, smaller);
  return larger;
}

function linkCircles(records: Records, left: number, right: number): void {
  const leftEnd = readField(records, left, previous);
  const rightEnd = readField(records, right, previous);
  writeField(records, leftEnd, next, right);
  writeField(records, right, previous, leftEnd);
  writeField(records, rightEnd, next, left);
  writeField(records, left, previous, rightEnd);
}
