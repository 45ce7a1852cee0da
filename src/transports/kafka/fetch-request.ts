/**
 * One Fetch request (version 11, read committed) over kafkajs' connections, with an answer that is our own: kafkajs rejects the whole answer for the
 * first partition with an error, and drops record batches that compaction has emptied, so that a reader could not pass them.
 */
import type { Broker } from 'kafkajs';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import fetchRequest from 'kafkajs/src/protocol/requests/fetch/v11/request.js';
import type { TopicPartition } from '../../core/records.ts';

export type PartitionFetch = TopicPartition & { readonly offset: bigint; readonly bytesMax: number };

export type AbortedTransaction = { readonly producerId: bigint; readonly firstOffset: bigint };

export type FetchedPartition = TopicPartition & {
  /** Of Kafka's protocol; 0 where there is none. */
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  /** Those that overlap the record batches. */
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; the last one may be cut off. A view of the whole answer where the partition is most of it, else a copy. */
  readonly batches: Buffer;
};

export type FetchWait = { readonly waitMs: number; readonly bytesMax: number };

const consumerReplicaId = -1;
const readCommitted = 1;

/** Answers at once where there are records, after `waitMs` where there are none. Where one is larger than the limits, the first partition gets it whole. */
export async function fetchFrom(broker: Broker, partitions: readonly PartitionFetch[], { waitMs, bytesMax }: FetchWait): Promise<readonly FetchedPartition[]> {
  if (!hasPool(broker)) throw new Error('kafkajs is not the version that this was written for.');
  const request = fetchRequest({
    replicaId: consumerReplicaId,
    isolationLevel: readCommitted,
    maxWaitTime: waitMs,
    minBytes: 1,
    maxBytes: bytesMax,
    topics: partitions.map(({ topic, partition, offset, bytesMax: maxBytes }) => ({
      topic,
      partitions: [{ partition, fetchOffset: offset.toString(), maxBytes }],
    })),
  });
  let answer: readonly FetchedPartition[] = [];
  const response = {
    // kafkajs waits before its next request where the broker asks for that.
    decode: (payload: Buffer) => Promise.resolve({ clientSideThrottleTime: payload.readInt32BE(0), payload }),
    parse: (decoded: { readonly payload: Buffer }) => {
      answer = decodeAnswer(decoded.payload);
      return Promise.resolve({});
    },
  };
  try {
    await broker.connectionPool.send({ request, response });
  } catch (error) {
    if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw error;
  }
  return answer;
}

type WithPool = Broker & { readonly connectionPool: { readonly send: (request: object) => Promise<object> } };

function hasPool(broker: Broker): broker is WithPool {
  return 'connectionPool' in broker;
}

/** https://kafka.apache.org/protocol#The_Messages_Fetch, version 11. */
function decodeAnswer(payload: Buffer): readonly FetchedPartition[] {
  const reader = { buffer: payload, at: 4 };
  const errorCode = readInt16(reader);
  if (errorCode !== 0) throw createErrorFromCode(errorCode);
  readInt32(reader);
  const fetched: FetchedPartition[] = [];
  for (let topics = readInt32(reader); topics > 0; topics--) {
    const name = readBytes(reader, readInt16(reader)).toString();
    for (let partitions = readInt32(reader); partitions > 0; partitions--) fetched.push(decodePartition(reader, name));
  }
  return fetched;
}

type Reader = { readonly buffer: Buffer; at: number };

function decodePartition(reader: Reader, topic: string): FetchedPartition {
  const partition = readInt32(reader);
  const errorCode = readInt16(reader);
  const highWatermark = readInt64(reader);
  const lastStableOffset = readInt64(reader);
  readInt64(reader);
  const aborted: AbortedTransaction[] = [];
  for (let count = readInt32(reader); count > 0; count--) aborted.push({ producerId: readInt64(reader), firstOffset: readInt64(reader) });
  readInt32(reader);
  const batches = readBytes(reader, readInt32(reader));
  // A slow partition must not keep the records of the others in memory.
  const owned = batches.length * 2 >= reader.buffer.length ? batches : Buffer.from(batches);
  return { topic, partition, errorCode, highWatermark, lastStableOffset, aborted, batches: owned };
}

function readInt16(reader: Reader): number {
  reader.at += 2;
  return reader.buffer.readInt16BE(reader.at - 2);
}

function readInt32(reader: Reader): number {
  reader.at += 4;
  return reader.buffer.readInt32BE(reader.at - 4);
}

function readInt64(reader: Reader): bigint {
  reader.at += 8;
  return reader.buffer.readBigInt64BE(reader.at - 8);
}

function readBytes(reader: Reader, length: number): Buffer {
  if (length <= 0) return Buffer.alloc(0);
  reader.at += length;
  return reader.buffer.subarray(reader.at - length, reader.at);
}

export { createErrorFromCode as protocolError };
