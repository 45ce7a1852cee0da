import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { importOnnx, type OnnxImport } from '../../src/models/import-onnx.ts';
import type { GraphManifest } from '../../src/models/manifest.ts';
import { onnxGraph } from '../../src/models/onnx-graph.ts';
import { loadArtefacts, manifestName } from '../../src/models/repository.ts';
import { valuesClassifier, weights } from './onnx-fixtures.ts';
import { externalTensor, node, onnxModel, tensor, type Port } from './onnx-writer.ts';
import { temporaryDirectory } from './model-directory.ts';

// Every import proves its model on hundreds of images, which takes long where the machine is busy.
vi.setConfig({ testTimeout: 240_000 });

type Variant = { readonly input?: Port['shape']; readonly output?: Port['shape']; readonly dependsOnBatch?: number; readonly external?: string; readonly reshapedTo?: readonly number[] };

/** means = the mean of each colour, times three weights; in the variant, less a share of the mean over the batch. An inner tensor: pooled. */
function colourMeans({ input = ['batch', 3, 4, 6], output = ['batch', 3], dependsOnBatch = 0, external, reshapedTo }: Variant = {}): Uint8Array {
  const scale = external === undefined ? tensor('scale', [3], weights(3)) : externalTensor('scale', [3], external, 12);
  const int64 = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values.map(BigInt));
  return onnxModel({
    inputs: [{ name: 'image', type: 'float32', shape: input }],
    outputs: [{ name: 'means', type: 'float32', shape: output }],
    initializers: [scale, tensor('share', [1], Float32Array.of(dependsOnBatch)), ...(reshapedTo === undefined ? [] : [tensor('shape', [reshapedTo.length], int64(reshapedTo))])],
    nodes: [
      node('GlobalAveragePool', ['image'], ['pooled']),
      reshapedTo === undefined ? node('Flatten', ['pooled'], ['flat'], [{ name: 'axis', value: 1 }]) : node('Reshape', ['pooled', 'shape'], ['flat']),
      node('Mul', ['flat', 'scale'], [dependsOnBatch > 0 ? 'scaled' : 'means']),
      ...(dependsOnBatch > 0
        ? [
            node('ReduceMean', ['scaled'], ['centre'], [{ name: 'axes', value: [0] }, { name: 'keepdims', value: 1 }]),
            node('Mul', ['centre', 'share'], ['shared']),
            node('Sub', ['scaled', 'shared'], ['means']),
          ]
        : []),
    ],
  });
}

/** Run in batches of one only, which is proved in a third of the time: for what has nothing to do with the batch. */
const alone = (variant: Variant = {}): Uint8Array => colourMeans({ input: [1, 3, 4, 6], output: [1, 3], ...variant });

function knownRow(answer: GraphManifest['knownAnswers'][number] | undefined): readonly number[] {
  if (answer === undefined || 'kind' in answer.output) throw new Error('no row of numbers');
  return answer.output;
}

type Written = { readonly directory: string; readonly options: OnnxImport };

/** The model in a directory of its own; the import goes to a directory beside. */
async function written(model: Uint8Array, more: Partial<OnnxImport> = {}): Promise<Written> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'from'));
  const file = join(directory, 'from', 'Colour Means.onnx');
  await writeFile(file, model);
  return { directory, options: { file, directory: join(directory, 'to'), preset: 'unit', ...more } };
}

