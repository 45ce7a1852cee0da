/**
 * From the record batches of a Fetch answer to records. What is not visible (markers, records of aborted transactions) is dropped by the batch, as
 * Kafka's own consumer does it; what is visible is decoded when it is polled, so that what a seek drops costs nothing and what is read ahead is bytes.
 *
 * kafkajs' filter of aborted records is not used: it takes any record with the key 00 00 00 00 for an abort marker, and where two aborted
 * transactions began before the fetched offset, it lets the first record of the second pass.
 *
 * A record batch, version 2 (https://kafka.apache.org/documentation/#recordbatch):
 *
 *   0 base offset | 8 length of what follows | 12 leader epoch | 16 magic | 17 crc | 21 attributes | 23 last offset delta
 *   27 base timestamp | 35 largest timestamp | 43 producer id | 51 epoch | 53 base sequence | 57 count | 61 records
 */
import { kafkaError } from '../../core/errors/kafka.ts';
import { noHeaders, recordBytes, type ConsumedRecord, type Headers, type TopicPartition } from '../../core/records.ts';
import { unpack, unpackedBytesMax } from './decompression.ts';
import type { AbortedTransaction, FetchedPartition } from './fetch-request.ts';

/** Visible records of one batch, not compressed, not yet decoded. */
export type VisibleBatch = {
  readonly baseOffset: bigint;
  readonly count: number;
  readonly baseTimestampMs: number;
  /** Undefined where every record has a timestamp of its producer. */
  readonly appendTimeMs: number | undefined;
  readonly records: Buffer;
};

export type VisibleBatches = {
  readonly batches: readonly VisibleBatch[];
  /** Nothing is visible from here to `nextOffset`. */
  readonly hiddenFrom: bigint;
  /** Where the next fetch goes on: behind everything that was looked at, visible or not. */
  readonly nextOffset: bigint;
};

const frameBytes = 12;
const headerBytes = 61;
const magicOfToday = 2;
const compressionMask = 0x07;
const logAppendTimeFlag = 0x08;
const transactionalFlag = 0x10;
const controlFlag = 0x20;

/** @param fetchOffset where the fetch began: the first batch may begin before it. */
export async function visibleBatches(fetched: FetchedPartition, fetchOffset: bigint): Promise<VisibleBatches> {
  const { batches: bytes } = fetched;
  const isAborted = abortedFilter(fetched.aborted);
  const batches: VisibleBatch[] = [];
  let nextOffset = fetchOffset;
  let hiddenFrom = fetchOffset;
  let unpackedBytes = 0;
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const batch = bytes.subarray(at, at + frameBytes + bytes.readInt32BE(at + 8));
    if (at + frameBytes + bytes.readInt32BE(at + 8) > bytes.length) break;
    at += batch.length;
    try {
      if (batch[16] !== magicOfToday) throw unreadable(fetched, batch, `it is of version ${batch[16] ?? 'none'}`);
      const baseOffset = batch.readBigInt64BE(0);
      const lastOffset = baseOffset + BigInt(batch.readInt32BE(23));
      const hidden = isAborted(batch, lastOffset);
      const count = batch.readInt32BE(57);
      if (lastOffset < fetchOffset) continue;
      if (!hidden && count > 0) {
        // All together have the bound of one: the rest is fetched again.
        const visible = await visibleBatch(fetched, batch, unpackedBytesMax(batch.length) - unpackedBytes);
        batches.push(visible);
        unpackedBytes += visible.records.length;
        hiddenFrom = lastOffset + 1n;
      }
      nextOffset = lastOffset + 1n;
    } catch (error) {
      // What stands before it is read first; then it is met at the beginning of a fetch.
      if (nextOffset > fetchOffset) break;
      throw error;
    }
  }
  return { batches, hiddenFrom, nextOffset };
}

async function visibleBatch(where: TopicPartition, batch: Buffer, bytesMax: number): Promise<VisibleBatch> {
  const attributes = batch.readInt16BE(21);
  try {
    return {
      baseOffset: batch.readBigInt64BE(0),
      count: batch.readInt32BE(57),
      baseTimestampMs: Number(batch.readBigInt64BE(27)),
      appendTimeMs: (attributes & logAppendTimeFlag) === 0 ? undefined : Number(batch.readBigInt64BE(35)),
      records: await unpack(batch.subarray(headerBytes), attributes & compressionMask, Math.max(1, bytesMax)),
    };
  } catch (error) {
    throw unreadable(where, batch, error instanceof Error ? error.message : String(error), error);
  }
}

/** Says of batch after batch, in their order, whether nobody sees it. */
function abortedFilter(transactions: readonly AbortedTransaction[]): (batch: Buffer, lastOffset: bigint) => boolean {
  // The broker lists them as they ended.
  const pending = [...transactions].sort((one, other) => (one.firstOffset < other.firstOffset ? -1 : 1));
  const aborting = new Set<bigint>();
  return (batch, lastOffset) => {
    while (pending[0] !== undefined && pending[0].firstOffset <= lastOffset) aborting.add(pending.shift()?.producerId ?? -1n);
    const attributes = batch.readInt16BE(21);
    const producerId = batch.readBigInt64BE(43);
    if ((attributes & controlFlag) !== 0) {
      if (isAbortMarker(batch)) aborting.delete(producerId);
      return true;
    }
    return (attributes & transactionalFlag) !== 0 && aborting.has(producerId);
  };
}

