import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startModelServer, type ModelServer, type ModelServerOptions } from '../../src/models/model-server.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { seededRandom, shuffled } from '../../src/core/seeded-random.ts';
import {
  classifierDirectory,
  encoderDirectory,
  haltingClock,
  rejectedMessage,
  temporaryDirectory,
  testClock,
  writeModel,
  classifierManifest,
} from './model-directory.ts';
import { dynamicallyQuantised, logarithm, lookup, valuesClassifier } from './onnx-fixtures.ts';
import { node, onnxModel } from './onnx-writer.ts';
import { numbersIn } from './graph-models.ts';

const text = (value: string): ModelInput => ({ kind: 'text', text: value });
const values = (a: number, b = 1, c = 1, d = 1): ModelInput => ({ kind: 'values', values: { a, b, c, d } });
const never = { signal: new AbortController().signal };

async function start(options: Partial<ModelServerOptions> = {}): Promise<ModelServer> {
  const models = options.models ?? [
    { name: 'texts', directory: await encoderDirectory() },
    { name: 'rows', directory: await classifierDirectory() },
  ];
  const server = await startModelServer({ clock: testClock, workerCount: 1, ...options, models });
  onTestFinished(() => server.close());
  return server;
}

const faultyWorker = new URL('./faulty-worker.ts', import.meta.url);

/** Threads of this process that are workers. Counted as they come and go: a diagnostic report would interrupt them at any point of their lives. */
let aliveThreads = 0;
process.on('worker', (worker) => {
  aliveThreads += 1;
  worker.once('exit', () => (aliveThreads -= 1));
});
const workerThreads = (): number => aliveThreads;

/** The code with which each promise rejected, or 'ok'. */
async function codes(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : String((result.reason as { code?: unknown }).code)));
}

describe('the model port', () => {
  test('describes and runs both kinds of model', async () => {
    const server = await start({ workerCount: 2 });
    expect(server.describe('texts')).toEqual({
      name: 'texts',
      model: 'test-encoder',
      task: 'text-features',
      version: '1.0.0',
      labels: [],
      dimensions: 8,
      reproducible: true,
    });
    expect(server.describe('rows').labels).toEqual(['red', 'green', 'blue']);
    const vector = await server.run('texts', text('seven brown foxes'), never);
    expect(vector).toMatchObject({ kind: 'vector' });
    expect(numbersIn(vector)).toHaveLength(8);
    const scores = await server.run('rows', values(1, 2, 3, 4), never);
    expect(scores).toMatchObject({ kind: 'scores' });
    expect(numbersIn(scores).reduce((total, score) => total + score)).toBeCloseTo(1, 6);
    // Its own memory: a kept result must not keep, or show, its batch.
    expect(vector.kind === 'vector' && vector.vector.buffer.byteLength).toBe(32);
  });

  test('names the models there are when one is unknown', async () => {
    const server = await start();
    expect(await rejectedMessage(server.run('text', text('x'), never), 'LS_MODEL_UNKNOWN')).toContain('texts, rows');
    expect(() => server.describe('')).toThrow(expect.objectContaining({ code: 'LS_MODEL_UNKNOWN' }));
  });

  test('fails a bad item alone and tells whose fault it is', async () => {
    const server = await start({ models: [{ name: 'rows', directory: await classifierDirectory({}, logarithm()) }] });
    const results = [values(1), values(Number.NaN), values(-1), values(2), { kind: 'values', values: { a: 1 } } as const];
    const settled = await Promise.allSettled(results.map((input) => server.run('rows', input, never)));
    const causes = settled.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as { description: { cause: string } }).description.cause));
    expect(causes).toEqual(['ok', 'input', 'input', 'ok', 'input']);
  });

  test('an item that is too large fails at once, and alone', async () => {
    const server = await start({ limits: { itemBytesMax: 100 } });
    expect(await codes([server.run('texts', text('x'.repeat(51)), never), server.run('texts', text('x'.repeat(50)), never)])).toEqual(['LS_MODEL_INPUT', 'ok']);
  });
});

