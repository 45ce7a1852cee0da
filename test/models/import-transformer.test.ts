import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importTransformer } from '../../src/models/import-transformer.ts';
import { openInference } from '../../src/models/inference.ts';
import { verifyModel } from '../../src/models/verify.ts';
import { rejectedMessage, temporaryDirectory } from './model-directory.ts';
import { valuesClassifier } from './onnx-fixtures.ts';
import { toyDimensions, toySource, toyTokenizer, toyTransformer, type ToyFiles } from './toy-transformer.ts';
import { loadGraph } from './graph-models.ts';

const target = async (): Promise<string> => join(await temporaryDirectory(), 'imported');
const licence = 'MIT';

describe('importTransformer', () => {
  test('makes a directory that passes its proofs and serves', async () => {
    const directory = await target();
    const { manifest, notes } = await importTransformer({ from: await toySource(), directory, licence });
    expect(notes).toEqual([]);
    expect(manifest).toMatchObject({
      name: 'toy-encoder_v1',
      licence,
      source: 'Toy Encoder_v1',
      dequantise: false,
      reproducible: true,
      preprocessing: { kind: 'tokenizer', file: 'tokenizer.json', maxTokens: 40, inputs: { ids: 'input_ids', mask: 'attention_mask' } },
      postprocessing: { output: 'last_hidden_state', dimensions: toyDimensions, pooling: 'mean', normalisation: 'l2' },
      executedShapes: { batchSizes: [1, 4], lengths: [16, 24, 32, 40] },
    });
    expect((await readdir(directory)).sort()).toEqual(['config.json', 'manifest.json', 'onnx', 'tokenizer.json', 'tokenizer_config.json']);
    expect((await verifyModel(directory)).ok).toBe(true);
    const inference = await openInference(await loadGraph(directory));
    const [empty, cat, cats] = await inference.run([{ kind: 'text', text: ' ' }, { kind: 'text', text: 'the cat sat' }, { kind: 'text', text: 'THE CAT  SAT' }]);
    await inference.release();
    expect(empty).toMatchObject({ failure: { code: 'LS_MODEL_INPUT', details: { field: 'text' } } });
    expect(cat).toEqual(cats);
    expect(cat).toHaveProperty('output.length', toyDimensions);
  });

  test('reads what the files of sentence-transformers say', async () => {
    const from = await toySource({
      'modules.json': [{ path: '', type: 'sentence_transformers.models.Transformer' }, { path: '1_Pooling', type: 'sentence_transformers.models.Pooling' }],
      '1_Pooling/config.json': { word_embedding_dimension: toyDimensions, pooling_mode_cls_token: true, pooling_mode_mean_tokens: false },
      'sentence_bert_config.json': { max_seq_length: 20, do_lower_case: false },
    });
    const { manifest } = await importTransformer({ from, directory: await target(), licence, name: 'mine', version: '2.0.0' });
    expect(manifest).toMatchObject({ name: 'mine', version: '2.0.0', preprocessing: { maxTokens: 20 }, postprocessing: { pooling: 'first', normalisation: 'none' } });
    expect(manifest.executedShapes.lengths).toEqual([16, 20]);
  });

  test('executes a dynamically quantised encoder one text at a time, and verify fails it in larger batches', async () => {
    const directory = await target();
    const { manifest, notes } = await importTransformer({ from: await toySource({ 'onnx/model.onnx': toyTransformer('quantised') }), directory, licence });
    expect(manifest.executedShapes.batchSizes).toEqual([1]);
    expect(manifest.reproducible).toBe(true);
    expect(notes.join('\n')).toMatch(/differ|other bytes/);
    const path = join(directory, 'manifest.json');
    const written = JSON.parse(await readFile(path, 'utf8')) as { executedShapes: { batchSizes: number[] } };
    written.executedShapes.batchSizes = [1, 4];
    await writeFile(path, JSON.stringify(written));
    const report = await verifyModel(directory);
    expect(report.ok).toBe(false);
    expect(report.checks).toContainEqual(expect.objectContaining({ name: 'batch-invariance', ok: false }));
  });

  test.each<[string, ToyFiles, RegExp]>([
    ['no config.json', { 'config.json': undefined }, /config\.json: is missing/],
    ['no tokenizer', { 'tokenizer.json': undefined }, /tokenizer\.json: is missing/],
    ['no model', { 'onnx/model.onnx': undefined }, /holds neither onnx\/model\.onnx nor model\.onnx/],
    ['a model that is none', { 'onnx/model.onnx': Buffer.from('not a model') }, /is no ONNX file/],
    ['a model of something else', { 'onnx/model.onnx': valuesClassifier() }, /reads values, which is not built/],
    ['a config that is none', { 'config.json': Buffer.from('{') }, /is no JSON/],
    ['a config with nonsense', { 'config.json': { hidden_size: 'many' } }, /hidden_size/],
    ['a pooling that is not built', { '1_Pooling/config.json': { pooling_mode_max_tokens: true } }, /pools by pooling_mode_max_tokens/],
    ['a module that is not built', { 'modules.json': [{ path: '2_Dense', type: 'sentence_transformers.models.Dense' }] }, /the module Dense is not built/],
  ])('refuses %s', async (_, overrides, message) => {
    const directory = await target();
    expect(await rejectedMessage(importTransformer({ from: await toySource(overrides), directory, licence }), 'LS_MODEL_IMPORT')).toMatch(message);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
  });

  test('refuses a tokenizer that one text could keep busy for ever, by the name that its owner knows', async () => {
    const directory = await target();
    const from = await toySource({ 'tokenizer.json': { ...toyTokenizer, normalizer: { type: 'Replace', pattern: { Regex: '^(\\w+\\s?)*$' }, content: '' } } });
    const message = await rejectedMessage(importTransformer({ from, directory, licence }), 'LS_MODEL_LOAD');
    expect(message).toContain(`${join(from, 'tokenizer.json')}: the regular expression ^(\\w+\\s?)*$ is not taken`);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
  });

  test('refuses more tokens than there are positions, and a licence that nobody names', async () => {
    const from = await toySource();
    const directory = await target();
    expect(await rejectedMessage(importTransformer({ from, directory, licence, maxTokens: 41 }), 'LS_MODEL_IMPORT')).toMatch(/at most 40 tokens, not 41/);
    expect(await rejectedMessage(importTransformer({ from, directory }), 'LS_MODEL_IMPORT')).toMatch(/licence/);
  });
});
