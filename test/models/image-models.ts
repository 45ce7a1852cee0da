/**
 * Small models of images for the tests: the mean colour of an image, as its vector or as the scores of red, green and blue. Each number is a
 * mean over one item's own channel, so it does not depend on the batch.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { commonManifest, writeModelWithAnswers } from './model-directory.ts';
import { node, onnxModel } from './onnx-writer.ts';

export const colourNames = ['red', 'green', 'blue'] as const;
export type ColourName = (typeof colourNames)[number];

const side = 8;

function meanColour(): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'pixels', type: 'float32', shape: ['batch', 3, side, side] }],
    outputs: [{ name: 'colour', type: 'float32', shape: ['batch', 3] }],
    nodes: [node('ReduceMean', ['pixels'], ['colour'], [{ name: 'axes', value: [2, 3] }, { name: 'keepdims', value: 0 }])],
  });
}

/** A plain image that is mostly of one colour; the others are given by `shade`, from 0 to 1. */
export function colourImage(colour: ColourName, shade = 0, size = 16): Sharp {
  const [r = 0, g = 0, b = 0] = colourNames.map((name) => (name === colour ? 230 : Math.round(shade * 60)));
  return sharp({ create: { width: size, height: size, channels: 3, background: { r, g, b } } });
}

const manifest = {
  ...commonManifest,
  preprocessing: {
    kind: 'image', input: 'pixels', width: side, height: side, resize: { rule: 'cover', kernel: 'linear' }, colourOrder: 'RGB', scale: 1 / 255, layout: 'NCHW',
  },
  executedShapes: { batchSizes: [1, 4] },
  knownAnswers: ['red', 'blue'].map((name) => ({ input: { kind: 'image', file: `${name}.png`, contentType: 'image/png' }, output: [], tolerance: 1e-5 })),
};

/** Writes the models `colour-encoder` (image-features) and `colour-classifier` (image-classification) below the directory. */
export async function writeImageModels(directory: string): Promise<void> {
  const files = {
    'model.onnx': meanColour(),
    'red.png': await colourImage('red').png().toBuffer(),
    'blue.png': await colourImage('blue', 0.5).png().toBuffer(),
  };
  const write = async (name: string, parts: Readonly<Record<string, unknown>>): Promise<void> => {
    await mkdir(join(directory, name), { recursive: true });
    await writeModelWithAnswers(join(directory, name), { ...manifest, name, ...parts }, files, 3);
  };
  await write('colour-encoder', { task: 'image-features', postprocessing: { kind: 'vector', output: 'colour', dimensions: 3 } });
  await write('colour-classifier', { task: 'image-classification', labels: colourNames, postprocessing: { kind: 'scores', output: 'colour', activation: 'softmax' } });
}
