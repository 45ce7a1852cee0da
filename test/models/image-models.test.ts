// Models of images behind the model port: what is wrong with an image keeps its code on the way out of the worker, and touches no neighbour.
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LabelstreamError } from '../../src/core/errors/error.ts';
import type { ModelInput } from '../../src/models/model-port.ts';
import { startModelServer, type ModelServer, type ModelServerOptions } from '../../src/models/model-server.ts';
import { verifyModel } from '../../src/models/verify.ts';
import { packRequest } from '../../src/models/worker-protocol.ts';
import { colourImage, writeImageModels } from './image-models.ts';
import { temporaryDirectory, testClock } from './model-directory.ts';

const image = (bytes: Uint8Array, contentType = 'image/png'): ModelInput => ({ kind: 'image', bytes, contentType });
const red = await colourImage('red').png().toBuffer();
const never = { signal: new AbortController().signal };

async function serve(options: Partial<ModelServerOptions> = {}): Promise<ModelServer> {
  const directory = await temporaryDirectory();
  await writeImageModels(directory);
  const models = ['colour-encoder', 'colour-classifier'].map((name) => ({ name, directory: join(directory, name) }));
  const server = await startModelServer({ models, clock: testClock, workerCount: 1, ...options });
  onTestFinished(() => server.close());
  return server;
}

async function vectorOf(server: ModelServer, bytes: Uint8Array): Promise<number[]> {
  const output = await server.run('colour-encoder', image(bytes), never);
  return output.kind === 'vector' ? [...output.vector] : [];
}

test('bad images fail by their codes, and good ones beside them do not', async () => {
  const server = await serve();
  const expected = await vectorOf(server, red);
  expect(expected.map((value) => Math.round(value * 255))).toEqual([230, 0, 0]);
  const calls = [red, Buffer.alloc(0), red, Buffer.from('GIF89a'), red.subarray(0, -20), Buffer.concat([red, red]), red].map((bytes) => vectorOf(server, bytes));
  const results = await Promise.allSettled(calls);
  const codes = results.map((result) => (result.status === 'fulfilled' ? 'good' : result.reason instanceof LabelstreamError ? `${result.reason.code} ${result.reason.description.cause}` : 'unknown'));
  expect(codes).toEqual(['good', 'LS_IMAGE_EMPTY input', 'good', 'LS_IMAGE_FORMAT input', 'LS_IMAGE_CORRUPT input', 'LS_IMAGE_POLYGLOT input', 'good']);
  for (const result of results) if (result.status === 'fulfilled') expect(result.value).toEqual(expected);
  await expect(server.run('colour-encoder', { kind: 'text', text: 'red' }, never)).rejects.toMatchObject({ code: 'LS_MODEL_INPUT' });
});

test('limits of bytes and pixels are handed on', async () => {
  const server = await serve({ imageBytesMax: red.length, preprocessing: { imagePixelsMax: 1_000 } });
  expect(await vectorOf(server, red)).toHaveLength(3);
  await expect(vectorOf(server, Buffer.concat([red, red]))).rejects.toMatchObject({ code: 'LS_MODEL_INPUT', details: { bytes: 2 * red.length } });
  const larger = await serve({ preprocessing: { imagePixelsMax: 1_000 } });
  const wide = await colourImage('red', 0, 32).png().toBuffer();
  await expect(vectorOf(larger, wide)).rejects.toMatchObject({ code: 'LS_IMAGE_TOO_LARGE', details: { width: 32, height: 32, model: 'colour-encoder' } });
});

test('an image above the limit of other items is taken', async () => {
  const server = await serve();
  const large = await colourImage('blue', 0, 1_200).png({ compressionLevel: 0 }).toBuffer();
  expect(large.length).toBeGreaterThan(4_000_000);
  expect((await vectorOf(server, large)).map((value) => Math.round(value * 255))).toEqual([0, 0, 230]);
  // The queue handed a copy on: the caller's bytes are still there.
  expect((await vectorOf(server, large)).length).toBe(3);
});

test('verify proves a model of images with made-up images', { timeout: 180_000 }, async () => {
  const directory = await temporaryDirectory();
  await writeImageModels(directory);
  const report = await verifyModel(join(directory, 'colour-encoder'), { rounds: 2 });
  expect(report.checks.map(({ name, ok }) => [name, ok])).toEqual(['manifest', 'files', 'load', 'known-answers', 'batch-invariance'].map((name) => [name, true]));
  expect(report.checks.at(-1)?.detail).toMatch(/of 44 items .*equal to the last bit/);
});

describe('packRequest', () => {
  test('sends an image alone, not the buffer that it lies in, and leaves that as it is', () => {
    const records = new Uint8Array(1_000_000).fill(7);
    const { message, transfer } = packRequest({ model: 'm', inputs: [image(records.subarray(10, 20)), { kind: 'text', text: 'a' }] });
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([10]);
    const sent = structuredClone(message, { transfer });
    expect(sent.inputs).toEqual([image(new Uint8Array(10).fill(7)), { kind: 'text', text: 'a' }]);
    expect(records.byteLength).toBe(1_000_000);
  });
});
