// Published detectors find what is there: against numpy and Pillow (scripts/golden_detections.py), and in the stream.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleModels, samples } from '../../examples/example.ts';
import { openCodec } from '../../src/codec/codec.ts';
import { topics } from '../../src/core/topics.ts';
import { overlap, type Corners } from '../../src/models/boxes/suppression.ts';
import { importOnnx, type OnnxImport } from '../../src/models/import-onnx.ts';
import { openInference, type Inference } from '../../src/models/inference.ts';
import { readLog } from '../crash/log-contents.ts';
import { loadGraph } from '../models/graph-models.ts';
import { describeWith, fileThere } from '../requirements.ts';
import { runProgram, writeConfiguration } from '../service/program.ts';

type Found = { readonly label: string; readonly score: number; readonly box: Corners };
type GoldenImage = { readonly image: string; readonly size: readonly [width: number, height: number]; readonly boxes: readonly { readonly label: number; readonly score: number; readonly box: Corners }[] };
type GoldenGroup = { readonly model: string; readonly overlapMax: number; readonly scoreMin: number; readonly images: readonly GoldenImage[] };

const golden = JSON.parse(await readFile(join(import.meta.dirname, 'detections.golden.json'), 'utf8')) as readonly GoldenGroup[];
const folders = [join(samples, 'images'), join(import.meta.dirname, '../models/tiny/inputs')] as const;
const cocoLabels = join(samples, 'labels/coco_classes.txt');
const contentType = (path: string): string => (path.endsWith('.png') ? 'image/png' : 'image/jpeg');
const isShown = process.env['LABELSTREAM_TEST_SHOW'] !== undefined;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'labelstream-detection-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

type Size = { readonly width: number; readonly height: number };
type Detector = { readonly file: string; readonly options: Partial<OnnxImport>; readonly shown: Size };

const yolox: Detector = { file: 'yolox_nano.onnx', options: { boxes: 'grid-offsets', preset: 'yolox', labels: cocoLabels }, shown: { width: 416, height: 416 } };
const ultraface: Detector = { file: 'ultraface_RFB-320.onnx', options: { boxes: 'relative-corners', preset: 'ultraface', scoreMin: 0.5, overlapMax: 0.3 }, shown: { width: 320, height: 240 } };

const made = new Map<Detector, Promise<string>>();

/** As `models import` makes it. */
function imported(detector: Detector): Promise<string> {
  const target = made.get(detector) ?? importedAnew(detector);
  made.set(detector, target);
  return target;
}

async function importedAnew({ file, options }: Detector): Promise<string> {
  const target = join(directory, file.replace('.onnx', ''));
  const labels = join(directory, 'faces.txt');
  await writeFile(labels, 'face\n');
  await importOnnx({ file: join(sampleModels, file), directory: target, labels, ...options });
  return target;
}

async function foundOn(inference: Inference, file: string, threshold: number): Promise<Found[]> {
  const [outcome] = await inference.run([{ kind: 'image', bytes: await readFile(file), contentType: contentType(file), config: { threshold } }]);
  if (outcome === undefined || !('answer' in outcome) || outcome.answer.kind !== 'detections') throw new Error(`${file}: ${JSON.stringify(outcome)}`);
  const { boxes, labels, scores } = outcome.answer;
  return boxes.map((box, index): Found => ({ box, label: labels[index]!, score: scores[index]! }));
}

/** How far two answers are apart where both tell of a thing, and how sure one is of what it tells alone, above the threshold. */
type Difference = { readonly score: number; readonly pixels: number; readonly alone: number };

const none: Difference = { score: 0, pixels: 0, alone: 0 };

function larger(left: Difference, right: Difference): Difference {
  return { score: Math.max(left.score, right.score), pixels: Math.max(left.pixels, right.pixels), alone: Math.max(left.alone, right.alone) };
}

/** @param pixelsSeen Pixels of the image for one that the graph sees. */
function difference(found: readonly Found[], expected: readonly Found[], scoreMin: number, pixelsSeen: number): Difference {
  const left = new Set(found);
  let total = none;
  for (const wanted of expected) {
    const [same] = [...left].filter(({ label }) => label === wanted.label).sort((a, b) => overlap(b.box, wanted.box) - overlap(a.box, wanted.box));
    if (same === undefined || overlap(same.box, wanted.box) < 0.5) {
      total = larger(total, { ...none, alone: wanted.score - scoreMin });
      continue;
    }
    left.delete(same);
    // Corners are cut off to whole pixels here, which is no difference.
    const apart = same.box.map((corner, index) => Math.max(0, corner - wanted.box[index]!, wanted.box[index]! - corner - 1) / pixelsSeen);
    total = larger(total, { score: Math.abs(same.score - wanted.score), pixels: Math.max(...apart), alone: 0 });
  }
  for (const { score } of left) total = larger(total, { ...none, alone: score - scoreMin });
  return total;
}

function expectWithin(seen: Difference, limits: Difference): void {
  for (const part of ['score', 'pixels', 'alone'] as const) expect(seen[part], part).toBeLessThanOrEqual(limits[part]);
}

