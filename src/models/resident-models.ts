/**
 * Which models the workers of a pool hold: every worker the same ones, whenever it started.
 *
 * A model that is loaded is tried in one worker first, then opened in all others at once. A worker that loads gets no batches, and begins when
 * those that it has are done: one that dies then died of the model, and as long as there are two workers, one of them computes. The model is
 * resident, and may be asked for, from the moment in which every worker that is alive holds it; a worker that starts is brought up to what is
 * resident then before it gets its first batch.
 */
import { modelError } from '../core/errors/model.ts';
import { createNotice, type Notice } from './notice.ts';
import type { InferenceWorker } from './worker-handle.ts';
import type { WorkerModel } from './worker-protocol.ts';

/** The place of one worker in the pool. */
export type Holder = {
  /** Undefined while it is replaced. */
  worker: InferenceWorker | undefined;
  /** Batches that it has not answered. */
  readonly work: readonly unknown[];
  /** Names of the models that it holds. */
  held: Set<string>;
  /** It loads a model, or is about to: it gets no batches. */
  isLoading: boolean;
};

export type ResidentModels = {
  readonly models: () => readonly WorkerModel[];
  /** Rejects with the error of the model, or why there is no worker, and no worker holds it then. Not for two models of one name. */
  readonly load: (model: WorkerModel) => Promise<void>;
  /** From now on it must not be asked for; what was asked of it before is answered. Never rejects. */
  readonly unload: (name: string) => Promise<void>;
  /**
   * Gives a worker that serves nothing yet what is resident now. In the very turn in which it holds that, `ready` is called.
   * @param held what it was started with.
   */
  readonly bringUp: (worker: InferenceWorker, held: readonly string[], ready: (held: Set<string>) => void) => Promise<void>;
  /** A worker has become alive, has ended, or has answered; or there will be none. */
  readonly changed: () => void;
};

export type ResidentOptions = {
  readonly holders: readonly Holder[];
  readonly models: readonly WorkerModel[];
  /** Why no worker can be had, if so. */
  readonly refusal: () => Error | undefined;
  /** A worker has room for batches again. */
  readonly pump: () => void;
};

type Residence = ResidentOptions & { readonly resident: Map<string, WorkerModel>; readonly notice: Notice };

export function createResidentModels(options: ResidentOptions): ResidentModels {
  const residence: Residence = { ...options, resident: new Map(options.models.map((model) => [model.name, model])), notice: createNotice() };
  return {
    models: () => [...residence.resident.values()],
    load: (model) => load(model, residence),
    unload: (name) => unload(name, residence),
    bringUp: (worker, held, ready) => bringUp(worker, new Set(held), ready, residence),
    changed: residence.notice.notify,
  };
}

async function load(model: WorkerModel, residence: Residence): Promise<void> {
  const { holders, resident, refusal, notice } = residence;
  try {
    for (;;) {
      const refused = refusal();
      if (refused !== undefined) throw refused;
      const alive = holders.filter(({ worker }) => worker !== undefined);
      const lacking = alive.filter(({ held }) => !held.has(model.name));
      if (alive.length > 0 && lacking.length === 0) break;
      if (lacking.length === 0) await notice.next();
      else await loadInAll(lacking.length === alive.length ? leastBusy(lacking) : lacking, model, residence);
    }
    // In the turn of the look: who starts after it starts with the model.
    resident.set(model.name, model);
  } catch (error) {
    await unload(model.name, residence);
    throw error;
  }
}

function leastBusy(holders: readonly Holder[]): readonly Holder[] {
  return [...holders].sort((left, right) => left.work.length - right.work.length).slice(0, 1);
}

/** Rejects when all have ended, with the error of the first that failed. */
async function loadInAll(holders: readonly Holder[], model: WorkerModel, residence: Residence): Promise<void> {
  const results = await Promise.allSettled(holders.map((holder) => loadIn(holder, model, residence)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Where the worker ended before it began to load, nothing has happened. */
async function loadIn(holder: Holder, model: WorkerModel, { refusal, notice, pump }: Residence): Promise<void> {
  holder.isLoading = true;
  try {
    while (holder.worker !== undefined && holder.work.length > 0) await notice.next();
    const { worker } = holder;
    if (worker === undefined) return;
    await loadOrExplain(worker, model, refusal);
    if (holder.worker === worker) holder.held.add(model.name);
  } finally {
    holder.isLoading = false;
    pump();
  }
}

async function loadOrExplain(worker: InferenceWorker, model: WorkerModel, refusal: () => Error | undefined): Promise<void> {
  try {
    await worker.load(model);
  } catch (error) {
    const end = await Promise.race([worker.ended, Promise.resolve(undefined)]);
    if (end === undefined) throw error;
    const refused = refusal();
    if (refused !== undefined) throw refused;
    const { directory } = model.artefacts;
    throw modelError('LS_MODEL_LOAD', `the model in ${directory} ended the inference worker that loaded it: ${end.message}`, { directory }, { cause: end });
  }
}

async function unload(name: string, { holders, resident }: Residence): Promise<void> {
  resident.delete(name);
  await Promise.all(
    holders.map(async ({ worker, held }) => {
      if (worker === undefined || !held.delete(name)) return;
      // A worker that has ended holds nothing any more.
      await worker.unload(name).catch(() => undefined);
    }),
  );
}

async function bringUp(worker: InferenceWorker, held: Set<string>, ready: (held: Set<string>) => void, { resident }: Residence): Promise<void> {
  for (;;) {
    const surplus = [...held].find((name) => !resident.has(name));
    const lacking = [...resident.values()].find(({ name }) => !held.has(name));
    if (surplus !== undefined) {
      await worker.unload(surplus);
      held.delete(surplus);
    } else if (lacking !== undefined) {
      await worker.load(lacking);
      held.add(lacking.name);
    } else {
      ready(held);
      return;
    }
  }
}
