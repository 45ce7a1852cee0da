/**
 * One model in one thread: an onnxruntime session and what is done before and after it. Called inside a worker, because a run blocks the
 * thread. Every item has its own outcome; whatever is wrong with one never touches its neighbours.
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { isErrorCode, type ErrorCode } from '../core/errors/catalogue.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError } from '../core/errors/model.ts';
import { packBatch, planBatches, type ExecutedBatch, type TensorValue } from './executed-batch.ts';
import { defaultExecutionProviders, type ExecutionProvider } from './execution-providers.ts';
import { floatsOf, halved } from './half-tensor.ts';
import { createItemResults, type ItemResults } from './item-results.ts';
import type { ModelAnswer, ModelInput } from './model-port.ts';
import { createSession } from './onnx-session.ts';
import { createPreprocessor, type PreprocessorResources } from './preprocessing/preprocessors.ts';
import type { InputPort, PreparedInput, Preprocessor } from './preprocessing/preprocessor.ts';
import type { GraphArtefacts } from './repository.ts';

export type ItemFailure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | bigint | boolean>>;
};

/** Where there is no failure: a row of numbers, or an answer: from a transformer, or the boxes of a graph. */
export type ItemOutcome = { readonly output: Float32Array } | { readonly answer: ModelAnswer } | { readonly failure: ItemFailure };

/** The numbers of each item, or why it has none. */
type PreparedItem = { readonly prepared: PreparedInput } | { readonly failure: ItemFailure };

export type Inference = {
  /** Never rejects. Images are decoded in other threads: while a batch is executed, the next one can be prepared. */
  readonly prepare: (inputs: readonly ModelInput[]) => Promise<readonly PreparedItem[]>;
  readonly execute: (items: readonly PreparedItem[], batchSizes?: readonly number[]) => Promise<ItemOutcome[]>;
  /** Both. Element i is the outcome of input i. `batchSizes` restricts the sizes executed, for proofs; normally all of the manifest's. */
  readonly run: (inputs: readonly ModelInput[], batchSizes?: readonly number[]) => Promise<ItemOutcome[]>;
  /** One batch of exactly this shape: the item, padded to the length, and nothing beside it. */
  readonly executeShape: (item: PreparedInput | undefined, shape: Omit<ExecutedBatch, 'items'>) => Promise<ItemOutcome | undefined>;
  readonly release: () => Promise<void>;
};

/** What a run needs of an opened model. */
type OpenModel = {
  readonly session: InferenceSession;
  readonly preprocessor: Preprocessor;
  readonly results: ItemResults;
  /** Ports of the graph that read float16. */
  readonly halfPorts: ReadonlySet<string>;
  readonly executed: () => void;
};

export type InferenceOptions = {
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
  /** Called after every batch. */
  readonly executed?: () => void;
};

/** Rejects with LS_MODEL_LOAD, or LS_MODEL_PROVIDER where another provider than the CPU was asked for. */
export async function openInference(
  artefacts: GraphArtefacts,
  resources?: PreprocessorResources,
  { executionProviders = defaultExecutionProviders, executed = () => undefined }: InferenceOptions = {},
): Promise<Inference> {
  const preprocessor = createPreprocessor(artefacts, resources);
  const { directory, manifest, graph } = artefacts;
  const session = await createSession(graph, { directory, executionProviders, dequantise: manifest.dequantise });
  const results = createItemResults(manifest);
  checkPorts(session, artefacts, preprocessor.ports, results.outputs);
  const halfPorts = new Set(session.inputMetadata.flatMap((port) => (port.isTensor && port.type === 'float16' ? [port.name] : [])));
  const model = { session, preprocessor, results, halfPorts, executed };
  const prepare: Inference['prepare'] = (inputs) => Promise.all(inputs.map((input) => prepareItem(preprocessor, input)));
  const execute: Inference['execute'] = (items, batchSizes = artefacts.manifest.executedShapes.batchSizes) => executeItems(model, items, batchSizes);
  return {
    prepare,
    execute,
    run: async (inputs, batchSizes) => execute(await prepare(inputs), batchSizes),
    executeShape: async (item, shape) => (await runBatch(model, [item], { ...shape, items: item === undefined ? [] : [0] }))[0],
    release: () => session.release(),
  };
}

type Refuse = (message: string) => never;

/** Refuses a model whose ports are not those of its manifest, before the first item finds out. */
function checkPorts(session: InferenceSession, { directory, manifest }: GraphArtefacts, ports: readonly InputPort[], outputs: ItemResults['outputs']): void {
  const refuse: Refuse = (message) => {
    throw modelError('LS_MODEL_LOAD', `${manifest.model} in ${directory}: ${message}`, { directory, file: manifest.model });
  };
  for (const name of session.inputNames) {
    if (!ports.some((port) => port.name === name)) refuse(`the model has an input ${name} that the manifest knows nothing of`);
  }
  const { batchSizes } = manifest.executedShapes;
  for (const { name, type, itemDimensions } of ports) {
    const metadata = tensorPort(session, 'input', name, refuse);
    if (metadata.type !== type && !(type === 'float32' && metadata.type === 'float16')) refuse(`the input ${name} is ${metadata.type}, not ${type}`);
    checkShape(`the input ${name}`, metadata.shape, itemDimensions, refuse);
    checkBatch(`the input ${name}`, metadata.shape[0], batchSizes, refuse);
  }
  for (const output of outputs) {
    const port = `the output ${output.name}`;
    const metadata = tensorPort(session, 'output', output.name, refuse);
    if (metadata.type !== 'float32' && metadata.type !== 'float16') refuse(`${port} is ${metadata.type}, not float32`);
    checkOutputWidth(port, metadata.shape, output, refuse);
    checkBatch(port, metadata.shape[0], batchSizes, refuse);
  }
}

