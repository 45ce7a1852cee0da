import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { createFrameReader, encodeFrame, frameBytesMax } from '../../../src/transports/log/frames.ts';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import { protocolVersion } from '../../../src/transports/log/socket-protocol.ts';
import { connectToOwner, type SocketLogStore } from '../../../src/transports/log/socket-log-store.ts';
import { serveLog, type LogServer } from '../../../src/transports/log/socket-server.ts';
import { code, output, outputs, roomy, until, values } from '../../conformance/transport-harness.ts';
import { untilClosed } from '../../sockets.ts';
import { temporaryDirectory } from './log-fixtures.ts';
import { createMemoryLogStore } from './memory-log-store.ts';

const partition = { topic: 'events', partition: 0 };
const never = new AbortController().signal;

type Served = { readonly store: LogStore; readonly server: LogServer; readonly path: string; readonly client: () => Promise<SocketLogStore> };

async function served(wrap: (store: LogStore) => LogStore = (store) => store): Promise<Served> {
  const path = join(await temporaryDirectory(), 'owner.sock');
  const store = wrap(createMemoryLogStore());
  await store.createTopic('events', 1);
  const server = await serveLog(store, { path, keeps: true, onYield: () => undefined, closeMsMax: 1_000 });
  onTestFinished(() => server.close('closed'));
  return {
    store,
    server,
    path,
    client: async () => {
      const client = (await connectToOwner(path, 1_000))!;
      onTestFinished(() => client.close());
      return client;
    },
  };
}

/** A connection that can say anything. */
async function raw(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  onTestFinished(() => { socket.destroy(); });
  return socket;
}

async function greeted(path: string): Promise<Socket> {
  const socket = await raw(path);
  socket.write(encodeFrame({ op: 'hello', id: 0, protocol: protocolVersion, pid: 1 }));
  await once(socket, 'data');
  return socket;
}

function framed(header: string | Buffer, body = Buffer.alloc(0)): Buffer {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(4 + json.length + body.length, 0);
  prefix.writeUInt32LE(json.length, 4);
  return Buffer.concat([prefix, json, body]);
}

const lengths = (...words: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * words.length);
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 4 * index);
  return bytes;
};
const commitOf = (records: unknown, checkpoints: unknown = []): string => JSON.stringify({ op: 'commit', id: 1, records, checkpoints });

const hostile: readonly (readonly [string, Buffer])[] = [
  ['a length of zero', lengths(0)],
  ['a length that leaves no room for the header\'s', lengths(3, 0)],
  ['a length over the limit', lengths(frameBytesMax + 1)],
  ['the largest length', lengths(0xffff_ffff)],
  ['a header longer than its frame', lengths(8, 400, 0)],
  ['a header that is no JSON', framed('{"op":')],
  ['a header that is no UTF-8', framed(Buffer.from([0xff, 0xfe, 0x00]))],
  ['a header that is no object', framed('null')],
  ['deep nesting', framed('['.repeat(500_000))],
  ['an unknown operation', framed('{"op":"delete","id":1}')],
  ['no id', framed('{"op":"topics"}')],
  ['a negative id', framed('{"op":"topics","id":-1}')],
  ['a topic that is a path', framed('{"op":"createTopic","id":1,"topic":"../../etc","partitionCount":1}')],
  ['a sequence over 63 bits', framed('{"op":"read","id":1,"topic":"events","partition":0,"from":"9223372036854775808","records":1,"bytes":1}')],
  ['a read without end', framed('{"op":"read","id":1,"topic":"events","partition":0,"from":"0","records":1e9,"bytes":1}')],
  ['a value longer than the body', framed(commitOf([['events', 0, -1, 100, []]]), Buffer.alloc(99))],
  ['a body longer than its values', framed(commitOf([['events', 0, -1, 100, []]]), Buffer.alloc(101))],
  ['a negative length', framed(commitOf([['events', 0, -1, -5, []]]))],
  ['a fractional length', framed(commitOf([['events', 0, -1, 0.5, []]]), Buffer.alloc(1))],
  ['a header name without a length', framed(commitOf([['events', 0, -1, 0, ['name']]]))],
  ['header lengths without names', framed(commitOf([['events', 0, -1, 0, [1, 1]]]), Buffer.alloc(2))],
  ['a second hello of another version', framed('{"op":"hello","id":2,"protocol":99,"pid":1}')],
];