test('batch invariance: 240 items in 12 random orders, alone or crowded, on two workers, give the same bytes', async () => {
  const seed = 3;
  const random = seededRandom(seed);
  const server = await start({ workerCount: 2 });
  const word = (): string => ['alpha', 'beta', 'gamma', 'delta', 'omega'][Math.floor(random() * 5)] ?? '';
  const items = Array.from({ length: 240 }, (_, index): readonly [string, ModelInput] =>
    index % 2 === 0
      ? ['texts', text(Array.from({ length: 1 + Math.floor(random() * 20) }, word).join(' '))]
      : ['rows', values(random() * 10, random(), random() * 5, random())],
  );
  const alone = new Map<number, number[]>();
  for (const [index, [model, input]] of items.entries()) alone.set(index, numbersIn(await server.run(model, input, never)));
  for (let round = 0; round < 12; round += 1) {
    const order = shuffled([...items.keys()], random);
    await Promise.all(
      order.map(async (index) => {
        const [model, input] = items[index] ?? ['', text('')];
        expect(numbersIn(await server.run(model, input, never)), `seed ${seed}, item ${index}`).toEqual(alone.get(index));
      }),
    );
  }
});

describe('queueing', () => {
  test('puts waiting items into batches and tells the observer', async () => {
    const batchCompleted = vi.fn<NonNullable<NonNullable<ModelServerOptions['observer']>['batchCompleted']>>();
    const { clock, halt, goOn } = haltingClock();
    const server = await start({ clock, observer: { batchCompleted } });
    halt();
    const results = Array.from({ length: 9 }, (_, index) => server.run('rows', values(index), never));
    goOn();
    await Promise.all(results);
    const sizes = batchCompleted.mock.calls.map(([{ items }]) => items);
    expect(sizes).toEqual([4, 4, 1]);
    expect(batchCompleted.mock.calls.every(([{ durationMs, model, failedItems }]) => durationMs > 0 && model === 'rows' && failedItems === 0)).toBe(true);
    expect([...server.status()].map(([name, { queuedItems }]) => [name, queuedItems])).toEqual([
      ['texts', { interactive: 0, stream: 0 }],
      ['rows', { interactive: 0, stream: 0 }],
    ]);
  });

  test('refuses what the queue does not hold, retryably, and serves the rest', async () => {
    const overloaded = vi.fn();
    const { clock, halt, goOn } = haltingClock();
    const server = await start({ clock, limits: { queueItemsMax: 3 }, observer: { overloaded } });
    // The worker takes none of them meanwhile: three make no full batch, and none of them lingers.
    halt();
    const results = Array.from({ length: 5 }, (_, index) => server.run('rows', values(index), never));
    goOn();
    expect(await codes(results)).toEqual(['ok', 'ok', 'ok', 'LS_MODEL_OVERLOADED', 'LS_MODEL_OVERLOADED']);
    expect(overloaded).toHaveBeenCalledTimes(2);
    await expect(results[4]).rejects.toMatchObject({ retryable: true });
    expect(await codes([server.run('rows', values(1), never)])).toEqual(['ok']);
  });

  test('an aborted item leaves the queue and frees its place', async () => {
    const server = await start({ limits: { queueItemsMax: 2, lingerMsMax: 60_000 } });
    const controller = new AbortController();
    const reason = new Error('not wanted any more');
    const first = server.run('rows', values(1), { signal: controller.signal });
    const second = server.run('rows', values(2), { signal: controller.signal });
    expect(server.status().get('rows')?.queuedItems.stream).toBe(2);
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    await expect(second).rejects.toBe(reason);
    expect(server.status().get('rows')?.queuedItems.stream).toBe(0);
    await expect(server.run('rows', values(1), { signal: controller.signal })).rejects.toBe(reason);
  });

  test('an item that is aborted while it runs disturbs nobody', async () => {
    const server = await start();
    const controller = new AbortController();
    const results = [values(1), values(2), values(3), values(4)].map((input, index) => server.run('rows', input, index === 1 ? { signal: controller.signal } : never));
    controller.abort(new Error('too late'));
    expect(await codes(results)).toEqual(['ok', 'undefined', 'ok', 'ok']);
  });
});

