/**
 * The port of whatever decodes sound. A file is decoded piece by piece, its channels are mixed down to their mean and resampled, as librosa loads it;
 * limits are looked at with every piece, whatever the file says of itself.
 */
import { audioError } from '../../../core/errors/audio.ts';
import type { AudioChunk, DecodeChunks } from './audio-chunk.ts';
import { audioFailure } from './audio-failure.ts';
import { audioFormatOf, type AudioFormat } from './audio-format.ts';
import { decodeFlac } from './flac.ts';
import { decodeMpeg } from './mpeg.ts';
import { decodeOgg } from './ogg.ts';
import { createResampler, type Resampler } from './resample.ts';
import { createSampleCollector } from './sample-collector.ts';
import { decodeWav } from './wav.ts';

export type AudioLimits = {
  readonly secondsMax: number;
  /** Of all channels together, as decoded: what decoding may cost. */
  readonly decodedSamplesMax: number;
};

/** Of what models hear: an hour, and of samples what it has in two channels of 48,000 a second, and a bit. */
export const audioLimits: AudioLimits = { secondsMax: 3_600, decodedSamplesMax: 350_000_000 };

/** One channel of 16,000 samples a second, from about -1 to 1; at least one sample, all finite. Rejects with LS_AUDIO_*. */
export type DecodeAudio = (bytes: Uint8Array, contentType: string, limits: AudioLimits) => Promise<Float32Array>;

export const sampleRate = 16_000;

const decoders: Readonly<Record<AudioFormat, DecodeChunks>> = { wav: decodeWav, mpeg: decodeMpeg, flac: decodeFlac, ogg: decodeOgg };

export const decodeAudio: DecodeAudio = async (bytes, contentType, limits) => {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const decode = decoders[audioFormatOf(buffer, contentType)];
    return await collected(decode(buffer), limits);
  } catch (error) {
    throw audioFailure(error);
  }
};

async function collected(chunks: ReturnType<DecodeChunks>, limits: AudioLimits): Promise<Float32Array> {
  const meter = createMeter(limits);
  const collector = createSampleCollector();
  const keep = (part: Float32Array): void => {
    requireFinite(part);
    collector.push(part);
  };
  let conversion: { readonly rate: number; readonly resampler: Resampler } | undefined;
  for await (const { channels, rate } of chunks) {
    const mono = meanOf(channels);
    meter(mono.length, channels.length, rate);
    // Streams that follow each other in one file may have rates of their own.
    if (conversion?.rate !== rate) {
      if (conversion !== undefined) keep(conversion.resampler.finish());
      conversion = { rate, resampler: createResampler(rate, sampleRate) };
    }
    keep(conversion.resampler.push(mono));
  }
  if (conversion !== undefined) keep(conversion.resampler.finish());
  const whole = collector.joined();
  if (whole.length === 0) throw audioError('LS_AUDIO_EMPTY', 'the sound has no samples');
  return whole;
}

/** To be called with every piece. Throws LS_AUDIO_TOO_LONG, LS_AUDIO_TOO_LARGE. */
function createMeter({ secondsMax, decodedSamplesMax }: AudioLimits): (count: number, channels: number, rate: number) => void {
  let seconds = 0;
  let samples = 0;
  return (count, channels, rate) => {
    seconds += count / rate;
    samples += count * channels;
    if (seconds > secondsMax) throw audioError('LS_AUDIO_TOO_LONG', `the sound lasts more than ${secondsMax} s`, { secondsMax });
    if (samples > decodedSamplesMax) throw audioError('LS_AUDIO_TOO_LARGE', `the sound has more than ${decodedSamplesMax} samples in all of its channels`, { decodedSamplesMax });
  };
}

function meanOf(channels: AudioChunk['channels']): Float32Array {
  const [first = new Float32Array(0)] = channels;
  if (channels.length <= 1) return first;
  const mean = new Float32Array(first.length);
  for (let index = 0; index < mean.length; index += 1) {
    let total = 0;
    for (const channel of channels) total += channel[index] ?? 0;
    mean[index] = total / channels.length;
  }
  return mean;
}

/** A number that is none reaches everything that is computed with it, so it is enough to look at what comes out. */
function requireFinite(samples: Float32Array): void {
  for (let index = 0; index < samples.length; index += 1) {
    if (!Number.isFinite(samples[index])) throw audioError('LS_AUDIO_NOT_FINITE', `a sample of the sound is ${samples[index] ?? ''}`);
  }
}
