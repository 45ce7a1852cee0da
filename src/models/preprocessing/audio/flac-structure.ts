/**
 * The blocks and frames of a FLAC file. A frame does not tell its length: it ends where the CRC-16 of all that is since its beginning is 0 and the
 * file ends or the header of the next one stands. So whatever is damaged or cut off is found before anything is decoded.
 *
 *   [ID3v2] "fLaC" STREAMINFO [block ...] frame frame ... [ID3v1]
 */
import { audioError } from '../../../core/errors/audio.ts';
import { corrupt, requireRate } from './audio-chunk.ts';
import { isFlacFrameHeader } from './flac-frame-header.ts';
import { endBeforeTags, id3Length } from './id3-tag.ts';

export type FlacStream = {
  readonly rate: number;
  readonly bitsPerSample: number;
  /** Of one channel; 0 where the encoder did not know. */
  readonly samples: number;
};

const streamInfoLength = 34;
/** Of others the decoder's build for WebAssembly makes no numbers. */
const bitsRead: ReadonlySet<number> = new Set([8, 16, 24, 32]);

/** @param block without its header. Throws LS_AUDIO_CORRUPT, LS_AUDIO_FORMAT. */
export function flacStream(block: Buffer): FlacStream {
  if (block.length < streamInfoLength) throw corrupt('the FLAC stream does not describe itself');
  const [high, low] = [block.readUInt32BE(10), block.readUInt32BE(14)];
  const rate = high >>> 12;
  requireRate(rate);
  const bitsPerSample = ((high >>> 4) & 31) + 1;
  if (!bitsRead.has(bitsPerSample)) throw audioError('LS_AUDIO_FORMAT', `the FLAC stream has samples of ${bitsPerSample} bits; 8, 16, 24 and 32 are read`, { bits: bitsPerSample });
  return { rate, bitsPerSample, samples: (high & 15) * 2 ** 32 + low };
}

export type FlacStructure = {
  readonly stream: FlacStream;
  /** As a file that holds nothing else: what a decoder is told of the stream. */
  readonly head: Buffer;
  readonly frames: Generator<Buffer>;
};

/** Throws LS_AUDIO_CORRUPT, LS_AUDIO_FORMAT; so do the frames. */
export function flacStructure(bytes: Buffer): FlacStructure {
  const start = id3Length(bytes, 0);
  let at = start + 4;
  for (let isLast = false; !isLast; ) {
    if (at + 4 > bytes.length) throw corrupt('the FLAC file ends before its first frame');
    const header = bytes.readUInt32BE(at);
    isLast = header >>> 31 === 1;
    at += 4 + (header & 0xff_ffff);
  }
  if (at > bytes.length) throw corrupt('the FLAC file ends before its first frame');
  const block = bytes.subarray(start + 8, start + 8 + streamInfoLength);
  return { stream: flacStream(block), head: flacHead(block), frames: framesOf(bytes, at, endBeforeTags(bytes)) };
}

export function flacHead(streamInfo: Buffer): Buffer {
  return Buffer.concat([Buffer.from('fLaC\x80\0\0', 'latin1'), Buffer.of(streamInfoLength), streamInfo.subarray(0, streamInfoLength)]);
}

function* framesOf(bytes: Buffer, from: number, end: number): Generator<Buffer> {
  let start = from;
  let crc = 0;
  if (from < end && !isFlacFrameHeader(bytes, from)) throw corrupt(`no FLAC frame begins at byte ${from}`);
  for (let at = from; at < end; at += 1) {
    if (crc === 0 && at > start && isFlacFrameHeader(bytes, at)) {
      yield bytes.subarray(start, at);
      start = at;
    }
    crc = ((crc << 8) ^ (crcTable[(crc >>> 8) ^ (bytes[at] ?? 0)] ?? 0)) & 0xffff;
  }
  if (start === end) return;
  if (crc !== 0) throw corrupt(`the FLAC frame at byte ${start} is damaged or cut off`);
  yield bytes.subarray(start, end);
}

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x8005);
  return crc & 0xffff;
});
