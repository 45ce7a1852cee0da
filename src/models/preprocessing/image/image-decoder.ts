/**
 * The only place that knows sharp. Loading this file confines it, for the whole process: loaders of everything but JPEG, PNG and WebP from
 * memory are blocked, nothing is kept between images, and one image uses one thread (images are decoded side by side instead).
 *
 * The steps, pinned: orientation by EXIF, colours to sRGB by the profile in the image, 16 bits to 8 by leaving the lower ones out, transparency
 * onto the background (in integers, rounded down), resizing of all pixels, then cut or pad. libvips makes images smaller along both sides; see resample.ts for
 * the other way.
 */
import { isMainThread } from 'node:worker_threads';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { imageError } from '../../../core/errors/image.ts';
import { resample, type Kernel } from './resample.ts';
import { resizePlan, type Area, type ImageSize, type ResizePlan, type ResizeRule } from './image-geometry.ts';
import { imageFailure } from './image-failure.ts';
import { corrupt } from './image-structure.ts';

// For the whole process, so by its main thread alone and before a worker starts (worker-handle.ts): between block and unblock nothing can be decoded.
if (isMainThread) {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] });
  sharp.concurrency(1);
  sharp.cache(false);
}

/** Of an image of the largest size, many times over: only what is made to take long takes longer. */
const decodeSecondsMax = 30;

export type PixelPlan = ImageSize & {
  readonly resize: ResizeRule & { readonly kernel: Kernel };
  readonly background: readonly [number, number, number];
  readonly imagePixelsMax: number;
};

export type DecodedPixels = {
  /** Red, green and blue of each pixel, row by row: 3 x width x height bytes. */
  readonly pixels: Uint8Array;
  /** Of the upright image as it came. */
  readonly original: ImageSize;
};

/** As the plan wants them. Rejects with LS_IMAGE_*. */
export async function decodePixels(bytes: Buffer, plan: PixelPlan): Promise<DecodedPixels> {
  const options: SharpOptions = { failOn: 'warning', limitInputPixels: plan.imagePixelsMax, sequentialRead: true };
  try {
    const { autoOrient: size } = await sharp(bytes, options).metadata();
    const original = { width: size.width, height: size.height };
    const steps = resizePlan(size, plan, plan.resize);
    checkResized(size, steps.resized, plan.imagePixelsMax);
    // Grey becomes colour before it is flattened: the background has a colour. Nothing is scaled down by the decoder, whose pixels would differ.
    const image = sharp(bytes, options).timeout({ seconds: decodeSecondsMax }).autoOrient().pipelineColourspace('srgb').flatten({ background: colourOf(plan.background) });
    if (isEnlarged(size, steps, plan.imagePixelsMax)) return { original, pixels: padded(resample(await rawPixels(image, size), size, steps.resized, enlargedArea(steps), plan.resize.kernel), steps, plan) };
    return { original, pixels: await rawPixels(placed(image.resize(steps.resized.width, steps.resized.height, { fit: 'fill', kernel: plan.resize.kernel }), steps, plan), plan) };
  } catch (error) {
    throw decodeError(error);
  }
}

export type DecodedImage = ImageSize & { readonly pixels: Uint8Array };

/** All pixels of the upright image, as decodePixels gives them, but not resized. Rejects with LS_IMAGE_*. */
export async function decodeWhole(bytes: Buffer, { background, imagePixelsMax }: Pick<PixelPlan, 'background' | 'imagePixelsMax'>): Promise<DecodedImage> {
  const options: SharpOptions = { failOn: 'warning', limitInputPixels: imagePixelsMax, sequentialRead: true };
  try {
    const { autoOrient: size } = await sharp(bytes, options).metadata();
    const image = sharp(bytes, options).timeout({ seconds: decodeSecondsMax }).autoOrient().pipelineColourspace('srgb').flatten({ background: colourOf(background) });
    return { ...size, pixels: await rawPixels(image, size) };
  } catch (error) {
    throw decodeError(error);
  }
}

async function rawPixels(image: Sharp, { width, height }: ImageSize): Promise<Uint8Array> {
  const { data, info } = await image.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  if (info.channels === 3 && info.width === width && info.height === height) return data;
  throw corrupt(`the image was decoded to ${info.width} x ${info.height} pixels of ${info.channels} channels`);
}

function checkResized(size: ImageSize, resized: ImageSize, imagePixelsMax: number): void {
  if (resized.width * resized.height <= imagePixelsMax) return;
  const message = `the image has ${size.width} x ${size.height} pixels, and would have ${resized.width} x ${resized.height} before its middle is cut out`;
  throw imageError('LS_IMAGE_TOO_LARGE', message, { width: size.width, height: size.height });
}

function colourOf([r, g, b]: PixelPlan['background']): { r: number; g: number; b: number } {
  return { r, g, b };
}

/** Along one side at least, where libvips would move the image by half a pixel; but for what is so high that the first of the two passes would take more than an image may. */
function isEnlarged(size: ImageSize, { resized, area }: ResizePlan, imagePixelsMax: number): boolean {
  return (resized.width > size.width || resized.height > size.height) && area.width * size.height <= imagePixelsMax;
}

function placed(image: Sharp, { area, isPadded }: ResizePlan, plan: PixelPlan): Sharp {
  if (!isPadded) return image.extract(area);
  const right = plan.width - area.left - area.width;
  const bottom = plan.height - area.top - area.height;
  return image.extend({ left: area.left, top: area.top, right, bottom, background: colourOf(plan.background) });
}

function enlargedArea({ resized, area, isPadded }: ResizePlan): Area {
  return isPadded ? { ...resized, left: 0, top: 0 } : area;
}

function padded(pixels: Uint8Array, { area, isPadded }: ResizePlan, { width, height, background }: PixelPlan): Uint8Array {
  if (!isPadded) return pixels;
  const result = new Uint8Array(3 * width * height);
  for (let index = 0; index < result.length; index += 1) result[index] = background[index % 3] ?? 0;
  for (let row = 0; row < area.height; row += 1) {
    result.set(pixels.subarray(3 * row * area.width, 3 * (row + 1) * area.width), 3 * ((area.top + row) * width + area.left));
  }
  return result;
}

/** A failure of sharp as what it says. */
export function decodeError(error: unknown): Error {
  if (!(error instanceof Error) || !error.message.startsWith('timeout:')) return imageFailure(error);
  return imageError('LS_IMAGE_DECODE_TIME', `the image was not decoded within ${decodeSecondsMax} s`, {}, { cause: error });
}
