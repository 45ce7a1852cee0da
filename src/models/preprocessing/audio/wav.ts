/**
 * WAV: integers of 8 to 32 bits and floating-point numbers of 32 and 64, as plain formats and as WAVE_FORMAT_EXTENSIBLE.
 * The bytes are a producer's, so every length in them is compared with what is there.
 */
import { audioError } from '../../../core/errors/audio.ts';
import { corrupt, requireChannels, requireRate, type AudioChunk } from './audio-chunk.ts';

type WavFormat = {
  readonly channels: number;
  readonly rate: number;
  /** Of one sample of one channel. */
  readonly bytesPerSample: number;
  readonly read: ReadSample;
};

type ReadSample = (data: Buffer, at: number) => number;

const integerReaders: Readonly<Record<number, ReadSample>> = {
  1: (data, at) => (data.readUInt8(at) - 128) / 128,
  2: (data, at) => data.readInt16LE(at) / 32_768,
  3: (data, at) => data.readIntLE(at, 3) / 8_388_608,
  4: (data, at) => data.readInt32LE(at) / 2_147_483_648,
};

const floatReaders: Readonly<Record<number, ReadSample>> = {
  4: (data, at) => data.readFloatLE(at),
  8: (data, at) => data.readDoubleLE(at),
};

const codings: Readonly<Record<number, string>> = { 2: 'ADPCM', 6: 'A-law', 7: 'mu-law', 17: 'ADPCM', 80: 'MPEG audio', 85: 'MP3', 255: 'AAC' };

const extensible = 0xfffe;
/** Behind the two bytes of the coding, in a sub-format that stands for one. */
const subFormatTail = '000000001000800000aa00389b71';

const framesPerChunk = 65_536;

export function* decodeWav(bytes: Buffer): Generator<AudioChunk> {
  const { format: formatBytes, data } = partsOf(bytes);
  const { channels, rate, bytesPerSample, read } = formatOf(formatBytes);
  const frameBytes = channels * bytesPerSample;
  if (data.length % frameBytes !== 0) throw corrupt(`the WAV file has ${data.length} bytes of samples, no multiple of ${frameBytes}`);
  const count = data.length / frameBytes;
  const framesMax = Math.max(1, Math.floor(framesPerChunk / channels));
  for (let start = 0; start < count; start += framesMax) {
    const length = Math.min(framesMax, count - start);
    yield {
      rate,
      channels: Array.from({ length: channels }, (_, channel) => {
        const samples = new Float32Array(length);
        const from = start * frameBytes + channel * bytesPerSample;
        for (let index = 0; index < length; index += 1) samples[index] = read(data, from + index * frameBytes);
        return samples;
      }),
    };
  }
}

function formatOf(format: Buffer): WavFormat {
  const [channels, rate, frameBytes, bits] = [format.readUInt16LE(2), format.readUInt32LE(4), format.readUInt16LE(12), format.readUInt16LE(14)];
  const coding = codingOf(format);
  const bytesPerSample = Math.ceil(bits / 8);
  const read = coding === 1 ? integerReaders[bytesPerSample] : coding === 3 ? floatReaders[bytesPerSample] : undefined;
  if (read === undefined) {
    const named = coding === undefined ? 'an unknown coding' : (codings[coding] ?? `the coding ${coding}`);
    throw audioError('LS_AUDIO_FORMAT', `the WAV file holds ${coding === 1 ? 'integers' : coding === 3 ? 'floating-point numbers' : named} of ${bits} bits`, { bits });
  }
  if (channels === 0 || frameBytes !== channels * bytesPerSample) throw corrupt(`the WAV file says that ${channels} channels of ${bits} bits take ${frameBytes} bytes`);
  requireChannels(channels);
  requireRate(rate);
  return { channels, rate, bytesPerSample, read };
}

/** Undefined where its sub-format stands for none. */
function codingOf(format: Buffer): number | undefined {
  const coding = format.readUInt16LE(0);
  if (coding !== extensible) return coding;
  if (format.length < 40) throw corrupt(`the format of the WAV file has ${format.length} of 40 bytes`);
  return format.toString('hex', 26, 40) === subFormatTail ? format.readUInt16LE(24) : undefined;
}

/** What a writer puts in the place of a length that it cannot go back to. */
const lengthUnknown = 0xffff_ffff;
const chunksMax = 1_000;

/** The first of each name. Throws LS_AUDIO_CORRUPT. */
function partsOf(bytes: Buffer): { readonly format: Buffer; readonly data: Buffer } {
  const parts: { format?: Buffer; data?: Buffer } = {};
  let chunks = 0;
  for (let at = 12; at + 8 <= bytes.length && (parts.format === undefined || parts.data === undefined); chunks += 1) {
    if (chunks === chunksMax) throw corrupt(`the WAV file has more than ${chunksMax} parts in front of its samples`);
    const name = bytes.toString('latin1', at, at + 4);
    const claimed = bytes.readUInt32LE(at + 4);
    const length = name === 'data' && claimed === lengthUnknown ? bytes.length - at - 8 : claimed;
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length) throw corrupt(`the part ${JSON.stringify(name)} of the WAV file ends after ${body.length} of ${length} bytes`);
    if (name === 'fmt ') parts.format ??= body;
    if (name === 'data') parts.data ??= body;
    at += 8 + length + (length % 2);
  }
  const { format, data } = parts;
  if (format === undefined || format.length < 16 || data === undefined) throw corrupt('the WAV file lacks its format or its samples');
  return { format, data };
}
