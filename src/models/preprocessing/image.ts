/**
 * An encoded image becomes the numbers of its pixels. It is inspected before any decoder sees it (image/inspect-image.ts), decoded, resized
 * and cut in sharp's own threads (image/image-decoder.ts), and its 8-bit values are turned to float32 by a table. All models of a worker
 * together decode as many images side by side as have the permitted number of pixels, which bounds the memory of the worker.
 */
import { modelError } from '../../core/errors/model.ts';
import type { GraphManifest } from '../manifest.ts';
import type { ModelInput } from '../model-port.ts';
import { decodeInTurn, type ImageDecoding } from './image/decode-in-turn.ts';
import type * as decoder from './image/image-decoder.ts';
import { imageFailure } from './image/image-failure.ts';
import { inspectImage } from './image/inspect-image.ts';
import type { Preprocessor } from './preprocessor.ts';

type ImagePreprocessing = Extract<GraphManifest['preprocessing'], { kind: 'image' }>;

/** Portraits with a depth map in their XMP have some megabytes of metadata. */
const metadataBytesMax = 8 * 1024 * 1024;

/** From the encoded image to what `decode` makes of it: inspected first, in its turn. Rejects with LS_IMAGE_*. */
export async function decodedImage<Decoded>(
  { bytes, contentType }: { readonly bytes: Uint8Array; readonly contentType: string },
  decode: (decoder: ImageDecoder, bytes: Buffer) => Promise<Decoded>,
  decoding: ImageDecoding,
): Promise<Decoded> {
  try {
    const loaded = await loadDecoder();
    const image = await inspectImage(bytes, contentType, { imagePixelsMax: decoding.imagePixelsMax, metadataBytesMax });
    return await decodeInTurn(image, (whole) => decode(loaded, whole), decoding);
  } catch (error) {
    throw imageFailure(error);
  }
}

export function createImagePreprocessor(parameters: ImagePreprocessing, decoding: ImageDecoding): Preprocessor {
  const { imagePixelsMax } = decoding;
  const { input: port, width, height, resize, background, layout } = parameters;
  const plan = { width, height, resize, background, imagePixelsMax };
  const numbers = channelTables(parameters);
  return {
    ports: [{ name: port, type: 'float32', itemDimensions: layout === 'NCHW' ? [3, height, width] : [height, width, 3] }],
    prepare: async (input: ModelInput) => {
      if (input.kind !== 'image') throw modelError('LS_MODEL_INPUT', `this model reads images, not ${input.kind}`);
      if (input.text !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model writes no text and takes none to begin with');
      if (input.classes !== undefined) throw modelError('LS_MODEL_REQUEST', 'this model has classes of its own and takes no others');
      const { pixels, original } = await decodedImage(input, ({ decodePixels }, bytes) => decodePixels(bytes, plan), decoding);
      const picture = { size: original, config: input.config ?? {} };
      return { values: { [port]: tensorValues(pixels, numbers, parameters) }, length: 0, tokens: 0, picture };
    },
  };
}

type ImageDecoder = Pick<typeof decoder, 'decodePixels' | 'decodeWhole'>;

/** Only where images are read: a program for texts works without sharp, and starts faster. */
async function loadDecoder(): Promise<ImageDecoder> {
  try {
    return await import('./image/image-decoder.ts');
  } catch (error) {
    throw modelError('LS_MODEL_LOAD', `the decoder of images (sharp) cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, {}, { cause: error });
  }
}

type ChannelTable = { readonly source: number; readonly numbers: Float32Array };

/** For each channel of the tensor: which of red, green and blue it is, and what each of its 256 values becomes. */
function channelTables({ colourOrder, scale, mean, deviation }: ImagePreprocessing): readonly ChannelTable[] {
  return (colourOrder === 'RGB' ? [0, 1, 2] : [2, 1, 0]).map((source, channel) => ({
    source,
    numbers: Float32Array.from({ length: 256 }, (_, value) => (value * scale - (mean[channel] ?? 0)) / (deviation[channel] ?? 1)),
  }));
}

function tensorValues(pixels: Uint8Array, tables: readonly ChannelTable[], { width, height, layout }: ImagePreprocessing): Float32Array {
  const count = width * height;
  const values = new Float32Array(3 * count);
  for (const [channel, { source, numbers }] of tables.entries()) {
    const [start, step] = layout === 'NCHW' ? [channel * count, 1] : [channel, 3];
    for (let pixel = 0; pixel < count; pixel += 1) values[start + step * pixel] = numbers[pixels[3 * pixel + source] ?? 0] ?? 0;
  }
  return values;
}
