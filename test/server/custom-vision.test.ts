// Custom Vision's prediction API, as its SDKs for JavaScript and Python call it.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { PredictionAPIClient } from '@azure/cognitiveservices-customvision-prediction';
import { ApiKeyCredentials } from '@azure/ms-rest-js';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createHttpContent } from '../../src/references/http-content.ts';
import { createKey } from '../../src/server/api-keys.ts';
import { customVision } from '../../src/server/custom-vision/custom-vision.ts';
import { readInput } from '../models/transformers/tiny-models.ts';
import { pythonWith } from '../python.ts';
import { testWith } from '../requirements.ts';
import { keyNamed, limits, startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;
let image: Buffer;
const { key, sha256 } = createKey();
const project = '11111111-2222-3333-4444-555555555555';
const { signal } = new AbortController();

beforeAll(async () => {
  tiny = await startTinyHost(['drawings', 'detr']);
  image = await readInput('circles.png');
});

afterAll(() => tiny.close());

/** Serves the image. */
async function startImages(): Promise<string> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'image/png').end(image)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(): Promise<{ readonly url: string; readonly address: string }> {
  const address = await startImages();
  const fetcher = createHttpContent({
    origins: [address], allowPrivateAddresses: ['127.0.0.1'], redirectsMax: 0, connectionsPerHostMax: 2, totalMsMax: 10_000, idleMsMax: 10_000, clock: systemClock,
  });
  onTestFinished(() => fetcher.close());
  const api = customVision({ host: tiny.host, clock: systemClock, imageBytesMax: 1024 * 1024, fetchImage: (uri, bytesMax, ending) => fetcher.fetchUpTo(uri, bytesMax, ending) });
  const { url } = await startServer([api], { keys: [keyNamed('app', sha256, ['predict'])], limits: { ...limits, bodyBytesMax: 2 * 1024 * 1024 } });
  return { url, address: `${address}/picture.png` };
}

async function wantedLabels(): Promise<(readonly [string, number])[]> {
  const { scores } = (await tiny.server.run('drawings', { kind: 'image', bytes: image, contentType: 'image/png' }, { signal })) as { scores: Float32Array };
  const { labels } = tiny.server.describe('drawings');
  return labels.map((label, index) => [label, scores[index] as number] as const).sort((left, right) => right[1] - left[1]);
}

async function wantedBoxes(): Promise<number[][]> {
  const { boxes } = (await tiny.server.run('detr', { kind: 'image', bytes: image, contentType: 'image/png' }, { signal })) as { boxes: readonly (readonly number[])[] };
  const { width, height } = await sharp(image).metadata();
  return boxes.map(([left = 0, top = 0, right = 0, bottom = 0]) => [left / width, top / height, (right - left) / width, (bottom - top) / height]);
}

test('the SDK for JavaScript classifies and detects images and addresses', async () => {
  const { url, address } = await start();
  const client = new PredictionAPIClient(new ApiKeyCredentials({ inHeader: { 'Prediction-key': key } }), url);
  const wanted = await wantedLabels();
  const classified = await Promise.all([client.classifyImage(project, 'drawings', image), client.classifyImageWithNoStore(project, 'drawings', image), client.classifyImageUrl(project, 'drawings', { url: address }), client.classifyImageUrlWithNoStore(project, 'drawings', { url: address })]);
  for (const { predictions = [], project: of, created, iteration } of classified) {
    expect(predictions.map(({ tagName, probability }) => [tagName, probability])).toEqual(wanted);
    expect([of, created, iteration]).toEqual([project, expect.any(Date), classified[0].iteration]);
    expect(new Set(predictions.map(({ tagId }) => tagId)).size).toBe(wanted.length);
  }
  const boxes = await wantedBoxes();
  const detected = await Promise.all([client.detectImage(project, 'detr', image), client.detectImageWithNoStore(project, 'detr', image), client.detectImageUrl(project, 'detr', { url: address }), client.detectImageUrlWithNoStore(project, 'detr', { url: address })]);
  for (const { predictions = [] } of detected) {
    expect(predictions.map(({ boundingBox: { left, top, width, height } = { left: 0, top: 0, width: 0, height: 0 } }) => [left, top, width, height])).toEqual(boxes);
  }
  await expect(client.classifyImage(project, 'nobody', image)).rejects.toMatchObject({ statusCode: 404, body: { code: 'LS_MODEL_UNKNOWN' } });
  await expect(client.classifyImage(project, 'detr', image)).rejects.toMatchObject({ statusCode: 404 });
  const stranger = new PredictionAPIClient(new ApiKeyCredentials({ inHeader: { 'Prediction-key': 'wrong' } }), url);
  await expect(stranger.classifyImage(project, 'drawings', image)).rejects.toMatchObject({ statusCode: 401, body: { code: 'LS_SERVER_KEY' } });
});

