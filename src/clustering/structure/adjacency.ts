/**
 * Which point is within eps of which, as integers: in a dense collection the edges outgrow everything else. An edge is kept on both sides, so
 * that a removal needs no distance. A point's neighbours are a list of pages (neighbour-pages.ts), of which all but the first are full:
 *
 *   head (in the point's record) = 32 * page + how many of its places are free, the first ones; -1: no neighbours
 *
 * So all pages have one size and none is moved or wasted, and an edge costs less than two int32.
 */
import {
  chunkOf, copyNeighbours, createNeighbourPages, expectNumber, fillPage, freePage, holds, kindOf, neighbourAt, neighbourPagesBytes, nextPage, placesOf, putNeighbour, refillPage, takePage,
  type NeighbourPages,
} from './neighbour-pages.ts';
import { pointFields, pointFlags, type Points } from './points.ts';
import { readField, writeField } from './records.ts';

export type Adjacency = NeighbourPages & { readonly points: Points; edgeCount: number };

/** A growing list of integers, to be used again and again. */
export type IntList = { values: Int32Array; length: number };

const headBits = 5;
const headMask = (1 << headBits) - 1;

/** A head is an int32, of which five bits are not the page's: 8.6 GB of pages. */
const pagesMaxDefault = 2 ** 27;

export function createAdjacency(points: Points, pagesMax = pagesMaxDefault): Adjacency {
  return { ...createNeighbourPages(pagesMax), points, edgeCount: 0 };
}

/** The share of the pages below which there is room for any record that is not huge. */
const roomyShare = 15 / 16;

/** Whether points are to be refused that would come in: before a record, since within one it is too late. */
export function isNearlyFull(adjacency: Adjacency): boolean {
  return takenShare(adjacency) > roomyShare;
}

/** Of the pages that there can be: 0 to 1. */
export function takenShare({ pageCount, freePageCount, pagesMax }: Adjacency): number {
  return (pageCount - freePageCount) / pagesMax;
}

export function createIntList(): IntList {
  return { values: new Int32Array(256), length: 0 };
}

export function pushInt(list: IntList, value: number): void {
  if (list.length === list.values.length) growList(list, list.length + 1);
  list.values[list.length++] = value;
}

function growList(list: IntList, length: number): void {
  const grown = new Int32Array(Math.max(length, 2 * list.values.length));
  grown.set(list.values);
  list.values = grown;
}

export function addEdge(adjacency: Adjacency, left: number, right: number): void {
  append(adjacency, left, right);
  append(adjacency, right, left);
  adjacency.edgeCount++;
}

/** One side of an edge, as `appendNeighbours` puts in several. */
export function append(adjacency: Adjacency, point: number, neighbour: number): void {
  const { records } = adjacency.points;
  const head = readField(records, point, pointFields.head);
  if (head !== -1 && (head & headMask) !== 0) {
    const page = head >>> headBits;
    const chunk = chunkOf(adjacency, page);
    const kind = kindOf(chunk, page);
    if (holds(kind, neighbour)) {
      putNeighbour(chunk, page, kind, (head & headMask) - 1, neighbour);
      writeField(records, point, pointFields.head, head - 1);
      return;
    }
  }
  appendToNew(adjacency, point, head, neighbour);
}

/** Where there is no head page, or it is full, or of a kind that does not hold the number. */
function appendToNew(adjacency: Adjacency, point: number, head: number, neighbour: number): void {
  const { records } = adjacency.points;
  expectNumber(adjacency, neighbour);
  if (head === -1 || (head & headMask) === 0) {
    const page = takePage(adjacency, head === -1 ? -1 : head >>> headBits);
    const free = placesOf(adjacency.kind) - 1;
    putNeighbour(chunkOf(adjacency, page), page, adjacency.kind, free, neighbour);
    writeField(records, point, pointFields.head, (page << headBits) | free);
    return;
  }
  // Rare, once for each list and kind: what is on the page is put there again, in the wider kind.
  const page = head >>> headBits;
  const chunk = chunkOf(adjacency, page);
  const held = new Int32Array(headMask);
  const kind = kindOf(chunk, page);
  const count = placesOf(kind) - (head & headMask);
  copyNeighbours(chunk, page, kind, head & headMask, placesOf(kind), held, 0);
  held[count] = neighbour;
  const next = nextPage(chunk, page);
  freePage(adjacency, page);
  writeField(records, point, pointFields.head, headOf(next));
  appendNeighbours(adjacency, point, held, 0, count + 1);
}

