// What a failing import leaves of the directories around it, and two imports at once.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { importTransformer } from '../../src/models/import-transformer.ts';
import { writeModelDirectory, type ModelDraft } from '../../src/models/manifest-writer.ts';
import type { DraftFile } from '../../src/models/model-place.ts';
import { verifyModel } from '../../src/models/verify.ts';
import { commonManifest, rejectedMessage, temporaryDirectory } from './model-directory.ts';
import { node, onnxModel } from './onnx-writer.ts';
import { toyDimensions, toySource } from './toy-transformer.ts';

/** One batch size: the fewest proofs. */
const quick = { licence: 'MIT', batchSizes: [1] };

/** Fails at its last file, which does not exist; `meanwhile` is what another program does at that moment. */
function failing(meanwhile: () => void = () => undefined): ModelDraft {
  const missing: DraftFile = {
    path: 'model.onnx',
    get content() {
      meanwhile();
      return { copyOf: '/nowhere/model.onnx' };
    },
  };
  return {
    manifest: {
      name: 'none', version: '1.0.0', task: 'text-features', labels: [], quality: {}, dequantise: false,
      licence: commonManifest.licence, source: commonManifest.source, model: commonManifest.model, opset: commonManifest.opset,
      preprocessing: { kind: 'tokenizer', file: 'tokenizer.json', maxTokens: 8, inputs: { ids: 'input_ids' } },
      postprocessing: { kind: 'vector', output: 'out', dimensions: toyDimensions, pooling: 'mean', normalisation: 'none' },
      executedShapes: { batchSizes: [1], lengths: [8] },
    },
    files: [missing],
    knownInputs: [],
    toleranceShare: 0,
    keepsBatchSizes: true,
  };
}

test('a failing import removes the directories that it made, and no others', async () => {
  const root = await temporaryDirectory();
  await mkdir(join(root, 'there'));
  await expect(writeModelDirectory(join(root, 'there', 'new', 'deep', 'model'), failing())).rejects.toThrow('/nowhere/model.onnx');
  expect(await readdir(root)).toEqual(['there']);
  expect(await readdir(join(root, 'there'))).toEqual([]);
});

test('a failing import leaves what others put into the directories that it made', async () => {
  const root = await temporaryDirectory();
  const meanwhile = (): void => {
    mkdirSync(join(root, 'new', 'other'));
    writeFileSync(join(root, 'new', 'other', 'precious'), 'data');
  };
  await expect(writeModelDirectory(join(root, 'new', 'deep', 'model'), failing(meanwhile))).rejects.toThrow('/nowhere/model.onnx');
  expect(await readdir(join(root, 'new'))).toEqual(['other']);
  expect(await readFile(join(root, 'new', 'other', 'precious'), 'utf8')).toBe('data');
});

/** Is read, and refused by onnxruntime in the midst of the import. */
const unheard = onnxModel({
  inputs: [{ name: 'input_ids', type: 'int64', shape: ['batch', 'length'] }],
  outputs: [{ name: 'last_hidden_state', type: 'float32', shape: ['batch', 'length', toyDimensions] }],
  nodes: [node('Unheard', ['input_ids'], ['last_hidden_state'])],
});

test('of two imports at once below a new directory, the one that fails does not disturb the other', async () => {
  const root = await temporaryDirectory();
  const from = await toySource();
  const good = join(root, 'new', 'models', 'good');
  const [bad, written] = await Promise.allSettled([
    importTransformer({ from: await toySource({ 'onnx/model.onnx': unheard }), directory: join(root, 'new', 'models', 'bad'), ...quick }),
    importTransformer({ from, directory: good, ...quick }),
  ]);
  expect([bad.status, written.status]).toEqual(['rejected', 'fulfilled']);
  expect(await readdir(dirname(good))).toEqual(['good']);
});

test('an import that is told to stop does so in the midst of its proofs, and leaves nothing', async () => {
  const root = await temporaryDirectory();
  const directory = join(root, 'new', 'model');
  const stopping = new AbortController();
  const written = importTransformer({ from: await toySource(), directory, ...quick }, { signal: stopping.signal });
  const rejected = expect(written).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  const isBegun = async (): Promise<boolean> => {
    const [beside = ''] = await readdir(dirname(directory)).catch(() => []);
    return existsSync(join(dirname(directory), beside, 'manifest.json'));
  };
  await vi.waitUntil(isBegun, { timeout: 60_000 });
  stopping.abort();
  await rejected;
  expect(await readdir(root)).toEqual([]);
  await expect(verifyModel(await toySource(), { signal: stopping.signal })).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
});

test('of two imports at once to one place, one is refused', async () => {
  const root = await temporaryDirectory();
  const from = await toySource();
  const directory = join(root, 'model');
  const both = await Promise.allSettled([importTransformer({ from, directory, ...quick }), importTransformer({ from, directory, ...quick })]);
  const refused = both.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error & { code: string }] : []));
  expect(refused.map(({ code }) => code)).toEqual(['LS_MODEL_IMPORT']);
  expect(await readdir(root)).toEqual(['model']);
});

test('a replaced model is gone, and what a killed import left is told', async () => {
  const root = await temporaryDirectory();
  const from = await toySource();
  const directory = join(root, 'model');
  await importTransformer({ from, directory, ...quick });
  await writeFile(join(directory, 'old'), '');
  await mkdir(join(root, '.model.import-abcdef.old'));
  expect(await rejectedMessage(importTransformer({ from, directory, ...quick }), 'LS_MODEL_IMPORT')).toContain('--force replaces it');
  const { notes } = await importTransformer({ from, directory, ...quick }, { force: true });
  expect(notes).toEqual([`${join(root, '.model.import-abcdef.old')} is what an earlier import set aside: remove it if none runs`]);
  expect(existsSync(join(directory, 'old'))).toBe(false);
  expect((await readdir(root)).sort()).toEqual(['.model.import-abcdef.old', 'model']);
});
