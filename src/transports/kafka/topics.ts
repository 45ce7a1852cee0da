/** Topics: made, described, and their settings told to whoever judges them. The incarnation of a topic is Kafka's topic id. */
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { counted } from '../../core/counted.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { TopicPartition } from '../../core/records.ts';
import { topics as topicNames } from '../../core/topics.ts';
import type { RecordLimits } from '../../pipeline/record-limits.ts';
import type { TopicDescription } from '../../pipeline/transport.ts';
import type { KafkaConnection } from './connection.ts';
import { asKafkaError, protocolCodeOf } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { mayPass } from './leaders.ts';
import { withoutPrefix } from './name-prefix.ts';

export type NewTopic = { readonly topic: string; readonly partitionCount: number };

export type TopicSettings = TopicDescription & {
  readonly timestampType: string;
  readonly messageBytesMax: number;
  /** -1: for ever. */
  readonly retentionMs: number;
  /** Per partition; -1: no limit. */
  readonly retentionBytes: number;
  /** A record may be kept for so long beyond its retention: whole segments go. */
  readonly segmentMs: number;
  readonly cleanupPolicy: string;
};

export type Topics = {
  /** Makes those that are missing; all are checked before any is made. */
  readonly create: (topics: readonly NewTopic[]) => Promise<void>;
  /** Asked of the brokers. Rejects with LS_TRANSPORT_TOPIC_MISSING. */
  readonly describe: (topic: string) => Promise<TopicDescription>;
  /** From memory where it is there. Rejects with LS_TRANSPORT_TOPIC_MISSING also for a partition. */
  readonly locate: (topicPartition: TopicPartition) => Promise<TopicPartition & { readonly incarnation: string }>;
  /** Whether `locate` would find it without asking. */
  readonly isKnown: (topicPartition: TopicPartition) => boolean;
  /** By topic, those that exist. */
  readonly settings: (topics: readonly string[]) => Promise<ReadonlyMap<string, TopicSettings>>;
};

const topicNamePattern = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;
const partitionCountMax = 10_000;
/** TOPIC_ALREADY_EXISTS: somebody else made it in between. */
const alreadyExists = 36;
/** Of Kafka itself, where the brokers do not tell theirs. */
const messageBytesMaxDefault = 1_048_588;
const attemptsMax = 8;
const delayMs = 25;

export function createTopicCatalogue(connection: KafkaConnection, options: KafkaOptions, closing: AbortSignal): Topics {
  const known = new Map<string, TopicDescription>();
  const find = async (topic: string): Promise<TopicDescription | undefined> => {
    const description = await patiently(options, closing, () => askFor(connection, topic));
    if (description === undefined) known.delete(topic);
    else known.set(topic, description);
    return description;
  };
  const describe = async (topic: string): Promise<TopicDescription> => {
    const description = await find(topic);
    if (description !== undefined) return description;
    throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `There is no topic "${topic}" on the brokers.`, { topic });
  };
  const locate: Topics['locate'] = async ({ topic, partition }) => {
    let description = known.get(topic) ?? (await describe(topic));
    // Partitions may have been added.
    if (!holds(description, partition)) description = await describe(topic);
    if (holds(description, partition)) return { topic, partition, incarnation: description.incarnation };
    const message = `Topic "${topic}" has the partitions 0 to ${description.partitionCount - 1}; there is no ${partition}.`;
    throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', message, { topic, partition, partitionCount: description.partitionCount });
  };
  return {
    describe,
    locate,
    isKnown: ({ topic, partition }) => {
      const description = known.get(topic);
      return description !== undefined && holds(description, partition);
    },
    settings: async (topics) => {
      const descriptions = (await Promise.all(topics.map(find))).filter((description) => description !== undefined);
      return withAdmin(connection, 'describe the settings of topics', (admin) => topicSettings(admin, descriptions));
    },
    create: async (topics) => {
      for (const topic of topics) requireValid(topic);
      const missing: NewTopic[] = [];
      for (const wanted of topics) {
        const existing = await find(wanted.topic);
        if (existing === undefined) missing.push(wanted);
        else requirePartitionCount(existing, wanted.partitionCount);
      }
      if (missing.length === 0) return;
      await withAdmin(connection, 'create topics', (admin) => make(admin, missing, options));
      for (const { topic, partitionCount } of missing) {
        // The brokers learn of it a moment later.
        requirePartitionCount(await patiently(options, closing, () => describe(topic)), partitionCount);
      }
    },
  };
}

