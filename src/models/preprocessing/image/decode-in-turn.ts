/** Which images are decoded at once. All models of a thread share one budget: its memory must not depend on how many they are. */
import type { Budget } from '../../../core/budget.ts';
import { LabelstreamError } from '../../../core/errors/error.ts';
import type { ImageStructure } from './image-structure.ts';

export type ImageDecoding = {
  /** Width x height of one image. */
  readonly imagePixelsMax: number;
  /** Of `imagePixelsMax`: so many pixels are decoded at once. */
  readonly budget: Budget;
};

/**
 * Measured: an interlaced PNG of four 16-bit channels that EXIF turns on its side takes 12.1; its pixels lie in memory as they are stored, and
 * once more, in 8 bits, when they are turned. A progressive or turned JPEG takes 7 to 9, what is decoded row by row about 1.
 */
const decodedPixelBytesMax = 13;

/** Waits for its turn. Where that takes too long it may be its neighbours' doing, so it is tried once more with none. */
export async function decodeInTurn<Decoded>(image: ImageStructure, decode: (bytes: Buffer) => Promise<Decoded>, { imagePixelsMax, budget }: ImageDecoding): Promise<Decoded> {
  const bytes = image.parts.reduce((total, part) => total + part.length, 0);
  const attempt = async (pixels: number): Promise<Decoded> => {
    const giveBack = await budget.take(pixels);
    try {
      return await decode(joined(image.parts, bytes));
    } finally {
      giveBack();
    }
  };
  try {
    // The encoded image counts too: there may be many that are large and have few pixels.
    return await attempt(image.width * image.height + Math.ceil(bytes / decodedPixelBytesMax));
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_IMAGE_DECODE_TIME') return await attempt(imagePixelsMax);
    throw error;
  }
}

/** The file itself where nothing was left out. */
function joined(parts: readonly Buffer[], bytes: number): Buffer {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, bytes);
}
