// What bodies may be, whatever asks for them: on real sockets.
import { deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Api } from '../../src/server/http-port.ts';
import { echo, post } from './http-echo.ts';
import { limits, startServer } from './http-fixture.ts';

test('an operation that takes no body does not mind what an empty one is said to be', async () => {
  const bodiless: Api = {
    name: 'bodiless',
    description: 'Takes nothing.',
    add: (server) => void server.post('/go', { config: { scope: 'admin' } }, () => ({ gone: true })),
  };
  const { url } = await startServer([echo, bodiless]);
  for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
    const response = await fetch(`${url}/go`, { method: 'POST', headers: { 'content-type': type } });
    expect([response.status, await response.json()], type).toEqual([200, { gone: true }]);
  }
  expect(await post(url, ''), 'where one is needed').toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
});

test('bodies of other types, in other encodings, or too large', async () => {
  const { url } = await startServer([echo]);
  const text = JSON.stringify({ text: 'a'.repeat(1_000) });
  expect(await post(url, text, { 'content-type': 'text/plain' })).toMatchObject([415, { code: 'LS_SERVER_MEDIA_TYPE' }]);
  expect(await post(url, JSON.stringify({ text: 'a'.repeat(70_000) }))).toMatchObject([413, { code: 'LS_SERVER_BODY_TOO_LARGE', detail: 'the body has more than 65536 bytes (server.bodyBytesMax)' }]);
  expect(await post(url, text, { 'content-encoding': 'br' })).toMatchObject([415, { code: 'LS_SERVER_MEDIA_TYPE' }]);
  for (const [encoding, bytes] of [['gzip', gzipSync(text)], ['deflate', deflateSync(text)]] as const) {
    expect(await post(url, new Uint8Array(bytes), { 'content-encoding': encoding }), encoding).toMatchObject([200, { count: 1 }]);
  }
  expect(await post(url, new Uint8Array(Buffer.from(text)), { 'content-encoding': 'gzip' }), 'no gzip at all').toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  expect(await post(url, new Uint8Array(gzipSync(text).subarray(0, 20)), { 'content-encoding': 'gzip' }), 'a part').toMatchObject([400, { code: 'LS_SERVER_REQUEST' }]);
  expect(await post(url, JSON.stringify({ text: 'a'.repeat(limits.bodyBytesMax) }))).toMatchObject([413, { code: 'LS_SERVER_BODY_TOO_LARGE' }]);
});

test('text that is no UTF-8 is refused, not turned into another', async () => {
  const { url } = await startServer([echo]);
  expect(await post(url, new Uint8Array(Buffer.from('{"text":"caf\u00e9 \ufffd"}')))).toEqual([200, { text: 'caf\u00e9 \ufffd', count: 1 }]);
  const detail = 'the body has bytes that are no text in UTF-8';
  for (const encoding of ['latin1', 'utf16le'] as const) {
    const bytes = new Uint8Array(Buffer.from('{"text":"caf\u00e9"}', encoding));
    expect(await post(url, bytes, { 'content-type': `application/json; charset=${encoding}` }), encoding).toMatchObject([400, { code: 'LS_SERVER_REQUEST', detail }]);
    expect((await post(url, new Uint8Array(gzipSync(bytes)), { 'content-encoding': 'gzip' }))[1], encoding).toMatchObject({ detail });
  }
});

test('compressed bodies that nobody reads, or that end early, are no harm', async () => {
  const { url } = await startServer([echo]);
  const headers = { 'content-encoding': 'gzip' };
  const part = new Uint8Array(gzipSync('{"text":"hello"}').subarray(0, 20));
  expect((await fetch(url, { headers })).status, 'without a body').toBe(200);
  expect((await fetch(`${url}/nothing`, { headers })).status).toBe(404);
  expect((await fetch(`${url}/nothing`, { method: 'POST', headers, body: part })).status, 'whose body is not read').toBe(404);
  const detail = 'the body is not compressed as content-encoding says: unexpected end of file';
  for (const body of ['', part]) expect(await post(url, body, headers)).toMatchObject([400, { code: 'LS_SERVER_REQUEST', detail }]);
});

test('a gzip bomb is decompressed no further than a body may be', async () => {
  const { url } = await startServer([echo]);
  const bomb = gzipSync(Buffer.alloc(400 * 1024 * 1024, ' '));
  expect(bomb.length).toBeGreaterThan(limits.bodyBytesMax);
  const { url: roomy } = await startServer([echo], { limits: { ...limits, bodyBytesMax: 1024 * 1024 } });
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(roomy, new Uint8Array(bomb), { 'content-encoding': 'gzip' }).catch((error: unknown) => error)));
  for (const each of answers) expect(each).toMatchObject([413, { code: 'LS_SERVER_BODY_TOO_LARGE' }]);
  expect(process.memoryUsage().rss - before, 'of 3.2 GB, nothing stays').toBeLessThan(200 * 1024 * 1024);
  expect(await post(url, '{"text":"a"}')).toMatchObject([200, {}]);
});