function holds({ partitionCount }: TopicDescription, partition: number): boolean {
  return Number.isInteger(partition) && partition >= 0 && partition < partitionCount;
}

/** Undefined where it is missing. A name that no topic can have is missing too. */
async function askFor({ protocolAdmin }: KafkaConnection, topic: string): Promise<TopicDescription | undefined> {
  if (!topicNamePattern.test(topic)) return undefined;
  try {
    const { topics } = await protocolAdmin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
    const found = topics.get(topic);
    return found && { topic, incarnation: found.id, partitionCount: found.partitionsCount };
  } catch (thrown) {
    const error = asKafkaError(thrown, { operation: 'describe', topic });
    if ('code' in error && error.code === 'LS_TRANSPORT_TOPIC_MISSING') return undefined;
    throw error;
  }
}

/** Repeats what fails in a way that may pass, for some seconds. */
async function patiently<Result>({ clock }: KafkaOptions, closing: AbortSignal, action: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (closing.aborted || attempt === attemptsMax || !mayPass(error)) throw error;
      await clock.sleep(delayMs * 2 ** attempt, closing);
    }
  }
}

async function withAdmin<Result>(connection: KafkaConnection, operation: string, action: (admin: Admin) => Promise<Result>): Promise<Result> {
  try {
    return await action(await connection.admin());
  } catch (thrown) {
    throw asKafkaError(thrown, { operation });
  }
}

function requireValid({ topic, partitionCount }: NewTopic): void {
  if (topicNamePattern.test(topic) && Number.isInteger(partitionCount) && partitionCount >= 1 && partitionCount <= partitionCountMax) return;
  throw pipelineError('LS_TRANSPORT_TOPIC_INVALID', `Topic "${topic}" cannot be made with ${partitionCount} partitions.`, { topic, partitionCount });
}

function requirePartitionCount({ topic, partitionCount }: TopicDescription, partitionCountAsked: number): void {
  if (partitionCount === partitionCountAsked) return;
  const message = `Topic "${topic}" has ${counted(partitionCount, 'partition')}, not ${partitionCountAsked}.`;
  throw pipelineError('LS_TRANSPORT_PARTITION_COUNT', message, { topic, partitionCount, partitionCountAsked });
}

async function make(admin: Admin, topics: readonly NewTopic[], options: KafkaOptions): Promise<void> {
  const brokerSettings = await settingsOfBrokers(admin).catch(() => []);
  const ofBrokers = messageBytesMaxOf(brokerSettings) ?? messageBytesMaxDefault;
  const redriveMs = redriveRetentionMs(brokerSettings);
  const configured = topics.map(({ topic, partitionCount }): ITopicConfig => {
    const needed = neededBytes(topic, ofBrokers, options);
    return {
      topic,
      numPartitions: partitionCount,
      // The brokers' own default.
      replicationFactor: options.replicationFactor ?? -1,
      configEntries: [
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        ...(needed > ofBrokers ? [{ name: 'max.message.bytes', value: String(needed) }] : []),
        ...(withoutPrefix(topic, options.namePrefix) === topicNames.redrive && redriveMs !== undefined ? [{ name: 'retention.ms', value: String(redriveMs) }] : []),
      ],
    };
  });
  try {
    await admin.createTopics({ topics: configured, waitForLeaders: false });
  } catch (error) {
    if (!everyAnswer(error, (answer) => protocolCodeOf(answer) === alreadyExists)) throw error;
  }
}

/** A dead letter holds its input whole: its topic takes more than the topics of inputs do, which are left at what the brokers say where that is enough. */
function neededBytes(topic: string, ofBrokers: number, { limits, namePrefix }: KafkaOptions): number {
  const needed = messageBytes(limits.bytesMax(topic));
  if (withoutPrefix(topic, namePrefix) !== topicNames.deadLetters) return needed;
  const ofInputs = Math.max(ofBrokers, messageBytes(limits.bytesMax((namePrefix ?? '') + topicNames.media)));
  return Math.max(needed, ofInputs + deadLetterExtraBytes(limits, namePrefix));
}

