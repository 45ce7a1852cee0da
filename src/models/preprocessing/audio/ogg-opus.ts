/** Opus in Ogg (RFC 7845) by libopus, packet by packet: one of a byte may hold 60 ms. */
import { OpusDecoder } from 'opus-decoder';
import { audioError } from '../../../core/errors/audio.ts';
import { corrupt, refuseErrors, requireChannels, type AudioChunk } from './audio-chunk.ts';
import type { OggPage } from './ogg-structure.ts';
import { withinGranules, type DecodedPage } from './ogg-timing.ts';

type OpusHead = {
  readonly channels: number;
  /** Samples that the codec needs to begin. */
  readonly preSkip: number;
  /** What every sample is multiplied with. */
  readonly gain: number;
  readonly streamCount: number;
  readonly coupledStreamCount: number;
  /** Which decoded channel each channel is. */
  readonly channelMappingTable: number[];
};

/** Whatever was recorded: the codec works at this rate, and granules count so. */
const opusRate = 48_000;

type Decoder = OpusDecoder<typeof opusRate>;

export async function* decodeOpus(pages: Iterable<OggPage>): AsyncGenerator<AudioChunk> {
  const packets: Buffer[] = [];
  const rest = pages[Symbol.iterator]();
  while (packets.length < 2) {
    const page = rest.next();
    if (page.done === true) throw corrupt('the Opus stream ends within its heads');
    packets.push(...page.value.packets);
  }
  const [first, second] = packets;
  if (packets.length > 2 || first === undefined || second?.toString('latin1', 0, 8) !== 'OpusTags') throw corrupt('the Opus stream lacks its tags, which have pages of their own');
  const { channels, preSkip, gain, ...streams } = opusHead(first);
  const decoder = new OpusDecoder({ sampleRate: opusRate, channels, preSkip: 0, ...streams });
  await decoder.ready;
  try {
    yield* withinGranules(decodedPages(rest, decoder, gain), preSkip);
  } finally {
    decoder.free();
  }
}

/** Decibels of 1/256, as a factor. */
function factorOf(gain: number): number {
  return 10 ** (gain / (20 * 256));
}

/** Throws LS_AUDIO_CORRUPT, LS_AUDIO_FORMAT. */
function opusHead(packet: Buffer): OpusHead {
  if (packet.length < 19) throw corrupt('the head of the Opus stream is cut off');
  const [version = 0, channels = 0] = packet.subarray(8, 10);
  const family = packet[18] ?? 0;
  if (version > 15) throw audioError('LS_AUDIO_FORMAT', `the Opus stream is of version ${version >>> 4}.${version & 15}`);
  const common = { channels, preSkip: packet.readUInt16LE(10), gain: factorOf(packet.readInt16LE(16)) };
  if (family === 0) {
    if (channels !== 1 && channels !== 2) throw corrupt(`the Opus stream has ${channels} channels where there can be one or two`);
    return { ...common, streamCount: 1, coupledStreamCount: channels - 1, channelMappingTable: channels === 1 ? [0] : [0, 1] };
  }
  if (family !== 1 && family !== 255) throw audioError('LS_AUDIO_FORMAT', `the channels of the Opus stream are of the family ${family}; 0, 1 and 255 are read`);
  const [streamCount = 0, coupledStreamCount = 0] = packet.subarray(19, 21);
  const channelMappingTable = [...packet.subarray(21, 21 + channels)];
  const decodedChannels = streamCount + coupledStreamCount;
  // 255 stands for silence.
  const isSound = channelMappingTable.length === channels && channelMappingTable.every((index) => index < decodedChannels || index === 255);
  if (channels === 0 || streamCount === 0 || coupledStreamCount > streamCount || !isSound) throw corrupt('the channels of the Opus stream are none that can be decoded');
  // A stream is decoded whether or not one of the channels is it.
  requireChannels(Math.max(channels, decodedChannels));
  return { ...common, streamCount, coupledStreamCount, channelMappingTable };
}

function* decodedPages(pages: Iterator<OggPage>, decoder: Decoder, gain: number): Generator<DecodedPage> {
  for (let page = pages.next(); page.done !== true; page = pages.next()) {
    const { packets, granule, isLast } = page.value;
    yield { chunks: decodedPackets(packets, decoder, gain), granule, isLast };
  }
}

function* decodedPackets(packets: readonly Buffer[], decoder: Decoder, gain: number): Generator<AudioChunk> {
  for (const packet of packets) {
    const { channelData, errors } = decoder.decodeFrame(packet);
    refuseErrors('an Opus packet', errors);
    if (gain !== 1) for (const channel of channelData) for (let index = 0; index < channel.length; index += 1) channel[index] = (channel[index] ?? 0) * gain;
    yield { channels: channelData, rate: opusRate };
  }
}
