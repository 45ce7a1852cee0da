// The largest contents that are accepted, and as large ones that are made to cost more than they are, among small good images, through the real
// program: each its label or its code, and the memory of the process within the bound that the limits give.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { topics } from '../../src/core/topics.ts';
import { headerNames } from '../../src/pipeline/headers.ts';
import { readLog } from '../crash/log-contents.ts';
import { colourImage, colourNames, writeImageModels } from '../models/image-models.ts';
import { chunk, text } from '../models/preprocessing/image-bytes.ts';
import { mediaEvent, publishMedia, referenceTo, runWatched, type Published } from './media-events.ts';
import { repository, withDirectory, writeConfiguration } from './program.ts';

const full = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
/** The default of inference.imagePixelsMax takes some seconds for each image and model. */
const side = full ? 7_071 : 3_500;
const imagePixelsMax = side * side;
const mebibyte = 1024 * 1024;
/** media.bytesMax, less the other fields of an event, which as a whole has as many bytes at most. */
const contentBytesMax = 16 * mebibyte - 1_000;
const workerCount = 2;

/** Each addend is a limit of the program; what is measured beside them is in the first. */
const limitsBytes = [
  // The program with small images alone takes 274 MB.
  300 * mebibyte,
  // extract.inFlightBytesMax, for records and for files.
  2 * 96 * mebibyte,
  // In each worker the batch that runs and the one behind it (64 MiB each), and the images that are decoded.
  workerCount * (2 * 64 * mebibyte + 13 * imagePixelsMax + contentBytesMax),
].reduce((total, bytes) => total + bytes, 0);

/**
 * As glibc is by default, it takes blocks of up to 32 MiB from the heaps of its threads as soon as a large one was freed, and keeps what is freed
 * there. A heap has 64 MiB; four threads of libuv and one of libvips for each of them decode. Measured: 250 to 390 MiB.
 */
const keptBytes = 2 * 4 * 64 * mebibyte;

const [, threshold] = /MALLOC_MMAP_THRESHOLD_=(\d+)/.exec(await readFile(join(repository, 'deploy/Dockerfile'), 'utf8')) ?? [];
if (threshold === undefined) throw new Error('deploy/Dockerfile leaves the allocator as it is');
const allocators = [
  { allocator: 'set as in the container', environment: { MALLOC_MMAP_THRESHOLD_: threshold }, residentBytesMax: limitsBytes },
  { allocator: 'left as it is', environment: {}, residentBytesMax: limitsBytes + keptBytes },
];

const configuration = `
dataDirectory: data
server: { enabled: false }
transport: { kind: log, recordBytesMax: 17000000 }
media: { directories: [allowed] }
inference: { imagePixelsMax: ${imagePixelsMax}, workerCount: ${workerCount} }
models:
  classifier: { directory: colour-classifier }
  encoder: { directory: colour-encoder }
routes:
  - name: images
    from: media
    steps:
      - { name: embed, task: image-features, model: encoder, collection: colours }
      - { name: classify, task: image-classification, model: classifier }
collections:
  - { name: colours, eps: 0.2, minPoints: 3 }
`;

type Large = { readonly name: string; readonly bytes: Buffer; readonly type: 'jpeg' | 'png' | 'webp'; readonly code: string | undefined };

/** The block again and again, in the middle of an image, until it is as large as may be. */
function stuffed(image: Buffer, at: number, block: Buffer): Buffer {
  const blocks = Math.floor((contentBytesMax - image.length) / block.length);
  return Buffer.concat([image.subarray(0, at), Buffer.alloc(blocks * block.length, block), image.subarray(at)]);
}

