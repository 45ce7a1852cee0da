/**
 * Keeps a fixed number of inference workers alive and busy. Every worker holds every model, so that one busy model can use all cores and no
 * batch waits for "its" worker while another idles; the price is one copy of each model per worker, a few megabytes for the models here.
 *
 *   worker 0   [running | prefetched]      the prefetched batch starts without a round trip over the main thread; more than one
 *   worker 1   [running |           ]      would only take it away from a worker that becomes free earlier
 *
 * A worker that dies is replaced. The batch that it ran is suspected: its items are run again once, each alone in a worker that holds
 * nothing else, so that an item that kills again is known for certain, and its neighbours do not suffer. It fails when the next worker of its
 * slot has started, which proves the models by their known answers: where none starts, it is the system that fails, not the item. The
 * prefetched batch goes back as it was. A worker that does not come back from a batch is ended after a while (worker-handle.ts), and is one
 * that died.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError } from '../core/errors/model.ts';
import { createAlarm } from './alarm.ts';
import type { Execution } from './execution-shares.ts';
import { createResidentModels, type Holder, type ResidentModels } from './resident-models.ts';
import type { InferenceWorker } from './worker-handle.ts';
import type { RunReply, RunRequest, WorkerModel } from './worker-protocol.ts';

export type PoolBatch<Item> = {
  readonly model: string;
  readonly items: readonly Item[];
  /** For whom the batch is; comes back with it. Items that are run again after a death have none. */
  readonly execution?: Execution | undefined;
};

type Work<Item> = PoolBatch<Item> & { readonly suspected: boolean };

export type PoolOptions<Item> = {
  readonly workerCount: number;
  readonly clock: Clock;
  /** What every worker holds from the start. */
  readonly models: readonly WorkerModel[];
  readonly start: (models: readonly WorkerModel[]) => Promise<InferenceWorker>;
  /** The next batch that is ready, if any. */
  readonly next: () => PoolBatch<Item> | undefined;
  /** When the next batch becomes ready by itself. */
  readonly dueAtMs: () => number | undefined;
  readonly request: (batch: PoolBatch<Item>) => Omit<RunRequest, 'kind'>;
  readonly succeeded: (batch: PoolBatch<Item>, reply: RunReply) => void;
  readonly failed: (model: string, items: readonly Item[], error: Error) => void;
  /** No worker is alive and none could be started, or (undefined) one is alive again. */
  readonly availability: (unavailable: Error | undefined) => void;
  readonly workerDied: (batchItems: number) => void;
};

export type WorkerPool = Pick<ResidentModels, 'load' | 'unload'> & {
  /** Hands out ready batches while workers have room; to be called whenever a batch may have become ready. */
  readonly pump: () => void;
  /** Fails what is in flight, ends every worker, the starting ones too. */
  readonly close: (error: Error) => Promise<void>;
};

type Slot<Item> = Omit<Holder, 'work'> & {
  readonly work: Work<Item>[];
  /** What ended a worker alone, until the next one has started. */
  accused: { readonly work: Work<Item>; readonly end: Error } | undefined;
  deathsInARow: number;
  supervision: Promise<void>;
};

type Pool<Item> = {
  readonly slots: readonly Slot<Item>[];
  readonly retries: Work<Item>[];
  readonly options: PoolOptions<Item>;
  readonly residents: ResidentModels;
  readonly pump: () => void;
  readonly closing: AbortSignal;
  /** No worker is alive, and the last attempt to start one failed. */
  refusal: Error | undefined;
};

/** A worker has this long to finish the batch that it is at. Ending it by force may end the process, so this is for one that does not come back. */
const closeMsMax = 30_000;
const restartDelayMsMin = 50;
const restartDelayMsMax = 5_000;

