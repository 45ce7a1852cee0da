/**
 * Decides by an image's bytes alone whether a decoder may see it, and what of it. The rules, in this order:
 * - it is a JPEG, PNG or WebP by its first bytes, and its content type says the same or nothing (empty, application/octet-stream);
 * - it is whole, has one frame, and not more pixels than are allowed, by its header: nothing has been decoded yet;
 * - its metadata are within a limit, decompressed; what the pixels do not depend on is left out;
 * - it is nothing else besides: see foreign-content.ts. Behind a PNG and a WebP there is nothing at all; behind a JPEG there may be what
 *   cameras put there (further JPEGs, videos, blocks of their own), but no archive, document, program or script.
 */
import { imageError } from '../../../core/errors/image.ts';
import { secondFormatOf } from './foreign-content.ts';
import { imageFormatOf } from './image-format.ts';
import { corrupt, polyglot, type ImageLimits, type ImageStructure } from './image-structure.ts';
import { jpegStructure } from './jpeg-structure.ts';
import { pngStructure } from './png-structure.ts';
import { webpStructure } from './webp-structure.ts';

const structures = { jpeg: jpegStructure, png: pngStructure, webp: webpStructure } as const;

/** Rejects with LS_IMAGE_*. */
export async function inspectImage(content: Uint8Array, contentType: string, limits: ImageLimits): Promise<ImageStructure> {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const format = imageFormatOf(bytes, contentType);
  const second = secondFormatOf(bytes);
  if (second !== undefined) throw polyglot(second, `in a file that is image/${format} too`);
  const structure = await structures[format](bytes, limits);
  const { width, height } = structure;
  if (width === 0 || height === 0) throw corrupt(`the image has ${width} x ${height} pixels`);
  if (width * height > limits.imagePixelsMax) {
    throw imageError('LS_IMAGE_TOO_LARGE', `the image has ${width} x ${height} pixels; at most ${limits.imagePixelsMax} are decoded`, { width, height });
  }
  return structure;
}
