/**
 * Which items are within eps of which. An insertion compares with every live item; a removal costs no distance. What one record does to an
 * item is folded first (`netMutations`), since only the net change of a record counts.
 */
import { addEdge, takeSlot } from './adjacency.ts';
import type { Mutation } from '../../../src/clustering/clustering.ts';
import { normOf, type Point } from '../../../src/clustering/distance.ts';
import type { Graph, Item } from './item.ts';

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
export function createItem(graph: Graph, itemId: string, vector: Float32Array): Item {
  const item: Item = {
    itemId,
    vector: vector.slice(),
    norm: normOf(vector),
    graph,
    slot: takeSlot(graph),
    degree: 0,
    pairs: new Int32Array(0),
    anchored: new Set(),
    component: undefined,
    anchor: undefined,
    told: undefined,
  };
  graph.slots[item.slot] = item;
  return item;
}

/** Finds the neighbours of an item that is not live yet. */
export function link(item: Item, others: Iterable<Item>, isNear: (left: Point, right: Point) => boolean): void {
  for (const other of others) if (isNear(item, other)) addEdge(item, other);
}
