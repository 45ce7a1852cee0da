import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageError } from '../../../../src/core/errors/image.ts';
import { imageFailure } from '../../../../src/models/preprocessing/image/image-failure.ts';

test.each([
  'VipsJpeg: premature end of JPEG image',
  'Input buffer has corrupt header: VipsJpeg: Bogus Huffman table definition',
  'Input Buffer is empty',
  'Input image exceeds pixel limit',
  'not enough data\nerror in tile 0 x 12\nvipspng: libpng read error',
  'webp2vips: unable to read pixels',
  "VipsIcc: Corrupted tag 'rTRC'\nVipsIcc: Couldn't link the profiles",
])('what a decoder says of an image is of the image: %j', (message) => {
  expect(imageFailure(new Error(message))).toMatchObject({ code: 'LS_IMAGE_CORRUPT', message: expect.stringContaining(message) as string, description: { cause: 'input' } });
});

test.each([
  new RangeError('Array buffer allocation failed'),
  new Error('vips_tracked: out of memory -- size == 200MB'),
  new Error('VipsJpeg: Insufficient memory (case 4)'),
  new Error('Input buffer has corrupt header: VipsJpeg: out of memory -- size == 3MB'),
  new Error('vips_threadset: unable to create thread'),
  new Error('write error\nunix error: No space left on device'),
  Object.assign(new Error('Zlib error'), { code: 'Z_MEM_ERROR' }),
])('what is lacking is the machine\'s, and may be there again: %s', (error) => {
  expect(imageFailure(error)).toMatchObject({ code: 'LS_IMAGE_RESOURCES', retryable: true, description: { cause: 'environment' }, cause: error });
});

test.each([
  new TypeError("Cannot read properties of undefined (reading 'width')"),
  new TypeError('Input image must not be undefined'),
  new RangeError('Invalid typed array length: -1'),
  // With every loader blocked it says so of good images.
  new Error('Input buffer contains unsupported image format'),
  new Error('VipsOperation: class "resizze" not found'),
  'a string',
])('of what nobody knows the code says so: %s', (error) => {
  expect(imageFailure(error)).toMatchObject({ code: 'LS_IMAGE_DECODER', cause: error });
});

test('what has a code keeps it', () => {
  const known = imageError('LS_IMAGE_TOO_LARGE', 'large');
  expect(imageFailure(known)).toBe(known);
});

test('a decoder that really gets no memory', async () => {
  const blank = (side: number): Promise<Buffer> => sharp({ create: { width: side, height: side, channels: 3, background: '#456' } }).jpeg({ progressive: true }).toBuffer();
  const small = await blank(8);
  const script = `
    import { execFileSync } from 'node:child_process';
    import { readFile } from 'node:fs/promises';
    import { imageTensor } from ${JSON.stringify(resolve(import.meta.dirname, '../image-fixtures.ts'))};
    const images = Buffer.concat(await process.stdin.toArray());
    await imageTensor(images.subarray(0, ${small.length}));
    const [, kilobytes] = /VmSize:\\s+(\\d+)/.exec(await readFile('/proc/self/status', 'utf8'));
    execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (1024 * kilobytes + 20_000_000)]);
    await imageTensor(images.subarray(${small.length})).then(() => console.log('image'), ({ code }) => console.log(code));
  `;
  const input = Buffer.concat([small, await blank(6_000)]);
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: import.meta.dirname, input });
  expect(said.trim()).toBe('LS_IMAGE_RESOURCES');
});
