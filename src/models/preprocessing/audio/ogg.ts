/** Ogg: the streams of a file, one behind the other, each by the decoder of its codec. */
import { corrupt, type AudioChunk } from './audio-chunk.ts';
import { decodeFlacFrames } from './flac.ts';
import { flacHead, flacStream } from './flac-structure.ts';
import { decodeOpus } from './ogg-opus.ts';
import { oggLinks, oggPages, type OggCodec, type OggPage } from './ogg-structure.ts';
import { decodeVorbis } from './ogg-vorbis.ts';

const decoders: Readonly<Record<OggCodec, (pages: Iterable<OggPage>) => AsyncIterable<AudioChunk>>> = { opus: decodeOpus, vorbis: decodeVorbis, flac: decodeOggFlac };

export async function* decodeOgg(bytes: Buffer): AsyncGenerator<AudioChunk> {
  for (const link of oggLinks(bytes)) yield* decoders[link.codec](oggPages(bytes, link));
}

/** Of the first packet, in front of the description of the stream: a name, a version, how many blocks follow, and what begins a FLAC file. */
const flacPrefixLength = 17;

async function* decodeOggFlac(pages: Iterable<OggPage>): AsyncGenerator<AudioChunk> {
  const packets = packetsOf(pages);
  const first = packets.next().value;
  if (first === undefined) throw corrupt('the FLAC stream does not describe itself');
  const block = first.subarray(flacPrefixLength);
  yield* decodeFlacFrames(flacStream(block), flacHead(block), framesIn(packets));
}

function* packetsOf(pages: Iterable<OggPage>): Generator<Buffer, undefined> {
  for (const { packets } of pages) yield* packets;
}

/** Other packets are blocks of titles and pictures. */
function* framesIn(packets: Iterable<Buffer>): Generator<Buffer> {
  for (const packet of packets) if (packet[0] === 0xff) yield packet;
}
