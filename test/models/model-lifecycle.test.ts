/** Models that are loaded, unloaded and reloaded while items come, with real workers and each failure as it really happens. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { startModelServer, type ModelServer, type ModelServerObserver, type ModelServerOptions } from '../../src/models/model-server.ts';
import { classifierDirectory, classifierManifest, encoderDirectory, encoderManifest, rejectedMessage, temporaryDirectory, testClock, writeModel, writeModelWithAnswers } from './model-directory.ts';
import { encoderDimensions, logarithm, textEncoder, valuesClassifier, weights } from './onnx-fixtures.ts';
import { node, onnxModel, tensor } from './onnx-writer.ts';
import { numbersIn } from './graph-models.ts';

const text = (value: string): ModelInput => ({ kind: 'text', text: value });
const values = (a: number): ModelInput => ({ kind: 'values', values: { a, b: 1, c: 1, d: 1 } });
const never = { signal: new AbortController().signal };
const faultyWorker = new URL('./faulty-worker.ts', import.meta.url);
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'ok', (error: unknown) => String((error as { code?: unknown }).code));

async function start(options: Partial<ModelServerOptions> & Pick<ModelServerOptions, 'models'>): Promise<ModelServer> {
  const server = await startModelServer({ clock: testClock, workerCount: 2, ...options });
  onTestFinished(() => server.close());
  return server;
}

const stateOf = (server: ModelServer, name: string): string | undefined => server.status().get(name)?.state;

/** Another model of the same name and version, with known answers of its own. */
const rewrite = (directory: string, model = logarithm(), overrides = {}): Promise<string> =>
  writeModelWithAnswers(directory, { ...classifierManifest, ...overrides }, { 'model.onnx': model }, 3);

function recorder() {
  const told: string[] = [];
  const observer: ModelServerObserver = {
    stateChanged: ({ model, state }) => told.push(`${model} ${state}`),
    loaded: ({ model }) => told.push(`${model} loaded`),
    loadFailed: ({ model }) => told.push(`${model} load failed`),
    unloaded: ({ model, why }) => told.push(`${model} unloaded: ${why}`),
    reloaded: ({ model }) => told.push(`${model} reloaded`),
    reloadFailed: ({ model }) => told.push(`${model} reload failed`),
  };
  return { told, observer };
}

