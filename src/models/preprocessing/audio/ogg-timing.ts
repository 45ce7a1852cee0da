/**
 * What of a decoded Ogg stream is to be heard. Codecs work in blocks, so streams hold more than was recorded: pages tell up to which sample it goes.
 * - At the beginning `skip` samples are left out, as the stream's head says.
 * - Where the first page tells of fewer samples than it holds, the rest of them, too, are from before the beginning.
 * - Where it tells of more, the stream was cut out of a longer one; all that counts is relative to that.
 * - The last page tells where the sound ends; what it holds beyond is left out. A stream that was never ended goes as far as it goes.
 */
import { corrupt, type AudioChunk } from './audio-chunk.ts';

export type DecodedPage = {
  /** Decoded as they are asked for: a page of a few hundred bytes may hold half a minute. */
  readonly chunks: AsyncIterable<AudioChunk> | Iterable<AudioChunk>;
  readonly granule: bigint | undefined;
  readonly isLast: boolean;
};

/** Chunks are passed on one by one, but those of the first page that tells something: where these begin is known only when they are counted. */
export async function* withinGranules(pages: AsyncIterable<DecodedPage> | Iterable<DecodedPage>, skip: number): AsyncGenerator<AudioChunk> {
  let decoded = 0;
  /** Of the sample before the first one. */
  let origin: number | undefined;
  let leftOut = skip;
  for await (const { chunks, granule, isLast } of pages) {
    const pageStart = decoded;
    let rest = chunks;
    if (granule !== undefined && origin === undefined) {
      const { held, count } = await heldChunks(chunks);
      rest = held;
      if (count > 0) {
        origin = Number(granule) - pageStart - count;
        if (isLast) origin = Math.max(0, origin);
        // A head that says what to skip counts these among them.
        leftOut = Math.max(leftOut, -origin);
      }
    }
    const end = isLast && granule !== undefined && origin !== undefined ? Number(granule) - origin : Number.POSITIVE_INFINITY;
    for await (const { channels, rate } of rest) {
      const length = lengthOf(channels);
      if (length > 0 && end < pageStart) throw corrupt('the Ogg stream ends before its last page begins');
      const from = Math.min(length, leftOut);
      const to = Math.max(0, Math.min(length, end - decoded));
      leftOut -= from;
      decoded += length;
      if (to > from) yield { channels: channels.map((channel) => channel.subarray(from, to)), rate };
    }
  }
}

/** A page has 255 packets at most. */
async function heldChunks(chunks: DecodedPage['chunks']): Promise<{ readonly held: readonly AudioChunk[]; readonly count: number }> {
  const held: AudioChunk[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    count += lengthOf(chunk.channels);
  }
  return { held, count };
}

function lengthOf(channels: AudioChunk['channels']): number {
  return channels[0]?.length ?? 0;
}
