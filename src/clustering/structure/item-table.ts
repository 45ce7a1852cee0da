/**
 * The live items: itemId <-> a small integer, which stays while the item lives and is then given to others. An item is one record of 28 bytes:
 *
 *   id         where its bytes are (id-arena.ts)
 *   point      its point; -1: not live
 *   next,      the items of the same point, -1 at both ends; of a free record, next is the next free one
 *   previous
 *   told       the cluster last told to consumers; -1: noise; -2: nothing yet
 *   sequence   of the record that told it, in two halves, low and high
 *
 * Items are found through a hash table with open addressing: the index of the item plus one, 0 for an empty place.
 */
import { randomBytes } from 'node:crypto';
import { createIdArena, equalsId, freeId, idArenaBytes, idBytesAt, idSpanAt, placeId, type IdArena, type IdSpan } from './id-arena.ts';
import { createRecords, ensureRecord, readField, recordsBytes, writeField, type Records } from './records.ts';

export const itemFields = { id: 0, point: 1, next: 2, previous: 3, told: 4, low: 5, high: 6 } as const;

export type ItemTable = {
  readonly records: Records;
  readonly arena: IdArena;
  /** Live items. */
  size: number;
  /** All indices ever given are below it. */
  limit: number;
  free: number;
  places: Int32Array;
  /** What was found last: a record asks for its item many times. */
  last: { readonly itemId: string; readonly item: number } | undefined;
  /** Called before an item's record or its life changes: a snapshot that is being written may still need it. */
  readonly beforeChange: (item: number) => void;
};

export const toldNothing = -2;

const placesMin = 32;
const itemsReservedMax = 2 ** 22;

export function createItemTable(beforeChange: ItemTable['beforeChange']): ItemTable {
  return {
    records: createRecords(7), arena: createIdArena(), size: 0, limit: 0, free: -1, places: new Int32Array(placesMin), last: undefined, beforeChange,
  };
}

let scratch = Buffer.alloc(1024);

/** Into a buffer that the next call uses again. */
function encode(itemId: string): IdSpan {
  if (scratch.length < 3 * itemId.length) scratch = Buffer.alloc(6 * itemId.length);
  return { bytes: scratch, start: 0, length: scratch.write(itemId) };
}

/** @returns -1 when there is no such live item. */
export function findItem(table: ItemTable, itemId: string): number {
  if (table.last?.itemId === itemId) return table.last.item;
  const item = (table.places[findPlace(table, encode(itemId))] as number) - 1;
  table.last = { itemId, item };
  return item;
}

/** @returns the item whose id is that of an item of another table; -1 when there is none. Quick where the two have the same numbers. */
export function findItemLike(table: ItemTable, other: ItemTable, item: number): number {
  const id = idSpanAt(other.arena, readField(other.records, item, itemFields.id));
  if (item < table.limit && readField(table.records, item, itemFields.point) !== -1 && equalsId(table.arena, readField(table.records, item, itemFields.id), id)) return item;
  return (table.places[findPlace(table, id)] as number) - 1;
}

export function addItem(table: ItemTable, itemId: string, point: number): number {
  const item = addItemBytes(table, encode(itemId), point);
  table.last = { itemId, item };
  return item;
}

/** Before so many items are added, as somebody says. */
export function reserveItems(table: ItemTable, count: number): void {
  table.places = growPlaces(table, Math.max(placesMin, Math.ceil(1.6 * Math.min(itemsReservedMax, count))));
}

/** @throws RangeError when there is such an item. */
export function addItemBytes(table: ItemTable, id: IdSpan, point: number): number {
  if (3 * (table.size + 1) > 2 * table.places.length) table.places = growPlaces(table, Math.ceil(1.25 * Math.max(placesMin, table.places.length)));
  const place = findPlace(table, id);
  if (table.places[place] !== 0) throw new RangeError(`item ${id.bytes.toString('utf8', id.start, id.start + id.length)} is there already`);
  const { records } = table;
  const item = table.free === -1 ? table.limit : table.free;
  table.beforeChange(item);
  if (table.free === -1) ensureRecord(records, table.limit++);
  else table.free = readField(records, item, itemFields.next);
  writeField(records, item, itemFields.id, placeId(table.arena, id));
  writeField(records, item, itemFields.point, point);
  writeField(records, item, itemFields.next, -1);
  writeField(records, item, itemFields.previous, -1);
  writeField(records, item, itemFields.told, toldNothing);
  table.places[place] = item + 1;
  table.size++;
  table.last = undefined;
  return item;
}

