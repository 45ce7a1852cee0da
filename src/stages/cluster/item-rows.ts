/**
 * Items by row, without an object for each: 4 bytes that say where an item's bytes are (item-bytes.ts), and those, some 24 in all where the inputId is
 * the itemId. The itemId is not among them: the row is the number that the clustering gives the item, and the clustering knows the itemId.
 *
 * A snapshot shares the blocks of bytes with the rows; a block is copied before it is changed for the first time after that. Where items are
 * is copied when the snapshot is opened.
 */
import { createIdArena, freeId, idArenaBytes, idSpanAt, placeId, writableSpanAt, type IdArena, type IdSpan } from '../../clustering/structure/id-arena.ts';
import { copyRecords, createRecords, capacityOf, ensureRecord, readField, recordsBytes, writeField, type Records } from '../../clustering/structure/records.ts';
import { createInterned, type Interned } from './interned.ts';
import type { Item } from './item.ts';
import { clusterIn, decodeItem, encodeItem, itemBytesMin, kindIn, timesIn, writeCluster, type ItemKind } from './item-bytes.ts';

export type ItemRows = {
  readonly arena: IdArena;
  /** Number of the place of an item's bytes plus one; 0: no item in the row. */
  places: Records;
  /** Rows that hold an item. */
  count: number;
  /** All of them are below it. */
  limit: number;
  readonly kinds: Interned<ItemKind>;
  /** Of the item that was written last: mostly that of the next one. */
  lastKind: number;
  readonly clusters: Interned<string>;
  /** Blocks that a snapshot may still read. */
  readonly shared: Set<number>;
};

export function createItemRows(): ItemRows {
  const shared = new Set<number>();
  const arena = createIdArena((block) => {
    if (shared.delete(block)) arena.blocks[block] = Buffer.from(arena.blocks[block] as Buffer);
  });
  const kinds = createInterned<ItemKind>((kind) => JSON.stringify([kind.topic, kind.incarnation, kind.partition, kind.routeStep, kind.model, kind.modelVersion]));
  return { arena, places: createRecords(1), count: 0, limit: 0, kinds, lastKind: noKind, clusters: createInterned((clusterId) => clusterId), shared };
}

const noise = -1;
const noKind = -1;

export function holdsRow({ places }: ItemRows, row: number): boolean {
  return row >= 0 && row < capacityOf(places) && readField(places, row, 0) !== 0;
}

function placeIn(places: Records, row: number): number {
  return (readField(places, row, 0) >>> 0) - 1;
}

function spanOf({ arena, places }: ItemRows, row: number): IdSpan {
  return idSpanAt(arena, placeIn(places, row));
}

/** Into an empty row. */
export function writeRow(rows: ItemRows, row: number, item: Item): void {
  const { toldClusterId } = item;
  const kind = takeKind(rows, item);
  const cluster = toldClusterId === null ? noise : rows.clusters.take(toldClusterId);
  putBytes(rows, row, encodeItem(item, kind, cluster));
}

function takeKind(rows: ItemRows, { origin: { topic, incarnation, partition }, routeStep, model, modelVersion }: Item): number {
  const { kinds, lastKind } = rows;
  const last = kinds.at(lastKind);
  const isLast =
    last !== undefined && last.partition === partition && last.incarnation === incarnation && last.topic === topic &&
    last.routeStep === routeStep && last.model === model && last.modelVersion === modelVersion;
  if (isLast) kinds.retain(lastKind);
  else rows.lastKind = kinds.take({ topic, incarnation, partition, routeStep, model, modelVersion });
  return rows.lastKind;
}

function putBytes(rows: ItemRows, row: number, bytes: IdSpan): void {
  ensureRecord(rows.places, row);
  writeField(rows.places, row, 0, (placeId(rows.arena, bytes) + 1) | 0);
  rows.count += 1;
  rows.limit = Math.max(rows.limit, row + 1);
}

export function eraseRow(rows: ItemRows, row: number): void {
  const span = spanOf(rows, row);
  const cluster = clusterIn(span);
  rows.kinds.release(kindIn(span));
  if (cluster !== noise) rows.clusters.release(cluster);
  freeId(rows.arena, placeIn(rows.places, row));
  writeField(rows.places, row, 0, 0);
  rows.count -= 1;
}

