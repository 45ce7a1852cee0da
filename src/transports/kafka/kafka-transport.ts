/**
 * The transport port on Kafka. It puts the parts together: topics.ts knows the topics, fetcher.ts reads, producers/ write, group-membership.ts is a
 * member of consumer groups, bounds.ts knows where partitions begin and end; and it refuses, before anything is sent, what the brokers would not take.
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import { kafkaError } from '../../core/errors/kafka.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import { recordBytes, type OutputRecord } from '../../core/records.ts';
import { codeOf } from '../../pipeline/retry.ts';
import type { TopicRetention, Transport } from '../../pipeline/transport.ts';
import { askAnyBroker, whileBrokersAnswer, type Guard } from './answering-brokers.ts';
import { createBoundsReader, type BoundsReader } from './bounds.ts';
import { openConnection, type KafkaCluster } from './connection.ts';
import { createFetcher } from './fetcher.ts';
import type { RecordSource } from './fetched-records.ts';
import { joinGroup, type GroupContext, type GroupMembership } from './group-membership.ts';
import { lookUpCommitted, readCommitted, resetGroup } from './group-offsets.ts';
import { asKafkaError } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { createLeaders } from './leaders.ts';
import { offsetAt } from './positions.ts';
import { boundOpenings } from './producers/bounded-opening.ts';
import { kafkajsProducers } from './producers/kafkajs-producer.ts';
import { platformaticProducers } from './producers/platformatic-producer.ts';
import { replaceTopic, topicForm } from './replace-topic.ts';
import { shareProducer } from './shared-producer.ts';
import { createSingleReads } from './single-reads.ts';
import { claimTopic } from './topic-claim.ts';
import { judgeTopics } from './topic-check.ts';
import { retentionIn } from './topic-retention.ts';
import { topicRights } from './topic-rights.ts';
import { createTopicCatalogue, type Topics } from './topics.ts';

/**
 * Resolves when a broker was reached; rejects with LS_KAFKA_UNREACHABLE after some seconds, with what else the brokers refuse, and with the reason of
 * the signal when that aborts first. `close` ends every subscription (their `revoked` is awaited) and then every connection.
 */
export async function openKafkaTransport(options: KafkaOptions, signal: AbortSignal = new AbortController().signal): Promise<Transport> {
  const parts = await openParts(options, signal);
  const { connection, closing, topics, fetcher, appender, reads, subscriptions } = parts;
  const patiently: Guard = options.patience === 'once' ? whileBrokersAnswer(options, () => askAnyBroker(connection, options)) : (call) => call();
  let closed: Promise<void> | undefined;
  const requireOpen = (): void => {
    if (closing.signal.aborted) throw pipelineError('LS_TRANSPORT_CLOSED', 'The Kafka transport is closed.');
  };
  /** What a call that was in flight while the transport closed rejects with says only that. */
  const open: Guard = async (call) => {
    requireOpen();
    try {
      return await patiently(call);
    } catch (error) {
      requireOpen();
      throw error;
    }
  };
  const closeAll = async (): Promise<void> => {
    reads.close();
    await Promise.all([...subscriptions].map((membership) => membership.close()));
    await fetcher.close();
    await appender.close();
    await connection.close();
  };
  return {
    capabilities: { transactions: true, fencing: true },
    createTopics: (wanted) => open(() => topics.create(wanted)),
    checkTopics: (expectations) =>
      open(async () => {
        const names = expectations.topics.map(({ topic }) => topic);
        const rights = await topicRights(connection, names);
        const settings = await topics.settings(names.filter((topic) => rights.get(topic)?.has('DescribeConfigs') !== false));
        return judgeTopics({ expectations, rights, settings, limits: options.limits, namePrefix: options.namePrefix });
      }),
    describeTopic: (topic) => open(() => topics.describe(topic)),
    topicForm: (topic) => open(() => topicForm(parts, topic)),
    topicRetention: (topic) => open(() => topicRetention(topics, topic)),
    replaceTopic: (replacement) => open(() => replaceTopic({ ...parts, send: appender.send, options, closing: closing.signal }, replacement)),
    ...readingSide(parts, open),
    ...writingSide(parts, open, options),
    ...groupSide(parts, open, options),
    close: () => {
      closing.abort();
      return (closed ??= closeAll());
    },
  };
}

