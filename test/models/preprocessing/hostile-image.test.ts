// Whatever arrives in the place of an image: a code that says what it is, before a decoder sees it where that is possible; never a crash, never
// more memory than the limit. Damage is made with a seed.
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { chunk, riff, segment, text } from './image-bytes.ts';
import { imageTensor } from './image-fixtures.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';

/** The code of the failure, or "image". */
async function outcomeOf(bytes: Uint8Array, contentType = '', imagePixelsMax?: number): Promise<string> {
  try {
    const tensor = await imageTensor(bytes, {}, contentType, imagePixelsMax);
    return tensor.length === 3 * 16 * 16 ? 'image' : `${tensor.length} numbers`;
  } catch (error) {
    if (error instanceof LabelstreamError && error.description.cause === 'input') return error.code;
    throw error;
  }
}

async function messageOf(bytes: Uint8Array, contentType = ''): Promise<string> {
  return imageTensor(bytes, {}, contentType).then(
    () => 'an image',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );
}

const width = 60;
const height = 40;

/** Noise over a gradient: every byte of what it is encoded to matters. */
function rawPixels(channels: 3 | 4 = 3): Buffer {
  const random = seededRandom(11);
  return Buffer.from(Array.from({ length: width * height * channels }, (_, index) => ((index / 30) % 200) + random() * 40));
}

const drawn = (channels: 3 | 4 = 3): Sharp => sharp(rawPixels(channels), { raw: { width, height, channels } });
const png = await drawn().png().toBuffer();
const jpeg = await drawn().jpeg().toBuffer();
const progressive = await drawn().jpeg({ progressive: true }).toBuffer();
const webp = await drawn().webp().toBuffer();
const lossless = await drawn(4).webp({ lossless: true }).toBuffer();
const formats = { png, jpeg, progressive, webp, lossless };

const signature = png.subarray(0, 8);

function header(columns: number, rows: number, colourType = 2): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(columns, 0);
  data.writeUInt32BE(rows, 4);
  data.set([8, colourType, 0, 0, 0], 8);
  return chunk('IHDR', data);
}

/** The PNG with chunks behind its header. */
const pngWith = (...chunks: Buffer[]): Buffer => Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
const jpegWith = (...segments: Buffer[]): Buffer => Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);

const zipEnd = Buffer.concat([text('PK\x05\x06'), Buffer.alloc(4), Buffer.from([1, 0, 1, 0]), Buffer.from([46, 0, 0, 0]), Buffer.from([31, 0, 0, 0]), Buffer.alloc(2)]);
const zip = Buffer.concat([text('PK\x03\x04'), Buffer.alloc(27), text('PK\x01\x02'), Buffer.alloc(42), zipEnd]);

describe('good images', () => {
  test.each(Object.entries(formats))('%s, whatever unknown type it has', async (_, bytes) => {
    for (const contentType of ['', 'application/octet-stream', 'binary/octet-stream']) expect(await outcomeOf(bytes, contentType)).toBe('image');
  });

  test.each([
    ['image/jpeg', jpeg],
    ['image/jpg', jpeg],
    ['IMAGE/JPEG; charset=binary', progressive],
    ['image/png', png],
    ['image/webp', webp],
  ])('%s', async (contentType, bytes) => {
    expect(await outcomeOf(bytes, contentType)).toBe('image');
  });

  test('in a part of a larger buffer', async () => {
    const surrounded = Buffer.concat([Buffer.alloc(100, 7), png, Buffer.alloc(100, 7)]);
    expect(await imageTensor(surrounded.subarray(100, 100 + png.length))).toEqual(await imageTensor(png));
  });

  test('an interlaced PNG has the same pixels', async () => {
    expect(await imageTensor(await drawn().png({ progressive: true }).toBuffer())).toEqual(await imageTensor(png));
  });

  test('with what cameras put into and behind a JPEG', async () => {
    const plain = await imageTensor(jpeg);
    const video = Buffer.concat([Buffer.from([0, 0, 0, 24]), text('ftypmp42'), Buffer.alloc(4_000, 0x5a)]);
    const samsung = Buffer.concat([Buffer.from([0, 0, 0x30, 0x0a]), text('MotionPhoto_Data'), video, text('SEFH'), Buffer.alloc(40), text('SEFT')]);
    for (const trailer of [progressive, Buffer.concat([jpeg, jpeg]), video, samsung, Buffer.alloc(500), text('\r\n')]) {
      expect(await imageTensor(Buffer.concat([jpeg, trailer]))).toEqual(plain);
    }
    const depthMap = Array.from({ length: 40 }, () => segment(0xe1, Buffer.concat([text('http://ns.adobe.com/xmp/extension/\0'), Buffer.alloc(60_000, 65)])));
    expect(await imageTensor(jpegWith(...depthMap, segment(0xed, text('Photoshop 3.0\0')), segment(0xfe, text('a comment'))))).toEqual(plain);
  });

  test('with text and a colour profile in a PNG', async () => {
    const plain = await imageTensor(png);
    expect(await imageTensor(pngWith(chunk('tEXt', text('Title\0a harbour')), chunk('zTXt', Buffer.concat([text('Comment\0\0'), deflateSync(text('long '.repeat(500)))]))))).toEqual(plain);
    expect(await outcomeOf(await drawn().withIccProfile('p3').png().toBuffer())).toBe('image');
  });
});

