/** The items of a collection in a snapshot: what many of them share, then each in the order of the clustering's numbers. Formats 1 and 2 had them as JSON. */
import type { Origin } from '../../core/events.generated.ts';
import type { ItemNames, OpenItemRows } from './item-rows.ts';
import type { Item } from './item.ts';
import { createLiveItems, restoreLiveItems, type ItemNumbers, type LiveItems } from './live-items.ts';

/** How much of it there is: part of the collection's frame. */
export type StoredItemCounts = { readonly itemCount: number; readonly kindCount: number; readonly clusterCount: number };

/** Decoded; the sequence is a text. */
export type FormerItem = Omit<Item, 'origin'> & { readonly origin: Omit<Origin, 'sequence'> & { readonly sequence: string } };

export type TakeItems = {
  readonly names: () => Promise<ItemNames>;
  readonly rows: () => Promise<Buffer>;
  readonly former: () => Promise<readonly FormerItem[]>;
};

const namesPerFrame = 4096;

export function itemCountsOf({ count, names: { kinds, clusters } }: OpenItemRows): StoredItemCounts {
  return { itemCount: count, kindCount: kinds.length, clusterCount: clusters.length };
}

export function* nameBatches({ names: { kinds, clusters } }: OpenItemRows): Generator<ItemNames> {
  for (let start = 0; start < Math.max(kinds.length, clusters.length); start += namesPerFrame) {
    yield { kinds: kinds.slice(start, start + namesPerFrame), clusters: clusters.slice(start, start + namesPerFrame) };
  }
}

/** @returns undefined where they are not as many as they should be, or not what they should be. */
export async function restoreItems(clustering: ItemNumbers, counts: StoredItemCounts, take: TakeItems): Promise<LiveItems | undefined> {
  const kinds: ItemNames['kinds'][number][] = [];
  const clusters: ItemNames['clusters'][number][] = [];
  while (kinds.length < counts.kindCount || clusters.length < counts.clusterCount) {
    const more = await take.names();
    if (more.kinds.length + more.clusters.length === 0) return undefined;
    kinds.push(...more.kinds);
    clusters.push(...more.clusters);
  }
  return restoreLiveItems(clustering, { count: counts.itemCount, names: { kinds, clusters }, nextChunk: take.rows });
}

export async function restoreFormerItems(clustering: ItemNumbers, itemCount: number, take: TakeItems): Promise<LiveItems | undefined> {
  const items = createLiveItems(clustering);
  while (items.size < itemCount) {
    const before = items.size;
    for (const stored of await take.former()) {
      if (clustering.itemIndex(stored.itemId) === -1) return undefined;
      items.set({ ...stored, origin: { ...stored.origin, sequence: BigInt(stored.origin.sequence) } });
    }
    items.settle();
    if (items.size === before) return undefined;
  }
  return items;
}
