// The client against a server that speaks the published API, and against everything that may stand in its place.
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { registryError } from '../../../src/core/errors/registry.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import { startFaultyRegistry, type Fault, type FaultyRegistry } from './faulty-registry.ts';
import { clientOf, hurry, never, ownSchemaText, rejectionCode } from './registry-fixture.ts';

vi.setConfig({ testTimeout: 20_000 });

let server: FaultyRegistry;
let id: number;
const textSchema = await ownSchemaText('TextEvent');
beforeEach(async () => {
  server = await startFaultyRegistry();
  id = server.register('text.events-value', textSchema);
});
afterEach(() => server.stop());

const json = { 'content-type': 'application/vnd.schemaregistry.v1+json' };

describe('an answer', () => {
  test('is the schema, asked for as the API says', async () => {
    const { json: schema, references } = await clientOf(server.url).registry.schemaOf(id, never);
    expect(schema).toEqual(JSON.parse(textSchema));
    expect(references.size).toBe(0);
    expect(server.requests).toMatchObject([{ method: 'GET', path: `/schemas/ids/${id}`, authorization: undefined }]);
  });

  test('is found under a path, and behind a slash at the end', async () => {
    const other = await startFaultyRegistry('/apis/ccompat/v7');
    const known = other.register('s', textSchema);
    expect((await clientOf(`${other.url}/`).registry.schemaOf(known, never)).json).toEqual(JSON.parse(textSchema));
    await other.stop();
  });

  test('that there is no such schema is final when it has been given three times', async () => {
    const { registry, alerts } = clientOf(server.url);
    expect(await rejectionCode(registry.schemaOf(77, never))).toBe('LS_REGISTRY_SCHEMA_UNKNOWN');
    expect(alerts).toEqual([]);
    expect(server.requests).toHaveLength(3);
  });

  test('that there is no such schema counts whatever its message is', async () => {
    server.fault = () => ({ status: 404, headers: json, body: '{"error_code":40403,"message":{"toString":null}}' });
    expect(await rejectionCode(clientOf(server.url).registry.schemaOf(id, never))).toBe('LS_REGISTRY_SCHEMA_UNKNOWN');
  });

  test('that there is no such schema is not asked for again by who is in a hurry', async () => {
    expect(await rejectionCode(clientOf(server.url, { patience: 'once' }).registry.schemaOf(77, never))).toBe('LS_REGISTRY_SCHEMA_UNKNOWN');
    expect(server.requests).toHaveLength(1);
  });

  test.each([['schema', 40_403], ['subject', 40_401], ['version', 40_402]])('of a replica that has not heard of the %s yet is asked for again', async (_, errorCode) => {
    server.register('inner', '{"type":"fixed","name":"x.Inner","size":1}');
    const known = server.register('outer', '"x.Inner"', [{ name: 'x.Inner', subject: 'inner', version: 1 }]);
    const asked = new Map<string, number>();
    server.fault = ({ path }) => {
      const times = (asked.get(path) ?? 0) + 1;
      asked.set(path, times);
      return times < 3 ? { status: 404, headers: json, body: JSON.stringify({ error_code: errorCode, message: 'not found' }) } : undefined;
    };
    const { registry, alerts } = clientOf(server.url);
    expect((await registry.schemaOf(known, never)).references.size).toBe(1);
    expect([...asked.values()]).toEqual([3, 3]);
    expect(alerts).toEqual([]);
  });

  test('is not waited for any more by who leaves before it is asked for again', async () => {
    const { registry } = clientOf(server.url, { clock: { ...systemClock, sleep: (durationMs, signal) => systemClock.sleep(durationMs === 250 ? 60_000 : durationMs, signal) } });
    const leaving = new AbortController();
    const asked = rejectionCode(registry.schemaOf(77, leaving.signal));
    await vi.waitUntil(() => server.requests.length === 1);
    await sleep(20);
    leaving.abort(new Error('left'));
    expect(await asked).toBe('Error: left');
    expect(server.requests).toHaveLength(1);
  });

  test('of references is followed, each once', async () => {
    const originVersion = { name: 'x.Origin', subject: 'origin', version: 1 };
    server.register('origin', '{"type":"record","name":"x.Origin","fields":[{"name":"inner","type":"x.Inner"}]}', [{ name: 'x.Inner', subject: 'inner/1', version: 1 }]);
    server.register('inner/1', '{"type":"record","name":"x.Inner","fields":[]}', [originVersion]);
    const whole = server.register('whole', '["x.Origin","x.Inner"]', [originVersion, { name: 'x.Inner', subject: 'inner/1', version: 1 }]);
    const { references } = await clientOf(server.url).registry.schemaOf(whole, never);
    expect([...references.keys()].sort()).toEqual(['x.Inner', 'x.Origin']);
    expect(server.requests.map(({ path }) => path)).toEqual([`/schemas/ids/${whole}`, '/subjects/origin/versions/1', '/subjects/inner%2F1/versions/1']);
  });
});

