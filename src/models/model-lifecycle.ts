/**
 * Loads, unloads and reloads the models of a server while it runs. One operation is done at a time, in the order in which they are asked for, so
 * that those of one model never meet, and what memory there is has one who decides.
 *
 *   load     files are read and hashed, room is made, every worker opens and proves the model; what waits for it meanwhile is served then
 *   unload   what waits and runs is finished, then the workers release it; what comes meanwhile waits, and loads it again
 *   reload   the new files are opened beside the old model in every worker; then batches go to the new one. Where anything fails, nothing changes
 */
import type { Clock } from '../core/clock.ts';
import { modelError } from '../core/errors/model.ts';
import { estimatedMemoryBytes, requireFit } from './model-memory.ts';
import type { ModelState } from './model-port.ts';
import { createMemoryRoom, type MemoryRoom } from './memory-room.ts';
import { createNotice, type Notice } from './notice.ts';
import { loadArtefacts, type ModelArtefacts } from './repository.ts';
import { adoptTraits, createQueues, failQueued, queuedItems, traitsOf, type Instance, type Lifecycle, type LimitOptions, type ServedModel, type Traits } from './served-model.ts';
import type { WorkerPool } from './worker-pool.ts';

export type LifecycleObserver = {
  readonly stateChanged?: (change: { readonly model: string; readonly state: ModelState }) => void;
  /** `durationMs` from the first byte read to the last known answer. */
  readonly loaded?: (load: { readonly model: string; readonly durationMs: number; readonly memoryBytes: number }) => void;
  readonly loadFailed?: (failure: { readonly model: string; readonly error: Error }) => void;
  readonly unloaded?: (unload: { readonly model: string; readonly why: 'asked' | 'evicted' }) => void;
  readonly reloaded?: (load: { readonly model: string; readonly durationMs: number; readonly memoryBytes: number }) => void;
  /** The old one goes on. */
  readonly reloadFailed?: (failure: { readonly model: string; readonly error: Error }) => void;
};

export type LifecycleOptions = LimitOptions & {
  readonly served: ReadonlyMap<string, ServedModel>;
  readonly pool: Pick<WorkerPool, 'load' | 'unload' | 'pump'>;
  readonly clock: Clock;
  readonly workerCount: number;
  readonly memoryBytesMax?: number | undefined;
  readonly observer: LifecycleObserver;
  /** Why nothing is done any more, if so. */
  readonly closed: () => Error | undefined;
};

export type ModelLifecycle = {
  /** Nothing where it is loaded. Rejects with what is wrong with the model, as what waits for it does. */
  readonly load: (served: ServedModel) => Promise<void>;
  /** Nothing where it is not loaded. */
  readonly unload: (served: ServedModel) => Promise<void>;
  /** As `load` where it is not loaded. */
  readonly reload: (served: ServedModel) => Promise<void>;
  /** An item of the model was settled, or has left its queue. */
  readonly lessWork: () => void;
};

type Context = LifecycleOptions & { readonly notice: Notice; readonly room: MemoryRoom };

/** After a failed load the next attempt waits: a second, then twice as long each time, up to a minute. */
const retryMsMin = 1_000;
const retryMsMax = 60_000;

export function createModelLifecycle(options: LifecycleOptions): ModelLifecycle {
  const notice = createNotice();
  const room = createMemoryRoom({ ...options, notice, evict: (victim) => unload(victim, 'evicted', context) });
  const context: Context = { ...options, notice, room };
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (operation: () => Promise<void>): Promise<void> => {
    const done = last.then(() => {
      const closed = options.closed();
      if (closed !== undefined) throw closed;
      return operation();
    });
    last = done.catch(() => undefined);
    return done;
  };
  return {
    load: (served) => inTurn(() => load(served, context)),
    unload: (served) => inTurn(() => unload(served, 'asked', context)),
    reload: (served) => inTurn(() => (served.lifecycle.state === 'ready' ? reload(served, served.lifecycle.instance, context) : load(served, context))),
    lessWork: notice.notify,
  };
}

function change(served: ServedModel, lifecycle: Lifecycle, { observer }: Context): void {
  served.lifecycle = lifecycle;
  observer.stateChanged?.({ model: served.binding.name, state: lifecycle.state });
}

