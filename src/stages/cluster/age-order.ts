/**
 * Items by age, oldest first; of one age the lower itemId first. A binary heap that forgets lazily: an entry whose item has gone or changed
 * is passed over when it comes up, and all such entries are swept out once they outnumber the others. It is derived from the items, so it is
 * in no snapshot.
 */
import { compareItemIds } from '../../core/ids.ts';

/** `ageMs` is the time from which the age counts: the smaller, the older. */
export type Aged = { readonly itemId: string; readonly ageMs: number };

export type AgeOrder = {
  readonly add: (entry: Aged) => void;
  readonly oldest: () => Aged | undefined;
  readonly removeOldest: () => void;
};

const staleEntriesMin = 64;

/** @param isCurrent whether an entry still describes its item; @param currentCount how many items there are. */
export function createAgeOrder(isCurrent: (entry: Aged) => boolean, currentCount: () => number): AgeOrder {
  let heap: Aged[] = [];

  function sweep(): void {
    const current = new Map<string, Aged>();
    for (const entry of heap) if (isCurrent(entry)) current.set(entry.itemId, entry);
    heap = [...current.values()].sort(compareAged);
  }

  return {
    add(entry) {
      if (heap.length > 2 * currentCount() + staleEntriesMin) sweep();
      heap.push(entry);
      siftUp(heap, heap.length - 1);
    },
    oldest() {
      for (let first = heap[0]; first !== undefined; first = heap[0]) {
        if (isCurrent(first)) return first;
        removeFirst(heap);
      }
      return undefined;
    },
    removeOldest: () => removeFirst(heap),
  };
}

function compareAged(left: Aged, right: Aged): number {
  return left.ageMs - right.ageMs || compareItemIds(left.itemId, right.itemId);
}

function siftUp(heap: Aged[], start: number): void {
  let index = start;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!swapIfBelow(heap, index, parent)) return;
    index = parent;
  }
}

function removeFirst(heap: Aged[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const right = left + 1;
    const leftEntry = heap[left];
    if (leftEntry === undefined) return;
    const rightEntry = heap[right];
    const child = rightEntry !== undefined && compareAged(rightEntry, leftEntry) < 0 ? right : left;
    if (!swapIfBelow(heap, child, index)) return;
    index = child;
  }
}

/** Swaps the entry at `lower` up to `upper` where it is older; tells whether it did. */
function swapIfBelow(heap: Aged[], lower: number, upper: number): boolean {
  const lowerEntry = heap[lower];
  const upperEntry = heap[upper];
  if (lowerEntry === undefined || upperEntry === undefined || compareAged(lowerEntry, upperEntry) >= 0) return false;
  heap[lower] = upperEntry;
  heap[upper] = lowerEntry;
  return true;
}
