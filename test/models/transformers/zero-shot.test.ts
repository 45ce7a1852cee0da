// Probabilities are those of Python's transformers, in the order of the classes, on images that are resized, too; what is kept of texts changes none.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ModelInput } from '../../../src/models/model-port.ts';
import { createEmbeddingCache } from '../../../src/models/transformers/embedding-cache.ts';
import type { Transformer } from '../../../src/models/transformers/open-transformer.ts';
import { onnxModel, node, tensor, type Port } from '../onnx-writer.ts';
import { answerTo, codeOf, golden, openTiny, readInput, type TinyName, type ZeroShotGolden } from './tiny-models.ts';

const tolerance = 1e-4;

describe.each<TinyName>(['clip', 'siglip'])('%s', async (name) => {
  const { images, classes, hypothesisTemplate, probabilities } = await golden<ZeroShotGolden>(name);
  let transformer: Transformer;
  beforeAll(async () => {
    transformer = await openTiny(name);
  });
  afterAll(() => transformer.release());

  const ask = async (image: string, named: readonly string[], more: Partial<Extract<ModelInput, { kind: 'image' }>> = {}): Promise<readonly number[]> => {
    const answer = await answerTo(transformer, { kind: 'image', bytes: await readInput(image), contentType: 'image/png', classes: named, ...more });
    if (answer.kind !== 'zero-shot') throw new Error(answer.kind);
    expect(answer.classes).toEqual(named);
    return answer.probabilities;
  };
  const largestDifference = (left: readonly number[], right: readonly number[]): number => Math.max(...left.map((value, index) => Math.abs(value - right[index]!)));

  test('as in Python, in the order of the classes', async () => {
    for (const [index, image] of images.entries()) {
      const found = await ask(image, classes, { config: { hypothesis_template: hypothesisTemplate } });
      expect(found).toHaveLength(classes.length);
      expect(largestDifference(found, probabilities[index]!), image).toBeLessThan(tolerance);
    }
  });

  test('another order of the classes is that order of the probabilities', async () => {
    const turned = [...classes].reverse();
    expect(largestDifference([...(await ask('blocks.png', turned))].reverse(), await ask('blocks.png', classes))).toBeLessThan(1e-12);
  });

  test('image, classes and template each change the answer', async () => {
    const base = await ask('circles.png', classes);
    expect(await ask('stripes.png', classes)).not.toEqual(base);
    expect(await ask('circles.png', classes.with(1, 'window'))).not.toEqual(base);
    expect(await ask('circles.png', classes, { config: { hypothesis_template: 'a drawing of {}' } })).not.toEqual(base);
    expect(await ask('circles.png', classes)).toEqual(base);
  });

  test('a thousand classes, all told, those of one name alike', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? `circle ${index}` : 'house'));
    const found = await ask('circles.png', many);
    expect(found).toHaveLength(1_000);
    expect(found.every((value) => value > 0 && value < 1)).toBe(true);
    expect(new Set(found.filter((_, index) => index % 2 === 1)).size).toBe(1);
    if (name === 'clip') expect(found.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 9);
  });

  test('refuses to be asked for nothing, for a text, with an endless class, and with what is no image', async () => {
    const input = { kind: 'image', bytes: await readInput('circles.png'), contentType: 'image/png' } as const;
    expect(await codeOf(transformer, input)).toBe('LS_MODEL_REQUEST');
    expect(await codeOf(transformer, { ...input, classes: ['a'], text: 'a' })).toBe('LS_MODEL_REQUEST');
    expect(await codeOf(transformer, { ...input, classes: ['a'.repeat(1_000_000)] })).toBe('LS_MODEL_INPUT');
    expect(await codeOf(transformer, { ...input, classes: ['a'], bytes: Buffer.alloc(0) })).toBe('LS_IMAGE_EMPTY');
  });
});

/** The embedding of whatever it reads is zero. */
function zeros(inputs: readonly Port[], output: string): Uint8Array {
  const outputs: readonly Port[] = [{ name: output, type: 'float32', shape: [1, 24] }];
  return onnxModel({ inputs, outputs, initializers: [tensor('zeros', [1, 24], new Float32Array(24))], nodes: [node('Identity', ['zeros'], [output])] });
}

test.each([
  ['an image', { 'onnx/vision_model.onnx': zeros([{ name: 'pixel_values', type: 'float32', shape: ['batch', 3, 'height', 'width'] }], 'image_embeds') }, 'image_embeds'],
  ['a text', { 'onnx/text_model.onnx': zeros(['input_ids', 'attention_mask'].map((name): Port => ({ name, type: 'int64', shape: ['batch', 'length'] })), 'text_embeds') }, 'text_embeds'],
])('%s whose embedding is zero has no probabilities', async (_what, files, output) => {
  const transformer = await openTiny('clip', { files });
  onTestFinished(() => transformer.release());
  const [outcome] = await transformer.begin([{ kind: 'image', bytes: await readInput('circles.png'), contentType: 'image/png', classes: ['a', 'b'] }])();
  expect(outcome).toMatchObject({ failure: { code: 'LS_MODEL_OUTPUT_NOT_FINITE', message: expect.stringContaining(output) as string } });
});

test('a text that is asked for again is not computed again, and of too many the oldest goes', async () => {
  const computed: string[] = [];
  const cache = createEmbeddingCache((sentence) => {
    computed.push(sentence);
    return sentence === 'bad' ? Promise.reject(new Error('bad')) : Promise.resolve(Float64Array.of(sentence.length));
  }, 2);
  for (const sentence of ['a', 'bb', 'a', 'ccc', 'a', 'bb']) expect(await cache.of(sentence)).toEqual(Float64Array.of(sentence.length));
  expect(computed).toEqual(['a', 'bb', 'ccc', 'bb']);
  await expect(cache.of('bad')).rejects.toThrow('bad');
  await expect(cache.of('bad')).rejects.toThrow('bad');
});
