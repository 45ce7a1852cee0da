/** The small models of the tests: two good ones, and one for each way in which a model can be bad. */
import { externalTensor, node, onnxModel, tensor, type Port } from './onnx-writer.ts';

const float32 = (values: readonly number[]): Float32Array => Float32Array.from(values);
const int64 = (values: readonly number[]): BigInt64Array => BigInt64Array.from(values.map(BigInt));

/** Values without a pattern, the same in every run. */
export function weights(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const encoderBuckets = 512;
export const encoderDimensions = 8;
const idsInput: Port = { name: 'ids', type: 'int64', shape: ['batch', 'length'] };
const weightsInput: Port = { name: 'weights', type: 'float32', shape: ['batch', 'length'] };
const embeddingOutput: Port = { name: 'embedding', type: 'float32', shape: ['batch', encoderDimensions] };

/**
 * embedding = sum over the text of weight x table[id]; in the variant, less its mean over the batch. The sum is a product of one row and
 * one matrix per item: a ReduceSum over the middle axis adds in another order for a batch of 1 than for one of 4, and its last bits differ.
 */
export function textEncoder(variant: 'good' | 'minus-batch-mean' = 'good'): Uint8Array {
  const last = variant === 'good' ? 'embedding' : 'summed';
  return onnxModel({
    inputs: [idsInput, weightsInput],
    outputs: [embeddingOutput],
    initializers: [
      tensor('table', [encoderBuckets, encoderDimensions], weights(encoderBuckets * encoderDimensions)),
      tensor('row-axis', [1], int64([1])),
    ],
    nodes: [
      node('Gather', ['table', 'ids'], ['rows']),
      node('Unsqueeze', ['weights', 'row-axis'], ['weight-row']),
      node('MatMul', ['weight-row', 'rows'], ['sum-row']),
      node('Squeeze', ['sum-row', 'row-axis'], [last]),
      ...(variant === 'good'
        ? []
        : [
            node('ReduceMean', ['summed'], ['mean'], [{ name: 'axes', value: [0] }, { name: 'keepdims', value: 1 }]),
            node('Sub', ['summed', 'mean'], ['embedding']),
          ]),
    ],
  });
}

const valuesInput: Port = { name: 'values', type: 'float32', shape: ['batch', 4] };
const probabilitiesOutput: Port = { name: 'probabilities', type: 'float32', shape: ['batch', 3] };
const matrix = tensor('matrix', [4, 3], weights(12, 7));

/** probabilities = softmax(values x matrix). */
export function valuesClassifier(): Uint8Array {
  return onnxModel({
    inputs: [valuesInput],
    outputs: [probabilitiesOutput],
    initializers: [matrix],
    nodes: [node('MatMul', ['values', 'matrix'], ['logits']), node('Softmax', ['logits'], ['probabilities'], [{ name: 'axis', value: -1 }])],
  });
}

/** probabilities = values x matrix with values quantised by one scale over the whole batch, as quantize_dynamic of onnxruntime writes it. */
export function dynamicallyQuantised(): Uint8Array {
  return onnxModel({
    inputs: [valuesInput],
    outputs: [probabilitiesOutput],
    initializers: [
      tensor('matrix-quantised', [4, 3], Uint8Array.from([3, 90, 200, 17, 140, 66, 250, 31, 128, 77, 5, 190])),
      tensor('matrix-zero', [], Uint8Array.from([128])),
      tensor('matrix-scale', [], float32([0.01])),
    ],
    nodes: [
      node('DynamicQuantizeLinear', ['values'], ['quantised', 'scale', 'zero']),
      node('MatMulInteger', ['quantised', 'matrix-quantised', 'zero', 'matrix-zero'], ['integers']),
      node('Cast', ['integers'], ['floats'], [{ name: 'to', value: 1 }]),
      node('Mul', ['scale', 'matrix-scale'], ['both-scales']),
      node('Mul', ['floats', 'both-scales'], ['probabilities']),
    ],
  });
}

/** probabilities = log(values x matrix) where matrix picks the first three values; a negative value has no logarithm: NaN. */
export function logarithm(): Uint8Array {
  return onnxModel({
    inputs: [valuesInput],
    outputs: [probabilitiesOutput],
    initializers: [tensor('identity', [4, 3], float32([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]))],
    nodes: [node('MatMul', ['values', 'identity'], ['chosen']), node('Log', ['chosen'], ['probabilities'])],
  });
}

/** probabilities = table[values as integers], fails inside onnxruntime where a value is no row of the table. */
export function lookup(): Uint8Array {
  return onnxModel({
    inputs: [valuesInput],
    outputs: [probabilitiesOutput],
    initializers: [tensor('table', [5], weights(5, 3)), tensor('three', [3], int64([0, 1, 2]))],
    nodes: [
      node('Cast', ['values'], ['integers'], [{ name: 'to', value: 7 }]),
      node('Gather', ['table', 'integers'], ['looked-up']),
      node('Gather', ['looked-up', 'three'], ['probabilities'], [{ name: 'axis', value: 1 }]),
    ],
  });
}

/** The good classifier with its matrix in another file; its bytes are `weights(12, 7)`. */
export function classifierWithExternalData(location: string): Uint8Array {
  return onnxModel({
    inputs: [valuesInput],
    outputs: [probabilitiesOutput],
    initializers: [externalTensor('matrix', [4, 3], location, 48)],
    nodes: [node('MatMul', ['values', 'matrix'], ['logits']), node('Softmax', ['logits'], ['probabilities'], [{ name: 'axis', value: -1 }])],
  });
}
