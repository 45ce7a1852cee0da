// How requests end: what whoever asked is told, and what is noted of it.
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as passed } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { serverError } from '../../src/core/errors/server.ts';
import type { Api, RequestSummary } from '../../src/server/http-port.ts';
import { untilClosed } from '../sockets.ts';
import { echo, json, post } from './http-echo.ts';
import { limits, startServer, type StartedServer } from './http-fixture.ts';

const signal = new AbortController().signal;

type Talk = { readonly socket: Socket; readonly heard: () => string; readonly closed: Promise<void> };

function talk({ url }: Pick<StartedServer, 'url'>, sent: string): Talk {
  let heard = '';
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
  socket.on('data', (part: string) => (heard += part));
  const closed = untilClosed(socket);
  socket.write(sent);
  return { socket, heard: () => heard, closed };
}

/** Answers that go on until they are let go. */
function going(release: Promise<unknown>): Api {
  async function* parts(): AsyncGenerator<string> {
    yield 'begun\n';
    await release;
    yield 'ended\n';
  }
  return {
    name: 'going',
    description: 'Goes on.',
    add: (server) => {
      server.get('/going', { config: { scope: 'read', isEndless: true } }, (_request, reply) => reply.type('text/plain').send(Readable.from(parts())));
      server.get('/half', { config: { scope: 'read' } }, (_request, reply) => reply.type('text/plain').send(Readable.from(parts())));
      server.get('/failing', { config: { scope: 'read', isEndless: true } }, (request, reply) => {
        const lines = Readable.from(parts());
        lines.once('error', (error) => request.tellFailure(error));
        return reply.type('text/plain').send(lines);
      });
      server.get('/later', { config: { scope: 'read' } }, async () => {
        await release;
        return { later: true };
      });
    },
  };
}

const requestOf = (method: string, path: string, id: string, headers: readonly string[] = [], body = ''): string => [`${method} ${path} HTTP/1.1`, 'host: localhost', `x-request-id: ${id}`, ...headers, '', body].join('\r\n');
const echoed = (id: string, body = '{"text":"a"}', headers: readonly string[] = []): string => requestOf('POST', '/echo', id, ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, ...headers], body);
const notes = ({ answered }: Pick<StartedServer, 'answered'>): readonly unknown[] => answered.map(({ requestId, status, remoteAddress }: RequestSummary) => [requestId, status, remoteAddress]);
const here = '127.0.0.1';

test('who left is noted as such, with the address', async () => {
  const server = await startServer([going(new Promise(() => undefined))]);
  const { socket, heard } = talk(server, requestOf('GET', '/going', 'leaves'));
  await expect.poll(heard).toContain('begun');
  socket.destroy();
  await expect.poll(() => notes(server)).toEqual([['leaves', 499, here]]);
  expect(server.failed).toEqual([]);
});

test('what the server ended itself is no client that left', async () => {
  const release = Promise.withResolvers<undefined>();
  const server = await startServer([going(release.promise), echo], { limits: { ...limits, answerMsMax: 300, requestMsMax: 1_500 } });
  const half = talk(server, requestOf('GET', '/half', 'half'));
  await half.closed;
  expect(half.heard()).not.toContain('ended');
  await expect.poll(() => notes(server)).toEqual([['half', 504, here]]);
  expect(server.failed).toMatchObject([{ code: 'LS_SERVER_TIME' }]);
  const slow = talk(server, requestOf('POST', '/echo', 'slow', ['content-type: application/json', 'content-length: 100'], '{'));
  await slow.closed;
  expect(slow.heard()).toMatch(/^HTTP\/1.1 408 [^]*"requestId":"slow"/);
  const failing = talk(server, requestOf('GET', '/failing', 'failing'));
  await expect.poll(failing.heard).toContain('begun');
  release.reject(serverError('LS_SERVER_NOT_READY', 'not any more'));
  await failing.closed;
  await expect.poll(() => notes(server).slice(1)).toEqual([['slow', 408, here], ['failing', 503, here]]);
});

test('a server that stops says that it did, where it does not wait for an answer', async () => {
  const server = await startServer([going(new Promise(() => undefined))]);
  const { heard, closed } = talk(server, requestOf('GET', '/going', 'cut'));
  await expect.poll(heard).toContain('begun');
  await server.close();
  await closed;
  await expect.poll(() => notes(server)).toEqual([['cut', 503, here]]);
});

