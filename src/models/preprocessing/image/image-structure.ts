/** What is known of an image before anything decodes it, by a walk along its blocks in which nothing is decompressed. */
import { imageError } from '../../../core/errors/image.ts';

export type ImageStructure = {
  /** As stored, before any orientation. */
  readonly width: number;
  readonly height: number;
  /** What the decoder gets: the image without the metadata that it does not need and without what is behind its end. */
  readonly bytes: Buffer;
};

export type ImageLimits = {
  /** Width x height, and of the resized image too. */
  readonly imagePixelsMax: number;
  /** Of all metadata of one image, decompressed. */
  readonly metadataBytesMax: number;
};

export function corrupt(message: string): Error {
  return imageError('LS_IMAGE_CORRUPT', message);
}

export function polyglot(found: string, where: string): Error {
  return imageError('LS_IMAGE_POLYGLOT', `there is ${found} ${where}`);
}

/** Counts metadata; each call throws LS_IMAGE_METADATA where the sum is above the limit. */
export function metadataMeter({ metadataBytesMax }: ImageLimits): { readonly add: (bytes: number) => void; readonly left: () => number } {
  let total = 0;
  return {
    add: (bytes) => {
      total += bytes;
      if (total > metadataBytesMax) throw metadataTooLarge(metadataBytesMax);
    },
    left: () => metadataBytesMax - total,
  };
}

export function metadataTooLarge(metadataBytesMax: number): Error {
  return imageError('LS_IMAGE_METADATA', `the metadata have more than ${metadataBytesMax} bytes, as stored or when decompressed`);
}
