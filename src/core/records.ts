/** What a transport hands over and takes: bytes with coordinates. Nothing here knows what the bytes mean. */

export type TopicPartition = { readonly topic: string; readonly partition: number };

/** Names are case-sensitive; order is kept; a later header of one name replaces an earlier one. */
export type Headers = ReadonlyMap<string, Buffer>;

/**
 * Where a consumer goes on reading. Opaque: for seek and commit only, never computed, never compared (SEMANTICS.md, rule 1).
 */
export type Position = string;

export type ConsumedRecord = TopicPartition & {
  /** Identity of this life of the topic. */
  readonly incarnation: string;
  /** Rises within a partition, may have gaps; for order and ids. */
  readonly sequence: bigint;
  /** Where a consumer that has handled this record goes on. */
  readonly nextPosition: Position;
  /** The transport's own append time, milliseconds since the epoch; never the producer's timestamp. */
  readonly appendTimeMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Headers;
};

export type OutputRecord = TopicPartition & {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Headers;
};

export const noHeaders: Headers = new Map();

/** Of a record, and of each of its headers: more than any file or frame needs to tell where they begin and end. */
const bookkeepingBytes = 64;

/**
 * Bytes that a record occupies in a budget, and what its size is wherever a size is limited: its content, in UTF-8, and a flat overhead for its
 * bookkeeping and for that of each header.
 */
export function recordBytes(record: { readonly key: Buffer | null; readonly value: Buffer; readonly headers: Headers }): number {
  let bytes = bookkeepingBytes + (record.key?.length ?? 0) + record.value.length;
  if (record.headers.size === 0) return bytes;
  for (const [name, value] of record.headers) bytes += bookkeepingBytes + Buffer.byteLength(name) + value.length;
  return bytes;
}
