/** What decoders of sound give, piece by piece, so that a small file that holds hours costs no more than is allowed. */
import { audioError } from '../../../core/errors/audio.ts';

export type AudioChunk = {
  /** One array a channel, of one length; -1 to 1, unless the file itself holds floating-point numbers beyond. */
  readonly channels: readonly Float32Array[];
  /** Samples a second of each channel. */
  readonly rate: number;
};

/** Of a file of one format. A decoder that has something to free does so whenever its consumer stops. Rejects with LS_AUDIO_*. */
export type DecodeChunks = (bytes: Buffer) => AsyncIterable<AudioChunk> | Iterable<AudioChunk>;

export function corrupt(message: string): Error {
  return audioError('LS_AUDIO_CORRUPT', message);
}

const rateMin = 1_000;
/** Above what any converter for sound works at. */
const rateMax = 384_000;

/** Throws LS_AUDIO_FORMAT. */
export function requireRate(rate: number): void {
  if (rate >= rateMin && rate <= rateMax) return;
  throw audioError('LS_AUDIO_FORMAT', `the sound has ${rate} samples a second; ${rateMin} to ${rateMax} are taken`, { rate });
}

/** All that FLAC can have, and that Vorbis and Opus give places to. What a page of Ogg costs is limited by it. */
const channelsMax = 8;

/** Throws LS_AUDIO_FORMAT. */
export function requireChannels(channels: number): void {
  if (channels > channelsMax) throw audioError('LS_AUDIO_FORMAT', `the sound has ${channels} channels; ${channelsMax} at most are taken`, { channels });
}

type DecoderError = { readonly message: string };

/** What a library says of the bytes that it was given. Throws LS_AUDIO_CORRUPT. */
export function refuseErrors(what: string, errors: readonly DecoderError[]): void {
  const [first] = errors;
  if (first !== undefined) throw corrupt(`${what} cannot be decoded: ${first.message}`);
}
