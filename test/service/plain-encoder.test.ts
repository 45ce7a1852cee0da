// A network for images as it is, in the stream: VGG16 as Keras serves it, without its top, imported by its numbers.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { topics } from '../../src/core/topics.ts';
import { readLog } from '../crash/log-contents.ts';
import { mediaEvent, publishMedia, runWatched } from './media-events.ts';
import { runProgram, withDirectory, writeConfiguration } from './program.ts';

type Golden = { readonly features: readonly { readonly image: string; readonly change: string; readonly norm: number; readonly positive: number; readonly numbers: Readonly<Record<string, number>> }[] };

const tiny = join(import.meta.dirname, '../models/tiny');
const side = 240;

/** Sixteen copies of the image; in each, a square in another place is of another colour. */
async function perturbed(image: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const square = await sharp({ create: { width: 60, height: 60, channels: 3, background: { r: 255, g: 0, b: 255 } } }).png().toBuffer();
  const places = Array.from({ length: 16 }, (_, place) => ({ left: 60 * (place % 4), top: 60 * Math.floor(place / 4) }));
  return new Map(await Promise.all(places.map(async ({ left, top }) => [`at ${left}, ${top}`, await sharp(image).composite([{ input: square, left, top }]).png().toBuffer()] as const)));
}

test('VGG16: 25,088 numbers, those of numpy, and every part of an image counts', { timeout: 600_000 }, async () => {
  const { features } = JSON.parse(await readFile(join(tiny, 'vgg16/goldens.json'), 'utf8')) as Golden;
  const scene = await readFile(join(tiny, 'inputs/scene.png'));
  const changed = new Map([['as it is', scene], ['upside down', await sharp(scene).flip().png().toBuffer()], ...(await perturbed(scene))]);
  await withDirectory(async (directory) => {
    const imported = await runProgram(
      'models', 'import', join(tiny, 'vgg16/onnx/model.onnx'), '--to', join(directory, 'vgg16'), '--name', 'vgg16',
      '--preset', 'raw', '--colour-order', 'BGR', '--mean', '103.939,116.779,123.68', '--json',
    );
    expect(imported.code, imported.stderr).toBe(0);
    expect(JSON.parse(imported.stdout)).toMatchObject({ task: 'image-features', reproducible: true, preprocessing: { width: side, height: side, layout: 'NHWC', colourOrder: 'BGR' }, postprocessing: { dimensions: 25_088 } });
    const file = await writeConfiguration(directory, `
dataDirectory: data
server: { enabled: false }
inference: { workerCount: 1 }
models: { vgg16: { directory: vgg16 } }
collections:
  - { name: scenes, metric: cosine, eps: 0.64, minPoints: 3 }
routes:
  - name: images
    from: media
    steps: [{ name: features, task: image-features, model: vgg16, collection: scenes }]
`);
    await publishMedia(file, [...changed].map(([id, content]) => mediaEvent(id, 'image/png', content)));
    const { code, stderr } = await runWatched(file);
    expect(code, stderr).toBe(0);
    const codec = await openCodec();
    const { records } = await readLog(join(directory, 'data'), [topics.features, topics.deadLetters]);
    expect((records.get(topics.deadLetters) ?? []).flat()).toEqual([]);
    const vectors = new Map<string, Float32Array>();
    for (const { value } of (records.get(topics.features) ?? []).flat()) {
      const decoded = codec.decode(value);
      if (decoded.schema !== 'FeatureEvent') continue;
      const { itemId, dimensions, vector } = decoded.event;
      vectors.set(itemId.replace('s/', ''), Float32Array.from({ length: dimensions }, (_, index) => vector.readFloatLE(4 * index)));
    }
    expect([...vectors.keys()].sort()).toEqual([...changed.keys()].sort());
    for (const { change, norm, positive, numbers } of features) {
      const vector = vectors.get(change)!;
      expect(vector).toHaveLength(25_088);
      expect(Math.hypot(...vector) / norm).toBeCloseTo(1, 5);
      expect(vector.filter((value) => value > 0).length).toBe(positive);
      for (const [index, value] of Object.entries(numbers)) expect(Math.abs(vector[Number(index)]! - value), `${change} ${index}`).toBeLessThan(1e-3);
    }
    expect(new Set([...vectors.values()].map((vector) => Buffer.from(vector.buffer).toString('base64'))).size).toBe(changed.size);
  });
});
