/**
 * Where some of a segment's records lie: one entry for about every 4 KiB, so that a read finds its record after a short scan. The active
 * segment's index grows in memory; a closed one's is kept beside it in a file that can always be made again, so it is written without
 * synchronisation and believed only when its own sum, and the length of the segment that it describes, agree.
 *
 *   file header | segment length (f64) | entry count (u32) | per entry: sequence - base (u32), offset (f64), append time (f64) | CRC-32 of all before (u32)
 */
import { crc32 } from 'node:zlib';
import { checkFileHeader, encodeFileHeader, fileHeaderBytes } from './file-header.ts';

const entrySpacingBytes = 4096;
const entryBytes = 20;
const fixedBytes = fileHeaderBytes + 8 + 4 + 4;

export type SparseIndex = {
  readonly relativeSequences: number[];
  readonly offsets: number[];
  readonly appendTimesMs: number[];
};

export function createSparseIndex(): SparseIndex {
  return { relativeSequences: [], offsets: [], appendTimesMs: [] };
}

/** Notes a record unless one within the spacing is noted already; records come in order. */
export function noteRecord(index: SparseIndex, relativeSequence: number, offset: number, appendTimeMs: number): void {
  const last = index.offsets.at(-1);
  if (last !== undefined && offset - last < entrySpacingBytes) return;
  index.relativeSequences.push(relativeSequence);
  index.offsets.push(offset);
  index.appendTimesMs.push(appendTimeMs);
}

/** The last noted record at or before `relativeSequence`; the segment's first where none is noted. */
export function findStart(index: SparseIndex, relativeSequence: number): { readonly relativeSequence: number; readonly offset: number } {
  const count = countUpTo(index.relativeSequences, relativeSequence);
  const found = index.relativeSequences[count - 1];
  const offset = index.offsets[count - 1];
  if (found === undefined || offset === undefined) return { relativeSequence: 0, offset: fileHeaderBytes };
  return { relativeSequence: found, offset };
}

/** Where the first noted record at or after `relativeSequence` lies; undefined where none is noted. */
export function offsetAtOrAfter(index: SparseIndex, relativeSequence: number): number | undefined {
  return index.offsets[countUpTo(index.relativeSequences, relativeSequence - 1)];
}

/** Where the first noted record behind `offset` lies; undefined where none is noted. */
export function offsetAfter(index: SparseIndex, offset: number): number | undefined {
  return index.offsets[countUpTo(index.offsets, offset)];
}

/** Where the last noted record at or before `offset` lies; undefined where none is noted. */
export function offsetAtOrBefore(index: SparseIndex, offset: number): number | undefined {
  return index.offsets[countUpTo(index.offsets, offset) - 1];
}

/** How many of the rising numbers are at most `value`. */
function countUpTo(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rising[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function encodeIndex(index: SparseIndex, baseSequence: bigint, segmentBytes: number): Buffer {
  const count = index.offsets.length;
  const encoded = Buffer.allocUnsafe(fixedBytes + count * entryBytes);
  encodeFileHeader('index', baseSequence).copy(encoded);
  let offset = encoded.writeDoubleBE(segmentBytes, fileHeaderBytes);
  offset = encoded.writeUInt32BE(count, offset);
  for (let entry = 0; entry < count; entry += 1) {
    offset = encoded.writeUInt32BE(index.relativeSequences[entry] ?? 0, offset);
    offset = encoded.writeDoubleBE(index.offsets[entry] ?? 0, offset);
    offset = encoded.writeDoubleBE(index.appendTimesMs[entry] ?? 0, offset);
  }
  encoded.writeUInt32BE(crc32(encoded.subarray(0, offset)), offset);
  return encoded;
}

/** Undefined where the bytes are not the index of that segment: it is then made again. */
export function decodeIndex(encoded: Buffer, baseSequence: bigint, segmentBytes: number): SparseIndex | undefined {
  if (encoded.length < fixedBytes || checkFileHeader('index', baseSequence, encoded) !== 'valid') return undefined;
  const count = encoded.readUInt32BE(fileHeaderBytes + 8);
  if (encoded.length !== fixedBytes + count * entryBytes || encoded.readDoubleBE(fileHeaderBytes) !== segmentBytes) return undefined;
  if (encoded.readUInt32BE(encoded.length - 4) !== crc32(encoded.subarray(0, encoded.length - 4))) return undefined;
  const index = createSparseIndex();
  for (let entry = 0; entry < count; entry += 1) {
    const offset = fileHeaderBytes + 12 + entry * entryBytes;
    index.relativeSequences.push(encoded.readUInt32BE(offset));
    index.offsets.push(encoded.readDoubleBE(offset + 4));
    index.appendTimesMs.push(encoded.readDoubleBE(offset + 12));
  }
  return index;
}
