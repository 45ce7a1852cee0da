/**
 * The pages of an Ogg file, each checked by its CRC-32, and the streams in it: one behind the other (chained), not beside each other.
 *
 *   page: "OggS" 0 flags granule(8) serial(4) sequence(4) crc(4) count(1) lengths(count) segments
 *   packet: segments, up to the first one that is shorter than 255 bytes; it may go on in the next page
 */
import { audioError } from '../../../core/errors/audio.ts';
import { corrupt } from './audio-chunk.ts';

export type OggCodec = 'opus' | 'vorbis' | 'flac';

/** A stream: its pages from one byte to another, among which there may be such of a skeleton. */
export type OggLink = { readonly codec: OggCodec; readonly serial: number; readonly start: number; readonly end: number };

/** What ends on one page. */
export type OggPage = {
  readonly packets: readonly Buffer[];
  /** Samples until the end of the last packet, in the codec's own count; undefined where no packet ends here. */
  readonly granule: bigint | undefined;
  /** The stream says that it ends here. */
  readonly isLast: boolean;
};

type Page = {
  readonly isContinued: boolean;
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly granule: bigint;
  readonly serial: number;
  readonly sequence: number;
  readonly lengths: Buffer;
  readonly body: Buffer;
  readonly end: number;
};

const headerLength = 27;
const noGranule = -1n;

function pageAt(bytes: Buffer, at: number): Page {
  if (bytes.toString('latin1', at, at + 4) !== 'OggS') throw corrupt(`no Ogg page begins at byte ${at}`);
  if (at + headerLength > bytes.length) throw corrupt('the Ogg file ends within a page');
  const flags = bytes[at + 5] ?? 0;
  const bodyStart = at + headerLength + (bytes[at + 26] ?? 0);
  const lengths = bytes.subarray(at + headerLength, bodyStart);
  const end = bodyStart + lengths.reduce((total, length) => total + length, 0);
  if (end > bytes.length) throw corrupt('the Ogg file ends within a page');
  return {
    isContinued: (flags & 1) !== 0,
    isFirst: (flags & 2) !== 0,
    isLast: (flags & 4) !== 0,
    granule: bytes.readBigInt64LE(at + 6),
    serial: bytes.readUInt32LE(at + 14),
    sequence: bytes.readUInt32LE(at + 18),
    lengths,
    body: bytes.subarray(bodyStart, end),
    end,
  };
}

/** More than anybody joins: each costs a decoder. */
const linksMax = 1_000;

/** Walks through all pages. Throws LS_AUDIO_CORRUPT, LS_AUDIO_FORMAT. */
export function oggLinks(bytes: Buffer): readonly OggLink[] {
  const links: { codec: OggCodec; serial: number; start: number; end: number }[] = [];
  const skeletons = new Set<number>();
  let sequence = 0;
  let isOpen = false;
  for (let at = 0; at < bytes.length; ) {
    const page = pageAt(bytes, at);
    if (crcOf(bytes, at, page.end) !== bytes.readUInt32LE(at + 22)) throw corrupt(`the Ogg page at byte ${at} is damaged`);
    const last = links.at(-1);
    if (page.isFirst) {
      const codec = codecOf(page.body);
      if (codec === 'skeleton') skeletons.add(page.serial);
      else {
        // A second one before the first has begun is meant to be heard at the same time.
        if (isOpen && sequence === 1) throw audioError('LS_AUDIO_FORMAT', 'the Ogg file holds several streams at once');
        if (links.length === linksMax) throw corrupt(`the Ogg file holds more than ${linksMax} streams`);
        links.push({ codec, serial: page.serial, start: at, end: page.end });
        sequence = page.sequence + 1;
        isOpen = true;
      }
    } else if (last !== undefined && page.serial === last.serial && isOpen) {
      if (page.sequence !== sequence) throw corrupt(`the Ogg page at byte ${at} is number ${page.sequence}; the one before it is ${sequence - 1}`);
      sequence += 1;
      last.end = page.end;
      isOpen = !page.isLast;
    } else if (!skeletons.has(page.serial)) throw corrupt(`the Ogg page at byte ${at} is of no stream that has begun`);
    at = page.end;
  }
  if (links.length === 0) throw corrupt('the Ogg file holds no stream');
  return links;
}

function codecOf(body: Buffer): OggCodec | 'skeleton' {
  const text = body.toString('latin1', 0, 8);
  if (text === 'OpusHead') return 'opus';
  if (text.startsWith('\x01vorbis')) return 'vorbis';
  if (text.startsWith('\x7fFLAC')) return 'flac';
  if (text === 'fishead\0') return 'skeleton';
  const named = text.startsWith('Speex') ? 'Speex' : text.startsWith('\x80theora') ? 'a Theora video' : 'a stream of another kind';
  throw audioError('LS_AUDIO_FORMAT', `the Ogg file holds ${named}, not Opus, Vorbis or FLAC`);
}

/** Page after page of one stream. Throws LS_AUDIO_CORRUPT. */
export function* oggPages(bytes: Buffer, { serial, start, end }: OggLink): Generator<OggPage> {
  let unfinished: Buffer[] = [];
  for (let at = start; at < end; ) {
    const page = pageAt(bytes, at);
    at = page.end;
    if (page.serial !== serial) continue;
    if (page.isContinued !== unfinished.length > 0) throw corrupt('a packet of the Ogg file lacks its beginning or its end');
    const packets: Buffer[] = [];
    let from = 0;
    let to = 0;
    for (const length of page.lengths) {
      to += length;
      if (length === 255) continue;
      const part = page.body.subarray(from, to);
      packets.push(unfinished.length === 0 ? part : Buffer.concat([...unfinished, part]));
      unfinished = [];
      from = to;
    }
    if (page.lengths.at(-1) === 255) unfinished.push(page.body.subarray(from, to));
    yield { packets, granule: page.granule === noGranule ? undefined : page.granule, isLast: page.isLast };
  }
  if (unfinished.length > 0) throw corrupt('the last packet of an Ogg stream lacks its end');
}

/** Most significant bit first, of the page with zeros in the place of its own. */
function crcOf(bytes: Buffer, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at += 1) {
    const byte = at >= start + 22 && at < start + 26 ? 0 : (bytes[at] ?? 0);
    crc = (crc << 8) ^ (crcTable[(crc >>> 24) ^ byte] ?? 0);
  }
  return crc >>> 0;
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  return crc;
});