describe('load', () => {
  test('a model that is not loaded at the start is known, and is loaded by the first item, which waits for it with the others', async () => {
    const { told, observer } = recorder();
    const server = await start({ models: [{ name: 'rows', directory: await classifierDirectory(), preload: false }], observer });
    expect(server.describe('rows')).toMatchObject({ model: 'test-classifier', labels: ['red', 'green', 'blue'] });
    expect(server.status().get('rows')).toMatchObject({ state: 'unloaded', memoryBytes: 0 });
    const outputs = Promise.all(Array.from({ length: 9 }, (_, index) => server.run('rows', values(index), never)));
    expect(server.status().get('rows')?.queuedItems.stream).toBe(9);
    expect(await outputs).toHaveLength(9);
    expect(told).toEqual(['rows unloaded', 'rows loading', 'rows ready', 'rows loaded']);
    expect(server.status().get('rows')?.memoryBytes).toBeGreaterThan(0);
    await server.load('rows');
    expect(told).toHaveLength(4);
  });

  test('that fails tells whoever waits, is not repeated for every item, and succeeds when what was wrong is mended', async () => {
    const { told, observer } = recorder();
    const directory = await classifierDirectory();
    const server = await start({ models: [{ name: 'rows', directory, preload: false }, { name: 'texts', directory: await encoderDirectory() }], observer });
    await writeFile(join(directory, 'model.onnx'), 'x');
    expect(await Promise.all([1, 2, 3].map((value) => codeOf(server.run('rows', values(value), never))))).toEqual(['LS_MODEL_HASH', 'LS_MODEL_HASH', 'LS_MODEL_HASH']);
    expect(await codeOf(server.run('rows', values(4), never))).toBe('LS_MODEL_HASH');
    expect(told.filter((each) => each === 'rows load failed')).toHaveLength(1);
    expect(server.status().get('rows')).toMatchObject({ state: 'failed', error: { code: 'LS_MODEL_HASH' } });
    expect(await codeOf(server.run('texts', text('one'), never))).toBe('ok');
    await writeFile(join(directory, 'model.onnx'), valuesClassifier());
    await server.load('rows');
    expect(await codeOf(server.run('rows', values(5), never))).toBe('ok');
  });

  test('after a failure is tried again for an item that comes later', async () => {
    const directory = await classifierDirectory();
    const server = await start({ models: [{ name: 'rows', directory, preload: false }] });
    await rm(join(directory, 'model.onnx'));
    expect(await codeOf(server.run('rows', values(1), never))).toBe('LS_MODEL_FILE_MISSING');
    await writeFile(join(directory, 'model.onnx'), valuesClassifier());
    await vi.waitFor(() => server.run('rows', values(2), never), { timeout: 30_000, interval: 100 });
  });

  test('that ends the worker fails; the other models go on, and the worker that takes its place holds them', async () => {
    const directory = await classifierDirectory();
    const workerDied = vi.fn();
    const models = [{ name: 'rows', directory, preload: false }, { name: 'texts', directory: await encoderDirectory() }];
    const server = await start({ models, workerEntry: { url: faultyWorker }, observer: { workerDied } });
    await writeFile(join(directory, 'exit-at-load'), '');
    const texts = Array.from({ length: 40 }, (_, index) => codeOf(server.run('texts', text(`word ${index}`), never)));
    expect(await rejectedMessage(server.run('rows', values(1), never), 'LS_MODEL_LOAD')).toContain('ended the inference worker that loaded it');
    expect(workerDied).toHaveBeenCalledExactlyOnceWith({ batchItems: 0 });
    expect(new Set(await Promise.all(texts))).toEqual(new Set(['ok']));
    await rm(join(directory, 'exit-at-load'));
    await server.load('rows');
    expect(await Promise.all([codeOf(server.run('rows', values(1), never)), codeOf(server.run('texts', text('two'), never))])).toEqual(['ok', 'ok']);
  });

  test('refuses a model that cannot be executed in one of its shapes, though its known answers are right', async () => {
    // Weights are cut into rows of 16: right for that length alone.
    const model = onnxModel({
      inputs: [{ name: 'ids', type: 'int64', shape: ['batch', 'length'] }, { name: 'weights', type: 'float32', shape: ['batch', 'length'] }],
      outputs: [{ name: 'embedding', type: 'float32', shape: ['batch', encoderDimensions] }],
      initializers: [tensor('table', [512, encoderDimensions], weights(512 * encoderDimensions)), tensor('row-axis', [1], BigInt64Array.of(1n)), tensor('sixteen', [2], BigInt64Array.of(-1n, 16n))],
      nodes: [
        node('Gather', ['table', 'ids'], ['rows']),
        node('Reshape', ['weights', 'sixteen'], ['cut']),
        node('Unsqueeze', ['cut', 'row-axis'], ['weight-row']),
        node('MatMul', ['weight-row', 'rows'], ['sum-row']),
        node('Squeeze', ['sum-row', 'row-axis'], ['embedding']),
      ],
    });
    const knownAnswers = [{ input: text('a'), output: [], tolerance: 1e-6 }];
    const directory = await writeModelWithAnswers(await temporaryDirectory(), { ...encoderManifest, knownAnswers }, { 'model.onnx': model }, encoderDimensions);
    expect(await rejectedMessage(start({ models: [{ name: 'texts', directory }] }), 'LS_MODEL_LOAD')).toContain('cannot be executed in a batch of 1 of the length 64');
  });
});