/** One side of several edges: these of the list become neighbours of the point. What is their own side, and counted, is the caller's. */
export function appendNeighbours(adjacency: Adjacency, point: number, list: Int32Array, start: number, end: number): void {
  const { records } = adjacency.points;
  let all = 0;
  for (let index = start; index < end; index++) all |= list[index] as number;
  expectNumber(adjacency, all);
  const { kind } = adjacency;
  for (let index = start; index < end;) {
    const head = readField(records, point, pointFields.head);
    if (head !== -1 && (head & headMask) !== 0) {
      append(adjacency, point, list[index++] as number);
      continue;
    }
    const page = takePage(adjacency, head === -1 ? -1 : head >>> headBits);
    const count = Math.min(end - index, placesOf(kind));
    writeField(records, point, pointFields.head, (page << headBits) | fillPage(chunkOf(adjacency, page), page, kind, list, index, count));
    index += count;
  }
}

/**
 * The same for what `readNeighbours` gave, all of it or a part: the last is appended first, so that the list becomes what it was, page by page.
 * @param greatest is not below any of them: say, all of them by `or`.
 */
export function restoreNeighbours(adjacency: Adjacency, point: number, list: Int32Array, { start, end }: { readonly start: number; readonly end: number }, greatest: number): void {
  const { records } = adjacency.points;
  expectNumber(adjacency, greatest);
  const { kind } = adjacency;
  const places = placesOf(kind);
  let left = end;
  let head = readField(records, point, pointFields.head);
  // Of a list that came in parts.
  for (; left > start && head !== -1 && (head & headMask) !== 0; head = readField(records, point, pointFields.head)) append(adjacency, point, list[--left] as number);
  for (; left > start; left -= Math.min(left - start, places)) {
    const count = Math.min(left - start, places);
    const page = takePage(adjacency, head === -1 ? -1 : head >>> headBits);
    head = (page << headBits) | refillPage(chunkOf(adjacency, page), page, kind, list, left - count, count);
  }
  writeField(records, point, pointFields.head, head);
}

/** Of a list that begins with a full page, or with none: -1. */
function headOf(page: number): number {
  return page === -1 ? -1 : page << headBits;
}

/** The neighbours of a point, in no order that means anything (the last to be appended is the first), in the place of what the list held. */
export function readNeighbours(adjacency: Adjacency, point: number, list: IntList): void {
  list.length = 0;
  const head = readField(adjacency.points.records, point, pointFields.head);
  let free = head & headMask;
  for (let page = head === -1 ? -1 : head >>> headBits; page !== -1; free = 0) {
    const chunk = chunkOf(adjacency, page);
    const kind = kindOf(chunk, page);
    const places = placesOf(kind);
    if (list.length + places > list.values.length) growList(list, list.length + places);
    copyNeighbours(chunk, page, kind, free, places, list.values, list.length);
    list.length += places - free;
    page = nextPage(chunk, page);
  }
  if (adjacency.points.flags[point] === pointFlags.stale) leaveOutGone(adjacency, list);
}

function leaveOutGone({ points: { flags } }: Adjacency, list: IntList): void {
  const { values, length } = list;
  let end = 0;
  for (let index = 0; index < length; index++) {
    const neighbour = values[index] as number;
    values[end] = neighbour;
    // 1: gone.
    end += 1 - ((flags[neighbour] as number) & pointFlags.gone);
  }
  list.length = end;
}