describe('a failure on a good model is the item\'s doing, one on a bad model is not', () => {
  const causes = async (promises: readonly Promise<unknown>[]): Promise<string[]> => {
    const results = await Promise.allSettled(promises);
    return results.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as { description: { cause: string } }).description.cause));
  };

  test.each([
    ['NaN', logarithm, -1, 'LS_MODEL_OUTPUT_NOT_FINITE'],
    ['a failing operator', lookup, 99, 'LS_MODEL_RUN'],
  ] as const)('%s on one item is its own', async (_, model, bad, code) => {
    const server = await start({ models: [{ name: 'rows', directory: await classifierDirectory({}, model()) }] });
    const run = () => [1, bad, 2, bad].map((value) => server.run('rows', values(value), never));
    expect(await codes(run())).toEqual(['ok', code, 'ok', code]);
    expect(await causes(run())).toEqual(['ok', 'input', 'ok', 'input']);
  });

  test.each(['nan', 'throw'])('a model that turns bad for everything, known answers and all, is a failing system: %s', async (breakage) => {
    const server = await start({ workerEntry: { url: faultyWorker } });
    const run = (...texts: readonly string[]) => texts.map((value) => server.run('texts', text(value), never));
    expect(await codes(run('one'))).toEqual(['ok']);
    // Alone first: the queue puts texts of another length into another batch.
    expect(await codes(run(`fault turn ${breakage}`))).toEqual(['LS_MODEL_OUTPUT']);
    const failed = run('two', 'three', 'four');
    expect(await codes(failed)).toEqual(['LS_MODEL_OUTPUT', 'LS_MODEL_OUTPUT', 'LS_MODEL_OUTPUT']);
    expect(await causes(failed)).toEqual(['environment', 'environment', 'environment']);
    await expect(failed[1]).rejects.toThrow(/does not give its known answers any more: known answer 0 in a batch of 1: LS_MODEL_/);
    // An item that fails for its own reasons keeps them, and a model that is good again serves again.
    expect(await codes(run('five', '!?'))).toEqual(['LS_MODEL_OUTPUT', 'LS_MODEL_INPUT']);
    expect(await codes(run('fault turn none'))).toEqual(['ok']);
    expect(await codes(run('six', '!?'))).toEqual(['ok', 'LS_MODEL_INPUT']);
  });
});