async function load(served: ServedModel, context: Context): Promise<void> {
  const { name } = served.binding;
  const { pool, clock, observer } = context;
  served.isLoadAsked = false;
  if (served.lifecycle.state === 'ready') return;
  const failures = served.lifecycle.state === 'failed' ? served.lifecycle.failures : 0;
  const startedMs = clock.elapsedMs();
  change(served, { state: 'loading' }, context);
  try {
    const { instance, traits } = await open(served, context);
    adoptTraits(served, traits);
    change(served, { state: 'ready', instance }, context);
    observer.loaded?.({ model: name, durationMs: clock.elapsedMs() - startedMs, memoryBytes: instance.memoryBytes });
    pool.pump();
  } catch (thrown) {
    const error = errorOf(thrown);
    const retryAtMs = clock.elapsedMs() + Math.min(retryMsMax, retryMsMin * 2 ** failures);
    change(served, { state: 'failed', error, retryAtMs, failures: failures + 1 }, context);
    failQueued(served, error);
    observer.loadFailed?.({ model: name, error });
    throw error;
  }
}

/** Resolves when every worker holds what lies in the directory now, and proved it. */
async function open(served: ServedModel, { pool, workerCount, memoryBytesMax, room, ...options }: Context): Promise<{ readonly instance: Instance; readonly traits: Traits }> {
  const { name, directory, executionProviders } = served.binding;
  const artefacts = await loadArtefacts(directory);
  const traits = traitsOf(served.binding, artefacts.manifest, options);
  if (served.binding.isPinned === true) requireSame(served.traits, traits, artefacts);
  const memoryBytes = estimatedMemoryBytes(artefacts, workerCount);
  requireFit(name, memoryBytes, memoryBytesMax);
  await room.make(memoryBytes, served);
  const instance = { key: nextKey(name), memoryBytes };
  await pool.load({ name: instance.key, artefacts, executionProviders });
  return { instance, traits };
}

async function unload(served: ServedModel, why: 'asked' | 'evicted', context: Context): Promise<void> {
  const { pool, notice, observer } = context;
  const { lifecycle } = served;
  if (lifecycle.state === 'failed') change(served, { state: 'unloaded' }, context);
  if (lifecycle.state !== 'ready') return;
  served.draining = served.queues;
  served.queues = createQueues(served.traits.limits);
  change(served, { state: 'unloading', instance: lifecycle.instance }, context);
  pool.pump();
  while (served.runningItems > 0 || queuedItems(served.draining) > 0) await notice.next();
  served.draining = undefined;
  await pool.unload(lifecycle.instance.key);
  change(served, { state: 'unloaded' }, context);
  observer.unloaded?.({ model: served.binding.name, why });
}

async function reload(served: ServedModel, old: Instance, context: Context): Promise<void> {
  const { name } = served.binding;
  const { pool, clock, observer } = context;
  const startedMs = clock.elapsedMs();
  try {
    const { instance, traits } = await open(served, context);
    // In one turn: batches that are out are the old model's, all others the new one's.
    adoptTraits(served, traits);
    change(served, { state: 'ready', instance }, context);
    pool.pump();
    observer.reloaded?.({ model: name, durationMs: clock.elapsedMs() - startedMs, memoryBytes: instance.memoryBytes });
  } catch (thrown) {
    const error = errorOf(thrown);
    observer.reloadFailed?.({ model: name, error });
    throw error;
  }
  await pool.unload(old.key);
}

/**
 * Results of a stream are named by the model and its version, and its collections are made for vectors of one length: whoever follows a stream
 * cannot be told that they are others from here on.
 */
function requireSame({ description: old }: Traits, { description: found }: Traits, { directory }: ModelArtefacts): void {
  const same = { name: old.model, version: old.version, task: old.task, labels: old.labels, dimensions: old.dimensions, reproducible: old.reproducible };
  const now = { name: found.model, version: found.version, task: found.task, labels: found.labels, dimensions: found.dimensions, reproducible: found.reproducible };
  const differing = Object.keys(same).filter((key) => JSON.stringify(same[key as keyof typeof same]) !== JSON.stringify(now[key as keyof typeof now]));
  if (differing.length === 0) return;
  const message = `the model in ${directory} is another one than the routes were started with: ${differing.join(', ')} ${differing.length === 1 ? 'differs' : 'differ'} (${old.model} ${old.version}, now ${found.model} ${found.version})`;
  throw modelError('LS_MODEL_OTHER', message, { model: old.name, directory });
}

let keys = 0;

/** A name of its own for each load: while one model is reloaded, workers hold it twice. */
export function nextKey(name: string): string {
  keys += 1;
  return `${name}#${keys}`;
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

