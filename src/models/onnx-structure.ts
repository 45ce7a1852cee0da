/**
 * Reads from an ONNX file what has to be known before onnxruntime sees it: in which other files it keeps weights, its opset, its operators. Only the
 * framing of protobuf is read; tensors are skipped over. Field numbers are those of onnx.proto3. onnxruntime itself would look for such
 * files under the working directory, where nobody has hashed them.
 */
import { fieldsOf, textOf } from './onnx-protobuf.ts';

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
  /** The names of all operators in its graphs and functions. */
  readonly operators: ReadonlySet<string>;
};

function externalLocationOf(tensor: Uint8Array): string | undefined {
  let isExternal = false;
  let location = '';
  for (const { number, value, body } of fieldsOf(tensor)) {
    if (number === 14) isExternal = value === 1;
    if (number !== 13 || body === undefined) continue;
    const entry = [...fieldsOf(body)];
    const part = (wanted: number): string => textOf(entry.find((field) => field.number === wanted)?.body);
    if (part(1) === 'location') location = part(2);
  }
  return isExternal ? location : undefined;
}

type Collected = { readonly locations: Set<string>; readonly operators: Set<string> };

function collect(kind: Kind, bytes: Uint8Array, depth: number, collected: Collected): void {
  if (depth > depthMax) throw new RangeError(`graphs are nested deeper than ${depthMax} messages`);
  if (kind === 'tensor') {
    const location = externalLocationOf(bytes);
    if (location !== undefined) collected.locations.add(location);
    return;
  }
  for (const { number, body } of fieldsOf(bytes)) {
    if (body === undefined) continue;
    if (kind === 'node' && number === 4) collected.operators.add(textOf(body));
    const child = children[kind][number];
    if (child !== undefined) collect(child, body, depth + 1, collected);
  }
}

/** Throws RangeError where the bytes are no ONNX file. */
export function onnxStructure(model: Uint8Array): OnnxStructure {
  let opset = 0;
  for (const { number, body } of fieldsOf(model)) {
    if (number !== 8 || body === undefined) continue;
    const fields = [...fieldsOf(body)];
    const domain = textOf(fields.find((field) => field.number === 1)?.body);
    if (domain === '' || domain === 'ai.onnx') opset = fields.find((field) => field.number === 2)?.value ?? 0;
  }
  const collected = { locations: new Set<string>(), operators: new Set<string>() };
  collect('model', model, 0, collected);
  return { externalLocations: [...collected.locations], opset, operators: collected.operators };
}
