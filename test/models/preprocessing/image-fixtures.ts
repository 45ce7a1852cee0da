/** What the tests of images share: the preprocessor with plain parameters, and images made of nothing. */
import type { GraphManifest } from '../../../src/models/manifest.ts';
import { createImagePreprocessor } from '../../../src/models/preprocessing/image.ts';
import { createPreprocessorResources } from '../../../src/models/preprocessing/preprocessors.ts';

export type ImageParameters = Omit<Extract<GraphManifest['preprocessing'], { kind: 'image' }>, 'kind' | 'input'>;

const plainParameters: ImageParameters = {
  width: 16,
  height: 16,
  resize: { rule: 'stretch', kernel: 'linear' },
  background: [0, 0, 0],
  colourOrder: 'RGB',
  scale: 1,
  mean: [0, 0, 0],
  deviation: [1, 1, 1],
  layout: 'NHWC',
};

export async function imageTensor(bytes: Uint8Array, parameters: Partial<ImageParameters> = {}, contentType = '', imagePixelsMax?: number): Promise<Float32Array> {
  const preprocessor = createImagePreprocessor({ kind: 'image', input: 'pixels', ...plainParameters, ...parameters }, createPreprocessorResources({ imagePixelsMax }).imageDecoding);
  const { values } = await preprocessor.prepare({ kind: 'image', bytes, contentType });
  const tensor = values['pixels'];
  if (!(tensor instanceof Float32Array)) throw new Error('no float32 values');
  return tensor;
}