/** A marker's key is two 16-bit numbers: version, and 0 for abort or 1 for commit. Compaction may have left none of it. */
function isAbortMarker(batch: Buffer): boolean {
  if (batch.readInt32BE(57) === 0) return false;
  const cursor = { buffer: batch, at: headerBytes };
  readVarint(cursor);
  cursor.at += 1;
  skipVarint(cursor);
  readVarint(cursor);
  return readVarint(cursor) >= 4 && batch.readInt16BE(cursor.at + 2) === 0;
}

function unreadable({ topic, partition }: TopicPartition, batch: Buffer, reason: string, cause?: unknown): Error {
  const offset = batch.readBigInt64BE(0);
  const message = `The record batch at offset ${offset.toString()} of partition ${partition} of ${topic} cannot be read: ${reason}.`;
  return kafkaError('LS_KAFKA_RECORDS_UNREADABLE', message, { topic, partition, offset }, { cause });
}

type Cursor = { buffer: Buffer; at: number };

export type RecordSource = TopicPartition & { readonly incarnation: string };

/** A record and its size in a budget. */
export type SizedRecord = { readonly record: ConsumedRecord; readonly bytes: number };

/** The records of one batch from `fromOffset` on. */
export type BatchReader = {
  /** Undefined behind the last. */
  readonly next: () => SizedRecord | undefined;
  readonly bytesLeft: () => number;
};

const bookkeepingBytes = recordBytes({ key: null, value: Buffer.alloc(0), headers: noHeaders });

/** @param nowMs what a producer's timestamp is at most worth. */
export function readBatch(source: RecordSource, batch: VisibleBatch, fromOffset: bigint, nowMs: () => number): BatchReader {
  const { topic, partition, incarnation } = source;
  const { baseOffset, count, baseTimestampMs, appendTimeMs } = batch;
  // Numbers are several times as fast as bigints, and exact up to here.
  const base = Number(baseOffset);
  const isExact = base + 0x7fff_ffff <= Number.MAX_SAFE_INTEGER;
  const cursor: Cursor = { buffer: batch.records, at: 0 };
  let left = count;
  const next = (): SizedRecord | undefined => {
    while (left > 0) {
      left -= 1;
      const length = readVarint(cursor);
      const end = cursor.at + length;
      cursor.at += 1;
      const timestampDelta = appendTimeMs === undefined ? readVarlong(cursor) : (skipVarint(cursor), 0);
      const offsetDelta = readVarint(cursor);
      const sequence = isExact ? BigInt(base + offsetDelta) : baseOffset + BigInt(offsetDelta);
      if (sequence < fromOffset) {
        cursor.at = end;
        continue;
      }
      const key = readBytes(cursor);
      const value = readBytes(cursor) ?? Buffer.alloc(0);
      const headers = readHeaders(cursor);
      if (cursor.at !== end || end > cursor.buffer.length) {
        throw kafkaError('LS_KAFKA_RECORDS_UNREADABLE', `A record of partition ${partition} of ${topic} does not end where it says.`, { topic, partition, offset: sequence });
      }
      const record = {
        topic,
        partition,
        incarnation,
        sequence,
        nextPosition: isExact ? String(base + offsetDelta + 1) : (sequence + 1n).toString(),
        appendTimeMs: appendTimeMs ?? Math.min(baseTimestampMs + timestampDelta, nowMs()),
        key,
        value,
        headers,
      };
      return { record, bytes: headers === noHeaders ? bookkeepingBytes + (key === null ? 0 : key.length) + value.length : recordBytes(record) };
    }
    return undefined;
  };
  return { next, bytesLeft: () => (left === 0 ? 0 : cursor.buffer.length - cursor.at) };
}

function readHeaders(cursor: Cursor): Headers {
  const count = readVarint(cursor);
  if (count === 0) return noHeaders;
  const headers = new Map<string, Buffer>();
  for (let index = 0; index < count; index++) {
    const name = readBytes(cursor)?.toString() ?? '';
    headers.set(name, readBytes(cursor) ?? Buffer.alloc(0));
  }
  return headers;
}

function readBytes(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor);
  if (length < 0) return null;
  cursor.at += length;
  return cursor.buffer.subarray(cursor.at - length, cursor.at);
}

/** Zigzag, at most 32 bits. Behind the end of the buffer it reads zeros, which the check of a record's end finds. */
function readVarint(cursor: Cursor): number {
  const { buffer } = cursor;
  let byte = buffer[cursor.at++] ?? 0;
  let value = byte & 0x7f;
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = buffer[cursor.at++] ?? 0;
    value |= (byte & 0x7f) << shift;
  }
  return (value >>> 1) ^ -(value & 1);
}

/** Zigzag, at most 64 bits: a difference of timestamps, which a number holds. */
function readVarlong(cursor: Cursor): number {
  let byte = 0x80;
  let value = 0n;
  for (let shift = 0n; byte >= 0x80; shift += 7n) {
    byte = cursor.buffer[cursor.at++] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
  }
  return Number((value >> 1n) ^ -(value & 1n));
}

function skipVarint(cursor: Cursor): void {
  while ((cursor.buffer[cursor.at++] ?? 0) >= 0x80);
}
