/**
 * The only place that knows sharp. Loading this file confines it, for the whole process: loaders of everything but JPEG, PNG and WebP from
 * memory are blocked, nothing is kept between images, and one image uses one thread (images are decoded side by side instead).
 *
 * The steps, pinned: orientation by EXIF, colours to sRGB by the profile in the image, 16 bits to 8 by leaving the lower ones out, transparency
 * onto the background, resizing of all pixels (nothing is scaled down while it is decoded: see `extract` below), then cut or pad.
 */
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import { imageError } from '../../../core/errors/image.ts';
import { resizePlan, type ImageSize, type ResizeRule } from './image-geometry.ts';
import { corrupt } from './image-structure.ts';

sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'] });
sharp.concurrency(1);
sharp.cache(false);

/** Of an image of the largest size, many times over: only what is made to take long takes longer. */
const decodeSecondsMax = 30;

export type PixelPlan = ImageSize & {
  readonly resize: ResizeRule & { readonly kernel: 'nearest' | 'linear' | 'cubic' | 'mitchell' | 'lanczos2' | 'lanczos3' };
  readonly background: readonly [number, number, number];
  readonly imagePixelsMax: number;
};

/** Red, green and blue of each pixel, row by row: 3 x width x height bytes. Rejects with LS_IMAGE_CORRUPT, LS_IMAGE_TOO_LARGE, LS_IMAGE_DECODE_TIME. */
export async function decodePixels(bytes: Buffer, plan: PixelPlan): Promise<Uint8Array> {
  const options: SharpOptions = { failOn: 'warning', limitInputPixels: plan.imagePixelsMax, sequentialRead: true };
  try {
    const { autoOrient: oriented } = await sharp(bytes, options).metadata();
    const { data, info } = await placed(sharp(bytes, options).autoOrient(), oriented, plan)
      .timeout({ seconds: decodeSecondsMax })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 || info.width !== plan.width || info.height !== plan.height) {
      throw corrupt(`the image was decoded to ${info.width} x ${info.height} pixels of ${info.channels} channels`);
    }
    return data;
  } catch (error) {
    throw decodeError(error);
  }
}

function placed(image: Sharp, size: ImageSize, plan: PixelPlan): Sharp {
  const { width, height, resize, background, imagePixelsMax } = plan;
  const { resized, area, isPadded } = resizePlan(size, plan, resize);
  if (resized.width * resized.height > imagePixelsMax) {
    const message = `the image has ${size.width} x ${size.height} pixels, and would have ${resized.width} x ${resized.height} before its middle is cut out`;
    throw imageError('LS_IMAGE_TOO_LARGE', message, { width: size.width, height: size.height });
  }
  const colour = { r: background[0], g: background[1], b: background[2] };
  const whole = { left: 0, top: 0, width: size.width, height: size.height };
  // Cutting out the whole image keeps sharp from asking the decoder for a smaller one, whose pixels depend on the decoder.
  const scaled = image.flatten({ background: colour }).extract(whole).resize(resized.width, resized.height, { fit: 'fill', kernel: resize.kernel, fastShrinkOnLoad: false });
  if (!isPadded) return scaled.extract(area);
  const right = width - area.left - area.width;
  const bottom = height - area.top - area.height;
  return scaled.extend({ left: area.left, top: area.top, right, bottom, background: colour });
}

function decodeError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'LabelstreamError') return error;
  if (error.message.startsWith('timeout:')) return imageError('LS_IMAGE_DECODE_TIME', `the image was not decoded within ${decodeSecondsMax} s`, {}, { cause: error });
  return imageError('LS_IMAGE_CORRUPT', `the image cannot be decoded: ${error.message}`, {}, { cause: error });
}
