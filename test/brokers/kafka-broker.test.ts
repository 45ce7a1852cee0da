import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type KafkaBroker } from './kafka-broker.ts';
import { describeWith, kafkaNeeds } from './requirements.ts';

describeWith(await kafkaNeeds(), 'a broker of the tests', () => {
  let broker: KafkaBroker;
  let kafka: Kafka;

  beforeAll(async () => {
    broker = await startKafka();
    kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
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

  test('does not make a topic that nobody created', async () => {
    await expect(produce(kafka, randomUUID(), ['lost'])).rejects.toThrow('does not host this topic-partition');
  });

  test('stands still under SIGSTOP and goes on after', async () => {
    const topic = randomUUID();
    await createTopic(kafka, topic);
    broker.stopProcess();
    const impatient = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING, requestTimeout: 300, connectionTimeout: 300, retry: { retries: 0 } });
    await expect(produce(impatient, topic, ['lost'])).rejects.toThrow();
    broker.continueProcess();
    await produce(kafka, topic, ['kept']);
    expect(await consume(kafka, topic, 1)).toEqual(['kept']);
  });
});

async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
}

async function produce(kafka: Kafka, topic: string, values: readonly string[]): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 2 } });
  try {
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  } finally {
    await producer.disconnect();
  }
}

async function consume(kafka: Kafka, topic: string, count: number): Promise<readonly string[]> {
  const consumer = kafka.consumer({ groupId: randomUUID() });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: ({ message }) => {
          values.push(message.value!.toString());
          if (values.length === count) {
            resolve();
          }
          return Promise.resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return values;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
