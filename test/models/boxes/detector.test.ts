// Detectors of one graph, in the workers that serve them: what is told of an image, and what cannot be.
import sharp from 'sharp';
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskConfig } from '../../../src/core/task-config.ts';
import { startModelServer, type ModelServer } from '../../../src/models/model-server.ts';
import type { ModelInput, ModelOutput } from '../../../src/models/model-port.ts';
import { verifyModel } from '../../../src/models/verify.ts';
import { rejectedMessage, temporaryDirectory, testClock, writeModel } from '../model-directory.ts';
import { crowd, crowdDirectory, crowdSize, detectorDirectory, detectorManifest, imageOf, knownDetection, knownPlace, pixelDetector, pixelGrid, places, type PlaceNumbers } from './pixel-detector.ts';

let directory: string;
let server: ModelServer;
beforeAll(async () => {
  directory = await detectorDirectory(await mkdtemp(join(tmpdir(), 'labelstream-detector-')));
  server = await startModelServer({ models: [{ name: 'detector', directory }], clock: testClock, workerCount: 1 });
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

type Detections = Extract<ModelOutput, { kind: 'detections' }>;

async function ask(bytes: Uint8Array, more: Partial<Extract<ModelInput, { kind: 'image' }>> = {}): Promise<Detections> {
  const answer = await server.run('detector', { kind: 'image', bytes, contentType: 'image/png', ...more }, { signal: new AbortController().signal });
  if (answer.kind !== 'detections') throw new Error(answer.kind);
  return answer;
}

const png = (numbers: readonly PlaceNumbers[]): Promise<Buffer> => imageOf(numbers).png().toBuffer();
const askOf = async (numbers: readonly PlaceNumbers[], config?: TaskConfig): Promise<Detections> => ask(await png(numbers), config === undefined ? {} : { config });

test('is known by its task and its labels, and passes its proofs', async () => {
  expect(server.describe('detector')).toMatchObject({ task: 'object-detection', labels: ['thing'], dimensions: 0 });
  const { ok, checks } = await verifyModel(directory, { rounds: 1 });
  expect(checks.map(({ name, detail }) => `${name}: ${detail}`).join('\n')).toContain('equal to the last bit');
  expect(ok).toBe(true);
});

test('boxes are told in whole pixels of the image, cut off at its edges, the surest first', async () => {
  const { boxes, labels, scores } = await askOf([[0, 0, 127, 255, 9, 100], knownPlace, [200, 200, 255, 255, 9, 90]]);
  expect({ boxes, labels }).toEqual({ boxes: [[4, 1, 8, 6], [0, 0, 5, 8], [9, 6, 12, 8]], labels: ['thing', 'thing', 'thing'] });
  for (const [index, score] of [200, 100, 90].entries()) expect(scores[index]).toBeCloseTo(score / 255, 5);
});

test('what holds no pixel is none, and takes no place', async () => {
  const empty: readonly PlaceNumbers[] = [[100, 100, 100, 200, 9, 255], [200, 10, 100, 20, 9, 254], [0, 0, 10, 255, 9, 253]];
  expect(await askOf([...empty, knownPlace], { top_k: 1 })).toMatchObject({ boxes: [[4, 1, 8, 6]] });
  expect(await askOf([])).toEqual({ kind: 'detections', boxes: [], labels: [], scores: [] });
});

test('equal scores are told in the order of their places, every time', async () => {
  const numbers: readonly PlaceNumbers[] = [[170, 0, 255, 255, 9, 200], [0, 0, 85, 255, 9, 200], [85, 0, 170, 255, 9, 200]];
  const first = await askOf(numbers);
  expect(first.boxes).toEqual([[8, 0, 12, 8], [0, 0, 4, 8], [4, 0, 8, 8]]);
  expect(await askOf(numbers)).toEqual(first);
});

describe('the config of a request', () => {
  const numbers: readonly PlaceNumbers[] = [knownPlace, [85, 51, 170, 153, 9, 150], [0, 0, 40, 255, 9, 120], [220, 0, 255, 255, 9, 30]];

  test('says otherwise than the manifest', async () => {
    const seen = async (config?: TaskConfig): Promise<number> => (await askOf(numbers, config)).boxes.length;
    expect(await seen()).toBe(2);
    expect(await seen({ threshold: 0.1 })).toBe(3);
    expect(await seen({ threshold: 0.5 })).toBe(1);
    expect(await seen({ nms_threshold: 0.9 })).toBe(3);
    expect(await seen({ top_k: 1 })).toBe(1);
    expect(await seen({ threshold: 0.1, nms_threshold: 1, top_k: 1_000 })).toBe(4);
  });

  test('is that of its own item, in one batch with others', async () => {
    const bytes = await png(numbers);
    const thresholds = [0.1, 0.5, 0.25, 0.1, 0.7];
    const answers = await Promise.all(thresholds.map((threshold) => ask(bytes, { config: { threshold } })));
    expect(answers.map(({ boxes }) => boxes.length)).toEqual([3, 1, 2, 3, 1]);
  });
});

test('an image that its EXIF turns is told of as it is shown', async () => {
  const upright = await png([knownPlace, [0, 0, 40, 255, 9, 120]]);
  const turned = await sharp(upright).rotate(270).withMetadata({ orientation: 6 }).png().toBuffer();
  expect(await sharp(turned).metadata()).toMatchObject({ width: 8, height: 12, orientation: 6 });
  expect(await ask(turned)).toEqual(await ask(upright));
});

test('a larger image has larger boxes', async () => {
  const large = await imageOf([knownPlace]).resize(120, 80, { kernel: 'nearest' }).png().toBuffer();
  const { boxes, scores } = await ask(large);
  expect(boxes).toEqual([[40, 16, 80, 64]]);
  expect(scores[0]).toBeCloseTo(200 / 255, 5);
});

test('NaN in one output fails its item alone', async () => {
  const [good, bad] = await Promise.all([
    askOf([knownPlace]),
    rejectedMessage(askOf([knownPlace, [1, 1, 2, 2, 9, 0]]), 'LS_MODEL_OUTPUT_NOT_FINITE'),
  ]);
  expect(good).toMatchObject({ boxes: knownDetection.boxes });
  expect(bad).toContain('number 3 of scores is NaN');
});

test('is given no classes and no text', async () => {
  const bytes = await png([knownPlace]);
  expect(await rejectedMessage(ask(bytes, { classes: ['cat'] }), 'LS_MODEL_REQUEST')).toContain('has classes of its own');
  await rejectedMessage(ask(bytes, { text: 'a' }), 'LS_MODEL_REQUEST');
});

test('boxes of a grid lie where its cells are, and letterboxes are undone', async () => {
  // An image of 32 x 16 is shown as 16 x 8 at the top left; what is below is background.
  const manifest = {
    ...detectorManifest, name: 'pixel-grid', labels: ['a', 'b'], executedShapes: { batchSizes: [1] },
    preprocessing: { ...detectorManifest.preprocessing, width: 16, height: 16, resize: { rule: 'contain', placement: 'top-left', kernel: 'nearest' }, background: [114, 114, 114] },
    postprocessing: { kind: 'boxes', form: { kind: 'grid-offsets', output: 'output', strides: [8, 16] } },
  };
  const numbers = [0.2, 0.6, 0, 0, 1, 0.4, 0.8].map((share) => Math.round(255 * share));
  const pixels = Uint8Array.from(Array.from({ length: 16 * 8 * 3 }, (_, index) => numbers[index] ?? 0));
  const bytes = await sharp(pixels, { raw: { width: 16, height: 8, channels: 3 } }).resize(32, 16, { kernel: 'nearest' }).png().toBuffer();
  // The middle at 1.6, 4.8 of cell 0, 8 x 8: 0 to 5.6 and 0.8 to 8.8, of which the image holds 8 rows; twice as large.
  const output = { kind: 'detections', boxes: [[0, 1, 11, 16]], labels: ['b'], scores: [0.8] };
  const knownAnswers = [{ input: { kind: 'image', file: 'known.png', contentType: 'image/png' }, output, tolerance: 1e-6 }];
  const own = await writeModel(await temporaryDirectory(), { ...manifest, knownAnswers }, { 'model.onnx': pixelGrid(), 'known.png': bytes });
  expect((await verifyModel(own, { rounds: 1 })).checks.filter(({ ok }) => !ok)).toEqual([]);
});

test.each<[string, Record<string, unknown>, string]>([
  ['other places', { form: { kind: 'relative-corners', boxes: 'boxes', scores: 'scores', places: places + 1 } }, 'the output boxes has 192 numbers per item; the manifest has 196'],
  ['an output that is not there', { form: { kind: 'relative-corners', boxes: 'boxes', scores: 'score', places } }, 'has no output score'],
])('a graph with %s is refused', async (_, changed, said) => {
  const other = await detectorDirectory(await temporaryDirectory(), { postprocessing: { kind: 'boxes', ...changed } });
  const starting = startModelServer({ models: [{ name: 'detector', directory: other }], clock: testClock, workerCount: 1 });
  expect(await rejectedMessage(starting, 'LS_MODEL_LOAD')).toContain(said);
});

test('a detector that finds otherwise than it is known to is refused', async () => {
  const image = { 'model.onnx': pixelDetector(), 'known.png': await png([knownPlace]) };
  for (const [output, said] of [
    [{ ...knownDetection, labels: [], boxes: [], scores: [] }, 'the labels'],
    [{ ...knownDetection, boxes: [[4, 1, 8, 3]] }, 'corner 3 is 6, expected 3'],
    [{ ...knownDetection, scores: [0.5] }, 'score 0 is'],
  ] as const) {
    const knownAnswers = [{ input: { kind: 'image', file: 'known.png', contentType: 'image/png' }, output, tolerance: 1e-6 }];
    const other = await writeModel(await temporaryDirectory(), { ...detectorManifest, knownAnswers }, image);
    const starting = startModelServer({ models: [{ name: 'detector', directory: other }], clock: testClock, workerCount: 1 });
    expect(await rejectedMessage(starting, 'LS_MODEL_KNOWN_ANSWER')).toContain(said);
  }
});

test('a thousand boxes are told, as many as there are, or the surest that are asked for', async () => {
  const own = await crowdDirectory(await temporaryDirectory());
  // Fifty pixels are shown as five hundred, so that each box holds some.
  const bytes = await imageOf(crowd, crowdSize).resize(500, 400, { kernel: 'nearest' }).png().toBuffer();
  const many = await startModelServer({ models: [{ name: 'crowd', directory: own }], clock: testClock, workerCount: 1 });
  const asked = async (config: TaskConfig): Promise<Detections> => {
    const answer = await many.run('crowd', { kind: 'image', bytes, contentType: 'image/png', config }, { signal: new AbortController().signal });
    if (answer.kind !== 'detections') throw new Error(answer.kind);
    return answer;
  };
  const all = await asked({});
  expect(all.boxes).toHaveLength(1_000);
  expect(new Set(all.boxes.map((box) => box.join(' '))).size).toBe(1_000);
  expect(all.scores).toEqual([...all.scores].sort((left, right) => right - left));
  expect(await asked({ top_k: 10 })).toEqual({ kind: 'detections', boxes: all.boxes.slice(0, 10), labels: all.labels.slice(0, 10), scores: all.scores.slice(0, 10) });
  await many.close();
});

test('an image of another size than the graph takes is refused at the load', async () => {
  const other = await detectorDirectory(await temporaryDirectory(), { preprocessing: { ...detectorManifest.preprocessing, width: 16 } });
  const starting = startModelServer({ models: [{ name: 'detector', directory: other }], clock: testClock, workerCount: 1 });
  expect(await rejectedMessage(starting, 'LS_MODEL_LOAD')).toContain('the input pixels has 12 numbers in dimension 2; the manifest has 16');
});
