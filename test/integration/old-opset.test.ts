// A model of the first ONNX operators, which onnxruntime does not read any more: refused with its reason, at the start and at a reload.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sampleModels } from '../../examples/example.ts';
import { onnxStructure } from '../../src/models/onnx-structure.ts';
import { startModelServer } from '../../src/models/model-server.ts';
import { classifierDirectory, classifierManifest, rejectedMessage, temporaryDirectory, testClock, writeModel } from '../models/model-directory.ts';
import { fileThere, testWith } from '../requirements.ts';

const model = join(sampleModels, 'invalid/opset1-does-not-load.onnx');
const knownAnswers = [{ input: { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, output: [0, 0, 0], tolerance: 1 }];

testWith({ [model]: fileThere(model) }, 'a model of an opset that is too old is refused, and what it was to replace goes on', {}, async () => {
  const bytes = await readFile(model);
  const manifest = { ...classifierManifest, knownAnswers, opset: onnxStructure(bytes).opset };
  const old = await writeModel(await temporaryDirectory(), manifest, { 'model.onnx': bytes });
  const start = (directory: string) => startModelServer({ clock: testClock, workerCount: 1, models: [{ name: 'rows', directory }] });
  expect(await rejectedMessage(start(old), 'LS_MODEL_LOAD')).toContain(`onnxruntime cannot load model.onnx in ${old}`);
  const directory = await classifierDirectory();
  const server = await start(directory);
  const answer = () => server.run('rows', { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, { signal: new AbortController().signal });
  const before = await answer();
  await writeModel(directory, manifest, { 'model.onnx': bytes });
  expect(await rejectedMessage(server.reload('rows'), 'LS_MODEL_LOAD')).toContain('onnxruntime cannot load');
  expect(await answer()).toEqual(before);
  await server.close();
});
