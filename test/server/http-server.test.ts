// What holds for every request, whatever it asks for: on real sockets.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createKey, sha256OfKey } from '../../src/server/api-keys.ts';
import type { Api } from '../../src/server/http-port.ts';
import { schemaOf } from '../../src/server/schemas.ts';
import { readServerTls } from '../../src/server/tls.ts';
import { untilClosed } from '../sockets.ts';
import { echo, json, post } from './http-echo.ts';
import { keyNamed, limits, startServer } from './http-fixture.ts';

test('a schema validates, fills in what is left out, and refuses what it does not know', async () => {
  const { url } = await startServer([echo]);
  expect(await post(url, '{"text":"a"}')).toEqual([200, { text: 'a', count: 1 }]);
  for (const wrong of ['{"text":""}', '{"text":1}', '{"text":"a","count":"2"}', '{"text":"a","more":1}', '{}', '[]', '{', '', 'null']) {
    expect(await post(url, wrong), wrong).toMatchObject([400, { code: 'LS_SERVER_REQUEST', status: 400, type: '/errors/LS_SERVER_REQUEST', remedy: expect.any(String) as string }]);
  }
  expect(await post(url, '{"__proto__":{"text":"a"},"text":"a"}')).toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
});

test('what is wrong with a request is named', async () => {
  const choice = schemaOf(z.strictObject({ colour: z.enum(['red', 'green']), place: z.union([z.string(), z.strictObject({ uri: z.string() })]).optional() }));
  const choosing: Api = {
    name: 'choosing',
    description: 'Takes a colour.',
    add: (server) => void server.post('/choose', { config: { scope: 'predict' }, schema: { querystring: schemaOf(z.strictObject({ model: z.string().optional() })), body: choice } }, () => ({})),
  };
  const { url } = await startServer([choosing]);
  const detail = async (body: string, headers: Record<string, string> = json, query = ''): Promise<unknown> => ((await (await fetch(`${url}/choose${query}`, { method: 'POST', headers, body })).json()) as { detail: unknown }).detail;
  expect(await detail('{"colour":"red","color":"red"}')).toBe('body must NOT have additional properties (color)');
  expect(await detail('{"colour":"red"}', json, '?modle=a')).toBe('querystring must NOT have additional properties (modle)');
  expect(await detail('{"colour":"blue"}')).toBe('body/colour must be equal to one of the allowed values (red, green)');
  expect(await detail('{"colour":"red","place":{}}'), 'an object, and no text, is meant').toBe("body/place must have required property 'uri'");
  expect(await detail('{"colour":"red","place":1}')).toBe('body/place must be string, or body/place must be object');
  expect(await detail('{"colour":"red"}', { 'content-type': 'text/csv' })).toBe('the body is said to be text/csv; this operation takes application/json');
  expect(await detail('colour=red', {}), 'what fetch says of a text').toBe('the body is said to be text/plain;charset=UTF-8; this operation takes application/json');
});

test('failures are problem details with the id of the request, which a client may choose', async () => {
  const { url, answered, failed } = await startServer([echo]);
  const response = await fetch(`${url}/broken`, { headers: { 'x-request-id': 'mine-1' } });
  expect(response.status).toBe(500);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(response.headers.get('x-request-id')).toBe('mine-1');
  const problem = await response.text();
  expect(JSON.parse(problem)).toMatchObject({ code: 'LS_SERVER_INTERNAL', requestId: 'mine-1', status: 500 });
  expect(problem, 'nothing of the inside is told').not.toMatch(/secret|TypeError| at /);
  expect(String(failed[0])).toContain('secret');
  const made = await fetch(`${url}/broken`, { headers: { 'x-request-id': 'not an id\t' } });
  expect(made.headers.get('x-request-id')).toMatch(/^[\w-]{12}-\d+$/);
  await expect.poll(() => answered.length).toBe(2);
  expect(answered[0]).toMatchObject({ requestId: 'mine-1', method: 'GET', path: '/broken', route: '/broken', status: 500, key: undefined });
});

