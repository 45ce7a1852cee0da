// Administration by HTTP: what is asked of whom, what is refused, and who may ask.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { kafkaError } from '../../src/core/errors/kafka.ts';
import { modelError } from '../../src/core/errors/model.ts';
import { pipelineError } from '../../src/core/errors/pipeline.ts';
import { stateError } from '../../src/core/errors/state.ts';
import { administration, type AdministrationHost } from '../../src/server/admin/administration.ts';
import type { LetterRequest } from '../../src/server/admin/dead-letters.ts';
import { keyNamed, limits, startServer } from './http-fixture.ts';

const place = { family: 'pets-${labels.classify}', collection: 'pets-cat', clusterId: 'aaaa' };
const waitFor = [{ topic: 'features', partition: 1, sequence: 9_007_199_254_740_993n }];
const waitForText = [{ topic: 'features', partition: 1, sequence: '9007199254740993' }];

type Overrides = { readonly [Part in keyof AdministrationHost]?: Partial<AdministrationHost[Part]> };

/** @param calls what the host was asked, in order. */
function hostOf(calls: unknown[], overrides: Overrides = {}): AdministrationHost {
  const state = { version: 3n, pausedInputs: ['text.events'], unloadedModels: [] };
  const noted = <Answer>(name: string, answer: Answer) => (...given: readonly unknown[]): Promise<Answer> => {
    calls.push([name, ...given.filter((value) => !(value instanceof AbortSignal))]);
    return Promise.resolve(answer);
  };
  return {
    controls: {
      clusterFamily: (clusterId) => Promise.resolve(clusterId === 'aaaa' || clusterId === 'merged' ? place : undefined),
      nameCluster: noted('name', waitFor),
      forget: noted('forget', { inCollections: ['s/1'], stillIn: [{ place: 'a topic', until: 'then' }], waitFor }),
      metricOf: (family) => Promise.resolve(family === place.family ? 'cosine' : undefined),
      setParameters: noted('parameters', waitFor),
      ...overrides.controls,
    },
    deadLetters: {
      page: noted('page', { letters: [], next: '1:17' }),
      redrive: noted('redrive', { kind: 'done' as const, redriven: 2, skipped: [], skippedCount: 0, waitFor }),
      ...overrides.deadLetters,
    },
    desiredState: { inputs: ['text.events', 'media.events'], current: () => state, pauseInput: noted('pause', state), unloadModel: noted('unload', state), ...overrides.desiredState },
    tasks: {
      models: () => {
        const describe = (name: string): never => {
          throw modelError('LS_MODEL_UNKNOWN', `no model ${name}`);
        };
        return { describe, status: () => new Map() } as unknown as ReturnType<AdministrationHost['tasks']['models']>;
      },
      ...overrides.tasks,
    },
  };
}

