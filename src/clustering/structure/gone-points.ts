/**
 * Points that are dead, while some of their former neighbours still list them. To find a point in the list of each of its neighbours costs more
 * than all the rest of a removal, since the lists are all over the memory. So a point with many neighbours goes without being looked for: its
 * neighbours' lists are marked as stale, whoever reads such a list passes over what is gone, and a sweep over all points, some of them with each
 * removal, tidies the stale lists, which by then are mostly rid of several points at once. When the sweep has come round, no list names the
 * point any more, and it is given back.
 *
 *   0          cursor                    limit
 *   | tidied   | still to be tidied      |      a point that goes now is given back when the cursor passes the same place in the next round
 */
import { createIntList, dropList, fetchLists, pushInt, tidyList, type Adjacency, type IntList } from './adjacency.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { perList } from './effort.ts';
import { pointFlags, type Points } from './points.ts';

export type GonePoints = {
  /** The lists of points below it are tidy, but for those that have gone in this round. */
  cursor: number;
  /** How many lists are to be tidied. */
  due: number;
  /** Pairs: a point that has gone in the last round, and where the cursor was. */
  last: IntList;
  /** How many of the integers there are used up. */
  lastRead: number;
  /** The same for this round. */
  current: IntList;
};

/** From as many neighbours on it pays not to look for them. */
export const tidiedFromDegree = 24;
/** With each point that goes: so at most one in so many, about, is gone and still listed. */
const listsPerPoint = 12;
/** Side by side. */
const listsAtOnce = 64;

export function createGonePoints(): GonePoints {
  return { cursor: 0, due: 0, last: createIntList(), lastRead: 0, current: createIntList() };
}

/** The point goes. @param neighbours its own. */
export function forgetLater(adjacency: Adjacency, gone: GonePoints, point: number, neighbours: IntList): void {
  const { flags } = adjacency.points;
  for (let index = 0; index < neighbours.length; index++) flags[neighbours.values[index] as number] = pointFlags.stale;
  dropList(adjacency, point, neighbours.length);
  flags[point] = pointFlags.gone;
  pushInt(gone.current, point);
  pushInt(gone.current, gone.cursor);
  gone.due += listsPerPoint;
}

const lists = createIntList();
const heads = new Int32Array(listsAtOnce);

/** The next lists of the sweep. @param release is called for points that no list names any more. */
export function* tidyUp(adjacency: Adjacency, gone: GonePoints, release: (point: number) => void): SlicedWork<void> {
  const { points } = adjacency;
  while (gone.due >= listsAtOnce) {
    yield listsAtOnce * perList;
    gone.due -= listsAtOnce;
    lists.length = 0;
    while (lists.length < listsAtOnce) {
      const found = points.flags.indexOf(pointFlags.stale, gone.cursor);
      if (found === -1) break;
      pushInt(lists, found);
      gone.cursor = found + 1;
    }
    fetchLists(adjacency, lists, heads);
    for (let index = 0; index < lists.length; index++) tidyList(adjacency, lists.values[index] as number);
    releasePassed(points, gone, lists.length < listsAtOnce ? points.flags.length : gone.cursor, release);
    if (lists.length < listsAtOnce) nextRound(gone);
    // A record may take so many that all lists are tidied more than once.
    if (gone.last.length === 0 && gone.current.length === 0) gone.due = 0;
  }
}

function nextRound(gone: GonePoints): void {
  gone.cursor = 0;
  [gone.last, gone.current] = [gone.current, gone.last];
  gone.current.length = 0;
  gone.lastRead = 0;
}

function releasePassed({ flags }: Points, gone: GonePoints, cursor: number, release: (point: number) => void): void {
  const { values, length } = gone.last;
  while (gone.lastRead < length && (values[gone.lastRead + 1] as number) <= cursor) {
    const point = values[gone.lastRead] as number;
    gone.lastRead += 2;
    flags[point] = pointFlags.none;
    release(point);
  }
}

/** No list is left that could name them: all are given back. */
export function releaseGone(points: Points, gone: GonePoints, release: (point: number) => void): void {
  releasePassed(points, gone, points.flags.length, release);
  nextRound(gone);
  releasePassed(points, gone, points.flags.length, release);
  nextRound(gone);
  gone.due = 0;
}
