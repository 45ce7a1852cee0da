// `models list` and `models show`: every model with what is known of it, the broken ones with what is wrong with them.
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { jsonLines, repository, runProgram, withDirectory, writeConfiguration } from '../service/program.ts';
import { notesConfiguration } from './fixtures.ts';

vi.setConfig({ testTimeout: 240_000 });

const models = join(repository, 'models');

test('the models that come with the program, without a word', async () => {
  const { code, stdout } = await runProgram('models', 'list', '--json');
  const listed = jsonLines(stdout);
  expect(code).toBe(0);
  expect(listed.map(({ name }) => name)).toEqual(['banknote-classifier', 'drawing-classifier', 'static-text-encoder', 'topic-classifier', 'visual-encoder']);
  expect(listed.find(({ name }) => name === 'topic-classifier')).toMatchObject({
    ok: true, model: 'topic-classifier', kind: 'graph', tasks: ['text-classification'], input: 'text', licence: expect.any(String) as string, sizeBytes: expect.any(Number) as number, reproducible: true,
  });
  const shown = await runProgram('models', 'list');
  expect(shown.stdout).toMatch(/^NAME +MODEL +TASKS +LICENCE +SIZE +DIRECTORY\n/);
  expect(shown.stdout).toMatch(/\ntopic-classifier +topic-classifier \d+\.\d+\.\d+ +text-classification +/);
});

test('a broken manifest is listed with what is wrong with it, not hidden', async () => {
  await withDirectory(async (directory) => {
    const places = join(directory, 'models');
    await cp(join(models, 'banknote-classifier'), join(places, 'good'), { recursive: true });
    for (const name of ['broken', '.hidden']) {
      await mkdir(join(places, name));
      await writeFile(join(places, name, 'manifest.json'), '{');
    }
    await mkdir(join(places, 'no-model'));
    const { code, stdout } = await runProgram('models', 'list', places, '--json');
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([{ name: 'broken', ok: false, error: { code: 'LS_MODEL_MANIFEST' } }, { name: 'good', ok: true }]);
    expect((await runProgram('models', 'list', places)).stdout).toMatch(/\nbroken .*BROKEN: .*is no JSON.* \[LS_MODEL_MANIFEST\]\n/);
    expect(await runProgram('models', 'list', join(directory, 'nowhere'))).toMatchObject({ code: 1, stderr: expect.stringContaining('LS_CLI_FILE') as string });
  });
});

test('those of a configuration by their names there, and one of them shown; the log is not opened', async () => {
  await withDirectory(async (directory) => {
    const file = await writeConfiguration(directory, notesConfiguration.replace('models: {', 'models: { gone: { directory: nowhere }, '));
    const { stdout } = await runProgram('models', 'list', '-c', file, '--json');
    expect(jsonLines(stdout)).toMatchObject([{ name: 'gone', ok: false, error: { code: 'LS_MODEL_NOT_FOUND' } }, { name: 'notes', ok: true, model: 'banknote-classifier' }]);
    const shown = await runProgram('models', 'show', 'notes', '-c', file, '--json');
    expect(shown.code).toBe(0);
    expect(jsonLines(shown.stdout)).toMatchObject([
      { name: 'notes', ok: true, tasks: ['record-prediction'], memoryBytes: expect.any(Number) as number, manifest: { name: 'banknote-classifier' }, checks: ['manifest', 'files', 'load', 'known-answers'].map((name) => ({ name, ok: true })) },
    ]);
    expect(await runProgram('models', 'list', models, '-c', file)).toMatchObject({ code: 2, stdout: '' });
  });
});

test('show tells files, known answers and licence, and fails where the model is not what it says', async () => {
  const { code, stdout } = await runProgram('models', 'show', join(models, 'banknote-classifier'));
  expect(code).toBe(0);
  for (const said of [/^banknote-classifier: ok\n/, /\n {2}tasks +record-prediction\n/, /\n {2}licence +\S/, /\n {2}known answers +\d+\n/, /\n {2}model\.onnx +[\d.]+ k?B +[0-9a-f]{64}\n/, /\n {2}known-answers +yes +/]) expect(stdout).toMatch(said);
  await withDirectory(async (directory) => {
    const model = join(directory, 'model');
    await cp(join(models, 'banknote-classifier'), model, { recursive: true });
    await writeFile(join(model, 'model.onnx'), 'changed');
    const changed = await runProgram('models', 'show', model);
    expect(changed).toMatchObject({ code: 1, stdout: expect.stringMatching(/^model: NOT FIT FOR USE\n[^]* {2}files +NO +LS_MODEL_HASH/) as string, stderr: expect.stringContaining('LS_CLI_MODEL_UNFIT') as string });
    await rm(join(model, 'manifest.json'));
    expect(await runProgram('models', 'show', model)).toMatchObject({ code: 1, stderr: expect.stringContaining('LS_MODEL_NOT_FOUND') as string });
  });
});
