/**
 * The requests of a producer, one by one, on @platformatic/kafka's connections and encoders.
 *
 * Its own `Producer` is not used, because it repeats EndTxn and TxnOffsetCommit that were not answered (SEMANTICS.md, rule 24, forbids it), commits
 * offsets of its own consumers alone and without metadata, sends an AddPartitionsToTxn that is for brokers (it needs a right on the cluster), takes
 * the request's time-out for that of transactions, and puts what is for a partition that a topic has not into another one.
 */
import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  Base,
  endTxnV3,
  findCoordinatorV3,
  FindCoordinatorKeyTypes,
  initProducerIdV4,
  NumericMap,
  ProduceAcks,
  produceV9,
  txnOffsetCommitV3,
  type Connection,
  type MessageRecord,
} from '@platformatic/kafka';
import { kafkaError } from '../../../core/errors/kafka.ts';
import { pipelineError } from '../../../core/errors/pipeline.ts';
import { noHeaders, type OutputRecord } from '../../../core/records.ts';
import { closeClient, protocolOptions, withstandingResets } from '../connection.ts';
import type { KafkaOptions } from '../kafka-options.ts';
import { allDone } from './by-partition.ts';
import type { GroupOffset } from './producer-port.ts';
import { coordinatorNotYet, leaderNotYet, repeatAnswered } from './repeat-answered.ts';

export type ProducerIdentity = { readonly transactionalId: string; readonly producerId: bigint; readonly producerEpoch: number };

/** Of a transactional producer: the number of its next record in each partition. */
export type Sequences = NumericMap;

export type ProducerClient = {
  /**
   * Resolves when the topic's leaders have all records; each partition's in one batch. What a leader refused is repeated with all the rest:
   * without sequence numbers it has to be of one partition.
   */
  readonly produce: (records: readonly OutputRecord[], as?: { readonly identity: ProducerIdentity; readonly sequences: Sequences }) => Promise<void>;
  readonly initProducerId: (transactionalId: string) => Promise<ProducerIdentity>;
  readonly addPartitions: (identity: ProducerIdentity, records: readonly OutputRecord[]) => Promise<void>;
  readonly commitOffset: (identity: ProducerIdentity, offset: GroupOffset) => Promise<void>;
  readonly commit: (identity: ProducerIdentity) => Promise<void>;
  readonly checkVersions: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** All of Kafka 2.8 and later; the newer ones have nothing that is needed here. Above 3, AddPartitionsToTxn is for brokers. */
const requests = [addOffsetsToTxnV3, addPartitionsToTxnV3, endTxnV3, findCoordinatorV3, initProducerIdV4, produceV9, txnOffsetCommitV3];

/** Leaders are asked for anew when one says that it is none; a producer that fails otherwise is replaced. */
const metadataAgeMsMax = 300_000;
const sequenceCount = 2 ** 31;

type Coordinators = { readonly of: (kind: 'group' | 'transaction', key: string) => Promise<Connection>; readonly forget: () => void };

export function producerClient(options: KafkaOptions): ProducerClient {
  const { clock, requestTimeoutMs, transactionTimeoutMs, compression } = options;
  const client = withstandingResets(new Base({ ...protocolOptions(options), retries: 0, metadataMaxAge: metadataAgeMsMax }));
  const coordinators = openCoordinators(client);
  const connectionTo = async (nodeId: number) => connected(await client.connectToBrokers([nodeId]), nodeId);

  /** What is answered with "not yet" is repeated, to the coordinator that is named then. */
  const ask = <Answer>(kind: 'group' | 'transaction', key: string, request: (connection: Connection) => Promise<Answer>) =>
    repeatAnswered(coordinatorNotYet, clock, async (repeats) => {
      if (repeats > 0) coordinators.forget();
      return request(await coordinators.of(kind, key));
    });

  return {
    checkVersions: () => checkVersions(client),
    produce: async (records, as) => {
      const sequences = as === undefined ? undefined : numberRecords(as.sequences, records);
      const settings = { compression, ...as?.identity, ...(sequences === undefined ? {} : { sequences }) };
      await repeatAnswered(leaderNotYet, clock, async (repeats) => {
        const byLeader = await messagesByLeader(client, records, repeats > 0);
        const all = Array.from(byLeader, async ([leader, messages]) => {
          await produceV9.api.async(await connectionTo(leader), ProduceAcks.ALL, requestTimeoutMs, messages, settings);
        });
        await allDone(all);
      });
    },
    initProducerId: async (transactionalId) => {
      const answer = await ask('transaction', transactionalId, (connection) =>
        initProducerIdV4.api.async(connection, transactionalId, transactionTimeoutMs, -1n, -1),
      );
      return { transactionalId, producerId: answer.producerId, producerEpoch: answer.producerEpoch };
    },
    addPartitions: async ({ transactionalId, producerId, producerEpoch }, records) => {
      const topics = partitionsOf(records);
      await ask('transaction', transactionalId, (connection) =>
        addPartitionsToTxnV3.api.async(connection, [{ transactionalId, producerId, producerEpoch, verifyOnly: false, topics }]),
      );
    },
    commitOffset: async ({ transactionalId, producerId, producerEpoch }, { group, topic, partition, offset, metadata }) => {
      await ask('transaction', transactionalId, (connection) =>
        addOffsetsToTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, group),
      );
      const partitions = [{ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata }];
      // No generation, no member: the transactional id belongs to the input partition, so its next owner fences this one.
      await ask('group', group, (connection) =>
        txnOffsetCommitV3.api.async(connection, transactionalId, group, producerId, producerEpoch, -1, '', null, [{ name: topic, partitions }]),
      );
    },
    commit: async ({ transactionalId, producerId, producerEpoch }) => {
      await ask('transaction', transactionalId, (connection) => endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, true));
    },
    close: () => closeClient(client, options),
  };
}