test('how long a request took is told, whatever became of it', async () => {
  let elapsedMs = 1_000;
  const taking: Api = {
    name: 'taking',
    description: 'Takes a second and a half.',
    add: (server) => {
      server.get('/taking', { config: { scope: 'read' } }, () => {
        elapsedMs += 1_500;
        return {};
      });
    },
  };
  const { url, answered } = await startServer([taking], { clock: { elapsedMs: () => elapsedMs } });
  for (const path of ['/taking', '/nothing', '/taking']) await (await fetch(url + path)).text();
  await expect.poll(() => answered.map(({ status, seconds }) => [status, seconds])).toEqual([[200, 1.5], [404, 0], [200, 1.5]]);
});

test('what is too long for a request, or none, is told as problems are', async () => {
  const { url } = await startServer([echo]);
  const answerTo = async (sent: string): Promise<string> => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
    let received = '';
    socket.on('data', (part: string) => (received += part));
    socket.write(sent);
    await untilClosed(socket);
    return received;
  };
  for (const [sent, status] of [[`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431], ['no request at all\r\n\r\n', 400]] as const) {
    const [head = '', body = ''] = (await answerTo(sent)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('content-type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ status, code: 'LS_SERVER_REQUEST', type: '/errors/LS_SERVER_REQUEST', requestId: expect.any(String) as string });
  }
});

test('what is not there, and what takes other methods', async () => {
  const { url } = await startServer([echo]);
  const nothing = await fetch(`${url}/nothing/here?key=secret`);
  expect([nothing.status, await nothing.json()]).toMatchObject([404, { code: 'LS_SERVER_NOT_FOUND', detail: 'there is nothing at /nothing/here' }]);
  const other = await fetch(`${url}/echo`);
  expect([other.status, other.headers.get('allow'), await other.json()]).toMatchObject([405, 'POST', { code: 'LS_SERVER_METHOD' }]);
  for (const [path, status] of [['/errors/%zz', 400], [`/errors/${'a'.repeat(4_000)}`, 404]] as const) {
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('content-type')], path).toEqual([status, expect.stringContaining('application/problem+json')]);
  }
  const deleted = await fetch(`${url}/errors/LS_SERVER_KEY`, { method: 'DELETE' });
  expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('keys are taken from the headers of every interface, with their scopes', async () => {
  const [one, other] = [createKey(), createKey()];
  const { url, answered } = await startServer([echo], { keys: [keyNamed('one', one.sha256, ['predict']), keyNamed('other', other.sha256, ['read'])] });
  const text = '{"text":"a"}';
  expect(await post(url, text)).toMatchObject([401, { code: 'LS_SERVER_KEY' }]);
  expect(await post(url, text, { 'x-api-key': `${one.key}x` })).toMatchObject([401, { code: 'LS_SERVER_KEY' }]);
  for (const headers of [{ authorization: `Bearer ${one.key}` }, { 'x-api-key': one.key }, { 'api-key': one.key }, { 'prediction-key': one.key }, { 'ocp-apim-subscription-key': one.key }]) {
    expect(await post(url, text, headers as Record<string, string>), Object.keys(headers)[0]).toMatchObject([200, { text: 'a' }]);
  }
  expect(await post(url, text, { 'x-api-key': other.key })).toMatchObject([403, { code: 'LS_SERVER_SCOPE', detail: 'the API key other has not the scope predict' }]);
  await expect.poll(() => answered.length).toBe(8);
  expect(answered.map(({ key }) => key), 'logged by name, whatever they may not').toEqual([undefined, undefined, 'one', 'one', 'one', 'one', 'one', 'other']);
  for (const path of ['/', '/health/live', '/health/ready', '/metrics', '/errors/LS_SERVER_KEY', '/docs/', '/docs/json']) expect((await fetch(url + path)).status, path).toBe(200);
});

test('a connection is asked for its key again and again', async () => {
  const [one, other] = [createKey(), createKey()];
  const chosen = 'schlüssel-à';
  const keys = [keyNamed('one', one.sha256, ['predict']), keyNamed('other', other.sha256, ['predict']), keyNamed('chosen', sha256OfKey(chosen), ['predict'])];
  const { url, answered } = await startServer([echo], { keys });
  const client = new Client(url);
  onTestFinished(() => client.close());
  const body = '{"text":"a"}';
  const sent = [one.key, one.key, `${one.key}x`, one.key.slice(0, -1), `${one.key.slice(0, -1)}é`, undefined, other.key, `${one.key}x`, one.key, chosen, 'schlussel-a'];
  const statuses: number[] = [];
  for (const key of sent) {
    const response = await client.request({ method: 'POST', path: '/echo', body, headers: { ...json, ...(key === undefined ? {} : { 'x-api-key': Buffer.from(key).toString('latin1') }) } });
    await response.body.dump();
    statuses.push(response.statusCode);
  }
  expect((await fetch(`${url}/echo`, { method: 'POST', headers: { ...json, 'x-api-key': chosen }, body })).status, 'as Latin-1').toBe(200);
  expect(statuses).toEqual([200, 200, 401, 401, 401, 401, 200, 401, 200, 200, 401]);
  await expect.poll(() => answered.map(({ key }) => key)).toEqual(['one', 'one', undefined, undefined, undefined, undefined, 'other', undefined, 'one', 'chosen', undefined, 'chosen']);
});

test('without keys this machine is answered, and no name that leads to it from elsewhere', async () => {
  const { url } = await startServer([echo]);
  const { port } = new URL(url);
  const statusOf = async (host: string): Promise<number> => {
    const sent = httpRequest({ port, path: '/broken', headers: { host } }).end();
    const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume: () => void }];
    response.resume();
    return response.statusCode;
  };
  for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]:80', 'LOCALHOST:1']) expect(await statusOf(host), host).toBe(500);
  const refused = await fetch(`${url}/broken`, { headers: { origin: 'https://attacker.example' } });
  expect([refused.status, await refused.json()]).toMatchObject([421, { code: 'LS_SERVER_HOST' }]);
  for (const host of ['attacker.example', `127.0.0.1.attacker.example:${port}`, 'localhost.attacker.example', '192.168.0.1']) expect(await statusOf(host), host).toBe(421);
});

test('away from loopback everything needs a key, also where there is none', async () => {
  const { url } = await startServer([echo], { host: '0.0.0.0' });
  const local = `http://127.0.0.1:${new URL(url).port}`;
  expect(await post(local, '{"text":"a"}')).toMatchObject([401, { code: 'LS_SERVER_KEY' }]);
  expect((await fetch(`${local}/health/live`)).status).toBe(200);
});

test('a key has so many requests in a minute, and others have theirs', async () => {
  const [few, many] = [createKey(), createKey()];
  const { url } = await startServer([echo], { keys: [keyNamed('few', few.sha256, ['predict'], 3), keyNamed('many', many.sha256, ['predict'])] });
  const statuses: number[] = [];
  for (let index = 0; index < 5; index++) statuses.push((await post(url, '{"text":"a"}', { 'x-api-key': few.key }))[0]);
  expect(statuses).toEqual([200, 200, 200, 429, 429]);
  const refused = await fetch(`${url}/echo`, { method: 'POST', headers: { ...json, 'x-api-key': few.key }, body: '{"text":"a"}' });
  expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'LS_SERVER_RATE' }]);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  for (let index = 0; index < 10; index++) expect((await post(url, '{"text":"a"}', { 'x-api-key': many.key }))[0]).toBe(200);
});