async function topicRetention(topics: Topics, topic: string): Promise<TopicRetention | undefined> {
  try {
    const settings = (await topics.settings([topic])).get(topic);
    return settings && retentionIn(settings);
  } catch (error) {
    if (codeOf(error) === 'LS_KAFKA_AUTHORIZATION') return undefined;
    throw error;
  }
}

type Parts = Awaited<ReturnType<typeof openParts>>;

async function openParts(options: KafkaOptions, signal: AbortSignal) {
  const connection = openConnection(options);
  const closing = new AbortController();
  const cluster = connection.openCluster();
  try {
    await reached(cluster, options, signal);
  } catch (error) {
    await connection.close();
    signal.throwIfAborted();
    throw asKafkaError(error, { operation: 'connect to the brokers', closedBecause: unspoken(options) });
  }
  const topics = createTopicCatalogue(connection, options, closing.signal);
  const leaders = createLeaders(cluster, options, closing.signal);
  const bounds = createBoundsReader(cluster, leaders, options);
  const fetcher = createFetcher({ connection, options, leaders, lostPosition: (source, offset) => lostPosition(topics, bounds, source, offset) });
  const ofDriver = options.producer === 'kafkajs' ? kafkajsProducers(options, connection, closing.signal) : platformaticProducers(options, closing.signal);
  const producers = boundOpenings(ofDriver, closing.signal);
  const appender = shareProducer(producers);
  const reads = createSingleReads(fetcher);
  const subscriptions = new Set<GroupMembership>();
  return { connection, closing, cluster, topics, bounds, fetcher, producers, appender, reads, subscriptions, checkRecords: recordCheck(topics, options) };
}

/** Brokers do not say what they miss. */
function unspoken({ tls, sasl }: KafkaOptions): string | undefined {
  const left = [...(tls === undefined ? ['TLS (transport.tls)'] : []), ...(sasl === undefined ? ['SASL (transport.sasl)'] : [])];
  return left.length === 0 ? undefined : `as a port does that asks for ${left.join(' or ')}, or a broker that is going away`;
}

/** A broker that takes connections and says nothing would be tried for minutes. */
const reachMsMax = 15_000;

