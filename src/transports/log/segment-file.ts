/**
 * One segment file, opened: its handle, its index, and the walk over its frames. Every frame that is read is checked: its sum, and that
 * its sequence is the next one. Below the committed end a frame that fails is damage (LS_LOG_CORRUPT), never something to skip.
 */
import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../../pipeline/file-system.ts';
import { checkFileHeader, corruptFile, fileHeaderBytes, numberedName, unknownFormat } from './file-header.ts';
import type { StoredRecord } from './log-store.ts';
import type { PartitionState, Segment } from './log-state.ts';
import { decodeRecordFrame } from './record-frame.ts';
import { createSparseIndex, decodeIndex, encodeIndex, noteRecord, type SparseIndex } from './sparse-index.ts';

export const segmentExtension = 'log';
export const indexExtension = 'index';

/** What is read at a time, of large records more (segment-reader.ts): bounds the work of one turn of the event loop to few milliseconds. */
export const readChunkBytes = 256 * 1024;

export type OpenSegment = { readonly path: string; readonly handle: FileHandle; readonly index: SparseIndex };

/** Where a partition's files are, as absolute paths. */
export type SegmentPaths = { readonly fileSystem: FileSystem; readonly directory: string };

export function segmentPath(paths: SegmentPaths, partition: PartitionState, baseSequence: bigint): string {
  return join(paths.directory, partition.directory, numberedName(baseSequence, segmentExtension));
}

export function indexPath(paths: SegmentPaths, partition: PartitionState, baseSequence: bigint): string {
  return join(paths.directory, partition.directory, numberedName(baseSequence, indexExtension));
}

export type ScanRange = {
  readonly offset: number;
  /** Of the frame at `offset`. */
  readonly sequence: bigint;
  readonly end: number;
  /** Where the chunk that begins at an offset is to end; it gets longer where its first frame is. */
  readonly chunkEnd: (offset: number) => number;
};

/** Visits frames until `visit` answers false or the range ends; resolves with the sequence after the last one visited. */
export async function scanFrames(
  segment: Pick<OpenSegment, 'path' | 'handle'>,
  range: ScanRange,
  visit: (record: StoredRecord, offset: number) => boolean,
): Promise<bigint> {
  const { path, handle } = segment;
  let { offset, sequence } = range;
  let chunk: Buffer = Buffer.alloc(0);
  let chunkStart = offset;
  while (offset < range.end) {
    const decoded = decodeRecordFrame(chunk, offset - chunkStart);
    if (decoded.kind === 'invalid') throw corruptFile(path, offset, 'a record does not match its sum');
    if (decoded.kind === 'incomplete') {
      if (offset + decoded.bytes > range.end) throw corruptFile(path, offset, 'a record goes beyond what was committed');
      chunk = await handle.read(offset, Math.min(range.end, Math.max(range.chunkEnd(offset), offset + decoded.bytes)) - offset);
      chunkStart = offset;
      if (chunk.length < decoded.bytes) throw corruptFile(path, offset + chunk.length, 'the file ends before what was committed');
      continue;
    }
    if (decoded.record.sequence !== sequence) {
      throw corruptFile(path, offset, `the record has sequence ${decoded.record.sequence.toString()} instead of ${sequence.toString()}`);
    }
    sequence += 1n;
    if (!visit(decoded.record, offset)) break;
    offset = chunkStart + decoded.end;
  }
  return sequence;
}

/** Opens a segment's file and checks its header and that it is not shorter than what was committed. */
export async function openSegmentFile(fileSystem: FileSystem, path: string, segment: Segment): Promise<FileHandle> {
  const handle = await openExisting(fileSystem, path);
  try {
    const size = await handle.size();
    if (size < segment.lengthBytes) throw corruptFile(path, size, `the file ends, but was committed to byte ${segment.lengthBytes}`);
    const header = checkFileHeader('segment', segment.baseSequence, await handle.read(0, fileHeaderBytes));
    if (header === 'other-format') throw unknownFormat(path);
    if (header === 'invalid') throw corruptFile(path, 0, 'this is not the beginning of that segment');
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openExisting(fileSystem: FileSystem, path: string): Promise<FileHandle> {
  try {
    return await fileSystem.open(path, { create: false });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw corruptFile(path, 0, 'the file is gone, but records were committed to it', { cause: error });
    }
    throw error;
  }
}

/** Checks every frame up to the committed end; `nextSequence` is what must follow the last one. */
export async function scanIndex(segment: Pick<OpenSegment, 'path' | 'handle'>, range: Segment, nextSequence: bigint): Promise<SparseIndex> {
  const index = createSparseIndex();
  const scan = { offset: fileHeaderBytes, sequence: range.baseSequence, end: range.lengthBytes, chunkEnd: (offset: number) => offset + readChunkBytes };
  const reached = await scanFrames(segment, scan, (record, offset) => {
    noteRecord(index, Number(record.sequence - range.baseSequence), offset, record.appendTimeMs);
    return true;
  });
  if (reached !== nextSequence) {
    throw corruptFile(segment.path, range.lengthBytes, `it holds records to before ${reached.toString()}, but ${nextSequence.toString()} were committed`);
  }
  return index;
}

/** An index can be made again, so one that cannot be read or written is no failure. */
export async function loadIndex(fileSystem: FileSystem, path: string, segment: Segment): Promise<SparseIndex | undefined> {
  try {
    const handle = await fileSystem.open(path, { create: false });
    try {
      return decodeIndex(await handle.read(0, await handle.size()), segment.baseSequence, segment.lengthBytes);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

/** Written without synchronisation: its sum tells whether it survived. */
export async function saveIndex(fileSystem: FileSystem, path: string, segment: Segment, index: SparseIndex): Promise<void> {
  try {
    const handle = await fileSystem.open(path, { create: true });
    try {
      const encoded = encodeIndex(index, segment.baseSequence, segment.lengthBytes);
      await handle.truncate(0);
      await handle.write(encoded, 0);
    } finally {
      await handle.close();
    }
  } catch {
    // The next reader makes it again.
  }
}
