import { expect, test } from 'vitest';
import { loadArtefacts } from '../../src/models/repository.ts';
import { inferenceWorkerEntry, startInferenceWorker, type InferenceWorker, type WorkerEntry } from '../../src/models/worker-handle.ts';
import { encoderDirectory } from './model-directory.ts';

// A pool that closes has given its items up. A thread that went on until it had to be ended by force could take the process along.
test('a worker that is told to end finishes what it is at, and begins nothing more', async () => {
  const artefacts = await loadArtefacts(await encoderDirectory());
  const worker = await startInferenceWorker({ models: [{ name: 'texts', artefacts }], testKnownAnswers: false });
  const inputs = Array.from({ length: 16 }, (_, index) => ({ kind: 'text', text: `text number ${index}` }) as const);
  const run = () => worker.run({ model: 'texts', inputs }).then(() => 'answered', (error: unknown) => (error as { code?: unknown }).code);
  expect(await run()).toBe('answered');
  const outcomes = Array.from({ length: 500 }, run);
  await worker.close();
  const all = await Promise.all(outcomes);
  expect(new Set(all.slice(all.lastIndexOf('answered') + 1))).toEqual(new Set(['LS_MODEL_WORKERS_UNAVAILABLE']));
});

const faultyWorker = new URL('./faulty-worker.ts', import.meta.url);

async function start(entry: WorkerEntry, signal?: AbortSignal): Promise<InferenceWorker> {
  const artefacts = await loadArtefacts(await encoderDirectory());
  return startInferenceWorker({ models: [{ name: 'texts', artefacts }], testKnownAnswers: false }, entry, signal);
}

const request = (text: string) => ({ model: 'texts', inputs: [{ kind: 'text', text } as const] });
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'answered', (error: unknown) => (error as { code?: unknown }).code);

test('a worker that does not come back is ended, and says so to whoever waits', async () => {
  const worker = await start({ url: faultyWorker, answerMsMax: 1_000 });
  expect(await codeOf(worker.run(request('one')))).toBe('answered');
  const outcomes = [worker.run(request('fault hang')), worker.run(request('two'))].map(codeOf);
  expect(await Promise.all(outcomes)).toEqual(['LS_MODEL_RUN_TIME', 'LS_MODEL_RUN_TIME']);
  expect(await worker.ended).toMatchObject({ code: 'LS_MODEL_RUN_TIME', message: 'an inference worker gave no answer within 1 seconds' });
  expect(await codeOf(worker.run(request('three')))).toBe('LS_MODEL_RUN_TIME');
  await worker.close();
});

// A proof asks for all its items at once: what must come in time is each batch of them, not all together.
test('a worker that executes one batch after the other is not slow, however many a request has', async () => {
  const worker = await start({ url: faultyWorker, answerMsMax: 2_000 });
  const inputs = Array.from({ length: 8 }, () => ({ kind: 'text', text: 'fault turn slow' }) as const);
  expect(await codeOf(worker.run({ model: 'texts', inputs, batchSizes: [1] }))).toBe('answered');
  await worker.close();
});

test('a worker that waits for work is not slow', async () => {
  const worker = await start({ url: faultyWorker, answerMsMax: 20 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ended = Promise.race([worker.ended, Promise.resolve('alive')]);
  expect(await ended).toBe('alive');
  await worker.close();
});

test('a signal ends a worker that does not come back, and lets none start', async () => {
  const stopping = new AbortController();
  const worker = await start({ url: faultyWorker }, stopping.signal);
  const outcome = codeOf(worker.run(request('fault hang')));
  stopping.abort();
  expect(await outcome).toBe('LS_MODEL_WORKERS_UNAVAILABLE');
  await worker.ended;
  await expect(start(inferenceWorkerEntry, stopping.signal)).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
});
