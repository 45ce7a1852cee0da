// What a directory in the layout of Hugging Face may refer to: what lies in it, and in the cache of the Hub what its links lead to.
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readTransformerSource } from '../../src/models/transformer-source.ts';
import { externalTensor, node, onnxModel } from './onnx-writer.ts';
import { rejectedMessage, temporaryDirectory } from './model-directory.ts';
import { toyDimensions, toySource } from './toy-transformer.ts';

const withWeights = onnxModel({
  inputs: [{ name: 'input_ids', type: 'int64', shape: ['batch', 'length'] }],
  outputs: [{ name: 'last_hidden_state', type: 'float32', shape: ['batch', 'length', toyDimensions] }],
  initializers: [externalTensor('table', [4, toyDimensions], 'model.onnx_data', 16 * toyDimensions)],
  nodes: [node('Gather', ['table', 'input_ids'], ['last_hidden_state'])],
});

test('weights beside the model belong to it', async () => {
  const from = await toySource({ 'onnx/model.onnx': withWeights, 'onnx/model.onnx_data': Buffer.alloc(16 * toyDimensions) });
  expect((await readTransformerSource(from)).files).toContain('onnx/model.onnx_data');
  await rm(join(from, 'onnx/model.onnx_data'));
  expect(await rejectedMessage(readTransformerSource(from), 'LS_MODEL_IMPORT')).toContain('keeps weights in "model.onnx_data", which is missing');
});

test.each(['onnx/model.onnx_data', 'onnx/model.onnx', 'tokenizer.json', 'config.json', 'tokenizer_config.json'])('refuses %s as a link that leaves the directory', async (path) => {
  const from = await toySource({ 'onnx/model.onnx': withWeights, 'onnx/model.onnx_data': Buffer.alloc(16 * toyDimensions) });
  const secret = join(await temporaryDirectory(), 'secret');
  await rename(join(from, path), secret);
  await symlink(secret, join(from, path));
  expect(await rejectedMessage(readTransformerSource(from), 'LS_MODEL_IMPORT')).toBe(`${join(from, path)}: is a link that leaves the directory`);
});

test('a link within the directory, and to the directory, is none that leaves it', async () => {
  const from = await toySource();
  await rename(join(from, 'config.json'), join(from, 'real.json'));
  await symlink('real.json', join(from, 'config.json'));
  const link = join(await temporaryDirectory(), 'link');
  await symlink(from, link);
  expect((await readTransformerSource(link)).files).toContain('tokenizer.json');
});

test('a snapshot in the cache of the Hub is read through its links, which lead to the blobs of the same model only', async () => {
  const cache = await temporaryDirectory();
  const snapshot = join(cache, 'models--maker--toy', 'snapshots', '0123abcd');
  await mkdir(join(cache, 'models--maker--toy', 'blobs'), { recursive: true });
  await mkdir(dirname(snapshot));
  await rename(await toySource(), snapshot);
  const names = (await readdir(snapshot)).filter((name) => name.endsWith('.json'));
  expect(names).toContain('config.json');
  for (const name of names) {
    await rename(join(snapshot, name), join(cache, 'models--maker--toy', 'blobs', `hash-${name}`));
    await symlink(`../../blobs/hash-${name}`, join(snapshot, name));
  }
  expect((await readTransformerSource(snapshot)).lengthMax).toBe(40);
  await writeFile(join(cache, 'other.json'), '{}');
  await rm(join(snapshot, 'config.json'));
  await symlink('../../../other.json', join(snapshot, 'config.json'));
  expect(await rejectedMessage(readTransformerSource(snapshot), 'LS_MODEL_IMPORT')).toContain('leaves the directory');
});
