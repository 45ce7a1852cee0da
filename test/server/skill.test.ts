// The custom skill: a record in is a record out under its own recordId, noise has the label "", a bad record fails alone, and labels come from names or from a file.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverError } from '../../src/core/errors/server.ts';
import { compileTemplate, type Template } from '../../src/core/templates.ts';
import { createKey } from '../../src/server/api-keys.ts';
import type { ScoringHost } from '../../src/server/clusters/scoring.ts';
import type { HttpServerOptions } from '../../src/server/http-server.ts';
import { parseClusterLabels } from '../../src/server/skill/cluster-labels.ts';
import { createLabelSource, type LabelSource } from '../../src/server/skill/label-source.ts';
import { skill } from '../../src/server/skill/skill.ts';
import { refusal } from '../references/content-server.ts';
import { control, define, feature, openFold, type FoldHarness } from '../stages/cluster/fold-harness.ts';
import { keyNamed, limits, startServer } from './http-fixture.ts';
import { startTinyHost, type TinyHost } from './tiny-host.ts';

const collection = 'images';
const imagesOf = (kind: string): readonly string[] => ['01.jpg', '02.jpg', '03.png', '04.jpg', '05.jpg'].map((end) => `${kind}-${end}`);
const bytesOf = (name: string): Promise<Buffer> => readFile(join(import.meta.dirname, '../../examples/images', name));

let tiny: TinyHost;
let fold: FoldHarness;
let encoded: Readonly<Record<'cat' | 'key' | 'odd', string>>;

/** Cats and keys, five each, of which the cats have a name. */
beforeAll(async () => {
  tiny = await startTinyHost(['images']);
  fold = await openImages();
  await fold.fold(control({ 'labelstream.v1.LabelCluster': { collection, clusterId: clusterOf('cat-01.jpg'), name: 'cats' } }, collection));
  const [cat, key, odd] = await Promise.all(['cat-06.png', 'key-06.png', 'odd-02-spiral.jpg'].map(async (name) => (await bytesOf(name)).toString('base64')));
  encoded = { cat: cat!, key: key!, odd: odd! };
});

afterAll(() => tiny.close());

async function openImages(): Promise<FoldHarness> {
  const { model, version: modelVersion, dimensions } = tiny.server.describe('images');
  const opened = openFold();
  await opened.fold(define({ model, modelVersion, dimensions, metric: 'cosine', eps: 0.4, minPoints: 3 }, collection));
  for (const [origin, name] of [...imagesOf('cat'), ...imagesOf('key')].entries()) await insert(opened, name, await vectorOf(name), origin);
  return opened;
}

async function insert(into: FoldHarness, item: string, vector: Iterable<number>, origin: number): Promise<void> {
  const { model, version: modelVersion } = tiny.server.describe('images');
  await into.fold(feature({ item, at: [...vector], origin, family: collection, collection, model, modelVersion }));
}

async function vectorOf(name: string): Promise<Float32Array> {
  const contentType = `image/${name.endsWith('.png') ? 'png' : 'jpeg'}`;
  return ((await tiny.server.run('images', { kind: 'image', bytes: await bytesOf(name), contentType }, { signal: new AbortController().signal })) as { vector: Float32Array }).vector;
}

function clusterOf(name: string, of = fold): string {
  const { clusterId } = of.partition.view.item(`test/${name}`)[0]!;
  if (clusterId === null) throw new Error(`${name} is noise`);
  return clusterId;
}

function scoring(asked: FoldHarness): ScoringHost {
  const template = compileTemplate(collection) as Template;
  return {
    host: tiny.host,
    routes: [{ name: 'images', from: 'media', where: {}, steps: [{ name: 'cluster', task: 'image-features', model: 'images', collection: template }] }],
    clusters: () => ({ partitions: () => Promise.resolve([{ ask: async (question) => ({ value: await (await asked.partition.ask((view) => [question(view)] as const))[0], heldAt: { partition: 0, sequence: 7n } }) }]) }),
  };
}