describe('a content that is no image', () => {
  test.each([
    ['GIF image', text('GIF89a\x01\0\x01\0')],
    ['TIFF image', text('II*\0\x08\0\0\0')],
    ['TIFF image', text('MM\0*\0\0\0\x08')],
    ['BMP image', text('BM\x46\0\0\0')],
    ['HEIC image', text('\0\0\0\x18ftypheic')],
    ['AVIF image', text('\0\0\0\x18ftypavif')],
    ['JPEG XL image', text('\xff\x0a\0\0')],
    ['SVG document', text('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>')],
    ['SVG document', text('<svg onload="alert(1)">')],
    ['HTML document', text('<!DOCTYPE html><p>not found</p>')],
    ['XML document', text('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>')],
    ['PDF document', text('%PDF-1.7\n')],
    ['ZIP archive', zip],
    ['WAV file', text('RIFF\x24\0\0\0WAVEfmt ')],
    ['Ogg file', text('OggS\0\x02')],
    ['FLAC file', text('fLaC\0\0\0\x22')],
    ['MP3 file', text('ID3\x04\0\0')],
    ['program', text('\x7fELF\x02\x01')],
    ['nothing but zeros', Buffer.alloc(1000)],
    ['something unknown', text('hello')],
    ['something unknown', Buffer.from([0xff, 0xd8])],
  ])('%s', async (name, bytes) => {
    expect(await outcomeOf(bytes)).toBe('LS_IMAGE_FORMAT');
    expect(await messageOf(bytes)).toContain(name);
  });

  test('no bytes', async () => {
    expect(await outcomeOf(Buffer.alloc(0), 'image/png')).toBe('LS_IMAGE_EMPTY');
  });

  test.each([
    ['image/png', jpeg],
    ['image/jpeg', png],
    ['image/jpeg', webp],
    ['image/gif', png],
    ['text/html', png],
    ['constructor', png],
  ])('declared as %s', async (contentType, bytes) => {
    expect(await outcomeOf(bytes, contentType)).toBe('LS_IMAGE_CONTENT_TYPE');
  });
});

describe('too large', () => {
  test('16k x 16k in 30 KB, before anything is decompressed', async () => {
    const bomb = Buffer.concat([signature, header(16_384, 16_384, 0), chunk('IDAT', deflateSync(Buffer.alloc(30_000_000), { level: 9 })), chunk('IEND')]);
    expect(bomb.length).toBeLessThan(40_000);
    const before = process.memoryUsage().rss;
    expect(await outcomeOf(bomb)).toBe('LS_IMAGE_TOO_LARGE');
    expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
  });

  test('by one row more than allowed, in every format', async () => {
    for (const bytes of Object.values(formats)) {
      expect(await outcomeOf(bytes, '', width * height)).toBe('image');
      expect(await outcomeOf(bytes, '', width * height - 1)).toBe('LS_IMAGE_TOO_LARGE');
    }
  });

  test('so narrow that it would be after it was resized', async () => {
    const narrow = await sharp(Buffer.alloc(3 * 100_000), { raw: { width: 1, height: 100_000, channels: 3 } }).png().toBuffer();
    await expect(imageTensor(narrow, { resize: { rule: 'cover', kernel: 'linear', shorterSide: 100 } })).rejects.toMatchObject({ code: 'LS_IMAGE_TOO_LARGE' });
    expect(await outcomeOf(narrow)).toBe('image');
  });

  test('no size at all', async () => {
    const none = Buffer.concat([signature, header(0, 10), png.subarray(33)]);
    expect(await outcomeOf(none)).toBe('LS_IMAGE_CORRUPT');
  });
});

describe('animated', () => {
  test('WebP', async () => {
    const frames = sharp(rawPixels(), { raw: { width, height, channels: 3, pageHeight: height / 2 } });
    const animated = await frames.webp({ loop: 0, delay: [100, 100] }).toBuffer();
    expect(await outcomeOf(animated)).toBe('LS_IMAGE_ANIMATED');
  });

  test('PNG', async () => {
    expect(await outcomeOf(pngWith(chunk('acTL', Buffer.alloc(8))))).toBe('LS_IMAGE_ANIMATED');
  });
});

