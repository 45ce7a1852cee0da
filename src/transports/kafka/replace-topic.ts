/**
 * A topic made anew under its name, with other partitions and the settings that it had. Kafka has no such operation, so it goes in steps, each of which
 * finds out whether it is done already: delete, wait until the brokers know nothing of it, create, and let each partition begin above offset 0, by a
 * record that is removed at once (DeleteRecords): a topic whose beginning is there would be taken for one that was never worked on. What was made in
 * between with other partitions (by brokers that make topics themselves) goes as the former did, while nothing is in it.
 */
import kafkajs, { type Admin } from 'kafkajs';
import { counted } from '../../core/counted.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { kafkaError } from '../../core/errors/kafka.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import { noHeaders, type OutputRecord } from '../../core/records.ts';
import type { TopicDescription, TopicForm, TopicReplacement } from '../../pipeline/transport.ts';
import type { BoundsReader } from './bounds.ts';
import { refreshMetadata, type KafkaCluster, type KafkaConnection } from './connection.ts';
import { asKafkaError, protocolCodeOf } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { Topics } from './topics.ts';

export type ReplacementParts = {
  readonly connection: KafkaConnection;
  readonly cluster: KafkaCluster;
  readonly topics: Topics;
  readonly bounds: BoundsReader;
  readonly send: (records: readonly OutputRecord[]) => Promise<void>;
  readonly options: Pick<KafkaOptions, 'clock' | 'replicationFactor'>;
  readonly closing: AbortSignal;
};

/** Kafka deletes in the background; a cluster that is well takes milliseconds. */
const patienceMs = 60_000;
const retryMs = 100;
const topicAlreadyExists = 36;
const unknownTopic = 3;

export async function topicForm({ connection, topics }: Pick<ReplacementParts, 'connection' | 'topics'>, topic: string): Promise<TopicForm> {
  await topics.describe(topic);
  return withAdmin(connection, 'describe the settings of', topic, async (admin) => {
    const { resources } = await admin.describeConfigs({ resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }], includeSynonyms: false });
    const own = (resources[0]?.configEntries ?? []).filter(({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG);
    const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic] });
    const replicationFactor = found[0]?.partitions[0]?.replicas.length;
    return { replicationFactor, settings: Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue])) };
  });
}

export async function replaceTopic(parts: ReplacementParts, replacement: TopicReplacement): Promise<TopicDescription> {
  const { topic, formerIncarnation } = replacement;
  const { connection, topics, cluster } = parts;
  /** Deleted here: brokers that do not know of it yet still tell of them, and may tell of the next one later. */
  const deleted = new Set<string>();
  const description = await eventually(parts, topic, async () => {
    const found = await present(topics, topic);
    if (found === undefined) await create(parts, replacement);
    if (found === undefined || deleted.has(found.incarnation)) return undefined;
    if (found.incarnation !== formerIncarnation && (found.partitionCount === replacement.partitionCount || !(await isEmpty(parts, found)))) return found;
    await withAdmin(connection, 'delete', topic, (admin) => admin.deleteTopics({ topics: [topic] })).catch((error: unknown) => {
      if (!isAnswer(error, unknownTopic)) throw error;
    });
    deleted.add(found.incarnation);
    return undefined;
  });
  requirePartitionCount(description, replacement.partitionCount);
  await refreshMetadata(cluster);
  for (let partition = 0; partition < description.partitionCount; partition++) await beginAboveZero(parts, { topic, partition });
  return description;
}

/** What a transaction that is not ended has written counts as nothing. */
async function isEmpty({ bounds, cluster }: ReplacementParts, { topic, partitionCount }: TopicDescription): Promise<boolean> {
  await refreshMetadata(cluster);
  for (let partition = 0; partition < partitionCount; partition++) {
    const { start, stable } = await bounds.offsets({ topic, partition });
    if (start < stable) return false;
  }
  return true;
}

async function present(topics: Topics, topic: string): Promise<TopicDescription | undefined> {
  try {
    return await topics.describe(topic);
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_TOPIC_MISSING') return undefined;
    throw error;
  }
}

/** Brokers that still delete the former one, or do not know of the new one yet, are asked again. */
async function create({ connection, options }: ReplacementParts, { topic, partitionCount, form }: TopicReplacement): Promise<void> {
  const configEntries = Object.entries(form.settings).map(([name, value]) => ({ name, value }));
  const replicationFactor = options.replicationFactor ?? form.replicationFactor ?? -1;
  try {
    await withAdmin(connection, 'make anew', topic, (admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: partitionCount, replicationFactor, configEntries }], waitForLeaders: false }),
    );
  } catch (error) {
    if (!isAnswer(error, topicAlreadyExists)) throw error;
  }
}

async function beginAboveZero(parts: ReplacementParts, place: { readonly topic: string; readonly partition: number }): Promise<void> {
  const { topic, partition } = place;
  await eventually(parts, topic, async () => {
    const { start, stable } = await parts.bounds.offsets(place);
    if (start > 0n) return true;
    if (stable === 0n) await parts.send([{ ...place, key: null, value: Buffer.alloc(0), headers: noHeaders }]);
    else await withAdmin(parts.connection, 'remove the first record of', topic, (admin) => admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '1' }] }));
    return undefined;
  });
}

/** What fails in a way that may pass is tried again: leaders are elected only after the topic was made. */
async function eventually<Result>({ options: { clock }, closing }: ReplacementParts, topic: string, attempt: () => Promise<Result | undefined>): Promise<Result> {
  const startedMs = clock.elapsedMs();
  let failure: Error | undefined;
  for (;;) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
      failure = undefined;
    } catch (error) {
      if (!(error instanceof LabelstreamError && (error.retryable || error.code === 'LS_TRANSPORT_TOPIC_MISSING'))) throw error;
      failure = error;
    }
    if (closing.aborted || clock.elapsedMs() - startedMs > patienceMs) {
      throw failure ?? kafkaError('LS_KAFKA_REQUEST', `The topic "${topic}" could not be made anew within ${patienceMs / 1000} seconds.`, { topic });
    }
    await clock.sleep(retryMs, closing);
  }
}

function requirePartitionCount({ topic, partitionCount }: TopicDescription, partitionCountAsked: number): void {
  if (partitionCount === partitionCountAsked) return;
  const message = `Topic "${topic}" has ${counted(partitionCount, 'partition')}, not ${partitionCountAsked}.`;
  throw pipelineError('LS_TRANSPORT_PARTITION_COUNT', message, { topic, partitionCount, partitionCountAsked });
}

async function withAdmin<Result>(connection: KafkaConnection, operation: string, topic: string, action: (admin: Admin) => Promise<Result>): Promise<Result> {
  try {
    return await action(await connection.admin());
  } catch (thrown) {
    throw asKafkaError(thrown, { operation, topic });
  }
}

function isAnswer(error: unknown, code: number): boolean {
  return error instanceof Error && protocolCodeOf(error.cause) === code;
}