test('a network with an open batch becomes a model that passes its proofs', async () => {
  const { directory, options } = await written(colourMeans());
  const { manifest, report, notes } = await importOnnx(options);
  expect(manifest).toMatchObject({
    name: 'colour-means', version: '1.0.0', task: 'image-features', opset: 17, reproducible: true, executedShapes: { batchSizes: [1, 8] },
    preprocessing: { kind: 'image', input: 'image', width: 6, height: 4, layout: 'NCHW', colourOrder: 'RGB', scale: 1 / 255, resize: { rule: 'cover', kernel: 'linear' } },
    postprocessing: { kind: 'vector', output: 'means', dimensions: 3 },
  });
  expect(manifest.files.map(({ path }) => path)).toEqual(['model.onnx', 'known/disc.png', 'known/stripes.png']);
  expect(notes).toEqual([]);
  expect(report.checks.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
  // The proofs were made beside its place; the same bytes are in it.
  expect((await loadArtefacts(options.directory)).manifest).toEqual(manifest);
  // Nothing is left beside it.
  expect((await readdir(directory)).sort()).toEqual(['from', 'to']);
  // The means of the colours of the first image, which has 255 - 2y of blue beside the disc: none is 0, no two are equal.
  const [answer] = manifest.knownAnswers;
  expect(new Set(knownRow(answer)).size).toBe(3);
  expect(answer?.tolerance).toBeGreaterThan(0);
});

test('a fixed batch and the last places for colours are seen in the shape', async () => {
  const model = onnxModel({
    inputs: [{ name: 'image', type: 'float32', shape: [2, 4, 6, 3] }],
    outputs: [{ name: 'flat', type: 'float32', shape: [2, 72] }],
    nodes: [node('Flatten', ['image'], ['flat'], [{ name: 'axis', value: 1 }])],
  });
  const { options } = await written(model);
  const { manifest } = await importOnnx(options);
  expect(manifest).toMatchObject({ executedShapes: { batchSizes: [2] }, reproducible: true, preprocessing: { layout: 'NHWC', width: 6, height: 4 }, postprocessing: { dimensions: 72 } });
});

test('a batch that is fixed in secret is found out', async () => {
  const { options } = await written(colourMeans({ reshapedTo: [1, 3] }));
  const { manifest, notes } = await importOnnx(options);
  expect(manifest).toMatchObject({ executedShapes: { batchSizes: [1] }, reproducible: true });
  expect(notes.at(-1)).toBe('it is run in batches of 1 only');
});

test('a network that mixes its batch is run alone', async () => {
  const { options } = await written(colourMeans({ dependsOnBatch: 1e-5 }));
  const found = await importOnnx(options);
  expect(found.manifest).toMatchObject({ executedShapes: { batchSizes: [1] }, reproducible: true });
  expect(found.notes[0]).toContain('in batches of 1, 8: known-answers: ');
});

test('batches that somebody asks for are kept, and a network that mixes them told to be not reproducible', async () => {
  const { options } = await written(colourMeans({ dependsOnBatch: 1e-5 }), { batchSizes: [1, 2] });
  const asked = await importOnnx(options);
  expect(asked.manifest).toMatchObject({ executedShapes: { batchSizes: [1, 2] }, reproducible: false });
  expect(asked.notes.at(-1)).toBe('reproducible: false');
});

test('a network whose answers differ between the sizes that are asked for is refused', async () => {
  const { directory, options } = await written(colourMeans({ dependsOnBatch: 0.5 }), { batchSizes: [1, 2] });
  await expect(importOnnx(options)).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining('fails its own proofs') as string });
  expect(await readdir(directory)).toEqual(['from']);
});

test('an inner tensor becomes the output', async () => {
  const { options } = await written(colourMeans(), { expose: 'pooled', normalisation: 'l2' });
  const { manifest } = await importOnnx(options);
  expect(manifest.postprocessing).toEqual({ kind: 'vector', output: 'pooled', dimensions: 3, pooling: 'none', normalisation: 'l2' });
  const { outputs } = onnxGraph(await readFile(join(options.directory, 'model.onnx')));
  expect(outputs.map(({ name, type, shape }) => [name, type, shape])).toEqual([['means', 'float32', ['batch', 3]], ['pooled', 'float32', ['', 3, 1, 1]]]);
  const norm = Math.hypot(...knownRow(manifest.knownAnswers[0]));
  expect(norm).toBeCloseTo(1, 5);
});

test('what looks like a classification and is imported as features is told; who names the task means it', async () => {
  const model = onnxModel({
    inputs: [{ name: 'image', type: 'float32', shape: [1, 3, 2, 2] }],
    outputs: [{ name: 'probabilities', type: 'float32', shape: [1, 12] }],
    nodes: [node('Flatten', ['image'], ['flat'], [{ name: 'axis', value: 1 }]), node('Softmax', ['flat'], ['probabilities'], [{ name: 'axis', value: 1 }])],
  });
  const { options } = await written(model);
  const guessed = await importOnnx(options);
  expect(guessed.manifest.task).toBe('image-features');
  expect(guessed.notes).toEqual([expect.stringMatching(/look like the probabilities of classes: .*--labels or --group/)]);
  expect((await importOnnx({ ...options, task: 'image-features' }, { force: true })).notes).toEqual([]);
});

test('a file of the name model is called as its directory', async () => {
  const { directory, options } = await written(alone());
  await mkdir(join(directory, 'Drawing Classifier'));
  await writeFile(join(directory, 'Drawing Classifier', 'model.onnx'), alone());
  const { manifest } = await importOnnx({ ...options, file: join(directory, 'Drawing Classifier', 'model.onnx') });
  expect(manifest.name).toBe('drawing-classifier');
});

