// The open inference protocol: as JSON, as raw bytes, and as Triton's own client speaks it.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelServer } from '../../src/models/model-server.ts';
import { collectModelStatistics } from '../../src/models/model-statistics.ts';
import { kserve } from '../../src/server/kserve/kserve.ts';
import { inputsOf } from '../../src/server/kserve/task-tensors.ts';
import { taskNamed } from '../../src/tasks/registry.ts';
import { readInput } from '../models/transformers/tiny-models.ts';
import { pythonWith } from '../python.ts';
import { testWith } from '../requirements.ts';
import { limits, startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;
let models: ModelServer;
const statistics = collectModelStatistics(() => 1_700_000_000_000);

beforeAll(async () => {
  tiny = await startTinyHost(['vit-gpt2', 'clip', 'detr', 'texts', 'images', 'records'], statistics.observer);
  models = tiny.server;
});

afterAll(() => tiny.close());

const start = () => startServer([kserve({ host: tiny.host, version: '1.2.3', isReady: () => true, statistics: statistics.of })], { limits: { ...limits, bodyBytesMax: 8 * 1024 * 1024 } });

async function ask(url: string, method: 'GET' | 'POST', body?: unknown): Promise<readonly [number, unknown]> {
  const response = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) });
  const text = await response.text();
  return [response.status, text === '' ? undefined : JSON.parse(text)];
}

const signal = new AbortController().signal;
const record = { variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 };

test('health, what models are, and what they take and give', async () => {
  const { url } = await start();
  expect(await ask(`${url}/v2`, 'GET')).toMatchObject([200, { name: 'labelstream', version: '1.2.3', extensions: expect.arrayContaining(['binary_tensor_data']) as unknown }]);
  for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/texts/ready']) expect(await ask(url + path, 'GET'), path).toEqual([200, undefined]);
  const dimensions = models.describe('texts').dimensions;
  for (const path of ['/v2/models/texts', `/v2/models/texts/versions/${models.describe('texts').version}`]) {
    expect(await ask(url + path, 'GET')).toMatchObject([200, { name: 'texts', inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }], outputs: [{ name: 'features', datatype: 'FP32', shape: [-1, dimensions] }] }]);
  }
  expect(await ask(`${url}/v2/models/records`, 'GET')).toMatchObject([200, { inputs: ['variance', 'skewness', 'curtosis', 'entropy'].map((name) => ({ name, datatype: 'FP64' })), outputs: [{ name: 'label' }, { name: 'probabilities', shape: [-1, 2] }] }]);
  expect(await ask(`${url}/v2/models/texts/versions/9.9.9`, 'GET')).toMatchObject([404, { error: expect.stringContaining('9.9.9') as string }]);
  expect(await ask(`${url}/v2/models/nobody/ready`, 'GET')).toMatchObject([404, { error: expect.stringContaining('nobody') as string }]);
  expect(await ask(`${url}/v2/models/records/config`, 'GET')).toMatchObject([200, { name: 'records', input: [{ data_type: 'TYPE_FP64' }, {}, {}, {}] }]);
});

test('what is not there is told as all failures of the interface are', async () => {
  const { url } = await start();
  expect(await ask(`${url}/v2/systemsharedmemory/status`, 'GET')).toEqual([404, { error: 'there is nothing at /v2/systemsharedmemory/status', code: 'LS_SERVER_NOT_FOUND' }]);
  expect(await ask(`${url}/v2/models/texts`, 'POST', {})).toEqual([405, { error: '/v2/models/texts takes GET, HEAD, not POST', code: 'LS_SERVER_METHOD' }]);
  expect(await ask(`${url}/v3`, 'GET'), 'of no interface').toMatchObject([404, { type: '/errors/LS_SERVER_NOT_FOUND' }]);
});

