/**
 * A frame of the journal: magic (4) | CRC-32 of all that follows (u32) | length of the text (u32) | text, JSON in UTF-8
 *
 * The magic's first byte occurs in no UTF-8 text, so that after a bad frame a later good one can be searched for.
 */
import { crc32 } from 'node:zlib';
import type { TopicDescription } from '../../pipeline/transport.ts';
import type { LogChange } from './log-state.ts';

const magic = Buffer.from([0xf5, 0x4c, 0x4a, 0x46]);
const prefixBytes = 12;

export type JournalFrame = {
  /** Counts up by one from frame to frame, across files. */
  readonly number: number;
  readonly change: LogChange;
};

/** The text's shape: sequences as decimal strings, segments as [base sequence, length, append time of the last record]. */
type FrameText = {
  readonly frame: number;
  readonly topics: readonly TopicDescription[];
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    /** Without the time in a journal of format 1. */
    readonly segments: readonly (readonly [string, number, number?])[];
    readonly nextSequence: string;
    readonly appendTimeMs: number;
  }[];
  /** Not in a journal of format 1. */
  readonly removals?: readonly { readonly topic: string; readonly partition: number; readonly before: string }[];
  readonly checkpoints: readonly {
    readonly group: string;
    readonly topic: string;
    readonly partition: number;
    readonly nextSequence: string;
    readonly metadata: string;
  }[];
};

export function encodeJournalFrame({ number, change }: JournalFrame): Buffer {
  const text: FrameText = {
    frame: number,
    topics: change.topics,
    partitions: change.partitions.map(({ topic, partition, segments, nextSequence, appendTimeMs }) => ({
      topic,
      partition,
      segments: segments.map((segment) => [segment.baseSequence.toString(), segment.lengthBytes, segment.lastAppendTimeMs] as const),
      nextSequence: nextSequence.toString(),
      appendTimeMs,
    })),
    ...(change.removals.length === 0
      ? {}
      : { removals: change.removals.map(({ topic, partition, before }) => ({ topic, partition, before: before.toString() })) }),
    checkpoints: change.checkpoints.map(({ group, topic, partition, nextSequence, metadata }) => ({
      group,
      topic,
      partition,
      nextSequence: nextSequence.toString(),
      metadata,
    })),
  };
  const content = Buffer.from(JSON.stringify(text));
  const encoded = Buffer.allocUnsafe(prefixBytes + content.length);
  magic.copy(encoded);
  encoded.writeUInt32BE(content.length, 8);
  content.copy(encoded, prefixBytes);
  encoded.writeUInt32BE(crc32(encoded.subarray(8)), 4);
  return encoded;
}

/** Undefined where no whole, undamaged frame begins at `start`. */
export function decodeJournalFrame(source: Buffer, start: number): { readonly frame: JournalFrame; readonly end: number } | undefined {
  if (source.length - start < prefixBytes || !source.subarray(start, start + 4).equals(magic)) return undefined;
  const end = start + prefixBytes + source.readUInt32BE(start + 8);
  if (end > source.length || source.readUInt32BE(start + 4) !== crc32(source.subarray(start + 8, end))) return undefined;
  // The sum vouches for what this program wrote, and the file's header for the format.
  const text = JSON.parse(source.toString('utf8', start + prefixBytes, end)) as FrameText;
  return { frame: { number: text.frame, change: changeOf(text) }, end };
}

function changeOf(text: FrameText): LogChange {
  return {
    topics: text.topics,
    partitions: text.partitions.map((partition) => ({
      ...partition,
      segments: partition.segments.map(([baseSequence, lengthBytes, lastAppendTimeMs = partition.appendTimeMs]) => ({
        baseSequence: BigInt(baseSequence),
        lengthBytes,
        lastAppendTimeMs,
      })),
      nextSequence: BigInt(partition.nextSequence),
    })),
    removals: (text.removals ?? []).map((removal) => ({ ...removal, before: BigInt(removal.before) })),
    checkpoints: text.checkpoints.map((checkpoint) => ({ ...checkpoint, nextSequence: BigInt(checkpoint.nextSequence) })),
  };
}

/** Where the next undamaged frame after `start` begins. */
export function findJournalFrame(source: Buffer, start: number): number | undefined {
  for (let found = source.indexOf(magic, start); found >= 0; found = source.indexOf(magic, found + 1)) {
    if (decodeJournalFrame(source, found) !== undefined) return found;
  }
  return undefined;
}
