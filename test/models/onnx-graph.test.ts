import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { exposed, onnxGraph } from '../../src/models/onnx-graph.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { dynamicallyQuantised, textEncoder, valuesClassifier } from './onnx-fixtures.ts';
import { bytesField, integerField, messageField, node, onnxModel, tensor, textField } from './onnx-writer.ts';

test('reads ports with their types and shapes, open sizes by name', () => {
  const { inputs, outputs } = onnxGraph(textEncoder());
  expect(inputs).toEqual([
    { name: 'ids', type: 'int64', shape: ['batch', 'length'] },
    { name: 'weights', type: 'float32', shape: ['batch', 'length'] },
  ]);
  expect(outputs).toEqual([{ name: 'embedding', type: 'float32', shape: ['batch', 8] }]);
});

test('reads what nodes compute, and of which kinds they are', () => {
  const { tensors, operators } = onnxGraph(dynamicallyQuantised());
  expect(tensors).toEqual(['quantised', 'scale', 'zero', 'integers', 'floats', 'both-scales', 'probabilities']);
  expect([...operators]).toEqual(['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul']);
});

test('an input that only names a stored weight is none', () => {
  const model = onnxModel({
    inputs: [{ name: 'values', type: 'float32', shape: [1, 2] }, { name: 'weight', type: 'float32', shape: [2] }],
    outputs: [{ name: 'sum', type: 'float32', shape: [1, 2] }],
    initializers: [tensor('weight', [2], Float32Array.of(1, 2))],
    nodes: [node('Add', ['values', 'weight'], ['sum'])],
  });
  expect(onnxGraph(model).inputs.map(({ name }) => name)).toEqual(['values']);
});

test('a size without a number or a name is open; a port that is no tensor, or says nothing of itself, has no type', () => {
  const shape = messageField(2, messageField(1), messageField(1, textField(3, 'DATA_BATCH')), messageField(1, integerField(1, 0)));
  const port = (...parts: readonly Uint8Array[]): Uint8Array => messageField(12, ...parts);
  const model = messageField(
    7,
    port(textField(1, 'open'), messageField(2, messageField(1, integerField(1, 10), shape))),
    port(textField(1, 'sequence'), messageField(2, messageField(4))),
    port(textField(1, 'bare')),
    port(textField(1, 'strange'), messageField(2, messageField(1, integerField(1, 99)))),
  );
  expect(onnxGraph(model).outputs).toEqual([
    { name: 'open', type: 'float16', shape: ['', '', 0] },
    { name: 'sequence', type: undefined, shape: undefined },
    { name: 'bare', type: undefined, shape: undefined },
    { name: 'strange', type: undefined, shape: undefined },
  ]);
});

test('an exposed tensor is an output to onnxruntime and to this reader; every byte of the file stays', async () => {
  const model = valuesClassifier();
  const extended = exposed(model, 'logits');
  expect(Buffer.compare(extended.subarray(0, model.length), model)).toBe(0);
  expect(onnxGraph(extended).outputs.map(({ name }) => name)).toEqual(['probabilities', 'logits']);
  const session = await InferenceSession.create(extended, { logSeverityLevel: 4 });
  expect(session.outputNames).toEqual(['probabilities', 'logits']);
  expect(session.outputMetadata[1]).toMatchObject({ type: 'float32', shape: ['batch', 3] });
  await session.release();
});

test('the type of an exposed tensor can be written with it, open sizes too', async () => {
  const extended = exposed(valuesClassifier(), 'logits', { type: 'float32', shape: [undefined, 3] });
  expect(onnxGraph(extended).outputs.at(-1)).toEqual({ name: 'logits', type: 'float32', shape: ['', 3] });
  const session = await InferenceSession.create(extended, { logSeverityLevel: 4 });
  expect(session.outputNames).toEqual(['probabilities', 'logits']);
  await session.release();
});

test('what a file says of an inner tensor is repeated at its output', () => {
  const valueInfo = messageField(13, textField(1, 'inner'), messageField(2, messageField(1, integerField(1, 1), messageField(2, messageField(1, integerField(1, 5))))));
  const model = Buffer.concat([valuesClassifier(), bytesField(7, valueInfo)]);
  expect(onnxGraph(exposed(model, 'inner')).outputs.at(-1)).toEqual({ name: 'inner', type: 'float32', shape: [5] });
});

test('survives truncated and changed bytes: an answer or a RangeError, at once', () => {
  const seed = 11;
  const random = seededRandom(seed);
  const rounds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 50_000 : 2_000;
  let answers = 0;
  for (let round = 0; round < rounds; round += 1) {
    const good = round % 2 === 0 ? valuesClassifier() : textEncoder().subarray(0, 400);
    const bytes = Uint8Array.from(random() < 0.5 ? good : good.subarray(0, Math.floor(random() * good.length)));
    for (let change = 0; change < 2 && bytes.length > 0; change += 1) {
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    }
    try {
      onnxGraph(bytes);
      exposed(bytes, 'logits');
      answers += 1;
    } catch (error) {
      expect(error, `seed ${seed}, round ${round}`).toBeInstanceOf(RangeError);
    }
  }
  expect(answers).toBeGreaterThan(rounds / 20);
  expect(answers).toBeLessThan(rounds);
});