test('web pages of others get no answer that they can read, unless their origin is configured', async () => {
  const origin = 'https://app.example.com';
  const preflight = (url: string): Promise<Response> => fetch(`${url}/echo`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' } });
  const closed = await startServer([echo]);
  const refused = await preflight(closed.url);
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  const open = await startServer([echo], { corsOrigins: [origin] });
  const allowed = await preflight(open.url);
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
  for (const [from, status] of [['https://evil.example.com', 421], ['null', 421], [origin, 500], ['http://localhost:3000', 500]] as const) {
    expect((await fetch(`${open.url}/broken`, { headers: { origin: from } })).status, from).toBe(status);
  }
  const other = await fetch(`${open.url}/health/live`, { headers: { origin: 'https://other.example.com' } });
  expect(other.headers.get('access-control-allow-origin')).toBeNull();
});

test('answers say what browsers must not do with them', async () => {
  const { url } = await startServer([echo]);
  const { headers } = await fetch(`${url}/health/live`);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('strict-transport-security')).toBeNull();
  expect(headers.get('x-powered-by')).toBeNull();
});

test('the OpenAPI document is made from the schemas, and everything in it says who may ask', async () => {
  const { url } = await startServer([echo]);
  const document = (await (await fetch(`${url}/docs/json`)).json()) as { openapi: string; paths: Record<string, Record<string, { security?: unknown; requestBody?: { content: Record<string, { schema: unknown }> }; responses: Record<string, unknown> }>> };
  expect(document.openapi).toBe('3.1.0');
  const operation = document.paths['/echo']?.['post'];
  expect(operation?.requestBody?.content['application/json']?.schema).toMatchObject({ type: 'object', required: ['text'], additionalProperties: false, properties: { count: { default: 1 } } });
  expect(operation?.security).toEqual([{ key: [] }]);
  expect(Object.keys(operation?.responses ?? {})).toEqual(['200', '400', '401', '403', '408', '413', '415', '421', '429', '431', '500', '503', '504']);
  expect(operation?.responses['401']).toEqual({ description: 'Unauthorized, LS_SERVER_KEY', content: { 'application/problem+json': { schema: expect.objectContaining({ type: 'object' }) as object } } });
  expect(Object.keys(document.paths['/errors/{code}']?.['get']?.responses ?? {})).toEqual(['200', '400', '404', '408', '431', '500']);
  expect(document.paths['/health/live']?.['get']?.security).toBeUndefined();
  expect(Object.keys(document.paths).filter((path) => path.startsWith('/docs'))).toEqual([]);
});

