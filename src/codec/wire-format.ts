/**
 * How a value says which schema wrote it. The first bytes tell the two framings apart:
 *
 *     single-object   C3 01 | fingerprint of the writer's schema, 8 bytes little-endian | body
 *     confluent       00 | id of the writer's schema in a registry, 4 bytes big-endian  | body
 *
 * A framing outside of the value (Azure names the id in the record's content type, `avro/binary+ID`, and the value is the body alone) becomes
 * one more kind of `WireFormat`, read from the record's headers here; the codec's switch over the kinds stops compiling until it knows it.
 */
import { codecError } from '../core/errors/codec.ts';

export type WireFormat =
  | { readonly kind: 'single-object'; readonly fingerprint: bigint; readonly bodyOffset: number }
  | { readonly kind: 'confluent'; readonly schemaId: number; readonly bodyOffset: number };

const singleObjectHeaderBytes = 10;
const confluentHeaderBytes = 5;

/** Reads the header; undefined where there is none. */
export function peekWireFormat(bytes: Buffer): WireFormat | undefined {
  if (bytes[0] === 0xc3) {
    if (bytes.length < singleObjectHeaderBytes || bytes[1] !== 0x01) return undefined;
    return { kind: 'single-object', fingerprint: bytes.readBigUInt64LE(2), bodyOffset: singleObjectHeaderBytes };
  }
  const schemaId = confluentSchemaId(bytes);
  return schemaId === undefined ? undefined : { kind: 'confluent', schemaId, bodyOffset: confluentHeaderBytes };
}

/** Undefined where the value is not in Confluent's format; ids are never negative. */
export function confluentSchemaId(bytes: Buffer): number | undefined {
  if (bytes[0] !== 0 || bytes.length < confluentHeaderBytes) return undefined;
  const schemaId = bytes.readInt32BE(1);
  return schemaId < 0 ? undefined : schemaId;
}

/** Reads the header. Throws LS_CODEC_FORMAT where there is none. */
export function readWireFormat(bytes: Buffer): WireFormat {
  const format = peekWireFormat(bytes);
  if (format !== undefined) return format;
  const start = bytes.length === 0 ? 'it is empty' : `it begins with ${bytes.toString('hex', 0, 2)} and has ${bytes.length} bytes`;
  throw codecError('LS_CODEC_FORMAT', `the value is neither an Avro single-object nor in Confluent's format: ${start}`);
}

export function singleObjectHeader(fingerprint: bigint): Buffer {
  const header = Buffer.alloc(singleObjectHeaderBytes);
  header.writeUInt16BE(0xc301);
  header.writeBigUInt64LE(fingerprint, 2);
  return header;
}

export function confluentHeader(schemaId: number): Buffer {
  const header = Buffer.alloc(confluentHeaderBytes);
  header.writeInt32BE(schemaId, 1);
  return header;
}

/** As the header names it: the fingerprint's bytes in hexadecimal, as other Avro tools print them, or `registry:` and the id. */
export function schemaIdOf(format: WireFormat): string {
  if (format.kind === 'confluent') return `registry:${format.schemaId}`;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(format.fingerprint);
  return bytes.toString('hex');
}
