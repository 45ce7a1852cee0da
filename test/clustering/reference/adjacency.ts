/**
 * The graph of what is within eps of what, as integers: in a dense collection the edges outgrow everything else. Each item has a slot in the
 * graph's table, and for each neighbour a pair: the neighbour's slot, and where among the neighbour's pairs the way back is. So an edge costs
 * 16 bytes, and is removed from both sides without a search.
 */
import type { Graph, Item } from './item.ts';

export function createGraph(): Graph {
  return { slots: [], freeSlots: [] };
}

/** The slot that an item of this graph is to have. */
export function takeSlot(graph: Graph): number {
  return graph.freeSlots.pop() ?? graph.slots.push(undefined) - 1;
}

/** For items that have left, once nobody asks for their neighbours any more: their slots go to others. */
export function releaseSlots(graph: Graph, items: Iterable<Item>): void {
  for (const { slot } of items) {
    graph.slots[slot] = undefined;
    graph.freeSlots.push(slot);
  }
}

export function addEdge(left: Item, right: Item): void {
  const leftIndex = left.degree;
  const rightIndex = right.degree;
  append(left, right.slot, rightIndex);
  append(right, left.slot, leftIndex);
}

function append(item: Item, slot: number, wayBack: number): void {
  const end = 2 * item.degree;
  if (end === item.pairs.length) {
    // Room for an eighth to a quarter more. It differs from item to item: the pairs of items that are alike would all grow in one turn.
    const grown = new Int32Array(end + 2 * (4 + ((item.degree * (64 + (item.slot % 61))) >> 9)));
    grown.set(item.pairs);
    item.pairs = grown;
  }
  item.pairs[end] = slot;
  item.pairs[end + 1] = wayBack;
  item.degree++;
}

/** Its neighbours forget the item; the item keeps its own side, by which the caller finds who may have changed. */
export function removeEdgesTo(item: Item): void {
  const { slots } = item.graph;
  for (let index = 0; index < item.degree; index++) {
    const neighbour = slots[item.pairs[2 * index] as number];
    if (neighbour !== undefined) removePair(neighbour, item.pairs[2 * index + 1] as number);
  }
}

/** The last pair takes the place of the one removed, and its other side is told so. */
function removePair(item: Item, index: number): void {
  item.degree--;
  if (index === item.degree) return;
  const slot = item.pairs[2 * item.degree] as number;
  const wayBack = item.pairs[2 * item.degree + 1] as number;
  item.pairs[2 * index] = slot;
  item.pairs[2 * index + 1] = wayBack;
  const other = item.graph.slots[slot];
  if (other !== undefined) other.pairs[2 * wayBack + 1] = index;
}

/** To be called for all items of a graph. */
export function clearEdges(item: Item): void {
  item.degree = 0;
  item.pairs = new Int32Array(0);
}

export function neighboursOf({ graph, pairs, degree }: Item): Item[] {
  const neighbours: Item[] = [];
  for (let index = 0; index < degree; index++) {
    const neighbour = graph.slots[pairs[2 * index] as number];
    if (neighbour !== undefined) neighbours.push(neighbour);
  }
  return neighbours;
}