async function reached(cluster: KafkaCluster, { clock, brokers }: KafkaOptions, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const late = clock.sleep(reachMsMax, AbortSignal.any([over.signal, signal])).then(() => {
    throw kafkaError('LS_KAFKA_UNREACHABLE', `None of the brokers ${brokers.join(', ')} answered within ${String(reachMsMax / 1000)} seconds.`);
  });
  // Where the first request of a connection is not answered, kafkajs takes it for connected when it tries again.
  const connected = cluster.connect().then(() => cluster.refreshMetadata());
  try {
    await Promise.race([connected, late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
    connected.catch(() => undefined);
  }
}

function readingSide({ topics, bounds, reads, closing }: Parts, open: Guard): Pick<Transport, 'bounds' | 'decided' | 'boundAt' | 'read' | 'isKept'> {
  return {
    decided: (topicPartition) => open(async () => bounds.decided(await topics.locate(topicPartition), closing.signal)),
    bounds: (topicPartition) => open(async () => bounds.bounds(await topics.locate(topicPartition))),
    boundAt: (topicPartition, landmark) => open(async () => bounds.boundAt(await topics.locate(topicPartition), landmark)),
    read: (topicPartition, from, budget, signal) =>
      open(async () => {
        const source = await topics.locate(topicPartition);
        const offset = from === undefined ? (await bounds.offsets(source)).start : offsetAt(from);
        return reads.read(source, offset, budget, signal);
      }),
    isKept: (topicPartition, position) => open(async () => isWithin(offsetAt(position), await bounds.offsets(await topics.locate(topicPartition)))),
  };
}

function writingSide({ topics, producers, appender, checkRecords }: Parts, open: Guard, { namePrefix }: KafkaOptions): Pick<Transport, 'append' | 'claim'> {
  return {
    append: (records) =>
      open(async () => {
        await checkRecords(records);
        if (records.length > 0) await appender.send(records);
      }),
    claim: (topic) =>
      open(async () => {
        await topics.describe(topic);
        const claim = await claimTopic(producers, { topic, namePrefix }, checkRecords);
        return { ...claim, append: (records) => open(() => claim.append(records)) };
      }),
  };
}

function groupSide(parts: Parts, open: Guard, options: KafkaOptions): Pick<Transport, 'committed' | 'resetGroup' | 'subscribe'> {
  const { connection, cluster, topics, subscriptions, closing } = parts;
  const context: GroupContext = {
    openCluster: connection.openCluster,
    logger: connection.logger,
    options,
    fetcher: parts.fetcher,
    producers: parts.producers,
    bounds: parts.bounds.bounds,
    readCommitted: (group, topicPartition) => readCommitted(connection, group, topicPartition),
    describeTopic: topics.describe,
    checkRecords: parts.checkRecords,
  };
  return {
    committed: (group, topicPartition) => open(async () => lookUpCommitted(connection, group, await topics.locate(topicPartition))),
    resetGroup: (group, places) =>
      open(async () => {
        for (const place of places) await topics.locate(place);
        await resetGroup(cluster, group, places);
      }),
    subscribe: (subscription) =>
      open(async () => {
        await Promise.all([...new Set(subscription.topics)].map(topics.describe));
        // kafkajs says of a group that this user may not use only that it has no coordinator, which is waited for.
        for (const topic of subscription.topics.slice(0, 1)) await lookUpCommitted(connection, subscription.group, { topic, partition: 0 });
        const membership = joinGroup(context, subscription);
        subscriptions.add(membership);
        // It may have been closed while the topics were asked for.
        if (closing.signal.aborted) await membership.close();
        await membership.joined;
        return {
          close: async () => {
            await membership.close();
            subscriptions.delete(membership);
          },
        };
      }),
  };
}

function isWithin(offset: bigint, { start, stable }: { readonly start: bigint; readonly stable: bigint }): boolean {
  return offset >= start && offset <= stable;
}

/** Of a broker that does not know the place: what the others say of it. */
async function lostPosition(topics: Topics, bounds: BoundsReader, source: RecordSource, offset: bigint): Promise<Error | undefined> {
  const { topic, partition, incarnation } = source;
  try {
    const description = await topics.describe(topic);
    const where = { topic, partition, position: offset };
    if (description.incarnation !== incarnation) {
      return pipelineError('LS_TRANSPORT_POSITION_LOST', `Topic "${topic}" was deleted and made anew: its records are others.`, where);
    }
    const offsets = await bounds.offsets(source);
    if (isWithin(offset, offsets)) return undefined;
    const { start, stable } = offsets;
    const message = `Partition ${partition} of ${topic} holds the offsets ${start.toString()} to before ${stable.toString()}; the position to read from is ${offset.toString()}.`;
    return pipelineError('LS_TRANSPORT_POSITION_LOST', message, { ...where, startSequence: start, endSequence: stable });
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_TOPIC_MISSING') return error;
    throw error;
  }
}

function recordCheck(topics: Topics, { limits }: KafkaOptions): (records: readonly OutputRecord[]) => Promise<void> {
  return async (records) => {
    for (const [index, record] of records.entries()) {
      const bytes = recordBytes(record);
      const recordBytesMax = limits.bytesMax(record.topic);
      if (bytes > recordBytesMax) throw tooLarge(record, index, bytes, recordBytesMax);
      if (!topics.isKnown(record)) await topics.locate(record);
    }
  };
}

function tooLarge({ topic, partition }: OutputRecord, index: number, bytes: number, recordBytesMax: number): Error {
  const message = `Record ${index} for partition ${partition} of ${topic} is ${bytes} bytes; the configuration allows up to ${recordBytesMax}.`;
  return pipelineError('LS_TRANSPORT_RECORD_TOO_LARGE', message, { topic, partition, index, bytes, recordBytesMax });
}