test('a request that was refused before its body was here is not answered again', async () => {
  const server = await startServer([echo], { limits: { ...limits, requestMsMax: 1_500 } });
  const slow = talk(server, requestOf('POST', '/nothing', 'slow', ['content-length: 50'], 'a'));
  const broken = talk(server, requestOf('POST', '/nothing', 'broken', ['transfer-encoding: chunked']));
  await expect.poll(broken.heard).toContain('LS_SERVER_NOT_FOUND');
  broken.socket.write('zz\r\n');
  await Promise.all([slow.closed, broken.closed]);
  for (const { heard } of [slow, broken]) expect(heard().match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 404']);
  expect(notes(server)).toEqual([['slow', 404, here], ['broken', 404, here]]);
});

test('an answer that waits for those before it on its connection is given up by none', async () => {
  const release = Promise.withResolvers<undefined>();
  const server = await startServer([going(release.promise)], { limits: { ...limits, answerMsMax: 200 } });
  const { heard, closed } = talk(server, `${requestOf('GET', '/going', 'stream')}${requestOf('GET', '/errors/LS_SERVER_TIME', 'behind', ['connection: close'])}`);
  await expect.poll(heard).toContain('begun');
  await passed(700);
  release.resolve(undefined);
  await closed;
  expect(heard().match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  await expect.poll(() => notes(server)).toEqual([['stream', 200, here], ['behind', 200, here]]);
  expect(server.failed).toEqual([]);
});

test('what is no request changes nothing for those before it', async () => {
  const release = Promise.withResolvers<undefined>();
  const server = await startServer([going(release.promise), echo]);
  const stream = talk(server, requestOf('GET', '/going', 'stream'));
  await expect.poll(stream.heard).toContain('begun');
  stream.socket.write('GARBAGE\r\n\r\n');
  const good = talk(server, `${echoed('good')}GARBAGE\r\n\r\n`);
  await good.closed;
  expect(good.heard()).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\{"text":"a","count":1\}$/);
  const two = talk(server, `${echoed('one')}${echoed('two', '{"text":"b"}')}GARBAGE\r\n\r\n`);
  await two.closed;
  expect(two.heard().match(/HTTP\/1.1 \d+|"text":"\w"/g)).toEqual(['HTTP/1.1 200', '"text":"a"', 'HTTP/1.1 200', '"text":"b"']);
  const last = talk(server, `${echoed('last', undefined, ['connection: close'])}${echoed('behind')}`);
  await last.closed;
  expect(last.heard().match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  expect(stream.heard(), 'nothing is written into an answer that goes on').not.toContain('HTTP/1.1 400');
  release.resolve(undefined);
  await stream.closed;
  expect(stream.heard()).toContain('ended');
  await expect.poll(() => notes(server)).toEqual([...['good', 'one', 'two', 'last'].map((id) => [id, 200, here]), ['stream', 200, here]]);
});

test('what is no request at all is noted under the id that is answered', async () => {
  const server = await startServer([echo]);
  const answerTo = async (sent: string): Promise<{ readonly head: string; readonly problem: { readonly status: number; readonly requestId: string } }> => {
    const { heard, closed } = talk(server, sent);
    await closed;
    const [head = '', body = ''] = heard().split('\r\n\r\n');
    return { head, problem: JSON.parse(body) as { status: number; requestId: string } };
  };
  const none = await answerTo('no request at all\r\n\r\n');
  const long = await answerTo(requestOf('GET', `/${'a'.repeat(20_000)}`, 'long'));
  const broken = await answerTo(requestOf('POST', '/echo', 'broken', ['content-type: application/json', 'transfer-encoding: chunked'], 'zz\r\n'));
  const escape = await answerTo(requestOf('GET', '/errors/%zz', 'escape', ['connection: close']));
  expect([none, long, broken, escape].map(({ problem }) => problem.status)).toEqual([400, 431, 400, 400]);
  for (const { head, problem } of [none, long, broken, escape]) expect(head).toContain(`x-request-id: ${problem.requestId}`);
  expect(escape.head).toContain('x-content-type-options: nosniff');
  expect([broken, escape].map(({ problem }) => problem.requestId)).toEqual(['broken', 'escape']);
  await expect.poll(() => notes(server)).toEqual([none, long, broken, escape].map(({ problem }) => [problem.requestId, problem.status, here]));
  expect(server.answered.map(({ method, path }) => [method, path])).toEqual([['-', '-'], ['-', '-'], ['POST', '/echo'], ['GET', '/errors/%zz']]);
});

test('the time of an answer begins when its request is here', async () => {
  const server = await startServer([going(passed(50, undefined, { signal })), echo], { limits: { ...limits, answerMsMax: 400 } });
  const { socket, heard, closed } = talk(server, requestOf('POST', '/echo', 'slow', ['content-type: application/json', 'content-length: 12', 'connection: close'], '{"text"'));
  await passed(1_000);
  socket.write(':"a"}');
  await closed;
  expect(heard()).toMatch(/^HTTP\/1.1 200 /);
  expect((await fetch(`${server.url}/later`)).status).toBe(200);
});

test('a coding that is none is refused, whatever it is called', async () => {
  const { url, failed } = await startServer([echo]);
  for (const coding of ['br', 'constructor', '__proto__', 'toString', 'gzip, gzip']) {
    expect(await post(url, '{"text":"a"}', { 'content-encoding': coding }), coding).toMatchObject([415, { code: 'LS_SERVER_MEDIA_TYPE' }]);
  }
  expect(failed).toEqual([]);
});

test('what is not there is told in one form, below the documents, too', async () => {
  const { url } = await startServer([echo]);
  const response = await fetch(`${url}/docs/static/nope.js`);
  expect([response.status, response.headers.get('content-type'), await response.json()]).toMatchObject([404, 'application/problem+json', { code: 'LS_SERVER_NOT_FOUND' }]);
});

test('a page of a configured origin may use every method, and read what clients need', async () => {
  const origin = 'https://app.example.com';
  const { url } = await startServer([echo], { corsOrigins: [origin] });
  const preflight = await fetch(`${url}/echo`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } });
  expect(preflight.headers.get('access-control-allow-methods')?.split(/, */)).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);
  const answer = await fetch(`${url}/echo`, { method: 'POST', headers: { ...json, origin }, body: '{"text":"a"}' });
  expect(answer.headers.get('access-control-expose-headers')).toContain('x-held-at');
});

test('without keys, what pages of others only show is refused, too', async () => {
  const { url } = await startServer([echo]);
  const statusFrom = async (site: string): Promise<number> => (await fetch(`${url}/echo`, { method: 'POST', headers: { ...json, 'sec-fetch-site': site }, body: '{"text":"a"}' })).status;
  expect([await statusFrom('cross-site'), await statusFrom('same-origin'), await statusFrom('none')]).toEqual([421, 200, 200]);
});
