import sharp from 'sharp';
import { expect, test } from 'vitest';
import { imageError } from '../../../../src/core/errors/image.ts';
import { decodeError, decodePixels, type PixelPlan } from '../../../../src/models/preprocessing/image/image-decoder.ts';

const plan: PixelPlan = { width: 4, height: 4, resize: { rule: 'stretch', kernel: 'linear' }, background: [0, 0, 0], imagePixelsMax: 1_000_000 };

test('what sharp says becomes a code; what is no failure of sharp stays', () => {
  expect(decodeError(new Error('timeout: 42% complete'))).toMatchObject({ code: 'LS_IMAGE_DECODE_TIME' });
  expect(decodeError(new Error('VipsJpeg: premature end of JPEG image'))).toMatchObject({ code: 'LS_IMAGE_CORRUPT', message: expect.stringContaining('premature end') as string });
  const known = imageError('LS_IMAGE_TOO_LARGE', 'large');
  expect(decodeError(known)).toBe(known);
});

test.each([
  ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')],
  ['GIF', Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')],
])('the loader of %s is blocked, should one get so far', async (_, bytes) => {
  await expect(decodePixels(bytes, plan)).rejects.toMatchObject({ code: 'LS_IMAGE_CORRUPT' });
});

test('files are not read at all', async () => {
  await expect(sharp(import.meta.filename).raw().toBuffer()).rejects.toThrow();
});
