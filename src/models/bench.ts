/**
 * How fast a model is on this machine: inference workers are given full batches, one after the other, by as many threads and in as large batches as are asked
 * for. Preprocessing and what is done after the graph are part of it, as in the stream; queues and the events around it are not.
 */
import type { Clock } from '../core/clock.ts';
import { requireProviders, type ExecutionProvider } from './execution-providers.ts';
import type { ModelInput } from './model-port.ts';
import type { PluginUrls } from './plugins/plugin-urls.ts';
import { lengthEstimator, type PreprocessorSettings } from './preprocessing/preprocessors.ts';
import type { ModelArtefacts } from './repository.ts';
import { inferenceWorkerEntry, startInferenceWorker, type InferenceWorker } from './worker-handle.ts';

export type BenchOptions = {
  /** At least one; they are gone through again and again. */
  readonly inputs: readonly ModelInput[];
  readonly workerCounts: readonly number[];
  readonly batchSizes: readonly number[];
  /** Of each case, after its warm-up; a batch that is begun is finished. */
  readonly durationMsMin: number;
  /** Those that run it. */
  readonly plugins?: PluginUrls | undefined;
  /** As the stream runs the model; left out: as it does by itself. */
  readonly executionProviders?: readonly ExecutionProvider[] | undefined;
  readonly preprocessing?: PreprocessorSettings | undefined;
  readonly clock: Clock;
  /** Bytes of memory that the process has at the moment. */
  readonly residentBytes: () => number;
  readonly signal: AbortSignal;
};

export type BenchCase = {
  readonly workerCount: number;
  readonly batchSize: number;
  readonly batches: number;
  readonly items: number;
  /** Among them; their time counts. */
  readonly failedItems: number;
  readonly itemsPerSecond: number;
  /** Of a batch, from the request to the answer. */
  readonly batchP50Ms: number;
  readonly batchP99Ms: number;
  /** The most that the whole process had meanwhile, with all that it holds besides. */
  readonly residentBytesMax: number;
};

const warmUpBatches = 2;
const sampleMs = 20;
const model = 'model';

/** Case by case, smaller numbers of workers first. Rejects with LS_MODEL_PROVIDER, with what is wrong with the model, and with the reason of the signal. */
export async function* benchModel(artefacts: ModelArtefacts, options: BenchOptions): AsyncGenerator<BenchCase> {
  const groupOf = artefacts.kind === 'graph' ? lengthEstimator(artefacts.manifest) : () => 0;
  const { executionProviders, preprocessing, plugins } = options;
  await requireProviders(executionProviders);
  const setup = { models: [{ name: model, artefacts, executionProviders }], plugins, testKnownAnswers: false, ...(preprocessing === undefined ? {} : { preprocessing }) };
  for (const workerCount of options.workerCounts) {
    const workers: InferenceWorker[] = [];
    try {
      while (workers.length < workerCount) workers.push(await startInferenceWorker(setup, inferenceWorkerEntry, options.signal));
      for (const batchSize of options.batchSizes) yield await benchCase(workers, batchSize, batchesOf(options.inputs, batchSize, groupOf), options);
    } finally {
      await Promise.all(workers.map((worker) => worker.close()));
    }
  }
}

type Tally = { items: number; failedItems: number; readonly batchMs: number[] };

async function benchCase(workers: readonly InferenceWorker[], batchSize: number, batches: readonly (readonly ModelInput[])[], { durationMsMin, clock, residentBytes, signal }: BenchOptions): Promise<BenchCase> {
  let next = 0;
  const batch = (): readonly ModelInput[] => batches[next++ % batches.length] ?? [];
  const run = async (worker: InferenceWorker, tally: Tally): Promise<void> => {
    signal.throwIfAborted();
    const startMs = clock.elapsedMs();
    const { failures } = await worker.run({ model, inputs: batch(), batchSizes: [batchSize] });
    tally.batchMs.push(clock.elapsedMs() - startMs);
    tally.items += failures.length;
    tally.failedItems += failures.filter((failure) => failure !== null).length;
  };
  const unmeasured: Tally = { items: 0, failedItems: 0, batchMs: [] };
  await Promise.all(workers.map(async (worker) => repeat(() => run(worker, unmeasured), (done) => done < warmUpBatches)));
  const tally: Tally = { items: 0, failedItems: 0, batchMs: [] };
  const memory = watchMemory(residentBytes, clock);
  const startMs = clock.elapsedMs();
  let residentBytesMax: number;
  try {
    await Promise.all(workers.map((worker) => repeat(() => run(worker, tally), () => clock.elapsedMs() - startMs < durationMsMin)));
  } finally {
    // Whatever ends it: nothing else ends the watch.
    residentBytesMax = memory.end();
  }
  const durationMs = clock.elapsedMs() - startMs;
  const sorted = tally.batchMs.sort((left, right) => left - right);
  return {
    workerCount: workers.length,
    batchSize,
    batches: sorted.length,
    items: tally.items,
    failedItems: tally.failedItems,
    itemsPerSecond: (1_000 * tally.items) / durationMs,
    batchP50Ms: quantile(sorted, 0.5),
    batchP99Ms: quantile(sorted, 0.99),
    residentBytesMax,
  };
}

/**
 * Full batches that go through all inputs. Those in one batch are probably of one length, as the queues of the stream put them together: texts of different
 * lengths would be executed one after the other, each in a batch that is mostly padding.
 */
export function batchesOf(inputs: readonly ModelInput[], batchSize: number, groupOf: (input: ModelInput) => number): readonly (readonly ModelInput[])[] {
  return [...Map.groupBy(inputs, groupOf).values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / batchSize) }, (_, batch) => Array.from({ length: batchSize }, (__, item) => group[(batch * batchSize + item) % group.length] as ModelInput)),
  );
}

async function repeat(work: () => Promise<void>, goesOn: (done: number) => boolean): Promise<void> {
  for (let done = 0; goesOn(done); done += 1) await work();
}

function watchMemory(residentBytes: () => number, clock: Clock): { readonly end: () => number } {
  const ending = new AbortController();
  let largest = residentBytes();
  const look = (): void => void (largest = Math.max(largest, residentBytes()));
  void (async () => {
    while (!ending.signal.aborted) {
      await clock.sleep(sampleMs, ending.signal);
      look();
    }
  })();
  return {
    end: () => {
      ending.abort();
      look();
      return largest;
    },
  };
}

/** The smallest of the sorted values that at least this share of them does not exceed. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
