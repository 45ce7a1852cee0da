// Sounds of every format come to the samples that Python's libsndfile makes of them; what is damaged, contradictory or too much has a code of its own.
import { describe, expect, test } from 'vitest';
import { decodeAudio, type AudioLimits } from '../../../../src/models/preprocessing/audio/audio-decoder.ts';
import { decodeFlac } from '../../../../src/models/preprocessing/audio/flac.ts';
import { flacStructure } from '../../../../src/models/preprocessing/audio/flac-structure.ts';
import { oggLinks, oggPages } from '../../../../src/models/preprocessing/audio/ogg-structure.ts';
import { constantFlac, contentTypeOf, flacWithFalseBeginning, float32Of, floatWav, oggPage, opusHead, opusTags, readGoldens, readSound, silentOpus, wav, withCrc } from './sound-files.ts';

const goldens = await readGoldens();
const limits: AudioLimits = { secondsMax: 60, decodedSamplesMax: 10_000_000 };

/** Seen: 6e-8, 4e-10, 1.1e-6, 1.2e-7 and 5e-5. Integers differ by the rounding of float32; libsndfile has other builds of the same decoders, and an older one of Opus. */
const tolerances: Readonly<Record<string, number>> = { wav: 2e-7, flac: 2e-7, mp3: 5e-6, 'vorbis.ogg': 1e-6, 'opus.ogg': 2e-4, 'mixed.ogg': 2e-4 };

function toleranceOf(name: string): number {
  return Object.entries(tolerances).find(([ending]) => name.endsWith(ending))![1];
}

async function codeOf(bytes: Uint8Array, contentType = '', { secondsMax, decodedSamplesMax } = limits): Promise<string> {
  return decodeAudio(bytes, contentType, { secondsMax, decodedSamplesMax }).then(
    () => 'decoded',
    (error: unknown) => (error as { code: string }).code,
  );
}

describe('as in Python', () => {
  test.each(Object.entries(goldens.sounds))('%s', async (name, golden) => {
    const samples = await decodeAudio(await readSound(name), contentTypeOf(name), limits);
    expect(samples).toHaveLength(golden.samples16k);
    const expected = float32Of(golden.everySo);
    const worst = expected.reduce((largest, value, index) => Math.max(largest, Math.abs(value - samples[index * goldens.step]!)), 0);
    expect(worst).toBeLessThan(toleranceOf(name));
    const meanSquare = samples.reduce((total, value) => total + value * value, 0) / samples.length;
    expect(Math.abs(meanSquare / golden.meanSquare - 1)).toBeLessThan(1e-3);
  });
});

describe('the content type', () => {
  test.each(['', 'application/octet-stream', 'audio/flac', 'AUDIO/X-FLAC; rate=44100'])('%s: taken', async (contentType) => {
    expect(await codeOf(await readSound('integers-16.flac'), contentType)).toBe('decoded');
  });

  test.each(['audio/wav', 'audio/mpeg', 'audio/ogg', 'image/png', 'text/plain', 'audio/aac'])('%s: contradicts a FLAC file', async (contentType) => {
    expect(await codeOf(await readSound('integers-16.flac'), contentType)).toBe('LS_AUDIO_CONTENT_TYPE');
  });

  test.each([
    ['an MP4 file', Buffer.from('\0\0\0\x20ftypM4A ', 'latin1')],
    ['a WAV file of 64 bits (RF64)', Buffer.from('RF64\xff\xff\xff\xffWAVEds64', 'latin1')],
    ['AAC', Buffer.concat([Buffer.from([0xff, 0xf1, 0x50, 0x80, 0x02, 0x1f, 0xfc]), Buffer.alloc(20)])],
    ['nothing but zeros', Buffer.alloc(1_000)],
    ['something unknown', Buffer.from('no sound at all')],
  ])('%s is named', async (what, bytes) => {
    await expect(decodeAudio(bytes, '', limits)).rejects.toMatchObject({ code: 'LS_AUDIO_FORMAT', message: expect.stringContaining(what) as string });
  });
});

