/**
 * A detector whose images say themselves what is to be found on them, so that every part around the graph is seen. Two pixels after each other are a place: the corners of its box,
 * the background, and the score of the one label, each as a share of 255. A score of 0 becomes NaN.
 */
import sharp, { type Sharp } from 'sharp';
import { commonManifest, writeModel } from '../model-directory.ts';
import { node, onnxModel, tensor } from '../onnx-writer.ts';

type Size = { readonly width: number; readonly height: number };

const shown: Size = { width: 12, height: 8 };
const placesOf = ({ width, height }: Size): number => (width * height) / 2;
export const places = placesOf(shown);

const int64 = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values.map(BigInt));

/** relative-corners: the outputs `boxes` [batch, places, 4] and `scores` [batch, places, 2]. */
export function pixelDetector(batch: number | string = 'batch', { width, height }: Size = shown): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'pixels', type: 'float32', shape: [batch, height, width, 3] }],
    outputs: [
      { name: 'boxes', type: 'float32', shape: [batch, placesOf({ width, height }), 4] },
      { name: 'scores', type: 'float32', shape: [batch, placesOf({ width, height }), 2] },
    ],
    initializers: [
      tensor('rows', [3], int64([-1, placesOf({ width, height }), 6])),
      ...[0, 2, 4, 6].map((index) => tensor(`at-${index}`, [1], int64([index]))),
    ],
    nodes: [
      node('Reshape', ['pixels', 'rows'], ['numbers']),
      node('Slice', ['numbers', 'at-0', 'at-4', 'at-2'], ['boxes']),
      node('Slice', ['numbers', 'at-4', 'at-6', 'at-2'], ['given']),
      node('Mul', ['given', 'given'], ['squares']),
      node('Div', ['squares', 'given'], ['scores']),
    ],
  });
}

/** One output [batch, cells, 5 + 2]: the first numbers of an image of 16 x 16, for grids of 8 and 16. */
export function pixelGrid(batch: number | string = 'batch'): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'pixels', type: 'float32', shape: [batch, 16, 16, 3] }],
    outputs: [{ name: 'output', type: 'float32', shape: [batch, 5, 7] }],
    initializers: [tensor('row', [2], int64([-1, 768])), tensor('cells', [3], int64([-1, 5, 7])), ...[0, 1, 35].map((index) => tensor(`at-${index}`, [1], int64([index])))],
    nodes: [node('Reshape', ['pixels', 'row'], ['numbers']), node('Slice', ['numbers', 'at-0', 'at-35', 'at-1'], ['first']), node('Reshape', ['first', 'cells'], ['output'])],
  });
}

/** Of 0 to 255: xmin, ymin, xmax, ymax, background, score. */
export type PlaceNumbers = readonly [number, number, number, number, number, number];

/** Where nothing more is said there is a place of no size and a score of 1. */
export function imageOf(numbers: readonly PlaceNumbers[], size: Size = shown): Sharp {
  const pixels = Uint8Array.from(Array.from({ length: placesOf(size) }, (_, place) => [...(numbers[place] ?? [0, 0, 0, 0, 254, 1])]).flat());
  return sharp(pixels, { raw: { ...size, channels: 3 } });
}

export const detectorManifest = {
  ...commonManifest,
  name: 'pixel-detector',
  task: 'object-detection',
  preprocessing: { kind: 'image', input: 'pixels', ...shown, resize: { rule: 'stretch', kernel: 'nearest' }, colourOrder: 'RGB', scale: 1 / 255, layout: 'NHWC' },
  postprocessing: { kind: 'boxes', form: { kind: 'relative-corners', boxes: 'boxes', scores: 'scores', places } },
  labels: ['thing'],
  executedShapes: { batchSizes: [1, 4] },
};

export const knownPlace: PlaceNumbers = [85, 51, 170, 204, 55, 200];

/** What is on `knownPlace`: shares of 12 x 8 pixels, cut off. */
export const knownDetection = { kind: 'detections', boxes: [[4, 1, 8, 6]], labels: ['thing'], scores: [200 / 255] };

export async function detectorDirectory(directory: string, overrides: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const knownAnswers = [{ input: { kind: 'image', file: 'known.png', contentType: 'image/png' }, output: knownDetection, tolerance: 1e-6 }];
  await writeModel(directory, { ...detectorManifest, knownAnswers, ...overrides }, { 'model.onnx': pixelDetector(), 'known.png': await imageOf([knownPlace]).png().toBuffer() });
  return directory;
}

/** Shows 50 x 40 pixels, which are 1,000 places. */
export const crowdSize: Size = { width: 50, height: 40 };

/** A thousand boxes that do not touch each other: 40 in a row. */
export const crowd: readonly PlaceNumbers[] = Array.from({ length: 1_000 }, (_, index) => {
  const [column, row] = [index % 40, Math.floor(index / 40)];
  return [6 * column, 10 * row, 6 * column + 5, 10 * row + 9, 9, 255 - (index % 100)];
});

/** Tells of up to 1,000 boxes. */
export async function crowdDirectory(directory: string): Promise<string> {
  const form = { kind: 'relative-corners', boxes: 'boxes', scores: 'scores', places: placesOf(crowdSize) };
  const knownAnswers = [{ input: { kind: 'image', file: 'known.png', contentType: 'image/png' }, output: { kind: 'detections', boxes: [[0, 0, 25, 40]], labels: ['thing'], scores: [1] }, tolerance: 1e-6 }];
  const manifest = {
    ...detectorManifest, name: 'crowd-detector', executedShapes: { batchSizes: [1] }, preprocessing: { ...detectorManifest.preprocessing, ...crowdSize },
    postprocessing: { kind: 'boxes', form, boxesMax: 1_000 }, knownAnswers,
  };
  const known = await imageOf([[0, 0, 128, 255, 9, 255]], crowdSize).png().toBuffer();
  return writeModel(directory, manifest, { 'model.onnx': pixelDetector('batch', crowdSize), 'known.png': known });
}