describe('what is of no use as a schema is refused for good', () => {
  const refused = async (known: number) => {
    const { registry, alerts } = clientOf(server.url);
    await expect(registry.schemaOf(known, never)).rejects.toMatchObject({ code: 'LS_REGISTRY_SCHEMA_UNREADABLE', retryable: false, details: { schemaId: known } });
    expect(alerts).toEqual([]);
  };

  test('a schema of another type', () => refused(server.register('s', '{"type":"object"}', [], 'JSON')));
  test('a text that is no JSON', () => refused(server.register('s', 'syntax = "proto3";')));
  test('an enormous one', () => refused(server.register('s', JSON.stringify({ type: 'record', name: 'x.R', doc: 'd'.repeat(2_000_000), fields: [] }))));
  test('one that refers to what is not there', () => refused(server.register('s', '"x.Gone"', [{ name: 'x.Gone', subject: 'gone', version: 1 }])));

  test('one that refers to very many', async () => {
    const references = Array.from({ length: 40 }, (_, index) => ({ name: `x.R${index}`, subject: `r${index}`, version: 1 }));
    for (const { name, subject } of references) server.register(subject, JSON.stringify({ type: 'fixed', name, size: 1 }));
    await refused(server.register('s', '"x.R0"', references));
  });

  test.each<[string, unknown]>([
    ['no text', {}],
    ['a number for a text', { schema: 5 }],
    ['references that are no list', { schema: '"int"', references: {} }],
    ['a reference without a version', { schema: '"int"', references: [{ name: 'x.R', subject: 's' }] }],
    ['a reference to half a surrogate pair', { schema: '"int"', references: [{ name: 'x.R', subject: '\ud800', version: 1 }] }],
    ['a reference that leads elsewhere', { schema: '"int"', references: [{ name: 'x.R', subject: '..', version: 1 }] }],
    ['a list for an object', []],
    ['null', null],
  ])('%s', async (_, body) => {
    server.fault = () => ({ status: 200, headers: json, body: JSON.stringify(body) });
    await refused(id);
  });
});

