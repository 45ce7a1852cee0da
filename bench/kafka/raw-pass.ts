/** The loop that one would write: kafkajs reads batches, a producer sends what is in them, and the position is committed. */
import { Producer } from '@platformatic/kafka';
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { sendRecordsMax, startWatch, type Measured, type PassPlan } from './messages.ts';

const empty = Buffer.alloc(0);

type Send = (partition: number, messages: readonly KafkaMessage[]) => Promise<void>;

export async function rawPass({ brokers, input, output, messageCount }: PassPlan, client: 'kafkajs' | 'platformatic'): Promise<Measured> {
  const kafka = new Kafka({ clientId: 'bench', brokers: [brokers], logLevel: logLevel.ERROR });
  // As many as make one send.
  const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100, maxBytesPerPartition: 800_000 });
  const producer = await (client === 'kafkajs' ? kafkajsSend(kafka, output) : platformaticSend(brokers, output));
  const finished = Promise.withResolvers<Measured>();
  let measured: ((items: number) => Measured) | undefined;
  let done = 0;
  await consumer.connect();
  await consumer.subscribe({ topic: input, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch: { topic, partition, messages }, ...control }) => {
      measured ??= startWatch();
      for (let from = 0; from < messages.length; from += sendRecordsMax) {
        const part = messages.slice(from, from + sendRecordsMax);
        await producer.send(partition, part);
        const last = part.at(-1);
        if (last === undefined) break;
        control.resolveOffset(last.offset);
        await consumer.commitOffsets([{ topic, partition, offset: (BigInt(last.offset) + 1n).toString() }]);
        done += part.length;
      }
      if (done >= messageCount) finished.resolve(measured(done));
    },
  });
  try {
    return await finished.promise;
  } finally {
    await consumer.disconnect();
    await producer.close();
  }
}

async function kafkajsSend(kafka: Kafka, topic: string): Promise<{ readonly send: Send; readonly close: () => Promise<void> }> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  return {
    send: async (partition, messages) => {
      await producer.send({ topic, acks: -1, messages: messages.map(({ key, value }) => ({ key, value, partition })) });
    },
    close: () => producer.disconnect(),
  };
}

function platformaticSend(brokers: string, topic: string): Promise<{ readonly send: Send; readonly close: () => Promise<void> }> {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [brokers] });
  return Promise.resolve({
    send: async (partition, messages) => {
      await producer.send({ acks: -1, messages: messages.map(({ key, value }) => ({ topic, partition, ...(key === null ? {} : { key }), value: value ?? empty })) });
    },
    close: () => producer.close(),
  });
}
