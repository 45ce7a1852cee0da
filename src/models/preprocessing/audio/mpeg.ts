/** MPEG audio by mpg123, whose build for WebAssembly always gives two channels: those of a file with one are equal. */
import { MPEGDecoder } from 'mpg123-decoder';
import { refuseErrors, type AudioChunk } from './audio-chunk.ts';
import { mpegStructure } from './mpeg-structure.ts';

/** At the least bytes a frame can have, hundreds of frames. */
const bytesPerChunk = 16_384;

export async function* decodeMpeg(bytes: Buffer): AsyncGenerator<AudioChunk> {
  const { rate, runs } = mpegStructure(bytes);
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    for (const { start, end } of runs) {
      for (let at = start; at < end; at += bytesPerChunk) {
        const { channelData, errors } = decoder.decode(bytes.subarray(at, Math.min(end, at + bytesPerChunk)));
        refuseErrors('the MPEG audio', errors);
        yield { channels: channelData, rate };
      }
    }
  } finally {
    decoder.free();
  }
}
