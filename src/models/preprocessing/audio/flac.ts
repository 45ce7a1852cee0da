/** FLAC by libFLAC, frame by frame: one of sixteen bytes may hold 65,535 samples. */
import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { corrupt, refuseErrors, type AudioChunk } from './audio-chunk.ts';
import { flacStructure, type FlacStream } from './flac-structure.ts';

export async function* decodeFlac(bytes: Buffer): AsyncGenerator<AudioChunk, undefined> {
  const { stream, head, frames } = flacStructure(bytes);
  yield* decodeFlacFrames(stream, head, frames);
}

/** @param head the description of the stream, as in flac-structure.ts. */
export async function* decodeFlacFrames({ rate, bitsPerSample, samples }: FlacStream, head: Buffer, frames: Iterable<Buffer>): AsyncGenerator<AudioChunk> {
  const decoder = new FLACDecoder();
  await decoder.ready;
  // libFLAC's integers were divided by the largest one; everybody else divides by one more.
  const scale = (2 ** (bitsPerSample - 1) - 1) / 2 ** (bitsPerSample - 1);
  let decoded = 0;
  try {
    await decoder.decodeFrames([head]);
    for (const frame of frames) {
      const { channelData, samplesDecoded, bitDepth, errors } = await decoder.decodeFrames([frame]);
      refuseErrors('a FLAC frame', errors);
      if (samplesDecoded === 0) throw corrupt('a FLAC frame holds no samples');
      if (bitDepth !== bitsPerSample) throw corrupt(`a FLAC frame has samples of ${bitDepth} bits in a stream of ${bitsPerSample}`);
      decoded += samplesDecoded;
      for (const channel of channelData) for (let index = 0; index < channel.length; index += 1) channel[index] = (channel[index] ?? 0) * scale;
      yield { channels: channelData, rate };
    }
  } finally {
    decoder.free();
  }
  if (samples > 0 && decoded !== samples) throw corrupt(`the FLAC stream has ${decoded} samples and says that they are ${samples}`);
}
