/** The messages that the sides of a comparison move, and what is left to compare of them. */
import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { recordLimits } from '../../src/pipeline/record-limits.ts';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { Transport } from '../../src/pipeline/transport.ts';
import { silentKafkaObserver, type KafkaOptions } from '../../src/transports/kafka/kafka-options.ts';
import { openKafkaTransport } from '../../src/transports/kafka/kafka-transport.ts';

const partitionCount = 4;
/** Of one send of the bare loop, and of one delivery of the engine, which sends at most half a mebibyte at a time. */
export const sendRecordsMax = 1_500;

export type PassPlan = { readonly brokers: string; readonly input: string; readonly output: string; readonly messageCount: number };

/** From the first message read to the last commit that counts: joining a group is no part of the work. */
export type Measured = { readonly items: number; readonly seconds: number; readonly cpuSeconds: number };

/** How many messages, and a sum over what each is, wherever it lies. */
export type Digest = string;

function kafkaOptions(brokers: string, producer: KafkaOptions['producer']): KafkaOptions {
  return {
    brokers: [brokers], clientId: 'bench', tls: undefined, sasl: undefined, producer, compression: 'none', replicationFactor: undefined, sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000, heartbeatIntervalMs: 3_000, transactionTimeoutMs: 60_000, requestTimeoutMs: 30_000, limits: recordLimits(1_000_000),
    clock: systemClock, random: Math.random, observer: silentKafkaObserver,
  };
}

export async function withTransport<Result>(brokers: string, producer: KafkaOptions['producer'], use: (transport: Transport) => Promise<Result>): Promise<Result> {
  const transport = await openKafkaTransport(kafkaOptions(brokers, producer));
  try {
    return await use(transport);
  } finally {
    await transport.close();
  }
}

export function newTopic(brokers: string): Promise<string> {
  const topic = `bench-${randomUUID()}`;
  return withTransport(brokers, 'platformatic', async (transport) => {
    await transport.createTopics([{ topic, partitionCount }]);
    return topic;
  });
}

/** @param valueOf message i. */
export async function fillTopic(brokers: string, messageCount: number, messageBytes: number, valueOf: (index: number) => Buffer = (index) => numbered(index, messageBytes)): Promise<string> {
  const topic = await newTopic(brokers);
  await withTransport(brokers, 'platformatic', async (transport) => {
    for (let from = 0; from < messageCount; from += 4 * sendRecordsMax) {
      const count = Math.min(4 * sendRecordsMax, messageCount - from);
      const records = Array.from({ length: count }, (_, offset): OutputRecord => {
        const index = from + offset;
        return { topic, partition: index % partitionCount, key: Buffer.from(`k${String(index)}`), value: valueOf(index), headers: noHeaders };
      });
      await transport.append(records);
    }
  });
  return topic;
}

function numbered(index: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes, index % 251);
  value.writeDoubleBE(index);
  return value;
}

/** Reads it all back: no part of what is measured. */
export function digestOf(brokers: string, topic: string): Promise<Digest> {
  return withTransport(brokers, 'platformatic', async (transport) => {
    let [count, sum] = [0, 0n];
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const { start, end } = await transport.bounds({ topic, partition });
      for (let { position } = start; position !== end.position; ) {
        const records = await transport.read({ topic, partition }, position, { records: 10_000, bytes: 16 * 1024 * 1024 }, new AbortController().signal);
        for (const { key, value } of records) sum += BigInt(crc32(value, crc32(key ?? '')));
        count += records.length;
        position = records.at(-1)?.nextPosition ?? end.position;
      }
    }
    return `${String(count)} messages, ${sum.toString(16)}`;
  });
}

export function startWatch(): (items: number) => Measured {
  const cpuAtStart = process.cpuUsage();
  const startedMs = performance.now();
  return (items) => {
    const { user, system } = process.cpuUsage(cpuAtStart);
    return { items, seconds: (performance.now() - startedMs) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}
