/** Vorbis in Ogg by libvorbis, packet by packet. */
import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { corrupt, refuseErrors, requireChannels, requireRate, type AudioChunk } from './audio-chunk.ts';
import type { OggPage } from './ogg-structure.ts';
import { withinGranules, type DecodedPage } from './ogg-timing.ts';

/** What the decoder's own reader of pages would tell it. That one can be made to search for ever by a set-up of zeros, so it is not asked. */
type VorbisPage = {
  readonly data: Uint8Array;
  readonly codecFrames: readonly { readonly data: Uint8Array; readonly header: { readonly vorbisComments: Uint8Array; readonly vorbisSetup: Uint8Array } }[];
};

/** No maker and no comments: those of the file may hold pictures, which do not fit into the decoder. */
const noComments = Buffer.from('\x03vorbis\0\0\0\0\0\0\0\0\x01', 'latin1');

export async function* decodeVorbis(pages: Iterable<OggPage>): AsyncGenerator<AudioChunk> {
  const heads: Buffer[] = [];
  const rest = pages[Symbol.iterator]();
  while (heads.length < 3) {
    const page = rest.next();
    if (page.done === true) throw corrupt('the Vorbis stream ends within its heads');
    heads.push(...page.value.packets);
  }
  const [identification, comments, setup] = heads;
  const isSound = [identification, comments, setup].every((head, index) => head?.toString('latin1', 0, 7) === `${String.fromCharCode(2 * index + 1)}vorbis`);
  if (heads.length > 3 || identification === undefined || setup === undefined || !isSound || identification.length < 30) throw corrupt('the Vorbis stream lacks one of its three heads');
  requireChannels(identification.readUInt8(11));
  requireRate(identification.readUInt32LE(12));
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  try {
    yield* withinGranules(decodedPages(rest, decoder, identification, setup), 0);
  } finally {
    decoder.free();
  }
}

function* decodedPages(pages: Iterator<OggPage>, decoder: OggVorbisDecoder, identification: Buffer, setup: Buffer): Generator<DecodedPage> {
  const header = { vorbisComments: noComments, vorbisSetup: setup };
  const rate = identification.readUInt32LE(12);
  // Told of its heads once, with the first packet.
  let data = identification;
  async function* decodedPackets(packets: readonly Buffer[]): AsyncGenerator<AudioChunk> {
    for (const packet of packets) {
      const told: VorbisPage = { data, codecFrames: [{ data: packet, header }] };
      const { channelData, errors } = await decoder.decodeOggPages([told as unknown as Parameters<typeof decoder.decodeOggPages>[0][number]]);
      refuseErrors('a Vorbis packet', errors);
      data = noComments;
      yield { channels: channelData, rate };
    }
  }
  for (let page = pages.next(); page.done !== true; page = pages.next()) {
    const { packets, granule, isLast } = page.value;
    yield { chunks: decodedPackets(packets), granule, isLast };
  }
}