test('the pages of the documents need nothing from elsewhere, and lead to no other files', async () => {
  const { url } = await startServer([echo]);
  const page = await fetch(`${url}/docs/`);
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'self'/);
  expect(await page.text()).not.toMatch(/https?:\/\/(?!127\.0\.0\.1)/);
  for (const path of ['/docs/static/../../package.json', '/docs/static/%2e%2e/%2e%2e/package.json', '/docs/static/..%2f..%2fpackage.json', '/docs/static//etc/passwd']) {
    const sent = httpRequest({ port: new URL(url).port, path }).end();
    const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume: () => void }];
    response.resume();
    expect(response.statusCode, path).toBeGreaterThanOrEqual(400);
  }
});

test('a route that does not say who may use it is not served', async () => {
  const careless: Api = { name: 'careless', description: '', add: (server) => void server.get('/careless', () => 'all of it') };
  await expect(startServer([careless])).rejects.toMatchObject({ message: expect.stringContaining('GET /careless does not say who may use it') as string });
});

test('a request that is told drop by drop is ended, others are answered', async () => {
  const { url } = await startServer([echo], { limits: { ...limits, requestMsMax: 1_500 } });
  const port = Number(new URL(url).port);
  const slow = Array.from({ length: 50 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n');
    const drops = setInterval(() => socket.write(' '), 200);
    onTestFinished(() => {
      clearInterval(drops);
      socket.destroy();
    });
    return untilClosed(socket.resume());
  });
  expect(await post(url, '{"text":"a"}')).toMatchObject([200, {}]);
  await Promise.all(slow);
  expect(await post(url, '{"text":"a"}')).toMatchObject([200, {}]);
});

test('more connections than there may be are refused, and there is room again when they go', async () => {
  const { url } = await startServer([echo], { limits: { ...limits, connectionsMax: 20 } });
  const port = Number(new URL(url).port);
  const sockets = Array.from({ length: 60 }, () => connect(port, '127.0.0.1'));
  const closed = sockets.map((socket) => untilClosed(socket.resume()));
  await Promise.race(closed);
  await expect.poll(() => sockets.filter(({ readyState }) => readyState === 'open').length).toBe(20);
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await post(url, '{"text":"a"}').catch(() => [0] as const))[0]).toBe(200);
});