/** Rejects, leaving no worker, with the error of the first worker that could not start. */
export async function startWorkerPool<Item>(options: PoolOptions<Item>): Promise<WorkerPool> {
  const workers = await startAll(options);
  const closing = new AbortController();
  const retries: Work<Item>[] = [];
  const names = options.models.map(({ name }) => name);
  const slots = workers.map(
    (worker): Slot<Item> => ({ worker, work: [], held: new Set(names), isLoading: false, accused: undefined, deathsInARow: 0, supervision: Promise.resolve() }),
  );
  const pump = (): void => {
    if (closing.signal.aborted) return;
    handOut(pool);
    // Without room it is the end of a batch that the next one waits for.
    const dueAtMs = slots.some(hasRoom) ? options.dueAtMs() : undefined;
    if (dueAtMs !== undefined) alarm.setAt(dueAtMs);
  };
  const alarm = createAlarm(options.clock, pump);
  const residents = createResidentModels({ holders: slots, models: options.models, refusal: () => pool.refusal, pump });
  const pool: Pool<Item> = { slots, retries, options, residents, pump, closing: closing.signal, refusal: undefined };
  for (const slot of slots) slot.supervision = supervise(slot, pool);
  return {
    pump,
    load: residents.load,
    unload: residents.unload,
    close: async (error) => {
      closing.abort();
      pool.refusal = error;
      residents.changed();
      alarm.stop();
      for (const slot of slots) failAccused(slot, options, () => error);
      failAll([...slots.flatMap(({ work }) => work.splice(0)), ...retries.splice(0)], options, error);
      await Promise.all(slots.map((slot) => endWorker(slot, options.clock)));
    },
  };
}

async function endWorker<Item>({ worker, supervision }: Slot<Item>, clock: Clock): Promise<void> {
  if (worker !== undefined) {
    const ended = new AbortController();
    const deadline = clock.sleep(closeMsMax, ended.signal).then(() => (ended.signal.aborted ? undefined : worker.terminate()));
    await Promise.race([worker.close(), deadline]);
    ended.abort();
  }
  await supervision;
}

