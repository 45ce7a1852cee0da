/** What is known of an image before anything decodes it, by a walk along its blocks in which nothing is decompressed. */
import { imageError } from '../../../core/errors/image.ts';

export type ImageStructure = {
  /** As stored, before any orientation. */
  readonly width: number;
  readonly height: number;
  /**
   * What the decoder gets, one part after the other: the image without the metadata that it does not need and without what is behind its end.
   * They lie in the content: images that wait for their turn are not kept twice.
   */
  readonly parts: readonly Buffer[];
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

export type KeptParts = {
  /** Begins where the last one ended, or behind it. */
  readonly keep: (start: number, end: number) => void;
  readonly parts: () => readonly Buffer[];
};

/** What touches is one part, or an image of millions of tiny blocks would take a hundred times its size. */
export function keptParts(bytes: Buffer): KeptParts {
  const ranges: { readonly start: number; end: number }[] = [];
  return {
    keep: (start, end) => {
      const last = ranges.at(-1);
      if (last?.end === start) last.end = end;
      else ranges.push({ start, end });
    },
    parts: () => ranges.map(({ start, end }) => bytes.subarray(start, end)),
  };
}

const blocksMin = 1_000;
/** Encoders write blocks of kilobytes; only the small ones around the picture are smaller. */
const blockBytesMean = 256;

/** To be called for every block of an image; throws LS_IMAGE_CORRUPT where they are more than any encoder writes: each costs time. */
export function blockCounter(bytes: Buffer): () => void {
  const blocksMax = blocksMin + bytes.length / blockBytesMean;
  let blocks = 0;
  return () => {
    blocks += 1;
    if (blocks > blocksMax) throw corrupt(`the image has more than ${Math.floor(blocksMax)} blocks in ${bytes.length} bytes`);
  };
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