type Started = { readonly ask: (body: unknown, headers?: Record<string, string>) => Promise<readonly [number, unknown]>; readonly url: string };

async function start(labels?: LabelSource, options: Partial<HttpServerOptions> = {}, asked = fold): Promise<Started> {
  const { url } = await startServer([skill({ scoring: scoring(asked), collection, labels })], options);
  const ask: Started['ask'] = async (body, headers = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${url}/api/extraction`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text });
    return [response.status, await response.json()];
  };
  return { ask, url };
}

function fileOf(content: unknown): LabelSource {
  return createLabelSource({ read: () => Promise.resolve(Buffer.from(JSON.stringify(content))), refreshMs: 60_000, clock: { elapsedMs: () => 0 }, failed: () => undefined });
}

const image = (recordId: unknown, data: string) => ({ recordId, data: { images: { data } } });
const good = (recordId: unknown, label: unknown) => ({ recordId, errors: '', data: { label }, warnings: '' });

test('each record is answered under its recordId, and a bad one fails alone, without data', async () => {
  const { ask } = await start();
  const values = [image('0', encoded.cat), image('1', 'no base64!'), image('2', encoded.odd), { recordId: '3' }, image('4', Buffer.from('no image').toString('base64')), 5, image('6', `data:image/png;base64,${encoded.cat}`), { data: { images: { data: encoded.cat } } }];
  const [status, answer] = await ask({ values });
  const failed = (recordId: unknown, said: RegExp) => ({ recordId, errors: [expect.stringMatching(said) as string], warnings: '' });
  expect([status, answer]).toEqual([200, {
    values: [
      good('0', ['cats']), failed('1', /^data\.images\.data is not base64 \[LS_SERVER_REQUEST\]$/), good('2', ''), failed('3', /^the record has no image in data\.images\.data \[/), failed('4', /\[LS_IMAGE_\w+\]$/), failed(null, /^the record is no object /),
      good('6', ['cats']), failed(null, /^the record has no recordId \[/),
    ],
  }]);
  expect(await ask({ values: [] })).toEqual([200, { values: [] }]);
});

test('a recordId goes back exactly as it came, whatever it is', async () => {
  const { url } = await start(undefined, { limits: { ...limits, bodyBytesMax: 1024 * 1024 } });
  const ids = ['"a/\\u00e4"', '0', '12345678901234567890', '1.0', '-0', '1e400', 'true', 'null', '[1.50, {"b": 10000000000000000001}]', '{"id": 1.0}'];
  const values = ids.map((id) => `{"recordId": ${id}, "data": {"images": {"data": "${encoded.cat}"}}}`);
  const response = await fetch(`${url}/api/extraction`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"values": [${values.join(', ')}]}` });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  const compact = ['"a/ä"', ...ids.slice(1).map((id) => id.replaceAll(' ', ''))];
  expect([...text.matchAll(/"recordId":(.*?),"errors"/g)].map(([, id]) => id)).toEqual(compact);
});

test.each([
  ['of more values than are read twice', '', `[${'0,'.repeat(100_000)}0]`, /at most 100000 values/],
  ['nested without end', '['.repeat(20_000), ']'.repeat(20_000), /nested too deeply/],
])('a body %s is refused where a recordId is no text, and taken where it is one', async (_, open, close, said) => {
  const { ask } = await start(undefined, { limits: { ...limits, bodyBytesMax: 1024 * 1024 } });
  const bodyWith = (id: string): string => `{"more": ${open}${close}, "values": [{"recordId": ${id}, "data": {"images": {"data": "${encoded.cat}"}}}]}`;
  expect(await ask(bodyWith('1.0'))).toMatchObject([400, { code: 'LS_SERVER_REQUEST', detail: expect.stringMatching(said) as string }]);
  expect(await ask(bodyWith('"1.0"'))).toEqual([200, { values: [good('1.0', ['cats'])] }]);
});