test('labels or groups make it a classification; scores that are no probabilities are told', async () => {
  const { directory, options } = await written(alone());
  const labels = join(directory, 'labels.txt');
  await writeFile(labels, 'red\ngreen\nblue\n');
  const labelled = await importOnnx({ ...options, labels });
  expect(labelled.manifest).toMatchObject({ task: 'image-classification', labels: ['red', 'green', 'blue'], postprocessing: { kind: 'scores', activation: 'none' } });
  expect(labelled.notes).toEqual(['its scores are no probabilities: consider --activation softmax']);
  const grouped = await importOnnx({ ...options, groups: [{ label: 'warm', first: 0, last: 1 }], activation: 'softmax' }, { force: true });
  expect(grouped.manifest).toMatchObject({ labels: ['warm'], postprocessing: { activation: 'softmax', groups: { classes: 3, members: [[0, 1]] } } });
  expect(grouped.notes).toEqual([]);
});

test('known inputs are copied and listed', async () => {
  const { directory, options } = await written(alone());
  const image = join(directory, 'a photo.PNG');
  await copyFile(join(import.meta.dirname, '../../models/visual-encoder/known-1.png'), image);
  const { manifest } = await importOnnx({ ...options, knownInputs: [image, image] });
  expect(manifest.files.map(({ path }) => path)).toEqual(['model.onnx', 'known/0-a-photo.PNG', 'known/1-a-photo.PNG']);
  expect(manifest.knownAnswers.map(({ input }) => input)).toEqual([
    { kind: 'image', file: 'known/0-a-photo.PNG', contentType: 'image/png' },
    { kind: 'image', file: 'known/1-a-photo.PNG', contentType: 'image/png' },
  ]);
});

test('weights beside the file are taken along; elsewhere they are refused', async () => {
  const { directory, options } = await written(alone({ external: 'scale.bin' }));
  const bytes = new Uint8Array(weights(3).buffer);
  await expect(importOnnx(options)).rejects.toMatchObject({ code: 'LS_MODEL_EXTERNAL_DATA' });
  await writeFile(join(directory, 'from/scale.bin'), bytes);
  const { manifest } = await importOnnx(options);
  expect(manifest.files.map(({ path }) => path)).toEqual(['model.onnx', 'scale.bin', 'known/disc.png', 'known/stripes.png']);
  await writeFile(join(directory, 'far.bin'), bytes);
  for (const location of ['../far.bin', 'manifest.json', join(directory, 'far.bin')]) {
    const other = await written(colourMeans({ external: location }));
    await writeFile(join(other.directory, 'far.bin'), bytes);
    await expect(importOnnx(other.options), location).rejects.toMatchObject({ code: 'LS_MODEL_EXTERNAL_DATA' });
  }
});

