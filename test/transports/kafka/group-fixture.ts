/** Members of consumer groups on a real broker, put together of the transport's parts, so that each can be replaced. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { noHeaders, type OutputRecord, type TopicPartition } from '../../../src/core/records.ts';
import { recordLimits } from '../../../src/pipeline/record-limits.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import type { AssignedPartition, ConsumerListener, Delivery } from '../../../src/pipeline/transport.ts';
import { createBoundsReader, type BoundsReader } from '../../../src/transports/kafka/bounds.ts';
import { readCommitted } from '../../../src/transports/kafka/group-offsets.ts';
import { openConnection } from '../../../src/transports/kafka/connection.ts';
import { createFetcher } from '../../../src/transports/kafka/fetcher.ts';
import { joinGroup, type GroupContext, type GroupMembership } from '../../../src/transports/kafka/group-membership.ts';
import { silentKafkaObserver, type KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { createLeaders } from '../../../src/transports/kafka/leaders.ts';
import { kafkajsProducers } from '../../../src/transports/kafka/producers/kafkajs-producer.ts';
import { createTopicCatalogue } from '../../../src/transports/kafka/topics.ts';

export const never = new AbortController().signal;
export const roomy = { records: 1_000, bytes: 64 * 1024 * 1024 };

export function kafkaOptions(brokers: string, overrides: Partial<KafkaOptions> = {}): KafkaOptions {
  return {
    brokers: [brokers],
    clientId: 'labelstream-test',
    tls: undefined,
    sasl: undefined,
    producer: 'kafkajs',
    compression: 'none',
    replicationFactor: undefined,
    sessionTimeoutMs: 6_000,
    rebalanceTimeoutMs: 20_000,
    heartbeatIntervalMs: 50,
    transactionTimeoutMs: 10_000,
    requestTimeoutMs: 5_000,
    limits: recordLimits(512 * 1024),
    clock: systemClock,
    random: Math.random,
    observer: silentKafkaObserver,
    ...overrides,
  };
}

export type Parts = { readonly context: GroupContext; readonly decided: BoundsReader['decided']; readonly close: () => Promise<void> };

/** What a process has once, whatever groups it is a member of. */
function openParts(options: KafkaOptions, overrides: Partial<GroupContext> = {}): Parts {
  const connection = openConnection(options);
  const closing = new AbortController();
  const topics = createTopicCatalogue(connection, options, closing.signal);
  const cluster = connection.openCluster();
  const leaders = createLeaders(cluster, options, closing.signal);
  const { bounds, offsets, decided } = createBoundsReader(cluster, leaders, options);
  const fetcher = createFetcher({
    connection,
    options,
    leaders,
    lostPosition: async (source, offset) => {
      const { start, stable } = await offsets(source);
      return offset < start || offset > stable ? pipelineError('LS_TRANSPORT_POSITION_LOST', `${String(offset)} is not in ${source.topic}.`) : undefined;
    },
  });
  const context: GroupContext = {
    openCluster: connection.openCluster,
    logger: connection.logger,
    options,
    fetcher,
    producers: kafkajsProducers(options, connection),
    bounds,
    readCommitted: (group, topicPartition) => readCommitted(connection, group, topicPartition),
    describeTopic: topics.describe,
    checkRecords: async (records) => {
      for (const record of records) await topics.locate(record);
    },
    metadataIntervalMs: 200,
    ...overrides,
  };
  return {
    context,
    decided,
    close: async () => {
      closing.abort();
      await fetcher.close();
      await connection.close();
    },
  };
}

export type Member = {
  readonly membership: GroupMembership;
  readonly held: () => readonly AssignedPartition[];
  readonly failures: readonly Error[];
  readonly parts: Parts;
  readonly close: () => Promise<void>;
};

