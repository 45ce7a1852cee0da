import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startKafka, type KafkaBroker } from './kafka-broker.ts';
import { consume, createTopic, kafkaClient, produce } from './kafka-clients.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';

describeWith(await kafkaNeeds(), 'a broker of the tests', () => {
  let broker: KafkaBroker;
  let kafka: Kafka;

  beforeAll(async () => {
    broker = await startKafka();
    kafka = kafkaClient(broker.brokers);
  });

  afterAll(async () => {
    await broker.close();
  });

  test('keeps what was acknowledged over SIGKILL and a restart on the same port', async () => {
    const topic = randomUUID();
    await createTopic(kafka, topic);
    await produce(kafka, topic, ['first', 'second']);
    const pid = broker.pid();
    await broker.kill();
    expect(isAlive(pid)).toBe(false);
    await broker.restart();
    await produce(kafka, topic, ['third']);
    expect(await consume(kafka, topic, 3)).toEqual(['first', 'second', 'third']);
  });

  test('does not outlive the test process, whatever way that ends', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'broker-child.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    child.kill('SIGKILL');
    await vi.waitUntil(() => !isAlive(pid), { timeout: 30_000 });
  });

  test('says why it does not start', async () => {
    await expect(startKafka({ configuration: { 'log.retention.ms': 'long' } })).rejects.toThrow(/log\.retention\.ms/u);
    await expect(startKafka({ configuration: { 'num.io.threads': '0' } })).rejects.toThrow(/num\.io\.threads/u);
  });

  test('does not make a topic that nobody created', async () => {
    await expect(produce(kafka, randomUUID(), ['lost'])).rejects.toThrow('does not host this topic-partition');
  });

  test('stands still under SIGSTOP and goes on after', async () => {
    const topic = randomUUID();
    await createTopic(kafka, topic);
    await broker.stopProcess();
    const impatient = kafkaClient(broker.brokers, { requestTimeout: 300, connectionTimeout: 300, retry: { retries: 0 } });
    await expect(produce(impatient, topic, ['lost'])).rejects.toThrow();
    await broker.continueProcess();
    await produce(kafka, topic, ['kept']);
    expect(await consume(kafka, topic, 1)).toEqual(['kept']);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
