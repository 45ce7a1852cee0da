import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeError, decodePixels, type PixelPlan } from '../../../../src/models/preprocessing/image/image-decoder.ts';

const plan: PixelPlan = { width: 4, height: 4, resize: { rule: 'stretch', kernel: 'linear' }, background: [0, 0, 0], imagePixelsMax: 1_000_000 };

test('what took too long has a code of its own', () => {
  expect(decodeError(new Error('timeout: 42% complete'))).toMatchObject({ code: 'LS_IMAGE_DECODE_TIME' });
  expect(decodeError(new Error('VipsJpeg: premature end of JPEG image'))).toMatchObject({ code: 'LS_IMAGE_CORRUPT' });
});

test.each([
  ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')],
  ['GIF', Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')],
])('the loader of %s is blocked, should one get so far', async (_, bytes) => {
  await expect(decodePixels(bytes, plan)).rejects.toMatchObject({ code: 'LS_IMAGE_DECODER' });
});

test('files are not read at all', async () => {
  await expect(sharp(import.meta.filename).raw().toBuffer()).rejects.toThrow();
});
