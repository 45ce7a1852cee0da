/** One bound model on the main thread: what is known of it, whether it is loaded, and the queues in which its items wait. */
import { modelError } from '../core/errors/model.ts';
import { pluginError } from '../core/errors/plugin.ts';
import { createBatchScheduler, type BatchLimits, type BatchScheduler, type Queued } from './batch-scheduler.ts';
import type { ItemOutcome } from './inference.ts';
import { consumers, consumptionMistakes, type ConsumedModel, type Consumer, type Consumption } from './consumers.ts';
import { batchSizesOf, inputKindOf, tasksOf, type Manifest } from './manifest.ts';
import { priorities, type ModelDescription, type ModelInput, type Priority } from './model-port.ts';
import { lengthEstimator } from './preprocessing/preprocessors.ts';
import type { ModelBinding } from './repository.ts';

/** Of each queue (a model has one for each priority), and the largest single item. */
export type QueueLimits = Omit<BatchLimits, 'batchItemsMax'> & { readonly itemBytesMax: number };

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

export type LimitOptions = {
  readonly limits?: Partial<QueueLimits> | undefined;
  /** Instead of itemBytesMax, for models that read images or sound. */
  readonly imageBytesMax?: number | undefined;
};

export type Item = Queued & {
  /** Another one where the model is reloaded with other lengths. */
  group: number;
  readonly input: ModelInput;
  readonly priority: Priority;
  readonly settle: (outcome: ItemOutcome | { readonly error: Error }) => void;
};

export type ModelQueues = Readonly<Record<Priority, BatchScheduler<Item>>>;

/** What a model is loaded as in the workers. */
export type Instance = { readonly key: string; readonly memoryBytes: number };

/**
 *   unloaded ──> loading ──> ready ──> unloading ──> unloaded        A model that is reloaded stays ready: the old one serves until
 *                   └─> failed ──> loading, later                     the new one does.
 */
export type Lifecycle =
  | { readonly state: 'unloaded' }
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly instance: Instance }
  | { readonly state: 'unloading'; readonly instance: Instance }
  /** Requests before `retryAtMs` fail with the error; the first one after it loads the model again. */
  | { readonly state: 'failed'; readonly error: Error; readonly retryAtMs: number; readonly failures: number };

/** What comes of the manifest, and changes with it. */
export type Traits = {
  readonly tasks: readonly string[];
  readonly input: ReturnType<typeof inputKindOf>;
  /** Of a record, in the order of the model; of others none. */
  readonly inputFields: readonly string[];
  readonly description: ModelDescription;
  readonly limits: BatchLimits;
  /** Handed to workers and not answered. */
  readonly inWorkItemsMax: number;
  readonly itemBytesMax: number;
  /** The length that an item is probably padded to. */
  readonly estimateLength: (input: ModelInput) => number;
};

export type ServedModel = {
  readonly binding: ModelBinding;
  traits: Traits;
  lifecycle: Lifecycle;
  queues: ModelQueues;
  /** While it is unloaded: what waited before. What comes later waits in `queues` for the next load. */
  draining: ModelQueues | undefined;
  /** Items that were handed out and are not settled. */
  runningItems: number;
  /** The room that the batch whose turn it is needs among the items in work; 1 where none is known. */
  roomItemsMin: number;
  /** When it was asked for last. */
  usedAtMs: number;
  /** A load for what waits is asked for already. */
  isLoadAsked: boolean;
};

export function createServedModel(binding: ModelBinding, traits: Traits, lifecycle: Lifecycle): ServedModel {
  return { binding, traits, lifecycle, queues: createQueues(traits.limits), draining: undefined, runningItems: 0, roomItemsMin: 1, usedAtMs: 0, isLoadAsked: false };
}

export function createQueues(limits: BatchLimits): ModelQueues {
  return { interactive: createBatchScheduler<Item>(limits), stream: createBatchScheduler<Item>(limits) };
}

