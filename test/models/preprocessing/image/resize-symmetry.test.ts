// Whatever is enlarged or made smaller, along one side or both, the middle stays the middle: an image that is its own mirror image is one afterwards.
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodePixels } from '../../../../src/models/preprocessing/image/image-decoder.ts';

/** A hill in the middle, the same from all sides. */
function hill(width: number, height: number): Promise<Buffer> {
  const level = (place: number, count: number): number => Math.round(120 * (1 - Math.abs((2 * place + 1) / count - 1)));
  const pixels = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const pixel = Math.floor(index / 3);
    return level(pixel % width, width) + level(Math.floor(pixel / width), height);
  });
  return sharp(pixels, { raw: { width, height, channels: 3 } }).png().toBuffer();
}

test.each([
  ['both larger', 20, 20, 32, 48],
  ['both smaller', 64, 80, 20, 16],
  ['wider and lower', 20, 60, 32, 24],
  ['narrower and higher', 60, 20, 24, 32],
  ['wider alone', 20, 24, 32, 24],
  ['lower alone', 20, 60, 20, 24],
])('%s: %i x %i to %i x %i', async (_, width, height, toWidth, toHeight) => {
  const plan = { width: toWidth, height: toHeight, resize: { rule: 'stretch', kernel: 'linear' }, background: [0, 0, 0], imagePixelsMax: 1_000_000 } as const;
  const { pixels } = await decodePixels(await hill(width, height), plan);
  const at = (x: number, y: number): number => pixels[3 * (y * toWidth + x)] ?? Number.NaN;
  let largest = 0;
  for (let y = 0; y < toHeight; y += 1) {
    for (let x = 0; x < toWidth; x += 1) {
      largest = Math.max(largest, Math.abs(at(x, y) - at(toWidth - 1 - x, y)), Math.abs(at(x, y) - at(x, toHeight - 1 - y)));
    }
  }
  // Roundings; a shift by half a pixel makes a difference of five and more.
  expect(largest).toBeLessThanOrEqual(2);
});

test('an image of two columns, of which a wide one would be made first, is resized within the memory that there is for images', async () => {
  const tall = await sharp({ create: { width: 2, height: 20_000, channels: 3, background: { r: 10, g: 200, b: 30 } } }).png().toBuffer();
  const plan = { width: 512, height: 4, resize: { rule: 'stretch', kernel: 'linear' }, background: [0, 0, 0], imagePixelsMax: 100_000 } as const;
  const { pixels } = await decodePixels(tall, plan);
  expect(new Set(pixels)).toEqual(new Set([10, 200, 30]));
});
