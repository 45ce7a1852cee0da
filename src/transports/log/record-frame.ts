/**
 * A record as it lies in a segment file:
 *
 *   CRC-32 of all that follows (u32) | length of all that follows (u32) | sequence (u64) | append time (f64, ms since the epoch)
 *   | key length (i32, -1 without a key) | key | header count (u32) | per header: name length (u32), name, value length (u32), value | value
 *
 * The sum covers the length too, so that a damaged length cannot make one frame out of two.
 */
import { crc32 } from 'node:zlib';
import type { StoredRecord } from './log-store.ts';

const prefixBytes = 8;
const fixedBytes = prefixBytes + 8 + 8 + 4 + 4;

export type RecordContent = Pick<StoredRecord, 'key' | 'value' | 'headers'>;

export function recordFrameBytes(record: RecordContent): number {
  let bytes = fixedBytes + (record.key?.length ?? 0) + record.value.length;
  for (const [name, value] of record.headers) bytes += 8 + Buffer.byteLength(name) + value.length;
  return bytes;
}

/** Writes the frame at `start` and returns where it ends; `target` has room for `recordFrameBytes`. */
export function encodeRecordFrame(target: Buffer, start: number, record: RecordContent, sequence: bigint, appendTimeMs: number): number {
  let offset = target.writeBigUInt64BE(sequence, start + prefixBytes);
  offset = target.writeDoubleBE(appendTimeMs, offset);
  offset = target.writeInt32BE(record.key?.length ?? -1, offset);
  if (record.key !== null) offset += record.key.copy(target, offset);
  offset = target.writeUInt32BE(record.headers.size, offset);
  for (const [name, value] of record.headers) {
    const nameBytes = target.write(name, offset + 4);
    target.writeUInt32BE(nameBytes, offset);
    offset = target.writeUInt32BE(value.length, offset + 4 + nameBytes);
    offset += value.copy(target, offset);
  }
  offset += record.value.copy(target, offset);
  target.writeUInt32BE(offset - start - prefixBytes, start + 4);
  target.writeUInt32BE(crc32(target.subarray(start + 4, offset)), start);
  return offset;
}

export type DecodedFrame =
  | { readonly kind: 'record'; readonly record: StoredRecord; readonly end: number }
  /** At least `bytes` from the start of the frame are needed. */
  | { readonly kind: 'incomplete'; readonly bytes: number }
  | { readonly kind: 'invalid' };

/** The record's buffers share the memory of `source`. */
export function decodeRecordFrame(source: Buffer, start: number): DecodedFrame {
  if (source.length - start < prefixBytes) return { kind: 'incomplete', bytes: prefixBytes };
  const length = source.readUInt32BE(start + 4);
  if (length < fixedBytes - prefixBytes) return { kind: 'invalid' };
  const end = start + prefixBytes + length;
  if (end > source.length) return { kind: 'incomplete', bytes: prefixBytes + length };
  if (source.readUInt32BE(start) !== crc32(source.subarray(start + 4, end))) return { kind: 'invalid' };
  return { kind: 'record', record: decodeContent(source.subarray(start + prefixBytes, end)), end };
}

function decodeContent(content: Buffer): StoredRecord {
  const keyLength = content.readInt32BE(16);
  let offset = 20;
  const key = keyLength < 0 ? null : content.subarray(offset, (offset += keyLength));
  const headerCount = content.readUInt32BE(offset);
  offset += 4;
  const headers = new Map<string, Buffer>();
  for (let index = 0; index < headerCount; index += 1) {
    const nameBytes = content.readUInt32BE(offset);
    const name = content.toString('utf8', offset + 4, offset + 4 + nameBytes);
    offset += 4 + nameBytes;
    const valueBytes = content.readUInt32BE(offset);
    headers.set(name, content.subarray(offset + 4, offset + 4 + valueBytes));
    offset += 4 + valueBytes;
  }
  return {
    sequence: content.readBigUInt64BE(0),
    appendTimeMs: content.readDoubleBE(8),
    key,
    value: content.subarray(offset),
    headers,
  };
}
