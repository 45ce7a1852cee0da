// Detectors by `models import`: what makes one, and what is no detector.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { importOnnx, type OnnxImport } from '../../src/models/import-onnx.ts';
import { detectorManifest, imageOf, knownPlace, pixelDetector, pixelGrid, places } from './boxes/pixel-detector.ts';
import { temporaryDirectory } from './model-directory.ts';
import { valuesClassifier } from './onnx-fixtures.ts';

// An import proves its model on hundreds of images.
vi.setConfig({ testTimeout: 240_000 });

type Written = { readonly directory: string; readonly options: OnnxImport };

async function written(model: Uint8Array, more: Partial<OnnxImport>, labels = 'thing\n'): Promise<Written> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'from'));
  const [file, labelsFile] = [join(directory, 'from', 'detector.onnx'), join(directory, 'from', 'labels.txt')];
  await writeFile(file, model);
  await writeFile(labelsFile, labels);
  return { directory, options: { file, directory: join(directory, 'to'), preset: 'unit', resize: 'stretch', kernel: 'nearest', labels: labelsFile, ...more } };
}

test('a graph with corners and scores becomes a detector, whose known answers hold what it finds', async () => {
  const { directory, options } = await written(pixelDetector(), { boxes: 'relative-corners', scoreMin: 0.4, boxesMax: 7 });
  const image = join(directory, 'from', 'known.png');
  await writeFile(image, await imageOf([knownPlace, [0, 0, 40, 255, 9, 190]]).png().toBuffer());
  const { manifest, report, notes } = await importOnnx({ ...options, knownInputs: [image] });
  expect(manifest).toMatchObject({
    task: 'object-detection', labels: ['thing'], reproducible: true, preprocessing: detectorManifest.preprocessing, executedShapes: { batchSizes: [1, 8] },
    postprocessing: { kind: 'boxes', form: { kind: 'relative-corners', boxes: 'boxes', scores: 'scores', places }, scoreMin: 0.4, overlapMax: 0.45, boxesMax: 7 },
  });
  expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
  // Both things stand clear of the places that hold none.
  expect(manifest.knownAnswers).toEqual([
    {
      input: { kind: 'image', file: 'known/0-known.png', contentType: 'image/png', config: { threshold: 0.37 } },
      output: { kind: 'detections', boxes: [[4, 1, 8, 6], [0, 0, 1, 8]], labels: ['thing', 'thing'], scores: [expect.closeTo(200 / 255, 6), expect.closeTo(190 / 255, 6)] },
      tolerance: 0.0008,
    },
  ]);
  expect(notes).toEqual([]);
});

test('a detector that finds nothing on what it is asked about is told', async () => {
  const { directory, options } = await written(pixelDetector(1), { boxes: 'relative-corners' });
  const image = join(directory, 'from', 'known.png');
  await writeFile(image, await imageOf([]).png().toBuffer());
  const { notes } = await importOnnx({ ...options, knownInputs: [image] });
  expect(notes).toEqual([expect.stringContaining('name images with --known-input on which it finds something')]);
});

test('YOLOX shows the whole image at the top left of grey; single options say otherwise', async () => {
  const { options } = await written(pixelGrid(1), { boxes: 'grid-offsets', preset: 'yolox', strides: [8, 16] }, 'cat\ndog\n');
  const { file, directory, labels = '', boxes, strides = [] } = options;
  // The numbers of this graph are shares.
  const { manifest } = await importOnnx({ file, directory, labels, preset: 'yolox', scale: 1 / 255, strides, ...(boxes === undefined ? {} : { boxes }) });
  expect(manifest).toMatchObject({
    preprocessing: { colourOrder: 'BGR', background: [114, 114, 114], resize: { rule: 'contain', placement: 'top-left', kernel: 'linear' } },
    postprocessing: { form: { kind: 'grid-offsets', output: 'output', strides: [8, 16] }, scoreMin: 0.25, overlapMax: 0.45, boxesMax: 100 },
    labels: ['cat', 'dog'],
  });
  const other = await importOnnx({ ...options, scale: 1 / 255, placement: 'middle', resize: 'contain', colourOrder: 'RGB', background: [0, 0, 0] }, { force: true });
  expect(other.manifest.preprocessing).toMatchObject({ colourOrder: 'RGB', background: [0, 0, 0], resize: { rule: 'contain', placement: 'middle' } });
});