describe('unload', () => {
  test('finishes what waits and runs; what comes meanwhile waits, and loads the model again', async () => {
    const { told, observer } = recorder();
    const server = await start({ models: [{ name: 'rows', directory: await classifierDirectory() }], limits: { lingerMsMax: 60_000 }, workerCount: 1, observer });
    // Four run, two are no batch yet.
    const before = Array.from({ length: 6 }, (_, index) => codeOf(server.run('rows', values(index), never)));
    const unloaded = server.unload('rows');
    await vi.waitUntil(() => stateOf(server, 'rows') === 'unloading', { interval: 1 });
    const after = Array.from({ length: 4 }, (_, index) => codeOf(server.run('rows', values(index), never)));
    await unloaded;
    expect(await Promise.all(before)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
    expect(await Promise.all(after)).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(told.slice(2)).toEqual(['rows unloading', 'rows unloaded', 'rows unloaded: asked', 'rows loading', 'rows ready', 'rows loaded']);
    await server.unload('rows');
    expect(server.status().get('rows')).toMatchObject({ state: 'unloaded', memoryBytes: 0 });
  });

  test('is for good where nobody asks: a worker that takes the place of a dead one is not given the model', async () => {
    const directory = await classifierDirectory();
    const workerDied = vi.fn();
    const server = await start({ models: [{ name: 'rows', directory }, { name: 'texts', directory: await encoderDirectory() }], workerCount: 1, workerEntry: { url: faultyWorker }, observer: { workerDied } });
    await server.unload('rows');
    // No worker starts with a model in whose directory this is.
    await writeFile(join(directory, 'blocked'), '');
    expect(await codeOf(server.run('texts', text('fault exit'), never))).toBe('LS_MODEL_WORKER_DIED');
    expect(workerDied).toHaveBeenCalledTimes(2);
    expect(await codeOf(server.run('texts', text('one'), never))).toBe('ok');
  });
});

describe('reload', () => {
  const served = async (options: Partial<ModelServerOptions> = {}) => {
    const directory = await classifierDirectory();
    const { told, observer } = recorder();
    const server = await start({ models: [{ name: 'rows', directory, isPinned: true }, { name: 'texts', directory: await encoderDirectory() }], observer, ...options });
    const answer = async () => numbersIn(await server.run('rows', values(2), never));
    return { directory, server, told, answer, old: await answer() };
  };

  test('goes over to the new model between two batches, and no item fails', async () => {
    const { directory, server, told, answer, old } = await served();
    await rewrite(directory);
    const over = new AbortController();
    const asking = (async () => {
      const seen: number[][] = [];
      while (!over.signal.aborted) seen.push(...(await Promise.all([answer(), answer(), answer()])));
      return seen;
    })();
    await server.reload('rows');
    over.abort();
    const now = [Math.log(2), 0, 0];
    for (const [index, output] of (await answer()).entries()) expect(output).toBeCloseTo(now[index]!, 6);
    const switches = (await asking).map((output) => JSON.stringify(output) === JSON.stringify(old));
    expect(switches.lastIndexOf(true) < 0 || switches.indexOf(false) < 0 || switches.lastIndexOf(true) < switches.indexOf(false) + 3).toBe(true);
    expect(told.at(-1)).toBe('rows reloaded');
  });

  test('is kept by a worker that starts later', async () => {
    const { directory, server, answer } = await served({ workerCount: 1, workerEntry: { url: faultyWorker } });
    await rewrite(directory);
    await server.reload('rows');
    const now = await answer();
    expect(await codeOf(server.run('texts', text('fault exit'), never))).toBe('LS_MODEL_WORKER_DIED');
    expect(await answer()).toEqual(now);
  });

  const failures: Readonly<Record<string, { readonly code: string; readonly harm: (directory: string) => Promise<unknown> }>> = {
    'a file that is another': { code: 'LS_MODEL_HASH', harm: (directory) => writeFile(join(directory, 'model.onnx'), valuesClassifier().subarray(0, 100)) },
    'a file that is cut off, vouched for': { code: 'LS_MODEL_LOAD', harm: (directory) => writeModel(directory, { ...classifierManifest, knownAnswers: known }, { 'model.onnx': valuesClassifier().subarray(0, -20) }) },
    'a graph that contradicts itself': { code: 'LS_MODEL_LOAD', harm: (directory) => writeModel(directory, { ...classifierManifest, knownAnswers: known }, { 'model.onnx': contradictory() }) },
    'a wrong known answer': { code: 'LS_MODEL_KNOWN_ANSWER', harm: (directory) => writeModel(directory, { ...classifierManifest, knownAnswers: known }, { 'model.onnx': valuesClassifier() }) },
    'another input shape': { code: 'LS_MODEL_LOAD', harm: (directory) => writeModel(directory, { ...classifierManifest, knownAnswers: known }, { 'model.onnx': fiveFields() }) },
    'a worker that dies of it': { code: 'LS_MODEL_LOAD', harm: (directory) => writeFile(join(directory, 'exit-at-load'), '') },
    'another version': { code: 'LS_MODEL_OTHER', harm: (directory) => rewrite(directory, logarithm(), { version: '2.0.0' }) },
    'other labels': { code: 'LS_MODEL_OTHER', harm: (directory) => rewrite(directory, logarithm(), { labels: ['red', 'green', 'violet'] }) },
  };
  test.each(Object.entries(failures))('fails by %s: the old one goes on, and the error is told', async (_, { code, harm }) => {
    const { directory, server, told, answer, old } = await served({ workerEntry: { url: faultyWorker } });
    await harm(directory);
    const meanwhile = Promise.all(Array.from({ length: 30 }, () => answer()));
    expect(await codeOf(server.reload('rows'))).toBe(code);
    expect(told.at(-1)).toBe('rows reload failed');
    expect(stateOf(server, 'rows')).toBe('ready');
    for (const output of [...(await meanwhile), await answer()]) expect(output).toEqual(old);
    expect(await codeOf(server.run('texts', text('one'), never))).toBe('ok');
  });

  test('of a model that no route uses may be another one', async () => {
    const directory = await classifierDirectory();
    const server = await start({ models: [{ name: 'rows', directory }] });
    await rewrite(directory, logarithm(), { version: '2.0.0', labels: ['red', 'green', 'violet'] });
    await server.reload('rows');
    expect(server.describe('rows')).toMatchObject({ version: '2.0.0', labels: ['red', 'green', 'violet'] });
  });

  test('of other executed shapes takes what waits along', async () => {
    const { directory, server } = await served({ limits: { lingerMsMax: 500 } });
    await rewrite(directory, logarithm(), { executedShapes: { batchSizes: [1, 2] } });
    const reloaded = server.reload('rows');
    const outcomes = Array.from({ length: 3 }, (_, index) => codeOf(server.run('rows', values(index + 1), never)));
    await reloaded;
    expect(await Promise.all(outcomes)).toEqual(['ok', 'ok', 'ok']);
  });
});

const known = [{ input: values(1), output: [0.5, 0.25, 0.25], tolerance: 1e-6 }];

/** The matrix has one row too few for the values. */
function contradictory(): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'values', type: 'float32', shape: ['batch', 4] }],
    outputs: [{ name: 'probabilities', type: 'float32', shape: ['batch', 3] }],
    initializers: [tensor('matrix', [3, 3], weights(9))],
    nodes: [node('MatMul', ['values', 'matrix'], ['probabilities'])],
  });
}