test.each<[string, Uint8Array, Partial<OnnxImport>, string, string]>([
  ['no ONNX file', Buffer.from('# A readme'), {}, 'LS_MODEL_IMPORT', 'is no ONNX file'],
  ['an empty file', new Uint8Array(), {}, 'LS_MODEL_IMPORT', 'no graph with an output'],
  ['a file that onnxruntime does not take', onnxModel({ inputs: [], outputs: [{ name: 'o', type: 'float32', shape: [1] }], nodes: [node('Nonsense', [], ['o'])] }), {}, 'LS_MODEL_LOAD', 'onnxruntime cannot load'],
  ['no image for input', valuesClassifier(), {}, 'LS_MODEL_IMPORT', 'the input values is [batch, 4]; only images can be imported'],
  ['one colour', colourMeans({ input: ['batch', 1, 4, 6] }), {}, 'LS_MODEL_IMPORT', 'neither its second nor its last size is 3'],
  ['an ambiguous shape', colourMeans({ input: ['batch', 3, 4, 3] }), {}, 'LS_MODEL_IMPORT', 'say with --layout NCHW or NHWC'],
  ['an open size', colourMeans({ input: ['batch', 3, 'height', 'width'] }), {}, 'LS_MODEL_IMPORT', 'say with --size WIDTHxHEIGHT'],
  ['another size than the fixed one', colourMeans(), { size: { width: 7, height: 4 } }, 'LS_MODEL_IMPORT', 'fixed width 6; --size says 7'],
  ['a shorter side that does not cover', colourMeans(), { shorterSide: 5 }, 'LS_MODEL_IMPORT', '--shorter-side 5 does not cover 6x4'],
  ['a shorter side with another rule', colourMeans(), { shorterSide: 8, resize: 'stretch' }, 'LS_MODEL_IMPORT', 'goes with --resize cover'],
  ['an unknown output', colourMeans(), { output: 'pooled' }, 'LS_MODEL_IMPORT', '--expose pooled makes that inner tensor one'],
  ['an unknown tensor', colourMeans(), { expose: 'poolde' }, 'LS_MODEL_IMPORT', 'near names are pooled'],
  ['two outputs', colourMeans(), { expose: 'pooled', output: 'means' }, 'LS_MODEL_IMPORT', 'name two outputs'],
  ['classes without names', colourMeans(), { task: 'image-classification' }, 'LS_MODEL_IMPORT', 'the 3 classes of means need names'],
  ['groups for features', colourMeans(), { task: 'image-features', groups: [{ label: 'a', first: 0, last: 0 }] }, 'LS_MODEL_IMPORT', 'go with the task image-classification'],
  ['a norm of scores', colourMeans(), { groups: [{ label: 'a', first: 0, last: 0 }], normalisation: 'l2' }, 'LS_MODEL_IMPORT', 'goes with the task image-features'],
  ['batch sizes of a fixed batch', colourMeans({ input: [1, 3, 4, 6], output: [1, 3] }), { batchSizes: [1, 2] }, 'LS_MODEL_IMPORT', 'leave --batch-sizes out'],
  ['a known input that is no image', colourMeans(), { knownInputs: ['notes.txt'] }, 'LS_MODEL_IMPORT', 'is none of .jpg'],
  ['a known input that is not there', colourMeans(), { knownInputs: ['nowhere.png'] }, 'LS_MODEL_IMPORT', 'cannot be read'],
  ['a bad name', colourMeans(), { name: 'No Name' }, 'LS_MODEL_MANIFEST', 'must be 1 to 100 of'],
])('refuses %s, and leaves nothing behind', async (_, model, options, code, said) => {
  const { directory, options: base } = await written(model, options);
  await expect(importOnnx(base)).rejects.toMatchObject({ code, message: expect.stringContaining(said) as string });
  expect(await readdir(directory)).toEqual(['from']);
});

test('says that what an image was trained on has to be said', async () => {
  const { options: { file, directory } } = await written(colourMeans());
  await expect(importOnnx({ file, directory })).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining('say --preset imagenet|unit|signed|raw') as string });
});

test('means of a preset follow the order of the colours', async () => {
  const { options } = await written(alone(), { preset: 'imagenet', colourOrder: 'BGR' });
  expect((await importOnnx(options)).manifest.preprocessing).toMatchObject({ mean: [0.406, 0.456, 0.485], deviation: [0.225, 0.224, 0.229], resize: { shorterSide: 7 } });
});

test('a directory that is there is replaced only by force, and only if it is a model', async () => {
  const { directory, options } = await written(alone());
  await importOnnx(options);
  const before = await readFile(join(options.directory, manifestName), 'utf8');
  await expect(importOnnx(options)).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT', message: expect.stringContaining('--force') as string });
  // A replacement that fails leaves the old one as it is.
  await expect(importOnnx({ ...options, name: 'No Name' }, { force: true })).rejects.toMatchObject({ code: 'LS_MODEL_MANIFEST' });
  expect(await readFile(join(options.directory, manifestName), 'utf8')).toBe(before);
  await importOnnx({ ...options, name: 'second' }, { force: true });
  expect(await readFile(join(options.directory, manifestName), 'utf8')).toContain('"second"');
  expect((await readdir(directory)).sort()).toEqual(['from', 'to']);
  await expect(importOnnx({ ...options, directory: join(directory, 'from') }, { force: true })).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT' });
  await expect(importOnnx({ ...options, directory: options.file }, { force: true })).rejects.toMatchObject({ code: 'LS_MODEL_IMPORT' });
  expect(await readdir(join(directory, 'from'))).toEqual(['Colour Means.onnx']);
});

test('parents that had to be made go with a failure, and an interruption leaves nothing', async () => {
  const { directory, options } = await written(colourMeans());
  const deep = join(directory, 'a/b/c');
  await expect(importOnnx({ ...options, directory: deep, name: 'No Name' })).rejects.toMatchObject({ code: 'LS_MODEL_MANIFEST' });
  await expect(importOnnx({ ...options, directory: deep }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  expect(await readdir(directory)).toEqual(['from']);
});