describe('the owner\'s socket', () => {
  test.for(hostile)('closes the connection that sends %s, and no other', async ([, bytes]) => {
    const { client, path, store } = await served();
    const good = await client();
    for (const socket of [await raw(path), await greeted(path)]) {
      const closed = untilClosed(socket.resume());
      socket.write(bytes);
      await closed;
    }
    await good.commit({ records: outputs('events', 0, 0, 1), checkpoints: [] });
    expect(await store.bounds(partition)).toEqual({ startSequence: 0n, endSequence: 1n });
  });

  test('lives through a seeded storm of broken frames, each good commit kept', async () => {
    const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_240_917);
    const rounds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 5_000 : 150;
    console.log(`socket storm: seed ${seed}, ${rounds} rounds`);
    let state = seed;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const { client, path, store } = await served();
    const good = await client();
    for (let round = 0; round < rounds; round++) {
      const bytes = framed(commitOf([['events', 0, -1, 3, ['h', 1]]], [{ group: 'g', ...partition, nextSequence: '1', metadata: '' }]), Buffer.from('badx'));
      const cut = bytes.subarray(0, below(bytes.length));
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(below(256), below(12));
      const socket = below(2) === 0 ? await raw(path) : await greeted(path);
      socket.resume();
      const closed = untilClosed(socket);
      socket.end(below(2) === 0 ? cut : Buffer.concat([flipped.subarray(0, 8 + below(8)), Buffer.from(Array.from({ length: 40 }, () => below(256)))]));
      await good.commit({ records: outputs('events', 0, round, 1), checkpoints: [] });
      await closed;
    }
    expect(values(await store.read(partition, 0n, { records: rounds + 1, bytes: 1e9 }))).toEqual(Array.from({ length: rounds }, (_, index) => String(index)));
    expect(await store.checkpoint('g', partition)).toBeUndefined();
  });

  test('refuses another version of the protocol with a code, and then closes', async () => {
    const { path } = await served();
    const socket = await raw(path);
    const reader = createFrameReader();
    const frames: unknown[] = [];
    socket.on('data', (chunk) => frames.push(...reader.push(chunk).map(({ header }) => header)));
    socket.write(encodeFrame({ op: 'hello', id: 5, protocol: protocolVersion + 1, pid: 1 }));
    await untilClosed(socket);
    expect(frames).toMatchObject([{ id: 5, error: { code: 'LS_LOG_PROTOCOL_VERSION', details: [['protocol', 'plain', protocolVersion], ['protocolAsked', 'plain', protocolVersion + 1]] } }]);
  });

  test('starts no more than it can answer to a client that does not listen', async () => {
    const read = vi.fn();
    const { path, store } = await served((inner) => ({ ...inner, read: (...call) => { read(); return inner.read(...call); } }));
    await store.commit({ records: [output('events', 0, Buffer.alloc(1_000_000))], checkpoints: [] });
    const socket = await greeted(path);
    socket.pause();
    const asked = 300;
    for (let id = 1; id <= asked; id++) socket.write(encodeFrame({ op: 'read', id, ...partition, from: '0', records: 1, bytes: 1 }));
    await until(() => read.mock.calls.length > 0);
    for (let turn = 0; turn < 200; turn++) await nextTurn();
    expect(read.mock.calls.length).toBeLessThan(100);
    const reader = createFrameReader();
    let answered = 0;
    socket.on('data', (chunk) => { answered += reader.push(chunk).length; });
    socket.resume();
    await until(() => answered === asked);
    expect(read).toHaveBeenCalledTimes(asked);
  });

  test('closes in order: what was sent is answered, what was not is told so', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { client, server, store } = await served((inner) => ({
      ...inner,
      commit: async (transaction) => { await gate.promise; await inner.commit(transaction); },
    }));
    const guest = await client();
    const commits = Array.from({ length: 100 }, (_, index) => guest.commit({ records: outputs('events', 0, index, 1), checkpoints: [] }));
    const waiting = guest.waitForRecords(partition, 1_000n, never);
    const closed = server.close('closed');
    await once(guest.leaving, 'abort');
    await expect(guest.topics()).rejects.toMatchObject({ code: 'LS_LOG_OWNER_LOST', details: { sent: false } });
    gate.resolve(undefined);
    await Promise.all([...commits, waiting, closed]);
    expect(await guest.ended).toBe('closed');
    expect((await store.bounds(partition)).endSequence).toBe(100n);
    expect(await connectToOwner('/nowhere/owner.sock', 1_000)).toBeUndefined();
  });
});