async function checkVersions(client: Base): Promise<void> {
  const served = await client.listApis();
  const missing = requests.find(({ api }) => !served.some((one) => one.apiKey === api.key && one.minVersion <= api.version && api.version <= one.maxVersion));
  if (missing === undefined) return;
  const { key, version } = missing.api;
  const message = `The broker does not serve version ${version} of request ${key}: producing with platformatic needs Kafka 2.8 or later. Use kafkajs.`;
  throw kafkaError('LS_KAFKA_REFUSED', message, { request: key, version });
}

function openCoordinators(client: Base): Coordinators {
  const known = new Map<string, number>();
  return {
    of: async (kind, key) => {
      let nodeId = known.get(`${kind} ${key}`);
      if (nodeId === undefined) {
        nodeId = await findCoordinator(client, kind, key);
        known.set(`${kind} ${key}`, nodeId);
      }
      return connected(await client.connectToBrokers([nodeId]), nodeId);
    },
    forget: () => known.clear(),
  };
}

/** Any broker can say; the first that can be connected to is asked. */
async function findCoordinator(client: Base, kind: 'group' | 'transaction', key: string): Promise<number> {
  const { brokers } = await client.metadata({ topics: [], forceUpdate: true });
  let failure: Error | undefined;
  for (const nodeId of brokers.keys()) {
    let connection: Connection;
    try {
      connection = connected(await client.connectToBrokers([nodeId]), nodeId);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      continue;
    }
    const type = kind === 'group' ? FindCoordinatorKeyTypes.GROUP : FindCoordinatorKeyTypes.TRANSACTION;
    const { coordinators } = await findCoordinatorV3.api.async(connection, type, [key]);
    if (coordinators[0] !== undefined) return coordinators[0].nodeId;
  }
  if (failure !== undefined) throw failure;
  throw kafkaError('LS_KAFKA_REQUEST', `No broker named the coordinator of the ${kind} "${key}".`);
}

/** A broker that is named as leader or coordinator may not be in the list of brokers yet. */
function connected(connections: ReadonlyMap<number, Connection>, nodeId: number): Connection {
  const connection = connections.get(nodeId);
  if (connection === undefined) throw kafkaError('LS_KAFKA_REQUEST', `Broker ${nodeId} is not known, or not yet.`, { broker: nodeId });
  return connection;
}

async function messagesByLeader(client: Base, records: readonly OutputRecord[], forceUpdate: boolean): Promise<ReadonlyMap<number, MessageRecord[]>> {
  const names = [...new Set(records.map(({ topic }) => topic))];
  const { topics } = await client.metadata({ topics: names, forceUpdate });
  const byLeader = new Map<number, MessageRecord[]>();
  for (const record of records) {
    const { topic, partition } = record;
    const leader = topics.get(topic)?.partitions[partition]?.leader;
    if (leader === undefined) {
      throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `The topic "${topic}" has no partition ${partition}.`, { topic, partition });
    }
    const messages = byLeader.get(leader);
    if (messages === undefined) byLeader.set(leader, [messageOf(record)]);
    else messages.push(messageOf(record));
  }
  return byLeader;
}

function messageOf({ topic, partition, key, value, headers }: OutputRecord): MessageRecord {
  return { topic, partition, value, ...(key === null ? {} : { key }), ...(headers === noHeaders ? {} : { headers: headersOf(headers) }) };
}

function headersOf(headers: OutputRecord['headers']): Map<Buffer, Buffer> {
  const encoded = new Map<Buffer, Buffer>();
  for (const [name, value] of headers) encoded.set(Buffer.from(name), value);
  return encoded;
}

/** The number of the first record per partition, and the counting on. Numbers begin again after 2^31. */
function numberRecords(sequences: Sequences, records: readonly OutputRecord[]): NumericMap {
  const first = new NumericMap();
  for (const { topic, partition } of records) {
    const key = `${topic}:${partition}`;
    const sequence = sequences.getWithDefault(key, 0);
    if (!first.has(key)) first.set(key, sequence);
    sequences.set(key, (sequence + 1) % sequenceCount);
  }
  return first;
}

function partitionsOf(records: readonly OutputRecord[]): { name: string; partitions: number[] }[] {
  const topics = new Map<string, Set<number>>();
  for (const { topic, partition } of records) topics.set(topic, (topics.get(topic) ?? new Set<number>()).add(partition));
  return Array.from(topics, ([name, partitions]) => ({ name, partitions: [...partitions] }));
}