describe('metadata', () => {
  const zeros = deflateSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 });

  test.each([
    ['zTXt', chunk('zTXt', Buffer.concat([text('Comment\0\0'), zeros]))],
    ['iTXt', chunk('iTXt', Buffer.concat([text('Comment\0\x01\0en\0\0'), zeros]))],
    ['iCCP', chunk('iCCP', Buffer.concat([text('profile\0\0'), zeros]))],
    ['many that are permitted alone', Buffer.concat(Array.from({ length: 40 }, () => chunk('zTXt', Buffer.concat([text('Comment\0\0'), deflateSync(Buffer.alloc(512 * 1024))]))))],
    ['a large tEXt', chunk('tEXt', Buffer.alloc(9_000_000, 65))],
  ])('a bomb in %s', async (_, bomb) => {
    const before = process.memoryUsage().rss;
    expect(await outcomeOf(pngWith(bomb))).toBe('LS_IMAGE_METADATA');
    expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
  });

  test('megabytes of segments in a JPEG, of EXIF in a WebP', async () => {
    expect(await outcomeOf(jpegWith(...Array.from({ length: 140 }, () => segment(0xe1, Buffer.concat([text('Exif\0\0'), Buffer.alloc(65_000)])))))).toBe('LS_IMAGE_METADATA');
    expect(await outcomeOf(riff(['VP8X', vp8x(0x08)], ['VP8 ', webp.subarray(20)], ['EXIF', Buffer.alloc(9_000_000)]))).toBe('LS_IMAGE_METADATA');
  });

  test('that cannot be decompressed', async () => {
    expect(await outcomeOf(pngWith(chunk('zTXt', text('Comment\0\0no zlib'))))).toBe('LS_IMAGE_CORRUPT');
  });

  test('an EXIF and a profile of nonsense do no harm', async () => {
    const random = seededRandom(5);
    for (let round = 0; round < 50; round += 1) {
      const nonsense = Buffer.from(Array.from({ length: Math.floor(random() * 400) }, () => random() * 256));
      expect(['image', 'LS_IMAGE_CORRUPT']).toContain(await outcomeOf(jpegWith(segment(0xe1, Buffer.concat([text('Exif\0\0II*\0\x08\0\0\0'), nonsense])))));
      expect(['image', 'LS_IMAGE_CORRUPT']).toContain(await outcomeOf(jpegWith(segment(0xe2, Buffer.concat([text('ICC_PROFILE\0\x01\x01'), nonsense])))));
      expect(['image', 'LS_IMAGE_CORRUPT']).toContain(await outcomeOf(pngWith(chunk('iCCP', Buffer.concat([text('p\0\0'), deflateSync(nonsense)])))));
    }
  });
});

function vp8x(flags: number): Buffer {
  const data = Buffer.alloc(10);
  data[0] = flags;
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return data;
}

describe('two files in one', () => {
  test.each(Object.entries(formats))('a ZIP behind or within a %s', async (_, bytes) => {
    expect(await outcomeOf(Buffer.concat([bytes, zip]))).toBe('LS_IMAGE_POLYGLOT');
    expect(await outcomeOf(Buffer.concat([bytes, Buffer.alloc(1000), zip, Buffer.alloc(500)]))).toBe('LS_IMAGE_POLYGLOT');
  });

  test.each([
    ['a ZIP in a comment', () => jpegWith(segment(0xfe, zip))],
    ['a ZIP in a text chunk', () => pngWith(chunk('tEXt', zip))],
    ['a ZIP in a chunk of a WebP', () => riff(['VP8 ', webp.subarray(20)], ['junk', zip])],
    ['a PDF in a comment', () => jpegWith(segment(0xfe, text('%PDF-1.4 1 0 obj')))],
    ['a PDF behind a JPEG', () => Buffer.concat([jpeg, text('\n%PDF-1.4')])],
    ['a RAR behind a JPEG', () => Buffer.concat([jpeg, Buffer.alloc(99), text('Rar!\x1a\x07\x01\0')])],
    ['a 7z behind a JPEG', () => Buffer.concat([jpeg, text('7z\xbc\xaf\x27\x1c')])],
    ['HTML behind a JPEG', () => Buffer.concat([jpeg, text('<HTML><body>')])],
    ['a script in a comment', () => jpegWith(segment(0xfe, text('<ScRiPt src=x>')))],
    ['PHP in EXIF', () => jpegWith(segment(0xe1, text('Exif\0\0<?php system($_GET[0]); ?>')))],
    ['PHP in a text chunk', () => pngWith(chunk('tEXt', text('Title\0<?php echo 1; ?>')))],
    ['PHP in a WebP', () => riff(['VP8 ', webp.subarray(20)], ['XMP ', text('<?php echo 1; ?>')])],
    ['JavaScript around a JPEG', () => jpegWith(segment(0xe0, Buffer.alloc(0x2f2a - 2)))],
    ['a program behind a JPEG', () => Buffer.concat([jpeg, text('MZ\x90\0')])],
    ['a program behind zeros behind a JPEG', () => Buffer.concat([jpeg, Buffer.alloc(64), text('\x7fELF')])],
    ['one byte behind a PNG', () => Buffer.concat([png, text('x')])],
    ['a JPEG behind a PNG', () => Buffer.concat([png, jpeg])],
    ['two bytes behind a WebP', () => Buffer.concat([webp, text('xy')])],
  ])('%s', async (_, make) => {
    expect(await outcomeOf(make())).toBe('LS_IMAGE_POLYGLOT');
  });
});

