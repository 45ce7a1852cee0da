// Captions are the very texts that Python's transformers write: greedy, by beams, with a prefix, on images that are resized, too. Whatever is
// given changes them, and what cannot be captioned is told apart by stable codes.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ModelInput } from '../../../src/models/model-port.ts';
import type { Transformer } from '../../../src/models/transformers/open-transformer.ts';
import { answerTo, codeOf, configOf, contentOf, golden, openTiny, readInput, type CaptionGolden, type TinyName } from './tiny-models.ts';
import { withNanRow } from './nan-weights.ts';

type ImageInput = Extract<ModelInput, { kind: 'image' }>;

const captioners: readonly TinyName[] = ['vit-gpt2', 'blip', 'blip2'];

describe.each(captioners)('%s', async (name) => {
  const { images, cases } = await golden<CaptionGolden>(name);
  let transformer: Transformer;
  beforeAll(async () => {
    transformer = await openTiny(name);
  });
  afterAll(() => transformer.release());
  const asked = async (image: string, more: Partial<ImageInput> = {}): Promise<ImageInput> => ({ kind: 'image', bytes: await readInput(image), contentType: 'image/png', ...more });

  test.each(cases)('$name, prefix $prefix: as in Python', async (each) => {
    const returned = each.parameters.num_return_sequences ?? 1;
    for (const [index, image] of images.entries()) {
      const input = await asked(image, { config: configOf(each), ...(each.prefix === null ? {} : { text: each.prefix }) });
      expect(await answerTo(transformer, input), image).toEqual({ kind: 'caption', text: each.texts[index * returned]!.trim() });
    }
  });

  test('image, prefix, length and number of beams each change the answer; the prefix is no part of it', async () => {
    const base = { config: { max_new_tokens: 12 } };
    const answers = [
      await answerTo(transformer, await asked('circles.png', base)),
      await answerTo(transformer, await asked('stripes.png', base)),
      await answerTo(transformer, await asked('circles.png', { ...base, text: 'a photo of' })),
      await answerTo(transformer, await asked('circles.png', { ...base, text: 'a house and' })),
      await answerTo(transformer, await asked('circles.png', { config: { max_new_tokens: 2 } })),
    ].map((answer) => (answer.kind === 'caption' ? answer.text : ''));
    expect(new Set(answers).size).toBe(answers.length);
    for (const text of answers) expect(text).not.toMatch(/^a (photo|house)/);
  });

  test('answers do not depend on what was asked before', async () => {
    const first = await answerTo(transformer, await asked('blocks.png'));
    await answerTo(transformer, await asked('circles.png', { text: 'a photo of', config: { num_beams: 3 } }));
    expect(await answerTo(transformer, await asked('blocks.png'))).toEqual(first);
    const both = await transformer.begin([await asked('stripes.png'), await asked('blocks.png')])();
    expect(both[1]).toEqual({ answer: first });
  });

  test('what is no image, and what the model does not do, has a code of its own', async () => {
    const png = await readInput('circles.png');
    expect(await codeOf(transformer, await asked('circles.png', { bytes: Buffer.alloc(0) }))).toBe('LS_IMAGE_EMPTY');
    expect(await codeOf(transformer, await asked('circles.png', { bytes: png.subarray(0, png.length - 30) }))).toBe('LS_IMAGE_CORRUPT');
    expect(await codeOf(transformer, await asked('circles.png', { classes: ['a'] }))).toBe('LS_MODEL_REQUEST');
    expect(await codeOf(transformer, { kind: 'audio', bytes: png, contentType: 'audio/wav' })).toBe('LS_MODEL_INPUT');
  });

  test('a prefix beyond every limit is refused, whatever it costs to read it', async () => {
    expect(await codeOf(transformer, await asked('circles.png', { text: 'a '.repeat(500_000) }))).toBe('LS_MODEL_INPUT');
    // Within the length, and more tokens than the model has positions.
    expect(await codeOf(transformer, await asked('circles.png', { text: 'window '.repeat(200) }))).toBe('LS_MODEL_INPUT');
  });
});

test('numbers that are none fail the item, not the model', async () => {
  const files = await contentOf('vit-gpt2');
  const decoder = 'onnx/decoder_model_merged.onnx';
  // The table of positions: one that only long texts come to.
  const broken = withNanRow(files[decoder]!, 't2', [64, 32], 9);
  const transformer = await openTiny('vit-gpt2', { files: { [decoder]: broken } });
  onTestFinished(() => transformer.release());
  const input = { kind: 'image', bytes: await readInput('stripes.png'), contentType: 'image/png' } as const;
  expect(await codeOf(transformer, { ...input, config: { max_new_tokens: 4 } })).toBe('answered');
  expect(await codeOf(transformer, { ...input, config: { max_new_tokens: 14 } })).toBe('LS_MODEL_OUTPUT_NOT_FINITE');
  expect(await codeOf(transformer, { ...input, config: { max_new_tokens: 14, num_beams: 3 } })).toBe('LS_MODEL_OUTPUT_NOT_FINITE');
});