describe('a worker that dies', () => {
  const withFaults = async (options: Partial<ModelServerOptions> = {}) => {
    const workerDied = vi.fn();
    const server = await start({ workerEntry: { url: faultyWorker }, observer: { workerDied }, ...options });
    return { server, workerDied };
  };

  test.each(['exit', 'throw'])('is replaced; the item that did it fails, its neighbours do not: %s', async (fault) => {
    const { server, workerDied } = await withFaults();
    const inputs = ['one', 'two', `fault ${fault}`, 'three', 'four', 'five', 'six'];
    expect(await codes(inputs.map((input) => server.run('texts', text(input), never)))).toEqual(['ok', 'ok', 'LS_MODEL_WORKER_DIED', 'ok', 'ok', 'ok', 'ok']);
    expect(workerDied.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(await codes([server.run('rows', values(1), never)])).toEqual(['ok']);
  });

  test('twice by one item that is not to blame: no worker starts behind it', async () => {
    const directory = await encoderDirectory();
    const { server } = await withFaults({ models: [{ name: 'texts', directory }] });
    const failed = server.run('texts', text(`fault last ${join(directory, 'blocked')}`), never);
    await expect(failed).rejects.toMatchObject({ code: 'LS_MODEL_WORKERS_UNAVAILABLE', retryable: true, description: { cause: 'environment' } });
  });

  test('for want of memory is replaced as well', { timeout: 300_000 }, async () => {
    const child = join(import.meta.dirname, 'want-of-memory-child.ts');
    const directory = await encoderDirectory();
    const attempt = async (): Promise<string> => (await promisify(execFile)(process.execPath, [child, directory])).stdout;
    // Where memory runs out between two statements V8 ends the thread; within its compiler it ends the process, which proves nothing.
    const isEndOfProcess = (error: unknown): boolean => String((error as { stderr?: unknown }).stderr).includes('heap out of memory');
    for (let attempts = 1; ; attempts++) {
      try {
        expect(JSON.parse(await attempt())).toEqual(['ok', 'LS_MODEL_WORKER_DIED', 'ok']);
        return;
      } catch (error) {
        if (attempts === 4 || !isEndOfProcess(error)) throw error;
      }
    }
  });

  test('because it did not come back is replaced as well; the item that did it is told from its neighbours', async () => {
    const { server } = await withFaults({ workerEntry: { url: faultyWorker, answerMsMax: 1_500 } });
    const inputs = ['one', 'fault hang', 'two'];
    expect(await codes(inputs.map((input) => server.run('texts', text(input), never)))).toEqual(['ok', 'LS_MODEL_RUN_TIME', 'ok']);
    expect(await codes([server.run('rows', values(1), never)])).toEqual(['ok']);
  });

  test('once costs no item', async () => {
    const { server, workerDied } = await withFaults();
    const marker = join(await temporaryDirectory(), 'died');
    const inputs = ['one', `fault once ${marker}`, 'two', 'three', 'four'];
    expect(await codes(inputs.map((input) => server.run('texts', text(input), never)))).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
    expect(workerDied).toHaveBeenCalledOnce();
    expect(existsSync(marker)).toBe(true);
  });

  test('several times, with several bad items among many, on two workers', async () => {
    const { server } = await withFaults({ workerCount: 2 });
    const inputs = Array.from({ length: 60 }, (_, index) => (index % 15 === 7 ? 'fault exit' : `word ${index}`));
    const expected = inputs.map((input) => (input === 'fault exit' ? 'LS_MODEL_WORKER_DIED' : 'ok'));
    expect(await codes(inputs.map((input) => server.run('texts', text(input), never)))).toEqual(expected);
  });

  test('and cannot be replaced: what waits fails retryably, and it goes on once it can', async () => {
    const directory = await encoderDirectory();
    const blocker = join(directory, 'blocked');
    const { server } = await withFaults({ models: [{ name: 'texts', directory }] });
    await writeFile(blocker, '');
    const dying = server.run('texts', text('fault exit'), never);
    await expect(dying).rejects.toMatchObject({ code: 'LS_MODEL_WORKERS_UNAVAILABLE', retryable: true });
    await expect(server.run('texts', text('x'), never)).rejects.toMatchObject({ code: 'LS_MODEL_WORKERS_UNAVAILABLE' });
    await rm(blocker);
    await vi.waitFor(() => server.run('texts', text('x'), never), { timeout: 30_000, interval: 50 });
  });
});

describe('start and close', () => {
  test('a refused model leaves no thread running', async () => {
    const before = workerThreads();
    const good = { name: 'texts', directory: await encoderDirectory() };
    const startWith = (directory: string) => startModelServer({ clock: testClock, workerCount: 2, models: [good, { name: 'bad', directory }] });
    expect(await rejectedMessage(startWith(await classifierDirectory({}, dynamicallyQuantised())), 'LS_MODEL_KNOWN_ANSWER')).toMatch(/in a batch of 4: /);
    const wrong = { ...classifierManifest, knownAnswers: [{ input: values(1), output: [0.5, 0.25, 0.25], tolerance: 1e-6 }] };
    const directory = await writeModel(await temporaryDirectory(), wrong, { 'model.onnx': valuesClassifier() });
    expect(await rejectedMessage(startWith(directory), 'LS_MODEL_KNOWN_ANSWER')).toContain('expected 0.5 within 0.000001');
    await rejectedMessage(startWith(join(directory, 'nowhere')), 'LS_MODEL_NOT_FOUND');
    expect(workerThreads()).toBe(before);
  });

  test('bytes that onnxruntime cannot load are refused by their name', async () => {
    const unknownOperator = onnxModel({
      inputs: [{ name: 'values', type: 'float32', shape: ['batch', 4] }],
      outputs: [{ name: 'probabilities', type: 'float32', shape: ['batch', 3] }],
      nodes: [node('NoSuchOperator', ['values'], ['probabilities'])],
    });
    const answers = { knownAnswers: [{ input: values(1), output: [0, 0, 0], tolerance: 1 }] };
    const directory = await writeModel(await temporaryDirectory(), { ...classifierManifest, ...answers }, { 'model.onnx': unknownOperator });
    const message = await rejectedMessage(start({ models: [{ name: 'rows', directory }] }), 'LS_MODEL_LOAD');
    expect(message).toContain(directory);
    expect(message).toContain('NoSuchOperator');
  });

  test('close fails what waits, ends every thread, and may be repeated', async () => {
    const before = workerThreads();
    const server = await start({ workerCount: 2, limits: { lingerMsMax: 60_000 } });
    expect(workerThreads()).toBe(before + 2);
    const results = Array.from({ length: 10 }, (_, index) => server.run('rows', values(index), never));
    const settled = codes(results);
    await server.close();
    expect(new Set(await settled)).toEqual(new Set(['LS_MODEL_CLOSED']));
    expect(workerThreads()).toBe(before);
    await rejectedMessage(server.run('rows', values(1), never), 'LS_MODEL_CLOSED');
    await server.close();
  });

  test('close while a worker is being replaced waits for it', async () => {
    const before = workerThreads();
    const workerDied = vi.fn();
    const server = await start({ workerEntry: { url: faultyWorker }, observer: { workerDied } });
    const died = codes([server.run('texts', text('fault exit'), never)]);
    await vi.waitFor(() => expect(workerDied).toHaveBeenCalledOnce(), { timeout: 30_000, interval: 1 });
    await server.close();
    expect(await died).toEqual(['LS_MODEL_CLOSED']);
    expect(workerThreads()).toBe(before);
  });
});
