/**
 * Items in a snapshot: each names others by rank, its place in the order of the snapshot. All numbers are little-endian.
 *
 *   u32 length of the itemId | itemId, UTF-8
 *   u8  role: 0 noise, 1 border, 2 core
 *   u32 place: index of the cluster (core), rank of the anchor (border), 0 (noise)
 *   u32 0: told as noise, otherwise 1 + index of the id told, among the clusters and then the aliases
 *   i64 sequence of that assignment
 *   u32 number of neighbours of lower rank | u32 each, rising
 *   f32 x dimensions
 *
 * An item's edges lead to items before it, so that writer and reader handle them chunk by chunk. A chunk is bounded in bytes and in the edges
 * looked at for it: an item of a dense collection has as many as there are items, and the last ones written have none of them to write.
 */
import { neighboursOf } from './adjacency.ts';
import { vectorBytes, vectorFromBytes } from '../../../src/clustering/distance.ts';
import { roleOf, type Graph, type Item } from './item.ts';
import { createItem } from './neighbourhoods.ts';

const roles = ['noise', 'border', 'core'] as const;

/** A chunk closes before it would grow beyond these; an item larger than that has a chunk to itself. */
const chunkBytesMax = 256 * 1024;
const chunkEdgesMax = 64 * 1024;
const fixedBytes = 4 + 1 + 4 + 4 + 8 + 4;

export type OrderedItems = {
  readonly items: readonly Item[];
  /** Slot -> rank. */
  readonly ranks: Uint32Array;
};

/** What an item's bytes say about others, by rank and index. */
export type ItemLinks = {
  readonly role: (typeof roles)[number];
  readonly place: number;
  readonly toldName: number | undefined;
  readonly toldSequence: bigint;
  readonly earlierNeighbours: readonly number[];
};

/** By UTF-16 units: unlike everywhere else any fixed order will do, and this one needs no copies of the ids. */
export function orderItems({ slots }: Graph, unordered: Iterable<Item>): OrderedItems {
  const items = Array.from(unordered).sort((left, right) => (left.itemId < right.itemId ? -1 : 1));
  const ranks = new Uint32Array(slots.length);
  for (const [rank, { slot }] of items.entries()) ranks[slot] = rank;
  return { items, ranks };
}

/** @param indexOf the ids of clusters and aliases -> their index in the snapshot. */
export function* encodeItems({ items, ranks }: OrderedItems, indexOf: ReadonlyMap<string, number>): Generator<Buffer> {
  let chunk: Buffer[] = [];
  let bytes = 0;
  let edges = 0;
  for (const item of items) {
    const encoded = encodeItem(item, ranks, indexOf);
    if (chunk.length > 0 && (bytes + encoded.length > chunkBytesMax || edges + item.degree > chunkEdgesMax)) {
      yield Buffer.concat(chunk);
      chunk = [];
      bytes = 0;
      edges = 0;
    }
    chunk.push(encoded);
    bytes += encoded.length;
    edges += item.degree;
  }
  if (chunk.length > 0) yield Buffer.concat(chunk);
}

function encodeItem(item: Item, ranks: Uint32Array, indexOf: ReadonlyMap<string, number>): Buffer {
  const earlierNeighbours = earlierNeighboursOf(item, ranks);
  const idBytes = Buffer.byteLength(item.itemId);
  const buffer = Buffer.allocUnsafe(fixedBytes + idBytes + 4 * earlierNeighbours.length + item.vector.byteLength);
  const name = item.told?.clusterId ?? undefined;
  let offset = buffer.writeUInt32LE(idBytes);
  offset += buffer.write(item.itemId, offset);
  offset = buffer.writeUInt8(roles.indexOf(roleOf(item)), offset);
  offset = buffer.writeUInt32LE(placeOf(item, ranks, indexOf), offset);
  offset = buffer.writeUInt32LE(name === undefined ? 0 : 1 + indexIn(indexOf, name), offset);
  offset = buffer.writeBigInt64LE(item.told?.sequence ?? 0n, offset);
  offset = buffer.writeUInt32LE(earlierNeighbours.length, offset);
  for (const rank of earlierNeighbours) offset = buffer.writeUInt32LE(rank, offset);
  vectorBytes(item.vector).copy(buffer, offset);
  return buffer;
}

function earlierNeighboursOf(item: Item, ranks: Uint32Array): Uint32Array {
  const rank = ranks[item.slot] as number;
  const earlier = new Uint32Array(item.degree);
  let count = 0;
  for (const { slot } of neighboursOf(item)) {
    const other = ranks[slot] as number;
    if (other < rank) earlier[count++] = other;
  }
  return earlier.subarray(0, count).sort();
}

export function* decodeItems(chunk: Buffer, graph: Graph, dimensions: number): Generator<{ item: Item; links: ItemLinks }> {
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
    const earlierNeighbours = Array.from({ length: u32() }, u32);
    const item = createItem(graph, itemId, vectorFromBytes(bytes(4 * dimensions)));
    yield { item, links: { role, place, toldName: name === 0 ? undefined : name - 1, toldSequence, earlierNeighbours } };
  }
}

function placeOf(item: Item, ranks: Uint32Array, indexOf: ReadonlyMap<string, number>): number {
  if (item.component !== undefined) return indexIn(indexOf, item.component.clusterId);
  return item.anchor === undefined ? 0 : (ranks[item.anchor.slot] as number);
}

function indexIn(indices: ReadonlyMap<string, number>, name: string | undefined): number {
  const index = name === undefined ? undefined : indices.get(name);
  if (index === undefined) throw new Error('the state refers to a cluster that it does not hold');
  return index;
}
