/**
 * Items in a snapshot: each names others by rank, its place in the byte order of itemId. All numbers are little-endian.
 *
 *   u32 length of the itemId | itemId, UTF-8
 *   u8  role: 0 noise, 1 border, 2 core
 *   u32 place: index of the cluster (core), rank of the anchor (border), 0 (noise)
 *   u32 0: told as noise, otherwise 1 + index of the id told, among the clusters and then the aliases
 *   i64 sequence of that assignment
 *   u32 number of neighbours of higher rank | u32 each, rising
 *   f32 x dimensions
 */
import { vectorBytes, vectorFromBytes } from './distance.ts';
import { inItemOrder, roleOf, type Item } from './item.ts';
import { createItem } from './neighbourhoods.ts';

const roles = ['noise', 'border', 'core'] as const;

/** A chunk closes before it would grow beyond this; an item larger than that has a chunk to itself. */
const chunkBytesMax = 256 * 1024;
const fixedBytes = 4 + 1 + 4 + 4 + 8 + 4;

type PlannedItem = { readonly item: Item; readonly laterNeighbours: Uint32Array; readonly bytes: number };
type PlannedChunk = { readonly items: PlannedItem[]; bytes: number };

export type ItemPlan = {
  readonly dimensions: number;
  readonly rankOf: ReadonlyMap<Item, number>;
  readonly chunks: readonly PlannedChunk[];
};

/** What an item's bytes say about others, by rank and index. */
export type ItemLinks = {
  readonly role: (typeof roles)[number];
  readonly place: number;
  readonly toldName: number | undefined;
  readonly toldSequence: bigint;
  readonly laterNeighbours: readonly number[];
};

export function planItems(items: Iterable<Item>): ItemPlan {
  const ordered = inItemOrder(items);
  const rankOf = new Map(ordered.map((item, rank) => [item, rank]));
  const chunks: PlannedChunk[] = [];
  for (const [rank, item] of ordered.entries()) {
    const ranks = item.neighbours.map((neighbour) => rankOf.get(neighbour) ?? 0).filter((other) => other > rank);
    const laterNeighbours = Uint32Array.from(ranks).sort();
    const bytes = fixedBytes + Buffer.byteLength(item.itemId) + 4 * laterNeighbours.length + item.vector.byteLength;
    let chunk = chunks.at(-1);
    if (chunk === undefined || chunk.bytes + bytes > chunkBytesMax) {
      chunk = { items: [], bytes: 0 };
      chunks.push(chunk);
    }
    chunk.items.push({ item, laterNeighbours, bytes });
    chunk.bytes += bytes;
  }
  return { dimensions: ordered[0]?.vector.length ?? 0, rankOf, chunks };
}

/** @param indexOf the ids of clusters and aliases -> their index in the snapshot. */
export function* encodeItems(plan: ItemPlan, indexOf: ReadonlyMap<string, number>): Generator<Buffer> {
  for (const chunk of plan.chunks) {
    const buffer = Buffer.alloc(chunk.bytes);
    let offset = 0;
    for (const { item, laterNeighbours } of chunk.items) {
      offset = buffer.writeUInt32LE(Buffer.byteLength(item.itemId), offset);
      offset += buffer.write(item.itemId, offset);
      offset = buffer.writeUInt8(roles.indexOf(roleOf(item)), offset);
      offset = buffer.writeUInt32LE(placeOf(item, plan.rankOf, indexOf), offset);
      const name = item.told?.clusterId ?? undefined;
      offset = buffer.writeUInt32LE(name === undefined ? 0 : 1 + indexIn(indexOf, name), offset);
      offset = buffer.writeBigInt64LE(item.told?.sequence ?? 0n, offset);
      offset = buffer.writeUInt32LE(laterNeighbours.length, offset);
      for (const rank of laterNeighbours) offset = buffer.writeUInt32LE(rank, offset);
      offset += vectorBytes(item.vector).copy(buffer, offset);
    }
    yield buffer;
  }
}

export function* decodeItems(chunk: Buffer, dimensions: number): Generator<{ item: Item; links: ItemLinks }> {
  let offset = 0;
  const u32 = (): number => {
    offset += 4;
    return chunk.readUInt32LE(offset - 4);
  };
  const bytes = (length: number): Buffer => {
    if (offset + length > chunk.length) throw new RangeError('a chunk ends within an item');
    offset += length;
    return chunk.subarray(offset - length, offset);
  };
  while (offset < chunk.length) {
    const itemId = bytes(u32()).toString();
    const role = roles[bytes(1).readUInt8()];
    if (role === undefined) throw new RangeError(`item ${itemId} has no role`);
    const place = u32();
    const name = u32();
    const toldSequence = bytes(8).readBigInt64LE();
    const laterNeighbours = Array.from({ length: u32() }, u32);
    const item = createItem(itemId, vectorFromBytes(bytes(4 * dimensions)));
    yield { item, links: { role, place, toldName: name === 0 ? undefined : name - 1, toldSequence, laterNeighbours } };
  }
}

function placeOf(item: Item, rankOf: ReadonlyMap<Item, number>, indexOf: ReadonlyMap<string, number>): number {
  if (item.component !== undefined) return indexIn(indexOf, item.component.clusterId);
  return item.anchor === undefined ? 0 : indexIn(rankOf, item.anchor);
}

function indexIn<Key>(indices: ReadonlyMap<Key, number>, key: Key | undefined): number {
  const index = key === undefined ? undefined : indices.get(key);
  if (index === undefined) throw new Error('the state refers to a cluster or an item that it does not hold');
  return index;
}
