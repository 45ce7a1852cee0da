import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyModel, type VerifyReport } from '../../src/models/verify.ts';
import { classifierDirectory, commonManifest, encoderDirectory, temporaryDirectory, writeModelWithAnswers } from './model-directory.ts';
import { dynamicallyQuantised, textEncoder } from './onnx-fixtures.ts';
import { node, onnxModel, tensor } from './onnx-writer.ts';
import { toyId, toyTokenizer } from './toy-transformer.ts';

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

  test('finds a model that depends on its batch only beside two of its longest items, which no other batch brings together', async () => {
    const report = await verifyModel(await crowdedDirectory(), { rounds: 0 });
    expect(outcomes(report)).toContainEqual(['known-answers', true]);
    expect(outcomes(report)).toContainEqual(['batch-invariance', false]);
    expect(detail(report, 'batch-invariance')).toMatch(/ differ, first item \d+ beside the longest items in a batch of 4$/);
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

/** Its output is another one for all items of a batch in which two have more than twenty cats. The two that have are never next to each other. */
async function crowdedDirectory(): Promise<string> {
  const sums = (axis: string, input: string, output: string) => node('ReduceSum', [input, axis], [output], [{ name: 'keepdims', value: 1 }]);
  const above = (limit: string, input: string, output: string) => [node('Greater', [input, limit], [`${output}?`]), node('Cast', [`${output}?`], [output], [{ name: 'to', value: 1 }])];
  const model = onnxModel({
    inputs: [{ name: 'input_ids', type: 'int64', shape: ['batch', 'length'] }],
    outputs: [{ name: 'states', type: 'float32', shape: ['batch', 'length', 1] }],
    initializers: [
      tensor('cat', [], BigInt64Array.of(BigInt(toyId('cat')))),
      tensor('twenty', [], Float32Array.of(20)),
      tensor('one', [], Float32Array.of(1)),
      ...[0n, 1n, 2n].map((axis) => tensor(`axis-${axis}`, [1], BigInt64Array.of(axis))),
    ],
    nodes: [
      node('Equal', ['input_ids', 'cat'], ['cats?']),
      node('Cast', ['cats?'], ['cats'], [{ name: 'to', value: 1 }]),
      sums('axis-1', 'cats', 'cats-of-row'),
      ...above('twenty', 'cats-of-row', 'is-long'),
      sums('axis-0', 'is-long', 'long-rows'),
      ...above('one', 'long-rows', 'is-crowded'),
      node('Add', ['cats', 'is-crowded'], ['shifted']),
      node('Unsqueeze', ['shifted', 'axis-2'], ['states']),
    ],
  });
  const long = 'cat '.repeat(29).trim();
  const manifest = {
    ...commonManifest,
    name: 'crowded',
    task: 'text-features',
    preprocessing: { kind: 'tokenizer', file: 'tokenizer.json', maxTokens: 32, inputs: { ids: 'input_ids' } },
    postprocessing: { kind: 'vector', output: 'states', dimensions: 1, pooling: 'mean', normalisation: 'none' },
    executedShapes: { batchSizes: [1, 4], lengths: [32] },
    knownAnswers: [long, 'cat', 'mat', 'sat', long, 'the cat', 'the mat'].map((text) => ({ input: { kind: 'text', text }, output: [], tolerance: 1e-6 })),
  };
  return writeModelWithAnswers(await temporaryDirectory(), manifest, { 'model.onnx': model, 'tokenizer.json': Buffer.from(JSON.stringify(toyTokenizer)) }, 1);
}

const known = { input: { kind: 'values', values: { a: 1, b: 2, c: 3, d: 4 } }, output: [], tolerance: 10 };
