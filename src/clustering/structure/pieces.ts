/**
 * What is left of a component when some of its cores are lost. Lost cores that are near each other are taken out together, one such group
 * after the other, so that each is a question about its own surroundings: are the cores that were near the group ("seeds") still connected
 * through the component?
 *
 * Mostly they are near one another, which their own neighbours tell (the shortcut). Otherwise searches from what the seeds form advance in
 * turn by one point each, join where they meet, and end when one is left: that one stays in place and is never walked through. So the work is
 * in the order of the smaller pieces.
 */
import type { SlicedWork } from '../sliced-work.ts';
import { createIntList, fetchLists, hasMarkedNeighbour, pushInt, readNeighbours } from './adjacency.ts';
import { anchoredOn } from './anchors.ts';
import { componentFields, takeComponent } from './component-table.ts';
import { putInComponent, takeOutOfComponent } from './components.ts';
import { perList, perNeighbour, perPoint } from './effort.ts';
import { pointFields, pointLimit } from './points.ts';
import { addToField, readField } from './records.ts';
import type { Structure } from './structure.ts';

const { weight, component } = pointFields;
/** For the neighbours of one point at a time, never across calls. */
const scratch = createIntList();

const mark = { none: 0, lost: 1, seed: 2, reached: 3, taken: 4, grouped: 5 } as const;

/**
 * @param lost core points that are not core any more, or have left, with the neighbours they had; nothing hangs on them.
 * @returns the components that have changed, those that are new and those without points among them.
 */
export function* loseCores(structure: Structure, lost: readonly number[]): SlicedWork<Set<number>> {
  const { marks } = structure.points;
  const { records } = structure.points;
  const changed = new Set<number>();
  for (const point of lost) marks[point] = mark.lost;
  for (const point of lost) {
    if (marks[point] !== mark.lost) continue;
    const index = readField(records, point, component);
    changed.add(index);
    const seeds = yield* takeOutGroup(structure, point);
    const pieces = seeds.length > 1 ? yield* findPieces(structure, index, seeds) : [];
    for (const piece of pieces) changed.add(yield* detach(structure, index, piece));
    for (const seed of seeds) marks[seed] = mark.none;
  }
  return changed;
}

/** Takes out the lost cores connected through each other. @returns the cores near any of them, marked. */
function* takeOutGroup(structure: Structure, first: number): SlicedWork<number[]> {
  const { marks, records } = structure.points;
  const index = readField(records, first, component);
  const neighbours = scratch;
  const group = [first];
  const seeds: number[] = [];
  marks[first] = mark.taken;
  for (const point of group) {
    readNeighbours(structure.adjacency, point, neighbours);
    for (let at = 0; at < neighbours.length; at++) {
      const neighbour = neighbours.values[at] as number;
      if (marks[neighbour] === mark.lost) {
        marks[neighbour] = mark.taken;
        group.push(neighbour);
      } else if (marks[neighbour] === mark.none && readField(records, neighbour, component) === index) {
        marks[neighbour] = mark.seed;
        seeds.push(neighbour);
      }
    }
    yield perPoint + perNeighbour * neighbours.length;
  }
  for (const point of group) {
    yield perPoint;
    marks[point] = mark.none;
    takeOutOfComponent(structure, point);
  }
  return seeds;
}

/** A search through one component, from seeds that are connected. */
type Search = {
  readonly reached: number[];
  /** What is reached from here on has not been walked on from. */
  frontierIndex: number;
  readonly frontier: number[];
  /** It has nothing left to visit, or goes on as part of another. */
  ended: boolean;
  mergedInto: Search | undefined;
};

/** All 0. For one walk at a time: another, of another clustering that has its turn meanwhile, makes its own. */
let spareOwners: Int32Array | undefined;

function takeOwners(length: number): Int32Array {
  const owners = spareOwners;
  spareOwners = undefined;
  return owners !== undefined && owners.length >= length ? owners : new Int32Array(length);
}

/** The pieces that a component falls into, without the last one found. */
function* findPieces(structure: Structure, index: number, seeds: readonly number[]): SlicedWork<number[][]> {
  const groups = yield* connectedSeeds(structure, seeds);
  if (groups.length === 1) return [];
  const searches = groups.map((group): Search => ({
    reached: [...group], frontier: [...group], frontierIndex: 0, ended: false, mergedInto: undefined,
  }));
  const owners = takeOwners(pointLimit(structure.points));
  for (const [number, { reached }] of searches.entries()) for (const point of reached) owners[point] = number + 1;
  const pieces = yield* advance({ structure, index, owners, searches });
  for (const { reached } of searches) for (const point of reached) owners[point] = 0;
  spareOwners = owners;
  return pieces;
}

const fetchedAhead = 16;
const ahead = createIntList();
const heads = new Int32Array(fetchedAhead);