/** The item is in no list of a point any more. */
export function removeItem(table: ItemTable, item: number): void {
  table.beforeChange(item);
  const { records } = table;
  emptyPlace(table, item);
  freeId(table.arena, readField(records, item, itemFields.id));
  writeField(records, item, itemFields.point, -1);
  writeField(records, item, itemFields.next, table.free);
  table.free = item;
  table.size--;
  table.last = undefined;
}

export function itemIdOf({ records, arena }: ItemTable, item: number): string {
  const { bytes, start, length } = idSpanAt(arena, readField(records, item, itemFields.id));
  return bytes.toString('utf8', start, start + length);
}

/** A view, until the item leaves. */
export function idBytes({ records, arena }: ItemTable, item: number): Buffer {
  return idBytesAt(arena, readField(records, item, itemFields.id));
}

export function* liveItems({ records, limit }: ItemTable): Generator<number> {
  for (let item = 0; item < limit; item++) if (readField(records, item, itemFields.point) !== -1) yield item;
}

export function toldSequence({ records }: ItemTable, item: number): bigint {
  return (BigInt(readField(records, item, itemFields.high)) << 32n) | BigInt(readField(records, item, itemFields.low) >>> 0);
}

export function writeTold({ records }: ItemTable, item: number, cluster: number, low: number, high: number): void {
  writeField(records, item, itemFields.told, cluster);
  writeField(records, item, itemFields.low, low);
  writeField(records, item, itemFields.high, high);
}

export function itemTableBytes({ records, arena, places }: ItemTable): number {
  return recordsBytes(records) + idArenaBytes(arena) + places.byteLength;
}

/** Of the id, or the empty place where it belongs. */
function findPlace({ records, arena, places }: ItemTable, id: IdSpan): number {
  let place = placeFor(hashOf(id), places.length);
  for (;;) {
    const entry = places[place] as number;
    if (entry === 0 || equalsId(arena, readField(records, entry - 1, itemFields.id), id)) return place;
    place = place + 1 === places.length ? 0 : place + 1;
  }
}

/** What follows in the same run moves up where that brings it nearer to its own place. */
function emptyPlace(table: ItemTable, item: number): void {
  const { places } = table;
  const { length } = places;
  const home = (entry: number): number => placeFor(hashOf(idSpanAt(table.arena, readField(table.records, entry - 1, itemFields.id))), length);
  let hole = home(item + 1);
  while (places[hole] !== item + 1) hole = hole + 1 === length ? 0 : hole + 1;
  for (let place = hole; ;) {
    place = place + 1 === length ? 0 : place + 1;
    const entry = places[place] as number;
    if (entry === 0) break;
    // How far the entry is from its own place, and how far the hole is from there.
    const distance = (place - home(entry) + length) % length;
    if ((place - hole + length) % length > distance) continue;
    places[hole] = entry;
    hole = place;
  }
  places[hole] = 0;
}

function growPlaces({ records, arena, limit }: ItemTable, length: number): Int32Array {
  const places = new Int32Array(length);
  for (let item = 0; item < limit; item++) {
    if (readField(records, item, itemFields.point) === -1) continue;
    let place = placeFor(hashOf(idSpanAt(arena, readField(records, item, itemFields.id))), places.length);
    while (places[place] !== 0) place = place + 1 === places.length ? 0 : place + 1;
    places[place] = item + 1;
  }
  return places;
}

function placeFor(hash: number, length: number): number {
  return Math.floor((hash / 2 ** 32) * length);
}

/** Each process draws its own, so that nobody can make up ids that all belong in one place. The places that items have show nowhere. */
const hashBasis = randomBytes(4).readInt32LE();

/** FNV-1a, and a last mixing, since the place is taken from the highest bits. */
function hashOf({ bytes, start, length }: IdSpan): number {
  let hash = hashBasis;
  for (let index = start; index < start + length; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
