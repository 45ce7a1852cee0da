/**
 * The live items of one collection, by itemId. They are kept by the numbers that its clustering gives them (item-rows.ts), and an `Item` is made
 * when it is asked for. A record's items enter the books before the clustering knows them: until it has applied the record, they wait beside.
 */
import type { Clustering } from '../../clustering/clustering.ts';
import { itemHashOf } from '../../core/ids.ts';
import { createItemAges, type AgedItem, type AgeOf } from './item-ages.ts';
import { createItemHashes } from './item-hashes.ts';
import type { Item } from './item.ts';
import {
  createItemRows, eraseRow, holdsRow, itemRowsBytes, openItemRows, readRow, renumberRows, restoreChunk, restoreNames, rowsHeld, tellRow, writeRow,
  type ItemNames, type OpenItemRows,
} from './item-rows.ts';

/** The numbers of a clustering's items. */
export type ItemNumbers = Pick<Clustering, 'itemIndex' | 'itemIdAt'>;

export type LiveItems = {
  readonly size: number;
  readonly get: (itemId: string) => Item | undefined;
  readonly has: (itemId: string) => boolean;
  /** In the place of any former version. */
  readonly set: (item: Item) => void;
  readonly delete: (itemId: string) => boolean;
  /**
   * In no order that means anything. Records may be folded between two steps, none of them with `moveTo`: what lives throughout comes, and once;
   * what comes, goes, or comes back meanwhile may come or not, or twice.
   */
  readonly keys: () => IteratorObject<string, undefined>;
  /** As `keys`. */
  readonly values: () => IteratorObject<Item, undefined>;
  /** Notes the cluster id in its last assignment. @returns the item, with it; undefined where it does not live. */
  readonly tell: (itemId: string, clusterId: string | null) => Item | undefined;
  /** The clustering has applied the mutations of the record: from here on its items are these. */
  readonly settle: () => void;
  /** From here on another clustering, of the same items that the former holds at this moment, numbers them. Before `settle`, and before the former is closed. */
  readonly moveTo: (clustering: ItemNumbers) => void;
  /** From here on `oldest` is at hand, by this age; undefined: it never is. */
  readonly orderByAge: (ageOf: AgeOf | undefined) => void;
  /** Of one age the lower itemId. */
  readonly oldest: () => AgedItem | undefined;
  /** Those whose ids have one of the hashes (`itemHashOf`). */
  readonly withHashes: (hashes: ReadonlySet<string>) => readonly Item[];
  /** As they are now, whatever is done before the last chunk is taken. Between two records. */
  readonly open: () => OpenItemRows;
  readonly memoryBytes: () => number;
  /** How much of the numbers given so far live items have, at most 1. */
  readonly share: () => number;
};

/** Of no items. */
export function createLiveItems(clustering: ItemNumbers): LiveItems {
  return liveItemsOver(clustering, createItemRows());
}

/**
 * @param clustering a restored one, which numbers its items from 0 on, in the order of the chunks.
 * @returns undefined where they are no chunks of `open`.
 */
export async function restoreLiveItems(
  clustering: ItemNumbers,
  { count, names, nextChunk }: { readonly count: number; readonly names: ItemNames; readonly nextChunk: () => Promise<Buffer> },
): Promise<LiveItems | undefined> {
  const rows = createItemRows();
  restoreNames(rows, names);
  while (rows.count < count) if (!restoreChunk(rows, await nextChunk())) return undefined;
  return rows.count === count ? liveItemsOver(clustering, rows) : undefined;
}

function liveItemsOver(clustering: ItemNumbers, rows: ReturnType<typeof createItemRows>): LiveItems {
  let numbers = clustering;
  /** Set by the record that is folded, in no row yet. */
  const entering = new Map<string, Item>();
  const itemIdAt = (row: number): string => numbers.itemIdAt(row);
  const itemAt = (row: number): Item => readRow(rows, row, itemIdAt(row));
  const ages = createItemAges(rows, itemIdAt);
  const hashes = createItemHashes(rows, itemIdAt);
  /** -1: none. */
  const rowOf = (itemId: string): number => {
    const row = numbers.itemIndex(itemId);
    return holdsRow(rows, row) ? row : -1;
  };
  const erase = (itemId: string): boolean => {
    const row = rowOf(itemId);
    if (row === -1) return false;
    ages.remove(row);
    eraseRow(rows, row);
    return true;
  };
  return {
    get size() {
      return rows.count + entering.size;
    },
    get: (itemId) => {
      const waiting = entering.get(itemId);
      if (waiting !== undefined) return waiting;
      const row = rowOf(itemId);
      return row === -1 ? undefined : readRow(rows, row, itemId);
    },
    has: (itemId) => entering.has(itemId) || rowOf(itemId) !== -1,
    set: (item) => {
      erase(item.itemId);
      entering.set(item.itemId, item);
    },
    delete: (itemId) => entering.delete(itemId) || erase(itemId),
    keys: () => chain(rowsHeld(rows).map(itemIdAt), entering.keys()),
    values: () => chain(rowsHeld(rows).map(itemAt), entering.values()),
    tell: (itemId, clusterId) => {
      const row = rowOf(itemId);
      if (row === -1) return undefined;
      tellRow(rows, row, clusterId);
      return readRow(rows, row, itemId);
    },
    settle: () => {
      for (const item of entering.values()) {
        const row = numbers.itemIndex(item.itemId);
        if (row === -1) throw new Error(`The clustering does not hold ${item.itemId}, which was set.`);
        writeRow(rows, row, item);
        ages.add(row);
        hashes.set(row, item.itemId);
      }
      entering.clear();
      hashes.catchUp();
    },
    moveTo: (other) => {
      const former = numbers;
      renumberRows(rows, (row) => other.itemIndex(former.itemIdAt(row)));
      numbers = other;
      ages.rebuild();
      hashes.clear();
    },
    orderByAge: ages.orderBy,
    oldest: () => ages.oldest(entering.values()),
    withHashes: (wanted) => {
      return [...hashes.find(wanted).map(itemAt), ...entering.values()].filter(({ itemId }) => wanted.has(itemHashOf(itemId)));
    },
    open: () => openItemRows(rows),
    memoryBytes: () => itemRowsBytes(rows) + ages.memoryBytes() + hashes.memoryBytes(),
    share: () => (rows.limit === 0 ? 0 : rows.count / rows.limit),
  };
}

function* chain<Value>(first: Iterable<Value>, second: Iterable<Value>): Generator<Value, undefined> {
  yield* first;
  yield* second;
  return undefined;
}
