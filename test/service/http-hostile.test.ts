// What a server on a network has to bear, done to the real program: it lives on, answers others, says the right thing, and its memory does not grow.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { withRun } from '../cli/fixtures.ts';
import { testWith } from '../requirements.ts';
import { withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const mebibyte = 2 ** 20;
const settings = `
dataDirectory: .
server: { port: 0, requestMsMax: 3000 }
models: { notes: { directory: MODELS/banknote-classifier }, drawings: { directory: MODELS/drawing-classifier } }
`;
const record = JSON.stringify({ variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 });
const json = { 'content-type': 'application/json' };
const classify = '/customvision/v3.1/prediction/12345678-1234-1234-1234-123456789012/classify/iterations/drawings/image';

type Target = { readonly url: string };

async function withServer(use: (target: Target) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    await withRun(await writeConfiguration(directory, settings), async (run) => {
      await use({ url: /"url":"([^"]+)"/.exec(run.stderrSoFar())?.[1] ?? '' });
    });
  });
}

type Memory = { readonly residentBytes: number; readonly liveBytes: number };

/** `liveBytes`: of objects, and of what they hold outside of the heap. */
async function memoryOf({ url }: Target): Promise<Memory> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const figure = (name: string): number => Number(new RegExp(`^labelstream_${name} (\\S+)`, 'm').exec(text)![1]);
  return { residentBytes: figure('process_resident_memory_bytes'), liveBytes: figure('nodejs_heap_size_used_bytes') + figure('nodejs_external_memory_bytes') };
}

const predicts = async ({ url }: Target): Promise<number> => (await fetch(`${url}/predict`, { method: 'POST', headers: json, body: record })).status;

/** What the server says to bytes that are written as they are; empty where it says nothing before the connection ends. */
function raw({ url }: Target, chunks: Iterable<string | Buffer>): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    const closed = new Promise((done) => socket.once('close', done));
    void closed.then(() => resolve(answer));
    const write = async (): Promise<void> => {
      for (const chunk of chunks) if (!socket.write(chunk) && !socket.destroyed) await Promise.race([new Promise((done) => socket.once('drain', done)), closed]);
    };
    void write();
  });
}

function* repeated(head: string, chunk: Buffer, count: number): Generator<string | Buffer> {
  yield head;
  for (let index = 0; index < count; index++) yield chunk;
}

const headOf = (path: string, headers: readonly string[]): string => [`POST ${path} HTTP/1.1`, 'host: 127.0.0.1', 'connection: close', ...headers, '', ''].join('\r\n');

