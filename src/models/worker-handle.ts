/** The main thread's side of one inference worker: promises instead of messages, and a named end. */
import './onnxruntime-telemetry.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker, type ResourceLimits } from 'node:worker_threads';
import { catalogueError } from '../core/errors/catalogue.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import { modelError } from '../core/errors/model.ts';
import { inputKindOf } from './manifest.ts';
import { watchProgress } from './progress-watch.ts';
import { packRequest, type HoldReply, type HoldRequest, type RunReply, type RunRequest, type WorkerModel, type WorkerReply, type WorkerSetup } from './worker-protocol.ts';

export type InferenceWorker = {
  /** Rejects when the thread ends before it answered, or at once with LS_MODEL_NOT_SENT where the request cannot be handed to it; replies come in the order of the requests, those to load and to unload among them. */
  readonly run: (request: Omit<RunRequest, 'kind'>) => Promise<RunReply>;
  /** Opens and proves one model more. Rejects with the LS_MODEL_* error of the model, which is then not held. */
  readonly load: (model: WorkerModel) => Promise<void>;
  /** Releases a model, after what was asked of it before. */
  readonly unload: (name: string) => Promise<void>;
  /** Resolves when the thread has ended, however it did, with the reason: LS_MODEL_RUN_TIME or LS_MODEL_WORKERS_UNAVAILABLE. */
  readonly ended: Promise<Error>;
  /** Lets the thread finish what it is at, release its models and end. What it has not begun is not answered. */
  readonly close: () => Promise<void>;
  /** Ends the thread as soon as the native call that it may be in returns, and then perhaps the process with it: onnxruntime throws where nothing can be thrown any more. */
  readonly terminate: () => Promise<void>;
};

export type WorkerEntry = {
  readonly url: URL;
  readonly resourceLimits?: ResourceLimits;
  /** A thread that is waited for, and neither answers nor executes one more batch for so long, is ended. */
  readonly answerMsMax?: number;
};

/** For one batch, far beyond the largest on a slow core: it is meant for what never ends. A proof may ask for hundreds in one request. */
const answerMsMaxDefault = 600_000;
const startMsMax = 600_000;
/** A thread that is told to stop has this long for the native call that it may be in. */
const stopMsMax = 2_000;

/** The entry as it stands beside this file: TypeScript in the repository, JavaScript in a compiled package. */
export const inferenceWorkerEntry: WorkerEntry = {
  url: new URL(import.meta.url.endsWith('.ts') ? './inference-worker.ts' : './inference-worker.js', import.meta.url),
  // V8 would take up to 120 MB for new objects of each.
  resourceLimits: { maxYoungGenerationSizeMb: 48 },
};

type Waiting = { readonly resolve: (reply: RunReply | HoldReply) => void; readonly reject: (error: Error) => void };

/**
 * Confines the decoders of the process before any thread decodes. The first time they are loaded, which holds the main loop for as long as it is ever
 * held: what comes before and after has other turns.
 */
async function confineDecoders(models: readonly WorkerModel[]): Promise<void> {
  if (!models.some(({ artefacts }) => inputKindOf(artefacts.manifest) === 'image')) return;
  await nextTurn();
  await import('./preprocessing/image/image-decoder.ts');
  await nextTurn();
}

/**
 * Rejects, leaving no thread, with the LS_MODEL_* error of the model that was refused, or LS_MODEL_WORKERS_UNAVAILABLE. The signal ends the thread
 * whatever it is at.
 */
export async function startInferenceWorker(setup: WorkerSetup, entry: WorkerEntry = inferenceWorkerEntry, signal?: AbortSignal): Promise<InferenceWorker> {
  signal?.throwIfAborted();
  await confineDecoders(setup.models);
  signal?.throwIfAborted();
  const worker = new Worker(entry.url, {
    workerData: setup,
    name: 'inference',
    ...(entry.resourceLimits === undefined ? {} : { resourceLimits: entry.resourceLimits }),
  });
  const waiting: Waiting[] = [];
  const started = Promise.withResolvers<undefined>();
  const life = watchLife(worker, { waiting, started: started.promise, answerMsMax: entry.answerMsMax ?? answerMsMaxDefault }, signal);
  worker.on('message', (reply: WorkerReply) => {
    if (reply.kind === 'ready') started.resolve(undefined);
    else if (reply.kind === 'refused') started.reject(catalogueError(reply.failure.code, reply.failure.message, reply.failure.details));
    else if (reply.kind !== 'progress') waiting.shift()?.resolve(reply);
  });
  void life.ended.then(started.reject);
  try {
    await started.promise;
  } catch (error) {
    // A thread that refused its models releases them and ends by itself: one that is terminated within a native call can take the process along.
    await life.ended;
    throw error;
  }
  return {
    ...requestsOf(worker, waiting, life.end),
    ended: life.ended,
    close: async () => {
      worker.postMessage({ kind: 'close' });
      await life.ended;
    },
    terminate: async () => {
      await worker.terminate();
    },
  };
}

