/**
 * A live item and what is known about it. The structure is one graph of such items:
 *
 *   pairs         every other item within eps, kept on both sides, so that a removal needs no distance (adjacency.ts)
 *   component     set exactly while the item is core; the component holds the cluster id, so that a merge relabels nobody
 *   anchor        of an item that is not core: its nearest core neighbour, which decides its cluster; undefined: noise
 *   anchored      the other side of anchor
 *   told          what a consumer heard last about the item
 */
import { compareItemIds } from '../../../src/core/ids.ts';

export type Item = {
  readonly itemId: string;
  readonly vector: Float32Array;
  /** sqrt(sum x^2) in float64, index order. */
  readonly norm: number;
  readonly graph: Graph;
  readonly slot: number;
  /** How many neighbours it has; itself not counted. */
  degree: number;
  /** Two numbers for each neighbour, and room for more. */
  pairs: Int32Array;
  readonly anchored: Set<Item>;
  component: Component | undefined;
  anchor: Item | undefined;
  told: ToldCluster | undefined;
};

export type Graph = { readonly slots: (Item | undefined)[]; readonly freeSlots: number[] };

/** The core items that are connected through each other, and with them the cluster's border items. */
export type Component = {
  readonly cores: Set<Item>;
  borderCount: number;
  /** Undefined only while a record is applied. */
  clusterId: string | undefined;
};

export type ToldCluster = { readonly clusterId: string | null; readonly sequence: bigint };

function componentOf(item: Item): Component | undefined {
  return item.component ?? item.anchor?.component;
}

export function clusterIdOf(item: Item): string | null {
  return componentOf(item)?.clusterId ?? null;
}

export function roleOf(item: Item): 'core' | 'border' | 'noise' {
  if (item.component !== undefined) return 'core';
  return item.anchor === undefined ? 'noise' : 'border';
}

export function sizeOf(component: Component): number {
  return component.cores.size + component.borderCount;
}

export function* membersOf(component: Component): Generator<Item> {
  for (const core of component.cores) {
    yield core;
    yield* core.anchored;
  }
}

export function lowestMemberOf(component: Component): string {
  let lowest: string | undefined;
  for (const { itemId } of membersOf(component)) {
    if (lowest === undefined || compareItemIds(itemId, lowest) < 0) lowest = itemId;
  }
  return lowest ?? '';
}

/** In the byte order of itemId; encodes each id once, which `compareItemIds` as a comparator would not. */
export function inItemOrder<Entry extends { readonly itemId: string }>(entries: Iterable<Entry>): Entry[] {
  const keyed = Array.from(entries, (entry) => ({ entry, key: Buffer.from(entry.itemId) }));
  keyed.sort((left, right) => Buffer.compare(left.key, right.key));
  return keyed.map(({ entry }) => entry);
}
