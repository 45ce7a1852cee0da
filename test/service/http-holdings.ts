/** A service that holds something for every operation of the HTTP interfaces: models of every kind, events, clusters, jobs; and what an OpenAPI tester has to know of it. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { wav } from '../models/preprocessing/audio/sound-files.ts';
import { tinyDirectory, type TinyName } from '../models/transformers/tiny-models.ts';
import { repository } from './program.ts';
import type { Holding } from './openapi-tester.ts';

const transformers: Readonly<Record<string, TinyName>> = { captions: 'vit-gpt2', similar: 'clip', boxes: 'detr', speech: 'whisper' };

export async function writeTransformers(directory: string): Promise<void> {
  for (const [name, architecture] of Object.entries(transformers)) {
    await mkdir(join(directory, name));
    await tinyDirectory(architecture, { directory: join(directory, name) });
  }
}

/** @param pictures origin of a server that has them. `trial` is a family for parameters: what it is told to be changes nothing elsewhere. */
export const holdingConfiguration = (pictures: string): string => `
dataDirectory: data
server: { port: 0, streamMsMax: 200, answerMsMax: 25000, jobs: { countMax: 100000 }, skill: { collection: images }, defaults: { task: text-features, models: { text-features: texts } } }
media: { origins: ['${pictures}'], fetch: { allowPrivateAddresses: [127.0.0.1] } }
transport: { partitionCount: 1 }
models:
  notes: { directory: MODELS/banknote-classifier }
  texts: { directory: MODELS/static-text-encoder }
  topics: { directory: MODELS/topic-classifier }
  drawings: { directory: MODELS/drawing-classifier }
  eye: { directory: MODELS/visual-encoder }
${Object.keys(transformers).map((name) => `  ${name}: { directory: ./${name} }\n`).join('')}
routes:
  - { name: images, from: media, steps: [{ name: cluster, task: image-features, model: eye, collection: images }] }
  - name: texts
    from: text
    steps: [{ name: cluster, task: text-features, model: texts, collection: texts }, { name: trial, task: text-features, model: texts, collection: trial }]
  - { name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }
collections: [{ name: images, eps: 0.4, minPoints: 3 }, { name: texts, eps: 0.3, minPoints: 3 }, { name: trial, eps: 0.3, minPoints: 3 }]
`;

const json = (...bodies: readonly unknown[]): { readonly 'application/json': readonly unknown[] } => ({ 'application/json': bodies });
const record = { variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 };
const sentences = ['a sailing boat', 'two dogs play in the snow', ''];
/** One WebP image of 32 by 30 pixels in one colour, whose bytes are all ASCII: an example in a document is text. */
const plainImage = 'RIFF\x16\0\0\0WEBPVP8L\x09\0\0\0\x2f\x1f\x40\x07\0\x28\x40\x44\x04\0';
const picture = (name: string): Promise<string> => readFile(join(repository, 'examples/images', name), 'base64');

type Json = Readonly<Record<string, unknown>>;

async function ask(url: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<Json> {
  const response = await fetch(url + path, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
  const answer = (await response.json()) as Json;
  expect(response.status, `${path}: ${JSON.stringify(answer)}`).toBeLessThan(300);
  return answer;
}

const taskModels: Readonly<Record<string, { readonly model: string; readonly body: Json }>> = {
  'conditional-image-captioning': { model: 'captions', body: { image: '', text: 'a' } },
  'image-captioning': { model: 'captions', body: { image: '' } },
  'automated-speech-recognition': { model: 'speech', body: { audio: '', config: { max_new_tokens: 4 } } },
  'image-embedding': { model: 'eye', body: { image: '' } },
  'object-detection': { model: 'boxes', body: { image: '' } },
  'text-embedding': { model: 'texts', body: { text: 'a sailing boat' } },
  'zero-shot-image-classification': { model: 'similar', body: { image: '', classes: ['a boat', 'a dog'] } },
  'text-query-embedding': { model: 'texts', body: { query: 'a boat', instruction: 'find what is near' } },
};

type Media = { readonly images: readonly string[]; readonly sound: string };

async function mediaThere(): Promise<Media> {
  const images = await Promise.all(['cat-01.jpg', 'cat-02.jpg', 'cat-04.jpg', 'cat-05.jpg', 'cat-06.png'].map(picture));
  return { images, sound: wav(Buffer.alloc(3_200, 'sound')).toString('base64') };
}

/** What a published task is asked, with media in place of what is empty. */
function filled(body: Json, { images, sound }: Media): Json {
  const content: Readonly<Record<string, unknown>> = { image: images[0], audio: sound };
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, value === '' ? content[name] : value]));
}

/** Lists of one, but of what is one for all. */
const batched = (body: Json): Json => Object.fromEntries(Object.entries(body).map(([name, value]) => [name, ['classes', 'config', 'instruction'].includes(name) ? value : [value]]));