const attacks: Readonly<Record<string, (target: Target) => Promise<void>>> = {
  'a body of 100 MB that says so': async (target) => {
    const head = headOf('/predict', ['content-type: application/json', `content-length: ${100 * mebibyte}`]);
    // It is answered by what it says. Who goes on sending may not get to read that before the connection is ended.
    expect(await raw(target, [head])).toMatch(/^HTTP\/1.1 413 /);
    expect(await raw(target, repeated(head, Buffer.alloc(mebibyte, ' '), 100))).toMatch(/^$|^HTTP\/1.1 413 /);
  },
  'a body of 100 MB that does not say so': async (target) => {
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(mebibyte, ' '), Buffer.from('\r\n')]);
    // The connection may be ended before all was sent, which takes the answer with it.
    expect(await raw(target, repeated(headOf('/predict', ['content-type: application/json', 'transfer-encoding: chunked']), chunk, 100))).toMatch(/^$|^HTTP\/1.1 413 /);
  },
  'gzip of 1 GB of nothing': async ({ url }) => {
    const { status } = await fetch(`${url}/predict`, { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: bomb });
    expect(status).toBe(413);
  },
  'gzip of which nothing, or a part, is there, whoever asks for what': async ({ url }) => {
    const headers = { 'content-encoding': 'gzip' };
    expect((await fetch(url, { headers })).status).toBe(200);
    expect((await fetch(`${url}/nothing`, { headers })).status).toBe(404);
    expect((await fetch(`${url}/predict`, { method: 'POST', headers: { ...json, ...headers } })).status).toBe(400);
    const part = new Uint8Array(gzipSync(record).subarray(0, 20));
    for (const path of ['/predict', '/nothing']) expect((await fetch(url + path, { method: 'POST', headers: { ...json, ...headers }, body: part })).status).toBeOneOf([400, 404]);
  },
  'what is no gzip': async ({ url }) => {
    expect((await fetch(`${url}/predict`, { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: record })).status).toBe(400);
  },
  'malformed base64': async ({ url }) => {
    const ask = (image: unknown): Promise<Response> => fetch(`${url}/api/tasks/image-classification/models/drawings/features`, { method: 'POST', headers: json, body: JSON.stringify({ image }) });
    for (const image of ['***', 'A', 'data:image/png,abc', `${'A'.repeat(4 * mebibyte)}!`]) expect((await ask(image)).status).toBe(400);
    expect([400, 422]).toContain((await ask(randomBytes(3 * mebibyte).toString('base64'))).status);
  },
  'wrong types of content': async ({ url }) => {
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data', '']) expect([400, 415]).toContain((await fetch(`${url}/predict`, { method: 'POST', headers: { 'content-type': type }, body: record })).status);
  },
  'no HTTP at all': async (target) => {
    expect(await raw(target, [randomBytes(4_096)])).toMatch(/^$|^HTTP\/1.1 400 /);
    expect(await raw(target, [headOf('/predict', [`x: ${'a'.repeat(64 * 1024)}`])])).toMatch(/^HTTP\/1.1 431 /);
  },
  'clients that leave midway': async ({ url }) => {
    const leaving = Array.from({ length: 50 }, async (_, index) => {
      const controller = new AbortController();
      const asked = fetch(`${url}${classify}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: randomBytes(mebibyte), signal: controller.signal });
      await delay(index % 10);
      controller.abort();
      await asked.catch(() => undefined);
    });
    await Promise.all(leaving);
    const { hostname, port } = new URL(url);
    const halves = Array.from({ length: 50 }, () => new Promise((done) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`${headOf('/predict', ['content-type: application/json', 'content-length: 1000000'])}{"variance":`);
        socket.resetAndDestroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', done);
    }));
    await Promise.all(halves);
  },
};
const bomb = gzipSync(Buffer.alloc(1024 * mebibyte), { level: 9 });
const rounds = 10;

test('hostile requests get the right status, again and again, and no memory', async () => {
  await withServer(async (target) => {
    let half: Memory | undefined;
    for (let round = 0; round < rounds; round++) {
      for (const [name, attack] of Object.entries(attacks)) {
        await attack(target);
        expect(await predicts(target), `after ${name}`).toBe(200);
      }
      if (round === rounds / 2 - 1) half = await memoryOf(target);
    }
    const last = await memoryOf(target);
    console.log(`after ${rounds / 2} rounds and after ${rounds}: ${JSON.stringify([half, last])}`);
    // Of a body that is kept in every round, a small part is more. The heap itself grows by a step some time, and stays there.
    expect(last.liveBytes).toBeLessThan(half!.liveBytes + 64 * mebibyte);
    expect(last.residentBytes).toBeLessThan(half!.residentBytes + 256 * mebibyte);
  });
});

const connectionCount = 10_000;

async function openAll({ url }: Target, count: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  const open = (): Promise<void> => new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve());
    socket.once('error', reject);
    sockets.push(socket);
  });
  for (let from = 0; from < count; from += 250) await Promise.all(Array.from({ length: Math.min(250, count - from) }, open));
  // Who does not read does not hear of the end.
  for (const socket of sockets) socket.on('error', () => undefined).resume();
  return sockets;
}

/** The test has one end of each, and the program the other. */
const openFilesMin = connectionCount + 1_000;
const openFilesMax = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();

testWith({ [`${openFilesMin} open files for a process (ulimit -Hn)`]: openFilesMax === 'unlimited' || Number(openFilesMax) >= openFilesMin }, 'ten thousand connections, of which some are told drop by drop, leave room for a request, and are ended in time', {}, async () => {
  await withServer(async (target) => {
    const [{ residentBytes: before }, keptAlive] = [await memoryOf(target), await predicts(target)];
    expect(keptAlive).toBe(200);
    // Some are left for whoever asks meanwhile.
    const sockets = await openAll(target, connectionCount - 10);
    let closed = 0;
    for (const socket of sockets) socket.once('close', () => (closed += 1));
    const slow = sockets.slice(0, 500);
    for (const socket of slow) socket.write('POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\n');
    const dripping = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('x: y\r\n');
    }, 500);
    try {
      expect(await predicts(target)).toBe(200);
      const { residentBytes: during } = await memoryOf(target);
      console.log(`${connectionCount} connections take ${Math.round((during - before) / mebibyte)} MiB`);
      expect(during - before).toBeLessThan(500 * mebibyte);
      // What sends no request in time is ended, however it drips.
      await expect.poll(() => closed, { timeout: 30_000 }).toBe(sockets.length);
      expect(await predicts(target)).toBe(200);
    } finally {
      clearInterval(dripping);
      for (const socket of sockets) socket.destroy();
    }
  });
});