test('a wrong key, or none, is answered 403', async () => {
  const { key, sha256 } = createKey();
  const { ask } = await start(undefined, { keys: [keyNamed('skill', sha256, ['predict'])] });
  const body = { values: [image('0', encoded.cat)] };
  expect(await ask(body, { 'Ocp-Apim-Subscription-Key': key })).toEqual([200, { values: [good('0', ['cats'])] }]);
  for (const headers of [{}, { 'Ocp-Apim-Subscription-Key': `${key}x` }]) expect(await ask(body, headers)).toMatchObject([403, { code: 'LS_SERVER_KEY' }]);
});

test('what is no list of records is refused as a whole, and so is a skill without a collection', async () => {
  const { ask } = await start();
  for (const body of [{}, { values: {} }, [], '{"values": [']) expect(await ask(body), JSON.stringify(body)).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  const { ask: askNobody } = await startWithout();
  expect(await askNobody({ values: [image('0', encoded.cat)] })).toMatchObject([400, { code: 'LS_SERVER_NO_DEFAULT' }]);
});

async function startWithout(): Promise<Started> {
  const { url } = await startServer([skill({ scoring: scoring(fold), collection: undefined, labels: undefined })]);
  return { url, ask: async (body) => {
    const response = await fetch(`${url}/api/extraction`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return [response.status, await response.json()];
  } };
}

describe('labels', () => {
  const values = () => [image('cat', encoded.cat), image('key', encoded.key), image('odd', encoded.odd)];

  test('a cluster without any is answered with none, and a warning', async () => {
    const { ask } = await start();
    const id = clusterOf('key-01.jpg');
    expect(await ask({ values: values() })).toEqual([200, { values: [good('cat', ['cats']), { ...good('key', []), warnings: [`the cluster ${id} has no label`] }, good('odd', '')] }]);
  });

  test('those of a file go before the name, by the id of a cluster or by its name', async () => {
    const { ask } = await start(fileOf({ cats: ['pet', 'animal'], [clusterOf('key-01.jpg')]: 'tool' }));
    expect(await ask({ values: values() })).toEqual([200, { values: [good('cat', ['pet', 'animal']), good('key', ['tool']), good('odd', '')] }]);
  });

  test('an id that was merged away stands for what it was merged into', async () => {
    const merging = await openImages();
    const ids = ['cat-01.jpg', 'key-01.jpg'].map((name) => clusterOf(name, merging));
    const [cat, key] = await Promise.all(['cat-01.jpg', 'key-01.jpg'].map(vectorOf));
    // Steps from the one to the other, three items on each.
    for (let step = 0; step <= 24; step++) await insert(merging, `step-${step}`, cat!.map((value, index) => value + (Math.floor(step / 3) / 8) * (key![index]! - value)), 100 + step);
    const [living] = [...new Set(['cat-01.jpg', 'key-01.jpg'].map((name) => clusterOf(name, merging)))];
    const retired = ids.find((id) => id !== living)!;
    expect([clusterOf('cat-01.jpg', merging), ids.includes(living!)]).toEqual([clusterOf('key-01.jpg', merging), true]);
    const answer = async (content: object): Promise<unknown> => (await (await start(fileOf(content), {}, merging)).ask({ values: values().slice(0, 1) }))[1];
    expect(await answer({ [retired]: 'of old' })).toEqual({ values: [good('cat', ['of old'])] });
    expect(await answer({ [retired]: 'of old', [living!]: 'of now' })).toEqual({ values: [good('cat', ['of now'])] });
  });

  test('of a cluster that the file does not have, its name is told', async () => {
    const { ask } = await start(fileOf({ other: 'x' }));
    expect(await ask({ values: values().slice(0, 1) })).toEqual([200, { values: [good('cat', ['cats'])] }]);
  });

  test('a file that was never read fails the request, so that it is repeated, and says nothing of where it is', async () => {
    const failures: unknown[] = [];
    const failing = createLabelSource({ read: () => Promise.reject(Object.assign(new Error('ENOENT: /secret/labels.json'), { code: 'ENOENT' })), refreshMs: 1, clock: { elapsedMs: () => 0 }, failed: (error) => failures.push(error) });
    const { ask } = await start(failing);
    expect(await ask({ values: values() })).toMatchObject([503, { code: 'LS_SERVER_LABELS', detail: 'the file of labels cannot be read: ENOENT' }]);
    expect(failures.length).toBeGreaterThan(0);
  });

  test.each([
    ['an object by cluster', { 0: 'a', cats: ['b', 'c'] }, [['0', ['a']], ['cats', ['b', 'c']]]],
    ['a list by number', [['open book', 'double spread'], 'b'], [['0', ['open book', 'double spread']], ['1', ['b']]]],
  ])('a file may be %s', (_name, content, expected) => {
    expect([...parseClusterLabels(Buffer.from(JSON.stringify(content)))]).toEqual(expected);
  });

  test.each([
    ['a pickle', Buffer.from([0x80, 4, 0x95]), /pickle, which is not read/],
    ['no JSON', Buffer.from('cats: 1'), /not JSON/],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /not JSON/],
    ['something else', Buffer.from('{"a": 1}'), /no object and no list/],
    ['an empty list of labels', Buffer.from('{"a": []}'), /no object and no list/],
  ])('%s is refused', (_name, bytes, said) => {
    expect(() => parseClusterLabels(bytes)).toThrow(expect.objectContaining({ code: 'LS_SERVER_LABELS', message: expect.stringMatching(said) as string }) as Error);
  });
});

