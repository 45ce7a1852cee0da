/**
 * Implements the model port: one queue per model, a pool of worker threads for all of them. A call waits in its model's queue until a batch
 * is ready and a worker has room; what comes back depends on the item alone (SEMANTICS.md, rule 6), so that batching is invisible.
 */
import type { Clock } from '../core/clock.ts';
import { catalogueError } from '../core/errors/catalogue.ts';
import { modelError } from '../core/errors/model.ts';
import { createBatchScheduler, type BatchLimits, type BatchScheduler, type Queued } from './batch-scheduler.ts';
import { defaultWorkerCount } from './cpu-limit.ts';
import type { ItemOutcome } from './inference.ts';
import { inputKindOf } from './manifest.ts';
import type { ModelDescription, ModelInput, ModelOutput, Models } from './model-port.ts';
import { lengthEstimator, type PreprocessorSettings } from './preprocessing/preprocessors.ts';
import { openModelRepository, type ModelArtefacts, type ModelBinding } from './repository.ts';
import { inferenceWorkerEntry, startInferenceWorker, type WorkerEntry } from './worker-handle.ts';
import { startWorkerPool, type PoolBatch } from './worker-pool.ts';
import { unpackOutcomes, type RunReply } from './worker-protocol.ts';

type ModelServerObserver = {
  /** `durationMs` was spent in the worker; `failedItems` failed by an error of their own. */
  readonly batchCompleted?: (batch: { readonly model: string; readonly items: number; readonly failedItems: number; readonly durationMs: number }) => void;
  /** A worker thread ended and is replaced; `batchItems` of the batch that it ran are tried again. */
  readonly workerDied?: (death: { readonly batchItems: number }) => void;
  readonly overloaded?: (refusal: { readonly model: string }) => void;
};

/** Of each model's queue, and the largest single item. */
type QueueLimits = Omit<BatchLimits, 'batchItemsMax'> & { readonly itemBytesMax: number };

const queueLimitsDefault = {
  batchBytesMax: 1024 * 1024,
  /** 16 items of 1024: the largest shape that the bundled models list. */
  paddedCostMax: 16_384,
  lingerMsMax: 2,
  queueItemsMax: 4_096,
  queueBytesMax: 64 * 1024 * 1024,
  itemBytesMax: 1024 * 1024,
} as const satisfies QueueLimits;

/** Encoded images: a batch of 16 photographs, and as many bytes in the queue as EXTRACT has in work. */
const imageLimitsDefault = {
  batchBytesMax: 64 * 1024 * 1024,
  queueBytesMax: 128 * 1024 * 1024,
  itemBytesMax: 16 * 1024 * 1024,
} as const satisfies Partial<QueueLimits>;

export type ModelServerOptions = {
  readonly models: readonly ModelBinding[];
  readonly clock: Clock;
  /** Undefined: the usable cores, at most 2. */
  readonly workerCount?: number | undefined;
  readonly limits?: Partial<QueueLimits> | undefined;
  /** Instead of itemBytesMax, for models that read images. */
  readonly imageBytesMax?: number | undefined;
  readonly preprocessing?: PreprocessorSettings | undefined;
  readonly observer?: ModelServerObserver | undefined;
  /** What the workers run; the tests put faults in front of it. */
  readonly workerEntry?: WorkerEntry | undefined;
};

export type ModelServer = Models & {
  /** Items that wait in the queues, by model. */
  readonly queuedItems: () => ReadonlyMap<string, number>;
  /** Fails what waits and what runs with LS_MODEL_CLOSED, and resolves when every worker has ended. */
  readonly close: () => Promise<void>;
};

type Item = Queued & {
  readonly input: ModelInput;
  readonly settle: (outcome: ItemOutcome | { readonly error: Error }) => void;
};

type Bound = {
  readonly description: ModelDescription;
  readonly queue: BatchScheduler<Item>;
  readonly itemBytesMax: number;
  readonly estimateLength: (input: ModelInput) => number;
};

/** Rejects, leaving nothing running, with the LS_MODEL_* error of the first model that cannot be served. */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { clock, observer = {} } = options;
  const repository = await openModelRepository(options.models);
  const bound = new Map([...repository].map(([name, artefacts]) => [name, bind(name, artefacts, limitsFor(artefacts, options))]));
  const state: ServerState = { refusal: undefined };
  const pool = await startWorkerPool<Item>({
    workerCount: options.workerCount ?? (await defaultWorkerCount()),
    clock,
    start: () => {
      const models = [...repository].map(([name, artefacts]) => ({ name, artefacts }));
      return startInferenceWorker({ models, preprocessing: options.preprocessing ?? {}, testKnownAnswers: true }, options.workerEntry ?? inferenceWorkerEntry);
    },
    next: () => nextBatch(bound, clock.elapsedMs()),
    dueAtMs: () => nextDueAtMs(bound),
    request: ({ model, items }) => ({ model, inputs: items.map(({ input }) => input) }),
    succeeded: (batch, reply) => settleBatch(batch, reply, observer),
    failed: (items, error) => failItems(items, error),
    availability: (unavailable) => {
      state.refusal = unavailable;
      if (unavailable !== undefined) for (const { queue } of bound.values()) failItems(queue.drain(), unavailable);
    },
    workerDied: (batchItems) => observer.workerDied?.({ batchItems }),
  });
  return {
    describe: (name) => boundTo(bound, name).description,
    run: (name, input, signal) => runItem({ name, input, signal, bound, state, clock, observer, pump: pool.pump }),
    queuedItems: () => new Map([...bound].map(([name, { queue }]) => [name, queue.size().items])),
    close: async () => {
      const closed = modelError('LS_MODEL_CLOSED', 'the model server is closed');
      state.refusal = closed;
      for (const { queue } of bound.values()) failItems(queue.drain(), closed);
      await pool.close(closed);
    },
  };
}

