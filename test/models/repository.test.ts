import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadArtefacts, openModelRepository } from '../../src/models/repository.ts';
import { graphOf, loadGraph } from './graph-models.ts';
import { openInference } from '../../src/models/inference.ts';
import {
  classifierDirectory,
  classifierManifest,
  encoderDirectory,
  rejectedMessage,
  sha256,
  temporaryDirectory,
  writeModel,
  writeModelWithAnswers,
} from './model-directory.ts';
import { classifierWithExternalData, valuesClassifier, weights } from './onnx-fixtures.ts';

const answered = {
  ...classifierManifest,
  knownAnswers: [{ input: { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, output: [0, 0, 0], tolerance: 1 }],
};

describe('openModelRepository', () => {
  test('reads every bound model once', async () => {
    const repository = await openModelRepository([
      { name: 'texts', directory: await encoderDirectory() },
      { name: 'rows', directory: await classifierDirectory() },
    ]);
    expect([...repository.keys()]).toEqual(['texts', 'rows']);
    expect(Buffer.from(graphOf(repository.get('rows')!).graph.bytes).equals(valuesClassifier())).toBe(true);
  });

  test('refuses a name that is bound twice', async () => {
    const directory = await classifierDirectory();
    const message = await rejectedMessage(openModelRepository([{ name: 'a', directory }, { name: 'a', directory }]), 'LS_MODEL_UNKNOWN');
    expect(message).toContain('"a"');
  });
});

describe('loadArtefacts', () => {
  test('names the file and both hashes where one byte was changed', async () => {
    const directory = await classifierDirectory();
    const changed = Buffer.from(valuesClassifier());
    changed[changed.length - 1]! ^= 1;
    await writeFile(join(directory, 'model.onnx'), changed);
    const message = await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_HASH');
    expect(message).toContain(join(directory, 'model.onnx'));
    expect(message).toContain(`expected SHA-256 ${sha256(valuesClassifier())}`);
    expect(message).toContain(`found ${sha256(changed)}`);
  });

  test.each([
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(200_000)])],
    ['shorter', (bytes: Buffer) => bytes.subarray(0, 10)],
    ['empty', () => Buffer.alloc(0)],
  ])('names the hash found where the file is %s', async (_, change) => {
    const directory = await classifierDirectory();
    const changed = change(Buffer.from(valuesClassifier()));
    await writeFile(join(directory, 'model.onnx'), changed);
    const message = await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_HASH');
    expect(message).toContain(`found ${sha256(changed)} (${changed.length} bytes)`);
  });

  test('hashes the files that it does not load, too', async () => {
    const directory = await temporaryDirectory();
    await writeModel(directory, answered, { 'model.onnx': valuesClassifier(), 'notes/list.txt': Buffer.from('one') });
    await loadArtefacts(directory);
    await writeFile(join(directory, 'notes/list.txt'), 'two');
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_HASH')).toContain('notes/list.txt');
  });

  test('refuses a listed file that is missing, or is a directory', async () => {
    const directory = await classifierDirectory();
    await rm(join(directory, 'model.onnx'));
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_FILE_MISSING')).toContain('model.onnx');
    await mkdir(join(directory, 'model.onnx'));
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_FILE_MISSING')).toContain('model.onnx');
  });

  test('refuses a model file that is not listed', async () => {
    const directory = await writeModel(await temporaryDirectory(), { ...answered, model: 'other.onnx' }, { 'model.onnx': valuesClassifier() });
    await writeFile(join(directory, 'other.onnx'), valuesClassifier());
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_FILE_MISSING')).toContain('other.onnx');
  });

  test('refuses a link that leaves the directory, and follows one that does not', async () => {
    const directory = await classifierDirectory();
    const outside = await temporaryDirectory();
    await rename(join(directory, 'model.onnx'), join(outside, 'model.onnx'));
    await symlink(join(outside, 'model.onnx'), join(directory, 'model.onnx'));
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_MANIFEST')).toContain('leaves the directory');
    await rm(join(directory, 'model.onnx'));
    await rename(join(outside, 'model.onnx'), join(directory, 'real.onnx'));
    await symlink('real.onnx', join(directory, 'model.onnx'));
    expect((await loadArtefacts(directory)).manifest.name).toBe('test-classifier');
  });

  test('refuses a link into a neighbour whose name begins with that of the directory', async () => {
    const parent = await temporaryDirectory();
    const [directory, neighbour] = [join(parent, 'encoder'), join(parent, 'encoder-evil')];
    await mkdir(directory);
    await mkdir(neighbour);
    await writeModel(directory, answered, { 'model.onnx': valuesClassifier() });
    await rename(join(directory, 'model.onnx'), join(neighbour, 'model.onnx'));
    await symlink(join('..', 'encoder-evil', 'model.onnx'), join(directory, 'model.onnx'));
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_MANIFEST')).toContain('leaves the directory');
  });

  test('refuses a manifest that is missing, or that states another opset', async () => {
    const directory = await classifierDirectory({ opset: 13 }).catch((error: unknown) => error);
    expect(directory).toMatchObject({ code: 'LS_MODEL_MANIFEST' });
    expect(String(directory)).toMatch(/opset is 13, that of model.onnx is 17/);
    expect(await rejectedMessage(loadArtefacts(await temporaryDirectory()), 'LS_MODEL_NOT_FOUND')).toContain('manifest.json');
  });

  test('refuses a manifest that cannot be read', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'manifest.json'));
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_MANIFEST')).toContain('EISDIR');
  });

  test('refuses bytes that are no ONNX file', async () => {
    const directory = await writeModel(await temporaryDirectory(), answered, { 'model.onnx': Buffer.from('no protobuf at all') });
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_LOAD')).toContain('model.onnx');
  });
});

describe('external data', () => {
  const bytes = new Uint8Array(weights(12, 7).buffer);

  test.each([['matrix.bin'], ['../matrix.bin'], ['/etc/hostname'], ['other.bin']])('is refused where it is not listed: %s', async (location) => {
    const directory = await writeModel(await temporaryDirectory(), answered, { 'model.onnx': classifierWithExternalData(location) });
    await writeFile(join(directory, 'matrix.bin'), bytes);
    expect(await rejectedMessage(loadArtefacts(directory), 'LS_MODEL_EXTERNAL_DATA')).toContain(location);
  });

  test('is loaded from the hashed bytes where it is listed, beside the model wherever that is', async () => {
    const files = { 'onnx/model.onnx': classifierWithExternalData('matrix.bin'), 'onnx/matrix.bin': bytes };
    const directory = await writeModelWithAnswers(await temporaryDirectory(), { ...classifierManifest, model: 'onnx/model.onnx' }, files, 3);
    const outside = await openInference(await loadGraph(directory));
    const inside = await openInference(await loadGraph(await classifierDirectory()));
    const input = { kind: 'values', values: { a: 0.1, b: 0.2, c: 0.3, d: 0.4 } } as const;
    expect(await outside.run([input])).toEqual(await inside.run([input]));
    await outside.release();
    await inside.release();
  });
});