const needs = Object.fromEntries([join(sampleModels, yolox.file), join(sampleModels, ultraface.file), folders[0], cocoLabels].map((path) => [path, fileThere(path)]));

describeWith(needs, 'published detectors', () => {
  test.each([yolox, ultraface])('$file finds what numpy finds', { timeout: 600_000 }, async (detector) => {
    const artefacts = await loadGraph(await imported(detector));
    const { labels } = artefacts.manifest;
    const inference = await openInference(artefacts);
    let [enlarged, reduced, both] = [none, none, none];
    for (const [group, { scoreMin, images }] of golden.filter(({ model }) => model === detector.file).entries()) {
      for (const { image, size: [width, height], boxes } of images) {
        const found = await foundOn(inference, join(folders[group]!, image), scoreMin);
        const outside = found.filter(({ box: [xmin, ymin, xmax, ymax] }) => xmin < 0 || ymin < 0 || xmin >= xmax || ymin >= ymax || xmax > width || ymax > height);
        expect(outside, image).toEqual([]);
        const scores = found.map(({ score }) => score);
        expect(scores, image).toEqual([...scores].sort((left, right) => right - left));
        const factors = [width / detector.shown.width, height / detector.shown.height];
        const pixelsSeen = Math.max(...factors, 1);
        const seen = difference(found, boxes.map(({ label, score, box }) => ({ label: labels[label]!, score, box })), scoreMin, pixelsSeen);
        if (isShown) console.log(image, width, height, JSON.stringify(seen), JSON.stringify(found.slice(0, 3)));
        // YOLOX keeps the proportions, so that there is one factor, the larger one.
        const smallest = detector === yolox ? pixelsSeen : Math.min(...factors);
        if (pixelsSeen <= 1) enlarged = larger(enlarged, seen);
        else if (smallest < 1) both = larger(both, seen);
        else reduced = larger(reduced, seen);
      }
    }
    await inference.release();
    if (isShown) console.log(detector.file, JSON.stringify({ enlarged, reduced, both }));
    // Enlarged as Pillow does it to the last bit: what is left are the digits of the golden answers.
    expectWithin(enlarged, { score: 2e-5, pixels: 0.02, alone: 0 });
    // Made smaller by libvips, whose pixels are others. Seen: YOLOX 0.060, 1.2 and 0.011; UltraFace 0.026, 1.6 and 0.
    expectWithin(reduced, { score: 0.1, pixels: 2.5, alone: 0.03 });
    // Narrower and higher than what is seen: one photograph, on which one of two faces covers the other by just about as much as it may. Seen: 0.001, 0.7 and 0.018.
    expectWithin(both, { score: 0.01, pixels: 1, alone: 0.03 });
  });

  test('cats and dogs in the stream, by YOLOX: every animal is found, and what it is told to be is what it is, but once', { timeout: 600_000 }, async () => {
    await imported(yolox);
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
models: { yolox: { directory: yolox_nano } }
routes:
  - name: images
    from: media
    steps:
      - { name: find, task: object-detection, model: yolox }
      - { name: surest, task: object-detection, model: yolox, config: { top_k: 1, threshold: 0.3 } }
`);
    const published = await runProgram('publish', 'images', join(folders[0], 'cats-dogs'), '--source', 'pets', '-c', file);
    expect(published.code, published.stderr).toBe(0);
    const { code, stderr } = await runProgram('run', '-c', file, '--until-idle');
    expect(code, stderr).toBe(0);
    const codec = await openCodec();
    const { records } = await readLog(join(directory, 'data'), [topics.labels, topics.deadLetters]);
    expect((records.get(topics.deadLetters) ?? []).flat()).toEqual([]);
    const told = new Map<string, readonly string[]>();
    for (const { value } of (records.get(topics.labels) ?? []).flat()) {
      const { itemId, routeStep, result } = codec.decodeAs('LabelEvent', value);
      if (!('labelstream.v1.Detection' in result)) throw new Error(JSON.stringify(result));
      told.set(`${routeStep} ${itemId.replace(/.*\//, '')}`, result['labelstream.v1.Detection'].labels);
    }
    const of = (step: string, species: string): (readonly [string, readonly string[]])[] => [...told].filter(([key]) => key.startsWith(`images/${step} ${species}-`));
    expect([of('find', 'cat').length, of('find', 'dog').length, of('surest', 'cat').length, of('surest', 'dog').length]).toEqual([14, 15, 14, 15]);
    for (const species of ['cat', 'dog']) {
      for (const [key, labels] of of('find', species)) expect(labels, key).toContain(species);
      for (const [key, labels] of of('surest', species)) expect(labels, key).toHaveLength(1);
    }
    // This dog is a bear first, and a dog with 0.44 after that.
    const mistaken = [...of('surest', 'cat'), ...of('surest', 'dog')].filter(([key, [label = '']]) => !key.includes(` ${label}-`));
    expect(mistaken).toEqual([['images/surest dog-012.jpg', ['bear']]]);
  });
});