describe('WAV', () => {
  const samples = Buffer.from(Int16Array.from({ length: 800 }, (_, index) => Math.round(9_000 * Math.sin(index / 9))).buffer);

  test('a length that its writer did not know is what is there', async () => {
    expect(await decodeAudio(wav(samples, { said: 0xffff_ffff }), '', limits)).toEqual(await decodeAudio(wav(samples), '', limits));
  });

  test('channels are mixed down to their mean', async () => {
    expect([...(await decodeAudio(wav(samples, { channels: 4 }), '', limits))]).toEqual(
      Array.from({ length: 200 }, (_, index) => Math.fround([0, 1, 2, 3].reduce((total, channel) => total + samples.readInt16LE(8 * index + 2 * channel) / 32_768, 0) / 4)),
    );
  });

  test.each([
    ['no bytes', Buffer.alloc(0), 'LS_AUDIO_EMPTY'],
    ['no samples', wav(Buffer.alloc(0)), 'LS_AUDIO_EMPTY'],
    ['samples that are cut off', wav(samples).subarray(0, 1_000), 'LS_AUDIO_CORRUPT'],
    ['a head that is cut off', wav(samples).subarray(0, 30), 'LS_AUDIO_CORRUPT'],
    ['half a sample', wav(Buffer.alloc(3)), 'LS_AUDIO_CORRUPT'],
    ['no channels', wav(samples, { channels: 0 }), 'LS_AUDIO_CORRUPT'],
    ['mu-law', wav(samples, { coding: 7, bits: 8 }), 'LS_AUDIO_FORMAT'],
    ['integers of 40 bits', wav(Buffer.alloc(50), { bits: 40 }), 'LS_AUDIO_FORMAT'],
    ['a rate of 0', wav(samples, { rate: 0 }), 'LS_AUDIO_FORMAT'],
    ['a rate of megahertz', wav(samples, { rate: 4_000_000 }), 'LS_AUDIO_FORMAT'],
    ['a number that is none', floatWav([0, 0.5, Number.NaN, 0]), 'LS_AUDIO_NOT_FINITE'],
    ['a number that is none, to be resampled', floatWav([0, 0.5, Number.NaN, 0], 44_100), 'LS_AUDIO_NOT_FINITE'],
    ['an infinite number', floatWav([Number.NEGATIVE_INFINITY]), 'LS_AUDIO_NOT_FINITE'],
  ])('%s', async (_, bytes, code) => {
    expect(await codeOf(bytes)).toBe(code);
  });

  test('one sample is a sound', async () => {
    expect(await decodeAudio(wav(Buffer.of(0, 64)), '', limits)).toEqual(Float32Array.of(0.5));
    expect(await decodeAudio(wav(Buffer.of(0, 64), { rate: 48_000 }), '', limits)).toHaveLength(1);
  });
});

describe('limits', () => {
  test('seconds, whatever the format', async () => {
    for (const name of ['integers-8.wav', 'stereo.mp3', 'integers-8.flac', 'mono.vorbis.ogg', 'mono.opus.ogg']) {
      expect(await codeOf(await readSound(name), '', { ...limits, secondsMax: 0.3 }), name).toBe('LS_AUDIO_TOO_LONG');
    }
  });

  test('samples of all channels', async () => {
    const { samples, channels } = goldens.sounds['extensible-16.wav']!;
    const file = await readSound('extensible-16.wav');
    expect(await codeOf(file, '', { ...limits, decodedSamplesMax: samples * channels })).toBe('decoded');
    expect(await codeOf(file, '', { ...limits, decodedSamplesMax: samples * channels - 1 })).toBe('LS_AUDIO_TOO_LARGE');
  });

  test('a small file of twenty minutes costs no more than what is allowed', async () => {
    const hours = constantFlac(300);
    expect(hours.length).toBeLessThan(6_000);
    expect(await codeOf(hours)).toBe('LS_AUDIO_TOO_LONG');
    expect(await codeOf(silentOpus(2_000))).toBe('LS_AUDIO_TOO_LONG');
    // Frame after frame is asked for, and none beyond.
    const chunks = decodeFlac(hours);
    const { value } = await chunks.next();
    expect(value?.channels[0]).toHaveLength(65_535);
    await chunks.return(undefined);
  });
});

