/** Reads committed records of a partition, from any sequence on, across its segments. */
import { recordBytes } from '../../core/records.ts';
import type { ReadBudget } from '../../pipeline/transport.ts';
import type { StoredRecord } from './log-store.ts';
import { startSequenceOf, type PartitionState, type Segment } from './log-state.ts';
import type { SegmentCache } from './segment-cache.ts';
import {
  indexPath,
  loadIndex,
  openSegmentFile,
  readChunkBytes,
  saveIndex,
  scanFrames,
  scanIndex,
  segmentPath,
  type OpenSegment,
  type SegmentPaths,
} from './segment-file.ts';
import { findStart, offsetAfter, offsetAtOrAfter, offsetAtOrBefore, type SparseIndex } from './sparse-index.ts';

const smallestChunkBytes = 16 * 1024;
const largeRecordsPerChunk = 8;
const largeChunkBytesMax = 1024 * 1024;

export type SegmentReaderOptions = SegmentPaths & { readonly cache: SegmentCache; readonly indexRebuilt: (file: string) => void };

export async function readRecords(
  options: SegmentReaderOptions,
  partition: PartitionState,
  fromSequence: bigint,
  budget: ReadBudget,
): Promise<readonly StoredRecord[]> {
  const end = partition.nextSequence;
  const records: StoredRecord[] = [];
  const taken = { bytes: 0, full: false };
  const take = (record: StoredRecord): boolean => {
    if (record.sequence < fromSequence) return true;
    const size = recordBytes(record);
    taken.full = record.sequence >= end || (records.length > 0 && taken.bytes + size > budget.bytes);
    if (taken.full) return false;
    records.push(record);
    taken.bytes += size;
    taken.full = records.length >= budget.records || taken.bytes >= budget.bytes;
    return !taken.full;
  };
  const chunkBytes = Math.min(Math.max(budget.bytes, smallestChunkBytes), readChunkBytes);
  // Those of now: segments may be removed meanwhile.
  const { segments } = partition;
  for (let place = firstSegment(segments, fromSequence); place < segments.length && !taken.full; place += 1) {
    const segment = segments[place];
    if (segment === undefined || segment.baseSequence >= end) break;
    // The length now: it may grow while this waits, and the index does not vouch for what lies beyond.
    const committed = { ...segment };
    const nextSequence = segments[place + 1]?.baseSequence ?? end;
    const open = (): Promise<OpenSegment> => openClosed(options, partition, committed, nextSequence);
    const read = options.cache.use(segmentPath(options, partition, segment.baseSequence), open, (opened) => {
      const from = relativeTo(segment.baseSequence, fromSequence);
      const start = findStart(opened.index, from);
      const range = {
        offset: start.offset,
        sequence: segment.baseSequence + BigInt(start.relativeSequence),
        end: Math.min(committed.lengthBytes, offsetAtOrAfter(opened.index, from + budget.records - records.length) ?? committed.lengthBytes),
        chunkEnd: (offset: number) => chunkEnd(opened.index, offset, chunkBytes),
      };
      return scanFrames(opened, range, take);
    });
    try {
      await read;
    } catch (error) {
      // Removed since: what is read instead begins later, which the caller sees.
      if (segment.baseSequence >= startSequenceOf(partition)) throw error;
      if (records.length > 0) break;
    }
  }
  return records;
}

/**
 * At a record that the index knows: the one that a chunk cuts off is read again, and all of a chunk lives as long as one of its records. Of
 * large records several are read at a time.
 */
function chunkEnd(index: SparseIndex, offset: number, chunkBytes: number): number {
  const second = offsetAfter(index, offset);
  if (second === undefined) return offset + chunkBytes;
  const wantedBytes = Math.max(chunkBytes, Math.min(largeRecordsPerChunk * (second - offset), largeChunkBytesMax));
  return Math.max(second, offsetAtOrBefore(index, offset + wantedBytes) ?? second);
}

function relativeTo(baseSequence: bigint, sequence: bigint): number {
  return sequence > baseSequence ? Number(sequence - baseSequence) : 0;
}

/** The last segment that begins at or before the sequence. */
function firstSegment(segments: readonly Segment[], sequence: bigint): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const base = segments[middle]?.baseSequence ?? 0n;
    if (base <= sequence) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
}

/** A segment whose index is missing or does not hold is read as a whole, and with it checked. */
async function openClosed(options: SegmentReaderOptions, partition: PartitionState, segment: Segment, nextSequence: bigint): Promise<OpenSegment> {
  const path = segmentPath(options, partition, segment.baseSequence);
  const handle = await openSegmentFile(options.fileSystem, path, segment);
  try {
    const indexFile = indexPath(options, partition, segment.baseSequence);
    const loaded = await loadIndex(options.fileSystem, indexFile, segment);
    if (loaded !== undefined) return { path, handle, index: loaded };
    const index = await scanIndex({ path, handle }, segment, nextSequence);
    await saveIndex(options.fileSystem, indexFile, segment, index);
    options.indexRebuilt(indexFile);
    // Retention may have removed the segment, and an index of it, before this one was there. Otherwise it goes at the next opening.
    if (segment.baseSequence < startSequenceOf(partition)) await options.fileSystem.remove(indexFile).catch(() => undefined);
    return { path, handle, index };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
