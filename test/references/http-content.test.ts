// What hosts answer, by real servers: the bytes of the event come or the reason why not, soon, and no more than was said is taken.
import { gzipSync } from 'node:zlib';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { certificateNeeds, makeCertificates } from '../brokers/certificates.ts';
import { describeWith } from '../requirements.ts';
import { content, httpContent, never, referenceTo, refusal, startContentServer } from './content-server.ts';

describe('content', () => {
  test('comes as it is, by a request that tells nothing of us', async () => {
    const server = await startContentServer((_request, response) => response.end(content));
    const fetcher = httpContent([server.origin]);
    const bytes = await fetcher.fetchContent(referenceTo(`${server.origin}/a%20b.png?x=1&y=%2F#part`), never);
    expect(bytes).toEqual(content);
    expect(bytes.buffer.byteLength).toBe(content.length);
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'GET', url: '/a%20b.png?x=1&y=%2F' });
    expect({ ...request?.headers }).toEqual({ accept: '*/*', 'accept-encoding': 'identity', connection: 'keep-alive', host: new URL(server.origin).host, 'user-agent': 'labelstream' });
    expect(fetcher.sourceOf(`${server.origin}/b`)).toEqual({ kind: 'http', name: server.origin });
  });

  test('of many pieces, with and without its length told, over one connection', async () => {
    const large = Buffer.alloc(3_000_000, 'pattern');
    const ports = new Set<number | undefined>();
    const server = await startContentServer((request, response) => {
      ports.add(request.socket.remotePort);
      if (request.url === '/told') response.setHeader('content-length', large.length);
      response.write(large.subarray(0, 1_000_001));
      response.end(large.subarray(1_000_001));
    });
    const fetcher = httpContent([server.origin], { connectionsPerHostMax: 1 });
    for (const path of ['/told', '/chunked']) {
      expect(Buffer.compare(await fetcher.fetchContent(referenceTo(server.origin + path, { bytes: large }), never), large), path).toBe(0);
    }
    expect(ports.size).toBe(1);
  });

  test('does not go through a proxy of the environment', async () => {
    const server = await startContentServer((_request, response) => response.end(content));
    const before = { ...process.env };
    onTestFinished(() => void (process.env = before));
    Object.assign(process.env, { HTTP_PROXY: 'http://127.0.0.1:1', http_proxy: 'http://127.0.0.1:1', NODE_USE_ENV_PROXY: '1' });
    expect(await httpContent([server.origin]).fetchContent(referenceTo(server.origin), never)).toEqual(content);
  });

  test('is fetched after redirects, each to an origin on the list', async () => {
    const last = await startContentServer((_request, response) => response.end(content));
    const first = await startContentServer((request, response) => {
      const location = { '/1': '/2', '/2': `${last.origin}/there#x` }[request.url ?? ''] ?? '/1';
      response.writeHead(request.url === '/1' ? 302 : 308, { location }).end('moved');
    });
    expect(await httpContent([first.origin, last.origin]).fetchContent(referenceTo(`${first.origin}/1`), never)).toEqual(content);
    expect(await refusal(httpContent([first.origin, last.origin], { redirectsMax: 1 }).fetchContent(referenceTo(`${first.origin}/1`), never))).toMatchObject({ code: 'LS_REFERENCE_REDIRECT', retryable: false });
    expect(await refusal(httpContent([first.origin]).fetchContent(referenceTo(`${first.origin}/1`), never))).toMatchObject({ code: 'LS_REFERENCE_NOT_ALLOWED' });
    expect(last.requests).toHaveLength(1);
  });
});