describe('a file of labels', () => {
  const signal = new AbortController().signal;

  test('is read again when a request finds it old, answers go on meanwhile, and with what there was where that fails', async () => {
    let nowMs = 0;
    const readings: PromiseWithResolvers<Uint8Array>[] = [];
    const failures: unknown[] = [];
    const source = createLabelSource({
      read: () => {
        readings.push(Promise.withResolvers<Uint8Array>());
        return readings.at(-1)!.promise;
      },
      refreshMs: 100, clock: { elapsedMs: () => nowMs }, failed: (error) => failures.push(error),
    });
    const labels = async (): Promise<unknown> => Object.fromEntries(await source.labels(signal));
    const first = [labels(), labels()];
    readings[0]!.resolve(Buffer.from('{"a": "1"}'));
    expect(await Promise.all(first)).toEqual([{ a: ['1'] }, { a: ['1'] }]);
    nowMs = 99;
    expect([await labels(), readings.length]).toEqual([{ a: ['1'] }, 1]);
    nowMs = 100;
    expect([await labels(), await labels(), readings.length], 'not waited for').toEqual([{ a: ['1'] }, { a: ['1'] }, 2]);
    readings[1]!.reject(serverError('LS_SERVER_LABELS', 'gone'));
    await expect.poll(() => failures.length).toBe(1);
    nowMs = 200;
    expect([await labels(), readings.length]).toEqual([{ a: ['1'] }, 3]);
    readings[2]!.resolve(Buffer.from('{"a": "2"}'));
    await expect.poll(labels).toEqual({ a: ['2'] });
  });

  test('that was never read is read again by the next request', async () => {
    const contents = ['none', '{"a": "1"}'];
    const source = createLabelSource({ read: () => Promise.resolve(Buffer.from(contents.shift()!)), refreshMs: 100, clock: { elapsedMs: () => 0 }, failed: () => undefined });
    expect(await refusal(source.labels(signal))).toMatchObject({ code: 'LS_SERVER_LABELS' });
    expect(Object.fromEntries(await source.labels(signal))).toEqual({ a: ['1'] });
  });
});
