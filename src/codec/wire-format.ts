/**
 * How a value says which schema wrote it. On the embedded log every value is an Avro single-object:
 *
 *     C3 01 | fingerprint of the writer's schema, 8 bytes little-endian | body
 *
 * Other transports bring other framings; each becomes one more kind of `WireFormat`, and the codec's switch over them stops compiling
 * until it knows what to do.
 */
import { codecError } from '../core/errors/codec.ts';

export type WireFormat = { readonly kind: 'single-object'; readonly fingerprint: bigint; readonly bodyOffset: number };

export const singleObjectHeaderBytes = 10;

/** Reads the header; undefined where there is none. */
export function peekWireFormat(bytes: Buffer): WireFormat | undefined {
  if (bytes.length < singleObjectHeaderBytes || bytes[0] !== 0xc3 || bytes[1] !== 0x01) return undefined;
  return { kind: 'single-object', fingerprint: bytes.readBigUInt64LE(2), bodyOffset: singleObjectHeaderBytes };
}

/** Reads the header. Throws LS_CODEC_FORMAT where there is none. */
export function readWireFormat(bytes: Buffer): WireFormat {
  const format = peekWireFormat(bytes);
  if (format !== undefined) return format;
  const start = bytes.length === 0 ? 'it is empty' : `it begins with ${bytes.toString('hex', 0, 2)} and has ${bytes.length} bytes`;
  throw codecError('LS_CODEC_FORMAT', `the value is not an Avro single-object: ${start}`);
}

export function writeSingleObjectHeader(target: Buffer, fingerprint: bigint): void {
  target[0] = 0xc3;
  target[1] = 0x01;
  target.writeBigUInt64LE(fingerprint, 2);
}

/** The 8 bytes as they stand on the wire, in hexadecimal: what other Avro tools print for a CRC-64-AVRO fingerprint. */
export function schemaIdOfFingerprint(fingerprint: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(fingerprint);
  return bytes.toString('hex');
}