type TensorPort = { readonly type: string; readonly shape: readonly (number | string)[] };

function tensorPort(session: InferenceSession, side: 'input' | 'output', name: string, refuse: Refuse): TensorPort {
  const metadata = (side === 'input' ? session.inputMetadata : session.outputMetadata).find((port) => port.name === name);
  return metadata?.isTensor === true ? metadata : refuse(`the model has no ${side} ${name}`);
}

const isFixed = (dimension: number | string | undefined): dimension is number => typeof dimension === 'number' && dimension > 0;

function checkShape(port: string, shape: TensorPort['shape'], itemDimensions: InputPort['itemDimensions'], refuse: Refuse): void {
  if (shape.length !== itemDimensions.length + 1) refuse(`${port} has ${shape.length} dimensions, not ${itemDimensions.length + 1}`);
  for (const [index, needed] of itemDimensions.entries()) {
    const found = shape[index + 1];
    if (isFixed(found) && typeof needed === 'number' && found !== needed) refuse(`${port} has ${found} numbers in dimension ${index + 1}; the manifest has ${needed}`);
  }
}

function checkBatch(port: string, batch: number | string | undefined, batchSizes: readonly number[], refuse: Refuse): void {
  if (!isFixed(batch) || batchSizes.every((size) => size === batch)) return;
  refuse(`${port} has a fixed batch of ${batch}; executedShapes.batchSizes must be [${batch}]`);
}

/** What is not fixed in the graph is seen when it runs. */
function checkOutputWidth(port: string, shape: TensorPort['shape'], { width, perToken }: ItemResults['outputs'][number], refuse: Refuse): void {
  const dimensions = shape.slice(1);
  const [found, needed] = perToken === undefined ? [dimensions, width(0)] : [dimensions.slice(-1), perToken];
  if (!found.every(isFixed)) return;
  const numbers = found.reduce((product, dimension) => product * dimension, 1);
  if (numbers !== needed) refuse(`${port} has ${numbers} numbers ${perToken === undefined ? 'per item' : 'per token'}; the manifest has ${needed}`);
}

async function prepareItem(preprocessor: Preprocessor, input: ModelInput): Promise<PreparedItem> {
  try {
    return { prepared: await preprocessor.prepare(input) };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

async function executeItems(model: OpenModel, items: readonly PreparedItem[], batchSizes: readonly number[]): Promise<ItemOutcome[]> {
  const outcomes: ItemOutcome[] = [];
  const prepared = items.map((item) => ('prepared' in item ? item.prepared : undefined));
  for (const [index, item] of items.entries()) if ('failure' in item) outcomes[index] = { failure: item.failure };
  for (const batch of planBatches(prepared, batchSizes)) {
    const results = await runBatch(model, prepared, batch);
    for (const [row, outcome] of results.entries()) outcomes[batch.items[row] ?? -1] = outcome;
  }
  return outcomes;
}

/** Where onnxruntime fails on a batch, each of its items is tried alone, in the same shape: the others must not suffer. */
async function runBatch(model: OpenModel, prepared: readonly (PreparedInput | undefined)[], batch: ExecutedBatch): Promise<ItemOutcome[]> {
  const { session, preprocessor, results, halfPorts, executed } = model;
  const items = batch.items.flatMap((index) => prepared[index] ?? []);
  try {
    const packed = packBatch(items, batch, preprocessor.ports);
    const feeds = Object.fromEntries(Object.entries(packed).map(([name, value]) => [name, tensorOf(value, halfPorts.has(name))]));
    const found = await session.run(feeds, results.outputs.map(({ name }) => name)).finally(executed);
    return splitRows(found, items, batch, results);
  } catch (error) {
    if (batch.items.length > 1) {
      const outcomes: ItemOutcome[] = [];
      for (const item of batch.items) outcomes.push(...(await runBatch(model, prepared, { ...batch, items: [item] })));
      return outcomes;
    }
    return [{ failure: { code: 'LS_MODEL_RUN', message: `onnxruntime failed on this item: ${messageOf(error)}`, details: {} } }];
  }
}

function tensorOf(value: TensorValue, isHalf: boolean): Tensor {
  if (value.type === 'int64') return new Tensor('int64', value.data, value.dims);
  if (isHalf) return halved(value.data, value.dims);
  return new Tensor('float32', value.data, value.dims);
}

function splitRows(found: Readonly<Record<string, Tensor>>, items: readonly PreparedInput[], { batchSize, length }: ExecutedBatch, { outputs, result }: ItemResults): ItemOutcome[] {
  const columns: { readonly data: Float32Array; readonly width: number }[] = [];
  for (const output of outputs) {
    const tensor = found[output.name];
    const width = output.width(length);
    const data = floatsOf(tensor);
    if (data?.length !== batchSize * width) {
      const given = tensor === undefined ? 'nothing' : `${tensor.type} [${tensor.dims.join(', ')}]`;
      const message = `the output ${output.name} is ${given}, not float32 with ${width} numbers for each of ${batchSize} items`;
      return items.map(() => ({ failure: { code: 'LS_MODEL_OUTPUT', message, details: {} } }));
    }
    columns.push({ data, width });
  }
  return items.map((item, row): ItemOutcome => {
    try {
      const made = result(columns.map(({ data, width }) => data.subarray(row * width, (row + 1) * width)), item);
      return made instanceof Float32Array ? { output: made } : { answer: made };
    } catch (error) {
      return { failure: failureOf(error) };
    }
  });
}

export function failureOf(error: unknown): ItemFailure {
  if (error instanceof LabelstreamError && isErrorCode(error.code)) return { code: error.code, message: error.message, details: error.details };
  return { code: 'LS_MODEL_RUN', message: messageOf(error), details: {} };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