export function readRow(rows: ItemRows, row: number, itemId: string): Item {
  const clusterOf = (cluster: number): string | null => (cluster === noise ? null : (rows.clusters.at(cluster) ?? null));
  return decodeItem(spanOf(rows, row), itemId, { kind: (kind) => rows.kinds.at(kind) as ItemKind, cluster: clusterOf });
}

export function timesOfRow(rows: ItemRows, row: number): ReturnType<typeof timesIn> {
  return timesIn(spanOf(rows, row));
}

/** What was told of it last. */
export function tellRow(rows: ItemRows, row: number, clusterId: string | null): void {
  const cluster = clusterId === null ? noise : rows.clusters.take(clusterId);
  const former = clusterIn(spanOf(rows, row));
  if (former !== cluster) writeCluster(writableSpanAt(rows.arena, placeIn(rows.places, row)), cluster);
  if (former !== noise) rows.clusters.release(former);
}

export function* rowsHeld(rows: ItemRows): Generator<number, undefined> {
  for (let row = 0; row < capacityOf(rows.places); row++) if (holdsRow(rows, row)) yield row;
  return undefined;
}

export function renumberRows(rows: ItemRows, numberOf: (row: number) => number): void {
  const places = createRecords(1);
  let limit = 0;
  for (const row of rowsHeld(rows)) {
    const number = numberOf(row);
    limit = Math.max(limit, number + 1);
    ensureRecord(places, number);
    writeField(places, number, 0, readField(rows.places, row, 0));
  }
  rows.places = places;
  rows.limit = limit;
}

export function itemRowsBytes({ arena, places }: ItemRows): number {
  return idArenaBytes(arena) + recordsBytes(places);
}

/** What the numbers in the bytes stand for, by number. */
export type ItemNames = { readonly kinds: readonly (ItemKind | null)[]; readonly clusters: readonly (string | null)[] };

export type OpenItemRows = {
  readonly count: number;
  readonly names: ItemNames;
  /** In the order of the rows. */
  readonly chunks: () => Generator<Buffer>;
};

const chunkBytesMin = 60 * 1024;
const lengthBytes = 4;

/** The rows as they are now, whatever becomes of them. */
export function openItemRows({ arena, places, count, kinds, clusters, shared }: ItemRows): OpenItemRows {
  const frozen = { ...arena, blocks: [...arena.blocks] };
  const frozenPlaces = copyRecords(places);
  for (const block of frozen.blocks.keys()) shared.add(block);
  return { count, names: { kinds: kinds.entries(), clusters: clusters.entries() }, chunks: () => chunksOf(frozen, frozenPlaces) };
}

/** Each `length (uint32, little-endian) | bytes` of one item after the other. */
function* chunksOf(arena: IdArena, places: Records): Generator<Buffer> {
  let chunk = Buffer.allocUnsafe(2 * chunkBytesMin);
  let size = 0;
  for (let row = 0; row < capacityOf(places); row++) {
    if (readField(places, row, 0) === 0) continue;
    const { bytes, start, length } = idSpanAt(arena, placeIn(places, row));
    const end = size + lengthBytes + length;
    if (end > chunk.length) chunk = Buffer.concat([chunk.subarray(0, size)], 2 * end);
    chunk.writeUInt32LE(length, size);
    bytes.copy(chunk, size + lengthBytes, start, start + length);
    size = end;
    if (size < chunkBytesMin) continue;
    yield chunk.subarray(0, size);
    chunk = Buffer.allocUnsafe(2 * chunkBytesMin);
    size = 0;
  }
  if (size > 0) yield chunk.subarray(0, size);
}

/** Into rows without any. */
export function restoreNames({ kinds, clusters }: ItemRows, names: ItemNames): void {
  kinds.restore(names.kinds);
  clusters.restore(names.clusters);
}

/** Into the next rows. @returns whether it is what `chunks` gave. */
export function restoreChunk(rows: ItemRows, chunk: Buffer): boolean {
  let offset = 0;
  while (offset < chunk.length) {
    const start = offset + lengthBytes;
    if (start > chunk.length) return false;
    const length = chunk.readUInt32LE(offset);
    offset = start + length;
    if (offset > chunk.length || length < itemBytesMin) return false;
    const span = { bytes: chunk, start, length };
    const cluster = clusterIn(span);
    if (!rows.kinds.retain(kindIn(span)) || (cluster !== noise && !rows.clusters.retain(cluster))) return false;
    putBytes(rows, rows.count, span);
  }
  return true;
}
