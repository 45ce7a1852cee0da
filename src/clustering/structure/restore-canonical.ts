/** Reads the canonical form (canonical-state.ts), which is snapshot format 2. Items with equal vectors are brought together again. */
import { vectorFromBytes } from '../distance.ts';
import type { OpenSearch } from '../neighbour-search.ts';
import { addEdge, createIntList, readNeighbours } from './adjacency.ts';
import { fixedBytes, roles } from './canonical-state.ts';
import { foundCluster, nameCluster, type ClusterEntry } from './cluster-table.ts';
import { createEngineState, halvesOf, linkItem, tell, type EngineState } from './engine-state.ts';
import { addItemBytes } from './item-table.ts';
import { openPoint, pointFields } from './points.ts';
import { addToField, readField } from './records.ts';
import { at, placePoints, unplaced } from './restored-state.ts';
import type { SnapshotHeader } from './snapshot-format.ts';

const { weight, density } = pointFields;

type Take = () => Promise<Buffer>;

export async function restoreCanonical(header: SnapshotHeader, take: Take, openSearch: OpenSearch): Promise<EngineState> {
  const state = createEngineState(header.parameters, header.identity, openSearch);
  state.sequence = header.sequence === null ? undefined : BigInt(header.sequence);
  const names = await restoreNames(state, header.chunks, take);
  if (header.itemCount > 0) await restoreItems(state, header, take, names);
  return state;
}

/** @returns the clusters in the order in which items refer to them. Also for format 4, where these chunks are the same. */
export async function restoreNames(state: EngineState, chunks: SnapshotHeader['chunks'], take: Take): Promise<number[]> {
  const { clusters } = state;
  const names: number[] = [];
  for (let index = 0; index < chunks.clusters; index++) {
    for (const [id, sequence, rank] of JSON.parse((await take()).toString()) as [string, string, number][]) {
      const cluster = foundCluster(clusters, id, { sequence: BigInt(sequence), rank });
      (clusters.entries[cluster] as ClusterEntry).component = unplaced;
      names.push(cluster);
    }
  }
  const aliases: [string, string, string][] = [];
  for (let index = 0; index < chunks.aliases; index++) aliases.push(...(JSON.parse((await take()).toString()) as [string, string, string][]));
  // The age of what lives no more is never asked for.
  for (const [from] of aliases) names.push(foundCluster(clusters, from, { sequence: 0n, rank: 0 }));
  for (const [from, to, sequence] of aliases) {
    const target = clusters.indices.get(to);
    if (target === undefined) throw new RangeError(`the alias ${from} leads to ${to}, which is not there`);
    (clusters.entries[clusters.indices.get(from) as number] as ClusterEntry).alias = { to: target, sequence: BigInt(sequence) };
    nameCluster(clusters, target);
  }
  return names;
}

type Links = {
  readonly point: number;
  /** Whether it is the first of its point: it speaks for the others. */
  readonly first: boolean;
  readonly role: (typeof roles)[number];
  readonly place: number;
};

async function restoreItems(state: EngineState, { itemCount, dimensions }: SnapshotHeader, take: Take, names: readonly number[]): Promise<void> {
  const pointsByVector = new Map<string, number>();
  const links: Links[] = [];
  state.stored.open(dimensions, state.parameters, true);
  while (links.length < itemCount) {
    for (const item of itemsIn(await take(), dimensions)) {
      const key = item.vector.toString('latin1');
      const known = pointsByVector.get(key);
      const point = known ?? pointsByVector.size;
      if (known === undefined) {
        pointsByVector.set(key, point);
        state.structure.search.load(vectorFromBytes(item.vector));
        openPoint(state.structure.points, point);
      }
      const index = addItemBytes(state.items, { bytes: item.id, start: 0, length: item.id.length }, point);
      linkItem(state, index, point);
      addToField(state.structure.points.records, point, weight, 1);
      tell(state, index, item.toldName === 0 ? -1 : at(names, item.toldName - 1), halvesOf(item.toldSequence));
      if (known === undefined) {
        for (const rank of item.earlier) if (at(links, rank).first) addEdge(state.structure.adjacency, at(links, rank).point, point);
      }
      links.push({ point, first: known === undefined, role: item.role, place: item.place });
    }
  }
  if (links.length !== itemCount) throw new RangeError(`it holds ${links.length} items instead of ${itemCount}`);
  addUpDensities(state, pointsByVector.size);
  const firsts = links.filter(({ first }) => first);
  placePoints(
    state,
    firsts.length,
    (point) => (at(firsts, point).role === 'core' ? at(names, at(firsts, point).place) : -1),
    (point) => (at(firsts, point).role === 'border' ? at(links, at(firsts, point).place).point : -1),
  );
}

function addUpDensities({ structure }: EngineState, pointCount: number): void {
  const { records } = structure.points;
  const neighbours = createIntList();
  for (let point = 0; point < pointCount; point++) {
    readNeighbours(structure.adjacency, point, neighbours);
    let sum = readField(records, point, weight);
    for (let index = 0; index < neighbours.length; index++) sum += readField(records, neighbours.values[index] as number, weight);
    addToField(records, point, density, sum);
  }
}

type EncodedItem = {
  readonly id: Buffer;
  readonly role: (typeof roles)[number];
  readonly place: number;
  readonly toldName: number;
  readonly toldSequence: bigint;
  readonly earlier: readonly number[];
  readonly vector: Buffer;
};

function* itemsIn(chunk: Buffer, dimensions: number): Generator<EncodedItem> {
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
    if (chunk.length - offset < fixedBytes) throw new RangeError('a chunk ends within an item');
    const id = bytes(u32());
    const role = roles[bytes(1).readUInt8()];
    if (role === undefined) throw new RangeError(`item ${id.toString()} has no role`);
    const place = u32();
    const toldName = u32();
    const toldSequence = bytes(8).readBigInt64LE();
    const count = u32();
    if (count > (chunk.length - offset) / 4) throw new RangeError('a chunk ends within an item');
    const earlier = Array.from({ length: count }, u32);
    yield { id, role, place, toldName, toldSequence, earlier, vector: bytes(4 * dimensions) };
  }
}