test('infer gives what the model gives, in JSON and as raw bytes', async () => {
  const { url } = await start();
  const texts = ['a sailing boat', 'two dogs', 'a sailing boat'];
  const wanted = await Promise.all(texts.map(async (text) => ((await models.run('texts', { kind: 'text', text }, { signal })) as { vector: Float32Array }).vector));
  const inputs = [{ name: 'text', datatype: 'BYTES', shape: [3], data: texts }];
  const [status, answer] = await ask(`${url}/v2/models/texts/infer`, 'POST', { id: 'seven', inputs });
  expect([status, answer]).toMatchObject([200, { id: 'seven', model_name: 'texts', outputs: [{ name: 'features', datatype: 'FP32', shape: [3, wanted[0]!.length] }] }]);
  expect((answer as { outputs: [{ data: number[] }] }).outputs[0].data).toEqual(wanted.flatMap((vector) => [...vector]));

  const raw = Buffer.concat(texts.flatMap((text) => [Buffer.from(Uint32Array.of(text.length).buffer), Buffer.from(text)]));
  const header = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [{ name: 'text', datatype: 'BYTES', shape: [3], parameters: { binary_data_size: raw.length } }] }));
  const response = await fetch(`${url}/v2/models/texts/infer`, { method: 'POST', headers: { 'inference-header-content-length': String(header.length), 'content-type': 'application/octet-stream' }, body: new Uint8Array(Buffer.concat([header, raw])) });
  const body = Buffer.from(await response.arrayBuffer());
  const length = Number(response.headers.get('inference-header-content-length'));
  expect(JSON.parse(body.subarray(0, length).toString())).toMatchObject({ outputs: [{ name: 'features', shape: [3, wanted[0]!.length], parameters: { binary_data_size: 12 * wanted[0]!.length } }] });
  const numbers = body.subarray(length);
  expect(Array.from({ length: numbers.length / 4 }, (_, index) => numbers.readFloatLE(4 * index))).toEqual(wanted.flatMap((vector) => [...vector]));
});

test('records, images with a prefix or classes, and boxes', async () => {
  const { url } = await start();
  const infer = async (model: string, body: object): Promise<Record<string, unknown>> => {
    const [status, answer] = await ask(`${url}/v2/models/${model}/infer`, 'POST', body);
    expect(status, JSON.stringify(answer)).toBe(200);
    return Object.fromEntries((answer as { outputs: { name: string; data: unknown }[] }).outputs.map(({ name, data }) => [name, data]));
  };
  const scores = (await models.run('records', { kind: 'values', values: record }, { signal })) as { scores: Float32Array };
  const columns = Object.entries(record).map(([name, value]) => ({ name, datatype: 'FP64', shape: [2], data: [value, value] }));
  const { label, probabilities } = await infer('records', { inputs: columns });
  expect(probabilities).toEqual([...scores.scores, ...scores.scores]);
  const { labels } = models.describe('records');
  expect(label).toEqual(Array.from({ length: 2 }, () => labels[scores.scores.indexOf(Math.max(...scores.scores))]));

  const raw = await readInput('circles.png');
  const binary = async (model: string, extra: readonly object[], parameters = {}): Promise<Record<string, unknown>> => {
    const element = Buffer.concat([Buffer.from(Uint32Array.of(raw.length).buffer), raw]);
    const header = Buffer.from(JSON.stringify({ parameters, inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: element.length } }, ...extra] }));
    const response = await fetch(`${url}/v2/models/${model}/infer`, { method: 'POST', headers: { 'inference-header-content-length': String(header.length) }, body: new Uint8Array(Buffer.concat([header, element])) });
    const answer = (await response.json()) as { outputs: { name: string; data: unknown }[] };
    expect(response.status, JSON.stringify(answer)).toBe(200);
    return Object.fromEntries(answer.outputs.map(({ name, data }) => [name, data]));
  };
  expect(await binary('vit-gpt2', [], { max_new_tokens: 5 })).toEqual({ caption: [expect.any(String)] });
  expect(await binary('vit-gpt2', [{ name: 'prefix', datatype: 'BYTES', shape: [1], data: ['a photo of'] }], { task: 'conditional-image-captioning' })).toEqual({ caption: [expect.any(String)] });
  const { probabilities: shares } = (await binary('clip', [{ name: 'classes', datatype: 'BYTES', shape: [3], data: ['circles', 'stripes', 'a cat'] }])) as { probabilities: number[] };
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
  expect(await binary('detr', [], { threshold: 0 })).toMatchObject({ boxes: expect.any(Array) as unknown, labels: expect.any(Array) as unknown, scores: expect.any(Array) as unknown });
});

