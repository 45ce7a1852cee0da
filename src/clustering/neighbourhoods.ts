/**
 * Which items are within eps of which. Both sides hold the edge, so that a removal costs no distance; an insertion compares with every live
 * item. What one record does to an item is folded first (`netMutations`), since only the net change of a record counts.
 */
import type { Mutation } from './clustering.ts';
import { normOf, type Point } from './distance.ts';
import type { Item } from './item.ts';

export type NetMutations = {
  /** Live before the record and gone or replaced by it. */
  readonly leaving: readonly Item[];
  readonly entering: readonly { readonly itemId: string; readonly vector: Float32Array }[];
  /** Live before the record, gone after it, and consumers are to hear of it. */
  readonly removalsTold: readonly string[];
};

export function netMutations(mutations: readonly Mutation[], items: ReadonlyMap<string, Item>): NetMutations {
  const outcomes = new Map<string, { vector: Float32Array | undefined; removalTold: boolean }>();
  for (const mutation of mutations) {
    const removalTold = outcomes.get(mutation.itemId)?.removalTold ?? false;
    outcomes.set(
      mutation.itemId,
      mutation.kind === 'insert'
        ? { vector: mutation.vector, removalTold }
        : { vector: undefined, removalTold: removalTold || mutation.told },
    );
  }
  const leaving: Item[] = [];
  const entering: { itemId: string; vector: Float32Array }[] = [];
  const removalsTold: string[] = [];
  for (const [itemId, { vector, removalTold }] of outcomes) {
    const item = items.get(itemId);
    if (item !== undefined) leaving.push(item);
    if (vector !== undefined) entering.push({ itemId, vector });
    else if (item !== undefined && removalTold) removalsTold.push(itemId);
  }
  return { leaving, entering, removalsTold };
}

/** Without neighbours yet. Owns its vector: the caller may reuse the one given. */
export function createItem(itemId: string, vector: Float32Array): Item {
  return {
    itemId,
    vector: vector.slice(),
    norm: normOf(vector),
    neighbours: [],
    anchored: new Set(),
    component: undefined,
    anchor: undefined,
    told: undefined,
  };
}

/** Finds the neighbours of an item that is not live yet. */
export function link(item: Item, others: Iterable<Item>, isNear: (left: Point, right: Point) => boolean): void {
  for (const other of others) {
    if (!isNear(item, other)) continue;
    item.neighbours.push(other);
    other.neighbours.push(item);
  }
}

/** Its neighbours forget the item; the item keeps its own list, by which the caller finds who may have changed. */
export function unlink(item: Item): void {
  for (const { neighbours } of item.neighbours) {
    const last = neighbours.pop();
    if (last !== item && last !== undefined) neighbours[neighbours.indexOf(item)] = last;
  }
}
