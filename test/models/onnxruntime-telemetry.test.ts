import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './model-directory.ts';

const repository = resolve(import.meta.dirname, '../..');

const inWorker = `
  import { startModelServer } from ${JSON.stringify(resolve(repository, 'src/models/model-server.ts'))};
  const clock = { nowMs: Date.now, elapsedMs: () => performance.now(), sleep: () => Promise.resolve() };
  await (await startModelServer({ clock, workerCount: 1, models: [{ name: 'm', directory: ${JSON.stringify(resolve(repository, 'models/banknote-classifier'))} }] })).close();
`;
const inMainThread = `
  import { openInference } from ${JSON.stringify(resolve(repository, 'src/models/inference.ts'))};
  import { loadArtefacts } from ${JSON.stringify(resolve(repository, 'src/models/repository.ts'))};
  await (await openInference(await loadArtefacts(${JSON.stringify(resolve(repository, 'models/banknote-classifier'))}))).release();
`;

describe('onnxruntime tells nobody anything', () => {
  test.each([
    ['a worker', inWorker],
    ['the main thread', inMainThread],
  ])('where models run in %s', async (_, script) => {
    const file = join(await temporaryDirectory(), 'script.mjs');
    await writeFile(file, script);
    const home = await temporaryDirectory();
    // It is silent by itself where a variable of a build service is set.
    await promisify(execFile)(process.execPath, [file], { env: { HOME: home } });
    expect(await readdir(home, { recursive: true })).toEqual([]);
  });
});
