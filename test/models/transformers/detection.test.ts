// Boxes are those of Python's transformers, the surest first, on images that are resized, too.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelInput } from '../../../src/models/model-port.ts';
import type { Transformer } from '../../../src/models/transformers/open-transformer.ts';
import { answerTo, codeOf, detectionsIn, golden, openTiny, readInput, type DetectionGolden, type TinyName } from './tiny-models.ts';

describe.each<TinyName>(['owlvit', 'detr'])('%s', async (name) => {
  const { classes, threshold, lowThreshold, detections, detectionsAtLowThreshold } = await golden<DetectionGolden>(name);
  let transformer: Transformer;
  beforeAll(async () => {
    transformer = await openTiny(name);
  });
  afterAll(() => transformer.release());
  const asked = async (image: string, more: Partial<Extract<ModelInput, { kind: 'image' }>> = {}): Promise<ModelInput> => ({
    kind: 'image', bytes: await readInput(image), contentType: 'image/png', ...(classes === undefined ? {} : { classes }), ...more,
  });

  test('as in Python: boxes and labels exactly, scores within 0.0001', async () => {
    const runs = [[threshold, detections] as const, ...(lowThreshold === undefined ? [] : [[lowThreshold, detectionsAtLowThreshold!] as const])];
    for (const [least, expected] of runs) {
      expect(expected.some(({ boxes }) => boxes.length > 0)).toBe(true);
      for (const each of expected) {
        const answer = await answerTo(transformer, await asked(each.image, { config: { threshold: least } }));
        const known = detectionsIn(each);
        if (answer.kind !== 'detections') throw new Error(answer.kind);
        expect({ boxes: answer.boxes, labels: answer.labels }, each.image).toEqual({ boxes: known.boxes, labels: known.labels });
        for (const [index, score] of known.scores.entries()) expect(Math.abs(answer.scores[index]! - score), each.image).toBeLessThan(1e-4);
      }
    }
  });

  test('image, threshold and classes each change the answer', async () => {
    const config = { threshold: lowThreshold ?? threshold };
    const base = await answerTo(transformer, await asked('circles.png', { config }));
    expect(await answerTo(transformer, await asked('blocks.png', { config }))).not.toEqual(base);
    expect(await answerTo(transformer, await asked('circles.png', { config: { threshold: 0.93 } }))).not.toEqual(base);
    if (classes !== undefined) expect(await answerTo(transformer, await asked('circles.png', { config, classes: classes.with(0, 'house') }))).not.toEqual(base);
    expect(await answerTo(transformer, await asked('circles.png', { config }))).toEqual(base);
  });

  test('refuses what it does not do', async () => {
    expect(await codeOf(transformer, await asked('circles.png', { text: 'a' }))).toBe('LS_MODEL_REQUEST');
    expect(await codeOf(transformer, await asked('circles.png', { bytes: Buffer.from('no image') }))).toBe('LS_IMAGE_FORMAT');
    if (classes === undefined) expect(await codeOf(transformer, await asked('circles.png', { classes: ['a'] }))).toBe('LS_MODEL_REQUEST');
    else expect(await codeOf(transformer, { kind: 'image', bytes: await readInput('circles.png'), contentType: 'image/png' })).toBe('LS_MODEL_REQUEST');
  });
});

test('a thousand classes are looked for at once', async () => {
  const transformer = await openTiny('owlvit');
  const classes = Array.from({ length: 1_000 }, (_, index) => `thing ${index}`);
  const answer = await answerTo(transformer, { kind: 'image', bytes: await readInput('circles.png'), contentType: 'image/png', classes, config: { threshold: 0 } });
  await transformer.release();
  expect(answer).toMatchObject({ kind: 'detections' });
  // 16 places of the image.
  expect(answer.kind === 'detections' && answer.labels.length).toBe(16_000);
});
