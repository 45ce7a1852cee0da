// Models that plugins run, in the workers that run all models: what a plugin gives is checked, and its mistakes are nobody else's.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../../src/models/model-server.ts';
import type { ModelInput, ModelOutput } from '../../../src/models/model-port.ts';
import { verifyModel } from '../../../src/models/verify.ts';
import { consumers, type Consumer } from '../../../src/models/consumers.ts';
import { logarithm } from '../onnx-fixtures.ts';
import { node, onnxModel, type Port } from '../onnx-writer.ts';
import { sha256, temporaryDirectory, testClock } from '../model-directory.ts';

/** Answers with the length of a text; some texts make it do what it must not. */
const plugin = `
export default {
  apiVersion: 1,
  name: 'lengths',
  models: {
    length: {
      open: async ({ settings, files, inputError }) => {
        if (settings.broken) throw new Error('settings.broken');
        const offset = files.get('offset.txt').length;
        return {
          answer: async (items) => {
            await new Promise((resolve) => setTimeout(resolve, settings.waitMs ?? 0));
            if (items.some(({ text }) => text === 'fail')) throw new Error('a text that fails');
            if (items.some(({ text }) => text === 'too few')) return [];
            return items.map(({ text }) => {
              if (text === 'refuse') return inputError('this text is refused');
              if (text === 'error') return new Error('an error of its own');
              if (text === 'nan') return { kind: 'vector', vector: Float32Array.of(NaN, 0) };
              if (text === 'wide') return { kind: 'vector', vector: new Float32Array(3) };
              if (text === 'caption') return { kind: 'caption', text };
              if (text === 'nothing') return undefined;
              if (text === 'no text') return { kind: 'caption' };
              if (text === 'half') return { kind: 'caption', text: '\\ud83d' };
              if (text === 'items') return { kind: 'vector', vector: Float32Array.of(items.length, 0) };
              if (text === 'end') process.exit(3);
              return { kind: 'vector', vector: Float32Array.of(text.length + offset, 1) };
            });
          },
        };
      },
    },
    graph: {
      open: async ({ openSession }) => {
        const session = await openSession('model.onnx');
        return {
          answer: (items) => Promise.all(items.map(async ({ text }) => {
            const { [session.outputNames[0]]: output } = await session.run({ [session.inputNames[0]]: { type: 'float32', data: Float32Array.of(text.length, 1, 1, 1), dims: [1, 4] } });
            return { kind: 'vector', vector: output.data.slice() };
          })),
        };
      },
    },
  },
};`;

type Made = { readonly directory: string; readonly plugins: ReadonlyMap<string, string> };

async function makeModel(overrides: Readonly<Record<string, unknown>> = {}, files: Readonly<Record<string, Uint8Array>> = { 'offset.txt': Buffer.from('12') }): Promise<Made> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'plugin.mjs'), plugin);
  for (const [path, bytes] of Object.entries(files)) await writeFile(join(directory, path), bytes);
  const manifest = {
    kind: 'plugin', name: 'lengths', version: '1.0.0', licence: 'MIT', source: 'written by the tests', plugin: 'lengths', opens: 'length', tasks: ['text-features'],
    input: 'text', dimensions: 2, batchItemsMax: 4, reproducible: true,
    files: Object.entries(files).map(([path, bytes]) => ({ path, sha256: sha256(bytes), sizeBytes: bytes.length })),
    knownAnswers: [{ input: { kind: 'text', text: 'four' }, output: [6, 1], tolerance: 0 }],
    ...overrides,
  };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
  return { directory, plugins: new Map([['lengths', pathToFileURL(join(directory, 'plugin.mjs')).href]]) };
}

async function serve({ directory, plugins }: Made, consumer?: Consumer, workerCount = 1): Promise<ModelServer> {
  const server = await startModelServer({ models: [{ name: 'm', directory, consumer }], plugins, clock: testClock, workerCount, limits: { lingerMsMax: 20 } });
  onTestFinished(() => server.close());
  return server;
}