describe('within a page of Ogg', () => {
  /** Each packet decodes; the last one of the last page does not, and is never come to. */
  const spoilt = (packets: readonly Buffer[]): Buffer[] => [...packets, Buffer.of(0xff)];

  test('Opus is no further decoded than what is allowed', async () => {
    const pages = [[opusHead()], [opusTags], [Buffer.of(0x18)], spoilt(Array.from({ length: 200 }, () => Buffer.of(0x18)))];
    const file = Buffer.concat(pages.map((packets, sequence) => oggPage(packets, { sequence, granule: BigInt(Math.max(0, sequence - 1) * 2_880), flags: sequence === 0 ? 2 : 0 })));
    expect(await codeOf(file)).toBe('LS_AUDIO_CORRUPT');
    expect(await codeOf(file, '', { ...limits, secondsMax: 2 })).toBe('LS_AUDIO_TOO_LONG');
    expect(await codeOf(file, '', { ...limits, decodedSamplesMax: 50_000 })).toBe('LS_AUDIO_TOO_LARGE');
  });

  test('Vorbis is no further decoded than what is allowed', async () => {
    const whole = await readSound('mono.vorbis.ogg');
    const packets = [...oggPages(whole, oggLinks(whole)[0]!)].flatMap((page) => page.packets);
    const pages = [packets.slice(0, 1), packets.slice(1, 3), packets.slice(3, 6), spoilt(packets.slice(6))];
    const file = Buffer.concat(pages.map((page, sequence) => oggPage(page, { sequence, granule: sequence < 2 ? 0n : 1_000n, flags: sequence === 0 ? 2 : 0 })));
    expect(await codeOf(file)).toBe('LS_AUDIO_CORRUPT');
    expect(await codeOf(file, '', { ...limits, secondsMax: 0.2 })).toBe('LS_AUDIO_TOO_LONG');
  });
});

describe('channels', () => {
  /** As in RFC 7845: streams, pairs among them, and which decoded channel each channel is. */
  const familyHead = (channels: number, streams: number): Buffer => Buffer.concat([opusHead(channels).subarray(0, 18), Buffer.of(255, streams, 0), Buffer.from(Array.from({ length: channels }, (_, index) => index % streams))]);
  const opusOf = (head: Buffer): Buffer => Buffer.concat([oggPage([head], { sequence: 0, granule: 0n, flags: 2 }), oggPage([opusTags], { sequence: 1, granule: 0n }), oggPage([Buffer.of(0x18)], { sequence: 2, granule: 2_880n, flags: 4 })]);

  test('eight are taken', async () => {
    expect(await codeOf(wav(Buffer.alloc(160), { channels: 8 }))).toBe('decoded');
    expect(await codeOf(opusOf(familyHead(8, 1)))).toBe('decoded');
  });

  test.each([
    ['WAV', () => wav(Buffer.alloc(180), { channels: 9 })],
    ['Opus', () => opusOf(familyHead(255, 1))],
    ['Opus, of streams that no channel is', () => opusOf(familyHead(1, 9))],
  ])('nine are not: %s', async (_, bytesOf) => {
    expect(await codeOf(bytesOf())).toBe('LS_AUDIO_FORMAT');
  });

  test('nine are not: Vorbis', async () => {
    const file = await readSound('mono.vorbis.ogg');
    const firstPage = Buffer.from(file.subarray(0, file.indexOf('OggS', 10, 'latin1')));
    firstPage[28 + 11] = 9;
    expect(await codeOf(Buffer.concat([withCrc(firstPage), file.subarray(firstPage.length)]))).toBe('LS_AUDIO_FORMAT');
  });
});

describe('FLAC', () => {
  test('every sample of a constant', async () => {
    const samples = await decodeAudio(constantFlac(3), '', limits);
    expect(samples).toHaveLength(3 * 65_535);
    expect(Math.max(...samples.subarray(0, 100_000).map((sample) => Math.abs(sample - 1_000 / 32_768)))).toBeLessThan(1e-8);
    expect(await codeOf(constantFlac(3, { said: 0 }))).toBe('decoded');
  });

  test.each([8, 16, 24, 32])('%i bits', async (bits) => {
    const samples = await decodeAudio(constantFlac(1, { bits, value: 100 }), '', limits);
    expect(Math.abs(samples[5]! * 2 ** (bits - 1) - 100)).toBeLessThan(1e-4);
  });

  test('bits that the decoder does not know, and others than the stream has', async () => {
    for (const bits of [12, 17, 20]) expect(await codeOf(constantFlac(1, { bits, value: 100 })), String(bits)).toBe('LS_AUDIO_FORMAT');
    const [stream, frame] = [constantFlac(1).subarray(0, 42), constantFlac(1, { bits: 24 }).subarray(42)];
    expect(await codeOf(Buffer.concat([stream, frame]))).toBe('LS_AUDIO_CORRUPT');
  });

  test.each([
    ['nothing', []],
    ['a header whose checksum does not hold', [0x75, 0x02, 0, 0, 199, 1]],
    ['a reserved block size', [0x05, 0x02]],
    ['a number of eight bytes', [0x75, 0x02, 0xff]],
    ['a number without its end', [0x75, 0x02, 0xc2, 0]],
  ])('samples that look like the beginning of a frame, with %s behind, are samples', async (_what, behind) => {
    const file = flacWithFalseBeginning(behind);
    const stored = new Int8Array(file.buffer, file.byteOffset + 51, 200);
    const samples = await decodeAudio(file, '', limits);
    expect(Array.from(samples, (sample) => Math.round(sample * 128))).toEqual([...stored]);
  });

  test('in Ogg it is what it is in a file of its own', async () => {
    const file = await readSound('integers-16.flac');
    const { head, frames } = flacStructure(file);
    const packets = [Buffer.concat([Buffer.from('\x7fFLAC\x01\0\0\x01', 'latin1'), head]), Buffer.from([0x84, 0, 0, 0]), ...frames];
    const pages = packets.map((packet, sequence) => oggPage([packet], { sequence, granule: 0n, flags: (sequence === 0 ? 2 : 0) + (sequence === packets.length - 1 ? 4 : 0) }));
    expect(await decodeAudio(Buffer.concat(pages), 'audio/ogg', limits)).toEqual(await decodeAudio(file, '', limits));
  });

  test('damaged, cut off, or other than it says', async () => {
    const file = await readSound('integers-16.flac');
    for (const length of [4, 20, 41, 60, 5_000, file.length - 1]) expect(await codeOf(file.subarray(0, length)), String(length)).toBe('LS_AUDIO_CORRUPT');
    expect(await codeOf(constantFlac(3, { said: 4 * 65_535 }))).toBe('LS_AUDIO_CORRUPT');
    for (let at = 9_000; at < file.length; at += 1_111) {
      const damaged = Buffer.from(file);
      damaged[at] = damaged[at]! ^ 0x10;
      expect(await codeOf(damaged), String(at)).toBe('LS_AUDIO_CORRUPT');
    }
    expect(await codeOf(constantFlac(0, { said: 0 }))).toBe('LS_AUDIO_EMPTY');
  });
});

