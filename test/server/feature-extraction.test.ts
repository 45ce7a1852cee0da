// Both generations of the feature extraction API, on real models: what the tasks answer here is what they answer everywhere.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelServer } from '../../src/models/model-server.ts';
import { featureExtraction } from '../../src/server/feature-extraction/feature-extraction.ts';
import type { TaskHost } from '../../src/server/task-host.ts';
import { configOf, golden, readInput, type CaptionCase, type CaptionGolden } from '../models/transformers/tiny-models.ts';
import { testClock } from '../models/model-directory.ts';
import { createVirtualClock } from '../pipeline/virtual-clock.ts';
import { fileThere, testWith } from '../requirements.ts';
import { limits, startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

let tiny: TinyHost;
let models: ModelServer;
let host: TaskHost;
let image: string;
let other: string;
let clip: string;

beforeAll(async () => {
  tiny = await startTinyHost(['vit-gpt2', 'whisper', 'clip', 'detr', 'texts', 'images', 'records']);
  ({ host, server: models } = tiny);
  [image, other, clip] = await Promise.all(['circles.png', 'stripes.png', 'melody.wav'].map(async (name) => (await readInput(name)).toString('base64'))) as [string, string, string];
});

afterAll(() => tiny.close());

const keep = { keptMsMax: 600_000, countMax: 100, bytesMax: 1024 * 1024 };

function start(options: Partial<Parameters<typeof featureExtraction>[0]> = {}) {
  return startServer([featureExtraction({ host, defaults: { models: {} }, jobs: keep, clock: testClock, ...options })], { limits: { ...limits, bodyBytesMax: 8 * 1024 * 1024 } });
}

async function post(url: string, body: unknown): Promise<readonly [number, unknown]> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return [response.status, await response.json()];
}

async function get(url: string): Promise<readonly [number, unknown]> {
  const response = await fetch(url);
  return [response.status, await response.json()];
}

