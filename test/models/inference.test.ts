import { describe, expect, test } from 'vitest';
import { openInference, type Inference, type ItemOutcome } from '../../src/models/inference.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { packOutcomes, unpackOutcomes } from '../../src/models/worker-protocol.ts';
import { classifierDirectory, encoderDirectory, rejectedMessage } from './model-directory.ts';
import { logarithm, lookup } from './onnx-fixtures.ts';
import { node, onnxModel } from './onnx-writer.ts';
import { loadGraph } from './graph-models.ts';

const open = async (directory: string): Promise<Inference> => openInference(await loadGraph(directory));
const text = (value: string): ModelInput => ({ kind: 'text', text: value });
const values = (a: number, b = 1, c = 1, d = 1): ModelInput => ({ kind: 'values', values: { a, b, c, d } });
const codes = (outcomes: readonly ItemOutcome[]): string[] => outcomes.map((outcome) => ('failure' in outcome ? outcome.failure.code : 'ok'));
const output = (outcome: ItemOutcome | undefined): number[] => (outcome !== undefined && 'output' in outcome ? [...outcome.output] : []);

describe('an item fails alone', () => {
  test('by what is wrong with it', async () => {
    const inference = await open(await classifierDirectory());
    const outcomes = await inference.run([
      values(1),
      values(Number.NaN),
      values(1, 2),
      { kind: 'values', values: { a: 1, b: 2, c: 3 } },
      values(1e300),
      values(Number.POSITIVE_INFINITY),
      text('words'),
      values(1),
    ]);
    const bad = 'LS_MODEL_INPUT';
    expect(codes(outcomes)).toEqual(['ok', bad, 'ok', bad, bad, bad, bad, 'ok']);
    expect(outcomes[1]).toMatchObject({ failure: { details: { field: 'a' } } });
    expect(outcomes[3]).toMatchObject({ failure: { details: { field: 'd' }, message: expect.stringContaining('d is missing') as string } });
    expect(output(outcomes[7])).toEqual(output(outcomes[0]));
    // A name that every object has is no field of it.
    expect(codes(await inference.run([{ kind: 'values', values: { a: 1, b: 2, c: 3, toString: 4 } }]))).toEqual([bad]);
    await inference.release();
  });

  test('with a text of no word, beside a very long one', async () => {
    const inference = await open(await encoderDirectory());
    const outcomes = await inference.run([text('good'), text('!!! ...'), text(''), text('long '.repeat(20_000)), values(1)]);
    expect(codes(outcomes)).toEqual(['ok', 'LS_MODEL_INPUT', 'LS_MODEL_INPUT', 'ok', 'LS_MODEL_INPUT']);
    await inference.release();
  });

  test('with a result that is not finite', async () => {
    const inference = await open(await classifierDirectory({ knownAnswers: [known] }, logarithm()));
    const outcomes = await inference.run([values(1), values(-1), values(2), values(0)]);
    expect(codes(outcomes)).toEqual(['ok', 'LS_MODEL_OUTPUT_NOT_FINITE', 'ok', 'LS_MODEL_OUTPUT_NOT_FINITE']);
    expect(outcomes[1]).toMatchObject({ failure: { message: 'number 0 of the output is NaN' } });
    expect(output(outcomes[2])[0]).toBeCloseTo(Math.log(2), 6);
    await inference.release();
  });

  test('where onnxruntime fails on its batch', async () => {
    const inference = await open(await classifierDirectory({}, lookup()));
    const outcomes = await inference.run([values(1), values(99), values(2), values(1)]);
    expect(codes(outcomes)).toEqual(['ok', 'LS_MODEL_RUN', 'ok', 'ok']);
    expect(outcomes[1]).toMatchObject({ failure: { message: expect.stringContaining('out of data bounds') as string } });
    expect(output(outcomes[3])).toEqual(output(outcomes[0]));
    await inference.release();
  });
});

const known = { input: values(1, 2, 3, 4), output: [], tolerance: 1e-6 };

describe('perturbation: every part of an item reaches its result', () => {
  test('each field of a record', async () => {
    const inference = await open(await classifierDirectory());
    const [base] = await inference.run([values(1, 2, 3, 4)]);
    for (const field of ['a', 'b', 'c', 'd']) {
      const [changed] = await inference.run([{ kind: 'values', values: { a: 1, b: 2, c: 3, d: 4, [field]: 0.5 } }]);
      expect(output(changed), field).not.toEqual(output(base));
    }
    const [same] = await inference.run([{ kind: 'values', values: { unused: 7, d: 4, c: 3, b: 2, a: 1 } }]);
    expect(output(same)).toEqual(output(base));
    await inference.release();
  });

  test('each word of a text', async () => {
    const inference = await open(await encoderDirectory());
    const words = ['seven', 'brown', 'foxes', 'sleep'];
    const [base] = await inference.run([text(words.join(' '))]);
    for (const index of words.keys()) {
      const [changed] = await inference.run([text(words.with(index, 'another').join(' '))]);
      expect(output(changed), words[index]).not.toEqual(output(base));
    }
    await inference.release();
  });
});

describe('openInference refuses', () => {
  const opened = async (directory: Promise<string>): Promise<string> => rejectedMessage(directory.then(open), 'LS_MODEL_LOAD');

  test('an input that the model lacks', async () => {
    expect(await opened(classifierDirectory({ preprocessing: { kind: 'values', input: 'row', fields: ['a', 'b', 'c', 'd'] } }))).toMatch(/input values that the manifest knows nothing of/);
  });

  test('an output that the model lacks', async () => {
    expect(await opened(classifierDirectory({ postprocessing: { kind: 'scores', output: 'logits' } }))).toMatch(/no output logits/);
  });

  test('another number of fields or labels', async () => {
    const fields = classifierDirectory({ preprocessing: { kind: 'values', input: 'values', fields: ['a', 'b', 'c'] } });
    expect(await opened(fields)).toMatch(/has 4 numbers in dimension 1; the manifest has 3/);
  });

  test('batch sizes above the one that the model was exported with', async () => {
    const fixed = onnxModel({
      inputs: [{ name: 'values', type: 'float32', shape: [1, 3] }],
      outputs: [{ name: 'probabilities', type: 'float32', shape: [1, 3] }],
      nodes: [node('Softmax', ['values'], ['probabilities'])],
    });
    const preprocessing = { kind: 'values', fields: ['a', 'b', 'c'] };
    expect(await opened(classifierDirectory({ preprocessing }, fixed))).toMatch(/fixed batch of 1; executedShapes.batchSizes must be \[1\]/);
    const inference = await open(await classifierDirectory({ preprocessing, executedShapes: { batchSizes: [1] } }, fixed));
    expect(codes(await inference.run([values(1), values(2), values(3)]))).toEqual(['ok', 'ok', 'ok']);
    await inference.release();
  });
});

test('outcomes survive the way through a message', () => {
  const outcomes: ItemOutcome[] = [
    { output: Float32Array.of(1, 2) },
    { failure: { code: 'LS_MODEL_INPUT', message: 'm', details: { field: 'a' } } },
    { output: Float32Array.of(3, -0) },
  ];
  const unpacked = unpackOutcomes(structuredClone(packOutcomes(outcomes, 1)));
  expect(unpacked).toEqual(outcomes);
  expect(unpacked.map((outcome) => ('output' in outcome ? outcome.output.buffer.byteLength : 0))).toEqual([8, 0, 8]);
  expect(unpackOutcomes(packOutcomes(outcomes.slice(1, 2), 1))).toEqual(outcomes.slice(1, 2));
});