/** Some of the neighbours of a point, where it may have very many. */
export function someNeighbours(adjacency: Adjacency, point: number, countMax: number): number[] {
  const { records, flags } = adjacency.points;
  const found: number[] = [];
  for (let head = readField(records, point, pointFields.head); head !== -1;) {
    const page = head >>> headBits;
    const chunk = chunkOf(adjacency, page);
    const kind = kindOf(chunk, page);
    for (let place = head & headMask; place < placesOf(kind) && found.length < countMax; place++) {
      const neighbour = neighbourAt(chunk, page, kind, place);
      if (flags[neighbour] !== pointFlags.gone) found.push(neighbour);
    }
    head = found.length === countMax ? -1 : headOf(nextPage(chunk, page));
  }
  return found;
}

const staying = createIntList();

/** Rids a list of the points that are gone. */
export function tidyList(adjacency: Adjacency, point: number): void {
  readNeighbours(adjacency, point, staying);
  freeList(adjacency, point);
  appendNeighbours(adjacency, point, staying.values, 0, staying.length);
}

/** Its pages, and what is to be tidied in them. */
function freeList(adjacency: Adjacency, point: number): void {
  const { records, flags } = adjacency.points;
  flags[point] = pointFlags.none;
  const head = readField(records, point, pointFields.head);
  for (let page = head === -1 ? -1 : head >>> headBits; page !== -1;) {
    const next = nextPage(chunkOf(adjacency, page), page);
    freePage(adjacency, page);
    page = next;
  }
  writeField(records, point, pointFields.head, -1);
}

/**
 * Has the pages of several lists fetched side by side: whoever walks one list waits for one page after the other.
 * @returns nothing of use, for it to be computed.
 */
export function fetchLists(adjacency: Adjacency, { values, length }: IntList, pages: Int32Array): number {
  const { records } = adjacency.points;
  let seen = 0;
  let active = 0;
  for (let index = 0; index < length; index++) {
    const head = readField(records, values[index] as number, pointFields.head);
    if (head !== -1) pages[active++] = head >>> headBits;
  }
  while (active > 0) {
    let left = 0;
    for (let index = 0; index < active; index++) {
      const page = pages[index] as number;
      const next = nextPage(chunkOf(adjacency, page), page);
      seen ^= next;
      if (next !== -1) pages[left++] = next;
    }
    active = left;
  }
  return seen;
}

let fetched = new Int32Array(256);

/**
 * Has what appending to the lists of these points reads fetched side by side: their records, then the first page of each.
 * @returns nothing of use, for it to be computed.
 */
export function fetchHeads(adjacency: Adjacency, points: Int32Array): number {
  const { records, marks } = adjacency.points;
  const { length } = points;
  const limit = marks.length;
  if (fetched.length < length) fetched = new Int32Array(2 * length);
  const heads = fetched;
  for (let index = 0; index < length; index++) {
    const point = points[index] as number;
    heads[index] = point < limit && readField(records, point, pointFields.weight) > 0 ? readField(records, point, pointFields.head) : -1;
  }
  let seen = 0;
  for (let index = 0; index < length; index++) {
    const head = heads[index] as number;
    if (head !== -1) seen ^= kindOf(chunkOf(adjacency, head >>> headBits), head >>> headBits);
  }
  return seen;
}

/** Whether any neighbour of a point has this mark, which none has that is gone: ends with the first. */
export function hasMarkedNeighbour(adjacency: Adjacency, point: number, mark: number): boolean {
  const { records, marks } = adjacency.points;
  const head = readField(records, point, pointFields.head);
  let free = head & headMask;
  for (let page = head === -1 ? -1 : head >>> headBits; page !== -1; free = 0) {
    const chunk = chunkOf(adjacency, page);
    const kind = kindOf(chunk, page);
    const places = placesOf(kind);
    for (let place = free; place < places; place++) if (marks[neighbourAt(chunk, page, kind, place)] === mark) return true;
    page = nextPage(chunk, page);
  }
  return false;
}

