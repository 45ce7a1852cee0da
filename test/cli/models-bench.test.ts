// `models bench` measures every case that it is asked for, with what it is given.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { batchesOf, quantile } from '../../src/models/bench.ts';
import { tinyDirectory } from '../models/transformers/tiny-models.ts';
import { jsonLines, repository, runProgram, withDirectory, writeConfiguration } from '../service/program.ts';

vi.setConfig({ testTimeout: 240_000 });

const topics = join(repository, 'models/topic-classifier');

type Case = Readonly<Record<'workerCount' | 'batchSize' | 'batches' | 'items' | 'failedItems' | 'itemsPerSecond' | 'batchP50Ms' | 'batchP99Ms' | 'residentBytesMax', number>>;

test('all cases, each with its figures', async () => {
  const { code, stdout } = await runProgram('models', 'bench', topics, '--seconds', '0.1', '--workers', '1,2', '--json');
  expect(code).toBe(0);
  const [measured] = jsonLines(stdout);
  expect(measured).toMatchObject({ model: 'topic-classifier', cores: expect.any(Number) as number, given: 'made up (seed 1)' });
  const cases = measured?.['cases'] as readonly Case[];
  expect(new Set(cases.map(({ workerCount }) => workerCount))).toEqual(new Set([1, 2]));
  for (const { batchSize, batches, items, failedItems, itemsPerSecond, batchP50Ms, batchP99Ms, residentBytesMax } of cases) {
    expect({ items, failedItems }).toEqual({ items: batches * batchSize, failedItems: 0 });
    expect(itemsPerSecond).toBeGreaterThan(0);
    expect(batchP99Ms).toBeGreaterThanOrEqual(batchP50Ms);
    expect(residentBytesMax).toBeGreaterThan(10_000_000);
  }
});

test('files are given to it; a transformer is asked as its known answer is', async () => {
  await withDirectory(async (directory) => {
    const text = join(directory, 'text');
    await writeFile(text, 'Oil prices rise.');
    const shown = await runProgram('models', 'bench', topics, '--seconds', '0.05', '--workers', '1', '--batch-sizes', '1', '--input', text);
    expect(shown.stdout).toMatch(/^topic-classifier \S+ on \d+ cores?, 1 input\nWORKERS +BATCH +BATCHES +ITEMS\/S +P50 MS +P99 MS +MEMORY\n1 +1 +\d+ +[\d.]+ /);
    const model = await tinyDirectory('clip', { directory: join(directory, 'clip') });
    const image = join(repository, 'test/models/tiny/inputs/scene.png');
    const clip = await runProgram('models', 'bench', model, '--seconds', '0.05', '--workers', '1', '--input', image, '--json');
    expect(jsonLines(clip.stdout)).toMatchObject([{ inputs: 1, given: 'files', cases: [{ batchSize: 1, failedItems: 0 }] }]);
    const failing = await runProgram('models', 'bench', model, '--seconds', '0.05', '--workers', '1', '--input', text);
    expect(failing).toMatchObject({ code: 1, stderr: expect.stringContaining('failed on everything [LS_CLI_MODEL_UNFIT]') as string });
  });
});

test('a model of a configuration is measured as the stream would run it', async () => {
  await withDirectory(async (directory) => {
    const image = join(repository, 'test/models/tiny/inputs/scene.png');
    const bench = async (binding: string, pixels: number) => {
      const file = await writeConfiguration(directory, `
dataDirectory: data
inference: { imagePixelsMax: ${pixels} }
models: { eye: { directory: MODELS/visual-encoder${binding} } }
`);
      return runProgram('models', 'bench', 'eye', '-c', file, '--seconds', '0.05', '--workers', '1', '--batch-sizes', '1', '--input', image);
    };
    expect((await bench('', 100_000_000)).code).toBe(0);
    expect(await bench('', 100)).toMatchObject({ code: 1, stderr: expect.stringContaining('failed on everything [LS_CLI_MODEL_UNFIT]') as string });
    expect((await bench(', executionProviders: [nothing]', 100_000_000)).stderr).toContain('there is no execution provider "nothing"');
  });
});

test.each([
  [['--batch-sizes', '3'], 2, 'runs in batches of'],
  [['--workers', '0'], 2, 'Write whole numbers'],
  [['--seconds', 'long'], 2, 'It is no number of seconds'],
  [['--input', '/nowhere'], 1, 'LS_CLI_FILE'],
])('refuses %j', async (options, code, said) => {
  expect(await runProgram('models', 'bench', topics, ...options)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) as string });
});

test('batches are full, of one length each, and leave no input out', () => {
  const inputs = ['a', 'bb', 'c', 'dd', 'e', 'f'].map((text) => ({ kind: 'text', text }) as const);
  const texts = (size: number): string[][] => batchesOf(inputs, size, (input) => (input.kind === 'text' ? input.text.length : 0)).map((batch) => batch.map((input) => (input.kind === 'text' ? input.text : '')));
  expect(texts(1).flat().sort()).toEqual(['a', 'bb', 'c', 'dd', 'e', 'f']);
  expect(texts(3)).toEqual([['a', 'c', 'e'], ['f', 'a', 'c'], ['bb', 'dd', 'bb']]);
});

test('a quantile is one of the values', () => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([50, 99, 100]);
  expect(quantile([7], 0.99)).toBe(7);
});
