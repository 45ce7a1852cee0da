// Ten minutes without brokers, by a clock of the test: told a few times, waited through, and over.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { kafkaError } from '../../src/core/errors/kafka.ts';
import { pipelineError } from '../../src/core/errors/pipeline.ts';
import { createBrokerWatch } from '../../src/observation/broker-watch.ts';
import { createMetrics } from '../../src/observation/metrics.ts';
import { createReadiness } from '../../src/observation/readiness.ts';
import { createRepeatedMessages } from '../../src/observation/repeated-messages.ts';
import { untilBrokersAnswer } from '../../src/wait-for-brokers.ts';
import { createVirtualClock } from '../pipeline/virtual-clock.ts';

const minuteMs = 60_000;
const away = (): Error => kafkaError('LS_KAFKA_UNREACHABLE', 'Could not connect.');

function fixture() {
  const clock = createVirtualClock();
  const metrics = createMetrics('0');
  const readiness = createReadiness();
  readiness.started();
  const told: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void told.push((JSON.parse(line) as { msg: string }).msg) });
  const brokers = createBrokerWatch({ logger, metrics, readiness, clock });
  const gauge = async () => (await metrics.samples()).find(({ name }) => name === 'labelstream_kafka_unavailable')?.value;
  return { clock, readiness, told, brokers, gauge };
}

test('a start waits for ten minutes, is not ready, says so once a minute, and goes on', async () => {
  const { clock, readiness, told, brokers, gauge } = fixture();
  let attempts = 0;
  let reasons: readonly string[] = [];
  const started = untilBrokersAnswer({ clock, brokers }, new AbortController().signal, () => {
    attempts += 1;
    if (clock.elapsedMs() >= 10 * minuteMs) return Promise.resolve('started');
    if (attempts > 1) reasons = readiness.state().reasons;
    return Promise.reject(away());
  });
  expect(await clock.drive(started)).toBe('started');
  expect(reasons).toEqual(['waiting for the brokers: Could not connect.']);
  expect(readiness.state().ready).toBe(true);
  expect(await gauge()).toBe(0);
  // Seconds apart, neither at full speed nor minutes.
  expect(attempts).toBeGreaterThan(10 * 12);
  expect(attempts).toBeLessThan(10 * 120);
  expect(told.at(-1)).toBe('the brokers answer again');
  expect(told.slice(0, -1)).toEqual(Array.from({ length: told.length - 1 }, () => 'waiting for the brokers'));
  expect(told.length).toBeGreaterThan(9);
  expect(told.length).toBeLessThan(13);
});

test('what waiting does not mend is not waited for, and a signal ends the wait at once', async () => {
  const { clock, brokers, told, readiness } = fixture();
  const refused = kafkaError('LS_KAFKA_AUTHENTICATION', 'No.');
  await expect(untilBrokersAnswer({ clock, brokers }, new AbortController().signal, () => Promise.reject(refused))).rejects.toBe(refused);
  expect(told).toEqual([]);
  const stopping = new AbortController();
  const waiting = untilBrokersAnswer({ clock, brokers }, stopping.signal, () => Promise.reject(away()));
  await new Promise((turn) => setImmediate(turn));
  stopping.abort();
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  expect(clock.elapsedMs()).toBe(0);
  expect(readiness.state().ready).toBe(true);
  expect(told, 'nobody answered').toEqual(['waiting for the brokers']);
});

test('a group that no coordinator answers is waited for, beside its partitions', async () => {
  const { brokers, readiness, told, gauge } = fixture();
  brokers.away({ group: 'g' }, away());
  brokers.away({ topic: 'a', partition: 0 }, away());
  brokers.forgetPartitions(['a']);
  expect([readiness.state().ready, await gauge()]).toEqual([false, 1]);
  brokers.back({ group: 'other' });
  brokers.back({ group: 'g' });
  expect([readiness.state().ready, await gauge()]).toEqual([true, 0]);
  expect(told).toEqual(['waiting for the brokers', 'the brokers answer again']);
});

test('partitions wait each for themselves: over when the last one is read again, or given to others', async () => {
  const { brokers, readiness, told, gauge } = fixture();
  const [first, second, other] = [{ topic: 'a', partition: 0 }, { topic: 'a', partition: 1 }, { topic: 'b', partition: 0 }];
  brokers.away(first, away());
  brokers.away(second, pipelineError('LS_TRANSPORT_CLOSED', 'x'));
  brokers.back({ ...first });
  expect([readiness.state().ready, await gauge()]).toEqual([false, 1]);
  brokers.back(second);
  brokers.back(second);
  expect([readiness.state().ready, await gauge()]).toEqual([true, 0]);
  brokers.away(first, away());
  brokers.away(other, away());
  brokers.forgetPartitions(['a', 'c']);
  expect([readiness.state().ready, await gauge()], 'that of another group still waits').toEqual([false, 1]);
  brokers.forgetPartitions(['b']);
  brokers.forgetPartitions(['b']);
  expect(told).toEqual(['waiting for the brokers', 'the brokers answer again', 'waiting for the brokers', 'the brokers answer again']);
});

test('a text is news once a minute', async () => {
  const clock = createVirtualClock();
  const { isNews } = createRepeatedMessages(clock);
  expect([isNews('a'), isNews('a'), isNews('b')]).toEqual([true, false, true]);
  await clock.pass(minuteMs - 1);
  expect(isNews('a')).toBe(false);
  await clock.pass(1);
  expect(isNews('a')).toBe(true);
  for (let index = 0; index < 5_000; index += 1) isNews(String(index));
});