describe('a status', () => {
  test.each([
    [400, 'LS_REFERENCE_REFUSED', false], [401, 'LS_REFERENCE_DENIED', false], [403, 'LS_REFERENCE_DENIED', false], [404, 'LS_REFERENCE_NOT_FOUND', false], [407, 'LS_REFERENCE_DENIED', false],
    [410, 'LS_REFERENCE_NOT_FOUND', false], [408, 'LS_REFERENCE_UNAVAILABLE', true], [425, 'LS_REFERENCE_UNAVAILABLE', true], [429, 'LS_REFERENCE_UNAVAILABLE', true], [451, 'LS_REFERENCE_DENIED', false],
    [500, 'LS_REFERENCE_UNAVAILABLE', true], [503, 'LS_REFERENCE_UNAVAILABLE', true], [201, 'LS_REFERENCE_REFUSED', false], [204, 'LS_REFERENCE_REFUSED', false], [206, 'LS_REFERENCE_REFUSED', false],
    [300, 'LS_REFERENCE_REFUSED', false], [302, 'LS_REFERENCE_REDIRECT', false], [304, 'LS_REFERENCE_REFUSED', false],
  ])('%i is %s', async (status, code, retryable) => {
    const server = await startContentServer((_request, response) => response.writeHead(status).end(status === 204 || status === 304 ? undefined : content));
    const error = await refusal(httpContent([server.origin]).fetchContent(referenceTo(`${server.origin}/a?sig=secret`), never));
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(`${server.origin}/a?...`);
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret');
  });

  test.each([
    ['7', 7_000], ['Wed, 21 Oct 2065 07:28:00 GMT', Date.parse('Wed, 21 Oct 2065 07:28:00 GMT') - Date.now()], ['Wed, 21 Oct 2015 07:28:00 GMT', undefined], ['soon', undefined], ['-3', undefined],
  ])('with Retry-After %s says when to come again', async (value, expectedMs) => {
    const server = await startContentServer((_request, response) => response.writeHead(429, { 'retry-after': value }).end());
    const { details } = await refusal(httpContent([server.origin]).fetchContent(referenceTo(server.origin), never));
    const waitMs = details['retryAfterMs'] as number | undefined;
    if (expectedMs === undefined) expect(waitMs).toBeUndefined();
    else expect(Math.abs((waitMs ?? 0) - expectedMs)).toBeLessThan(60_000);
  });

  test.each(['http://', 'https://[', 'file:///etc/passwd', 'ftp://127.0.0.1/', 'gopher://127.0.0.1/', 'data:,x', 'https://u:p@127.0.0.1/', 'http://169.254.169.254/'])('with a redirect to %s leads nowhere', async (location) => {
    const server = await startContentServer((_request, response) => response.writeHead(302, { location }).end());
    const { code } = await refusal(httpContent([server.origin]).fetchContent(referenceTo(server.origin), never));
    expect(['LS_REFERENCE_REDIRECT', 'LS_REFERENCE_NOT_ALLOWED', 'LS_REFERENCE_URI']).toContain(code);
  });
});

