/**
 * One model in one thread: an onnxruntime session and what is done before and after it. Called inside a worker, because a run blocks the
 * thread. Every item has its own outcome; whatever is wrong with one never touches its neighbours.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError, type ModelErrorCode } from '../core/errors/model.ts';
import { packBatch, planBatches, type ExecutedBatch, type TensorValue } from './executed-batch.ts';
import { outputWidth } from './manifest.ts';
import type { ModelInput } from './model-port.ts';
import { prepareInput, type PreparedInput } from './prepare-input.ts';
import type { ModelArtefacts } from './repository.ts';

export type ItemFailure = {
  readonly code: ModelErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string | number | bigint | boolean>>;
};

/** `output` where there is no failure. */
export type ItemOutcome = { readonly output: Float32Array } | { readonly failure: ItemFailure };

export type Inference = {
  /** Element i is the outcome of input i. `batchSizes` restricts the sizes executed, for proofs; normally all of the manifest's. */
  readonly run: (inputs: readonly ModelInput[], batchSizes?: readonly number[]) => Promise<ItemOutcome[]>;
  readonly release: () => Promise<void>;
};

/** Rejects with LS_MODEL_LOAD. */
export async function openInference(artefacts: ModelArtefacts): Promise<Inference> {
  const session = await createSession(artefacts);
  checkPorts(session, artefacts);
  return {
    run: (inputs, batchSizes = artefacts.manifest.executedShapes.batchSizes) => runItems(session, artefacts, inputs, batchSizes),
    release: () => session.release(),
  };
}

async function createSession({ directory, manifest, modelBytes, externalData }: ModelArtefacts): Promise<InferenceSession> {
  try {
    // onnxruntime takes no shared memory, so each session is made from a copy of its own, which is garbage afterwards.
    return await InferenceSession.create(Uint8Array.from(modelBytes), {
      executionProviders: ['cpu'],
      // One thread per session: sums then have one order, and the workers together use the cores.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 4,
      externalData: externalData.map(({ path, bytes }) => ({ path, data: Uint8Array.from(bytes) })),
    });
  } catch (error) {
    const message = `onnxruntime cannot load ${manifest.model} in ${directory}: ${messageOf(error)}`;
    throw modelError('LS_MODEL_LOAD', message, { directory, file: manifest.model }, { cause: error });
  }
}

type PortNeeded = { readonly side: 'input' | 'output'; readonly name: string; readonly type: string; readonly lastDimension?: number };

function portsNeeded({ manifest }: ModelArtefacts): PortNeeded[] {
  const { preprocessing, postprocessing } = manifest;
  const output: PortNeeded = { side: 'output', name: postprocessing.output, type: 'float32', lastDimension: outputWidth(manifest) };
  if (preprocessing.kind === 'values') {
    return [{ side: 'input', name: preprocessing.input, type: 'float32', lastDimension: preprocessing.fields.length }, output];
  }
  return [{ side: 'input', name: 'ids', type: 'int64' }, { side: 'input', name: 'weights', type: 'float32' }, output];
}

/** Refuses a model whose ports are not those of its manifest, before the first item finds out. */
function checkPorts(session: InferenceSession, artefacts: ModelArtefacts): void {
  const { directory, manifest } = artefacts;
  const refuse = (message: string): never => {
    throw modelError('LS_MODEL_LOAD', `${manifest.model} in ${directory}: ${message}`, { directory, file: manifest.model });
  };
  const needed = portsNeeded(artefacts);
  for (const name of session.inputNames) {
    if (!needed.some((port) => port.side === 'input' && port.name === name)) refuse(`the model has an input ${name} that the manifest knows nothing of`);
  }
  for (const { side, name, type, lastDimension } of needed) {
    const metadata = (side === 'input' ? session.inputMetadata : session.outputMetadata).find((port) => port.name === name);
    if (metadata?.isTensor !== true) return refuse(`the model has no ${side} ${name}`);
    if (metadata.type !== type) refuse(`the ${side} ${name} is ${metadata.type}, not ${type}`);
    const last = metadata.shape.at(-1);
    if (metadata.shape.length !== 2) refuse(`the ${side} ${name} has ${metadata.shape.length} dimensions, not 2`);
    if (lastDimension !== undefined && typeof last === 'number' && last > 0 && last !== lastDimension) {
      refuse(`the ${side} ${name} has ${last} numbers per item; the manifest has ${lastDimension}`);
    }
    const batch = metadata.shape[0];
    if (typeof batch === 'number' && batch > 0 && manifest.executedShapes.batchSizes.some((size) => size !== batch)) {
      refuse(`the ${side} ${name} has a fixed batch of ${batch}; executedShapes.batchSizes must be [${batch}]`);
    }
  }
}