test('what is wrong with inputs is said by what they are, and of a batch by which', async () => {
  const { url } = await start();
  const picture = { name: 'image', datatype: 'FP32', shape: [1, 3, 64, 64], data: [] };
  expect(await ask(`${url}/v2/models/images/infer`, 'POST', { inputs: [picture] })).toMatchObject([400, { error: 'the input image is FP32, not BYTES: a text, or a whole file as it is, for each item' }]);
  expect(await ask(`${url}/v2/models/texts/infer`, 'POST', { inputs: [{ name: 'text', datatype: 'BYTES', shape: [3], data: ['a', '', 'b'] }] })).toMatchObject([400, { error: expect.stringMatching(/^item 1 \(from 0\) of 3: /) as string }]);
  const namesOf = (labels: readonly string[]): readonly string[] => inputsOf({ ...models.status().get('detr')!, input: 'image' }, { labels }, taskNamed('object-detection')).map(({ name }) => name);
  expect([namesOf(['face']), namesOf([])]).toEqual([['image'], ['image', 'classes']]);
});

test.each([
  ['no JSON', '{', {}],
  ['no inputs', '{"inputs":[]}', {}],
  ['another input', '{"inputs":[{"name":"picture","datatype":"BYTES","shape":[1],"data":["a"]}]}', {}],
  ['an input twice', '{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]},{"name":"text","datatype":"BYTES","shape":[1],"data":["b"]}]}', {}],
  ['another type', '{"inputs":[{"name":"text","datatype":"FP32","shape":[1],"data":[1]}]}', {}],
  ['a shape that is not that of the data', '{"inputs":[{"name":"text","datatype":"BYTES","shape":[2],"data":["a"]}]}', {}],
  ['bytes that are not there', '{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":10}}]}', {}],
  ['a length beyond the body', '{"inputs":[]}', { 'inference-header-content-length': '1000' }],
  ['an output that there is not', '{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]}],"outputs":[{"name":"caption"}]}', {}],
  ['an output as classes', '{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]}],"outputs":[{"name":"features","parameters":{"classification":2}}]}', {}],
  ['a task of others', '{"parameters":{"task":"image-captioning"},"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["a"]}]}', {}],
  ['nothing', '', {}],
])('%s is refused', async (_, body, headers) => {
  const { url, failed } = await start();
  const response = await fetch(`${url}/v2/models/texts/infer`, { method: 'POST', headers: headers as Record<string, string>, body });
  expect([response.status, await response.json()]).toMatchObject([400, { error: expect.any(String) as string }]);
  expect(failed).toEqual([]);
});

test.each([
  ['a shape of more than may wait for a model', [4_000_000], 'shape of 4000000; at most 4096 elements are taken'],
  ['more elements than the shape says', [2], 'more elements than its shape of 2'],
])('%s is refused before anything is made of each', async (_, shape, said) => {
  const { url } = await start();
  const raw = Buffer.alloc(4 * 1_000_000);
  const header = Buffer.from(JSON.stringify({ inputs: [{ name: 'text', datatype: 'BYTES', shape, parameters: { binary_data_size: raw.length } }] }));
  const response = await fetch(`${url}/v2/models/texts/infer`, { method: 'POST', headers: { 'inference-header-content-length': String(header.length) }, body: new Uint8Array(Buffer.concat([header, raw])) });
  expect([response.status, await response.json()]).toMatchObject([400, { error: expect.stringContaining(said) as string }]);
});

test('texts and JSON that are no UTF-8 are refused', async () => {
  const { url } = await start();
  const element = Buffer.from([1, 0, 0, 0, 0xe9]);
  const head = JSON.stringify({ inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: element.length } }] });
  const infer = async (body: Buffer, headers: Record<string, string>) => {
    const response = await fetch(`${url}/v2/models/texts/infer`, { method: 'POST', headers, body: new Uint8Array(body) });
    return [response.status, await response.json()];
  };
  expect(await infer(Buffer.concat([Buffer.from(head), element]), { 'inference-header-content-length': String(head.length) })).toEqual([400, expect.objectContaining({ error: 'the input text has bytes that are no text in UTF-8' })]);
  const json = Buffer.from('{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["caf\u00e9"]}]}', 'latin1');
  expect(await infer(json, {})).toEqual([400, expect.objectContaining({ error: 'the JSON of the request has bytes that are no text in UTF-8' })]);
});

