/** Who is served first, by real workers; that the shares hold is proven by a clock of the test (execution-shares.test.ts). */
import { expect, onTestFinished, test, vi } from 'vitest';
import type { ModelInput, Priority } from '../../src/models/model-port.ts';
import { startModelServer, type ModelServer, type ModelServerOptions } from '../../src/models/model-server.ts';
import { classifierDirectory, encoderDirectory, haltingClock, testClock } from './model-directory.ts';

const values = (a: number): ModelInput => ({ kind: 'values', values: { a, b: 1, c: 1, d: 1 } });
const { signal } = new AbortController();
const faultyWorker = new URL('./faulty-worker.ts', import.meta.url);

async function start(options: Partial<ModelServerOptions> = {}): Promise<ModelServer> {
  const models = [{ name: 'rows', directory: await classifierDirectory() }, { name: 'texts', directory: await encoderDirectory() }];
  const server = await startModelServer({ clock: testClock, workerCount: 1, models, ...options });
  onTestFinished(() => server.close());
  return server;
}

test('an interactive item overtakes what the stream has queued, but for the batches that are out; the stream is served, too', async () => {
  const { clock, halt, goOn } = haltingClock();
  const server = await start({ clock });
  const order: Priority[] = [];
  const run = (priority: Priority, count: number) => Array.from({ length: count }, (_, index) => server.run('rows', values(index), { signal, priority }).then(() => order.push(priority)));
  // No batch is made by lingering: all are full.
  halt();
  const items = [...run('stream', 80), ...run('interactive', 80)];
  goOn();
  await Promise.all(items);
  // Two batches of four are out when the first interactive item comes.
  expect(order.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 'stream'));
  expect(order[8]).toBe('interactive');
  // A batch has one priority.
  for (let first = 0; first < order.length; first += 4) expect(new Set(order.slice(first, first + 4)).size).toBe(1);
  // Well before the last interactive item the stream has its share.
  const lastInteractive = order.lastIndexOf('interactive');
  expect(order.slice(8, lastInteractive).filter((priority) => priority === 'stream').length).toBeGreaterThanOrEqual(4);
  expect(order.indexOf('interactive', 8 + 40)).toBeGreaterThan(0);
});

test('each priority has a queue of its own: an overload of the stream refuses no interactive item', async () => {
  const overloaded = vi.fn();
  const { clock, halt, goOn } = haltingClock();
  const server = await start({ clock, limits: { queueItemsMax: 2 }, observer: { overloaded } });
  const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'ok', (error: unknown) => String((error as { code?: unknown }).code));
  halt();
  const outcomes = [
    ...Array.from({ length: 3 }, (_, index) => codeOf(server.run('rows', values(index), { signal }))),
    codeOf(server.run('rows', values(9), { signal, priority: 'interactive' })),
  ];
  expect(server.status().get('rows')?.queuedItems).toEqual({ interactive: 1, stream: 2 });
  goOn();
  expect(await Promise.all(outcomes)).toEqual(['ok', 'ok', 'LS_MODEL_OVERLOADED', 'ok']);
  expect(overloaded).toHaveBeenCalledExactlyOnceWith({ model: 'rows', priority: 'stream' });
});

test('a model that fails on everything, known answers and all, is a failing system (rule 8); one beside it in the same workers works', async () => {
  const server = await start({ workerEntry: { url: faultyWorker } });
  const failureOf = (promise: Promise<unknown>) => promise.then(() => undefined, (error: unknown) => error as { code: string; description: { cause: string } });
  await server.run('texts', { kind: 'text', text: 'fault turn nan-scores' }, { signal });
  const failures = await Promise.all([1, 2, 3, 4, 5].map((value) => failureOf(server.run('rows', values(value), { signal }))));
  expect(failures.map((failure) => [failure?.code, failure?.description.cause])).toEqual(failures.map(() => ['LS_MODEL_OUTPUT', 'environment']));
  expect(await failureOf(server.run('texts', { kind: 'text', text: 'one' }, { signal }))).toBeUndefined();
  await server.run('texts', { kind: 'text', text: 'fault turn none' }, { signal });
  expect(await failureOf(server.run('rows', values(1), { signal }))).toBeUndefined();
});