function fiveFields(): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'values', type: 'float32', shape: ['batch', 5] }],
    outputs: [{ name: 'probabilities', type: 'float32', shape: ['batch', 3] }],
    initializers: [tensor('matrix', [5, 3], weights(15))],
    nodes: [node('MatMul', ['values', 'matrix'], ['probabilities'])],
  });
}

test('any number of operations at once are done one after the other, while items come: none fails, and the last state holds', async () => {
  const seed = 11;
  const random = seededRandom(seed);
  const models = [{ name: 'rows', directory: await classifierDirectory() }, { name: 'texts', directory: await encoderDirectory({}, textEncoder()), preload: false }];
  const server = await start({ models });
  const operations = Array.from({ length: 20 }, () => {
    const operation = (['load', 'unload', 'reload'] as const)[Math.floor(random() * 3)] ?? 'load';
    const items = ['rows', 'texts'].map((name) => codeOf(server.run(name, name === 'rows' ? values(random()) : text('some words'), never)));
    return [codeOf(server[operation](random() < 0.5 ? 'rows' : 'texts')), ...items];
  });
  expect(new Set(await Promise.all(operations.flat())), `seed ${seed}`).toEqual(new Set(['ok']));
  await Promise.all([server.unload('rows'), server.load('texts')]);
  expect([stateOf(server, 'rows'), stateOf(server, 'texts')]).toEqual(['unloaded', 'ready']);
});

test('a server that is closed while it loads a model refuses it, and whoever waits', async () => {
  const server = await start({ models: [{ name: 'rows', directory: await classifierDirectory(), preload: false }] });
  const outcomes = [codeOf(server.run('rows', values(1), never)), codeOf(server.load('rows')), codeOf(server.unload('rows'))];
  await server.close();
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['LS_MODEL_CLOSED']));
});
