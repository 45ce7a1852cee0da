// Calls of commands last as long as the brokers answer, and no longer.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { askAnyBroker, whileBrokersAnswer } from '../../../src/transports/kafka/answering-brokers.ts';
import { openConnection } from '../../../src/transports/kafka/connection.ts';
import { platformaticProducers } from '../../../src/transports/kafka/producers/platformatic-producer.ts';
import { createVirtualClock } from '../../pipeline/virtual-clock.ts';
import { kafkaOptions } from './group-fixture.ts';

const brokers = ['one:9092', 'two:9092'];
const never = new Promise<never>(() => undefined);

test('a call may take as long as it likes while they answer, and is not asked for once it is over', async () => {
  const clock = createVirtualClock();
  let asked = 0;
  const guard = whileBrokersAnswer({ brokers, clock }, () => Promise.resolve((asked += 1)));
  const hourMs = 3_600_000;
  expect(await clock.drive(guard(() => clock.sleep(hourMs).then(() => 'done')))).toBe('done');
  expect(asked).toBeGreaterThan(100);
  const before = asked;
  await clock.pass(hourMs);
  expect(asked).toBe(before);
  await expect(clock.drive(guard(() => Promise.reject(new Error('refused'))))).rejects.toThrow('refused');
});

test('a call ends after seconds where none answers, or all refuse to be asked', async () => {
  for (const ask of [() => never, () => Promise.reject(new Error('refused'))]) {
    const clock = createVirtualClock();
    const guard = whileBrokersAnswer({ brokers, clock }, ask);
    await expect(clock.drive(guard(() => never))).rejects.toMatchObject({ code: 'LS_KAFKA_UNREACHABLE', message: 'None of the brokers one:9092, two:9092 has answered for 15 seconds.' });
    expect(clock.elapsedMs()).toBe(20_000);
  }
});

test('brokers that answer again in time are not told of', async () => {
  const clock = createVirtualClock();
  const guard = whileBrokersAnswer({ brokers, clock }, async () => {
    if (clock.elapsedMs() % 60_000 < 14_000) throw new Error('refused');
    return Promise.resolve();
  });
  expect(await clock.drive(guard(() => clock.sleep(600_000).then(() => 'done')))).toBe('done');
});

test('a transport that is closed ends a producer that is being opened with a broker that says nothing', async () => {
  await withSilentServer(async (port) => {
    const closing = new AbortController();
    const producers = platformaticProducers(kafkaOptions(`127.0.0.1:${port}`, { requestTimeoutMs: 30_000 }), closing.signal);
    const opening = [producers.open(), producers.openTransactional('id')].map((open) => expect(open).rejects.toMatchObject({ code: 'LS_TRANSPORT_CLOSED' }));
    await nextTurn();
    closing.abort();
    await Promise.all(opening);
    await expect(producers.open()).rejects.toMatchObject({ code: 'LS_TRANSPORT_CLOSED' });
  });
});

/** Ends only when every connection to it has. */
async function withSilentServer(use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await use(address !== null && typeof address === 'object' ? address.port : 0);
  await new Promise((closed) => server.close(closed));
}

test('asking one that is silent and one that is not there gets no answer', async () => {
  await withSilentServer(async (port) => {
    const options = kafkaOptions(`127.0.0.1:${port}`, { requestTimeoutMs: 300, brokers: [`127.0.0.1:${port}`, '127.0.0.1:1'] });
    const connection = openConnection(options);
    await expect(askAnyBroker(connection, options)).rejects.toThrow();
    await connection.close();
  });
});