function fetchAhead({ structure }: Walk, { frontier, frontierIndex }: Search): void {
  ahead.length = 0;
  const end = Math.min(frontier.length, frontierIndex + fetchedAhead);
  for (let index = frontierIndex; index < end; index++) pushInt(ahead, frontier[index] as number);
  fetchLists(structure.adjacency, ahead, heads);
}

/** All searches in turn, a point each, until one is left. */
function* advance(walk: Walk): SlicedWork<number[][]> {
  const pieces: number[][] = [];
  let active = walk.searches;
  while (active.length > 1) {
    let activeCount = active.length;
    for (const search of active) {
      if (activeCount === 1) break;
      if (search.ended) continue;
      const point = search.frontier[search.frontierIndex];
      if (point === undefined) {
        pieces.push(search.reached);
        search.ended = true;
        activeCount--;
        continue;
      }
      if (search.frontierIndex % fetchedAhead === 0) fetchAhead(walk, search);
      search.frontierIndex++;
      activeCount -= expand(walk, point, search);
      yield perPoint + perNeighbour * scratch.length;
    }
    if (activeCount < active.length) active = active.filter(({ ended }) => !ended);
  }
  return pieces;
}

/**
 * The shortcut: seeds that are connected through seeds. What one seed's neighbours do not tell, the others mostly find out with the first few
 * of theirs, of which some are reached already.
 */
function* connectedSeeds({ points: { marks }, adjacency }: Structure, seeds: readonly number[]): SlicedWork<number[][]> {
  const neighbours = scratch;
  const groups: number[][] = [];
  let unreached: readonly number[] = seeds;
  while (unreached.length > 0) {
    const [first] = unreached as [number];
    const group = [first];
    groups.push(group);
    marks[first] = mark.reached;
    readNeighbours(adjacency, first, neighbours);
    for (let at = 0; at < neighbours.length; at++) {
      const neighbour = neighbours.values[at] as number;
      if (marks[neighbour] !== mark.seed) continue;
      marks[neighbour] = mark.reached;
      group.push(neighbour);
    }
    unreached = unreached.filter((seed) => marks[seed] === mark.seed);
    for (let before = -1; before !== group.length;) {
      before = group.length;
      const left: number[] = [];
      for (const seed of unreached) {
        yield perList;
        if (hasMarkedNeighbour(adjacency, seed, mark.reached)) {
          marks[seed] = mark.reached;
          group.push(seed);
        } else left.push(seed);
      }
      unreached = left;
    }
    // Whoever is not reached now is near none of the group.
    for (const seed of group) marks[seed] = mark.grouped;
  }
  return groups;
}

type Walk = {
  readonly structure: Structure;
  readonly index: number;
  /** Point -> 1 + the number of the search that reached it first. */
  readonly owners: Int32Array;
  readonly searches: readonly Search[];
};

/** @returns how many searches were joined with another. */
function expand({ structure, index, owners, searches }: Walk, point: number, start: Search): number {
  const { records } = structure.points;
  const number = owners[point] as number;
  let search = start;
  let joins = 0;
  readNeighbours(structure.adjacency, point, scratch);
  const { values, length } = scratch;
  for (let at = 0; at < length; at++) {
    const neighbour = values[at] as number;
    const owner = owners[neighbour] as number;
    if (owner === number) continue;
    if (owner === 0) {
      if (readField(records, neighbour, component) !== index) continue;
      owners[neighbour] = number;
      search.reached.push(neighbour);
      search.frontier.push(neighbour);
      continue;
    }
    const other = rootOf(searches[owner - 1] as Search);
    if (other === search) continue;
    search = merge(search, other);
    joins++;
  }
  return joins;
}

function merge(left: Search, right: Search): Search {
  const [larger, smaller] = left.reached.length >= right.reached.length ? [left, right] : [right, left];
  for (const point of smaller.reached) larger.reached.push(point);
  for (let at = smaller.frontierIndex; at < smaller.frontier.length; at++) larger.frontier.push(smaller.frontier[at] as number);
  smaller.ended = true;
  smaller.mergedInto = larger;
  return larger;
}

function rootOf(search: Search): Search {
  let root = search;
  while (root.mergedInto !== undefined) root = root.mergedInto;
  return root;
}

/** @returns the component that a piece is now, under the same cluster for the time being. */
function* detach(structure: Structure, index: number, piece: readonly number[]): SlicedWork<number> {
  const { points: { records }, components } = structure;
  const detached = takeComponent(components, readField(components.records, index, componentFields.cluster));
  let borders = 0;
  for (const core of piece) {
    yield perPoint;
    takeOutOfComponent(structure, core);
    putInComponent(structure, core, detached);
    for (const border of anchoredOn(structure, core)) borders += readField(records, border, weight);
  }
  addToField(components.records, index, componentFields.borders, -borders);
  addToField(components.records, detached, componentFields.borders, borders);
  return detached;
}