async function runItems(
  session: InferenceSession,
  artefacts: ModelArtefacts,
  inputs: readonly ModelInput[],
  batchSizes: readonly number[],
): Promise<ItemOutcome[]> {
  const outcomes: ItemOutcome[] = [];
  const prepared = inputs.map((input, index): PreparedInput | undefined => {
    try {
      return prepareInput(input, artefacts.manifest);
    } catch (error) {
      outcomes[index] = { failure: failureOf(error) };
      return undefined;
    }
  });
  for (const batch of planBatches(prepared, batchSizes)) {
    const results = await runBatch(session, artefacts, prepared, batch);
    for (const [row, outcome] of results.entries()) outcomes[batch.items[row] ?? -1] = outcome;
  }
  return outcomes;
}

/** Where onnxruntime fails on a batch, each of its items is tried alone, in the same shape: the others must not suffer. */
async function runBatch(
  session: InferenceSession,
  artefacts: ModelArtefacts,
  prepared: readonly (PreparedInput | undefined)[],
  batch: ExecutedBatch,
): Promise<ItemOutcome[]> {
  const { preprocessing, postprocessing } = artefacts.manifest;
  const items = batch.items.flatMap((index) => prepared[index] ?? []);
  try {
    const packed = packBatch(items, batch, preprocessing.kind === 'values' ? preprocessing.input : '');
    const feeds = Object.fromEntries(Object.entries(packed).map(([name, value]) => [name, tensorOf(value)]));
    const results = await session.run(feeds, [postprocessing.output]);
    return splitRows(results[postprocessing.output], items.length, batch.batchSize, artefacts);
  } catch (error) {
    if (batch.items.length > 1) {
      const outcomes: ItemOutcome[] = [];
      for (const item of batch.items) outcomes.push(...(await runBatch(session, artefacts, prepared, { ...batch, items: [item] })));
      return outcomes;
    }
    return [{ failure: { code: 'LS_MODEL_RUN', message: `onnxruntime failed on this item: ${messageOf(error)}`, details: {} } }];
  }
}

function tensorOf(value: TensorValue): Tensor {
  return value.type === 'int64' ? new Tensor('int64', value.data, value.dims) : new Tensor('float32', value.data, value.dims);
}

function splitRows(result: Tensor | undefined, items: number, batchSize: number, { manifest }: ModelArtefacts): ItemOutcome[] {
  const width = outputWidth(manifest);
  const data = result?.data;
  if (!(data instanceof Float32Array) || data.length !== batchSize * width) {
    const found = result === undefined ? 'nothing' : `${result.type} [${result.dims.join(', ')}]`;
    const message = `the output is ${found}, not float32 [${batchSize}, ${width}]`;
    return Array.from({ length: items }, () => ({ failure: { code: 'LS_MODEL_OUTPUT', message, details: {} } }));
  }
  return Array.from({ length: items }, (_, row) => {
    const output = data.slice(row * width, (row + 1) * width);
    const bad = output.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return { output };
    return { failure: { code: 'LS_MODEL_OUTPUT_NOT_FINITE', message: `number ${bad} of the output is ${output[bad] ?? ''}`, details: { index: bad } } };
  });
}

export function failureOf(error: unknown): ItemFailure {
  if (error instanceof LabelstreamError) return { code: error.code as ModelErrorCode, message: error.message, details: error.details };
  return { code: 'LS_MODEL_RUN', message: messageOf(error), details: {} };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