describe('the first generation', () => {
  test('lists tasks and models, of each other, by names with hyphens or underscores', async () => {
    const { url } = await start();
    expect(await get(`${url}/api/models/list`)).toEqual([200, ['vit-gpt2', 'whisper', 'clip', 'detr', 'texts', 'images', 'records']]);
    const [, tasks] = await get(`${url}/api/tasks/list`);
    expect(tasks).toEqual(expect.arrayContaining(['image-captioning', 'conditional-image-captioning', 'automated-speech-recognition', 'zero-shot-image-classification', 'object-detection', 'text-features', 'record-prediction']));
    expect(tasks).not.toContain('text-classification');
    expect(await get(`${url}/api/models/vit-gpt2/tasks/list`)).toEqual([200, ['image-captioning', 'conditional-image-captioning']]);
    for (const task of ['object-detection', 'object_detection']) expect(await get(`${url}/api/tasks/${task}/models/list`)).toEqual([200, ['detr']]);
    expect(await get(`${url}/api/models/blip2/tasks/list`)).toMatchObject([404, { error: expect.stringContaining('blip2') as string }]);
    expect(await get(`${url}/api/tasks/sing/models/list`)).toMatchObject([404, { error: expect.stringContaining('sing') as string, code: 'LS_TASK_UNKNOWN' }]);
  });

  test('what a model does not do is no fault of the server, and is told', async () => {
    const { url, failed } = await start();
    expect(await post(`${url}/api/models/detr/tasks/object-detection/features`, { image, classes: ['a cat'] })).toMatchObject([400, { code: 'LS_MODEL_REQUEST', error: expect.stringContaining('classes of its own') as string }]);
    expect(await post(`${url}/api/models/whisper/tasks/automated-speech-recognition/features`, { audio: clip, config: { language: 'xx' } })).toMatchObject([400, { code: 'LS_MODEL_REQUEST', error: expect.stringContaining('language xx') as string }]);
    expect(failed).toEqual([]);
  });

  test('captions are those that Python gave, by any of the routes, with and without a data URL', async () => {
    const { url } = await start();
    const { cases, images } = await golden<CaptionGolden>('vit-gpt2');
    const [greedy] = cases as [CaptionCase];
    const wanted = greedy.texts[images.indexOf('circles.png')]!.trim();
    const config = configOf(greedy);
    for (const path of ['models/vit-gpt2/tasks/image-captioning', 'tasks/image-captioning/models/vit-gpt2', 'tasks/image-captioning', 'tasks/image_captioning']) {
      for (const given of [image, `data:image/png;base64,${image}`, `data:;base64,${image}`, image.replaceAll(/.{76}/g, '$&\n')]) {
        expect(await post(`${url}/api/${path}/features`, { image: given, config }), path).toEqual([200, wanted]);
      }
    }
    const two = await start({ defaults: { task: 'image-captioning', models: {} } });
    expect(await post(`${two.url}/api/features`, { image, config })).toEqual([200, wanted]);
    expect(await post(`${url}/api/features`, { image })).toMatchObject([400, { code: 'LS_SERVER_NO_DEFAULT' }]);
  });

  test('a list in is a list out, and a shorter one is repeated', async () => {
    const { url } = await start();
    const path = `${url}/api/tasks/conditional-image-captioning/features`;
    const one = async (picture: string, text: string): Promise<unknown> => (await post(path, { image: picture, text }))[1];
    const [first, second] = [await one(image, 'a photo of'), await one(other, 'a photo of')];
    expect(await post(path, { image: [image, other], text: 'a photo of' })).toEqual([200, [first, second]]);
    expect(await post(path, { image: [image, other, image, other], text: ['a photo of', 'a photo of'] })).toEqual([200, [first, second, first, second]]);
    expect(await post(path, { image: [image], text: 'a photo of' })).toEqual([200, [first]]);
    expect(await post(path, { image: [image, other, image], text: ['a', 'b'] })).toMatchObject([400, { code: 'LS_TASK_INPUT' }]);
    expect(await post(path, { image })).toMatchObject([400, { code: 'LS_TASK_INPUT', error: expect.stringContaining('text') as string }]);
  });

  test('every task has its shape', async () => {
    const { url } = await start();
    const ask = async (task: string, body: unknown): Promise<unknown> => (await post(`${url}/api/tasks/${task}/features`, body))[1];
    expect(await ask('automated_speech_recognition', { audio: clip })).toEqual(expect.any(String));
    const probabilities = (await ask('zero_shot_image_classification', { image, classes: ['circles', 'stripes', 'a cat'] })) as number[];
    expect(probabilities).toHaveLength(3);
    expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(await ask('object_detection', { image, config: { threshold: 0 } })).toEqual({ boxes: expect.any(Array) as unknown, labels: expect.any(Array) as unknown, scores: expect.any(Array) as unknown });
    const vector = (await ask('text-features', { text: 'a sailing boat' })) as number[];
    expect(vector).toHaveLength(models.describe('texts').dimensions);
    expect(await ask('text-features', { text: ['a sailing boat', 'a'] })).toEqual([vector, expect.any(Array)]);
    expect(await ask('record-prediction', { values: { variance: 3.6, skewness: 8.7, curtosis: -2.8, entropy: -0.4 } })).toMatchObject({ label: expect.any(String) as string });
  });

  test('what is wrong is told, and of a list it is one item', async () => {
    const { url } = await start();
    const path = `${url}/api/tasks/image-captioning/features`;
    expect(await post(path, { image: 'not base64!' })).toMatchObject([400, { error: 'image is not base64' }]);
    expect(await post(path, { image: '' })).toMatchObject([400, { error: 'image is not base64' }]);
    expect(await post(path, { image: `data:image/png,${image}` })).toMatchObject([400, { error: expect.stringContaining('base64') as string }]);
    expect(await post(path, { image: Buffer.from('no image at all').toString('base64') })).toMatchObject([400, { code: 'LS_IMAGE_FORMAT' }]);
    expect(await post(path, {})).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
    expect(await post(path, { image, audio: clip })).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
    expect(await post(path, { image, config: { num_beams: 0 } })).toMatchObject([400, { code: 'LS_TASK_CONFIG' }]);
    expect(await post(path, { image, colour: 'red' })).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
    const [status, [good, bad]] = (await post(path, { image: [image, Buffer.from('no image at all').toString('base64')] })) as [number, [unknown, unknown]];
    expect([status, good, bad]).toEqual([200, expect.any(String), { error: expect.any(String) as string, code: 'LS_IMAGE_FORMAT' }]);
    expect(await post(`${url}/api/tasks/image-captioning/models/clip/features`, { image })).toMatchObject([404, { code: 'LS_MODEL_UNKNOWN' }]);
  });

  test('a default model is the configured one, or the only one', async () => {
    const { url } = await start({ defaults: { models: { 'image-captioning': 'vit-gpt2', 'object-detection': 'clip' } } });
    expect(await post(`${url}/api/tasks/image-captioning/features`, { image })).toMatchObject([200, {}]);
    expect(await post(`${url}/api/tasks/object-detection/features`, { image })).toMatchObject([404, { code: 'LS_MODEL_UNKNOWN' }]);
    expect(await post(`${url}/api/tasks/text-classification/features`, { text: 'a' })).toMatchObject([400, { code: 'LS_SERVER_NO_DEFAULT', error: 'text-classification has no default model, and no model at all' }]);
  });

  test('a model that was stopped is started by whoever asks for it, and nothing hangs', async () => {
    const { url } = await start();
    const path = `${url}/api/models/vit-gpt2`;
    const asked = Array.from({ length: 12 }, () => post(`${path}/tasks/image-captioning/features`, { image }));
    expect(await post(`${path}/stop`, {})).toEqual([200, { status: 'ok' }]);
    const after = Array.from({ length: 4 }, () => post(`${path}/tasks/image-captioning/features`, { image }));
    const answers = await Promise.all([...asked, ...after]);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size, 'all the same').toBe(1);
    expect(answers[0]?.[0]).toBe(200);
    await post(`${path}/stop`, {});
    expect(await get(`${path}/status`)).toEqual([200, { status: 'stopped', jobs: [] }]);
    expect(await post(`${path}/start`, {})).toEqual([200, { status: 'ok' }]);
    expect(await get(`${path}/status`)).toEqual([200, { status: 'running', jobs: [] }]);
    expect(await post(`${url}/api/models/nobody/start`, {})).toMatchObject([404, { error: expect.stringContaining('nobody') as string }]);
  });
});

