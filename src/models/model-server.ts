/**
 * Implements the model port: queues for each model, a pool of worker threads for all of them. A call waits in its model's queue until a batch
 * is ready, it is that batch's turn (execution-shares.ts), and a worker has room; what comes back depends on the item alone (SEMANTICS.md,
 * rule 6), so that batching is invisible.
 */
import type { Clock } from '../core/clock.ts';
import { modelError } from '../core/errors/model.ts';
import { createBatchOrder } from './batch-order.ts';
import { defaultWorkerCount } from './cpu-limit.ts';
import { requireProviders } from './execution-providers.ts';
import { createModelLifecycle, nextKey, type LifecycleObserver, type ModelLifecycle } from './model-lifecycle.ts';
import { estimatedMemoryBytes, requireFit } from './model-memory.ts';
import type { Models, ModelState, Priority } from './model-port.ts';
import { runItem } from './model-requests.ts';
import { pluginUrl, type PluginUrls } from './plugins/plugin-urls.ts';
import type { PreprocessorSettings } from './preprocessing/preprocessors.ts';
import { openModelRepository, type ModelBinding, type ModelRepository } from './repository.ts';
import { createServedModel, failItems, failQueued, traitsOf, type Item, type LimitOptions, type ServedModel } from './served-model.ts';
import { inferenceWorkerEntry, startInferenceWorker, type WorkerEntry } from './worker-handle.ts';
import { startWorkerPool, type PoolBatch, type WorkerPool } from './worker-pool.ts';
import { unpackOutcomes, type RunReply, type WorkerModel } from './worker-protocol.ts';

export type ModelServerObserver = LifecycleObserver & {
  /** `durationMs` was spent in the worker; `failedItems` failed by an error of their own. */
  readonly batchCompleted?: (batch: { readonly model: string; readonly items: number; readonly failedItems: number; readonly durationMs: number }) => void;
  /** A worker thread ended and is replaced; `batchItems` of the batch that it ran are tried again. */
  readonly workerDied?: (death: { readonly batchItems: number }) => void;
  readonly overloaded?: (refusal: { readonly model: string; readonly priority: Priority }) => void;
};

export type ModelServerOptions = LimitOptions & {
  readonly models: readonly ModelBinding[];
  readonly clock: Clock;
  /** Undefined: the usable cores, at most 2. */
  readonly workerCount?: number | undefined;
  /** Share of the execution time that the stream has for sure while there is interactive work; a quarter without it. */
  readonly streamShareMin?: number | undefined;
  /** Of all loaded models, as estimated (model-memory.ts). */
  readonly memoryBytesMax?: number | undefined;
  readonly preprocessing?: PreprocessorSettings | undefined;
  /** For the models that they run. */
  readonly plugins?: PluginUrls | undefined;
  readonly observer?: ModelServerObserver | undefined;
  /** What the workers run; the tests put faults in front of it. */
  readonly workerEntry?: WorkerEntry | undefined;
};

export type ModelStatus = {
  /** That it serves; the first is the one that it is known by. */
  readonly tasks: readonly string[];
  readonly input: 'text' | 'values' | 'image' | 'audio';
  readonly inputFields: readonly string[];
  readonly state: ModelState;
  /** Why it is not loaded, where its last load failed. */
  readonly error?: Error | undefined;
  /** An estimate; 0 while it is not loaded. */
  readonly memoryBytes: number;
  /** Items that wait, by priority. */
  readonly queuedItems: Readonly<Record<Priority, number>>;
};

export type ModelServer = Models & {
  /** Reject with LS_MODEL_UNKNOWN, and with what is wrong with the model (model-lifecycle.ts). */
  readonly load: (name: string) => Promise<void>;
  readonly unload: (name: string) => Promise<void>;
  readonly reload: (name: string) => Promise<void>;
  /** Of models that serve a task, in the order of the configuration. */
  readonly namesFor: (task: string) => readonly string[];
  readonly status: () => ReadonlyMap<string, ModelStatus>;
  /** Fails what waits and what runs with LS_MODEL_CLOSED, and resolves when every worker has ended. */
  readonly close: () => Promise<void>;
};