async function jobHoldings(url: string, media: Media): Promise<readonly Holding[]> {
  const holdings: Holding[] = [];
  for (const [task, { model, body }] of Object.entries(taskModels)) {
    const whole = filled(body, media);
    for (const [path, given] of [[`/api/tasks/${task}`, whole], [`/api/tasks/${task}/batched`, batched(whole)]] as const) {
      const { id } = await ask(url, 'POST', `${path}/${model}/jobs`, given);
      await expect.poll(() => ask(url, 'GET', `${path}/jobs/${String(id)}`), { timeout: 30_000 }).toMatchObject({ status: 'complete' });
      holdings.push(
        { of: new RegExp(`^GET ${path}/jobs/`), parameters: { job: [id] } },
        { of: new RegExp(`^POST ${path}/\\{model\\}/jobs`), parameters: { model: [model] }, bodies: { 'application/json': [given] } },
      );
    }
    holdings.push({ of: new RegExp(`^POST /api/legacy/tasks/${task}/`), parameters: { model: [model] }, bodies: { 'application/json': [whole] } });
  }
  return holdings;
}

const source = 'held';
const items = { text: ['t1', 't2', 't3', 't4'], images: ['i1', 'i2', 'i3', 'i4', 'i5'], records: ['r1'] };
/** Held to be forgotten. */
const spare = ['t5', 't6'];

type Clusters = { readonly clusters: readonly { readonly clusterId: string }[] };

/** Resolves when they are in their clusters, and labelled. */
async function insert(url: string, { images }: Media): Promise<{ readonly texts: string; readonly images: string; readonly inputs: readonly string[] }> {
  await ask(url, 'POST', '/events/text', { events: [...items.text, ...spare].map((id) => ({ id, source, text: 'a sailing boat' })) });
  await ask(url, 'POST', '/events/media', { events: items.images.map((id, index) => ({ id, source, content: images[index] })) });
  await ask(url, 'POST', '/events/records', { id: items.records[0], source, values: record });
  // One that fails.
  await ask(url, 'POST', '/events/records', { id: 'wrong', source, values: { variance: 1 } });
  const clusterIn = async (collection: string): Promise<string> => {
    await expect.poll(() => fetch(`${url}/collections/${collection}/clusters`).then((response) => response.json()), { timeout: 60_000 }).toMatchObject({ total: 1 });
    const { clusters } = (await ask(url, 'GET', `/collections/${collection}/clusters`)) as Clusters;
    return clusters[0]!.clusterId;
  };
  const found = { texts: await clusterIn('texts'), images: await clusterIn('images') };
  await expect.poll(async () => ((await ask(url, 'GET', '/dead-letters'))['deadLetters'] as unknown[]).length, { timeout: 60_000 }).toBe(1);
  const labels = async (): Promise<readonly { readonly inputId: string }[]> => (await ask(url, 'GET', `/items/${source}%2Fr1/labels`))['labels'] as { inputId: string }[];
  await expect.poll(async () => (await labels()).length, { timeout: 60_000 }).toBe(1);
  return { ...found, inputs: (await labels()).map(({ inputId }) => inputId) };
}