const waiting = (started: () => void, signals: AbortSignal[], result: Promise<unknown>): Api => ({
  name: 'waiting',
  description: 'Answers later.',
  add: (server) => {
    server.post('/wait', { config: { scope: 'predict' } }, (request) => {
      signals.push(request.ending);
      started();
      return result;
    });
  },
});

test('an answer that takes too long is given up, and whoever makes it is told', async () => {
  const signals: AbortSignal[] = [];
  const { url } = await startServer([waiting(() => undefined, signals, new Promise(() => undefined))], { limits: { ...limits, answerMsMax: 200 } });
  const response = await fetch(`${url}/wait`, { method: 'POST', headers: json, body: '{}' });
  expect([response.status, await response.json()]).toMatchObject([504, { code: 'LS_SERVER_TIME' }]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test('who is asked learns that the client has left, and not before', async () => {
  const signals: AbortSignal[] = [];
  const started = Promise.withResolvers<undefined>();
  const { url, answered } = await startServer([waiting(() => started.resolve(undefined), signals, new Promise(() => undefined))]);
  const leaving = new AbortController();
  const response = fetch(`${url}/wait`, { method: 'POST', headers: json, body: '{}', signal: leaving.signal }).catch((error: unknown) => error);
  await started.promise;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(signals[0]?.aborted).toBe(false);
  leaving.abort();
  await response;
  await expect.poll(() => signals[0]?.aborted).toBe(true);
  await expect.poll(() => answered.map(({ status }) => status)).toEqual([499]);
});

test('a server that is drained answers what it has begun, refuses more, and stays alive for probes', async () => {
  const signals: AbortSignal[] = [];
  const started = Promise.withResolvers<undefined>();
  const result = Promise.withResolvers<unknown>();
  const { url, drain } = await startServer([echo, waiting(() => started.resolve(undefined), signals, result.promise)]);
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const begun = fetch(`${url}/wait`, { method: 'POST', headers: json, body: '{}' });
  await started.promise;
  let isDrained = false;
  const drained = drain(new AbortController().signal).then(() => (isDrained = true));
  expect(await post(url, '{"text":"a"}')).toMatchObject([503, { code: 'LS_SERVER_DRAINING' }]);
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  expect(isDrained).toBe(false);
  result.resolve({ done: true });
  expect(await (await begun).json()).toEqual({ done: true });
  await drained;
});

test('a drain ends with its signal', async () => {
  const started = Promise.withResolvers<undefined>();
  const { url, drain } = await startServer([waiting(() => started.resolve(undefined), [], new Promise(() => undefined))]);
  void fetch(`${url}/wait`, { method: 'POST', headers: json, body: '{}' }).catch(() => undefined);
  await started.promise;
  await drain(AbortSignal.timeout(50));
});

test('an address that is in use is told', async () => {
  const { url } = await startServer([echo]);
  await expect(startServer([echo], { port: Number(new URL(url).port) })).rejects.toMatchObject({ code: 'LS_SERVER_LISTEN' });
});

test('with a certificate it speaks https alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-tls-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const [certificateFile, privateKeyFile] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost', '-days', '2', '-keyout', privateKeyFile, '-out', certificateFile]);
  const tls = await readServerTls({ certificateFile, privateKeyFile });
  const { url } = await startServer([echo], { tls });
  expect(url).toMatch(/^https:/);
  const sent = httpsRequest(`${url}/health/live`, { ca: tls.certificate, servername: 'localhost', checkServerIdentity: () => undefined }).end();
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; headers: Record<string, string>; resume: () => void }];
  response.resume();
  expect([response.statusCode, response.headers['strict-transport-security']]).toEqual([200, expect.stringContaining('max-age')]);
  await expect(fetch(url.replace('https:', 'http:'))).rejects.toThrow();
  await expect(readServerTls({ certificateFile, privateKeyFile: certificateFile })).rejects.toMatchObject({ code: 'LS_SERVER_TLS' });
  await expect(readServerTls({ certificateFile: join(directory, 'none.pem'), privateKeyFile })).rejects.toMatchObject({ code: 'LS_SERVER_TLS' });
});
