import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyModel, type VerifyReport } from '../../src/models/verify.ts';
import { classifierDirectory, encoderDirectory } from './model-directory.ts';
import { dynamicallyQuantised, textEncoder } from './onnx-fixtures.ts';

const outcomes = ({ checks }: VerifyReport): [string, boolean][] => checks.map(({ name, ok }) => [name, ok]);
const detail = ({ checks }: VerifyReport, wanted: string): string => checks.find(({ name }) => name === wanted)?.detail ?? '';

describe('verifyModel', () => {
  test('passes a text encoder and a classifier', async () => {
    for (const directory of [await encoderDirectory(), await classifierDirectory()]) {
      const report = await verifyModel(directory);
      expect(outcomes(report)).toEqual([
        ['manifest', true],
        ['files', true],
        ['load', true],
        ['known-answers', true],
        ['batch-invariance', true],
      ]);
      expect(report.ok).toBe(true);
      expect(report.version).toBe('1.0.0');
      expect(detail(report, 'batch-invariance')).toMatch(/equal to the last bit/);
    }
  });

  test.each([
    ['an output less its mean over the batch', () => encoderDirectory({}, textEncoder('minus-batch-mean'))],
    ['one quantisation scale for the whole batch', () => classifierDirectory({}, dynamicallyQuantised())],
  ])('fails a model that depends on its batch: %s', async (_, make) => {
    const report = await verifyModel(await make());
    expect(report.ok).toBe(false);
    expect(outcomes(report)).toContainEqual(['batch-invariance', false]);
    expect(detail(report, 'batch-invariance')).toMatch(/^[1-9]\d* of \d+ results .* differ/);
  });

  test('passes the dynamically quantised model one item per call', async () => {
    const report = await verifyModel(await classifierDirectory({ executedShapes: { batchSizes: [1] } }, dynamicallyQuantised()));
    expect(report.ok).toBe(true);
  });

  test('lets a model off that says it is not reproducible, and still tells', async () => {
    const report = await verifyModel(await classifierDirectory({ reproducible: false, knownAnswers: [known] }, dynamicallyQuantised()));
    expect(outcomes(report)).toContainEqual(['batch-invariance', false]);
    expect(report.ok).toBe(true);
  });

  test('stops at the first thing that the rest needs', async () => {
    const directory = await classifierDirectory();
    await writeFile(join(directory, 'model.onnx'), 'something else');
    const report = await verifyModel(directory);
    expect(outcomes(report)).toEqual([
      ['manifest', true],
      ['files', false],
    ]);
    expect(detail(report, 'files')).toMatch(/^LS_MODEL_HASH: /);
    const missing = await verifyModel(join(directory, 'nowhere'));
    expect(missing.name).toBe('nowhere');
    expect(detail(missing, 'manifest')).toMatch(/^LS_MODEL_NOT_FOUND: /);
  });

  test('names a known answer that is not given', async () => {
    const directory = await classifierDirectory();
    const path = join(directory, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as { knownAnswers: { output: number[] }[] };
    manifest.knownAnswers[1]!.output[2]! += 0.001;
    await writeFile(path, JSON.stringify(manifest));
    const report = await verifyModel(directory);
    expect(detail(report, 'known-answers')).toMatch(/known answer 1 in a batch of 1: number 2 is .*, expected /);
    expect(report.ok).toBe(false);
  });
});

const known = { input: { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, output: [], tolerance: 10 };
