/**
 * What of a decoded Ogg stream is to be heard. Codecs work in blocks, so streams hold more than was recorded: pages tell up to which sample it goes.
 * - At the beginning `skip` samples are left out, as the stream's head says.
 * - Where the first page tells of fewer samples than it holds, the rest of them, too, are from before the beginning.
 * - Where it tells of more, the stream was cut out of a longer one; all that counts is relative to that.
 * - The last page tells where the sound ends; what it holds beyond is left out. A stream that was never ended goes as far as it goes.
 */
import { corrupt, type AudioChunk } from './audio-chunk.ts';

export type DecodedPage = {
  readonly chunks: readonly AudioChunk[];
  readonly granule: bigint | undefined;
  readonly isLast: boolean;
};

export async function* withinGranules(pages: AsyncIterable<DecodedPage> | Iterable<DecodedPage>, skip: number): AsyncGenerator<AudioChunk> {
  let decoded = 0;
  /** Of the sample before the first one. */
  let origin: number | undefined;
  let leftOut = skip;
  for await (const { chunks, granule, isLast } of pages) {
    const count = chunks.reduce((total, { channels }) => total + lengthOf(channels), 0);
    decoded += count;
    let kept = count;
    if (granule !== undefined && count > 0) {
      const told = Number(granule);
      if (origin === undefined) {
        origin = isLast ? Math.max(0, told - decoded) : told - decoded;
        // A head that says what to skip counts these among them.
        leftOut = Math.max(leftOut, -origin);
      }
      if (isLast) kept -= Math.max(0, decoded - (told - origin));
      if (kept < 0) throw corrupt('the Ogg stream ends before its last page begins');
    }
    for (const { channels, rate } of chunks) {
      const length = lengthOf(channels);
      const start = Math.min(length, leftOut);
      const end = Math.min(length, kept);
      leftOut -= start;
      kept -= end;
      if (end > start) yield { channels: channels.map((channel) => channel.subarray(start, end)), rate };
    }
  }
}

function lengthOf(channels: AudioChunk['channels']): number {
  return channels[0]?.length ?? 0;
}