describe('MP3', () => {
  test('cut off, damaged in a header, of no frames', async () => {
    const file = await readSound('stereo.mp3');
    expect(await codeOf(file.subarray(0, file.length - 1))).toBe('LS_AUDIO_CORRUPT');
    expect(await codeOf(Buffer.concat([file, Buffer.from('and more')]))).toBe('LS_AUDIO_CORRUPT');
    expect(await codeOf(Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\0\x0a', 'latin1'), Buffer.alloc(10)]))).toBe('LS_AUDIO_EMPTY');
    expect(await codeOf(Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x7f\x7f', 'latin1'), Buffer.alloc(10)]))).toBe('LS_AUDIO_CORRUPT');
  });

  test('fewer frames than its first one says', async () => {
    const file = await readSound('mono.mp3');
    // Frames of one length: without the last two.
    const half = file.subarray(0, file.length / 2);
    expect(await codeOf(half.subarray(0, lastFrameEnd(half)))).toBe('LS_AUDIO_CORRUPT');
  });

  test('zeros behind the last frame, and one file behind another', async () => {
    const file = await readSound('mono.mp3');
    const alone = await decodeAudio(file, '', limits);
    expect(await decodeAudio(Buffer.concat([file, Buffer.alloc(500)]), '', limits)).toHaveLength(alone.length);
    expect((await decodeAudio(Buffer.concat([file, file]), '', limits)).length).toBeGreaterThan(1.9 * alone.length);
  });
});

/** Where the last header in a piece of a file of equal frames begins. */
function lastFrameEnd(bytes: Buffer): number {
  const sync = bytes.subarray(0, 2);
  return bytes.lastIndexOf(sync);
}

describe('Ogg', () => {
  const packet = Buffer.of(0x18);
  const head = oggPage([opusHead()], { sequence: 0, granule: 0n, flags: 2 });
  const tags = oggPage([opusTags], { sequence: 1, granule: 0n });
  const data = (sequence: number, granule: bigint, flags = 0, serial = 7): Buffer => oggPage([packet, packet], { sequence, granule, flags, serial });
  const secondsOf = async (...pages: Buffer[]): Promise<number> => (await decodeAudio(Buffer.concat(pages), 'audio/ogg', limits)).length / 16_000;

  test('what the codec needs to begin is left out, and what is behind the last granule', async () => {
    expect(await secondsOf(head, tags, data(2, 5_760n), data(3, 11_520n, 4))).toBeCloseTo((11_520 - 312) / 48_000, 9);
    expect(await secondsOf(head, tags, data(2, 5_760n), data(3, 9_000n, 4))).toBeCloseTo((9_000 - 312) / 48_000, 9);
    // Cut out of a longer one.
    expect(await secondsOf(head, tags, data(2, 1_005_760n), data(3, 1_009_000n, 4))).toBeCloseTo((9_000 - 312) / 48_000, 9);
    // Never ended, as live recordings are.
    expect(await secondsOf(head, tags, data(2, 5_760n), data(3, 11_520n))).toBeCloseTo((11_520 - 312) / 48_000, 9);
  });

  test('the gain of an Opus stream', async () => {
    const file = await readSound('mono.opus.ogg');
    const plain = await decodeAudio(file, '', limits);
    const firstPage = Buffer.from(file.subarray(0, 28 + 19));
    firstPage.writeInt16LE(-6 * 256, 28 + 16);
    const quiet = await decodeAudio(Buffer.concat([withCrc(firstPage), file.subarray(28 + 19)]), '', limits);
    const worst = quiet.reduce((largest, sample, index) => Math.max(largest, Math.abs(sample - plain[index]! * 10 ** (-6 / 20))), 0);
    expect(worst).toBeLessThan(1e-6);
  });

  test.each([
    ['a page of another number', [head, tags, data(3, 5_760n)], 'LS_AUDIO_CORRUPT'],
    ['a page of another stream', [head, tags, data(2, 5_760n, 0, 8)], 'LS_AUDIO_CORRUPT'],
    ['a page behind the last', [head, tags, data(2, 5_760n, 4), data(3, 11_520n)], 'LS_AUDIO_CORRUPT'],
    ['no tags', [head, data(1, 5_760n, 4)], 'LS_AUDIO_CORRUPT'],
    ['nothing but heads', [head, tags], 'LS_AUDIO_EMPTY'],
    ['half of the heads', [head], 'LS_AUDIO_CORRUPT'],
    ['a packet that ends nowhere', [head, tags, oggPage([Buffer.alloc(254, 0x18), packet], { sequence: 2, granule: 5_760n }).subarray(0, -1)], 'LS_AUDIO_CORRUPT'],
    ['an Opus packet of nothing', [head, tags, oggPage([Buffer.of(0xff)], { sequence: 2, granule: 5_760n })], 'LS_AUDIO_CORRUPT'],
    ['an Opus packet that is larger than the decoder has room for', [head, tags, oggPage([Buffer.alloc(5_000, 0x18)], { sequence: 2, granule: 5_760n })], 'LS_AUDIO_DECODER'],
    ['two streams at once', [head, oggPage([opusHead()], { serial: 8, sequence: 0, granule: 0n, flags: 2 }), tags], 'LS_AUDIO_FORMAT'],
    ['Speex', [oggPage([Buffer.from('Speex   1.2rc1')], { sequence: 0, granule: 0n, flags: 2 })], 'LS_AUDIO_FORMAT'],
    ['channels of no known family', [oggPage([Buffer.concat([opusHead().subarray(0, 18), Buffer.of(3)])], { sequence: 0, granule: 0n, flags: 2 }), tags], 'LS_AUDIO_FORMAT'],
    ['three channels of the family of two', [oggPage([opusHead(3)], { sequence: 0, granule: 0n, flags: 2 }), tags], 'LS_AUDIO_CORRUPT'],
  ] as const)('%s', async (_, pages, code) => {
    expect(await codeOf(Buffer.concat(pages))).toBe(code);
  });

  test('one bit that is wrong, one byte that is missing', async () => {
    for (const name of ['mono.vorbis.ogg', 'mono.opus.ogg']) {
      const file = await readSound(name);
      expect(await codeOf(file.subarray(0, file.length - 1)), name).toBe('LS_AUDIO_CORRUPT');
      const damaged = Buffer.from(file);
      damaged[file.length - 50] = damaged[file.length - 50]! ^ 1;
      expect(await codeOf(damaged), name).toBe('LS_AUDIO_CORRUPT');
    }
  });

  test('a Vorbis set-up of zeros, for which its pages tell the right CRC', async () => {
    const file = await readSound('mono.vorbis.ogg');
    const second = file.indexOf('OggS', 10, 'latin1');
    const identification = file.subarray(28, second);
    const named = (number: number, length: number): Buffer => Buffer.concat([Buffer.of(number), Buffer.from('vorbis'), Buffer.alloc(length)]);
    const pages = [
      oggPage([identification], { sequence: 0, granule: 0n, flags: 2 }),
      oggPage([named(3, 20), named(5, 400)], { sequence: 1, granule: 0n }),
      oggPage([Buffer.alloc(40, 0x55)], { sequence: 2, granule: 1_000n, flags: 4 }),
    ];
    expect(await codeOf(Buffer.concat(pages))).toMatch(/^LS_AUDIO_(CORRUPT|DECODER)$/);
  });
});