const ask = (server: ModelServer, text: string): Promise<ModelOutput> => server.run('m', { kind: 'text', text } satisfies ModelInput, { signal: new AbortController().signal });

async function askAll(server: ModelServer, texts: readonly string[]): Promise<(string | readonly number[])[]> {
  const settled = await Promise.allSettled(texts.map((text) => ask(server, text)));
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') return (outcome.reason as { readonly code: string }).code;
    return outcome.value.kind === 'vector' ? [...outcome.value.vector] : outcome.value.kind;
  });
}

test('items are answered by the plugin, and each mistake is its item\'s alone', async () => {
  const server = await serve(await makeModel());
  expect(server.describe('m')).toMatchObject({ dimensions: 2, task: 'text-features', labels: [] });
  const texts = ['a', 'refuse', 'error', 'nan', 'wide', 'caption', 'nothing', 'fail', 'bc', 'too few'];
  expect(await askAll(server, texts)).toEqual([
    [3, 1], 'LS_MODEL_INPUT', 'LS_MODEL_RUN', 'LS_MODEL_OUTPUT_NOT_FINITE', 'LS_PLUGIN_ANSWER', 'LS_PLUGIN_ANSWER', 'LS_PLUGIN_ANSWER', 'LS_MODEL_RUN', [4, 1], 'LS_PLUGIN_ANSWER',
  ]);
});

test('an item that cannot be handed to a worker fails alone, and nothing waits for its answer', async () => {
  const server = await serve(await makeModel());
  const unsent = { kind: 'image', bytes: new Uint8Array(1), contentType: 'a', config: { call: () => 1 } } as never;
  const asked = [ask(server, 'a'), server.run('m', unsent, { signal: new AbortController().signal }), ask(server, 'bc')];
  const settled = await Promise.allSettled(asked);
  expect(settled.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.kind : (outcome.reason as { readonly code: string }).code))).toEqual(['vector', 'LS_MODEL_NOT_SENT', 'vector']);
  expect(await askAll(server, ['def', 'g'])).toEqual([[5, 1], [3, 1]]);
});

test('an item that ends the worker fails alone, and the others are answered by the next', async () => {
  const server = await serve(await makeModel(), undefined, 2);
  expect(await askAll(server, ['a', 'end', 'bc', 'def'])).toEqual([[3, 1], 'LS_MODEL_WORKER_DIED', [4, 1], [5, 1]]);
});

test('graphs of the manifest are opened by the program', async () => {
  const knownAnswers = [{ input: { kind: 'text', text: 'four' }, output: [Math.log(4), 0, 0], tolerance: 1e-6 }];
  const made = await makeModel({ opens: 'graph', dimensions: 3, knownAnswers }, { 'model.onnx': logarithm() });
  expect(await askAll(await serve(made), ['abc', ''])).toEqual([[Math.fround(Math.log(3)), 0, 0], 'LS_MODEL_OUTPUT_NOT_FINITE']);
});

test('an output of a type that plugins are not given is told as that', async () => {
  const outputs: readonly Port[] = [{ name: 'counts', type: 'int32', shape: ['batch', 4] }];
  const counting = onnxModel({ inputs: [{ name: 'values', type: 'float32', shape: ['batch', 4] }], outputs, nodes: [node('Cast', ['values'], ['counts'], [{ name: 'to', value: 6 }])] });
  const made = await makeModel({ opens: 'graph', dimensions: 4, knownAnswers: [{ input: { kind: 'text', text: 'four' }, output: [4, 1, 1, 1], tolerance: 0 }] }, { 'model.onnx': counting });
  const error: unknown = await serve(made).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain('LS_PLUGIN_TENSOR: the output counts of model.onnx is int32');
});