describe('another content', () => {
  test.each<[string, Buffer, Readonly<Record<string, string>>, string]>([
    ['longer, and says so', Buffer.concat([content, content]), { 'content-length': String(2 * content.length) }, 'LS_REFERENCE_MISMATCH'],
    ['longer, and does not say so', Buffer.concat([content, Buffer.from('x')]), {}, 'LS_REFERENCE_MISMATCH'],
    ['shorter, and says so', content.subarray(1), { 'content-length': String(content.length - 1) }, 'LS_REFERENCE_MISMATCH'],
    ['shorter, and does not say so', content.subarray(1), {}, 'LS_REFERENCE_MISMATCH'],
    ['empty', Buffer.alloc(0), {}, 'LS_REFERENCE_MISMATCH'],
    ['of the same size', Buffer.from(content).fill('y', 3, 4), {}, 'LS_REFERENCE_MISMATCH'],
    ['packed', gzipSync(content), { 'content-encoding': 'gzip' }, 'LS_REFERENCE_ENCODED'],
    ['said to be packed twice', content, { 'content-encoding': 'identity, br' }, 'LS_REFERENCE_ENCODED'],
  ])('that is %s is refused', async (_what, bytes, headers, code) => {
    const server = await startContentServer((_request, response) => response.writeHead(200, { ...headers, ...(headers['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : {}) }).end(bytes));
    expect(await refusal(httpContent([server.origin]).fetchContent(referenceTo(server.origin), never))).toMatchObject({ code, retryable: false });
  });

  test('without end is left at its first byte too many', async () => {
    let sent = 0;
    const closed = Promise.withResolvers<undefined>();
    const server = await startContentServer((_request, response) => {
      const piece = Buffer.alloc(65_536);
      const send = (): void => {
        sent += piece.length;
        if (!response.destroyed) response.write(piece, () => setImmediate(send));
      };
      response.on('close', () => closed.resolve(undefined));
      send();
    });
    expect(await refusal(httpContent([server.origin]).fetchContent(referenceTo(server.origin), never))).toMatchObject({ code: 'LS_REFERENCE_MISMATCH' });
    await closed.promise;
    expect(sent, 'what sockets hold on both sides at most').toBeLessThan(20_000_000);
  });
});

/** Writes raw bytes, as no proper server would. */
async function rawServer(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const head = (...headers: string[]): string => ['HTTP/1.1 200 OK', ...headers, '', ''].join('\r\n');

describe('a host that fails', () => {
  test.each<[string, string, (socket: Socket) => void]>([
    ['breaks off before its answer', 'LS_REFERENCE_UNREACHABLE', (socket) => socket.destroy()],
    ['resets in the middle', 'LS_REFERENCE_UNAVAILABLE', (socket) => socket.write(`${head(`content-length: ${content.length}`)}abc`, () => setTimeout(() => socket.resetAndDestroy(), 50))],
    ['ends before the length that it told', 'LS_REFERENCE_UNAVAILABLE', (socket) => socket.end(`${head(`content-length: ${content.length}`)}abc`)],
    ['ends within a chunk', 'LS_REFERENCE_UNAVAILABLE', (socket) => socket.end(`${head('transfer-encoding: chunked')}ff\r\nabc`)],
    ['speaks no HTTP', 'LS_REFERENCE_UNREACHABLE', (socket) => socket.end('SSH-2.0-OpenSSH\r\n')],
    ['tells two lengths', 'LS_REFERENCE_UNREACHABLE', (socket) => socket.end(`${head(`content-length: ${content.length}`, 'content-length: 3')}abc`)],
    ['sends headers without end', 'LS_REFERENCE_UNREACHABLE', (socket) => socket.write(head(`x: ${'y'.repeat(100_000)}`))],
  ])('and %s: %s', async (_what, code, answer) => {
    const origin = await rawServer(answer);
    expect(await refusal(httpContent([origin]).fetchContent(referenceTo(origin), never))).toMatchObject({ code, retryable: true });
  });

  test('and sends more than the length that it told gives what it told', async () => {
    const origin = await rawServer((socket) => socket.end(`${head(`content-length: ${content.length}`)}${content.toString()}HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx`));
    expect(await httpContent([origin]).fetchContent(referenceTo(origin), never)).toEqual(content);
  });

  test('and is not there, or is of no name', async () => {
    const server = await startContentServer(() => undefined);
    await server.close();
    expect(await refusal(httpContent([server.origin]).fetchContent(referenceTo(server.origin), never))).toMatchObject({ code: 'LS_REFERENCE_UNREACHABLE', retryable: true, details: { reason: 'ECONNREFUSED' } });
    const nowhere = 'http://nowhere.invalid';
    expect(await refusal(httpContent([nowhere]).fetchContent(referenceTo(nowhere), never))).toMatchObject({ code: 'LS_REFERENCE_UNREACHABLE' });
  });

  test.each<[string, string, (socket: Socket) => void]>([
    ['says nothing', 'nothing came for 200 ms', () => undefined],
    ['stops in the middle', 'nothing came for 200 ms', (socket) => socket.write(`${head(`content-length: ${content.length}`)}abc`)],
    ['sends a byte now and then', 'it took more than 900 ms', (socket) => {
      socket.write(head(`content-length: ${content.length}`));
      const timer = setInterval(() => socket.write('x'), 100);
      socket.on('close', () => clearInterval(timer));
    }],
  ])('and %s is given up', async (_what, said, answer) => {
    const origin = await rawServer(answer);
    const error = await refusal(httpContent([origin], { idleMsMax: said.includes('200') ? 200 : 15_000, totalMsMax: said.includes('900') ? 900 : 30_000 }).fetchContent(referenceTo(origin), never));
    expect(error.retryable).toBe(true);
    expect(error.message).toContain(said);
  });

  test('is left at once when nobody wants the content any more', async () => {
    const asked = Promise.withResolvers<undefined>();
    const closed = Promise.withResolvers<undefined>();
    const origin = await rawServer((socket) => {
      socket.on('close', () => closed.resolve(undefined));
      socket.write(head(`content-length: ${content.length}`));
      asked.resolve(undefined);
    });
    const controller = new AbortController();
    const fetching = httpContent([origin]).fetchContent(referenceTo(origin), controller.signal);
    await asked.promise;
    controller.abort(new Error('lost'));
    await expect(fetching).rejects.toThrow('lost');
    await closed.promise;
  });
});

describeWith(certificateNeeds(), 'over TLS', () => {
  test('a host is asked whose certificate is of a known authority and for its name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'labelstream-references-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const { authority, server: certificate, strangeAuthority } = await makeCertificates(folder);
    const server = await startContentServer((_request, response) => response.end(content), certificate);
    const named = `https://localhost:${server.port}`;
    const misnamed = `https://other.example.com:${server.port}`;
    const resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    const trusting = httpContent([server.origin, named, misnamed], { ca: authority.certificate, resolve });
    for (const origin of [server.origin, named]) expect(await trusting.fetchContent(referenceTo(origin), never), origin).toEqual(content);
    const asked = server.requests.length;
    expect(await refusal(trusting.fetchContent(referenceTo(misnamed), never))).toMatchObject({ code: 'LS_REFERENCE_UNREACHABLE', details: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    for (const ca of [strangeAuthority.certificate, undefined]) {
      expect(await refusal(httpContent([named], { ca, resolve }).fetchContent(referenceTo(named), never))).toMatchObject({ code: 'LS_REFERENCE_UNREACHABLE', retryable: true });
    }
    expect(server.requests).toHaveLength(asked);
  });
});
