/** The view's file from the main thread: what is asked of the thread that has it is done in that order. */
import { Worker } from 'node:worker_threads';
import { viewError } from '../core/errors/view.ts';
import type { FoundLabels, LabelsWanted, OpenedStore, StoreMessage, StoreReply, StoreRequest, StoreSetup, ViewBatch } from './label-store.ts';

/** Each rejects with LS_VIEW_DAMAGED, and with LS_VIEW_UNAVAILABLE where the file cannot be read or written, or the thread has ended. */
export type LabelStore = {
  readonly open: () => Promise<OpenedStore>;
  /** Resolves when it is written. */
  readonly apply: (batch: ViewBatch) => Promise<void>;
  readonly setBuilt: () => Promise<void>;
  readonly find: (wanted: LabelsWanted) => Promise<FoundLabels>;
  /** Forgets everything. */
  readonly clear: () => Promise<OpenedStore>;
  /** Never rejects. */
  readonly close: () => Promise<void>;
};

/** The entry as it stands beside this file: TypeScript in the repository, JavaScript in a compiled package. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './label-worker.ts' : './label-worker.js', import.meta.url);
const resourceLimits = { maxYoungGenerationSizeMb: 16 };

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

type Thread = { readonly ask: (request: StoreRequest) => Promise<unknown>; readonly close: () => Promise<void> };

/** A thread that has ended is started again by whoever asks next. */
export function startLabelStore(setup: StoreSetup): LabelStore {
  let current: Thread | undefined;
  const ask = async <Value>(request: StoreRequest): Promise<Value> => {
    current ??= startThread(setup, () => (current = undefined));
    return (await current.ask(request)) as Value;
  };
  return {
    open: () => ask({ kind: 'open' }),
    apply: (batch) => ask({ kind: 'apply', batch }),
    setBuilt: () => ask({ kind: 'built' }),
    find: (wanted) => ask({ kind: 'find', wanted }),
    clear: () => ask({ kind: 'clear' }),
    close: async () => current?.close(),
  };
}

function startThread(setup: StoreSetup, onEnd: () => void): Thread {
  const worker = new Worker(entry, { workerData: setup, name: 'labels', resourceLimits });
  // It is ended by who started it; until then it keeps no process alive.
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let failure: Error | undefined;
  worker.on('message', (reply: StoreReply) => {
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if ('value' in reply) resolve?.(reply.value);
    else reject?.(viewError(reply.failure.isDamaged ? 'LS_VIEW_DAMAGED' : 'LS_VIEW_UNAVAILABLE', `${setup.directory}: ${reply.failure.message}`, { directory: setup.directory }));
  });
  worker.on('error', (error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      onEnd();
      const reason = failure?.message ?? `exit code ${code}`;
      for (const { reject } of waiting.values()) reject(viewError('LS_VIEW_UNAVAILABLE', `the thread that keeps the labels has ended: ${reason}`, {}, { cause: failure }));
      waiting.clear();
      resolve();
    });
  });
  const ask = (request: StoreRequest): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = (asked += 1);
    waiting.set(id, { resolve, reject });
    const message: StoreMessage = { ...request, id };
    worker.postMessage(message);
    return promise;
  };
  const close = async (): Promise<void> => {
    worker.ref();
    // Where it ends of itself, that is as good.
    await ask({ kind: 'close' }).catch(() => undefined);
    await ended;
  };
  return { ask, close };
}
