/**
 * Producing with kafkajs.
 *
 * The plain producer is not idempotent: kafkajs' idempotent one sets its sequence numbers back when a request fails, so that of two calls in flight
 * the second may be sent under the numbers of the first, and be dropped as its repetition. Without numbers each call awaits its sends one after the
 * other, which keeps the order inside the call. A request is repeated only where the broker answered that it does not lead the partition (yet),
 * and is for one partition (by-partition.ts); after any other failure the caller sends again, with another producer.
 *
 * The transactional producer makes one send at a time. It repeats what the broker answered with "not yet", after milliseconds: most of all the
 * first request of a transaction, while the markers of the one before are being written. kafkajs makes EndTxn once and never repeats a
 * TxnOffsetCommit that was not answered, as rule 24 of SEMANTICS.md wants it. Where a leader moved to a broker that has answered a part of the
 * send already, kafkajs leaves that broker out of the repetition, and resolves: missing answers fail the transaction.
 */
import { FindCoordinatorKeyTypes, findCoordinatorV3 } from '@platformatic/kafka';
import { CompressionTypes, type IHeaders, type Producer, type RecordMetadata, type TopicMessages, type Transaction } from 'kafkajs';
import type { Clock } from '../../../core/clock.ts';
import type { OutputRecord } from '../../../core/records.ts';
import { kafkaError } from '../../../core/errors/kafka.ts';
import { pipelineError } from '../../../core/errors/pipeline.ts';
import type { KafkaConnection } from '../connection.ts';
import { asKafkaError, callOn } from '../kafka-errors.ts';
import type { KafkaOptions } from '../kafka-options.ts';
import { recordSends } from '../record-batches.ts';
import { sendByPartition } from './by-partition.ts';
import { guardCalls } from './guarded-calls.ts';
import type { GroupOffset, PlainProducer, Producers, TransactionalProducer } from './producer-port.ts';
import { coordinatorNotYet, leaderNotYet, repeatAnswered } from './repeat-answered.ts';

/** 5 ms, 10, 20 and so on, about two seconds together. */
const transactionRetry = { initialRetryTime: 5, maxRetryTime: 500, factor: 0.2, multiplier: 2, retries: 10 } as const;
const noRetry = { retries: 0 } as const;
const allReplicas = -1;

/**
 * @param closing ends what is being opened.
 * @throws LS_KAFKA_COMPRESSION for what kafkajs has no codec of.
 */
export function kafkajsProducers(options: KafkaOptions, connection: KafkaConnection, closing: AbortSignal = new AbortController().signal): Producers {
  const compression = compressionOf(options);
  const sendAll: SendAll = async (sendBatch, records, each) => {
    for (const send of recordSends(records, options.limits.bytesMax)) {
      try {
        await each(send, async (records) => {
          const topicMessages = messagesOf(records);
          const answers = await sendBatch({ acks: allReplicas, timeout: options.requestTimeoutMs, compression, topicMessages });
          await checkAnswered(connection, records, answers);
        });
      } catch (error) {
        throw asKafkaError(error, callOn('produce to', send));
      }
    }
  };
  const parts: Parts = { options, connection, closing, sendAll };
  return {
    open: () => openPlain(parts),
    openTransactional: (transactionalId, entitled) => openTransactional(parts, transactionalId, entitled),
  };
}

type Parts = { readonly options: KafkaOptions; readonly connection: KafkaConnection; readonly closing: AbortSignal; readonly sendAll: SendAll };

type SendAll = (sendBatch: Producer['sendBatch'], records: readonly OutputRecord[], each: typeof sendByPartition) => Promise<void>;

/** With sequence numbers a request may be for many partitions. */
const sendTogether: typeof sendByPartition = (records, send) => send(records);

async function openPlain({ options, connection, closing, sendAll }: Parts): Promise<PlainProducer> {
  const producer = connection.kafka.producer({ allowAutoTopicCreation: false, createPartitioner: partitionOfMessage, retry: noRetry });
  const calls = guardCalls({ operation: 'produce' }, options, () => producer.disconnect(), closing);
  await calls.open(() => producer.connect());
  // kafkajs asks for the leaders anew after such an answer.
  const sendBatch: Producer['sendBatch'] = (batch) => repeatAnswered(leaderNotYet, options.clock, () => producer.sendBatch(batch));
  return { send: (records) => calls.run(() => sendAll(sendBatch, records, sendByPartition)), close: calls.close };
}

