/**
 * What an ONNX file says of its graph's ports, and how an inner tensor becomes an output: bytes are appended, and nothing else of the file is
 * touched. Protobuf merges a message that is given twice, so a second `graph` that holds one output adds it to the first.
 */
import { bodyField, fieldsOf, numberField, textOf, type Field } from './onnx-protobuf.ts';

export type OnnxPort = {
  readonly name: string;
  /** As onnxruntime calls it; undefined where the file does not tell, or it is no tensor. */
  readonly type: string | undefined;
  /** A text is the name of a size that is open, '' one without a name; undefined where the file does not tell. */
  readonly shape: readonly (number | string)[] | undefined;
};

export type OnnxGraph = {
  /** Without those that only name a stored weight. */
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** What the nodes of the outermost graph compute, in the order of the file; outputs of the graph among them. */
  readonly tensors: readonly string[];
  /** The names of the kinds of nodes: Conv, MatMul. */
  readonly operators: ReadonlySet<string>;
};

/** Numbers of onnx.proto3. */
const modelGraph = 7;
const graph = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13, sparseInitializer: 15 } as const;
const elementTypes: Readonly<Record<number, string>> = {
  1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string', 9: 'bool', 10: 'float16', 11: 'float64',
  12: 'uint32', 13: 'uint64', 16: 'bfloat16',
};

/** Throws RangeError where the bytes are no ONNX file. */
export function onnxGraph(model: Uint8Array): OnnxGraph {
  const fields = graphFields(model);
  const nodes = bodies(fields, graph.node).map((node) => [...fieldsOf(node)]);
  const stored = new Set(bodies(fields, graph.initializer).map((tensor) => nameIn(tensor, 8)));
  for (const sparse of bodies(fields, graph.sparseInitializer)) stored.add(nameIn(bodies([...fieldsOf(sparse)], 1)[0] ?? new Uint8Array(), 8));
  return {
    inputs: bodies(fields, graph.input).map(portOf).filter(({ name }) => !stored.has(name)),
    outputs: bodies(fields, graph.output).map(portOf),
    tensors: nodes.flatMap((node) => bodies(node, 2).map(textOf)).filter((name) => name !== ''),
    operators: new Set(nodes.flatMap((node) => bodies(node, 4).map(textOf))),
  };
}

export type ExposedType = { readonly type: 'float32' | 'float16'; /** undefined: open. */ readonly shape: readonly (number | undefined)[] };

/**
 * The model with one more output, the tensor of that name. What the file says of its type and shape is repeated; where it says nothing, `found` is
 * written, without which onnxruntime takes the model all the same, but ONNX's own checker does not. Throws RangeError where the bytes are no ONNX file.
 */
export function exposed(model: Uint8Array, tensor: string, found?: ExposedType): Uint8Array {
  const known = bodies(graphFields(model), graph.valueInfo).find((valueInfo) => nameIn(valueInfo, 1) === tensor);
  const output = bodyField(graph.output, known ?? Buffer.concat([bodyField(1, Buffer.from(tensor)), ...(found === undefined ? [] : [bodyField(2, typeBody(found))])]));
  return Buffer.concat([model, bodyField(modelGraph, output)]);
}

/** A TypeProto. */
function typeBody({ type, shape }: ExposedType): Uint8Array {
  const dimensions = shape.map((size) => bodyField(1, size === undefined ? new Uint8Array() : numberField(1, size)));
  return bodyField(1, Buffer.concat([numberField(1, type === 'float32' ? 1 : 10), bodyField(2, Buffer.concat(dimensions))]));
}

function graphFields(model: Uint8Array): Field[] {
  return bodies([...fieldsOf(model)], modelGraph).flatMap((body) => [...fieldsOf(body)]);
}

function bodies(fields: readonly Field[], wanted: number): Uint8Array[] {
  return fields.flatMap(({ number, body }) => (number === wanted && body !== undefined ? [body] : []));
}

function nameIn(message: Uint8Array, wanted: number): string {
  return textOf(bodies([...fieldsOf(message)], wanted).at(-1));
}

/** From a ValueInfoProto. */
function portOf(valueInfo: Uint8Array): OnnxPort {
  const fields = [...fieldsOf(valueInfo)];
  const tensorType = bodies(fields, 2).flatMap((type) => bodies([...fieldsOf(type)], 1))[0];
  const name = textOf(bodies(fields, 1).at(-1));
  if (tensorType === undefined) return { name, type: undefined, shape: undefined };
  const parts = [...fieldsOf(tensorType)];
  const elementType = parts.find(({ number }) => number === 1)?.value ?? 0;
  const shape = bodies(parts, 2)[0];
  return { name, type: elementTypes[elementType], shape: shape === undefined ? undefined : bodies([...fieldsOf(shape)], 1).map(dimensionOf) };
}

function dimensionOf(dimension: Uint8Array): number | string {
  const fields = [...fieldsOf(dimension)];
  const size = fields.find(({ number, body }) => number === 1 && body === undefined)?.value;
  return size === undefined ? textOf(bodies(fields, 2).at(-1)) : size;
}