const streamShareMinDefault = 0.25;

/** Rejects, leaving nothing running, with the LS_MODEL_* error of the first model that cannot be served. */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { clock, observer = {}, memoryBytesMax } = options;
  const workerCount = options.workerCount ?? (await defaultWorkerCount());
  const startedMs = clock.elapsedMs();
  const { served, models } = await bindModels(options, workerCount);
  const parts: Parts = { served, options, refusal: undefined };
  const pool = await startPool(parts, workerCount, models, () => lifecycle.lessWork());
  const lifecycle = createModelLifecycle({ ...options, served, pool, workerCount, memoryBytesMax, observer, closed: () => parts.closed });
  for (const [name, { lifecycle: now }] of served) {
    observer.stateChanged?.({ model: name, state: now.state });
    if (now.state === 'ready') observer.loaded?.({ model: name, durationMs: clock.elapsedMs() - startedMs, memoryBytes: now.instance.memoryBytes });
  }
  const namesByTask = groupedByTask(served);
  return {
    describe: (name) => servedAs(served, name).traits.description,
    run: async (name, input, { signal, priority = 'stream' }) => {
      const model = servedAs(served, name);
      return runItem({ model, input, signal, priority }, { refusal: () => parts.refusal, clock, lifecycle, observer, pump: pool.pump });
    },
    ...operationsOf(served, lifecycle),
    namesFor: (task) => namesByTask.get(task) ?? [],
    status: () => new Map([...served].map(([name, model]) => [name, statusOf(model)])),
    close: async () => {
      const closed = modelError('LS_MODEL_CLOSED', 'the model server is closed');
      parts.closed = closed;
      parts.refusal = closed;
      for (const model of served.values()) failQueued(model, closed);
      await pool.close(closed);
      lifecycle.lessWork();
    },
  };
}

/** What models serve does not change while the server runs, and every request of a task asks for it. */
function groupedByTask(served: ReadonlyMap<string, ServedModel>): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const [name, { traits }] of served) {
    for (const task of traits.tasks) names.set(task, [...(names.get(task) ?? []), name]);
  }
  return names;
}

type Parts = {
  readonly served: ReadonlyMap<string, ServedModel>;
  readonly options: ModelServerOptions;
  /** Why no item is taken at present, if so. */
  refusal: Error | undefined;
  closed?: Error;
};

/** Every model is read and hashed, whether it is loaded at the start or later: what is wrong with it is known before the first event. */
async function bindModels(options: ModelServerOptions, workerCount: number): Promise<{ readonly served: Map<string, ServedModel>; readonly models: readonly WorkerModel[] }> {
  for (const { executionProviders } of options.models) await requireProviders(executionProviders);
  const repository = await openModelRepository(options.models);
  requireRoom(repository, options, workerCount);
  const served = new Map<string, ServedModel>();
  const models: WorkerModel[] = [];
  for (const binding of options.models) {
    const artefacts = repository.get(binding.name);
    if (artefacts === undefined) continue;
    if (artefacts.kind === 'plugin') pluginUrl(artefacts.manifest, options.plugins ?? new Map());
    const instance = { key: nextKey(binding.name), memoryBytes: estimatedMemoryBytes(artefacts, workerCount) };
    const isLoaded = binding.preload !== false;
    served.set(binding.name, createServedModel(binding, traitsOf(binding, artefacts.manifest, options), isLoaded ? { state: 'ready', instance } : { state: 'unloaded' }));
    if (isLoaded) models.push({ name: instance.key, artefacts, executionProviders: binding.executionProviders });
  }
  return { served, models };
}

