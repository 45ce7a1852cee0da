import { expect, test } from 'vitest';
import { onnxStructure } from '../../src/models/onnx-structure.ts';
import { textEncoder, valuesClassifier } from './onnx-fixtures.ts';
import { bytesField, externalTensor, integerField, messageField, node, textField } from './onnx-writer.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

const opset = messageField(8, textField(1, ''), integerField(2, 17));
const external = externalTensor('w', [1], 'far.bin', 4);
const constantNode = node('Constant', [], ['c'], [{ name: 'value', value: { tensor: external } }]);
/** An If whose branch is a graph that holds the tensor. */
const branchNode = Buffer.concat([textField(4, 'If'), messageField(5, textField(1, 'then_branch'), messageField(6, bytesField(5, external)))]);

test('reads the opset of the standard operators', () => {
  expect(onnxStructure(textEncoder())).toEqual({ opset: 17, externalLocations: [], operators: new Set(['Gather', 'Unsqueeze', 'MatMul', 'Squeeze']) });
  const two = Buffer.concat([messageField(8, textField(1, 'ai.onnx.ml'), integerField(2, 3)), opset]);
  expect(onnxStructure(two).opset).toBe(17);
  expect(onnxStructure(Buffer.alloc(0)).opset).toBe(0);
});

test.each([
  ['an initializer', messageField(7, bytesField(5, external))],
  ['a constant', messageField(7, bytesField(1, constantNode))],
  ['a branch', messageField(7, bytesField(1, branchNode))],
  ['a sparse initializer', messageField(7, messageField(15, bytesField(1, external)))],
  ['a function', messageField(25, bytesField(7, constantNode))],
  ['the training part', messageField(20, messageField(2, bytesField(5, external)))],
])('finds external data in %s', (_, part) => {
  expect(onnxStructure(Buffer.concat([opset, part])).externalLocations).toEqual(['far.bin']);
});

test('survives any bytes: an answer or a RangeError, at once', () => {
  const seed = 7;
  const random = seededRandom(seed);
  const good = valuesClassifier();
  for (let round = 0; round < 2_000; round += 1) {
    const bytes = Uint8Array.from(good.subarray(0, Math.floor(random() * good.length)));
    for (let change = 0; change < 3 && bytes.length > 0; change += 1) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      onnxStructure(bytes);
    } catch (error) {
      expect(error, `seed ${seed}, round ${round}`).toBeInstanceOf(RangeError);
    }
  }
});

test('refuses graphs that are nested without end', () => {
  let nested: Uint8Array = bytesField(5, external);
  for (let depth = 0; depth < 200; depth += 1) nested = messageField(1, messageField(5, bytesField(6, nested)));
  expect(() => onnxStructure(messageField(7, nested))).toThrow(RangeError);
});