async function largeImages(): Promise<readonly Large[]> {
  const jpeg = await colourImage('red', 0.2, 64).jpeg().toBuffer();
  const png = await colourImage('red', 0.2, 64).png().toBuffer();
  const webp = stuffed(await colourImage('red', 0.2, 64).webp().toBuffer(), Number.POSITIVE_INFINITY, text('junk\0\0\0\0'));
  webp.writeUInt32LE(webp.length - 8, 4);
  const accepted = (name: string, type: Large['type'], bytes: Buffer): Large => ({ name, type, bytes, code: undefined });
  return [
    accepted('16 bits, transparent, interlaced and turned', 'png', await turned({ r: 200, g: 10, b: 10, alpha: 0.9 }).toColourspace('rgb16').png({ progressive: true }).toBuffer()),
    accepted('progressive and turned', 'jpeg', await turned({ r: 200, g: 10, b: 10 }).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer()),
    accepted('lossless and turned', 'webp', await turned({ r: 200, g: 10, b: 10, alpha: 0.9 }).webp({ lossless: true, effort: 0 }).toBuffer()),
    accepted('noise', 'png', await redNoise(2_300)),
    accepted('beginnings of marks behind', 'jpeg', stuffed(jpeg, jpeg.length, text('<'))),
    { name: 'restart markers', type: 'jpeg', bytes: stuffed(jpeg, 2, Buffer.from([0xff, 0xd0])), code: 'LS_IMAGE_CORRUPT' },
    { name: 'empty tables', type: 'jpeg', bytes: stuffed(jpeg, 2, Buffer.from([0xff, 0xc4, 0, 2])), code: 'LS_IMAGE_CORRUPT' },
    { name: 'empty data', type: 'png', bytes: stuffed(png, 33, chunk('IDAT')), code: 'LS_IMAGE_CORRUPT' },
    { name: 'empty chunks', type: 'webp', bytes: webp, code: 'LS_IMAGE_CORRUPT' },
    { name: 'texts that inflate', type: 'png', bytes: stuffed(png, 33, chunk('zTXt', Buffer.concat([text('Comment\0\0'), deflateSync(Buffer.alloc(4 * mebibyte))]))), code: 'LS_IMAGE_METADATA' },
  ];
}

/** EXIF turns it on its side. */
function turned(background: { readonly r: number; readonly g: number; readonly b: number; readonly alpha?: number }): Sharp {
  return sharp({ create: { width: side, height: side, channels: background.alpha === undefined ? 3 : 4, background } }).withMetadata({ orientation: 6 });
}

/** Of as many bytes as pixels and channels: nothing in it repeats. */
function redNoise(size: number): Promise<Buffer> {
  const random = seededRandom(5);
  const pixels = Buffer.alloc(size * size * 3);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = at % 3 === 0 ? 255 - random() * 100 : random() * 150;
  return sharp(pixels, { raw: { width: size, height: size, channels: 3 } }).png({ compressionLevel: 0 }).toBuffer();
}

const timeout = full ? 900_000 : 300_000;

test.each(allocators)('with the allocator $allocator the largest contents are labelled or refused within the memory that the limits give', { timeout }, async (run) => {
  const { allocator, environment, residentBytesMax } = run;
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, configuration);
    const allowed = join(directory, 'allowed');
    await mkdir(allowed);
    await writeImageModels(directory);
    const small = await Promise.all(colourNames.map((colour) => colourImage(colour, 0.1, 40).png().toBuffer()));
    const published: Published[] = [];
    for (const [index, { name, bytes, type, code }] of (await largeImages()).entries()) {
      expect(bytes.length, name).toBeLessThanOrEqual(contentBytesMax);
      const ofImage: Published[] = [];
      const reference = await referenceTo(join(allowed, `large-${index}`), bytes);
      for (const round of [1, 2, 3, 4]) {
        const colour = (index + round) % 3;
        ofImage.push({ event: mediaEvent(`${name} ${round}`, `image/${type}`, round === 4 ? bytes : reference), code });
        ofImage.push({ event: mediaEvent(`small ${index} ${round} ${colourNames[colour] ?? ''}`, 'image/png', small[colour] ?? null), code: undefined });
      }
      await publishMedia(file, ofImage.map(({ event }) => event));
      published.push(...ofImage);
    }

    const { code, stderr, residentBytes } = await runWatched(file, environment);
    expect(code, stderr).toBe(0);
    console.log(`large media, the allocator ${allocator}: at most ${Math.round(residentBytes / mebibyte)} MB resident, the bound is ${Math.round(residentBytesMax / mebibyte)} MB`);

    const codec = await openCodec();
    const contents = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    const letters = (contents.records.get(topics.deadLetters) ?? []).flat();
    const told = letters.map(({ key, headers }) => `${key?.toString() ?? ''}: ${headers.get(headerNames.errorCode)?.toString() ?? ''}`);
    // A letter for each of the two steps.
    const refusals = published.flatMap(({ event, code: refused }) => (refused === undefined ? [] : [`${event.id}: ${refused}`]));
    expect(told.sort()).toEqual([...refusals, ...refusals].sort());
    const labels = (contents.records.get(topics.labels) ?? []).flat().map(({ value }) => codec.decodeAs('LabelEvent', value));
    const found = labels.flatMap(({ itemId, result }) => ('labelstream.v1.Classification' in result ? [`${itemId} is ${result['labelstream.v1.Classification'].labels[0]?.label ?? ''}`] : []));
    const expected = published.filter(({ code: refused }) => refused === undefined).map(({ event: { id } }) => `s/${id} is ${id.startsWith('small') ? (id.split(' ')[3] ?? '') : 'red'}`);
    expect(found.sort()).toEqual(expected.sort());
    expect(residentBytes).toBeLessThan(residentBytesMax);
  });
});
