/**
 * The archives that numpy writes: files that are stored or deflated, in one part, not encrypted. No more is read of an entry than the directory tells; that may be
 * a thousand times as much as is stored, so whoever keeps what is read has bounds of its own.
 *
 *     entry, entry, ..., directory (names, sizes, checksums, places), end (place of the directory)
 */
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { importFileError } from './import-file-error.ts';

export type ZipEntry = {
  readonly name: string;
  /** Decompressed. */
  readonly bytes: number;
  /** Can be asked for again. Rejects with LS_CLI_IMPORT_FILE where it is damaged. */
  readonly content: () => AsyncIterable<Buffer>;
};

export type ZipArchive = { readonly entries: ReadonlyMap<string, ZipEntry>; readonly close: () => Promise<void> };

const endBytes = 22;
const commentBytesMax = 65_535;
const directoryBytesMax = 1024 * 1024;
const entriesMax = 256;
const [endMark, farEndMark, farPlaceMark, entryMark, localMark] = [0x06054b50, 0x06064b50, 0x07064b50, 0x02014b50, 0x04034b50];
const farNumber = 0xffffffff;

/** Rejects with LS_CLI_IMPORT_FILE, with what the system says of the file, and with the reason of the signal, which ends whatever is being read of it. */
export async function openZip(file: string, signal: AbortSignal): Promise<ZipArchive> {
  const handle = await open(file);
  try {
    return { entries: await readDirectory(handle, signal), close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readDirectory(handle: FileHandle, signal: AbortSignal): Promise<ReadonlyMap<string, ZipEntry>> {
  const { size } = await handle.stat();
  const { count, bytes, start } = await findDirectory(handle, size);
  if (count > entriesMax || bytes > directoryBytesMax) throw importFileError('the archive has too many entries');
  const directory = await readAt(handle, start, bytes);
  const entries = new Map<string, ZipEntry>();
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const { entry, end } = entryAt(handle, directory, offset, signal);
    entries.set(entry.name, entry);
    offset = end;
  }
  return entries;
}

type Directory = { readonly count: number; readonly bytes: number; readonly start: number };

async function findDirectory(handle: FileHandle, size: number): Promise<Directory> {
  const tail = await readAt(handle, Math.max(0, size - endBytes - commentBytesMax), Math.min(size, endBytes + commentBytesMax));
  let at = tail.length - endBytes;
  while (at >= 0 && tail.readUInt32LE(at) !== endMark) at -= 1;
  if (at < 0) throw importFileError('it is no archive as numpy writes it (.npz): it has no directory');
  const near = { count: tail.readUInt16LE(at + 10), bytes: tail.readUInt32LE(at + 12), start: tail.readUInt32LE(at + 16) };
  // Of an archive of more than 4 GiB the numbers stand in a record of their own, whose place stands before the end.
  if (near.start !== farNumber && near.bytes !== farNumber && near.count !== 0xffff) return near;
  if (at < 20 || tail.readUInt32LE(at - 20) !== farPlaceMark) throw importFileError('its directory cannot be found');
  const far = await readAt(handle, wholeNumber(tail.readBigUInt64LE(at - 12)), 56);
  if (far.readUInt32LE(0) !== farEndMark) throw importFileError('its directory cannot be found');
  return { count: wholeNumber(far.readBigUInt64LE(32)), bytes: wholeNumber(far.readBigUInt64LE(40)), start: wholeNumber(far.readBigUInt64LE(48)) };
}

type Sizes = { readonly stored: number; readonly bytes: number; readonly start: number };

function entryAt(handle: FileHandle, directory: Buffer, offset: number, signal: AbortSignal): { readonly entry: ZipEntry; readonly end: number } {
  const lengths = offset + 46 > directory.length || directory.readUInt32LE(offset) !== entryMark ? undefined : [28, 30, 32].map((place) => directory.readUInt16LE(offset + place));
  const [nameLength = 0, extraLength = 0, commentLength = 0] = lengths ?? [];
  const end = offset + 46 + nameLength + extraLength + commentLength;
  if (lengths === undefined || end > directory.length) throw importFileError('its directory is damaged');
  const name = directory.toString('utf8', offset + 46, offset + 46 + nameLength);
  const [flags, method] = [directory.readUInt16LE(offset + 8), directory.readUInt16LE(offset + 10)];
  if ((flags & 1) !== 0 || (method !== 0 && method !== 8)) throw importFileError(`${shown(name)} is encrypted, or compressed in a way that numpy does not know`);
  const near = { stored: directory.readUInt32LE(offset + 20), bytes: directory.readUInt32LE(offset + 24), start: directory.readUInt32LE(offset + 42) };
  const sizes = farSizes(near, directory.subarray(offset + 46 + nameLength, offset + 46 + nameLength + extraLength));
  const checksum = directory.readUInt32LE(offset + 16);
  return { entry: { name, bytes: sizes.bytes, content: () => contentOf(handle, { name, isDeflated: method === 8, checksum, ...sizes }, signal) }, end };
}

/** Numbers of more than 32 bits stand in an extra field, in this order, those alone that do not fit. */
function farSizes(near: Sizes, extra: Buffer): Sizes {
  for (let offset = 0; offset + 4 <= extra.length; ) {
    const [kind, length] = [extra.readUInt16LE(offset), extra.readUInt16LE(offset + 2)];
    const field = extra.subarray(offset + 4, offset + 4 + length);
    offset += 4 + length;
    if (kind !== 1) continue;
    let at = 0;
    const next = (value: number): number => {
      if (value !== farNumber) return value;
      if (at + 8 > field.length) throw importFileError('its directory is damaged');
      at += 8;
      return wholeNumber(field.readBigUInt64LE(at - 8));
    };
    const bytes = next(near.bytes);
    return { bytes, stored: next(near.stored), start: next(near.start) };
  }
  return near;
}

type Stored = Sizes & { readonly name: string; readonly isDeflated: boolean; readonly checksum: number };

async function* contentOf(handle: FileHandle, { name, isDeflated, checksum, stored, bytes, start }: Stored, signal: AbortSignal): AsyncGenerator<Buffer> {
  const head = await readAt(handle, start, 30);
  if (head.readUInt32LE(0) !== localMark) throw importFileError(`${shown(name)} is not where the directory says`);
  const from = start + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  const source = chunksAt(handle, from, stored);
  let sum = 0;
  let count = 0;
  try {
    // What goes wrong is told to whoever reads the result.
    const content: AsyncIterable<Buffer> = isDeflated ? pipeline(Readable.from(source), createInflateRaw(), () => undefined) : source;
    for await (const chunk of content) {
      signal.throwIfAborted();
      count += chunk.length;
      if (count > bytes) throw importFileError(`${shown(name)} holds more than the ${bytes} bytes that the directory says`);
      sum = crc32(chunk, sum);
      yield chunk;
    }
  } catch (error) {
    throw isDeflated && error instanceof Error && 'code' in error && String(error.code).startsWith('Z_') ? importFileError(`${shown(name)} is damaged`, error) : error;
  }
  if (count !== bytes || sum !== checksum) throw importFileError(`${shown(name)} is damaged`);
}

const chunkBytes = 256 * 1024;

async function* chunksAt(handle: FileHandle, start: number, length: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < length; offset += chunkBytes) yield await readAt(handle, start + offset, Math.min(chunkBytes, length - offset));
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw importFileError('it ends too soon');
  return buffer;
}

function wholeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw importFileError('its directory is damaged');
  return number;
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));
