/**
 * A snapshot (format 4): the columns of a clustering in its own numbers, so that it is written and read at the speed of the disk, without
 * distances. Numbers are little-endian int32 unless said otherwise.
 *
 *   chunk 0         header, JSON: parameters, identity, sequence, how many chunks of clusters and aliases follow, and how many of the rest
 *   clusters ...    JSON: [[id, founding sequence, rank], ...]
 *   aliases ...     JSON: [[from, to, sequence], ...]
 *   points ...      1, count | name of the cluster it is core in, or -1 | ... | point it hangs on, or -1 | ...
 *   items ...       2, count | point | ... | name told, -1 for noise | ... | sequence, low half | ... | high half | ... | bytes of the id | ...
 *                   | the ids, UTF-8
 *   vectors ...     3, count | float32 x dimensions | ...
 *   lists ...       5, count of what follows | point, how many neighbours, neighbours | ...
 *
 * Names count the clusters and then the aliases, points those that are live, both in the order in which they come. Every edge is in the lists of
 * both its ends, so that they are read as they are kept; a point may come several times, each time with a part of its list.
 */
import { endianness } from 'node:os';
import type { ClusteringIdentity, ClusteringParameters } from '../clustering.ts';

export const columnFormat = 4;
export const chunkKinds = { points: 1, items: 2, vectors: 3, lists: 5 } as const;
export const chunkHeadBytes = 8;
/** A chunk is not longer than this, unless one id or vector is. */
export const chunkBytesMax = 256 * 1024;

export type SnapshotHeader = {
  readonly format: number;
  readonly parameters: ClusteringParameters;
  readonly identity: ClusteringIdentity;
  readonly sequence: string | null;
  readonly dimensions: number;
  readonly chunks: { readonly clusters: number; readonly aliases: number };
  readonly itemCount: number;
};

export type ColumnHeader = SnapshotHeader & { readonly pointCount: number; readonly edgeCount: number };

/** Of a header: what is no number would end a loop before anything is read. @throws RangeError */
export function requireCounts(counts: Readonly<Record<string, unknown>>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || Number(count) < 0) throw new RangeError(`its ${name} is ${JSON.stringify(count)}`);
  }
}

/** The integers in their stored form, behind the head of their chunk. */
export function encodeInts(kind: number, count: number, ints: Int32Array, rest: readonly Uint8Array[] = []): Buffer {
  const head = Buffer.alloc(chunkHeadBytes);
  head.writeInt32LE(kind, 0);
  head.writeInt32LE(count, 4);
  return Buffer.concat([head, littleEndian(Buffer.from(ints.buffer, ints.byteOffset, ints.byteLength)), ...rest]);
}

export type DecodedChunk = {
  readonly count: number;
  /** Views, until the next chunk is decoded. */
  readonly ints: (length: number) => Int32Array;
  /** All that is left. */
  readonly floats: () => Float32Array;
  readonly rest: () => Buffer;
};

let scratch = Buffer.from(new ArrayBuffer(chunkBytesMax));

/** Where numbers can be read: in files chunks lie anywhere. */
function toScratch(chunk: Buffer): Buffer {
  if (chunk.length > scratch.length) scratch = Buffer.from(new ArrayBuffer(2 * chunk.length));
  chunk.copy(scratch);
  return scratch.subarray(0, chunk.length);
}

/** @throws RangeError for a chunk of another kind, and where it is too short. */
export function decodeChunk(stored: Buffer, kind: number): DecodedChunk {
  const chunk = toScratch(stored);
  const found = chunk.readInt32LE(0);
  if (found !== kind) throw new RangeError(`there is a chunk of kind ${found} where one of kind ${kind} belongs`);
  const count = chunk.readInt32LE(4);
  if (count < 1) throw new RangeError(`a chunk holds ${count} of its kind`);
  let offset = chunkHeadBytes;
  return {
    count,
    ints: (length) => {
      const end = offset + 4 * length;
      if (length < 0 || end > chunk.length) throw new RangeError('a chunk is too short');
      const bytes = littleEndian(chunk.subarray(offset, end));
      offset = end;
      return new Int32Array(bytes.buffer, bytes.byteOffset, length);
    },
    floats: () => {
      const bytes = littleEndian(chunk.subarray(offset));
      if (bytes.length % 4 !== 0) throw new RangeError('a chunk ends within a number');
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    },
    rest: () => chunk.subarray(offset),
  };
}

function littleEndian(bytes: Buffer): Buffer {
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}
