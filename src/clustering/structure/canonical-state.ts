/**
 * The state of a clustering as bytes that depend on nothing but the state: items by itemId, clusters by age, aliases by id. It is snapshot
 * format 2, which earlier versions wrote; it is kept for comparisons. Numbers are little-endian.
 *
 *   chunk 0         header, JSON: parameters, identity, sequence, how many chunks of clusters and aliases follow, and how many items
 *   clusters ...    JSON: [[id, founding sequence, rank], ...]
 *   aliases ...     JSON: [[from, to, sequence], ...]
 *   items ...       each: u32 length of the itemId | itemId, UTF-8
 *                         u8  role: 0 noise, 1 border, 2 core
 *                         u32 place: index of the cluster (core), rank of the anchor (border), 0 (noise)
 *                         u32 0: told as noise, otherwise 1 + index of the id told, among the clusters and then the aliases
 *                         i64 sequence of that assignment
 *                         u32 number of neighbours of lower rank | u32 each, rising
 *                         f32 x dimensions
 *
 * Items name others by rank, their place in the order. Items with equal vectors are neighbours like any others here, and the anchor of a
 * border item is the item with the lowest itemId of those at its anchor's place.
 */
import { vectorBytes } from '../distance.ts';
import { createIntList, readNeighbours } from './adjacency.ts';
import { clusterOfPoint } from './components.ts';
import { itemsOn, pointOf, type EngineState } from './engine-state.ts';
import { itemFields, itemIdOf, liveItems, toldSequence } from './item-table.ts';
import { roleOf } from './naming.ts';
import { pointFields } from './points.ts';
import { readField } from './records.ts';
import { namesOf } from './snapshot-names.ts';

export const canonicalFormat = 2;
export const roles = ['noise', 'border', 'core'] as const;
export const fixedBytes = 4 + 1 + 4 + 4 + 8 + 4;

/** A chunk closes before it would grow beyond these; an item larger than that has a chunk to itself. */
const chunkBytesMax = 256 * 1024;
const chunkEdgesMax = 64 * 1024;

export function* canonicalChunks(state: EngineState): Generator<Buffer> {
  const names = namesOf(state.clusters);
  const { metric, eps, minPoints } = state.parameters;
  const { collection, epoch, generation } = state.identity;
  const header = {
    format: canonicalFormat,
    parameters: { metric, eps, minPoints },
    identity: { collection, epoch, generation },
    sequence: state.sequence === undefined ? null : String(state.sequence),
    dimensions: state.items.size === 0 ? 0 : (state.stored.dimensions() ?? 0),
    chunks: { clusters: names.clusterChunks.length, aliases: names.aliasChunks.length },
    itemCount: state.items.size,
  };
  yield Buffer.from(JSON.stringify(header));
  yield* names.clusterChunks;
  yield* names.aliasChunks;
  yield* itemChunks(state, names.indices);
}

type Ranked = { readonly state: EngineState; readonly names: Int32Array; readonly ranks: ReadonlyMap<number, number> };

function* itemChunks(state: EngineState, names: Int32Array): Generator<Buffer> {
  const ordered = Array.from(liveItems(state.items), (item) => ({ item, itemId: itemIdOf(state.items, item) }));
  ordered.sort((left, right) => (left.itemId < right.itemId ? -1 : 1));
  const ranked: Ranked = { state, names, ranks: new Map(ordered.map(({ item }, rank) => [item, rank])) };
  let chunk: Buffer[] = [];
  let bytes = 0;
  let edges = 0;
  for (const { item, itemId } of ordered) {
    const neighbours = neighboursOf(ranked, item);
    const encoded = encodeItem(ranked, item, itemId, neighbours);
    if (chunk.length > 0 && (bytes + encoded.length > chunkBytesMax || edges + neighbours.length > chunkEdgesMax)) {
      yield Buffer.concat(chunk);
      chunk = [];
      bytes = 0;
      edges = 0;
    }
    chunk.push(encoded);
    bytes += encoded.length;
    edges += neighbours.length;
  }
  if (chunk.length > 0) yield Buffer.concat(chunk);
}

/** The ranks of all items within eps, itself not among them. */
function neighboursOf({ state, ranks }: Ranked, item: number): number[] {
  const list = createIntList();
  const point = pointOf(state.items, item);
  readNeighbours(state.structure.adjacency, point, list);
  const points = [point, ...list.values.subarray(0, list.length)];
  return points.flatMap((other) => Array.from(itemsOn(state, other), (near) => ranks.get(near) ?? 0)).filter((rank) => rank !== ranks.get(item));
}

function encodeItem(ranked: Ranked, item: number, itemId: string, neighbours: readonly number[]): Buffer {
  const { state, names, ranks } = ranked;
  const point = pointOf(state.items, item);
  const rank = ranks.get(item) ?? 0;
  const earlier = neighbours.filter((other) => other < rank).sort((left, right) => left - right);
  const vector = state.structure.search.vector(point);
  const idBytes = Buffer.byteLength(itemId);
  const buffer = Buffer.allocUnsafe(fixedBytes + idBytes + 4 * earlier.length + vector.byteLength);
  const told = readField(state.items.records, item, itemFields.told);
  let offset = buffer.writeUInt32LE(idBytes);
  offset += buffer.write(itemId, offset);
  offset = buffer.writeUInt8(roles.indexOf(roleOf(state, point)), offset);
  offset = buffer.writeUInt32LE(placeOf(ranked, point), offset);
  offset = buffer.writeUInt32LE(told < 0 ? 0 : 1 + (names[told] as number), offset);
  offset = buffer.writeBigInt64LE(toldSequence(state.items, item), offset);
  offset = buffer.writeUInt32LE(earlier.length, offset);
  for (const other of earlier) offset = buffer.writeUInt32LE(other, offset);
  vectorBytes(vector).copy(buffer, offset);
  return buffer;
}

function placeOf({ state, names, ranks }: Ranked, point: number): number {
  const { structure, items } = state;
  const role = roleOf(state, point);
  if (role === 'core') return names[clusterOfPoint(structure, point)] as number;
  if (role === 'noise') return 0;
  let lowest: { readonly key: Buffer; readonly rank: number } | undefined;
  for (const item of itemsOn(state, readField(structure.points.records, point, pointFields.anchor))) {
    const key = Buffer.from(itemIdOf(items, item));
    if (lowest === undefined || Buffer.compare(key, lowest.key) < 0) lowest = { key, rank: ranks.get(item) ?? 0 };
  }
  return lowest?.rank ?? 0;
}