const description = resolve(import.meta.dirname, '../../../shared/data/feature-extraction-openapi.json');

type JobAnswer = { readonly id: string; readonly status: string; readonly result?: unknown; readonly error?: string };

describe('the second generation', () => {
  async function done(url: string, task: string, id: string): Promise<JobAnswer> {
    const ask = async (): Promise<JobAnswer> => (await get(`${url}/api/tasks/${task}/jobs/${id}`))[1] as JobAnswer;
    await expect.poll(async () => (await ask()).status).toMatch(/complete|failed/);
    return ask();
  }

  test('lists tasks by the names that its jobs are asked for under', async () => {
    const { url } = await start();
    const [, tasks] = (await get(`${url}/api/tasks`)) as [number, readonly string[]];
    expect([...tasks].sort()).toEqual(['automated-speech-recognition', 'conditional-image-captioning', 'image-captioning', 'image-embedding', 'object-detection', 'text-embedding', 'text-query-embedding', 'zero-shot-image-classification']);
    expect(await post(`${url}/api/tasks/face-embedding/texts/jobs`, { image: '' })).toEqual([404, { code: 'LS_TASK_UNKNOWN', detail: `no model here is made for face-embedding; jobs can be asked for ${tasks.join(', ')}` }]);
    for (const task of tasks) {
      const [status, models] = (await get(`${url}/api/tasks/${task}/models`)) as [number, readonly string[]];
      expect([status, models.length > 0], task).toEqual([200, true]);
      for (const model of models) {
        expect((await get(`${url}/api/models/${model}/tasks`))[1], model).toContain(task);
        expect((await post(`${url}/api/tasks/${task}/${model}/jobs`, {}))[0], 'there, and what it needs is missing').toBe(422);
      }
    }
    expect(await get(`${url}/api/tasks/text-features/models`), 'what the task is called elsewhere').toEqual([200, ['texts']]);
    expect(await get(`${url}/api/models`)).toEqual(await get(`${url}/api/models/list`));
    expect(await get(`${url}/api/models/records/tasks`), 'nothing that a job can be asked for').toEqual([200, []]);
    expect(await get(`${url}/api/tasks/sing/models`)).toMatchObject([404, { detail: expect.stringContaining('sing') as string }]);
    expect(await get(`${url}/api/models/nobody/tasks`)).toMatchObject([404, { detail: expect.stringContaining('nobody') as string }]);
  });

  test('a job is asked for, runs, and its result is fetched', async () => {
    const { url } = await start();
    const [status, job] = (await post(`${url}/api/tasks/image-captioning/vit-gpt2/jobs`, { image })) as [number, JobAnswer];
    expect([status, job]).toEqual([200, { id: expect.any(String) as string, status: 'starting' }]);
    const [, plain] = await post(`${url}/api/tasks/image-captioning/features`, { image });
    expect(await done(url, 'image-captioning', job.id)).toEqual({ status: 'complete', result: { caption: plain } });
    expect(await get(`${url}/api/models/vit-gpt2/status`)).toEqual([200, { status: 'running', jobs: [{ id: job.id, status: 'complete' }] }]);
    expect(await post(`${url}/api/legacy/tasks/image-captioning/vit-gpt2/jobs`, { image })).toEqual([200, { caption: plain }]);
    const [, several] = (await post(`${url}/api/tasks/image-captioning/batched/vit-gpt2/jobs`, { image: [image, other] })) as [number, JobAnswer];
    expect(await done(url, 'image-captioning/batched', several.id)).toMatchObject({ status: 'complete', result: [{ caption: plain }, { caption: expect.any(String) as string }] });
    expect(await get(`${url}/api/tasks/image-captioning/batched/jobs/${job.id}`), 'of another kind').toMatchObject([404, { code: 'LS_SERVER_JOB_UNKNOWN' }]);
  });

  test('what fails is a failed job, and what does not fit is told with its place', async () => {
    const { url } = await start();
    const path = `${url}/api/tasks/image-captioning`;
    const [, job] = (await post(`${path}/vit-gpt2/jobs`, { image: Buffer.from('no image').toString('base64') })) as [number, JobAnswer];
    expect(await done(url, 'image-captioning', job.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('image') as string });
    expect(await post(`${path}/vit-gpt2/jobs`, {})).toEqual([422, { detail: [{ loc: ['body'], msg: "must have required property 'image'", type: 'required' }] }]);
    expect(await post(`${path}/batched/vit-gpt2/jobs`, { image: [image, 3] })).toMatchObject([422, { detail: [{ loc: ['body', 'image', '1'], type: 'type' }] }]);
    expect(await post(`${path}/nobody/jobs`, { image })).toMatchObject([404, { detail: expect.stringContaining('nobody') as string }]);
    expect(await get(`${path}/jobs/nothing`)).toMatchObject([404, { code: 'LS_SERVER_JOB_UNKNOWN' }]);
  });

  test('results are kept for so long and so many, and no more jobs are taken than may wait', async () => {
    const clock = createVirtualClock();
    const { url } = await start({ jobs: { ...keep, keptMsMax: 1_000, countMax: 3 }, clock });
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const [, { id }] = (await post(`${url}/api/tasks/text-embedding/texts/jobs`, { text: `text ${index}` })) as [number, JobAnswer];
      ids.push(id);
      await done(url, 'text-embedding', id);
    }
    const statusOf = async (id: string): Promise<number> => (await get(`${url}/api/tasks/text-embedding/jobs/${id}`))[0];
    expect(await Promise.all(ids.map(statusOf))).toEqual([404, 404, 200, 200, 200]);
    await clock.pass(1_000);
    expect(await Promise.all(ids.map(statusOf))).toEqual([404, 404, 404, 404, 404]);
    const many = await Promise.all(Array.from({ length: 12 }, () => post(`${url}/api/tasks/image-captioning/vit-gpt2/jobs`, { image })));
    const statuses = many.map(([status]) => status);
    expect([...new Set(statuses)].sort()).toEqual([200, 503]);
    expect(many.find(([status]) => status === 503)).toMatchObject([503, { code: 'LS_SERVER_JOBS_FULL' }]);
    await expect.poll(async () => ((await get(`${url}/api/models/vit-gpt2/status`))[1] as { jobs: JobAnswer[] }).jobs.every(({ status }) => status === 'complete')).toBe(true);
  });

  testWith({ [description]: fileThere(description) }, 'every operation of the published description is there, with what it takes and gives', {}, async () => {
    const { url } = await start();
    const { paths } = JSON.parse(await readFile(description, 'utf8')) as { paths: Record<string, Record<string, object>> };
    const content: Record<string, unknown> = { image, audio: clip, text: 'a photo of', query: 'boats', instruction: 'Find pictures.', classes: ['circles', 'stripes'] };
    const fields: Record<string, readonly string[]> = { 'conditional-image-captioning': ['image', 'text'], 'zero-shot-image-classification': ['image', 'classes'], 'text-query-embedding': ['query', 'instruction'], 'text-embedding': ['text'], 'automated-speech-recognition': ['audio'], 'audio-diarization': ['audio'] };
    const modelOf: Record<string, string> = { 'conditional-image-captioning': 'vit-gpt2', 'image-captioning': 'vit-gpt2', 'zero-shot-image-classification': 'clip', 'object-detection': 'detr', 'automated-speech-recognition': 'whisper', 'text-embedding': 'texts', 'text-query-embedding': 'texts', 'image-embedding': 'images' };
    const withoutModels = new Set(['audio-diarization', 'face-embedding', 'optical-character-recognition']);
    let tried = 0;
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        const task = /tasks\/([a-z-]+)\//.exec(path)?.[1] ?? 'image-captioning';
        const at = url + path.replace('{model}', modelOf[task] ?? 'vit-gpt2').replace('{task}', task).replace('{job}', 'none');
        if (method === 'get') {
          expect((await get(at))[0], path).toBe(path.includes('{job}') ? 404 : 200);
        } else {
          const several = path.includes('batched');
          const body = Object.fromEntries((fields[task] ?? ['image']).map((field) => [field, several && field !== 'instruction' && field !== 'classes' ? [content[field]] : content[field]]));
          const [status, answer] = await post(at, path.startsWith('/api/models/') ? {} : body);
          expect([status, answer], path).toMatchObject(withoutModels.has(task) ? [404, { detail: expect.stringContaining(task) as string }] : [200, {}]);
        }
        tried += 1;
      }
    }
    expect(tried).toBe(62);
  });
});