/** Throws LS_PLUGIN_INVALID where the consumer of a plugin asks for what cannot be. */
export function traitsOf({ name, consumer = consumers.batched }: ModelBinding, manifest: Manifest, options: LimitOptions): Traits {
  const { itemBytesMax, ...limits } = limitsFor(manifest, options);
  const { batchItemsMax, lingerMsMax = limits.lingerMsMax, inWorkItemsMax = Number.POSITIVE_INFINITY } = consumptionOf(name, manifest, consumer);
  return {
    tasks: tasksOf(manifest),
    input: inputKindOf(manifest),
    inputFields: manifest.kind === 'graph' && manifest.preprocessing.kind === 'values' ? manifest.preprocessing.fields : [],
    description: Object.freeze({
      name,
      model: manifest.name,
      task: tasksOf(manifest)[0],
      version: manifest.version,
      labels: Object.freeze(manifest.kind === 'transformers' ? [] : [...manifest.labels]),
      dimensions: dimensionsOf(manifest),
      reproducible: manifest.reproducible,
    }),
    limits: { ...limits, batchItemsMax, lingerMsMax },
    inWorkItemsMax,
    itemBytesMax,
    estimateLength: manifest.kind === 'graph' ? lengthEstimator(manifest) : () => 0,
  };
}

function dimensionsOf(manifest: Manifest): number {
  if (manifest.kind === 'plugin') return manifest.dimensions;
  return manifest.kind === 'graph' && manifest.postprocessing.kind === 'vector' ? manifest.postprocessing.dimensions : 0;
}

function consumptionOf(name: string, manifest: Manifest, consumer: Consumer): Consumption {
  const consumed: ConsumedModel = { batchSizes: batchSizesOf(manifest), input: inputKindOf(manifest) };
  let consumption: Consumption;
  let mistakes: readonly string[];
  try {
    consumption = consumer(consumed);
    mistakes = consumptionMistakes(consumption, consumed);
  } catch (error) {
    throw pluginError('LS_PLUGIN_INVALID', `the consumer of the model ${name} fails: ${error instanceof Error ? error.message : String(error)}`, { model: name }, { cause: error });
  }
  if (mistakes.length === 0) return consumption;
  throw pluginError('LS_PLUGIN_INVALID', `the consumer of the model ${name}: ${mistakes.join('; ')}`, { model: name });
}

function limitsFor(manifest: Manifest, { limits, imageBytesMax }: LimitOptions): QueueLimits {
  const inputKind = inputKindOf(manifest);
  if (inputKind !== 'image' && inputKind !== 'audio') return { ...queueLimitsDefault, ...limits };
  const image = imageBytesMax === undefined ? imageLimitsDefault : { ...imageLimitsDefault, itemBytesMax: imageBytesMax };
  return { ...queueLimitsDefault, ...image, ...limits };
}

/** Other traits may group items otherwise: what waits is put into queues of the new ones, in its order. */
export function adoptTraits(served: ServedModel, traits: Traits): void {
  const waiting = priorities.flatMap((priority) => served.queues[priority].drain()).sort((left, right) => left.enqueuedAtMs - right.enqueuedAtMs);
  served.traits = traits;
  served.queues = createQueues(traits.limits);
  for (const item of waiting) {
    item.group = traits.estimateLength(item.input);
    // Of a model that reads something else now the queue may be smaller.
    if (!served.queues[item.priority].offer(item)) item.settle({ error: overloaded(served, item.priority) });
  }
}

export function overloaded({ binding: { name }, queues }: ServedModel, priority: Priority): Error {
  return modelError('LS_MODEL_OVERLOADED', `${queues[priority].size().items} ${priority} items wait for the model ${name} already`, { model: name, priority });
}

export function queuedItems(queues: ModelQueues | undefined): number {
  return queues === undefined ? 0 : priorities.reduce((total, priority) => total + queues[priority].size().items, 0);
}

/** Nothing waits for it, and nothing runs. */
export function isIdle({ queues, runningItems }: ServedModel): boolean {
  return runningItems === 0 && queuedItems(queues) === 0;
}

export function failItems(items: readonly Item[], error: Error): void {
  for (const item of items) item.settle({ error });
}

/** What waits, now and before. */
export function failQueued({ queues, draining }: ServedModel, error: Error): void {
  for (const priority of priorities) {
    failItems(draining?.[priority].drain() ?? [], error);
    failItems(queues[priority].drain(), error);
  }
}