/** What a worker answers, each in its turn. */
function requestsOf(worker: Worker, waiting: Waiting[], ended: () => Error | undefined): Pick<InferenceWorker, 'run' | 'load' | 'unload'> {
  const ask = (message: RunRequest | HoldRequest, transfer: ArrayBuffer[] = []): Promise<RunReply | HoldReply> =>
    new Promise((resolve, reject) => {
      const end = ended();
      if (end !== undefined) {
        reject(end);
        return;
      }
      try {
        worker.postMessage(message, transfer);
      } catch (error) {
        reject(unsent(error));
        return;
      }
      // What was not sent is not answered.
      waiting.push({ resolve, reject });
    });
  const hold = async (request: HoldRequest): Promise<void> => {
    const reply = await ask(request);
    if (reply.kind === 'not-held') throw catalogueError(reply.failure.code, reply.failure.message, reply.failure.details);
  };
  return {
    run: async (request) => {
      let packed: ReturnType<typeof packRequest>;
      try {
        packed = packRequest(request);
      } catch (error) {
        throw unsent(error);
      }
      return (await ask(packed.message, packed.transfer)) as RunReply;
    },
    load: async (model) => {
      await confineDecoders([model]);
      await hold({ kind: 'load', model });
    },
    unload: (name) => hold({ kind: 'unload', name }),
  };
}

function unsent(error: unknown): Error {
  return modelError('LS_MODEL_NOT_SENT', `cannot be handed to a worker: ${error instanceof Error ? error.message : String(error)}`, {}, { cause: error });
}

type Awaited = { readonly waiting: Waiting[]; readonly started: Promise<unknown>; readonly answerMsMax: number };

/** Why and when a thread ends: by itself, because it does not come back, or because it is told to. Then whoever waits for an answer is told. */
function watchLife(worker: Worker, { waiting, started, answerMsMax }: Awaited, signal: AbortSignal | undefined): { readonly ended: Promise<Error>; readonly end: () => Error | undefined } {
  let failure: unknown;
  let end: Error | undefined;
  /** Another one after every message: an answer, or one more batch on the way to it. */
  let heard = {};
  worker.on('message', () => {
    heard = {};
  });
  const stalled = (error: Error) => (): void => {
    failure = error;
    void worker.terminate();
  };
  const tooSlow = (what: string, ms: number): string => `an inference worker ${what} within ${ms / 1_000} seconds`;
  const unstarted = modelError('LS_MODEL_WORKERS_UNAVAILABLE', tooSlow('did not start', startMsMax));
  let unwatch = watchProgress(() => heard, startMsMax, stalled(unstarted));
  started.then(
    () => {
      unwatch();
      if (end === undefined) unwatch = watchProgress(() => (waiting.length === 0 ? undefined : heard), answerMsMax, stalled(modelError('LS_MODEL_RUN_TIME', tooSlow('gave no answer', answerMsMax))));
    },
    () => unwatch(),
  );
  const stop = (): void => {
    worker.postMessage({ kind: 'close' });
    setTimeout(() => void worker.terminate(), stopMsMax).unref();
  };
  signal?.addEventListener('abort', stop, { once: true });
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<Error>((resolve) => {
    worker.once('exit', (exitCode) => {
      unwatch();
      signal?.removeEventListener('abort', stop);
      const why = failure instanceof Error ? failure.message : `exit code ${exitCode}`;
      const error = failure instanceof LabelstreamError ? failure : modelError('LS_MODEL_WORKERS_UNAVAILABLE', `an inference worker ended: ${why}`, { exitCode }, { cause: failure });
      end = error;
      for (const { reject } of waiting.splice(0)) reject(error);
      resolve(error);
    });
  });
  return { ended, end: () => end };
}