test('an image is taken as it is, too, and what is none or too large is refused', async () => {
  const { url } = await start();
  const post = async (path: string, body: string | Uint8Array<ArrayBuffer> | FormData, headers: Record<string, string> = {}): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${url}/customvision/${path}`, { method: 'POST', headers: { 'prediction-key': key, ...headers }, body });
    return [response.status, await response.json()];
  };
  const octets = { 'content-type': 'application/octet-stream' };
  const wanted = (await wantedLabels()).map(([tagName, probability]) => ({ tagName, probability }));
  for (const base of ['v3.0/Prediction', 'v3.1/prediction']) expect(await post(`${base}/${project}/classify/iterations/drawings/image`, new Uint8Array(image), octets)).toMatchObject([200, { predictions: wanted }]);
  const path = `v3.0/Prediction/${project}/classify/iterations/drawings`;
  expect(await post(`${path}/image`, new Uint8Array(Buffer.from('no image')), octets)).toMatchObject([400, { code: 'LS_IMAGE_FORMAT', message: expect.any(String) as string }]);
  expect(await post(`${path}/image`, new Uint8Array(0), octets)).toMatchObject([400, { message: expect.any(String) as string }]);
  const form = new FormData();
  form.append('imageData', new Blob([new Uint8Array(1024 * 1024 + 1)]), 'picture.png');
  expect(await post(`${path}/image`, form)).toMatchObject([413, { code: 'LS_SERVER_BODY_TOO_LARGE' }]);
  const padded = new FormData();
  padded.append('imageData', new Blob([new Uint8Array(image)]), 'picture.png');
  padded.append('other', 'a'.repeat(2 * 1024 * 1024));
  expect(await post(`${path}/image`, padded), 'more than a body may have').toMatchObject([413, { code: 'LS_SERVER_BODY_TOO_LARGE', message: expect.stringContaining('server.bodyBytesMax') as string }]);
  const empty = new FormData();
  empty.append('other', 'text');
  expect(await post(`${path}/image`, empty)).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  expect(await post(`${path}/image`, 'no form', { 'content-type': 'multipart/form-data' })).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  const boundary = { 'content-type': 'multipart/form-data; boundary=X' };
  const part = '--X\r\ncontent-disposition: form-data; name="imageData"; filename="picture.png"\r\n\r\n';
  expect(await post(`${path}/image`, `${part}abc`, boundary), 'a form that ends early').toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  const compressed = new Uint8Array(gzipSync(Buffer.concat([Buffer.from(part), image, Buffer.from('\r\n--X--\r\n')])));
  expect(await post(`${path}/image`, compressed, { ...boundary, 'content-encoding': 'gzip' })).toEqual([415, { code: 'LS_SERVER_MEDIA_TYPE', message: 'a form is not taken compressed' }]);
  expect(await post(`${path}/image`, new Uint8Array(gzipSync(image)), { ...octets, 'content-encoding': 'gzip' })).toMatchObject([200, { predictions: wanted }]);
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'image/jpeg']) {
    const message = `the body is said to be ${type}; this operation takes multipart/form-data or application/octet-stream`;
    expect(await post(`${path}/image`, '{}', { 'content-type': type }), type).toEqual([415, { code: 'LS_SERVER_MEDIA_TYPE', message }]);
  }
  for (const address of ['http://169.254.169.254/latest', 'file:///etc/passwd', 'http://localhost/', 'no address']) {
    expect(await post(`${path}/url`, JSON.stringify({ url: address }), { 'content-type': 'application/json' }), address).toMatchObject([400, { code: expect.stringMatching(/^LS_REFERENCE_/) as string }]);
  }
  expect(await post(`v3.0/Prediction/none/classify/iterations/drawings/image`, new Uint8Array(image), octets)).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
});

test('the OpenAPI document says that an image comes in a form, or as it is', async () => {
  const { url } = await start();
  const { paths } = (await (await fetch(`${url}/docs/json`)).json()) as { paths: Record<string, { post: { requestBody?: { content: Record<string, object> } } }> };
  const images = Object.entries(paths).filter(([path]) => /image(\/nostore)?$/.test(path));
  expect(images).toHaveLength(16);
  for (const [path, { post: { requestBody } }] of images) {
    expect(requestBody?.content, path).toMatchObject({ 'multipart/form-data': { schema: { required: ['imageData'] } }, 'application/octet-stream': { schema: { type: 'string' } } });
  }
});

const python = pythonWith('azure.cognitiveservices.vision.customvision.prediction');

testWith({ "Python with Custom Vision's client (LABELSTREAM_TEST_PYTHON)": python !== undefined }, 'the SDK for Python makes its documented calls', {}, async () => {
  const { url, address } = await start();
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-vision-'));
  try {
    const path = join(directory, 'picture.png');
    await writeFile(path, image);
    const { stdout } = await promisify(execFile)(python ?? '', [join(import.meta.dirname, 'custom-vision-calls.py'), url, key, path, address]);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    const [labels, boxes] = [await wantedLabels(), await wantedBoxes()];
    for (const call of ['classify_image', 'classify_image_with_no_store', 'classify_image_url', 'classify_image_url_with_no_store']) expect(found[call], call).toMatchObject({ project, predictions: labels });
    for (const call of ['detect_image', 'detect_image_with_no_store', 'detect_image_url', 'detect_image_url_with_no_store']) expect(found[call], call).toMatchObject({ project, boxes });
    expect(found).toMatchObject({ unknown: [404, 'LS_MODEL_UNKNOWN'], no_image: [400, 'LS_IMAGE_FORMAT'], elsewhere: [400, 'LS_REFERENCE_NOT_ALLOWED'] });
  } finally {
    await rm(directory, { recursive: true });
  }
});
