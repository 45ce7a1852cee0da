/** The main thread's side of one inference worker: promises instead of messages, and a named end. */
import './onnxruntime-telemetry.ts';
import { Worker, type ResourceLimits } from 'node:worker_threads';
import { catalogueError } from '../core/errors/catalogue.ts';
import { modelError } from '../core/errors/model.ts';
import { packRequest, type RunReply, type RunRequest, type WorkerReply, type WorkerSetup } from './worker-protocol.ts';

export type InferenceWorker = {
  /** Rejects when the thread ends before it answered; replies come in the order of the requests. */
  readonly run: (request: Omit<RunRequest, 'kind'>) => Promise<RunReply>;
  /** Resolves when the thread has ended, however it did. */
  readonly ended: Promise<void>;
  /** Lets the thread finish what it is at, release its models and end. What it has not begun is not answered. */
  readonly close: () => Promise<void>;
  /** Ends the thread as soon as the native call that it may be in returns, and then perhaps the process with it: onnxruntime throws where nothing can be thrown any more. */
  readonly terminate: () => Promise<void>;
};

export type WorkerEntry = {
  readonly url: URL;
  readonly resourceLimits?: ResourceLimits;
};

/** The entry as it stands beside this file: TypeScript in the repository, JavaScript in a compiled package. */
export const inferenceWorkerEntry: WorkerEntry = {
  url: new URL(import.meta.url.endsWith('.ts') ? './inference-worker.ts' : './inference-worker.js', import.meta.url),
};

type Waiting = { readonly resolve: (reply: RunReply) => void; readonly reject: (error: Error) => void };

/** Rejects, leaving no thread, with the LS_MODEL_* error of the model that was refused, or LS_MODEL_WORKERS_UNAVAILABLE. */
export async function startInferenceWorker(setup: WorkerSetup, entry: WorkerEntry = inferenceWorkerEntry): Promise<InferenceWorker> {
  // Confines the decoders of the process before any thread decodes.
  if (setup.models.some(({ artefacts }) => artefacts.manifest.preprocessing.kind === 'image')) await import('./preprocessing/image/image-decoder.ts');
  const worker = new Worker(entry.url, {
    workerData: setup,
    name: 'inference',
    ...(entry.resourceLimits === undefined ? {} : { resourceLimits: entry.resourceLimits }),
  });
  const waiting: Waiting[] = [];
  let failure: unknown;
  let end: Error | undefined;
  const started = Promise.withResolvers<undefined>();
  worker.on('message', (reply: WorkerReply) => {
    if (reply.kind === 'ready') started.resolve(undefined);
    else if (reply.kind === 'refused') started.reject(catalogueError(reply.failure.code, reply.failure.message, reply.failure.details));
    else waiting.shift()?.resolve(reply);
  });
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', (exitCode) => {
      const why = failure instanceof Error ? failure.message : `exit code ${exitCode}`;
      const error = (end = modelError('LS_MODEL_WORKERS_UNAVAILABLE', `an inference worker ended: ${why}`, { exitCode }, { cause: failure }));
      started.reject(error);
      for (const { reject } of waiting.splice(0)) reject(error);
      resolve();
    });
  });
  try {
    await started.promise;
  } catch (error) {
    // A thread that refused its models releases them and ends by itself: one that is terminated within a native call can take the process along.
    await ended;
    throw error;
  }
  return {
    run: (request) =>
      new Promise((resolve, reject) => {
        if (end !== undefined) {
          reject(end);
          return;
        }
        waiting.push({ resolve, reject });
        const { message, transfer } = packRequest(request);
        worker.postMessage(message, transfer);
      }),
    ended,
    close: async () => {
      worker.postMessage({ kind: 'close' });
      await ended;
    },
    terminate: async () => {
      await worker.terminate();
    },
  };
}
