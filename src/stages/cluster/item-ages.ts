/** Items of a collection by age, oldest first; of one age the lower itemId first. It is derived from the items, so it is in no snapshot. */
import { compareItemIds } from '../../core/ids.ts';
import { rowsHeld, timesOfRow, type ItemRows } from './item-rows.ts';
import type { Item } from './item.ts';
import { createRowHeap, type RowHeap } from './row-heap.ts';

/** `ageMs` is the time from which the age counts: the smaller, the older. */
export type AgedItem = { readonly itemId: string; readonly ageMs: number };

export type AgeOf = (item: { readonly appendTime: number; readonly occurredAt: number }) => number;

export function compareAged(left: AgedItem, right: AgedItem): number {
  return left.ageMs - right.ageMs || compareItemIds(left.itemId, right.itemId);
}

export type ItemAges = {
  /** From here on the rows are in this order; undefined: in none. */
  readonly orderBy: (ageOf: AgeOf | undefined) => void;
  /** After the rows got other numbers. */
  readonly rebuild: () => void;
  readonly add: (row: number) => void;
  /** Of a row that still holds its item. */
  readonly remove: (row: number) => void;
  /** Of the rows, and of those that are in no row. */
  readonly oldest: (others: Iterable<Item>) => AgedItem | undefined;
  readonly memoryBytes: () => number;
};

export function createItemAges(rows: ItemRows, itemIdAt: (row: number) => string): ItemAges {
  let ageOf: AgeOf | undefined;
  let heap: RowHeap | undefined;
  const ageMsOf = (row: number): number => ageOf?.(timesOfRow(rows, row)) ?? 0;
  const rebuild = (): void => {
    heap = ageOf === undefined ? undefined : createRowHeap((left, right) => ageMsOf(left) - ageMsOf(right) || compareItemIds(itemIdAt(left), itemIdAt(right)));
    if (heap !== undefined) for (const row of rowsHeld(rows)) heap.add(row);
  };
  return {
    orderBy: (by) => {
      ageOf = by;
      rebuild();
    },
    rebuild,
    add: (row) => heap?.add(row),
    remove: (row) => heap?.remove(row),
    oldest: (others) => {
      if (ageOf === undefined) return undefined;
      const first = heap?.first() ?? -1;
      let oldest = first === -1 ? undefined : { itemId: itemIdAt(first), ageMs: ageMsOf(first) };
      for (const { itemId, origin, occurredAt } of others) {
        const aged = { itemId, ageMs: ageOf({ appendTime: origin.appendTime, occurredAt }) };
        if (oldest === undefined || compareAged(aged, oldest) < 0) oldest = aged;
      }
      return oldest;
    },
    memoryBytes: () => heap?.memoryBytes() ?? 0,
  };
}
