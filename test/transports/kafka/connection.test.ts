/** The clients under connections that break where nobody waits for them. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connectSocket, openConnection } from '../../../src/transports/kafka/connection.ts';
import { openKafkaTransport } from '../../../src/transports/kafka/kafka-transport.ts';
import { kafkaOptions } from './group-fixture.ts';

test.each([
  { breaks: 'is reset', end: (socket: Socket) => socket.resetAndDestroy() },
  { breaks: 'ends', end: (socket: Socket) => socket.end() },
])('a connection that $breaks in its handshake is a rejection, and nothing more', async ({ end }) => {
  const unheard: unknown[] = [];
  const hear = (error: unknown): void => { unheard.push(error); };
  const server = createServer((socket) => socket.on('error', () => undefined).once('data', () => end(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const connection = openConnection(kafkaOptions(`127.0.0.1:${String(port)}`, { sasl: { mechanism: 'plain', username: 'u', password: 'p' } }));
  process.on('uncaughtException', hear);
  try {
    await expect(connection.protocolAdmin.metadata({ topics: ['t'], forceUpdate: true, retries: 0 })).rejects.toThrow();
    await nextTurn();
    expect(unheard).toEqual([]);
  } finally {
    process.off('uncaughtException', hear);
    await connection.close();
    server.close();
  }
});

test('a broker that takes connections and answers nothing is not reached, and no connection to it is left', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  await expect(openKafkaTransport(kafkaOptions(`127.0.0.1:${String(port)}`, { requestTimeoutMs: 300 }))).rejects.toMatchObject({ code: 'LS_KAFKA_UNREACHABLE' });
  // Ends only when every connection has.
  await new Promise((closed) => server.close(closed));
});

test.each([{ kind: 'plain', tls: undefined }, { kind: 'TLS', tls: {} }])('a $kind connection that has closed is disconnected again and again without a trace', async ({ tls }) => {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const socket = connectSocket({ tls }, { host: '127.0.0.1', port, onConnect: () => undefined });
  await new Promise((closed) => socket.on('error', () => undefined).once('close', closed).resume());
  const before = socket.listenerCount('connect');
  // As kafkajs disconnects.
  for (let count = 0; count < 20; count += 1) socket.end().unref();
  expect(socket.listenerCount('connect')).toBe(before);
  server.close();
});
