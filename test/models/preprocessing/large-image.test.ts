// Files as large as a content may be that are made to cost more than their bytes: in memory, or in steps. What takes quadratic time here ends
// by the time limit of the tests.
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { chunk, segment, text } from './image-bytes.ts';
import { imageTensor } from './image-fixtures.ts';

const drawn = sharp(Buffer.from(Array.from({ length: 60 * 40 * 3 }, (_, index) => (index * index * 31) % 251)), { raw: { width: 60, height: 40, channels: 3 } });
const [png, jpeg, webp] = await Promise.all([drawn.clone().png().toBuffer(), drawn.clone().jpeg().toBuffer(), drawn.clone().webp().toBuffer()]);
const pngWith = (...chunks: Buffer[]): Buffer => Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
const jpegWith = (...segments: Buffer[]): Buffer => Buffer.concat([jpeg.subarray(0, 2), ...segments, jpeg.subarray(2)]);

/** The code of the failure, or "image". */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  return imageTensor(bytes).then(
    () => 'image',
    (error: unknown) => (error instanceof LabelstreamError ? error.code : String(error)),
  );
}

/** Of an earlier test too: what grows here is more than any before. */
async function residentGrowthOf(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  await work();
  return process.memoryUsage().rss - before;
}

describe('millions of tiny blocks take no more memory than their bytes, and are refused', () => {
  const bytesMax = 16 * 1024 * 1024;
  /** As often as there is room. */
  const filled = (block: Buffer): Buffer => Buffer.alloc(block.length * Math.floor((bytesMax - 2_000_000) / block.length), block);

  test.each([
    ['restart markers before the header of a JPEG', () => jpegWith(filled(Buffer.from([0xff, 0xd0])))],
    ['empty tables in a JPEG', () => jpegWith(filled(segment(0xc4, Buffer.alloc(0))))],
    ['empty comments in a JPEG', () => jpegWith(filled(segment(0xfe, Buffer.alloc(0))))],
    ['nothing but markers', () => Buffer.concat([Buffer.from([0xff, 0xd8]), filled(Buffer.from([0xff, 0xd0]))])],
    ['empty data in a PNG', () => Buffer.concat([png.subarray(0, 33), filled(chunk('IDAT')), png.subarray(33)])],
    ['empty text in a PNG', () => pngWith(filled(chunk('tEXt')))],
    ['empty chunks in a WebP', () => withRiffSize(Buffer.concat([webp, filled(Buffer.from('junk\0\0\0\0', 'latin1'))]))],
  ])('%s', async (_, make) => {
    const bytes = make();
    const growth = await residentGrowthOf(async () => {
      expect(['LS_IMAGE_CORRUPT', 'LS_IMAGE_METADATA']).toContain(await outcomeOf(bytes));
    });
    expect(growth).toBeLessThan(100_000_000);
  });

  test('a few small ones are nothing special', async () => {
    const data = png.subarray(png.indexOf('IDAT') + 4, png.indexOf('IEND') - 8);
    const split = Array.from({ length: 900 }, (_, index) => chunk('IDAT', data.subarray(index, index === 899 ? undefined : index + 1)));
    expect(await imageTensor(Buffer.concat([png.subarray(0, png.indexOf('IDAT') - 4), ...split, chunk('IEND')]))).toEqual(await imageTensor(png));
  });
});

test.each([
  ['the beginning of a mark', Buffer.from('<')],
  ['zeros', Buffer.from([0])],
  ['the beginnings of archives', Buffer.from('Rar!\x1a7z\xbc\xaf', 'latin1')],
  ['markers', Buffer.from([0xff, 0xd0])],
])('15 MB of %s behind a JPEG change nothing', async (_, trailer) => {
  expect(await imageTensor(Buffer.concat([jpeg, Buffer.alloc(15_000_000, trailer)]))).toEqual(await imageTensor(jpeg));
});

test('15 MB of stuffed bytes in the data of a scan', async () => {
  expect(await outcomeOf(Buffer.concat([jpeg.subarray(0, -2), Buffer.alloc(15_000_000, Buffer.from([0xff, 0])), jpeg.subarray(-2)]))).toMatch(/^(image|LS_IMAGE_CORRUPT)$/);
});

test.each([8_000_001, 8_200_000])('a colour profile of %i bytes, within our limit and above libpng\'s', async (bytes) => {
  expect(await outcomeOf(pngWith(chunk('iCCP', Buffer.concat([text('p\0\0'), deflateSync(Buffer.alloc(bytes))]))))).toMatch(/^(image|LS_IMAGE_CORRUPT)$/);
});

/** With the length that it says at its start. */
function withRiffSize(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(bytes.length - 8, 4);
  return bytes;
}
