/**
 * The frames of MPEG audio (MP1, MP2, MP3), found by their headers alone: each tells its own length. A decoder looks for the next header wherever it
 * loses its way, and so makes something of anything; here every byte has to belong to a frame or to a tag.
 *
 *   [ID3v2] frame frame frame ... [ID3v2 frame ...] [zeros] [APEv2] [ID3v1]
 */
import { audioError } from '../../../core/errors/audio.ts';
import { corrupt, requireRate } from './audio-chunk.ts';
import { endBeforeTags, id3Length } from './id3-tag.ts';

/** In thousands of bits a second, by the number in the header; by layer, of MPEG 1 and of the lower rates. */
const kilobits = {
  1: {
    full: [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    low: [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  },
  2: {
    full: [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    low: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  },
  3: {
    full: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    low: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  },
} as const;

const rates = [44_100, 48_000, 32_000] as const;
/** What the rates are divided by: MPEG 2.5, none, MPEG 2, MPEG 1. */
const rateDivisors = [4, undefined, 2, 1] as const;
const layers = [undefined, 3, 2, 1] as const;

export type MpegFrame = {
  /** In bytes, the header among them. */
  readonly length: number;
  readonly rate: number;
  readonly samples: number;
  /** Frames of one stream are of one kind. */
  readonly kind: string;
};

/** Undefined: no header, or one of a length that it does not tell (free format). */
export function mpegFrameAt(bytes: Buffer, at: number): MpegFrame | undefined {
  if (bytes.length < at + 4) return undefined;
  const header = bytes.readUInt32BE(at);
  const layer = layers[(header >>> 17) & 3];
  const divisor = rateDivisors[(header >>> 19) & 3];
  const baseRate = rates[(header >>> 10) & 3];
  if (header >>> 21 !== 0x7ff || layer === undefined || divisor === undefined || baseRate === undefined) return undefined;
  const bits = (kilobits[layer][divisor === 1 ? 'full' : 'low'][(header >>> 12) & 15] ?? 0) * 1_000;
  if (bits === 0) return undefined;
  const rate = baseRate / divisor;
  const padding = (header >>> 9) & 1;
  const samples = layer === 1 ? 384 : layer === 3 && divisor > 1 ? 576 : 1_152;
  // Of layer I lengths are counted in slots of four bytes.
  const length = layer === 1 ? (Math.floor((12 * bits) / rate) + padding) * 4 : Math.floor((samples * bits) / (8 * rate)) + padding;
  return { length, rate, samples, kind: `${divisor}.${layer}.${rate}` };
}

export type MpegStructure = {
  readonly rate: number;
  /** Of frames, one behind the other: what lies between them is no sound. */
  readonly runs: readonly { readonly start: number; readonly end: number }[];
};

/** Throws LS_AUDIO_CORRUPT, LS_AUDIO_EMPTY, LS_AUDIO_FORMAT. */
export function mpegStructure(bytes: Buffer): MpegStructure {
  const end = endBeforeTags(bytes);
  const runs: { readonly start: number; end: number }[] = [];
  let first: MpegFrame | undefined;
  let [count, claimed] = [0, 0];
  for (let at = 0; at < end; ) {
    const tag = id3Length(bytes, at);
    if (tag > 0) {
      at += tag;
      if (at > end) throw corrupt('the file ends within its ID3 tag');
      continue;
    }
    const frame = mpegFrameAt(bytes, at);
    if (frame === undefined) {
      at = behindZeros(bytes, at, end);
      continue;
    }
    if (first !== undefined && frame.kind !== first.kind) throw corrupt(`the frame at byte ${at} is of another kind than the first one`);
    if (at + frame.length > end) throw corrupt(`the file ends within a frame, after ${end - at} of ${frame.length} bytes`);
    if (first === undefined) {
      first = frame;
      claimed = claimedFrames(bytes, at);
    }
    count += 1;
    const last = runs.at(-1);
    if (last?.end === at) last.end = at + frame.length;
    else runs.push({ start: at, end: at + frame.length });
    at += frame.length;
  }
  if (first === undefined) throw audioError('LS_AUDIO_EMPTY', 'the sound has no frames');
  if (count < claimed) throw corrupt(`the file says that it has ${claimed} frames, and has ${count}`);
  requireRate(first.rate);
  return { rate: first.rate, runs };
}

/** Encoders put a frame in front that is no sound, and says how many follow. 0 where there is none. */
function claimedFrames(bytes: Buffer, at: number): number {
  const header = bytes.readUInt32BE(at);
  const isFull = ((header >>> 19) & 3) === 3;
  const isMono = ((header >>> 6) & 3) === 3;
  const tag = at + 4 + (isFull ? (isMono ? 17 : 32) : isMono ? 9 : 17);
  if (bytes.length < tag + 12 || !/^(Xing|Info)$/.test(bytes.toString('latin1', tag, tag + 4))) return 0;
  return (bytes.readUInt32BE(tag + 4) & 1) === 1 ? bytes.readUInt32BE(tag + 8) : 0;
}

/** Padding behind a tag, and at the end. */
function behindZeros(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] === 0) at += 1;
  if (at > from) return at;
  throw corrupt(`at byte ${from} there is no frame, where the one before it ends`);
}
