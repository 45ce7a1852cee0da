import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { testWith } from '../requirements.ts';
import { certificateNeeds, makeCertificates } from './certificates.ts';
import { startSchemaRegistry, type RegistryOptions, type SchemaRegistry } from './schema-registry.ts';

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
const FIRST = JSON.stringify({ type: 'record', name: 'Event', fields: [{ name: 'id', type: 'string' }] });
const COMPATIBLE = JSON.stringify({ type: 'record', name: 'Event', fields: [{ name: 'id', type: 'string' }, { name: 'at', type: 'long', default: 0 }] });
const INCOMPATIBLE = JSON.stringify({ type: 'record', name: 'Event', fields: [{ name: 'id', type: 'string' }, { name: 'at', type: 'string' }] });

let opened: SchemaRegistry[] = [];

afterEach(async () => {
  await Promise.all(opened.map((registry) => registry.close()));
  opened = [];
});

async function open(options?: RegistryOptions): Promise<SchemaRegistry> {
  const registry = await startSchemaRegistry(options);
  opened.push(registry);
  return registry;
}

async function call(registry: SchemaRegistry, method: string, path: string, body?: unknown, headers = {}): Promise<readonly [number, unknown]> {
  const content = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': CONTENT_TYPE, ...headers } };
  const response = await fetch(registry.url + path, { method, headers, ...content });
  expect(response.headers.get('content-type')).toBe(CONTENT_TYPE);
  return [response.status, await response.json()];
}

test('registers, looks up and finds schemas', async () => {
  const registry = await open();
  const subject = 'labels/of all-value';
  const path = `/subjects/${encodeURIComponent(subject)}`;
  expect(await call(registry, 'POST', `${path}/versions`, { schema: FIRST })).toEqual([200, { id: 1 }]);
  expect(await call(registry, 'POST', `${path}/versions`, { schema: COMPATIBLE })).toEqual([200, { id: 2 }]);
  expect(await call(registry, 'POST', `${path}/versions`, { schema: FIRST.replaceAll(':', ' : ') })).toEqual([200, { id: 1 }]);
  expect(await call(registry, 'POST', '/subjects/other/versions', { schema: COMPATIBLE })).toEqual([200, { id: 2 }]);
  expect(await call(registry, 'GET', '/subjects')).toEqual([200, [subject, 'other']]);
  expect(await call(registry, 'GET', '/schemas/ids/2')).toEqual([200, { schema: COMPATIBLE }]);
  expect(await call(registry, 'POST', path, { schema: FIRST })).toEqual([200, { subject, version: 1, id: 1, schema: FIRST }]);
  expect(await call(registry, 'GET', `${path}/versions`)).toEqual([200, [1, 2]]);
  expect(await call(registry, 'GET', `${path}/versions/latest`)).toEqual([200, { subject, version: 2, id: 2, schema: COMPATIBLE }]);
});

test('keeps references and schemas of other types', async () => {
  const registry = await open({ pathPrefix: '/apis/ccompat/v7' });
  registry.subjects.register('event', FIRST);
  const references = [{ name: 'Event', subject: 'event', version: 1 }];
  const list = { schema: '{"type":"array","items":"Event"}', references };
  expect(await call(registry, 'POST', '/subjects/list/versions?normalize=true', list)).toEqual([200, { id: 2 }]);
  expect(await call(registry, 'GET', '/schemas/ids/2')).toEqual([200, list]);
  const unresolved = { schema: list.schema, references: [{ ...references[0], version: 2 }] };
  expect(await call(registry, 'POST', '/subjects/list/versions', unresolved)).toEqual([422, { error_code: 42201, message: expect.any(String) as string }]);
  const json = { schema: '{"type":"object"}', schemaType: 'JSON' };
  expect(await call(registry, 'POST', '/subjects/json/versions', json)).toEqual([200, { id: 3 }]);
  expect(await call(registry, 'GET', '/schemas/ids/3')).toEqual([200, json]);
});

test('answers with the published errors', async () => {
  const registry = await open();
  registry.subjects.register('s', FIRST);
  const errors: readonly (readonly [string, string, unknown, number, number])[] = [
    ['GET', '/schemas/ids/7', undefined, 404, 40403],
    ['GET', '/subjects/none/versions/latest', undefined, 404, 40401],
    ['GET', '/subjects/s/versions/2', undefined, 404, 40402],
    ['GET', '/subjects/s/versions/first', undefined, 422, 42202],
    ['POST', '/subjects/none', { schema: FIRST }, 404, 40401],
    ['POST', '/subjects/s', { schema: COMPATIBLE }, 404, 40403],
    ['POST', '/subjects/s/versions', { schema: '{"type":"recrod"}' }, 422, 42201],
    ['POST', '/subjects/s/versions', {}, 422, 42201],
    ['POST', '/subjects/s/versions', { schema: INCOMPATIBLE }, 409, 409],
    ['PUT', '/config', { compatibility: 'SOMETIMES' }, 422, 42203],
    ['GET', '/config/s', undefined, 404, 40408],
    ['GET', '/nothing', undefined, 404, 404],
    ['PUT', '/subjects', {}, 405, 405],
  ];
  for (const [method, path, body, status, errorCode] of errors) {
    const answer = await call(registry, method, path, body);
    expect([method, path, ...answer]).toEqual([method, path, status, { error_code: errorCode, message: expect.any(String) as string }]);
  }
  expect((await call(registry, 'POST', '/subjects/s', {}, { 'content-type': 'text/plain' }))[0]).toBe(415);
});

