/**
 * The ONNX graphs of the bare kernel: products of queries and rows, compared with a threshold, and of the comparison only where it holds. Field numbers
 * are those of onnx.proto.
 */
import { bodyField, numberField } from '../../src/models/onnx-protobuf.ts';

const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
type ElementType = keyof typeof elementTypes;

const text = (number: number, value: string): Uint8Array => bodyField(number, Buffer.from(value));

/** ValueInfoProto of a matrix; a name stands for a size that each run tells. */
function matrix(name: string, type: ElementType, sizes: readonly (number | string)[]): Uint8Array {
  const dimensions = sizes.map((size) => bodyField(1, typeof size === 'number' ? numberField(1, size) : text(2, size)));
  const tensor = Buffer.concat([numberField(1, elementTypes[type]), bodyField(2, Buffer.concat(dimensions))]);
  return Buffer.concat([text(1, name), bodyField(2, bodyField(1, tensor))]);
}

function node(operator: string, inputs: readonly string[], output: string, attributes: readonly Uint8Array[] = []): Uint8Array {
  const fields = [...inputs.map((name) => text(1, name)), text(2, output), text(4, operator), ...attributes.map((attribute) => bodyField(5, attribute))];
  return bodyField(1, Buffer.concat(fields));
}

const hits = matrix('hits', 'int64', [2, 'k']);

function model(nodes: readonly Uint8Array[], inputs: readonly Uint8Array[], output: Uint8Array, constants: readonly Uint8Array[] = []): Uint8Array {
  const fields = [...nodes, text(2, 'hits'), ...constants.map((constant) => bodyField(5, constant)), ...inputs.map((input) => bodyField(11, input))];
  const graph = Buffer.concat([...fields, bodyField(12, output)]);
  return Buffer.concat([numberField(1, 9), bodyField(7, graph), bodyField(8, Buffer.concat([text(1, ''), numberField(2, 17)]))]);
}

const comparison = [node('GreaterOrEqual', ['scores', 'thresholds'], 'near'), node('NonZero', ['near'], 'hits')];

const floatProduct = node('Gemm', ['queries', 'rows'], 'scores', [Buffer.concat([text(1, 'transB'), numberField(3, 1), numberField(20, 2)])]);
const floatInputs = [matrix('queries', 'float32', ['b', 'd']), matrix('rows', 'float32', ['n', 'd'])];

/** hits [2, k]: query, row; queries [b, d] x rows [n, d] transposed, thresholds [b, 1]. */
export function floatGraph(): Uint8Array {
  return model([floatProduct, ...comparison], [...floatInputs, matrix('thresholds', 'float32', ['b', 1])], hits);
}

/** scores [b, n], for whoever compares them. */
export function scoresGraph(): Uint8Array {
  return model([floatProduct], floatInputs, matrix('scores', 'float32', ['b', 'n']));
}

/** hits [2, k]: row, query; rows [n, d] x queries [d, b], thresholds [1, b]. Rows of uint8 are by 128 more than what they stand for. */
export function integerGraph(rows: 'int8' | 'uint8'): Uint8Array {
  const inputs = [matrix('rows', rows, ['n', 'd']), matrix('queries', 'int8', ['d', 'b']), matrix('thresholds', 'int32', [1, 'b'])];
  if (rows === 'int8') return model([node('MatMulInteger', ['rows', 'queries'], 'scores'), ...comparison], inputs, hits);
  const zero = Buffer.concat([numberField(2, elementTypes.uint8), text(8, 'zero'), bodyField(9, Uint8Array.of(128))]);
  return model([node('MatMulInteger', ['rows', 'queries', 'zero'], 'scores'), ...comparison], inputs, hits, [zero]);
}
