/** What the tests of the brokers do with kafkajs. */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type EachMessagePayload, type KafkaConfig } from 'kafkajs';

/** A client that says nothing and gives up soon. */
export function kafkaClient(brokers: string, configuration: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry: { retries: 2, initialRetryTime: 50 }, ...configuration });
}

export async function createTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
}

export async function produce(kafka: Kafka, topic: string, values: readonly string[]): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  try {
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
  } finally {
    await producer.disconnect();
  }
}

/** The topic's first `count` committed values, by a group of its own. */
export async function consume(kafka: Kafka, topic: string, count: number): Promise<readonly string[]> {
  const consumer = kafka.consumer({ groupId: randomUUID(), retry: { retries: 5 } });
  const values: string[] = [];
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
      const eachMessage = ({ message }: EachMessagePayload): Promise<void> => {
        values.push(message.value?.toString() ?? '');
        if (values.length === count) {
          resolve();
        }
        return Promise.resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return values.slice(0, count);
}