test('takes what the compatibility level allows', async () => {
  const registry = await open();
  registry.subjects.register('s', FIRST);
  expect(await call(registry, 'GET', '/config')).toEqual([200, { compatibilityLevel: 'BACKWARD' }]);
  expect(await call(registry, 'PUT', '/config/s', { compatibility: 'NONE' })).toEqual([200, { compatibility: 'NONE' }]);
  expect(await call(registry, 'POST', '/subjects/s/versions', { schema: INCOMPATIBLE })).toEqual([200, { id: 2 }]);
  expect(await call(registry, 'PUT', '/config/s', { compatibility: 'FORWARD' })).toEqual([200, { compatibility: 'FORWARD' }]);
  expect((await call(registry, 'POST', '/subjects/s/versions', { schema: FIRST.replace('Event', 'Other') }))[0]).toBe(409);
  expect((await call(registry, 'POST', '/subjects/s/versions', { schema: COMPATIBLE }))[0]).toBe(409);
});

test('lets in those who show the right credentials', async () => {
  const basic = await open({ authentication: { basic: { username: 'user', password: 'secret' } } });
  const bearer = await open({ authentication: { bearer: 'token' } });
  const refused = [401, { error_code: 401, message: 'Unauthorized' }];
  expect(await call(basic, 'GET', '/subjects')).toEqual(refused);
  expect(await call(basic, 'GET', '/subjects', undefined, { authorization: `Basic ${btoa('user:wrong')}` })).toEqual(refused);
  expect(await call(basic, 'GET', '/subjects', undefined, { authorization: `Basic ${btoa('user:secret')}` })).toEqual([200, []]);
  expect(await call(bearer, 'GET', '/subjects', undefined, { authorization: 'Bearer other' })).toEqual(refused);
  expect(await call(bearer, 'GET', '/subjects', undefined, { authorization: 'Bearer token' })).toEqual([200, []]);
});

test('fails on demand, for as many requests as asked', async () => {
  const registry = await open();
  registry.subjects.register('s', FIRST);
  registry.fail({ kind: 'status', status: 500, times: 1, on: /^GET \/subjects/u });
  expect((await call(registry, 'GET', '/schemas/ids/1'))[0]).toBe(200);
  expect(await call(registry, 'GET', '/subjects')).toEqual([500, { error_code: 50001, message: 'Error in the backend data store' }]);
  expect((await call(registry, 'GET', '/subjects'))[0]).toBe(200);
  registry.fail({ kind: 'status', status: 429, retryAfterSeconds: 3, times: 1 });
  expect((await fetch(`${registry.url}/subjects`)).headers.get('retry-after')).toBe('3');
  registry.fail({ kind: 'cut', times: 1 });
  await expect(fetch(`${registry.url}/subjects`)).rejects.toThrow();
  const whole = registry.fail({ kind: 'cut-body' });
  await expect(fetch(`${registry.url}/schemas/ids/1`).then((response) => response.text())).rejects.toThrow();
  whole();
  registry.fail({ kind: 'silent', times: 1 });
  await expect(fetch(`${registry.url}/subjects`, { signal: AbortSignal.timeout(100) })).rejects.toThrow('timeout');
  registry.fail({ kind: 'slow', delayMs: 10, times: 1 });
  expect((await call(registry, 'GET', '/subjects'))[0]).toBe(200);
  registry.fail({ kind: 'status', status: 502, page: '<html>', times: 1 });
  expect(await (await fetch(`${registry.url}/subjects`)).text()).toBe('<html>');
  registry.fail({ kind: 'body', body: '{', times: 1 });
  await expect(fetch(`${registry.url}/subjects`).then((response) => response.json())).rejects.toThrow(SyntaxError);
  expect(registry.requests().filter(({ path }) => path === '/schemas/ids/1')).toHaveLength(2);
});

test('goes away and comes back with what it knew', async () => {
  const registry = await open();
  registry.subjects.register('s', FIRST);
  await registry.stop();
  await expect(fetch(`${registry.url}/subjects`)).rejects.toThrow();
  await registry.start();
  expect(await call(registry, 'GET', '/subjects')).toEqual([200, ['s']]);
});

testWith(certificateNeeds(), 'speaks TLS, and asks for a certificate where told', {}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'labelstream-registry-'));
  try {
    const certificates = await makeCertificates(folder);
    const { authority, client, strangeAuthority } = certificates;
    const registry = await open({ tls: { certificates, clientCertificateRequired: true } });
    const identity = { key: client.key, cert: client.certificate };
    expect(await tlsGet(registry.url, { ca: authority.certificate, ...identity })).toBe('[]');
    await expect(tlsGet(registry.url, { ca: authority.certificate })).rejects.toThrow();
    await expect(tlsGet(registry.url, { ca: strangeAuthority.certificate, ...identity })).rejects.toThrow(/certificate/u);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function tlsGet(url: string, options: { readonly ca: string; readonly key?: string; readonly cert?: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    httpsRequest(`${url}/subjects`, options, (response) => {
      text(response).then(resolve, reject);
    })
      .on('error', reject)
      .end();
  });
}
