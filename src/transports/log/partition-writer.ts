/**
 * Writes one partition's records of a commit: frames to the active segment, a new segment where that one is full. Nothing here is committed:
 * the caller synchronises what this touched, and the journal then tells how far the files reach.
 */
import { join } from 'node:path';
import type { FileHandle } from '../../pipeline/file-system.ts';
import { encodeFileHeader, fileHeaderBytes } from './file-header.ts';
import type { PartitionChange, PartitionState, Segment } from './log-state.ts';
import type { LogRetention, RetentionLimits } from './retention.ts';
import { encodeRecordFrame, recordFrameBytes, type RecordContent } from './record-frame.ts';
import type { SegmentCache } from './segment-cache.ts';
import { segmentPath, type OpenSegment, type SegmentPaths } from './segment-file.ts';
import { createSparseIndex, noteRecord } from './sparse-index.ts';

/** One write, and one turn of the event loop, encodes no more than about this. */
const pieceBytesMax = 1024 * 1024;
const pieceRecordsMax = 1024;

export type PartitionWrite = {
  readonly change: PartitionChange;
  /** To be synchronised, as is `newDirectoryEntries` when it is given. */
  readonly handles: readonly FileHandle[];
  readonly newDirectoryEntries: string | undefined;
  /** The last one is the active segment from now on; those before it are full. */
  readonly segments: readonly WrittenSegment[];
};

type WrittenSegment = { readonly open: OpenSegment } & Segment;

export type PartitionWriter = {
  /** The active segment, undefined before the first record. */
  readonly recover: (partition: PartitionState, active: OpenSegment) => void;
  /** Its segments were all removed: the next record begins a new one. */
  readonly release: (partition: PartitionState) => void;
  readonly write: (partition: PartitionState, records: readonly RecordContent[], appendTimeMs: number) => Promise<PartitionWrite>;
};

export type PartitionWriterOptions = SegmentPaths & { readonly cache: SegmentCache; readonly segmentBytes: number; readonly retention: LogRetention };

export function createPartitionWriter(options: PartitionWriterOptions): PartitionWriter {
  const actives = new Map<PartitionState, OpenSegment>();
  return {
    recover: (partition, active) => {
      options.cache.pin(active);
      actives.set(partition, active);
    },
    release: (partition) => void actives.delete(partition),
    write: async (partition, records, nowMs) => {
      const appendTimeMs = Math.max(nowMs, partition.appendTimeMs);
      const written = lastSegment(partition, actives.get(partition));
      const before = written.length;
      let sequence = partition.nextSequence;
      for (const piece of pieces(records, lengthToGoOnAt(written, options.retention.limitsOf(partition.topic), nowMs), options.segmentBytes)) {
        if (piece.newSegment) {
          const created = await createSegment(options, partition, sequence);
          actives.set(partition, created.open);
          written.push(created);
        }
        const segment = written.at(-1);
        if (segment === undefined) throw new Error('the first piece of a partition begins a segment');
        await writePiece(segment, piece, sequence, appendTimeMs);
        sequence += BigInt(piece.records.length);
      }
      return {
        change: {
          topic: partition.topic,
          partition: partition.partition,
          segments: written.map(({ baseSequence, lengthBytes, lastAppendTimeMs }) => ({ baseSequence, lengthBytes, lastAppendTimeMs })),
          nextSequence: sequence,
          appendTimeMs,
        },
        handles: written.map((segment) => segment.open.handle),
        newDirectoryEntries: written.length > before ? join(options.directory, partition.directory) : undefined,
        segments: written,
      };
    },
  };
}

function lastSegment(partition: PartitionState, open: OpenSegment | undefined): WrittenSegment[] {
  const last = partition.segments.at(-1);
  return last === undefined || open === undefined ? [] : [{ open, ...last }];
}

/** Undefined where a new segment is due: there is none, or what it holds is to go while the new records stay. */
function lengthToGoOnAt(written: readonly WrittenSegment[], { ms }: RetentionLimits, nowMs: number): number | undefined {
  const last = written.at(-1);
  const firstMs = last?.open.index.appendTimesMs[0];
  return ms !== undefined && firstMs !== undefined && nowMs - firstMs > ms ? undefined : last?.lengthBytes;
}

type Piece = { readonly newSegment: boolean; readonly records: readonly RecordContent[]; readonly bytes: number };

/** Cuts the records where a write is large enough, and where a segment is full; a segment takes its first record whatever its size. */
function* pieces(records: readonly RecordContent[], lengthBytes: number | undefined, segmentBytes: number): Generator<Piece> {
  let length = lengthBytes;
  let newSegment = length === undefined;
  length ??= fileHeaderBytes;
  let piece: RecordContent[] = [];
  let bytes = 0;
  for (const record of records) {
    const frameBytes = recordFrameBytes(record);
    const full = length > fileHeaderBytes && length + frameBytes > segmentBytes;
    if (piece.length > 0 && (full || bytes + frameBytes > pieceBytesMax || piece.length >= pieceRecordsMax)) {
      yield { newSegment, records: piece, bytes };
      [newSegment, piece, bytes] = [false, [], 0];
    }
    if (full) [newSegment, length] = [true, fileHeaderBytes];
    piece.push(record);
    bytes += frameBytes;
    length += frameBytes;
  }
  if (piece.length > 0) yield { newSegment, records: piece, bytes };
}

async function createSegment(options: PartitionWriterOptions, partition: PartitionState, baseSequence: bigint): Promise<WrittenSegment> {
  const path = segmentPath(options, partition, baseSequence);
  const handle = await options.fileSystem.open(path, { create: true });
  const open = { path, handle, index: createSparseIndex() };
  options.cache.pin(open);
  await handle.write(encodeFileHeader('segment', baseSequence), 0);
  return { open, baseSequence, lengthBytes: fileHeaderBytes, lastAppendTimeMs: 0 };
}

async function writePiece(segment: WrittenSegment, piece: Piece, firstSequence: bigint, appendTimeMs: number): Promise<void> {
  const encoded = Buffer.allocUnsafe(piece.bytes);
  let offset = 0;
  let sequence = firstSequence;
  for (const record of piece.records) {
    noteRecord(segment.open.index, Number(sequence - segment.baseSequence), segment.lengthBytes + offset, appendTimeMs);
    offset = encodeRecordFrame(encoded, offset, record, sequence, appendTimeMs);
    sequence += 1n;
  }
  await segment.open.handle.write(encoded, segment.lengthBytes);
  segment.lengthBytes += piece.bytes;
  segment.lastAppendTimeMs = appendTimeMs;
}