/** Fills the service. @param pictureUrl where a picture is. */
export async function fill(url: string, pictureUrl: string): Promise<readonly Holding[]> {
  const media = await mediaThere();
  const inserted = await insert(url, media);
  const { data: [{ embedding }] } = (await ask(url, 'POST', '/v1/embeddings', { model: 'texts', input: 'a sailing boat' })) as { data: [{ embedding: number[] }] };
  const [image = ''] = media.images;
  const texts = { name: 'text', datatype: 'BYTES', shape: [2], data: ['a sailing boat', 'two dogs'] };
  const binary = { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 8 } }], parameters: { binary_data_output: true } };
  const header = JSON.stringify(binary);
  return [
    { of: /^GET \/errors\//, parameters: { code: ['LS_SERVER_REQUEST', 'LS_MODEL_INPUT'] } },
    ...servingHoldings(media),
    ...(await jobHoldings(url, media)),
    { of: /^POST \/predict/, parameters: { model: ['notes'] }, bodies: json(record) },
    { of: /^POST \/customvision\//, parameters: { projectId: ['fe1e2ee5-5c4c-4a2a-8a4d-1f1d6f7e4b11'] } },
    { of: /^POST \/customvision\/.*\/classify\//, parameters: { publishedName: ['drawings'] } },
    { of: /^POST \/customvision\/.*\/detect\//, parameters: { publishedName: ['boxes'] } },
    { of: /^POST \/customvision\/.*\/image(\/nostore)?$/, bodies: { 'application/octet-stream': [plainImage], 'multipart/form-data': [{ imageData: plainImage }] } },
    { of: /^POST \/customvision\/.*\/url(\/nostore)?$/, fields: { url: [pictureUrl, `${pictureUrl}-none`] } },
    { of: /^(GET|POST) \/v2\/models\/\{model\}/, parameters: { model: ['texts', 'notes', 'captions'], version: ['1'] } },
    { of: /^POST \/v2\/.*\/infer/, parameters: { model: ['texts'], 'inference-header-content-length': [String(header.length)] }, bodies: { ...json({ inputs: [texts] }), 'application/octet-stream': [`${header}\x04\0\0\0boat`] } },
    { of: /^POST \/v2\/repository\/models\//, parameters: { model: ['topics', 'drawings'] } },
    { of: /^POST \/v1\/embeddings/, fields: { model: ['texts'], input: sentences }, bodies: json({ model: 'texts', input: sentences.slice(0, 2), dimensions: embedding.length }) },
    { of: /^GET \/v1\/models\/\{model\}/, parameters: { model: ['texts'] } },
    ...clusterHoldings(inserted),
    { of: /\/assign$/, bodies: json({ vectors: [embedding, embedding.map((value) => -value)] }) },
    { of: /^POST \/score/, fields: { collection: ['texts', 'images'], texts: sentences, images: [image, 'no base64 at all!'] }, bodies: json({ collection: 'texts', texts: sentences }, { collection: 'images', images: [image, 'no base64 at all!'] }) },
    { of: /^POST \/api\/extraction/, bodies: json({ values: [{ recordId: 7, data: { images: { data: image } } }, { recordId: '8' }] }) },
    { of: /^POST \/events\/media/, fields: { content: [image], uri: [pictureUrl] } },
    { of: /^POST \/dead-letters\/redrive/, bodies: json({ all: true, again: true, dryRun: true }, { code: ['LS_MODEL_INPUT'], again: true }) },
  ];
}

/** Of models by name. */
function servingHoldings({ images, sound }: Media): readonly Holding[] {
  const [image = ''] = images;
  const fields = { image: [image, 'no base64 at all!'], audio: [sound], text: sentences };
  const every = ['notes', 'texts', 'topics', 'drawings', 'eye', ...Object.keys(transformers)];
  return [
    { of: /^(GET|POST) \/api\/models\/\{model\}\/(tasks(\/list)?|status|start|stop)$/, parameters: { model: every } },
    { of: /^GET \/api\/tasks\/\{task\}\/models/, parameters: { task: ['text-features', 'image-captioning', 'object-detection'] } },
    { of: /^POST \/api\/models\/\{model\}\/tasks\/\{task\}\/features/, parameters: { model: ['captions'], task: ['image-captioning', 'conditional-image-captioning'] }, fields, bodies: json({ image }, { image: [image, 'no base64 at all!'] }) },
    { of: /^POST \/api\/tasks\/\{task\}\/models\/\{model\}\/features/, parameters: { model: ['boxes'], task: ['object-detection'] }, fields, bodies: json({ image, config: { threshold: 0.1 } }) },
    { of: /^POST \/api\/tasks\/\{task\}\/features/, parameters: { task: ['zero-shot-image-classification'] }, fields, bodies: json({ image, classes: ['a boat', 'a dog'] }) },
    { of: /^POST \/api\/features/, fields, bodies: json({ text: sentences }, { text: 'a sailing boat' }) },
    { of: /^POST \/models\/\{model\}\//, parameters: { model: every } },
  ];
}

function clusterHoldings({ texts, images, inputs }: { readonly texts: string; readonly images: string; readonly inputs: readonly string[] }): readonly Holding[] {
  // What is waited for is there: a question about what is not yet would wait for its time.
  const atLeast = ['0:0', '0:1'];
  const ofText = items.text.map((id) => `${source}/${id}`);
  return [
    { of: /^(GET|PUT|DELETE) \/collections\/\{collection\}\/clusters\/\{cluster\}/, parameters: { collection: ['texts'], cluster: [texts], atLeast } },
    { of: /^GET \/collections\/\{collection\}\/(clusters|items)$/, parameters: { collection: ['texts', 'images'], family: ['texts', 'images'], atLeast } },
    { of: /^GET \/collections$|^POST \/score|^GET \/items\/\{item\}/, parameters: { atLeast } },
    { of: /^POST \/collections\/\{collection\}\/assign/, parameters: { collection: ['texts'], atLeast } },
    { of: /^GET \/items\/\{item\}/, parameters: { item: [...ofText, ...items.images.map((id) => `${source}/${id}`)] } },
    { of: /^GET \/items\/\{id\}\/labels/, parameters: { id: [...ofText, `${source}/r1`] } },
    { of: /^GET \/labels(\/stream)?$/, parameters: { input: inputs } },
    { of: /^GET \/labels\/stream$/, parameters: { task: ['record-prediction', 'text-features'], collection: ['texts', 'images'] } },
    { of: /^POST \/items\/forget/, fields: { items: spare.map((id) => `${source}/${id}`) } },
    { of: /^PUT \/collections\/\{family\}\/parameters/, parameters: { family: ['trial'] } },
    { of: /^POST \/inputs\/\{topic\}\//, parameters: { topic: ['record.events', 'media.events'] } },
    { of: /^GET \/dead-letters/, parameters: { limit: [1, 100] } },
    { of: /^PUT .*\/name$/, bodies: { 'application/json': [{ name: `boats ${images}` }] } },
  ];
}
