/** One graph of a transformer: tensors in, tensors out, by name. What a graph reads and gives as float16 is float32 to whoever calls it. */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { modelError } from '../../core/errors/model.ts';
import { floatsOf, halved } from '../half-tensor.ts';
import { createSession, type SessionSettings } from '../onnx-session.ts';
import type { TransformerArtefacts } from '../repository.ts';

export type Feeds = Readonly<Record<string, Tensor>>;

export type GraphPort = { readonly name: string; readonly type: string; readonly shape: readonly (number | string)[] };

export type Graph = {
  /** In the directory of the model. */
  readonly path: string;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly string[];
  /** Feeds that the graph has no input for are left out. Rejects with LS_MODEL_RUN. */
  readonly run: (feeds: Feeds) => Promise<Feeds>;
  readonly release: () => Promise<void>;
};

export type GraphSettings = Omit<SessionSettings, 'directory'> & { /** Called after every run. */ readonly executed: () => void };

/** Rejects with LS_MODEL_LOAD, or LS_MODEL_PROVIDER. */
export async function openGraph({ directory, graphs }: TransformerArtefacts, role: string, settings: GraphSettings): Promise<Graph> {
  const file = graphs.get(role);
  if (file === undefined) throw modelError('LS_MODEL_LOAD', `the model in ${directory} has no graph ${role}`, { directory });
  const session = await createSession(file, { ...settings, directory });
  try {
    const inputs = session.inputMetadata.map((port) => portOf(port, directory, file.path));
    return {
      path: file.path,
      inputs,
      outputs: session.outputNames,
      run: (feeds) => runSession(session, inputs, feeds).finally(settings.executed),
      release: () => session.release(),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

const knownTypes: ReadonlySet<string> = new Set(['float32', 'float16', 'int64', 'bool']);

function portOf(port: InferenceSession.ValueMetadata, directory: string, path: string): GraphPort {
  if (port.isTensor && knownTypes.has(port.type)) return { name: port.name, type: port.type, shape: port.shape };
  const type = port.isTensor ? port.type : 'no tensor';
  throw modelError('LS_MODEL_LOAD', `${path} in ${directory}: the input ${port.name} is ${type}; a transformer's are float32, float16, int64 and bool`, { directory, file: path });
}

async function runSession(session: InferenceSession, inputs: readonly GraphPort[], feeds: Feeds): Promise<Feeds> {
  const fed: Record<string, Tensor> = {};
  for (const { name, type } of inputs) {
    const tensor = feeds[name];
    if (tensor !== undefined) fed[name] = type === 'float16' && tensor.type === 'float32' ? halved(tensor.data as Float32Array, tensor.dims) : tensor;
  }
  try {
    const outputs = await session.run(fed);
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, widened(tensor)]));
  } catch (error) {
    throw modelError('LS_MODEL_RUN', `onnxruntime failed on this item: ${error instanceof Error ? error.message : String(error)}`, {}, { cause: error });
  }
}

function widened(tensor: Tensor): Tensor {
  return tensor.type === 'float16' ? new Tensor('float32', floatsOf(tensor) ?? new Float32Array(), tensor.dims) : tensor;
}

/** Throws LS_MODEL_LOAD where a graph lacks what its role needs, or has inputs that nobody knows of. */
export function requirePorts(graph: Graph, { inputs, outputs }: { readonly inputs: readonly (string | RegExp)[]; readonly outputs: readonly string[] }, directory: string): void {
  const refuse = (message: string): never => {
    throw modelError('LS_MODEL_LOAD', `${graph.path} in ${directory}: ${message}`, { directory, file: graph.path });
  };
  const isKnown = (name: string): boolean => inputs.some((known) => (typeof known === 'string' ? known === name : known.test(name)));
  for (const { name } of graph.inputs) if (!isKnown(name)) refuse(`the graph has an input ${name} that its role knows nothing of`);
  for (const name of outputs) if (!graph.outputs.includes(name)) refuse(`the graph has no output ${name}`);
}

/** Throws LS_MODEL_OUTPUT, or LS_MODEL_OUTPUT_NOT_FINITE. */
export function numbersOf(outputs: Feeds, name: string): { readonly data: Float32Array; readonly dims: readonly number[] } {
  const tensor = outputs[name];
  if (tensor?.type !== 'float32') throw modelError('LS_MODEL_OUTPUT', `the output ${name} is ${tensor?.type ?? 'nothing'}, not float32`);
  const data = tensor.data as Float32Array;
  requireFinite(data, name);
  return { data, dims: tensor.dims };
}

function requireFinite(data: Float32Array, name: string): void {
  for (let index = 0; index < data.length; index += 1) {
    if (Number.isFinite(data[index])) continue;
    throw modelError('LS_MODEL_OUTPUT_NOT_FINITE', `number ${index} of ${name} is ${data[index] ?? ''}`, { index });
  }
}

export function int64Tensor(numbers: readonly number[], dims: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(numbers, BigInt), dims);
}

export function float32Tensor(numbers: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', numbers, dims);
}

export function onesTensor(dims: readonly number[]): Tensor {
  return new Tensor('int64', new BigInt64Array(dims.reduce((product, dimension) => product * dimension, 1)).fill(1n), dims);
}
