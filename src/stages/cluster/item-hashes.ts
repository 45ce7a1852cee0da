/**
 * Finds items by the hashes of their ids, as a forget names them, without hashing every id anew: of each row the first 32 bits of its hash. A row's is
 * made when an item enters it; those of rows that came with a snapshot, or got other numbers, are made a few at a time with the records that follow,
 * and what is left of them when they are asked for. Derived, so it is in no snapshot.
 */
import { itemHashOf } from '../../core/ids.ts';
import { holdsRow, rowsHeld, type ItemRows } from './item-rows.ts';

export type ItemHashes = {
  /** The row holds another item from here on. */
  readonly set: (row: number, itemId: string) => void;
  /** Makes some that are still to be made. */
  readonly catchUp: () => void;
  /** The rows have other numbers. */
  readonly clear: () => void;
  /** Rows that may hold an item with such a hash: all that do, and by chance others. */
  readonly find: (hashes: ReadonlySet<string>) => number[];
  readonly memoryBytes: () => number;
};

const prefixDigits = 8;
/** A small part of what a record costs. */
const rowsAtATime = 16;

function prefixOf(hash: string): number {
  return Number.parseInt(hash.slice(0, prefixDigits), 16) | 0;
}

export function createItemHashes(rows: ItemRows, itemIdAt: (row: number) => string): ItemHashes {
  let prefixes = new Int32Array(0);
  /** Those of the rows below it are made. */
  let madeLimit = 0;
  const put = (row: number, itemId: string): void => {
    if (row >= prefixes.length) {
      const larger = new Int32Array(Math.ceil(1.25 * (row + 16)));
      larger.set(prefixes);
      prefixes = larger;
    }
    prefixes[row] = prefixOf(itemHashOf(itemId));
  };
  const makeBelow = (limit: number): void => {
    for (; madeLimit < limit; madeLimit++) if (holdsRow(rows, madeLimit)) put(madeLimit, itemIdAt(madeLimit));
  };
  return {
    set: (row, itemId) => {
      put(row, itemId);
      if (row === madeLimit) madeLimit += 1;
    },
    catchUp: () => makeBelow(Math.min(rows.limit, madeLimit + rowsAtATime)),
    clear: () => (madeLimit = 0),
    find: (hashes) => {
      const wanted = new Set([...hashes].map(prefixOf));
      makeBelow(rows.limit);
      return rowsHeld(rows).filter((row) => wanted.has(prefixes[row] ?? 0)).toArray();
    },
    memoryBytes: () => prefixes.byteLength,
  };
}
