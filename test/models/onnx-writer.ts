/**
 * Writes small ONNX models by hand, so that the tests need neither Python nor a binary fixture that nobody can read. Field numbers are
 * those of onnx.proto3 (ONNX 1.16); only what the tests use is here.
 */
type Bytes = Uint8Array;

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

const field = (number: number, wireType: number): number[] => varint(BigInt(number * 8 + wireType));
export const integerField = (number: number, value: number): Bytes => Uint8Array.from([...field(number, 0), ...varint(BigInt(value))]);
export const bytesField = (number: number, value: Bytes): Bytes =>
  Buffer.concat([Uint8Array.from([...field(number, 2), ...varint(BigInt(value.length))]), value]);
export const textField = (number: number, value: string): Bytes => bytesField(number, Buffer.from(value));
export const messageField = (number: number, ...parts: readonly Bytes[]): Bytes => bytesField(number, Buffer.concat(parts));

const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, float16: 10, float64: 11 } as const;
type ElementType = keyof typeof elementTypes;

export type TensorData = Float32Array | BigInt64Array | Uint8Array;
function elementTypeOf(data: TensorData): number {
  if (data instanceof Float32Array) return elementTypes.float32;
  return data instanceof BigInt64Array ? elementTypes.int64 : elementTypes.uint8;
}

/** The body of a TensorProto. */
export function tensor(name: string, dimensions: readonly number[], data: TensorData): Bytes {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([
    ...dimensions.map((dimension) => integerField(1, dimension)),
    integerField(2, elementTypeOf(data)),
    textField(8, name),
    bytesField(9, raw),
  ]);
}

/** The body of a TensorProto whose float32 values are in another file. */
export function externalTensor(name: string, dimensions: readonly number[], location: string, lengthBytes: number): Bytes {
  const entry = (key: string, value: string): Bytes => messageField(13, textField(1, key), textField(2, value));
  return Buffer.concat([
    ...dimensions.map((dimension) => integerField(1, dimension)),
    integerField(2, elementTypes.float32),
    textField(8, name),
    entry('location', location),
    entry('offset', '0'),
    entry('length', String(lengthBytes)),
    integerField(14, 1),
  ]);
}

export type Attribute = { readonly name: string; readonly value: number | readonly number[] | { readonly tensor: Bytes } };
function attribute({ name, value }: Attribute): Bytes {
  if (typeof value === 'number') return messageField(5, textField(1, name), integerField(3, value), integerField(20, 2));
  if ('tensor' in value) return messageField(5, textField(1, name), bytesField(5, value.tensor), integerField(20, 4));
  return messageField(5, textField(1, name), ...value.map((element) => integerField(8, element)), integerField(20, 7));
}

/** The body of a NodeProto. */
export function node(operator: string, inputs: readonly string[], outputs: readonly string[], attributes: readonly Attribute[] = []): Bytes {
  return Buffer.concat([
    ...inputs.map((input) => textField(1, input)),
    ...outputs.map((output) => textField(2, output)),
    textField(4, operator),
    ...attributes.map(attribute),
  ]);
}

export type Port = { readonly name: string; readonly type: ElementType; readonly shape: readonly (number | string)[] };
function valueInfo(number: number, { name, type, shape }: Port): Bytes {
  const dimensions = shape.map((size) => messageField(1, typeof size === 'number' ? integerField(1, size) : textField(2, size)));
  const tensorType = messageField(1, integerField(1, elementTypes[type]), messageField(2, ...dimensions));
  return messageField(number, textField(1, name), messageField(2, tensorType));
}

export type Graph = {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodes: readonly Bytes[];
  readonly initializers?: readonly Bytes[];
};

/** A whole ModelProto, ONNX opset 17. */
export function onnxModel({ inputs, outputs, nodes, initializers = [] }: Graph): Bytes {
  return Buffer.concat([
    integerField(1, 8),
    messageField(8, textField(1, ''), integerField(2, 17)),
    messageField(
      7,
      ...nodes.map((body) => bytesField(1, body)),
      textField(2, 'test'),
      ...initializers.map((body) => bytesField(5, body)),
      ...inputs.map((input) => valueInfo(11, input)),
      ...outputs.map((output) => valueInfo(12, output)),
    ),
  ]);
}