describe('everything else is waited for, and told', () => {
  const withFault = async (fault: Fault): Promise<{ readonly code: string; readonly message: string }> => {
    const { registry, alerts } = clientOf(server.url);
    let left = 3;
    server.fault = () => (left-- > 0 ? fault : undefined);
    await registry.schemaOf(id, never);
    expect(server.requests).toHaveLength(4);
    const [first, second, third, ...rest] = alerts;
    expect(rest).toEqual(['available']);
    expect([second, third]).toEqual([first, first]);
    if (first === undefined || first === 'available') throw new Error('no alert');
    expect(first.message).toContain(server.url);
    return first;
  };

  test.each<[string, Fault, string, string]>([
    ['a connection that breaks', 'reset', 'LS_REGISTRY_UNAVAILABLE', ''],
    ['half an answer', 'cut', 'LS_REGISTRY_UNAVAILABLE', 'aborted'],
    ['an error of the server', { status: 500, headers: json, body: '{"error_code":50001,"message":"Error in the backend data store"}' }, 'LS_REGISTRY_UNAVAILABLE', 'backend data store'],
    ['a page of a proxy', { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Gateway</h1>' }, 'LS_REGISTRY_UNAVAILABLE', 'status 502'],
    ['too many requests', { status: 429, body: '' }, 'LS_REGISTRY_UNAVAILABLE', 'status 429'],
    ['a page instead of the API', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }, 'LS_REGISTRY_ANSWER', '"text/html" instead of JSON'],
    ['JSON that is called text', { status: 200, headers: { 'content-type': 'text/plain' }, body: '{"schema":"\\"int\\""}' }, 'LS_REGISTRY_ANSWER', 'text/plain'],
    ['no Content-Type', { status: 200, body: '{"schema":"\\"int\\""}' }, 'LS_REGISTRY_ANSWER', ''],
    ['half a text that calls itself whole', { status: 200, headers: json, body: '{"schema": "' }, 'LS_REGISTRY_ANSWER', 'no JSON'],
    ['nesting without end', { status: 200, headers: json, body: '['.repeat(100_000) }, 'LS_REGISTRY_ANSWER', 'no JSON'],
    ['an enormous page', { status: 200, headers: { 'content-type': 'text/html' }, body: 'x'.repeat(2_000_000) }, 'LS_REGISTRY_ANSWER', ''],
    ['a page that is not found', { status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>Not Found</h1>' }, 'LS_REGISTRY_ANSWER', 'status 404'],
    ['a 404 with a code that is only the status', { status: 404, headers: json, body: '{"error_code":404,"message":"HTTP 404 Not Found"}' }, 'LS_REGISTRY_ANSWER', 'status 404'],
    ['a 404 of something else', { status: 404, headers: json, body: '{"message":"no such route"}' }, 'LS_REGISTRY_ANSWER', 'no such route'],
    ['a redirect', { status: 302, headers: { location: 'https://login.example/?ticket=secret' }, body: '' }, 'LS_REGISTRY_ANSWER', 'redirect to https://login.example, which is not followed'],
    ['an upgrade to something else', { status: 101, headers: { connection: 'upgrade', upgrade: 'websocket' }, body: '' }, 'LS_REGISTRY_UNAVAILABLE', ''],
    ['an answer without content', { status: 204, body: '' }, 'LS_REGISTRY_ANSWER', 'status 204'],
    ['a refusal', { status: 403, headers: json, body: '{"error_code":403,"message":"Forbidden"}' }, 'LS_REGISTRY_DENIED', 'Forbidden'],
  ])('%s', async (_, fault, code, said) => {
    const alert = await withFault(fault);
    expect(alert.code).toBe(code);
    expect(alert.message).toContain(said);
    expect(alert.message).not.toContain('ticket');
  });

  test('an address where nobody listens, until somebody does', async () => {
    const { registry, alerts } = clientOf(server.url);
    await server.stop();
    const asked = registry.schemaOf(id, never);
    await vi.waitUntil(() => alerts.length > 2);
    await server.start();
    expect((await asked).json).toEqual(JSON.parse(textSchema));
    expect(alerts.at(0)).toMatchObject({ code: 'LS_REGISTRY_UNAVAILABLE', message: expect.stringContaining('ECONNREFUSED') as string });
    expect(alerts.at(-1)).toBe('available');
  });

  test('an answer that never comes, within the time limit', async () => {
    const { registry, alerts } = clientOf(server.url, { requestTimeoutMs: 50 * hurry });
    server.fault = () => (server.requests.length < 3 ? 'hang' : undefined);
    await registry.schemaOf(id, never);
    expect(alerts[0]).toMatchObject({ code: 'LS_REGISTRY_UNAVAILABLE', message: expect.stringContaining('no answer within 5000 ms') as string });
  });

  test('an answer that comes drop by drop, within the time limit', async () => {
    const slow = createServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n');
      const drops = setInterval(() => socket.write(' '), 5);
      socket.on('close', () => clearInterval(drops)).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const { port } = slow.address() as { readonly port: number };
    const { registry } = clientOf(`http://127.0.0.1:${port}`, { requestTimeoutMs: 100 * hurry, patience: 'once' });
    await expect(registry.schemaOf(id, never)).rejects.toMatchObject({ code: 'LS_REGISTRY_UNAVAILABLE', message: expect.stringContaining('no answer within') as string });
    await new Promise((resolve) => slow.close(resolve));
  });

  test('something that speaks no HTTP', async () => {
    const other = createServer((socket) => socket.on('error', () => undefined).resume().end('SSH-2.0-OpenSSH\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { readonly port: number };
    expect(await rejectionCode(clientOf(`http://127.0.0.1:${port}`, { patience: 'once' }).registry.schemaOf(id, never))).toBe('LS_REGISTRY_UNAVAILABLE');
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('credentials', () => {
  const secrets = ['a-very-secret-password', 'QWxhZGRpbg=='];

  test('that are wrong are waited for until they are right, and told nowhere', async () => {
    let authorization = `Basic ${secrets[1] ?? ''}`;
    const { registry, alerts } = clientOf(server.url, { readCredentials: () => Promise.resolve({ authorization, secrets }) });
    server.fault = ({ authorization: sent }) => ({
      status: sent === 'Basic right' ? 500 : 401, headers: json, body: JSON.stringify({ error_code: 401, message: `user with ${secrets[0] ?? ''} (${sent ?? ''}) is unknown` }),
    });
    const asked = registry.schemaOf(id, never);
    await vi.waitUntil(() => alerts.length > 2);
    expect(alerts[0]).toMatchObject({ code: 'LS_REGISTRY_DENIED', message: expect.stringContaining('status 401: user with *** (Basic ***) is unknown') as string });
    for (const secret of secrets) expect(JSON.stringify(alerts)).not.toContain(secret);
    authorization = 'Basic right';
    // One with the wrong ones may still be on its way.
    await vi.waitUntil(() => server.requests.at(-1)?.authorization === authorization);
    server.fault = () => undefined;
    await asked;
    expect(server.requests.at(-1)?.authorization).toBe('Basic right');
  });

  test('that cannot be read are waited for, too', async () => {
    let failures = 2;
    const gone = registryError('LS_REGISTRY_CREDENTIALS_FILE', 'gone');
    const { registry, alerts } = clientOf(server.url, { readCredentials: () => (failures-- > 0 ? Promise.reject(gone) : Promise.resolve({ secrets: [] })) });
    await registry.schemaOf(id, never);
    expect(alerts).toEqual([{ code: gone.code, message: 'gone' }, { code: gone.code, message: 'gone' }, 'available']);
  });
});

describe('several addresses', () => {
  test('are asked in turn, the one that answered last first', async () => {
    const away = await startFaultyRegistry();
    const awayUrl = away.url;
    await away.stop();
    const { registry, alerts } = clientOf([awayUrl, server.url]);
    await registry.schemaOf(id, never);
    await registry.schemaOf(id, never);
    expect(alerts).toEqual([]);
    expect(server.requests).toHaveLength(2);
    await server.stop();
    await away.start();
    away.register('text.events-value', textSchema);
    await registry.schemaOf(id, never);
    expect(away.requests).toHaveLength(1);
    expect(alerts).toEqual([]);
    await away.stop();
  });

  test('are all asked before something is not there, and the one that has it is the answer', async () => {
    const [behind, away] = await Promise.all([startFaultyRegistry(), startFaultyRegistry()]);
    const awayUrl = away.url;
    await away.stop();
    const { registry, alerts } = clientOf([behind.url, awayUrl, server.url]);
    expect((await registry.schemaOf(id, never)).json).toEqual(JSON.parse(textSchema));
    expect([behind.requests.length, server.requests.length]).toEqual([1, 1]);
    expect(alerts).toEqual([]);
    await behind.stop();
  });

  test('of which one fails are waited for where the others do not have it: that one may', async () => {
    const away = await startFaultyRegistry();
    away.register('text.events-value', textSchema);
    const known = away.register('s', '"int"');
    await away.stop();
    const { registry, alerts } = clientOf([away.url, server.url]);
    const asked = Promise.all([registry.schemaOf(known, never), rejectionCode(registry.schemaOf(77, never))]);
    await vi.waitUntil(() => alerts.length > 4);
    await away.start();
    expect(await asked).toEqual([{ json: 'int', references: new Map() }, 'LS_REGISTRY_SCHEMA_UNKNOWN']);
    expect(alerts[0]).toMatchObject({ code: 'LS_REGISTRY_UNAVAILABLE', message: expect.stringContaining(away.url) as string });
    expect(alerts.at(-1)).toBe('available');
    await away.stop();
  });

  test('of which one fails are a failure for who is in a hurry, not a word that something is not there', async () => {
    const away = await startFaultyRegistry();
    await away.stop();
    const { registry } = clientOf([server.url, away.url], { patience: 'once' });
    expect(await rejectionCode(registry.schemaOf(77, never))).toBe('LS_REGISTRY_UNAVAILABLE');
  });

  test('that all fail are one failure, told by the first', async () => {
    const others = await Promise.all([startFaultyRegistry(), startFaultyRegistry()]);
    await server.stop();
    for (const other of others) other.fault = () => ({ status: 503, body: '' });
    const { registry, alerts } = clientOf([server.url, ...others.map(({ url }) => url)], { patience: 'once' });
    await expect(registry.schemaOf(id, never)).rejects.toMatchObject({ details: { url: server.url } });
    expect(alerts).toHaveLength(1);
    for (const other of others) {
      expect(other.requests).toHaveLength(1);
      await other.stop();
    }
  });
});

describe('who waits', () => {
  test('can leave at any time', async () => {
    const { registry, alerts } = clientOf(server.url);
    await server.stop();
    const leaving = new AbortController();
    const asked = registry.schemaOf(id, leaving.signal);
    await vi.waitUntil(() => alerts.length > 1);
    leaving.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    const before = alerts.length;
    await sleep(50);
    expect(alerts).toHaveLength(before);
  });

  test('is told when the client is closed', async () => {
    const { registry, closing } = clientOf(server.url);
    server.fault = () => 'hang';
    const asked = registry.schemaOf(id, never);
    await vi.waitUntil(() => server.requests.length === 1);
    closing.abort(new Error('closed'));
    await expect(asked).rejects.toThrow('closed');
  });

  test('without patience hears of the outage at once, and nobody is asked again before it is time', async () => {
    const { registry, alerts } = clientOf(server.url, { patience: 'once', random: () => 1 });
    server.fault = () => ({ status: 500, body: '' });
    const codes = await Promise.all([1, 2, 3].map(async () => rejectionCode(registry.schemaOf(id, never))));
    for (let count = 0; count < 20; count++) codes.push(await rejectionCode(registry.schemaOf(id, never)));
    expect(new Set(codes)).toEqual(new Set(['LS_REGISTRY_UNAVAILABLE']));
    expect(server.requests.length).toBeLessThan(23);
    expect(alerts.length).toBeLessThanOrEqual(server.requests.length);
    server.fault = () => undefined;
    await vi.waitUntil(async () => (await rejectionCode(registry.schemaOf(id, never))) === 'resolved');
  });
});

describe('the id of a schema', () => {
  test('is registered under its subject, and found there', async () => {
    const { registry } = clientOf(server.url);
    const subject = 'a subject/with%20signs';
    expect(await rejectionCode(registry.idOf(subject, '"int"', 'find', never))).toBe('LS_REGISTRY_NOT_REGISTERED');
    const registered = await registry.idOf(subject, '"int"', 'register', never);
    expect(await registry.idOf(subject, '"int"', 'find', never)).toBe(registered);
    expect(await rejectionCode(registry.idOf(subject, '"long"', 'find', never))).toBe('LS_REGISTRY_NOT_REGISTERED');
    expect(server.subjects().get(subject)).toEqual(['"int"']);
    expect(server.requests[3]).toMatchObject({ method: 'POST', path: '/subjects/a%20subject%2Fwith%2520signs/versions?normalize=true', body: { schema: '"int"' } });
  });

  test.each<[string, Fault, 'register' | 'find', string]>([
    ['is refused where it is not compatible', { status: 409, headers: json, body: '{"error_code":409,"message":"Schema being registered is incompatible"}' }, 'register', 'LS_REGISTRY_REGISTRATION'],
    ['is refused where it is invalid', { status: 422, headers: json, body: '{"error_code":42201,"message":"Invalid schema"}' }, 'find', 'LS_REGISTRY_REGISTRATION'],
    ['is none where the answer has none', { status: 200, headers: json, body: '{}' }, 'register', 'LS_REGISTRY_REGISTRATION'],
    ['is none where it does not fit the wire', { status: 200, headers: json, body: '{"id":4294967296}' }, 'find', 'LS_REGISTRY_REGISTRATION'],
  ])('%s', async (_, fault, mode, code) => {
    server.fault = () => fault;
    await expect(clientOf(server.url).registry.idOf('s', '"int"', mode, never)).rejects.toMatchObject({ code, details: { subject: 's' } });
  });
});