/** The point goes: its neighbours, which are these, forget it, and its own pages are free again. */
export function removeEdges(adjacency: Adjacency, point: number, neighbours: IntList): void {
  forgetPoint(adjacency, point, neighbours);
  dropList(adjacency, point, neighbours.length);
}

/** The pages of a point are free again; its neighbours may name it still. */
export function dropList(adjacency: Adjacency, point: number, neighbourCount: number): void {
  adjacency.edgeCount -= neighbourCount;
  freeList(adjacency, point);
}

/** Where in whose list is looked for the point next: the lists that do not have it on the pages seen so far. */
const cursors = { heads: new Int32Array(256), owners: new Int32Array(256) };

/**
 * Looks through the lists side by side, a page of each at a time: the pages are all over the memory, and waiting for one is no reason not to
 * fetch the others.
 */
function forgetPoint(adjacency: Adjacency, point: number, neighbours: IntList): void {
  const { records } = adjacency.points;
  if (cursors.heads.length < neighbours.length) {
    cursors.heads = new Int32Array(neighbours.values.length);
    cursors.owners = new Int32Array(neighbours.values.length);
  }
  const { heads, owners } = cursors;
  let active = neighbours.length;
  for (let index = 0; index < active; index++) {
    const owner = neighbours.values[index] as number;
    owners[index] = owner;
    heads[index] = readField(records, owner, pointFields.head);
  }
  while (active > 0) {
    let left = 0;
    for (let index = 0; index < active; index++) {
      const head = heads[index] as number;
      const page = head >>> headBits;
      const chunk = chunkOf(adjacency, page);
      const kind = kindOf(chunk, page);
      const places = placesOf(kind);
      let place = head & headMask;
      while (place < places && neighbourAt(chunk, page, kind, place) !== point) place++;
      const owner = owners[index] as number;
      if (place < places) {
        forgetPlace(adjacency, owner, page, place);
        continue;
      }
      owners[left] = owner;
      heads[left++] = headOf(nextPage(chunk, page));
    }
    active = left;
  }
}

/** Whoever came last takes the place of the one that goes. */
function forgetPlace(adjacency: Adjacency, owner: number, page: number, place: number): void {
  const { records } = adjacency.points;
  const head = readField(records, owner, pointFields.head);
  const last = head >>> headBits;
  const lastPlace = head & headMask;
  const chunk = chunkOf(adjacency, page);
  const kind = kindOf(chunk, page);
  const lastChunk = chunkOf(adjacency, last);
  const lastKind = kindOf(lastChunk, last);
  const moved = neighbourAt(lastChunk, last, lastKind, lastPlace);
  if (!holds(kind, moved)) {
    forgetAmong(adjacency, owner, neighbourAt(chunk, page, kind, place));
    return;
  }
  putNeighbour(chunk, page, kind, place, moved);
  if (lastPlace + 1 < placesOf(lastKind)) {
    writeField(records, owner, pointFields.head, head + 1);
    return;
  }
  writeField(records, owner, pointFields.head, headOf(nextPage(lastChunk, last)));
  freePage(adjacency, last);
}

/** The whole list anew, where pages of several kinds are in it. What is gone from it already stays. */
function forgetAmong(adjacency: Adjacency, owner: number, gone: number): void {
  const { flags } = adjacency.points;
  const flag = flags[owner] as number;
  flags[owner] = pointFlags.none;
  readNeighbours(adjacency, owner, staying);
  freeList(adjacency, owner);
  flags[owner] = flag;
  const { values, length } = staying;
  const at = values.subarray(0, length).indexOf(gone);
  values[at] = values[length - 1] as number;
  appendNeighbours(adjacency, owner, values, 0, length - 1);
}

export function adjacencyBytes(adjacency: Adjacency): number {
  return neighbourPagesBytes(adjacency);
}