function requireRoom(repository: ModelRepository, { models, memoryBytesMax }: ModelServerOptions, workerCount: number): void {
  for (const [name, artefacts] of repository) requireFit(name, estimatedMemoryBytes(artefacts, workerCount), memoryBytesMax);
  const preloaded = models.flatMap(({ name, preload }) => (preload === false ? [] : (repository.get(name) ?? [])));
  const bytes = preloaded.reduce((total, artefacts) => total + estimatedMemoryBytes(artefacts, workerCount), 0);
  if (memoryBytesMax === undefined || bytes <= memoryBytesMax) return;
  const message = `the models that are loaded at the start take about ${bytes} bytes together; inference.memoryBytesMax is ${memoryBytesMax}`;
  throw modelError('LS_MODEL_MEMORY', message, { memoryBytes: bytes, memoryBytesMax });
}

function startPool(parts: Parts, workerCount: number, models: readonly WorkerModel[], lessWork: () => void): Promise<WorkerPool> {
  const { served, options } = parts;
  const { clock, preprocessing = {}, plugins, observer = {}, workerEntry = inferenceWorkerEntry } = options;
  const order = createBatchOrder(served, options.streamShareMin ?? streamShareMinDefault);
  const settled = (model: string, items: number): void => {
    const of = served.get(model);
    if (of !== undefined) of.runningItems -= items;
    lessWork();
  };
  return startWorkerPool<Item>({
    workerCount,
    clock,
    models,
    start: (resident) => startInferenceWorker({ models: resident, preprocessing, plugins, testKnownAnswers: true }, workerEntry),
    next: () => order.next(clock.elapsedMs()),
    dueAtMs: order.dueAtMs,
    request: ({ model, items }) => ({ model: instanceOf(served, model), inputs: items.map(({ input }) => input) }),
    succeeded: (batch, reply) => {
      order.ended(batch, reply.durationMs);
      settleBatch(batch, reply, observer);
      settled(batch.model, batch.items.length);
    },
    failed: (model, items, error) => {
      failItems(items, error);
      settled(model, items.length);
    },
    availability: (unavailable) => {
      if (parts.closed !== undefined) return;
      parts.refusal = unavailable;
      if (unavailable !== undefined) for (const model of served.values()) failQueued(model, unavailable);
      lessWork();
    },
    workerDied: (batchItems) => observer.workerDied?.({ batchItems }),
  });
}

/** What the workers know the model as now. Nothing runs while it is not loaded. */
function instanceOf(served: ReadonlyMap<string, ServedModel>, name: string): string {
  const lifecycle = served.get(name)?.lifecycle;
  return lifecycle?.state === 'ready' || lifecycle?.state === 'unloading' ? lifecycle.instance.key : '';
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

function servedAs(served: ReadonlyMap<string, ServedModel>, name: string): ServedModel {
  const found = served.get(name);
  if (found !== undefined) return found;
  const names = [...served.keys()].join(', ') || 'none';
  throw modelError('LS_MODEL_UNKNOWN', `no model is bound to ${JSON.stringify(name)}; bound are: ${names}`, { model: name });
}

function operationsOf(served: ReadonlyMap<string, ServedModel>, lifecycle: ModelLifecycle): Pick<ModelServer, 'load' | 'unload' | 'reload'> {
  return {
    load: async (name) => lifecycle.load(servedAs(served, name)),
    unload: async (name) => lifecycle.unload(servedAs(served, name)),
    reload: async (name) => lifecycle.reload(servedAs(served, name)),
  };
}

function statusOf({ lifecycle, queues, draining, traits }: ServedModel): ModelStatus {
  const waiting = (priority: Priority): number => queues[priority].size().items + (draining?.[priority].size().items ?? 0);
  return {
    tasks: traits.tasks,
    input: traits.input,
    inputFields: traits.inputFields,
    state: lifecycle.state,
    error: lifecycle.state === 'failed' ? lifecycle.error : undefined,
    memoryBytes: lifecycle.state === 'ready' || lifecycle.state === 'unloading' ? lifecycle.instance.memoryBytes : 0,
    queuedItems: { interactive: waiting('interactive'), stream: waiting('stream') },
  };
}
