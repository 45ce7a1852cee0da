/**
 * Unpacking the records of a batch, within a bound. What a few hundred kilobytes become is their writer's to say, up to a thousand times as much;
 * gzip and zstd stop at the bound, and of snappy and LZ4, whose decoders know none and run on the main loop, the size is read beforehand.
 */
import { compressionsAlgorithms } from '@platformatic/kafka';
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';

const gunzipAsync = promisify(gunzip);
const zstdAsync = promisify(zstdDecompress);
const { decompressSync: unpackSnappy } = compressionsAlgorithms.snappy;
const { decompressSync: unpackLz4 } = compressionsAlgorithms.lz4;

const mebibyte = 1024 * 1024;

/**
 * Of a batch of that size. Clients limit batches before they compress them, mostly to a megabyte, and brokers limit what comes, so 64 MiB is far
 * above what is written in earnest; where a topic takes batches of more than 4 MiB, they may be a sixteenth of what they hold.
 */
export const unpackedBytesMax = (batchBytes: number): number => Math.max(64 * mebibyte, 16 * batchBytes);

/** @param compression as in a batch's attributes. @param bytesMax rejects where it is more. */
export async function unpack(bytes: Buffer, compression: number, bytesMax: number): Promise<Buffer> {
  switch (compression) {
    case 0:
      return bytes;
    case 1:
      return gunzipAsync(bytes, { maxOutputLength: bytesMax });
    case 2:
      requireAtMost(snappyBytes(bytes), bytesMax);
      return unpackSnappy(bytes);
    case 3:
      requireAtMost(lz4Bytes(bytes, bytesMax), bytesMax);
      return unpackLz4(bytes);
    case 4:
      return zstdAsync(bytes, { maxOutputLength: bytesMax });
    default:
      throw new Error(`compression ${compression} is not known`);
  }
}

function requireAtMost(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new RangeError(`unpacked it has more than ${bytesMax} bytes`);
}

const xerialHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const xerialHeaderBytes = 16;

/** A block begins with its size; Java's clients write several, each behind its length. */
function snappyBytes(bytes: Buffer): number {
  if (!bytes.subarray(0, xerialHeader.length).equals(xerialHeader)) return leadingSize(bytes, 0);
  let total = 0;
  for (let at = xerialHeaderBytes; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at)) total += leadingSize(bytes, at + 4);
  return total;
}

function leadingSize(bytes: Buffer, at: number): number {
  let size = 0;
  for (let index = 0; index < 5; index += 1) {
    const byte = bytes[at + index] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) break;
  }
  return size;
}

const lz4Magic = 0x184d2204;

/**
 * By the lengths in the blocks (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md): few frames say their size, and it need not be true.
 * Counts on only until it is more than `enough`.
 */
function lz4Bytes(bytes: Buffer, enough: number): number {
  let total = 0;
  let at = 0;
  while (at < bytes.length && total <= enough) {
    if (bytes.length - at < 7 || bytes.readUInt32LE(at) !== lz4Magic) throw new Error('it is not an LZ4 frame');
    const flags = bytes.readUInt8(at + 4);
    const has = (flag: number, size: number): number => ((flags & flag) === 0 ? 0 : size);
    at += 7 + has(0x08, 8) + has(0x01, 4);
    while (at + 4 <= bytes.length && total <= enough) {
      const size = bytes.readUInt32LE(at);
      at += 4;
      if (size === 0) break;
      const stored = size & 0x7fff_ffff;
      total += size > 0x7fff_ffff ? stored : lz4BlockBytes(bytes.subarray(at, at + stored));
      at += stored + has(0x10, 4);
    }
    at += has(0x04, 4);
  }
  return total;
}

/** Sequences of literals and a copy of what came before; the last has no copy. */
function lz4BlockBytes(block: Buffer): number {
  let total = 0;
  let at = 0;
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; ) {
      byte = block[at++] ?? 0;
      length += byte;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = lengthFrom(token >> 4);
    at += literals;
    total += literals;
    if (at >= block.length) break;
    at += 2;
    total += lengthFrom(token & 15) + 4;
  }
  return total;
}
