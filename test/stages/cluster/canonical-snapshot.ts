/**
 * The snapshot of a partition in a form that depends on the state alone: the clusterings in it are in their own numbers, which depend on how
 * they came about, so these are restored and asked for their canonical form; the items, whose numbers these are, are put in the order of their ids.
 */
import type { Clustering } from '../../../src/clustering/clustering.ts';
import { restoreClustering } from '../../../src/clustering/incremental-dbscan.ts';
import { compareItemIds } from '../../../src/core/ids.ts';
import type { ItemNames } from '../../../src/stages/cluster/item-rows.ts';
import { restoreItems, type StoredItemCounts } from '../../../src/stages/cluster/snapshot-items.ts';

const kinds = { collection: 3, clustering: 4, itemNames: 7, itemRows: 8 } as const;

type Frame = { readonly kind: number; readonly payload: Buffer };

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const end = offset + 5 + bytes.readUInt32BE(offset);
    frames.push({ kind: bytes.readUInt8(offset + 4), payload: bytes.subarray(offset + 5, end) });
    offset = end;
  }
  return frames;
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
}

async function itemsText(clustering: Clustering, counts: StoredItemCounts, frames: Frame[]): Promise<string> {
  const take = (): Promise<Buffer> => Promise.resolve(frames.shift()!.payload);
  const names = async (): Promise<ItemNames> => JSON.parse((await take()).toString()) as ItemNames;
  const items = await restoreItems(clustering, counts, { names, rows: take, former: () => Promise.resolve([]) });
  if (items === undefined) throw new Error('the items cannot be read');
  return textOf([...items.values()].sort((left, right) => compareItemIds(left.itemId, right.itemId)));
}

export async function canonicalSnapshot(chunks: Iterable<Buffer>): Promise<Buffer> {
  const frames = framesIn(Buffer.concat([...chunks]));
  const parts: Buffer[] = [];
  // The last frame counts the frames, of which a clustering has more or fewer.
  for (let next = frames.shift(); next !== undefined && frames.length > 0; next = frames.shift()) {
    if (next.kind !== kinds.collection) {
      parts.push(next.payload);
      continue;
    }
    const { itemCount, kindCount, clusterCount, ...stored } = JSON.parse(next.payload.toString()) as StoredItemCounts;
    const clustering = await restoreClustering(() => Promise.resolve(frames[0]?.kind === kinds.clustering ? frames.shift()!.payload : undefined));
    parts.push(Buffer.from(textOf({ ...stored, itemCount })), ...clustering.canonicalState());
    parts.push(Buffer.from(await itemsText(clustering, { itemCount, kindCount, clusterCount }, frames)));
  }
  return Buffer.concat(parts);
}
