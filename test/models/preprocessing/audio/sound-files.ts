/** Sounds written by hand, right and wrong ones. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const directory = join(import.meta.dirname, 'sounds');

export const readSound = (name: string): Promise<Buffer> => readFile(join(directory, name));

export type SoundGolden = {
  readonly channels: number;
  readonly rate: number;
  readonly samples: number;
  readonly samples16k: number;
  readonly meanSquare: number;
  /** Base64 of float32. */
  readonly everySo: string;
};

type Goldens = {
  readonly step: number;
  readonly sounds: Readonly<Record<string, SoundGolden>>;
  /** Of the resampled samples every so many; the input is base64 of 16-bit numbers. */
  readonly resampledStep: number;
  readonly resampling: readonly { readonly rate: number; readonly input: string; readonly samples: number; readonly soxr: string; readonly kaiserBest: string }[];
};

export async function readGoldens(): Promise<Goldens> {
  return JSON.parse(await readFile(join(directory, 'goldens.json'), 'utf8')) as Goldens;
}

export function float32Of(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return new Float32Array(bytes.buffer);
}

export function contentTypeOf(name: string): string {
  return { wav: 'audio/wav', mp3: 'audio/mpeg', flac: 'audio/flac', ogg: 'audio/ogg' }[name.split('.').at(-1) ?? ''] ?? '';
}

/** Samples as WAV, whatever is said of them. */
export function wav(samples: Buffer, { channels = 1, rate = 16_000, bits = 16, coding = 1, said = samples.length } = {}): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  for (const [value, offset] of [[coding, 20], [channels, 22], [(channels * bits) / 8, 32], [bits, 34]] as const) header.writeUInt16LE(value, offset);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE((rate * channels * bits) / 8, 28);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(said, 40);
  return Buffer.concat([header, samples]);
}

/** 32-bit floating-point numbers as WAV. */
export function floatWav(numbers: readonly number[], rate = 16_000): Buffer {
  const samples = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) samples.writeFloatLE(number, 4 * index);
  return wav(samples, { bits: 32, coding: 3, rate });
}

type PageOptions = { readonly serial?: number; readonly sequence: number; readonly granule: bigint; readonly flags?: number };

/** One page that holds these packets whole. */
export function oggPage(packets: readonly Buffer[], { serial = 7, sequence, granule, flags = 0 }: PageOptions): Buffer {
  const lengths = packets.flatMap(({ length }) => [...Array.from({ length: Math.floor(length / 255) }, () => 255), length % 255]);
  const page = Buffer.concat([Buffer.alloc(27), Buffer.from(lengths), ...packets]);
  page.write('OggS', 0, 'latin1');
  page[5] = flags;
  page.writeBigInt64LE(granule, 6);
  page.writeUInt32LE(serial, 14);
  page.writeUInt32LE(sequence, 18);
  page[26] = lengths.length;
  return withCrc(page);
}

/** The CRC of one page that was changed, bit by bit. */
export function withCrc(page: Buffer): Buffer {
  page.writeUInt32LE(0, 22);
  page.writeUInt32LE(crcOf(page, 0x04c1_1db7, 32), 22);
  return page;
}

export function opusHead(channels = 1, preSkip = 312, gain = 0): Buffer {
  const head = Buffer.alloc(19);
  head.write('OpusHead', 0, 'latin1');
  head.set([1, channels], 8);
  head.writeUInt16LE(preSkip, 10);
  head.writeUInt32LE(48_000, 12);
  head.writeInt16LE(gain, 16);
  return head;
}

export const opusTags = Buffer.concat([Buffer.from('OpusTags', 'latin1'), Buffer.alloc(8)]);

/** A file of silence: each packet of one byte stands for 60 ms. */
export function silentOpus(packetCount: number): Buffer {
  const pages = [oggPage([opusHead()], { sequence: 0, granule: 0n, flags: 2 }), oggPage([opusTags], { sequence: 1, granule: 0n })];
  for (let done = 0; done < packetCount; ) {
    const count = Math.min(255, packetCount - done);
    done += count;
    pages.push(oggPage(Array.from({ length: count }, () => Buffer.of(0x18)), { sequence: pages.length, granule: BigInt(done * 2_880), flags: done === packetCount ? 4 : 0 }));
  }
  return Buffer.concat(pages);
}

/** A file of one number: each frame of some fifteen bytes stands for 65,535 samples. */
export function constantFlac(frameCount: number, { value = 1_000, rate = 16_000, bits = 16, said = frameCount * 65_535 } = {}): Buffer {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(65_535, 0);
  info.writeUInt16BE(65_535, 2);
  info.writeUInt32BE(((rate << 12) >>> 0) + ((bits - 1) << 4) + Math.floor(said / 2 ** 32), 10);
  info.writeUInt32BE(said >>> 0, 14);
  const frames = Array.from({ length: frameCount }, (_, number) => constantFrame(number, value, bits));
  return Buffer.concat([Buffer.from('fLaC\x80\0\0\x22', 'latin1'), info, ...frames]);
}

/** What a frame says of its bits; other numbers are said by the file alone. */
const bitsCodes: Readonly<Record<number, number>> = { 8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7 };

/** One channel of 16,000 samples a second. */
function constantFrame(number: number, value: number, bits: number): Buffer {
  const coded = number < 0x80 ? [number] : number < 0x800 ? [0xc0 | (number >> 6), 0x80 | (number & 63)] : [0xe0 | (number >> 12), 0x80 | ((number >> 6) & 63), 0x80 | (number & 63)];
  const header = Buffer.from([0xff, 0xf8, 0x75, (bitsCodes[bits] ?? 0) << 1, ...coded, 0xff, 0xfe]);
  // Filled up with zeros to whole bytes.
  const sample = Buffer.alloc(Math.ceil(bits / 8));
  sample.writeIntBE(value * 2 ** (8 * sample.length - bits), 0, sample.length);
  const frame = Buffer.concat([header, Buffer.of(crcOf(header, 0x07, 8)), Buffer.of(0), sample]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16BE(crcOf(frame, 0x8005, 16));
  return Buffer.concat([frame, crc]);
}

/** One frame of 8-bit samples as they are, in whose midst its checksum is 0 and the two bytes stand that frames begin with. */
export function flacWithFalseBeginning(behind: readonly number[]): Buffer {
  const count = 200;
  const before = Buffer.from(Array.from({ length: 60 }, (_, index) => (index * 7) % 100));
  const header = Buffer.from([0xff, 0xf8, 0x75, 0x02, 0, 0, count - 1]);
  const begun = Buffer.concat([header, Buffer.of(crcOf(header, 0x07, 8)), Buffer.of(0x02), before]);
  const samples = Buffer.alloc(count - before.length);
  samples.writeUInt16BE(crcOf(begun, 0x8005, 16));
  samples.set([0xff, 0xf8, ...behind], 2);
  const frame = Buffer.concat([begun, samples]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16BE(crcOf(frame, 0x8005, 16));
  return Buffer.concat([constantFlac(0, { bits: 8, said: count }), frame, crc]);
}

/** Most significant bit first, begun with 0. */
function crcOf(bytes: Buffer, polynomial: number, width: number): number {
  let crc = 0n;
  const [top, mask] = [1n << BigInt(width - 1), (1n << BigInt(width)) - 1n];
  for (const byte of bytes) {
    crc ^= BigInt(byte) << BigInt(width - 8);
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc & top) === 0n ? crc << 1n : (crc << 1n) ^ BigInt(polynomial)) & mask;
  }
  return Number(crc);
}
