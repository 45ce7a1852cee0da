/** The main thread's side of the search workers, which any number of searches can share. Their threads are started when they are first needed. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { mergeHits } from './hits.ts';
import { addCosts } from './range-scan.ts';
import { workersMax } from './row-layout.ts';
import type { SearchReply, SearchRequest, WorkerReply, WorkerRequest, WorkerSetup } from './search-protocol.ts';

export type SearchWorkers = {
  /** A number for an index that is to be searched by these workers. */
  readonly enter: () => number;
  readonly leave: (index: number) => void;
  /**
   * @param work in multiply-adds, without any pruning: a small search is one thread's.
   * Rejects where a thread failed; the next search starts another one. Rejects after `close`: nobody would end the threads.
   */
  readonly search: (request: Omit<SearchRequest, 'kind' | 'part'>, work: number) => Promise<SearchReply>;
  /** Lets the threads finish what they were asked for and end: one that is ended from outside within a native call takes the process along. */
  readonly close: () => Promise<void>;
};

export type SearchWorkersOptions = {
  /** That search at the same time, 1 to 4; by default as many as the machine runs at the same time. */
  readonly threads?: number;
  /** Multiply-adds, without any pruning, for which one thread more takes part in a search; by default about a millisecond's. */
  readonly threadWork?: number;
};

/** The entry as it stands beside this file: TypeScript in the repository, JavaScript in a compiled package. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './search-worker.ts' : './search-worker.js', import.meta.url);

/** It makes few objects, none of which last: V8 would take up to 96 MB for them. */
const resourceLimits = { maxYoungGenerationSizeMb: 6 };

const threadWorkDefault = 32_000_000;

type Waiting = { readonly resolve: (reply: SearchReply) => void; readonly reject: (error: Error) => void };

type Thread = { readonly worker: Worker; readonly waiting: Waiting[]; readonly ended: Promise<void> };

/** Threads for `createNeighbourSearch`. They keep no process alive while they have nothing to do; `close` them after the searches that they serve. */
export function createSearchWorkers({ threads: threadCount = availableParallelism(), threadWork = threadWorkDefault }: SearchWorkersOptions = {}): SearchWorkers {
  const count = Math.max(1, Math.min(Math.floor(threadCount) || 1, workersMax));
  const threads: (Thread | undefined)[] = Array.from({ length: count });
  let indexes = 0;
  let isClosed = false;
  const post = (request: WorkerRequest): void => {
    for (const thread of threads) thread?.worker.postMessage(request);
  };
  const threadOf = (worker: number): Thread =>
    (threads[worker] ??= startThread(worker, () => {
      threads[worker] = undefined;
    }));
  const ask = (worker: number, request: SearchRequest): Promise<SearchReply> =>
    new Promise((resolve, reject) => {
      const { worker: thread, waiting } = threadOf(worker);
      // What cannot be sent has no answer: it throws here, and must not wait for one.
      thread.postMessage(request);
      waiting.push({ resolve, reject });
      thread.ref();
    });
  return {
    enter: () => indexes++,
    leave: (index) => post({ kind: 'forget', index }),
    search: async (request, work) => {
      if (isClosed) throw new Error('the search workers are closed');
      // All at once: what they take is there from the beginning.
      for (let worker = 0; worker < count; worker++) threadOf(worker);
      const parts = Math.max(1, Math.min(count, Math.floor(work / threadWork)));
      const asked = Array.from({ length: parts }, (_, index) => ask(index, { kind: 'search', ...request, part: { index, count: parts } }));
      // Where one fails the others still read.
      await Promise.allSettled(asked);
      const replies = await Promise.all(asked);
      return replies.reduce((one, other) => ({ kind: 'found', ...mergeHits(one, other), costs: addCosts(one.costs, other.costs) }));
    },
    close: async () => {
      isClosed = true;
      // Their end is waited for.
      for (const thread of threads) thread?.worker.ref();
      post({ kind: 'close' });
      for (const thread of threads) await thread?.ended;
    },
  };
}

function startThread(number: number, onEnd: () => void): Thread {
  // It decides once per process whether to tell its maker about it (see models/onnxruntime-telemetry.ts).
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const worker = new Worker(entry, { workerData: { worker: number } satisfies WorkerSetup, name: `search-${number}`, resourceLimits });
  worker.unref();
  const waiting: Waiting[] = [];
  const failed = (message: string, cause?: unknown): Error => new Error(`the search worker failed: ${message}`, { cause });
  let failure: unknown;
  const takeNext = (): Waiting | undefined => {
    const next = waiting.shift();
    // An idle worker keeps no process alive.
    if (waiting.length === 0) worker.unref();
    return next;
  };
  worker.on('message', (reply: WorkerReply) => {
    const next = takeNext();
    if (reply.kind === 'found') next?.resolve(reply);
    else next?.reject(failed(reply.message));
  });
  worker.on('messageerror', (error) => takeNext()?.reject(failed('its answer cannot be read', error)));
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      onEnd();
      for (const { reject } of waiting.splice(0)) reject(failed(failure instanceof Error ? failure.message : `exit code ${code}`, failure));
      resolve();
    });
  });
  return { worker, waiting, ended };
}