/** Each in a turn of its own: to make a thread takes milliseconds of the main loop. */
async function startAll<Item>({ workerCount, models, start }: PoolOptions<Item>): Promise<InferenceWorker[]> {
  const results = await Promise.allSettled(
    Array.from({ length: workerCount }, async (_, index) => {
      await turns(index + 1);
      return start(models);
    }),
  );
  const workers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const refused = results.find((result) => result.status === 'rejected');
  if (refused === undefined) return workers;
  await Promise.all(workers.map((worker) => worker.close()));
  throw refused.reason;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

function hasRoom<Item>({ worker, work, isLoading }: Slot<Item>): boolean {
  return worker !== undefined && !isLoading && (work.length === 0 || (work.length === 1 && work[0]?.suspected === false));
}

function handOut<Item>(pool: Pool<Item>): void {
  const { slots, retries, options } = pool;
  for (;;) {
    const free = slots.filter(hasRoom).sort((left, right) => left.work.length - right.work.length)[0];
    if (free?.worker === undefined) return;
    // A suspected item runs alone in its worker. Nothing is prefetched until one is idle, or it might wait for ever.
    if (retries[0]?.suspected === true && free.work.length > 0) return;
    const work = retries.shift() ?? unsuspected(options.next());
    if (work === undefined) return;
    free.work.push(work);
    void runWork(free, free.worker, work, pool);
  }
}

function unsuspected<Item>(batch: PoolBatch<Item> | undefined): Work<Item> | undefined {
  return batch === undefined ? undefined : { ...batch, suspected: false };
}

async function runWork<Item>(slot: Slot<Item>, worker: InferenceWorker, work: Work<Item>, pool: Pool<Item>): Promise<void> {
  const { options, residents, pump } = pool;
  let reply: RunReply;
  try {
    reply = await worker.run(options.request(work));
  } catch (error) {
    // Otherwise the thread ended; `supervise` takes care of its work.
    if (error instanceof LabelstreamError && error.code === 'LS_MODEL_NOT_SENT') notSent(slot, work, error, pool);
    return;
  }
  const index = slot.work.indexOf(work);
  if (index < 0) return;
  slot.work.splice(index, 1);
  slot.deathsInARow = 0;
  options.succeeded(work, reply);
  residents.changed();
  pump();
}

/** One item of a batch spoils the copy of all: each is sent by itself. */
function notSent<Item>(slot: Slot<Item>, work: Work<Item>, error: Error, { options, retries, residents, pump }: Pool<Item>): void {
  const index = slot.work.indexOf(work);
  if (index < 0) return;
  slot.work.splice(index, 1);
  if (work.items.length === 1) options.failed(work.model, work.items, error);
  else retries.unshift(...work.items.map((item) => ({ ...work, items: [item] })));
  residents.changed();
  pump();
}

/** Replaces the worker of a slot whenever it ends, until the pool closes. */
async function supervise<Item>(slot: Slot<Item>, pool: Pool<Item>): Promise<void> {
  const { retries, options, residents, pump, closing } = pool;
  while (slot.worker !== undefined) {
    const end = await slot.worker.ended;
    slot.worker = undefined;
    if (closing.aborted) return;
    const [running, ...prefetched] = slot.work.splice(0);
    options.workerDied(running?.items.length ?? 0);
    if (running?.suspected === true) slot.accused = { work: running, end };
    retries.unshift(...prefetched, ...(running === undefined || running.suspected ? [] : suspects(running)));
    residents.changed();
    await restart(slot, pool);
    if (isAlive(slot)) failAccused(slot, options, workerDied);
    residents.changed();
    pump();
  }
}

function suspects<Item>({ model, items }: Work<Item>): Work<Item>[] {
  return items.map((item) => ({ model, items: [item], suspected: true }));
}

function failAll<Item>(works: readonly Work<Item>[], { failed }: PoolOptions<Item>, error: Error): void {
  for (const { model, items } of works) failed(model, items, error);
}

function failAccused<Item>(slot: Slot<Item>, options: PoolOptions<Item>, errorFor: (model: string, end: Error) => Error): void {
  const { accused } = slot;
  slot.accused = undefined;
  if (accused !== undefined) options.failed(accused.work.model, accused.work.items, errorFor(accused.work.model, accused.end));
}

function workerDied(model: string, end: Error): Error {
  if (end instanceof LabelstreamError && end.code === 'LS_MODEL_RUN_TIME') {
    const message = `an inference worker did not come back from an item for the model ${model}, nor did a second one that ran nothing else`;
    return modelError('LS_MODEL_RUN_TIME', message, { model }, { cause: end });
  }
  const message = `an item for the model ${model} ended its inference worker, and a second one that ran nothing else`;
  return modelError('LS_MODEL_WORKER_DIED', message, { model }, { cause: end });
}

/** Leaves the slot without a worker when the pool closes meanwhile. */
async function restart<Item>(slot: Slot<Item>, pool: Pool<Item>): Promise<void> {
  const { slots, retries, options, residents, closing } = pool;
  for (;;) {
    // The first death costs no delay; a worker that dies again and again without one answer must not spin.
    const delayMs = slot.deathsInARow === 0 ? 0 : Math.min(restartDelayMsMax, restartDelayMsMin * 2 ** (slot.deathsInARow - 1));
    slot.deathsInARow += 1;
    if (delayMs > 0) await options.clock.sleep(delayMs, closing);
    if (isAborted(closing)) return;
    try {
      await startIn(slot, pool);
      return;
    } catch (error) {
      if (isAborted(closing)) return;
      failAccused(slot, options, () => unavailable(error));
      if (slots.every(({ worker }) => worker === undefined)) {
        // Nobody knows when there will be a worker again: the items are better repeated by their callers than kept.
        failAll(retries.splice(0), options, unavailable(error));
        pool.refusal = unavailable(error);
        residents.changed();
        options.availability(pool.refusal);
      }
    }
  }
}

/** Rejects, leaving no worker, where none starts or it cannot hold what is resident. */
async function startIn<Item>(slot: Slot<Item>, pool: Pool<Item>): Promise<void> {
  const { options, residents, closing } = pool;
  const models = residents.models();
  const worker = await options.start(models);
  try {
    await residents.bringUp(worker, models.map(({ name }) => name), (held) => {
      if (isAborted(closing)) return;
      slot.worker = worker;
      slot.held = held;
      pool.refusal = undefined;
      options.availability(undefined);
    });
  } finally {
    if (slot.worker !== worker) await worker.close();
  }
}

/** A function, because an awaited step may have changed what an earlier look saw; so is the next. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function isAlive<Item>({ worker }: Slot<Item>): boolean {
  return worker !== undefined;
}

function unavailable(error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return modelError('LS_MODEL_WORKERS_UNAVAILABLE', `no inference worker can be started: ${why}`, {}, { cause: error });
}