describe('closing the owner\'s socket', () => {
  test.each(['before it is closed', 'while it is closed'])('waits for the commit of a client that is lost %s', async (when) => {
    const gate = Promise.withResolvers<undefined>();
    const began = Promise.withResolvers<undefined>();
    const happened: string[] = [];
    const { path, server, store } = await served((inner) => ({
      ...inner,
      commit: async (transaction) => {
        began.resolve(undefined);
        await gate.promise;
        await inner.commit(transaction);
        happened.push('committed');
      },
    }));
    const socket = await greeted(path);
    socket.write(framed(commitOf([['events', 0, -1, 3, []]]), Buffer.from('one')));
    await began.promise;
    const lose = async (): Promise<void> => {
      const lost = untilClosed(socket);
      socket.destroy();
      await lost;
    };
    if (when === 'before it is closed') await lose();
    const closed = server.close('closed').then(() => happened.push('closed'));
    if (when === 'while it is closed') await lose();
    // Whoever does not wait has closed by then: there is nothing left to read or to write.
    for (let turn = 0; turn < 200; turn++) await nextTurn();
    gate.resolve(undefined);
    await closed;
    expect(happened).toEqual(['committed', 'closed']);
    expect((await store.bounds(partition)).endSequence).toBe(1n);
  });
});