test('models are loaded and unloaded, and what they did is counted', async () => {
  const { url } = await start();
  const before = statistics.of('texts').succeeded;
  await ask(`${url}/v2/models/texts/infer`, 'POST', { inputs: [{ name: 'text', datatype: 'BYTES', shape: [2], data: ['a', 'b'] }] });
  expect(await ask(`${url}/v2/models/texts/stats`, 'GET')).toMatchObject([200, { model_stats: [{ name: 'texts', inference_count: before + 2, inference_stats: { success: { count: before + 2 }, fail: { count: 0 } } }] }]);
  const stateOf = async (): Promise<unknown> => ((await ask(`${url}/v2/repository/index`, 'POST', {}))[1] as { name: string; state: string }[]).find(({ name }) => name === 'texts')?.state;
  expect(await ask(`${url}/v2/repository/models/texts/unload`, 'POST', {})).toEqual([200, undefined]);
  expect(await stateOf()).toBe('UNAVAILABLE');
  expect((await ask(`${url}/v2/models/texts/ready`, 'GET'))[0]).toBe(400);
  expect(await ask(`${url}/v2/repository/models/texts/load`, 'POST', {})).toEqual([200, undefined]);
  expect(await stateOf()).toBe('READY');
  expect(await ask(`${url}/v2/repository/models/texts/load`, 'POST', {}), 'anew').toEqual([200, undefined]);
  for (const headers of [{}, { 'content-type': 'application/json' }]) for (const path of ['models/texts/unload', 'models/texts/load', 'index']) {
    expect((await fetch(`${url}/v2/repository/${path}`, { method: 'POST', headers })).status, `${path} without a body`).toBe(200);
  }
  expect(await ask(`${url}/v2/repository/models/texts/load`, 'POST', { parameters: { config: '{}' } })).toMatchObject([400, { error: 'a model is loaded as it is: the parameter config is not offered here' }]);
  expect(await ask(`${url}/v2/repository/models/nobody/load`, 'POST', {})).toMatchObject([404, { error: expect.stringContaining('nobody') as string }]);
});

test('the OpenAPI document says what infer takes and gives, though no schema of the server validates it', async () => {
  const { url } = await start();
  const { paths } = (await (await fetch(`${url}/docs/json`)).json()) as { paths: Record<string, { post: { parameters: object[]; requestBody?: { content: Record<string, { schema: object }> }; responses: Record<string, { content?: object }> } }> };
  for (const path of ['/v2/models/{model}/infer', '/v2/models/{model}/versions/{version}/infer']) {
    const { parameters, requestBody, responses } = paths[path]!.post;
    expect(requestBody?.content).toMatchObject({ 'application/json': { schema: { required: ['inputs'] } }, 'application/octet-stream': { schema: { type: 'string' } } });
    expect(responses['200']?.content).toMatchObject({ 'application/json': { schema: { required: ['model_name', 'model_version', 'outputs'] } }, 'application/octet-stream': { schema: { type: 'string' } } });
    expect(parameters).toContainEqual(expect.objectContaining({ name: 'inference-header-content-length', in: 'header', required: false }));
  }
});

const python = pythonWith('tritonclient.http');

testWith({ 'Python with tritonclient (LABELSTREAM_TEST_PYTHON)': python !== undefined }, "Triton's own client makes its documented calls", {}, async () => {
  const { url } = await start();
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-triton-'));
  try {
    const script = join(directory, 'calls.py');
    await writeFile(script, await readFile(join(import.meta.dirname, 'triton-calls.py')));
    const picture = join(directory, 'picture.png');
    await writeFile(picture, await readInput('circles.png'));
    const { stdout } = await promisify(execFile)(python ?? '', [script, new URL(url).host, picture]);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    const vector = async (text: string): Promise<number[]> => [...((await models.run('texts', { kind: 'text', text }, { signal })) as { vector: Float32Array }).vector];
    expect(found).toMatchObject({ live: true, ready: true, model_ready: true, unloaded: false, loaded: true, metadata: 'texts', config: 'texts', caption: expect.any(String) as string, error: expect.stringContaining('nobody') as string, absent: expect.stringContaining('there is nothing at /v2/systemsharedmemory/status') as string });
    for (const way of ['binary', 'json']) expect(found[way], way).toEqual([await vector('a sailing boat'), await vector('zwei Hunde, groß')]);
    expect(found['compressed']).toEqual(found['binary']);
    expect(found['counted']).toBeGreaterThanOrEqual(6);
  } finally {
    await rm(directory, { recursive: true });
  }
});
