/**
 * The port of whatever decodes sound, and what there is of it: WAV of the one form that needs no conversion. The bytes are a producer's, so every
 * length in them is compared with what is there.
 */
import { audioError } from '../../../core/errors/audio.ts';

export type AudioLimits = { readonly secondsMax: number };

/** One channel of 16,000 samples a second, from -1 to 1; at least one sample. Rejects with LS_AUDIO_*. */
export type DecodeAudio = (bytes: Uint8Array, contentType: string, limits: AudioLimits) => Promise<Float32Array>;

export const sampleRate = 16_000;

export const decodeAudio: DecodeAudio = (bytes, _contentType, limits) => new Promise((resolve) => resolve(decodeWav(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits)));

function decodeWav(bytes: Buffer, { secondsMax }: AudioLimits): Float32Array {
  if (bytes.length === 0) throw audioError('LS_AUDIO_EMPTY', 'the content has no bytes');
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw audioError('LS_AUDIO_FORMAT', 'the content is no WAV file by its first bytes');
  }
  const chunks = chunksOf(bytes);
  const format = chunks.get('fmt ');
  const data = chunks.get('data');
  if (format === undefined || format.length < 16 || data === undefined) throw audioError('LS_AUDIO_CORRUPT', 'the WAV file lacks its format or its samples');
  const [coding, channels, rate, bits] = [format.readUInt16LE(0), format.readUInt16LE(2), format.readUInt32LE(4), format.readUInt16LE(14)];
  if (coding !== 1 || channels !== 1 || rate !== sampleRate || bits !== 16) {
    throw audioError('LS_AUDIO_FORMAT', `the WAV file has ${channels} channels of ${rate} samples a second in ${bits} bits (coding ${coding})`);
  }
  if (data.length % 2 !== 0) throw audioError('LS_AUDIO_CORRUPT', `the WAV file has ${data.length} bytes of samples of two bytes`);
  const count = data.length / 2;
  if (count === 0) throw audioError('LS_AUDIO_EMPTY', 'the sound has no samples');
  if (count > secondsMax * sampleRate) throw audioError('LS_AUDIO_TOO_LONG', `the sound lasts ${Math.round(count / sampleRate)} s; at most ${secondsMax} are taken`);
  const samples = new Float32Array(count);
  for (let index = 0; index < count; index += 1) samples[index] = data.readInt16LE(2 * index) / 32_768;
  return samples;
}

/** The first of each name. */
function chunksOf(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let offset = 12; offset + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', offset, offset + 4);
    const length = bytes.readUInt32LE(offset + 4);
    const body = bytes.subarray(offset + 8, offset + 8 + length);
    if (body.length < length) throw audioError('LS_AUDIO_CORRUPT', `the part ${JSON.stringify(name)} of the WAV file ends after ${body.length} of ${length} bytes`);
    if (!chunks.has(name)) chunks.set(name, body);
    offset += 8 + length + (length % 2);
  }
  return chunks;
}
