/**
 * The file of a fitted projection. Its name is the SHA-256 of its bytes, by which records refer to it and by which any instance can tell that it holds
 * the right one. Equal projections have equal bytes, and only those bytes are taken:
 *
 *   "LSPROJ\r\n" | header length: uint32 | header: JSON, padded with spaces to a multiple of 8 | float64 values of each array, in the order of the header
 *
 * All numbers are little-endian.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { projectionError } from '../../core/errors/projection.ts';
import { projectionKind } from './kinds.ts';
import type { FittedProjection, ProjectionArtefact } from './projection.ts';

/** Line ends, so that a copy that translates them is found out at once. */
const magic = Buffer.from('LSPROJ\r\n', 'latin1');
const formatVersion = 1;
const preambleBytes = magic.length + 4;
/** A header names a handful of arrays. */
const headerBytesMax = 64 * 1024;
/** Twice 4096 x 4096 numbers. */
const artefactBytesMax = 256 * 1024 * 1024;

const count = z.number().int().min(1).max(1_000_000);
const headerSchema = z.strictObject({
  format: z.literal(formatVersion),
  kind: z.string().min(1).max(100),
  inputDimensions: count,
  outputDimensions: count,
  sampleSize: z.number().int().min(1),
  arrays: z.array(z.strictObject({ name: z.string().min(1).max(100), length: z.number().int().min(0) })).max(100),
});

export function encodeArtefact({ kind, inputDimensions, outputDimensions, sampleSize, arrays }: ProjectionArtefact): Buffer {
  const listed = arrays.map(({ name, values }) => ({ name, length: values.length }));
  const json = Buffer.from(JSON.stringify({ format: formatVersion, kind, inputDimensions, outputDimensions, sampleSize, arrays: listed }));
  const header = Buffer.alloc(Math.ceil((preambleBytes + json.length) / 8) * 8 - preambleBytes, ' ');
  json.copy(header);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const values = arrays.map((array) => {
    const bytes = Buffer.alloc(array.values.length * 8);
    for (const [index, value] of array.values.entries()) bytes.writeDoubleLE(value, index * 8);
    return bytes;
  });
  return Buffer.concat([magic, length, header, ...values]);
}

/** Lower-case hexadecimal SHA-256: the name of the file. */
export function artefactName(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Throws LS_PROJECTION_ARTEFACT_INVALID for whatever `encodeArtefact` would not have written.
 * @param name what the bytes have to be: their SHA-256.
 */
export function decodeArtefact(bytes: Uint8Array, name: string): ProjectionArtefact {
  const refuse = (reason: string, options?: ErrorOptions) =>
    projectionError('LS_PROJECTION_ARTEFACT_INVALID', `the projection ${name} ${reason}`, { name, sizeBytes: bytes.length }, options);
  const found = artefactName(bytes);
  if (found !== name) throw refuse(`has the SHA-256 ${found}`);
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < preambleBytes || !file.subarray(0, magic.length).equals(magic)) throw refuse('is no file of a projection');
  if (file.length > artefactBytesMax) throw refuse(`has ${file.length} bytes, and more than ${artefactBytesMax} are not read`);
  const headerBytes = file.readUInt32LE(magic.length);
  if (headerBytes > Math.min(headerBytesMax, file.length - preambleBytes)) throw refuse('ends within its header, or has one that is too long');
  const header = headerOf(file.subarray(preambleBytes, preambleBytes + headerBytes).toString('utf8'), refuse);
  let at = preambleBytes + headerBytes;
  const expected = header.arrays.reduce((sum, { length }) => sum + length * 8, at);
  if (expected !== file.length) throw refuse(`has ${file.length} bytes where its header tells of ${expected}`);
  const arrays = header.arrays.map(({ name: array, length }) => {
    const values = new Float64Array(length);
    for (let index = 0; index < length; index++, at += 8) values[index] = file.readDoubleLE(at);
    if (values.some((value) => !Number.isFinite(value))) throw refuse(`holds a value in "${array}" that is not finite`);
    return { name: array, values };
  });
  const { kind, inputDimensions, outputDimensions, sampleSize } = header;
  const artefact = { kind, inputDimensions, outputDimensions, sampleSize, arrays };
  if (!encodeArtefact(artefact).equals(file)) throw refuse('is not in the one form that a projection has');
  return artefact;
}

/** Throws LS_PROJECTION_ARTEFACT_INVALID and LS_PROJECTION_KIND_UNKNOWN. */
export function openArtefact(bytes: Uint8Array, name: string): FittedProjection {
  const artefact = decodeArtefact(bytes, name);
  return projectionKind(artefact.kind).open(artefact);
}

function headerOf(text: string, refuse: (reason: string, options?: ErrorOptions) => Error): z.infer<typeof headerSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refuse('has a header that is no JSON', { cause });
  }
  const format = z.object({ format: z.number() }).safeParse(json);
  if (format.success && format.data.format !== formatVersion) throw refuse(`has the format ${format.data.format}, and this version reads ${formatVersion}`);
  const header = headerSchema.safeParse(json);
  if (!header.success) throw refuse(`has a header that is none: ${z.prettifyError(header.error)}`);
  return header.data;
}
