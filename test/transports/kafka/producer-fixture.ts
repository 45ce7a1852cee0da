/** What the tests of producers share: options against a broker, and reading back what it keeps. */
import { randomUUID } from 'node:crypto';
import { Admin as ProtocolAdmin } from '@platformatic/kafka';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { noHeaders, type Headers, type OutputRecord } from '../../../src/core/records.ts';
import { recordLimits } from '../../../src/pipeline/record-limits.ts';
import type { KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import type { PlainProducer, TransactionalProducer } from '../../../src/transports/kafka/producers/producer-port.ts';
import { createTopic, kafkaOptions } from './group-fixture.ts';

export function producerOptions(brokers: string, changes: Partial<KafkaOptions> = {}): KafkaOptions {
  return kafkaOptions(brokers, { clientId: 'producers-test', transactionTimeoutMs: 60_000, requestTimeoutMs: 20_000, limits: recordLimits(1_000_000), ...changes });
}

export function output(topic: string, partition: number, value: string | Buffer, key: string | null = null, headers: Headers = noHeaders): OutputRecord {
  return { topic, partition, key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers };
}

export function outputs(topic: string, partition: number, first: number, count: number): OutputRecord[] {
  return Array.from({ length: count }, (_, index) => output(topic, partition, String(first + index)));
}

/** The code of what it rejected with, or that it did not. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'resolved';
  } catch (error) {
    if (error instanceof LabelstreamError) return error.code;
    throw error;
  }
}

/** A plain client beside the one that is tested. */
export type Witness = {
  readonly createTopic: (partitions?: number, settings?: Readonly<Record<string, string>>) => Promise<string>;
  /** What a reader of committed records sees in the partition: everything up to a mark that is appended here. */
  readonly read: (topic: string, partition?: number) => Promise<readonly KafkaMessage[]>;
  readonly values: (topic: string, partition?: number) => Promise<readonly string[]>;
  /** What a reader sees that waits for no transaction, as soon as there are as many. */
  readonly uncommittedValues: (topic: string, count: number) => Promise<readonly string[]>;
  /** Of all partitions, on the broker's disk. */
  readonly logBytes: (topic: string) => Promise<number>;
  readonly committed: (group: string, topic: string, partition: number) => Promise<{ readonly offset: string; readonly metadata: string | null }>;
  readonly close: () => Promise<void>;
};

export async function openWitness(brokers: string): Promise<Witness> {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 10 } });
  const admin = kafka.admin();
  await admin.connect();
  const protocolAdmin = new ProtocolAdmin({ clientId: 'witness', bootstrapBrokers: [brokers] });
  const read = async (topic: string, partition = 0) => {
    const mark = randomUUID();
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic, messages: [{ partition, value: mark }] });
    await producer.disconnect();
    const messages = await readUntil(kafka, topic, false, (message, from) => from === partition && String(message.value) === mark);
    return messages.filter((message) => message.from === partition && !isMark(String(message.value)));
  };
  return {
    createTopic: async (partitions = 1, settings = {}) => {
      const topic = randomUUID();
      await createTopic(admin, topic, partitions, settings);
      return topic;
    },
    read,
    values: async (topic, partition) => (await read(topic, partition)).map(({ value }) => String(value)),
    committed: async (groupId, topic, partition) => {
      const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const { offset, metadata } = answer!.partitions.find((one) => one.partition === partition)!;
      return { offset, metadata };
    },
    uncommittedValues: async (topic, count) => {
      let seen = 0;
      const messages = await readUntil(kafka, topic, true, ({ value }) => !isMark(String(value)) && (seen += 1) === count);
      return messages.map(({ value }) => String(value)).filter((value) => !isMark(value));
    },
    logBytes: async (topic) => {
      const [described] = await protocolAdmin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] });
      const sizes = described!.results.flatMap((result) => result.topics.flatMap((one) => one.partitions.map(({ partitionSize }) => Number(partitionSize))));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    close: async () => {
      await admin.disconnect();
      await protocolAdmin.close();
    },
  };
}

type ReadMessage = KafkaMessage & { readonly from: number };

async function readUntil(
  kafka: Kafka,
  topic: string,
  readUncommitted: boolean,
  isLast: (message: KafkaMessage, from: number) => boolean,
): Promise<readonly ReadMessage[]> {
  const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50, readUncommitted });
  const messages: ReadMessage[] = [];
  const done = Promise.withResolvers<undefined>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ partition, message }) => {
      messages.push({ ...message, from: partition });
      if (isLast(message, partition)) done.resolve(undefined);
      return Promise.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  return messages;
}

/** Marks of earlier readings: nothing that a test writes looks like one. */
const isMark = (value: string): boolean => /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(value);

export async function sendUntilItFails(producer: PlainProducer, topic: string): Promise<void> {
  for (let index = 0; ; index += 1) await producer.send([output(topic, 0, `sent ${index}`)]);
}

export async function transactUntilItFails(producer: TransactionalProducer, topic: string): Promise<void> {
  for (let index = 0; ; index += 1) await producer.transact([output(topic, 0, `in a transaction ${index}`)], undefined);
}