export function deadLetterExtraBytes({ bytesMax }: RecordLimits, namePrefix = ''): number {
  return bytesMax(namePrefix + topicNames.deadLetters) - bytesMax(namePrefix + topicNames.media);
}

/** kafkajs gathers the answers for several topics in one error. */
function everyAnswer(error: unknown, holds: (answer: unknown) => boolean): boolean {
  const answers = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? (error.errors as readonly unknown[]) : [error];
  return answers.every(holds);
}

/**
 * What a topic must take for a record of this size (`recordBytes`, whose flat overheads are above those of a record and its headers in a batch): the
 * frame of a batch, and what compression may add to bytes that do not compress.
 */
export function messageBytes(recordBytesMax: number): number {
  const batchBytes = 1024;
  return recordBytesMax + batchBytes + Math.ceil(recordBytesMax / 128);
}

async function topicSettings(admin: Admin, descriptions: readonly TopicDescription[]): Promise<ReadonlyMap<string, TopicSettings>> {
  if (descriptions.length === 0) return new Map();
  const { resources } = await admin.describeConfigs({
    resources: descriptions.map(({ topic }) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic })),
    includeSynonyms: false,
  });
  const settings = descriptions.map((description): TopicSettings => {
    const entries = resources.find(({ resourceName }) => resourceName === description.topic)?.configEntries ?? [];
    const valueOf = (name: string): string => entries.find(({ configName }) => configName === name)?.configValue ?? '';
    return {
      ...description,
      timestampType: valueOf('message.timestamp.type'),
      messageBytesMax: Number(valueOf('max.message.bytes')),
      retentionMs: Number(valueOf('retention.ms')),
      retentionBytes: Number(valueOf('retention.bytes')),
      segmentMs: Number(valueOf('segment.ms')),
      cleanupPolicy: valueOf('cleanup.policy'),
    };
  });
  return new Map(settings.map((setting) => [setting.topic, setting]));
}

/** Of each broker, by name; without those that have no value. */
type BrokerSettings = ReadonlyMap<string, number>;

const brokerSettingNames = ['message.max.bytes', 'log.retention.ms', 'log.retention.minutes', 'log.retention.hours', 'log.roll.ms', 'log.roll.hours'];

async function settingsOfBrokers(admin: Admin): Promise<readonly BrokerSettings[]> {
  const { brokers } = await admin.describeCluster();
  const { resources } = await admin.describeConfigs({
    resources: brokers.map(({ nodeId }) => ({ type: kafkajs.ConfigResourceTypes.BROKER, name: String(nodeId), configNames: brokerSettingNames })),
    includeSynonyms: false,
  });
  return resources.map(({ configEntries }) => new Map(configEntries.flatMap(({ configName, configValue }) => (/^-?\d+$/.test(configValue) ? [[configName, Number(configValue)]] : []))));
}

function messageBytesMaxOf(brokers: readonly BrokerSettings[]): number | undefined {
  const limits = brokers.flatMap((settings) => settings.get('message.max.bytes') ?? []);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** What marks dead letters as redriven must outlive them, and those are kept until their whole segment is over age. Undefined: for ever, or unknown. */
function redriveRetentionMs(brokers: readonly BrokerSettings[]): number | undefined {
  const times = brokers.map((settings) => {
    const of = (name: string, unitMs: number): number | undefined => (settings.has(name) ? (settings.get(name) ?? 0) * unitMs : undefined);
    const retentionMs = of('log.retention.ms', 1) ?? of('log.retention.minutes', 60_000) ?? of('log.retention.hours', 3_600_000) ?? -1;
    const segmentMs = of('log.roll.ms', 1) ?? of('log.roll.hours', 3_600_000) ?? 0;
    return retentionMs < 0 ? Infinity : retentionMs + segmentMs;
  });
  const longest = Math.max(...times);
  return Number.isFinite(longest) ? longest : undefined;
}
