/**
 * preprocessor_config.json: from an encoded image to the pixels that a model was trained on. Orientation, decoding and limits are those of all
 * images; resizing is Pillow's, as in Python, to the last bit, and so are the sizes.
 */
import { z } from 'zod';
import type { ModelInput } from '../model-port.ts';
import { decodedImage } from '../preprocessing/image.ts';
import type { ImageDecoding } from '../preprocessing/image/decode-in-turn.ts';
import type { Area, ImageSize } from '../preprocessing/image/image-geometry.ts';
import { resample, type Kernel } from '../preprocessing/image/resample.ts';
import { modelError } from '../../core/errors/model.ts';
import type { TransformerArtefacts } from '../repository.ts';
import { publishedFile, refuseFile } from './published-files.ts';

const configName = 'preprocessor_config.json';
const side = z.int().min(1).max(4096);
const three = z.tuple([z.number(), z.number(), z.number()]);

const sizes = z.union([
  z.strictObject({ height: side, width: side }),
  z.strictObject({ shortest_edge: side, longest_edge: side.optional() }),
  // Older files: height and width, or one number, which the kind of processor gives its meaning.
  z.tuple([side, side]).transform(([height, width]) => ({ height, width })),
  side,
]);

type TargetSize = Exclude<z.output<typeof sizes>, number>;

/** Those to which one number is the shorter side, and not both. */
const shorterSideProcessors = /^(CLIP|Detr|ConditionalDetr|DeformableDetr|Yolos)/;

/** What is not listed here changes no pixel of a single image. */
const processorConfig = z.object({
  do_resize: z.boolean().default(true),
  size: sizes,
  max_size: side.optional(),
  image_processor_type: z.string().optional(),
  /** The older name. */
  feature_extractor_type: z.string().optional(),
  /** Pillow's number. */
  resample: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]).default(2),
  do_center_crop: z.boolean().default(false),
  crop_size: z.union([z.strictObject({ height: side, width: side }), side.transform((both) => ({ height: both, width: both }))]).optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().positive().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: three.default([0.5, 0.5, 0.5]),
  image_std: three.default([0.5, 0.5, 0.5]),
});

type ProcessorConfig = Omit<z.output<typeof processorConfig>, 'size'> & { readonly size: TargetSize };

const kernels: Readonly<Record<ProcessorConfig['resample'], Kernel>> = { 0: 'nearest', 1: 'lanczos3', 2: 'linear', 3: 'cubic' };

export type ProcessedImage = ImageSize & {
  /** float32 [3, height, width]. */
  readonly values: Float32Array;
  /** Of the upright image as it came. */
  readonly original: ImageSize;
};

/** Rejects with LS_IMAGE_* and LS_MODEL_INPUT. */
export type ImageProcessor = (image: ImageInput) => Promise<ProcessedImage>;

type ImageInput = Extract<ModelInput, { kind: 'image' }>;

/** Throws LS_MODEL_LOAD where the file says what cannot be done. */
export function createImageProcessor(artefacts: TransformerArtefacts, decoding: ImageDecoding): ImageProcessor {
  const published = publishedFile(artefacts, configName, processorConfig);
  const config: ProcessorConfig = { ...published, size: targetSize(published) };
  const { crop_size: crop, size } = config;
  if (config.do_center_crop) {
    if (crop === undefined) refuseFile(artefacts, configName, 'do_center_crop needs crop_size');
    const isCovered = 'shortest_edge' in size ? size.longest_edge === undefined && size.shortest_edge >= Math.max(crop.height, crop.width) : size.height >= crop.height && size.width >= crop.width;
    if (!config.do_resize || !isCovered) refuseFile(artefacts, configName, 'crop_size is larger than what images are resized to');
  }
  const numbers = channelNumbers(config);
  return (input) =>
    decodedImage(
      input,
      async ({ decodeWhole }, bytes) => {
        const { pixels, width, height } = await decodeWhole(bytes, { background: [0, 0, 0], imagePixelsMax: decoding.imagePixelsMax });
        const original = { width, height };
        const { resized, area } = planOf(original, config);
        // Also what lies between the two passes, with all rows of the image: a million rows of two pixels are a small file.
        const rows = Math.max(resized.height, height);
        if (resized.width * rows > decoding.imagePixelsMax) {
          throw modelError('LS_MODEL_INPUT', `the image has ${width} x ${height} pixels, and would have ${resized.width} x ${rows} on the way to what this model reads`, { width, height });
        }
        const isSame = area.width === width && area.height === height && resized.width === width && resized.height === height;
        const taken = isSame ? pixels : resample(pixels, original, resized, area, kernels[config.resample]);
        return { width: area.width, height: area.height, original, values: planes(taken, numbers) };
      },
      decoding,
    );
}

function targetSize({ size, max_size: longest, image_processor_type: type, feature_extractor_type: formerType }: z.output<typeof processorConfig>): TargetSize {
  if (typeof size !== 'number') return size;
  const isShorterSide = longest !== undefined || shorterSideProcessors.test(type ?? formerType ?? '');
  return isShorterSide ? { shortest_edge: size, longest_edge: longest } : { height: size, width: size };
}

function planOf(image: ImageSize, { do_resize: isResized, size, do_center_crop: isCropped, crop_size: crop }: ProcessorConfig): { readonly resized: ImageSize; readonly area: Area } {
  const resized = isResized ? resizedTo(image, size) : image;
  if (!isCropped || crop === undefined) return { resized, area: { ...resized, left: 0, top: 0 } };
  return { resized, area: { ...crop, left: Math.floor((resized.width - crop.width) / 2), top: Math.floor((resized.height - crop.height) / 2) } };
}

/** The shorter side gets its size, the longer one follows, rounded down; where it would be too long, both follow from its limit. */
function resizedTo(image: ImageSize, size: TargetSize): ImageSize {
  if ('height' in size) return size;
  const shorter = Math.min(image.width, image.height);
  const longer = Math.max(image.width, image.height);
  let target: number = size.shortest_edge;
  let exact: number = target;
  if (size.longest_edge !== undefined && (longer / shorter) * target > size.longest_edge) {
    exact = (size.longest_edge * shorter) / longer;
    target = Math.max(1, roundHalfEven(exact));
  }
  const other = (along: number, across: number): number => Math.max(1, Math.trunc((exact * along) / across));
  if (shorter === target) return image;
  return image.width < image.height ? { width: target, height: other(image.height, image.width) } : { width: other(image.width, image.height), height: target };
}

/** As Python's round. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** What each of the 256 values of each channel becomes. */
function channelNumbers({ do_rescale: isRescaled, rescale_factor: factor, do_normalize: isNormalised, image_mean: mean, image_std: deviation }: ProcessorConfig): readonly Float32Array[] {
  return [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, value) => {
      const scaled = isRescaled ? value * factor : value;
      return isNormalised ? (scaled - (mean[channel] ?? 0)) / (deviation[channel] ?? 1) : scaled;
    }),
  );
}

function planes(pixels: Uint8Array, numbers: readonly Float32Array[]): Float32Array {
  const count = pixels.length / 3;
  const values = new Float32Array(pixels.length);
  for (const [channel, table] of numbers.entries()) {
    for (let pixel = 0; pixel < count; pixel += 1) values[channel * count + pixel] = table[pixels[3 * pixel + channel] ?? 0] ?? 0;
  }
  return values;
}
