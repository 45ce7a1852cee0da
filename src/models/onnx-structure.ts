/**
 * Reads from an ONNX file what has to be known before onnxruntime sees it: in which other files it keeps weights, and its opset. Only the
 * framing of protobuf is read; tensors are skipped over. Field numbers are those of onnx.proto3. onnxruntime itself would look for such
 * files under the working directory, where nobody has hashed them.
 */
type Kind = 'model' | 'graph' | 'training' | 'function' | 'node' | 'attribute' | 'sparseTensor' | 'tensor';

/** Which fields of which message hold messages through which a tensor can be reached. */
const children: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  function: { 7: 'node', 11: 'attribute' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparseTensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparseTensor', 23: 'sparseTensor' },
  sparseTensor: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
};
const depthMax = 100;

export type OnnxStructure = {
  /** As written in the file, relative to it; each once, in order of appearance. */
  readonly externalLocations: readonly string[];
  /** Of the standard operators; 0 where the file does not tell. */
  readonly opset: number;
};

type Field = { readonly number: number; readonly value: number; readonly body: Uint8Array | undefined };

/** Throws RangeError where the bytes are no protobuf. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[offset];
      if (byte === undefined) throw new RangeError('the file ends inside a number');
      offset += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is longer than ten bytes');
  };
  while (offset < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) {
      yield { number, value: varint(), body: undefined };
      continue;
    }
    const length = wireType === 2 ? varint() : wireType === 1 ? 8 : wireType === 5 ? 4 : Number.NaN;
    if (!(offset + length <= bytes.length)) throw new RangeError(`field ${number} is cut off or of an unknown type`);
    const body = bytes.subarray(offset, offset + length);
    offset += length;
    yield { number, value: 0, body: wireType === 2 ? body : undefined };
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

function externalLocationOf(tensor: Uint8Array): string | undefined {
  let isExternal = false;
  let location = '';
  for (const { number, value, body } of fieldsOf(tensor)) {
    if (number === 14) isExternal = value === 1;
    if (number !== 13 || body === undefined) continue;
    const entry = [...fieldsOf(body)];
    const part = (wanted: number): string => text(entry.find((field) => field.number === wanted)?.body ?? new Uint8Array());
    if (part(1) === 'location') location = part(2);
  }
  return isExternal ? location : undefined;
}

function collectLocations(kind: Kind, bytes: Uint8Array, depth: number, locations: Set<string>): void {
  if (depth > depthMax) throw new RangeError(`graphs are nested deeper than ${depthMax} messages`);
  if (kind === 'tensor') {
    const location = externalLocationOf(bytes);
    if (location !== undefined) locations.add(location);
    return;
  }
  for (const { number, body } of fieldsOf(bytes)) {
    const child = children[kind][number];
    if (child !== undefined && body !== undefined) collectLocations(child, body, depth + 1, locations);
  }
}

/** Throws RangeError where the bytes are no ONNX file. */
export function onnxStructure(model: Uint8Array): OnnxStructure {
  let opset = 0;
  for (const { number, body } of fieldsOf(model)) {
    if (number !== 8 || body === undefined) continue;
    const fields = [...fieldsOf(body)];
    const domain = text(fields.find((field) => field.number === 1)?.body ?? new Uint8Array());
    if (domain === '' || domain === 'ai.onnx') opset = fields.find((field) => field.number === 2)?.value ?? 0;
  }
  const locations = new Set<string>();
  collectLocations('model', model, 0, locations);
  return { externalLocations: [...locations], opset };
}