test.each<[string, Uint8Array, Partial<OnnxImport>, string]>([
  ['detection without the form of boxes', pixelDetector(), { task: 'object-detection', output: 'boxes' }, 'say --boxes grid-offsets|relative-corners'],
  ['boxes for another task', pixelGrid(), { task: 'image-classification', boxes: 'grid-offsets' }, '--boxes goes with the task object-detection'],
  ['a limit without boxes', pixelGrid(), { scoreMin: 0.5 }, '--score-min goes with --boxes'],
  ['strides of corners', pixelDetector(), { boxes: 'relative-corners', strides: [8] }, '--strides means nothing to --boxes relative-corners'],
  ['scores beside a grid', pixelGrid(), { boxes: 'grid-offsets', scoresOutput: 'output' }, '--scores-output means nothing to --boxes grid-offsets'],
  ['groups of boxes', pixelGrid(), { boxes: 'grid-offsets', groups: [{ label: 'a', first: 0, last: 0 }] }, 'mean nothing to the task object-detection'],
  ['an activation of boxes', pixelGrid(), { boxes: 'grid-offsets', activation: 'softmax' }, 'mean nothing to the task object-detection'],
  ['an inner tensor beside corners', pixelDetector(), { boxes: 'relative-corners', expose: 'given' }, 'needs two'],
  ['outputs of other names', pixelDetector(), { boxes: 'relative-corners', output: 'corners' }, 'it has no output "corners", but boxes, scores: say with --output'],
  ['one output for both', pixelDetector(), { boxes: 'relative-corners', output: 'scores' }, 'both to be in scores'],
  ['corners that are scores', pixelDetector(), { boxes: 'relative-corners', output: 'scores', scoresOutput: 'boxes' }, `the output scores has [${places}, 2] numbers for an image; corners of boxes take [${places}, 4]`],
  ['another number of labels', pixelGrid(), { boxes: 'grid-offsets', strides: [8, 16] }, 'the output output has [5, 7] numbers for an image; 1 labels and the strides 8, 16 on images of 16 x 16 pixels take [5, 6]'],
  ['strides that do not fit', pixelGrid(), { boxes: 'grid-offsets' }, 'no multiple of the stride 32'],
  ['a placement with another rule', pixelGrid(), { boxes: 'grid-offsets', placement: 'top-left' }, '--placement goes with --resize contain, not with stretch'],
  ['no image for input', valuesClassifier(), { boxes: 'grid-offsets' }, 'only images can be imported'],
  ['a file that is cut off', pixelGrid().subarray(0, -40), { boxes: 'grid-offsets' }, 'is no ONNX file'],
])('refuses %s, and leaves nothing behind', async (_, model, options, said) => {
  const { directory, options: base } = await written(model, options);
  await expect(importOnnx(base)).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining(said) as string });
  expect(await readdir(directory)).toEqual(['from']);
});

test('says that labels have to be named', async () => {
  const { options: { file, directory } } = await written(pixelGrid(), {});
  await expect(importOnnx({ file, directory, preset: 'unit', boxes: 'grid-offsets', strides: [8, 16] })).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining('needs names: --labels FILE') as string });
});

test('refuses limits that are none', async () => {
  const { options } = await written(pixelGrid(1), { boxes: 'grid-offsets', strides: [8, 16], scoreMin: 2 }, 'cat\ndog\n');
  await expect(importOnnx(options)).rejects.toMatchObject({ code: 'LS_MODEL_MANIFEST', message: expect.stringContaining('postprocessing.scoreMin') as string });
});