/** A member without a mind of its own: it keeps what it was given until it is taken away. */
export function member(
  options: KafkaOptions,
  subscription: { readonly group: string; readonly topics: readonly string[]; readonly delivery?: Delivery; readonly listener?: Partial<ConsumerListener> },
  overrides: Partial<GroupContext> = {},
): Member {
  const parts = openParts(options, overrides);
  const failures: Error[] = [];
  let held: readonly AssignedPartition[] = [];
  const { listener } = subscription;
  const membership = joinGroup(parts.context, {
    group: subscription.group,
    topics: subscription.topics,
    delivery: subscription.delivery ?? 'at-least-once',
    listener: {
      assigned: async (partitions) => {
        held = partitions;
        await listener?.assigned?.(partitions);
      },
      revoked: async (partitions) => {
        await listener?.revoked?.(partitions);
        held = [];
      },
      failed: (error) => { failures.push(error); },
    },
  });
  return {
    membership,
    held: () => held,
    failures,
    parts,
    close: async () => {
      await membership.close();
      await parts.close();
    },
  };
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5);
}

export function output(topic: string, value: string, partition = 0): OutputRecord {
  return { topic, partition, key: null, value: Buffer.from(value), headers: noHeaders };
}

/** Until the broker leads it: kafkajs gives up where a broker that was just started does not know of it yet. */
export async function createTopic(admin: Admin, topic: string, partitionCount: number, settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const configEntries = Object.entries({ 'message.timestamp.type': 'LogAppendTime', ...settings }).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: [{ topic, numPartitions: partitionCount, configEntries }], waitForLeaders: false });
  const isLed = (metadata: Awaited<ReturnType<Admin['fetchTopicMetadata']>>): boolean => metadata.topics[0]!.partitions.every(({ leader }) => leader >= 0);
  await until(() => admin.fetchTopicMetadata({ topics: [topic] }).then(isLed, () => false));
}

/** What an operator's tools see, by clients of their own. */
export type Outside = {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly topic: (partitionCount?: number) => Promise<string>;
  readonly produce: (topic: string, values: readonly string[], partition?: number) => Promise<void>;
  /** What the broker has for the group; undefined where it never committed. */
  readonly offset: (group: string, topicPartition: TopicPartition) => Promise<{ readonly offset: string; readonly metadata: string | null } | undefined>;
  /** Read committed, to the last stable offset; by default when there is no transaction open any more. */
  readonly values: (topic: string, when?: 'decided' | 'now') => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
};

export async function outside(brokers: string): Promise<Outside> {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, clientId: 'outside' });
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: () => ({ message }) => message.partition ?? 0 });
  await admin.connect();
  await producer.connect();
  const reading = openParts(kafkaOptions(brokers, { clientId: 'outside' }));
  return {
    kafka,
    admin,
    topic: async (partitionCount = 1) => {
      const topic = `t-${randomUUID()}`;
      await createTopic(admin, topic, partitionCount);
      return topic;
    },
    produce: async (topic, values, partition = 0) => {
      await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value, partition })) });
    },
    offset: async (group, { topic, partition }) => {
      const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const found = fetched?.partitions.find((one) => one.partition === partition);
      return found === undefined || found.offset === '-1' ? undefined : found;
    },
    values: async (topic, when = 'decided') => {
      const { bounds, fetcher, describeTopic } = reading.context;
      const source = { topic, partition: 0, incarnation: (await describeTopic(topic)).incarnation };
      if (when === 'decided') await reading.decided(source, never);
      const { start, end } = await bounds(source);
      if (start.sequence === end.sequence) return [];
      const reader = fetcher.open(source, start.sequence);
      const values: string[] = [];
      for (let next = start.sequence; next < end.sequence; ) {
        const records = await reader.poll(roomy, never);
        values.push(...records.map(({ value }) => value.toString()));
        next = records.at(-1)!.sequence + 1n;
      }
      reader.close(new Error('read'));
      return values;
    },
    close: async () => {
      await admin.disconnect();
      await producer.disconnect();
      await reading.close();
    },
  };
}

/** Seeks to the group's checkpoint, or to the start where there is none. */
export async function resume(partition: AssignedPartition): Promise<void> {
  const committed = await partition.committed();
  partition.seek(committed?.position ?? (await partition.bounds()).start.position);
}