async function serve(host: AdministrationHost, options: Parameters<typeof startServer>[1] = {}) {
  const { url } = await startServer(administration(host), options);
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<readonly [number, Record<string, unknown>]> => {
    const response = await fetch(`${url}${path}`, { method, headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return [response.status, (await response.json()) as Record<string, unknown>];
  };
}

test('controls are said of whom is meant, and sequences are told as text', async () => {
  const calls: unknown[] = [];
  const ask = await serve(hostOf(calls));
  const named = { collection: 'pets-cat', clusterId: 'aaaa', waitFor: waitForText };
  expect(await ask('PUT', '/collections/pets-cat/clusters/merged/name', { name: ' Cats ' })).toEqual([202, { ...named, name: 'Cats' }]);
  expect(await ask('DELETE', '/collections/pets-cat/clusters/aaaa/name')).toEqual([202, { ...named, name: null }]);
  expect(await ask('POST', '/items/forget', { items: ['s/1', 's/a/b'] })).toEqual([202, { inCollections: ['s/1'], stillIn: [{ place: 'a topic', until: 'then' }], waitFor: waitForText }]);
  const family = encodeURIComponent(place.family);
  expect(await ask('PUT', `/collections/${family}/parameters`, { minPoints: 4 })).toEqual([202, { family: place.family, waitFor: waitForText }]);
  expect(calls).toEqual([['name', place, 'Cats'], ['name', place, ''], ['forget', ['s/1', 's/a/b']], ['parameters', place.family, { eps: null, minPoints: 4 }]]);
});

test('what cannot be is refused before anything is appended', async () => {
  const calls: unknown[] = [];
  const ask = await serve(hostOf(calls));
  const refused = [
    ['PUT', '/collections/pets-dog/clusters/aaaa/name', { name: 'x' }, 404, 'LS_SERVER_NOT_FOUND'],
    ['PUT', '/collections/pets-cat/clusters/bbbb/name', { name: 'x' }, 404, 'LS_SERVER_NOT_FOUND'],
    ['PUT', '/collections/pets-cat/clusters/aaaa/name', { name: '  ' }, 400, 'LS_SERVER_REQUEST'],
    ['PUT', '/collections/pets-cat/clusters/aaaa/name', { name: 'half \ud83d' }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/items/forget', { items: ['s/half \ud83d'] }, 400, 'LS_SERVER_REQUEST'],
    ['PUT', '/collections/pets-cat/clusters/aaaa/name', { name: 'x', colour: 'red' }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/items/forget', { items: [] }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/items/forget', { items: ['s/1', 'nonsense'] }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/items/forget', { items: Array.from({ length: 1001 }, (_, index) => `s/${index}`) }, 400, 'LS_SERVER_REQUEST'],
    ['PUT', '/collections/none/parameters', { eps: 1 }, 404, 'LS_SERVER_NOT_FOUND'],
    ['PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, {}, 400, 'LS_SERVER_REQUEST'],
    ['PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, { eps: -1 }, 400, 'LS_SERVER_REQUEST'],
    ['PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, { eps: 3 }, 400, 'LS_SERVER_REQUEST'],
    ['PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, { minPoints: 1.5 }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/inputs/labels/pause', undefined, 404, 'LS_SERVER_NOT_FOUND'],
    ['POST', '/models/none/unload', undefined, 404, 'LS_MODEL_UNKNOWN'],
    ['POST', '/dead-letters/redrive', {}, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/dead-letters/redrive', { code: [] }, 400, 'LS_SERVER_REQUEST'],
    ['POST', '/dead-letters/redrive', { all: true, since: '2026-05-18T00:00:00Z', until: '2026-05-17T00:00:00Z' }, 400, 'LS_SERVER_REQUEST'],
    ['GET', '/dead-letters?limit=0', undefined, 400, 'LS_SERVER_REQUEST'],
    ['GET', '/dead-letters?after=17', undefined, 400, 'LS_SERVER_REQUEST'],
    ['GET', '/dead-letters?state=lost', undefined, 400, 'LS_SERVER_REQUEST'],
  ] as const;
  for (const [method, path, body, status, code] of refused) expect(await ask(method, path, body), `${method} ${path}`).toMatchObject([status, { code }]);
  expect(calls).toEqual([]);
});

test('dead letters are asked for by filters, and redriven by ids or filters', async () => {
  const calls: unknown[] = [];
  const ask = await serve(hostOf(calls));
  expect(await ask('GET', '/dead-letters?code=LS_A&code=LS_B&state=open&since=2026-05-17T08:00:00Z&limit=5&after=0:3')).toEqual([200, { deadLetters: [], next: '1:17' }]);
  expect(await ask('POST', '/dead-letters/redrive', { ids: ['0:17'], again: true })).toEqual([202, { redriven: 2, skipped: 0, reasons: [], dryRun: false, waitFor: waitForText }]);
  expect((await ask('POST', '/dead-letters/redrive', { stage: 'extract', dryRun: true }))[0]).toBe(200);
  const nothing: LetterRequest = { ids: [], states: ['open'], code: [], task: [], stage: undefined, item: [], origin: [], sinceMs: undefined, untilMs: undefined };
  expect(calls).toEqual([
    ['page', { ...nothing, code: ['LS_A', 'LS_B'], sinceMs: Date.parse('2026-05-17T08:00:00Z') }, { after: '0:3', limit: 5 }],
    ['redrive', { ...nothing, ids: ['0:17'], states: ['open', 'redriven', 'failed', 'resolved'] }, false],
    ['redrive', { ...nothing, stage: 'extract' }, true],
  ]);
});

test('inputs and models are told as this instance has them', async () => {
  const calls: unknown[] = [];
  const ask = await serve(hostOf(calls));
  expect(await ask('GET', '/inputs')).toEqual([200, { inputs: [{ topic: 'text.events', paused: true }, { topic: 'media.events', paused: false }], version: '3' }]);
  expect(await ask('POST', '/inputs/text.events/resume')).toEqual([202, { topic: 'text.events', paused: false, version: '3' }]);
  expect(await ask('GET', '/models')).toEqual([200, { models: [], version: '3' }]);
  expect(calls).toEqual([['pause', 'text.events', false]]);
});

test('a failure claims no success, and says whether to try again', async () => {
  const failing = (error: Error) => hostOf([], { controls: { setParameters: () => Promise.reject(error), nameCluster: () => new Promise(() => undefined) }, deadLetters: { redrive: () => Promise.reject(error) }, desiredState: { pauseInput: () => Promise.reject(error) } });
  const path = `/collections/${encodeURIComponent(place.family)}/parameters`;
  expect(await (await serve(failing(kafkaError('LS_KAFKA_UNREACHABLE', 'away'))))('PUT', path, { eps: 1 })).toMatchObject([503, { code: 'LS_KAFKA_UNREACHABLE' }]);
  expect(await (await serve(failing(stateError('LS_STATE_REPARTITION_PENDING', 'under way'))))('PUT', path, { eps: 1 })).toMatchObject([409, { code: 'LS_STATE_REPARTITION_PENDING' }]);
  expect(await (await serve(failing(stateError('LS_STATE_WRITE_FAILED', 'full'))))('POST', '/inputs/text.events/pause')).toMatchObject([503, { code: 'LS_STATE_WRITE_FAILED' }]);
  expect(await (await serve(failing(pipelineError('LS_TRANSPORT_FENCED', 'another'))))('POST', '/dead-letters/redrive', { all: true })).toMatchObject([409, { code: 'LS_TRANSPORT_FENCED' }]);
  const hanging = await serve(failing(new Error('none')), { limits: { ...limits, answerMsMax: 300 } });
  expect(await hanging('PUT', '/collections/pets-cat/clusters/aaaa/name', { name: 'x' })).toMatchObject([504, { code: 'LS_SERVER_TIME' }]);
});

test('a client that leaves is no failure to be told', async () => {
  const begun = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  const page = (_request: unknown, _page: unknown, signal: AbortSignal): Promise<never> => {
    begun.resolve(undefined);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
        ended.resolve(undefined);
      });
    });
  };
  const { url, answered, failed } = await startServer(administration(hostOf([], { deadLetters: { page } })));
  const leaving = new AbortController();
  const asked = fetch(`${url}/dead-letters`, { signal: leaving.signal }).catch(() => undefined);
  await begun.promise;
  leaving.abort();
  await Promise.all([asked, ended.promise]);
  await expect.poll(() => answered.map(({ status }) => status)).toEqual([499]);
  expect(failed).toEqual([]);
});

test('what changes something is for keys with the scope admin, what tells for those with read', async () => {
  const calls: unknown[] = [];
  const hashed = (text: string): string => createHash('sha256').update(text).digest('hex');
  const ask = await serve(hostOf(calls), { keys: [keyNamed('reader', hashed('ls_reader'), ['predict', 'ingest', 'read']), keyNamed('operator', hashed('ls_operator'), ['admin'])] });
  const changes = [
    ['PUT', '/collections/pets-cat/clusters/aaaa/name', { name: 'x' }],
    ['DELETE', '/collections/pets-cat/clusters/aaaa/name', undefined],
    ['POST', '/items/forget', { items: ['s/1'] }],
    ['PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, { eps: 1 }],
    ['POST', '/dead-letters/redrive', { all: true }],
    ['POST', '/inputs/text.events/pause', undefined],
    ['POST', '/models/notes/unload', undefined],
  ] as const;
  for (const [method, path, body] of changes) {
    expect((await ask(method, path, body))[0], path).toBe(401);
    expect(await ask(method, path, body, { 'x-api-key': 'ls_reader' }), path).toMatchObject([403, { code: 'LS_SERVER_SCOPE' }]);
  }
  expect(calls).toEqual([]);
  for (const path of ['/dead-letters', '/inputs', '/models']) {
    expect((await ask('GET', path, undefined, { 'x-api-key': 'ls_reader' }))[0], path).toBe(200);
    expect((await ask('GET', path, undefined, { 'x-api-key': 'ls_operator' }))[0], path).toBe(403);
  }
  expect((await ask('PUT', `/collections/${encodeURIComponent(place.family)}/parameters`, { eps: 1 }, { 'x-api-key': 'ls_operator' }))[0]).toBe(202);
});
