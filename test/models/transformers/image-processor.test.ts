// Pixels are Python's: an image that has to be resized comes to the very ones that Pillow makes of it.
import { describe, expect, test } from 'vitest';
import { createPreprocessorResources } from '../../../src/models/preprocessing/preprocessors.ts';
import { createImageProcessor } from '../../../src/models/transformers/image-processor.ts';
import { golden, readInput, readResized, tinyArtefacts, type TinyName } from './tiny-models.ts';

type Described = {
  readonly preprocessing: { readonly ofImages: readonly { readonly image: string; readonly shape: readonly number[]; readonly mean: number; readonly middleRowEvery16th: readonly (readonly number[])[] }[] };
};

const { imageDecoding } = createPreprocessorResources();
const png = (bytes: Buffer) => ({ kind: 'image', bytes, contentType: 'image/png' }) as const;

describe.each<TinyName>(['vit-gpt2', 'blip', 'blip2', 'clip', 'siglip', 'owlvit', 'detr'])('%s', (name) => {
  test('gives the numbers that Python gives, resized or not', async () => {
    const processor = createImageProcessor(await tinyArtefacts(name), imageDecoding);
    const { preprocessing } = await golden<Described>(name);
    for (const { image, shape, mean, middleRowEvery16th } of preprocessing.ofImages) {
      const { values, width, height } = await processor(png(await readInput(image)));
      expect([3, height, width], image).toEqual(shape);
      expect(Math.abs(values.reduce((total, value) => total + value, 0) / values.length - mean), image).toBeLessThan(1e-5);
      const row = Math.floor(height / 2);
      for (const [channel, expected] of middleRowEvery16th.entries()) {
        for (const [place, value] of expected.entries()) expect(Math.abs(values[(channel * height + row) * width + 16 * place]! - value), image).toBeLessThan(1e-5);
      }
    }
  });

  test('makes of a wide image the pixels that Pillow makes of it', async () => {
    const processor = createImageProcessor(await tinyArtefacts(name), imageDecoding);
    const { values, original } = await processor(png(await readInput('wide.png')));
    expect(original).toEqual({ width: 150, height: 100 });
    expect(values).toEqual((await processor(png(await readResized(name)))).values);
  });
});

test.each([
  ['one number of ViT: both sides', { size: 48, image_processor_type: 'ViTImageProcessor' }, [48, 48]],
  ['one number of CLIP, and what is cut out of it', { size: 48, do_center_crop: true, crop_size: 40, feature_extractor_type: 'CLIPFeatureExtractor' }, [40, 40]],
  ['one number with a limit: the shorter side', { size: 48, max_size: 60 }, [60, 40]],
  ['height and width', { size: [32, 48] }, [48, 32]],
  ['no resizing', { size: 48, do_resize: false }, [150, 100]],
])('older files are read: %s', async (_, config, expected) => {
  const files = { 'preprocessor_config.json': Buffer.from(JSON.stringify(config)) };
  const { width, height } = await createImageProcessor(await tinyArtefacts('detr', { files }), imageDecoding)(png(await readInput('wide.png')));
  expect([width, height]).toEqual(expected);
});

test('sizes follow the shorter side, and the longer one where that would be too long', async () => {
  const { default: sharp } = await import('sharp');
  const processor = createImageProcessor(await tinyArtefacts('detr'), imageDecoding);
  const sizeOf = async (width: number, height: number): Promise<readonly number[]> => {
    const image = await processor(png(await sharp({ create: { width, height, channels: 3, background: 'red' } }).png().toBuffer()));
    return [image.width, image.height];
  };
  // As DetrImageProcessor of transformers computes them, with 64 and 128.
  expect(await sizeOf(200, 100)).toEqual([128, 64]);
  expect(await sizeOf(100, 200)).toEqual([64, 128]);
  expect(await sizeOf(300, 100)).toEqual([128, 43]);
  expect(await sizeOf(101, 77)).toEqual([83, 64]);
  expect(await sizeOf(64, 90)).toEqual([64, 90]);
  expect(await sizeOf(1, 1)).toEqual([64, 64]);
});

test('an image whose every row would be made much wider first is refused', async () => {
  const { default: sharp } = await import('sharp');
  const tall = png(await sharp({ create: { width: 2, height: 20_000, channels: 3, background: 'red' } }).png().toBuffer());
  const files = { 'preprocessor_config.json': Buffer.from(JSON.stringify({ size: [32, 64] })) };
  const narrow = createPreprocessorResources({ imagePixelsMax: 1_000_000 }).imageDecoding;
  await expect(createImageProcessor(await tinyArtefacts('detr', { files }), narrow)(tall)).rejects.toMatchObject({ code: 'LS_MODEL_INPUT' });
});
