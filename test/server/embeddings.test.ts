// Embeddings as openai's clients ask for them, in Python and in JavaScript.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKey } from '../../src/server/api-keys.ts';
import { embeddings } from '../../src/server/embeddings.ts';
import { pythonWith } from '../python.ts';
import { testWith } from '../requirements.ts';
import { keyNamed, startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;
const { key, sha256 } = createKey();

beforeAll(async () => {
  tiny = await startTinyHost(['texts', 'records']);
});

afterAll(() => tiny.close());

const start = () => startServer([embeddings(tiny.host)], { keys: [keyNamed('app', sha256, ['predict'])] });
const texts = ['a sailing boat', 'zwei Hunde, groß'];

async function wantedVectors(): Promise<number[][]> {
  const { signal } = new AbortController();
  return Promise.all(texts.map(async (text) => [...((await tiny.server.run('texts', { kind: 'text', text }, { signal })) as { vector: Float32Array }).vector]));
}

test("the client for JavaScript gets the model's vectors, as numbers or as base64", async () => {
  const { url } = await start();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const wanted = await wantedVectors();
  for (const format of ['float', 'base64', undefined] as const) {
    const { data, model, usage } = await client.embeddings.create({ model: 'texts', input: texts, ...(format === undefined ? {} : { encoding_format: format }) });
    expect([model, usage, data.map(({ index }) => index)]).toEqual(['texts', { prompt_tokens: 0, total_tokens: 0 }, [0, 1]]);
    const vectors = data.map(({ embedding: found }) => (typeof found === 'string' ? floatsIn(found) : found));
    expect(vectors).toEqual(wanted);
  }
  const listed: string[] = [];
  for await (const { id } of client.models.list()) listed.push(id);
  expect(listed).toEqual(['texts']);
  await expect(client.embeddings.create({ model: 'records', input: 'a' })).rejects.toMatchObject({ status: 404, code: 'LS_MODEL_UNKNOWN' });
  await expect(client.embeddings.create({ model: 'texts', input: 'a', dimensions: 3 })).rejects.toMatchObject({ status: 400, code: 'LS_MODEL_INPUT' });
  await expect(client.embeddings.create({ model: 'texts', input: [1, 2, 3] })).rejects.toMatchObject({ status: 400, message: expect.stringContaining('token ids are not taken') as string });
  await expect(client.embeddings.create({ model: 'texts', input: ['a', ''] })).rejects.toMatchObject({ status: 400, message: expect.stringContaining('item 1 (from 0) of 2') as string });
  await expect(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'ls_wrong', maxRetries: 0 }).embeddings.create({ model: 'texts', input: 'a' })).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
});

function floatsIn(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

const python = pythonWith('openai');

testWith({ 'Python with openai (LABELSTREAM_TEST_PYTHON)': python !== undefined }, 'the client for Python makes its documented calls', {}, async () => {
  const { url } = await start();
  const { stdout } = await promisify(execFile)(python ?? '', [join(import.meta.dirname, 'openai-calls.py'), url, key]);
  const wanted = await wantedVectors();
  expect(JSON.parse(stdout)).toEqual({
    base64: wanted, float: wanted, one: wanted[0], models: ['texts'], model: 'texts',
    unknown: ['NotFoundError', 'LS_MODEL_UNKNOWN'], empty: ['BadRequestError', expect.any(String)], tokens: ['BadRequestError', 'LS_SERVER_REQUEST'], stranger: ['AuthenticationError', 'LS_SERVER_KEY'],
  });
});