test.each([
  ['a plugin that is not loaded', { plugin: 'widths' }, 'LS_PLUGIN_MISSING', /"widths", which is not loaded \(`plugins` of a configuration, or --plugin, name it\); loaded are: lengths/],
  ['a model that the plugin lacks', { opens: 'width' }, 'LS_PLUGIN_MISSING', /which has: length, graph/],
  ['a model that its plugin cannot open', { settings: { broken: true } }, 'LS_MODEL_LOAD', /settings\.broken/],
  ['another known answer', { knownAnswers: [{ input: { kind: 'text', text: 'four' }, output: [7, 1], tolerance: 0 }] }, 'LS_MODEL_KNOWN_ANSWER', /is 6, expected 7/],
  ['a known answer that is not the same alone and beside others', { knownAnswers: [{ input: { kind: 'text', text: 'four' }, output: [6, 1], tolerance: 0 }, { input: { kind: 'text', text: 'items' }, output: [2, 0], tolerance: 0 }] }, 'LS_MODEL_KNOWN_ANSWER', /known answer 1 in a batch of 1: number 0 is 1, expected 2/],
  ['a known answer of another width', { knownAnswers: [{ input: { kind: 'text', text: 'four' }, output: [7], tolerance: 0 }] }, 'LS_MODEL_MANIFEST', /has 1 numbers; the model gives 2/],
])('%s is refused at the start', async (_what, overrides, code, says) => {
  const made = await makeModel(overrides);
  const error: unknown = await serve(made).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect(String(error)).toMatch(says);
});

test('answers that are no numbers are checked, too', async () => {
  const knownAnswers = [{ input: { kind: 'text', text: 'caption' }, output: { kind: 'caption', text: 'caption' }, tolerance: 0 }];
  const server = await serve(await makeModel({ dimensions: 0, knownAnswers }));
  expect(await askAll(server, ['caption', 'no text', 'half', 'a'])).toEqual(['caption', 'LS_PLUGIN_ANSWER', 'LS_PLUGIN_ANSWER', 'LS_PLUGIN_ANSWER']);
});

test('verify proves it as any model', async () => {
  const { directory, plugins } = await makeModel();
  const report = await verifyModel(directory, { plugins, rounds: 1 });
  expect(report.checks.map(({ name, ok }) => [name, ok])).toEqual([['manifest', true], ['files', true], ['load', true], ['known-answers', true], ['batch-invariance', true]]);
  expect((await verifyModel(directory)).checks.at(-1)).toMatchObject({ name: 'load', ok: false });
});

test.each<[string, Consumer, number]>([
  ['batched', consumers.batched, 4],
  ['pool', consumers.pool, 1],
  ['single-thread', consumers['single-thread'], 1],
  ['of a plugin', () => ({ batchItemsMax: 2, inWorkItemsMax: 2 }), 2],
])('a consumer puts items together: %s', async (_name, consumer, itemsMax) => {
  const server = await serve(await makeModel({ settings: { waitMs: 5 } }), consumer);
  const sizes = await askAll(server, Array.from({ length: 12 }, () => 'items'));
  const largest = Math.max(...sizes.map((size) => Number(size[0])));
  expect(largest).toBe(itemsMax);
});

test('a consumer bounds what is in work, on all workers together', async () => {
  // Two workers count by themselves, so what is in work is seen by how long all of it takes: four items of 60 ms, one at a time.
  const server = await serve(await makeModel({ settings: { waitMs: 60 } }), consumers['single-thread'], 2);
  const startMs = performance.now();
  await askAll(server, ['a', 'b', 'c', 'd']);
  expect(performance.now() - startMs).toBeGreaterThan(3.5 * 60);
});

test('a consumer that asks for what cannot be is refused', async () => {
  for (const consumption of [{ batchItemsMax: 5 }, { batchItemsMax: 0 }, { batchItemsMax: 2, inWorkItemsMax: 1 }, { batchItemsMax: 1, lingerMsMax: -1 }]) {
    await expect(serve(await makeModel(), () => consumption)).rejects.toMatchObject({ code: 'LS_PLUGIN_INVALID' });
  }
  const failing: Consumer = () => {
    throw new TypeError('no idea');
  };
  await expect(serve(await makeModel(), failing)).rejects.toMatchObject({ code: 'LS_PLUGIN_INVALID', message: expect.stringContaining('no idea') as string });
});