describe('a store over the socket', () => {
  test('keeps the order of commits that are in flight together, large ones among them', async () => {
    const { client, store } = await served();
    const guest = await client();
    const value = (index: number): Buffer => Buffer.alloc(index % 10 === 0 ? 700_000 : 10, String(index).padStart(10));
    await Promise.all(Array.from({ length: 100 }, (_, index) => guest.commit({ records: [output('events', 0, value(index))], checkpoints: [] })));
    const read = await store.read(partition, 0n, { records: 1_000, bytes: 1e9 });
    expect(read.map((record) => Number(record.value.subarray(0, 10).toString()))).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test('carries errors whole, and names those without a code', async () => {
    const failing = vi.fn<LogStore['topics']>();
    const { client } = await served((inner) => ({ ...inner, topics: failing }));
    const guest = await client();
    const original = pipelineError('LS_TRANSPORT_POSITION_LOST', 'Gone.', { position: 2n ** 62n, topic: 'events', count: 3, flag: true });
    failing.mockRejectedValueOnce(original);
    const carried: unknown = await guest.topics().catch((error: unknown) => error);
    expect(carried).toBeInstanceOf(LabelstreamError);
    expect(carried).toMatchObject({ code: original.code, message: 'Gone.', details: original.details, description: original.description });
    failing.mockRejectedValueOnce(new Error('no words'));
    await expect(guest.topics()).rejects.toMatchObject({ code: 'LS_LOG_REQUEST_FAILED', message: 'no words', retryable: false });
  });

  test('refuses a commit that fits no frame, and goes on', async () => {
    const { client } = await served();
    const guest = await client();
    const huge = Array.from({ length: 3 }, () => output('events', 0, Buffer.alloc(frameBytesMax / 2)));
    expect(await code(guest.commit({ records: huge, checkpoints: [] }))).toBe('LS_LOG_REQUEST_TOO_LARGE');
    await guest.commit({ records: outputs('events', 0, 0, 1), checkpoints: [] });
    expect(values(await guest.read(partition, 0n, roomy))).toEqual(['0']);
  });

  test('gives up a wait when told, there as here', async () => {
    const seen: AbortSignal[] = [];
    const { client } = await served((inner) => ({
      ...inner,
      waitForRecords: (location, end, signal) => { seen.push(signal); return inner.waitForRecords(location, end, signal); },
    }));
    const guest = await client();
    const abort = new AbortController();
    const waits = [guest.waitForRecords(partition, 0n, abort.signal), guest.waitForRecords(partition, 0n, never)];
    await until(() => seen.length === 2);
    abort.abort();
    await waits[0];
    await until(() => seen[0]!.aborted);
    expect(seen[1]!.aborted).toBe(false);
    await guest.waitForRecords(partition, 0n, abort.signal);
    await guest.commit({ records: outputs('events', 0, 0, 1), checkpoints: [] });
    await waits[1];
  });

  test('rejects what was in flight when its owner is lost, and says that it is in doubt', async () => {
    const path = join(await temporaryDirectory(), 'owner.sock');
    const owner = createServer((socket) => {
      const reader = createFrameReader();
      socket.on('data', (chunk) => {
        for (const { header } of reader.push(chunk)) {
          const { op } = header as { op: string };
          if (op === 'hello') socket.write(encodeFrame({ id: 1, result: { protocol: protocolVersion, pid: 1, keeps: true } }));
          if (op === 'commit') socket.destroy();
        }
      });
    }).listen(path);
    await once(owner, 'listening');
    onTestFinished(() => { owner.close(); });
    const guest = (await connectToOwner(path, 1_000))!;
    const calls = [guest.topics(), guest.waitForRecords(partition, 0n, never), guest.commit({ records: [], checkpoints: [] })];
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'LS_LOG_OWNER_LOST', retryable: true, details: { sent: true } } });
    }
    expect(await guest.ended).toBe('lost');
    await expect(guest.topics()).rejects.toMatchObject({ code: 'LS_LOG_OWNER_LOST', details: { sent: false } });
    await guest.close();
    expect(await code(guest.topics())).toBe('LS_LOG_CLOSED');
  });

  test('keeps what was not sent for the next owner, and gets the answers to what was', async () => {
    const path = join(await temporaryDirectory(), 'owner.sock');
    const accepted = Promise.withResolvers<Socket>();
    const reader = createFrameReader();
    const owner = createServer((socket) => {
      socket.once('data', (chunk) => {
        reader.push(chunk);
        socket.pause();
        socket.write(encodeFrame({ id: 1, result: { protocol: protocolVersion, pid: 1, keeps: false } }));
        accepted.resolve(socket);
      });
    }).listen(path);
    await once(owner, 'listening');
    onTestFinished(() => { owner.close(); });
    const guest = (await connectToOwner(path, 1_000))!;
    const large = [output('events', 0, Buffer.alloc(1_000_000))];
    const commits = Array.from({ length: 20 }, () => code(guest.commit({ records: large, checkpoints: [] })));
    const socket = await accepted.promise;
    socket.write(encodeFrame({ goodbye: 'yielded' }));
    // The last one waited in this process: it ends before the owner has read anything.
    expect(await commits.at(-1)).toBe('LS_LOG_OWNER_LOST');
    socket.on('data', (chunk) => {
      for (const { header } of reader.push(chunk)) socket.write(encodeFrame({ id: (header as { id: number }).id, result: null }));
    });
    socket.resume();
    const outcomes = await Promise.all(commits);
    expect(outcomes[0]).toBe('resolved');
    expect(outcomes.lastIndexOf('resolved')).toBe(outcomes.indexOf('LS_LOG_OWNER_LOST') - 1);
    expect(await guest.ended).toBe('yielded');
  });

  test.for([
    ['no frame', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['no answer', encodeFrame({ hello: 'there' })],
  ] as const)('takes %s for what it is: no owner', async ([, bytes]) => {
    const path = join(await temporaryDirectory(), 'owner.sock');
    const stranger = createServer((socket) => socket.on('error', () => undefined).end(bytes)).listen(path);
    await once(stranger, 'listening');
    onTestFinished(() => { stranger.close(); });
    await expect(connectToOwner(path, 1_000)).rejects.toMatchObject({ code: 'LS_LOG_OWNER_LOST', cause: { code: 'LS_LOG_PROTOCOL_BROKEN' } });
  });

  test('does not wait for an owner that says nothing', async () => {
    const path = join(await temporaryDirectory(), 'owner.sock');
    const silent = createServer((socket) => socket.on('error', () => undefined).resume()).listen(path);
    await once(silent, 'listening');
    onTestFinished(() => { silent.close(); });
    expect(await code(connectToOwner(path, 20))).toBe('LS_LOG_OWNER_LOST');
  });

  test('that may not reach its owner says so', async () => {
    const { path } = await served();
    expect(await code(connectToOwner(join(path, 'beneath'), 1_000))).toBe('LS_LOG_OWNER_UNREACHABLE');
  });
});