async function openTransactional({ options, connection, closing, sendAll }: Parts, transactionalId: string, entitled?: () => Promise<void>): Promise<TransactionalProducer> {
  const { clock, transactionTimeoutMs } = options;
  const settings = { allowAutoTopicCreation: false, createPartitioner: partitionOfMessage, retry: transactionRetry };
  const producer = connection.kafka.producer({ ...settings, transactionalId, transactionTimeout: transactionTimeoutMs });
  const calls = guardCalls({ operation: 'produce in a transaction', transactionalId }, options, () => producer.disconnect(), closing);
  // kafkajs initialises with the first transaction; one in which nothing was sent is not known to the broker.
  let begun: Transaction | undefined = await calls.open(async () => {
    await producer.connect();
    await entitled?.();
    return producer.transaction().catch((error: unknown) => tellWhyNoCoordinator(connection, transactionalId, error));
  });

  const transact = async (records: readonly OutputRecord[], offset: GroupOffset | undefined) => {
    const transaction = begun ?? (await producer.transaction());
    begun = transaction;
    if (records.length === 0 && offset === undefined) return;
    await sendAll((batch) => transaction.sendBatch(batch), records, sendTogether);
    if (offset !== undefined) await sendOffset(transaction, offset, clock);
    begun = undefined;
    await transaction.commit();
  };
  return { transact: (records, offset) => calls.transact(() => transact(records, offset)), close: calls.close };
}

async function sendOffset(transaction: Transaction, { group, topic, partition, offset, metadata }: GroupOffset, clock: Clock): Promise<void> {
  const topics = [{ topic, partitions: [{ partition, offset: String(offset), metadata }] }];
  try {
    await repeatAnswered(coordinatorNotYet, clock, () => transaction.sendOffsets({ consumerGroupId: group, topics }));
  } catch (error) {
    throw asKafkaError(error, { operation: 'commit an offset in a transaction', topic, partition, group });
  }
}

/**
 * kafkajs says of every refusal to name a coordinator only that there was none. A user who may not use the transactional id has to be told, and not
 * to wait for ever, so the question is put once more.
 */
async function tellWhyNoCoordinator(connection: KafkaConnection, transactionalId: string, error: unknown): Promise<never> {
  if (error instanceof Error && error.name === 'KafkaJSGroupCoordinatorNotFound') {
    const brokers = await connection.protocolAdmin.connectToBrokers();
    for (const broker of brokers.values()) await findCoordinatorV3.api.async(broker, FindCoordinatorKeyTypes.TRANSACTION, [transactionalId]);
  }
  throw error;
}

const partitionOfMessage = () => ({ message }: { readonly message: { readonly partition?: number } }) => message.partition ?? 0;

function messagesOf(records: readonly OutputRecord[]): TopicMessages[] {
  const topics = new Map<string, TopicMessages['messages']>();
  for (const { topic, partition, key, value, headers } of records) {
    const message = { key, value, partition, ...(headers.size === 0 ? {} : { headers: headersOf(headers) }) };
    const messages = topics.get(topic);
    if (messages === undefined) topics.set(topic, [message]);
    else messages.push(message);
  }
  return Array.from(topics, ([topic, messages]) => ({ topic, messages }));
}

/** `fromEntries` makes properties of its own of all names, `__proto__` included. */
const headersOf = (headers: OutputRecord['headers']): IHeaders => Object.fromEntries(headers);

/**
 * kafkajs leaves out what it has for a partition that it does not know, or whose leader moved while it repeated the send, and says nothing of it.
 * Where the partition exists, the caller's next producer finds its leader.
 */
async function checkAnswered({ protocolAdmin }: KafkaConnection, send: readonly OutputRecord[], answers: readonly RecordMetadata[]): Promise<void> {
  const answered = new Map<string, Set<number>>();
  for (const { topicName, partition } of answers) answered.set(topicName, (answered.get(topicName) ?? new Set<number>()).add(partition));
  const missing = send.find(({ topic, partition }) => answered.get(topic)?.has(partition) !== true);
  if (missing === undefined) return;
  const { topic, partition } = missing;
  const { topics } = await protocolAdmin.metadata({ topics: [topic], forceUpdate: true });
  if (topics.get(topic)?.partitions[partition] === undefined) {
    throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `The topic "${topic}" has no partition ${String(partition)}.`, { topic, partition });
  }
  throw kafkaError('LS_KAFKA_REQUEST', `Nothing was sent to partition ${String(partition)} of ${topic}, whose leader moved.`, { topic, partition });
}

function compressionOf({ compression }: KafkaOptions): CompressionTypes {
  if (compression === 'none') return CompressionTypes.None;
  if (compression === 'gzip') return CompressionTypes.GZIP;
  throw kafkaError('LS_KAFKA_COMPRESSION', `kafkajs cannot compress with ${compression}.`, { compression });
}