describe('cut off or damaged', () => {
  test.each(Object.entries(formats))('a %s cut off at every place is refused', async (_, bytes) => {
    const step = full ? 1 : Math.ceil(bytes.length / 150);
    for (let length = 1; length < bytes.length; length += step) {
      expect(['LS_IMAGE_CORRUPT', 'LS_IMAGE_FORMAT'], `${length} of ${bytes.length} bytes`).toContain(await outcomeOf(bytes.subarray(0, length)));
    }
  });

  test.each([
    ['a header that lies of more rows', () => Buffer.concat([signature, header(width, height * 2), png.subarray(33)])],
    ['a wrong checksum', () => png.with(png.length - 20, (png.at(-20) ?? 0) ^ 1)],
    ['no data', () => Buffer.concat([signature, header(10, 10), chunk('IEND')])],
    ['no end', () => png.subarray(0, -12)],
    ['no header', () => Buffer.concat([signature, png.subarray(33)])],
    ['a JPEG of nothing', () => Buffer.from([0xff, 0xd8, 0xff, 0xd9])],
    ['a JPEG with two headers', () => jpegWith(jpegHeader())],
    ['a JPEG with a segment without a length', () => jpegWith(Buffer.from([0xff, 0xe5, 0, 1]))],
    ['a JPEG with a thousand scans', () => manyScans(1_000)],
    ['a WebP without a picture', () => riff(['VP8X', vp8x(0)])],
    ['a WebP with two pictures', () => riff(['VP8 ', webp.subarray(20)], ['VP8 ', webp.subarray(20)])],
    ['a WebP chunk that is longer than the file', () => withFilledEnd(riff(['VP8 ', webp.subarray(20)], ['EXIF', Buffer.alloc(4)]))],
  ])('%s', async (_, make) => {
    expect(await outcomeOf(Buffer.from(make()))).toBe('LS_IMAGE_CORRUPT');
  });

  test.each(Object.entries(formats))('a %s with flipped bits gives an image or a code', async (name, bytes) => {
    const seed = 20_251;
    const random = seededRandom(seed);
    const seen = new Map<string, number>();
    for (let round = 0; round < (full ? 3_000 : 200); round += 1) {
      const damaged = Buffer.from(bytes);
      for (let flips = 1 + Math.floor(random() * 6); flips > 0; flips -= 1) {
        const at = Math.floor(random() * damaged.length);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      const outcome = await outcomeOf(damaged).catch((error: unknown) => expect.fail(`seed ${seed}, round ${round}: ${String(error)}`));
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
    if (process.env['LABELSTREAM_TEST_SHOW'] !== undefined) console.log(name, Object.fromEntries(seen));
    expect([...seen.keys()].filter((outcome) => outcome !== 'image' && !outcome.startsWith('LS_IMAGE_'))).toEqual([]);
    if (name === 'png') expect(seen.get('image')).toBeUndefined();
  });
});

/** With an impossible length of the last chunk, which has 4 bytes. */
function withFilledEnd(bytes: Buffer): Buffer {
  return bytes.fill(0xff, bytes.length - 8, bytes.length - 4);
}

function jpegHeader(): Buffer {
  const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  return jpeg.subarray(at, at + 2 + jpeg.readUInt16BE(at + 2));
}

/** The last scan of the progressive image, again and again. */
function manyScans(count: number): Buffer {
  const last = progressive.lastIndexOf(Buffer.from([0xff, 0xda]));
  return Buffer.concat([progressive.subarray(0, -2), ...Array.from({ length: count }, () => progressive.subarray(last, -2)), progressive.subarray(-2)]);
}

test('the memory of many decoded images does not grow', async () => {
  const large = await sharp({ create: { width: 3000, height: 2000, channels: 3, background: '#468' } }).jpeg({ progressive: true }).toBuffer();
  const decodeAll = async (): Promise<void> => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => outcomeOf(large)));
    expect(outcomes.every((outcome) => outcome === 'image')).toBe(true);
  };
  await decodeAll();
  await decodeAll();
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 4; round += 1) await decodeAll();
  expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
});
