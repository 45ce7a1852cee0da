// The directory of a transformer is trusted by its hashes and its known answers, as that of any model, and what is wrong with it is told before it serves.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { estimatedMemoryBytes } from '../../../src/models/model-memory.ts';
import { startModelServer, type ModelServer } from '../../../src/models/model-server.ts';
import { loadArtefacts } from '../../../src/models/repository.ts';
import { architectureNames } from '../../../src/models/transformers/architectures.ts';
import { verifyModel } from '../../../src/models/verify.ts';
import { rejectedMessage, testClock } from '../model-directory.ts';
import { contentOf, openTiny, readInput, tinyDirectory } from './tiny-models.ts';

async function serve(directory: string): Promise<ModelServer> {
  const server = await startModelServer({ models: [{ name: 'model', directory }], clock: testClock, workerCount: 1 });
  onTestFinished(() => server.close());
  return server;
}

test.each(architectureNames)('%s passes its proofs', async (name) => {
  const report = await verifyModel(await tinyDirectory(name));
  expect(report.checks.map((check) => [check.name, check.ok, check.detail])).toEqual(
    ['manifest', 'files', 'load', 'known-answers', 'batch-invariance'].map((check) => [check, true, expect.any(String) as string]),
  );
});

test.each([
  ['detr', { kind: 'detections', boxes: [], labels: [], scores: [] }, 'labels'],
  ['clip', { kind: 'zero-shot', probabilities: [0.2, 0.2, 0.2, 0.2, 0.2] }, 'probability 0'],
  ['vit-gpt2', { kind: 'caption', text: 'a cat' }, 'the text'],
  ['whisper', { kind: 'transcript', text: 'hello', segments: [] }, 'the text'],
] as const)('%s with another known answer is refused', async (name, output, expected) => {
  const known = (await loadArtefacts(await tinyDirectory(name))).manifest.knownAnswers[0] as { input: object; tolerance: number };
  const directory = await tinyDirectory(name, { overrides: { knownAnswers: [{ ...known, output }] } });
  expect(await rejectedMessage(serve(directory), 'LS_MODEL_KNOWN_ANSWER')).toContain(expected);
});

describe('files', () => {
  test('one that is listed and missing, and one that was changed, are named', async () => {
    const directory = await tinyDirectory('clip');
    await writeFile(join(directory, 'tokenizer.json'), '{}');
    expect(await rejectedMessage(serve(directory), 'LS_MODEL_HASH')).toContain('tokenizer.json');
    await rm(join(directory, 'tokenizer.json'));
    expect(await rejectedMessage(serve(directory), 'LS_MODEL_FILE_MISSING')).toContain('tokenizer.json');
  });

  test.each([
    ['is no JSON', 'vit-gpt2', { 'config.json': '{' }, 'is no JSON'],
    ['lacks what is needed', 'vit-gpt2', { 'config.json': '{}' }, 'decoder_start_token_id'],
    ['is no tokenizer', 'clip', { 'tokenizer.json': '{"model":{"type":"Nonsense"}}' }, 'tokenizer.json'],
    ['says of images what cannot be done', 'detr', { 'preprocessor_config.json': '{"size":{"shortest_edge":64},"do_center_crop":true}' }, 'crop_size'],
    ['is of other sounds', 'whisper', { 'preprocessor_config.json': '{"sampling_rate":8000,"n_fft":400,"hop_length":160,"chunk_length":30}' }, 'sampling_rate'],
  ] as const)('one that %s is refused', async (_, name, files, expected) => {
    const changed = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    expect(await rejectedMessage(openTiny(name, { files: changed }), 'LS_MODEL_LOAD')).toContain(expected);
  });

  test('a graph in the role of another is refused, and so is what is no graph', async () => {
    const swapped = { encoder: 'onnx/decoder_model_merged.onnx', decoder: 'onnx/encoder_model.onnx' };
    expect(await rejectedMessage(openTiny('vit-gpt2', { overrides: { graphs: swapped } }), 'LS_MODEL_LOAD')).toContain('input_ids');
    const { 'onnx/encoder_model.onnx': encoder } = await contentOf('vit-gpt2');
    expect(await rejectedMessage(openTiny('vit-gpt2', { files: { 'onnx/encoder_model.onnx': encoder!.subarray(0, 5_000) } }), 'LS_MODEL_LOAD')).toContain('encoder_model.onnx');
  });
});

test('it is described by its first task, and its graphs count in the estimate of memory', async () => {
  const directory = await tinyDirectory('vit-gpt2');
  const server = await serve(directory);
  expect(server.describe('model')).toMatchObject({ task: 'image-captioning', labels: [], dimensions: 0, reproducible: true });
  const content = await contentOf('vit-gpt2');
  const known = (await readInput('circles.png')).length;
  const files = Object.values(content).reduce((total, { length }) => total + length, known);
  const graphs = content['onnx/encoder_model.onnx']!.length + content['onnx/decoder_model_merged.onnx']!.length;
  expect(estimatedMemoryBytes(await loadArtefacts(directory), 2)).toBe(files + 2 * 3 * graphs);
});

test('a worker computes items of several callers, each its own', async () => {
  const server = await serve(await tinyDirectory('vit-gpt2'));
  const ask = async (image: string, text?: string): Promise<unknown> =>
    server.run('model', { kind: 'image', bytes: await readInput(image), contentType: 'image/png', config: { max_new_tokens: 6 }, ...(text === undefined ? {} : { text }) }, { signal: new AbortController().signal });
  const alone = [await ask('circles.png'), await ask('stripes.png'), await ask('circles.png', 'a photo of')];
  expect(await Promise.all([ask('circles.png'), ask('stripes.png'), ask('circles.png', 'a photo of')])).toEqual(alone);
});