/** Why no item is taken at present, if so. */
type ServerState = { refusal: Error | undefined };

function limitsFor({ manifest }: ModelArtefacts, { limits, imageBytesMax }: ModelServerOptions): QueueLimits {
  if (inputKindOf(manifest) !== 'image') return { ...queueLimitsDefault, ...limits };
  const image = imageBytesMax === undefined ? imageLimitsDefault : { ...imageLimitsDefault, itemBytesMax: imageBytesMax };
  return { ...queueLimitsDefault, ...image, ...limits };
}

function bind(name: string, artefacts: ModelArtefacts, limits: QueueLimits): Bound {
  const { manifest } = artefacts;
  const { executedShapes, postprocessing } = manifest;
  return {
    description: Object.freeze({
      name,
      model: manifest.name,
      task: manifest.task,
      version: manifest.version,
      labels: Object.freeze([...manifest.labels]),
      dimensions: postprocessing.kind === 'vector' ? postprocessing.dimensions : 0,
      reproducible: manifest.reproducible,
    }),
    itemBytesMax: limits.itemBytesMax,
    queue: createBatchScheduler<Item>({ ...limits, batchItemsMax: executedShapes.batchSizes.at(-1) ?? 1 }),
    estimateLength: lengthEstimator(manifest),
  };
}

function boundTo(bound: ReadonlyMap<string, Bound>, name: string): Bound {
  const found = bound.get(name);
  if (found !== undefined) return found;
  const names = [...bound.keys()].join(', ') || 'none';
  throw modelError('LS_MODEL_UNKNOWN', `no model is bound to ${JSON.stringify(name)}; bound are: ${names}`, { model: name });
}

type RunCall = {
  readonly name: string;
  readonly input: ModelInput;
  readonly signal: AbortSignal;
  readonly bound: ReadonlyMap<string, Bound>;
  readonly state: ServerState;
  readonly clock: Clock;
  readonly observer: ModelServerObserver;
  readonly pump: () => void;
};

async function runItem({ name, input, signal, bound, state, clock, observer, pump }: RunCall): Promise<ModelOutput> {
  const { description, queue, itemBytesMax, estimateLength } = boundTo(bound, name);
  if (state.refusal !== undefined) throw state.refusal;
  signal.throwIfAborted();
  const bytes = inputBytes(input);
  if (bytes > itemBytesMax) {
    const message = `an item for the model ${name} has about ${bytes} bytes; at most ${itemBytesMax} are taken`;
    throw modelError('LS_MODEL_INPUT', message, { model: name, bytes });
  }
  const settled = Promise.withResolvers<ItemOutcome | { readonly error: Error }>();
  const item: Item = { group: estimateLength(input), bytes, enqueuedAtMs: clock.elapsedMs(), input, settle: settled.resolve };
  if (!queue.offer(item)) {
    observer.overloaded?.({ model: name });
    throw modelError('LS_MODEL_OVERLOADED', `${queue.size().items} items wait for the model ${name} already`, { model: name });
  }
  const abort = (): void => {
    queue.remove(item);
    // An item that runs already is not interrupted; its result finds nobody.
    settled.reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  pump();
  try {
    const outcome = await settled.promise;
    if ('error' in outcome) throw outcome.error;
    if ('failure' in outcome) throw catalogueError(outcome.failure.code, `${name}: ${outcome.failure.message}`, { model: name, ...outcome.failure.details });
    return description.dimensions > 0 ? { kind: 'vector', vector: outcome.output } : { kind: 'scores', scores: outcome.output };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** About what the item occupies: encoded pixels, UTF-16 units, or names and doubles. */
function inputBytes(input: ModelInput): number {
  if (input.kind === 'image') return input.bytes.length;
  if (input.kind === 'text') return 2 * input.text.length;
  let bytes = 0;
  for (const field of Object.keys(input.values)) bytes += 2 * field.length + 8;
  return bytes;
}

/** Of all models, the batch that is ready longest. */
function nextBatch(bound: ReadonlyMap<string, Bound>, elapsedMs: number): PoolBatch<Item> | undefined {
  let oldest: { readonly model: string; readonly queue: BatchScheduler<Item>; readonly sinceMs: number } | undefined;
  for (const [model, { queue }] of bound) {
    const sinceMs = queue.readySinceMs(elapsedMs);
    if (sinceMs !== undefined && sinceMs < (oldest?.sinceMs ?? Number.POSITIVE_INFINITY)) oldest = { model, queue, sinceMs };
  }
  const items = oldest?.queue.take(elapsedMs);
  return oldest === undefined || items === undefined ? undefined : { model: oldest.model, items };
}

function nextDueAtMs(bound: ReadonlyMap<string, Bound>): number | undefined {
  const dueAtMs = Math.min(...[...bound.values()].map(({ queue }) => queue.dueAtMs() ?? Number.POSITIVE_INFINITY));
  return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs;
}

function settleBatch({ model, items }: PoolBatch<Item>, reply: RunReply, observer: ModelServerObserver): void {
  const outcomes = unpackOutcomes(reply);
  for (const [index, item] of items.entries()) {
    const outcome = outcomes[index];
    item.settle(outcome ?? { error: modelError('LS_MODEL_OUTPUT', `${model}: the worker gave no result for this item`, { model }) });
  }
  const failedItems = reply.failures.filter((failure) => failure !== null).length;
  observer.batchCompleted?.({ model, items: items.length, failedItems, durationMs: reply.durationMs });
}

function failItems(items: readonly Item[], error: Error): void {
  for (const item of items) item.settle({ error });
}
