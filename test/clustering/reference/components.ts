/**
 * The connected components of the core items, kept up to date by what a record changes: first cores are lost, which may break a component into
 * pieces, then cores are gained, which may join several. A component that breaks and is joined again within a record has not changed.
 *
 * For the identities it is written down, for every component touched, how many cores it shares with each cluster before the record.
 */
import { neighboursOf } from './adjacency.ts';
import type { Component, Item } from './item.ts';

export type ComponentChange = {
  /** The components touched, as they are after the record -> cluster id before the record -> number of items core before and after it. */
  readonly shares: Map<Component, Map<string, number>>;
  /** The clusters, by their ids before the record, that the components touched came from. */
  readonly clusterIds: Set<string>;
};

export function createComponentChange(): ComponentChange {
  return { shares: new Map(), clusterIds: new Set() };
}

/**
 * @param lost items that were core and are not any more, or have left. Their neighbours are those before the record, at least as far as these
 *   go on being core: exactly those hold together what the lost core held together.
 */
export function loseCores(change: ComponentChange, lost: readonly Item[]): void {
  const lostOf = Map.groupBy(lost, ({ component }) => component);
  for (const item of lost) {
    item.component?.cores.delete(item);
    item.component = undefined;
  }
  for (const [component, items] of lostOf) {
    if (component?.clusterId === undefined) continue;
    const { clusterId } = component;
    change.clusterIds.add(clusterId);
    const seeds = new Set<Item>();
    for (const item of items) {
      for (const neighbour of neighboursOf(item)) if (neighbour.component === component) seeds.add(neighbour);
    }
    for (const cores of findPieces(component, seeds)) {
      const piece = detach(component, cores);
      change.shares.set(piece, new Map([[clusterId, piece.cores.size]]));
    }
    if (component.cores.size > 0) change.shares.set(component, new Map([[clusterId, component.cores.size]]));
    component.clusterId = undefined;
  }
}

/**
 * @param gained items that are core now and were not, or have just entered.
 * @param formerClusterId the cluster in which an item of this id was core before the record: a replaced item may have been.
 */
export function gainCores(
  change: ComponentChange,
  gained: readonly Item[],
  formerClusterId: (itemId: string) => string | undefined,
): void {
  for (const item of gained) {
    const former = formerClusterId(item.itemId);
    item.component = { cores: new Set([item]), borderCount: 0, clusterId: undefined };
    change.shares.set(item.component, new Map(former === undefined ? [] : [[former, 1]]));
    for (const neighbour of neighboursOf(item)) {
      if (neighbour.component !== undefined) item.component = join(change, item.component, neighbour.component);
    }
  }
}

function join(change: ComponentChange, left: Component, right: Component): Component {
  if (left === right) return left;
  const [larger, smaller] = left.cores.size >= right.cores.size ? [left, right] : [right, left];
  const shares = touch(change, larger);
  for (const [clusterId, count] of touch(change, smaller)) shares.set(clusterId, (shares.get(clusterId) ?? 0) + count);
  change.shares.delete(smaller);
  for (const core of smaller.cores) {
    core.component = larger;
    larger.cores.add(core);
  }
  larger.borderCount += smaller.borderCount;
  return larger;
}

function touch(change: ComponentChange, component: Component): Map<string, number> {
  const known = change.shares.get(component);
  if (known !== undefined) return known;
  const shares = new Map<string, number>();
  if (component.clusterId !== undefined) {
    change.clusterIds.add(component.clusterId);
    shares.set(component.clusterId, component.cores.size);
  }
  component.clusterId = undefined;
  change.shares.set(component, shares);
  return shares;
}

function detach(component: Component, cores: readonly Item[]): Component {
  const piece: Component = { cores: new Set(cores), borderCount: 0, clusterId: undefined };
  for (const core of cores) {
    core.component = piece;
    component.cores.delete(core);
    piece.borderCount += core.anchored.size;
  }
  component.borderCount -= piece.borderCount;
  return piece;
}

/** A breadth-first search through one component, from one seed or from several that turned out to be connected. */
type Search = {
  readonly reached: Item[];
  readonly frontier: Item[];
  frontierIndex: number;
  /** It has nothing left to visit, or goes on as part of another. */
  ended: boolean;
  mergedInto: Search | undefined;
};

/**
 * The pieces that a component falls into, without the last one found, which stays in place and is never walked through: searches from all
 * seeds advance in turn by one item each, join where they meet, and end when one is left. So the work is in the order of the smaller pieces.
 */
function findPieces(component: Component, seeds: ReadonlySet<Item>): Item[][] {
  const pieces: Item[][] = [];
  const searches: Search[] = [];
  const ownerOf = new Map<Item, Search>();
  for (const seed of seeds) {
    const search: Search = { reached: [seed], frontier: [seed], frontierIndex: 0, ended: false, mergedInto: undefined };
    searches.push(search);
    ownerOf.set(seed, search);
  }
  let active = searches;
  while (active.length > 1) {
    let activeCount = active.length;
    for (const search of active) {
      if (activeCount === 1) break;
      if (search.ended) continue;
      const item = search.frontier[search.frontierIndex];
      if (item === undefined) {
        pieces.push(search.reached);
        search.ended = true;
        activeCount--;
        continue;
      }
      search.frontierIndex++;
      activeCount -= expand(component, item, search, ownerOf);
    }
    active = active.filter(({ ended }) => !ended);
  }
  return pieces;
}

/** @returns how many searches were joined with another. */
function expand(component: Component, item: Item, start: Search, ownerOf: Map<Item, Search>): number {
  let search = start;
  let joins = 0;
  for (const neighbour of neighboursOf(item)) {
    if (neighbour.component !== component) continue;
    const owner = ownerOf.get(neighbour);
    if (owner === undefined) {
      ownerOf.set(neighbour, search);
      search.reached.push(neighbour);
      search.frontier.push(neighbour);
      continue;
    }
    const other = rootOf(owner);
    if (other === search) continue;
    const [larger, smaller] = search.reached.length >= other.reached.length ? [search, other] : [other, search];
    for (const reached of smaller.reached) larger.reached.push(reached);
    for (let index = smaller.frontierIndex; index < smaller.frontier.length; index++) {
      larger.frontier.push(smaller.frontier[index] as Item);
    }
    smaller.ended = true;
    smaller.mergedInto = larger;
    search = larger;
    joins++;
  }
  return joins;
}

function rootOf(search: Search): Search {
  let root = search;
  while (root.mergedInto !== undefined) root = root.mergedInto;
  return root;
}
