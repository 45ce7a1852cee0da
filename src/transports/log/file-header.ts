/**
 * The first bytes of every file of the log: what it is, its format, and the number in its name, so that a file under a wrong name is noticed.
 *
 *   magic (8) | format (u32) | number (u64) | CRC-32 of all before (u32)
 */
import { crc32 } from 'node:zlib';
import { logError } from '../../core/errors/log.ts';
import type { LabelstreamError } from '../../core/errors/error.ts';

export const fileHeaderBytes = 24;
/** Written; those before it are read, too. Journals of format 2 tell of segments that were removed. */
const formatVersions = { segment: 1, index: 1, journal: 2 } as const satisfies Record<FileKind, number>;

export type FileKind = 'segment' | 'index' | 'journal';

const magics = {
  segment: Buffer.from('LSTRMSEG', 'latin1'),
  index: Buffer.from('LSTRMIDX', 'latin1'),
  journal: Buffer.from('LSTRMJNL', 'latin1'),
} as const satisfies Record<FileKind, Buffer>;

export function encodeFileHeader(kind: FileKind, number: bigint): Buffer {
  const header = Buffer.alloc(fileHeaderBytes);
  magics[kind].copy(header);
  header.writeUInt32BE(formatVersions[kind], 8);
  header.writeBigUInt64BE(number, 12);
  header.writeUInt32BE(crc32(header.subarray(0, 20)), 20);
  return header;
}

export type HeaderCheck = 'valid' | 'invalid' | 'other-format';

/** A header that is whole but of another format was written by another version, and must not be taken for a torn one. */
export function checkFileHeader(kind: FileKind, number: bigint, header: Buffer): HeaderCheck {
  if (header.length < fileHeaderBytes || !header.subarray(0, 8).equals(magics[kind])) return 'invalid';
  if (header.readUInt32BE(20) !== crc32(header.subarray(0, 20))) return 'invalid';
  const format = header.readUInt32BE(8);
  if (format < 1 || format > formatVersions[kind]) return 'other-format';
  return header.readBigUInt64BE(12) === number ? 'valid' : 'invalid';
}

export function corruptFile(file: string, position: number, reason: string, options?: ErrorOptions): LabelstreamError {
  return logError('LS_LOG_CORRUPT', `${file} is damaged at byte ${position}: ${reason}.`, { file, position }, options);
}

export function unknownFormat(file: string): LabelstreamError {
  return logError('LS_LOG_FORMAT', `${file} was written in a format that this version does not know.`, { file });
}

/** The name of a file whose number is `number`: 20 digits, so that names sort as numbers do. */
export function numberedName(number: bigint, extension: string): string {
  return `${number.toString().padStart(20, '0')}.${extension}`;
}

/** The number in a name that `numberedName` made; undefined for every other name. */
export function numberInName(name: string, extension: string): bigint | undefined {
  if (name.length !== 21 + extension.length || !name.endsWith(`.${extension}`)) return undefined;
  const digits = name.slice(0, 20);
  return /^\d{20}$/.test(digits) ? BigInt(digits) : undefined;
}
