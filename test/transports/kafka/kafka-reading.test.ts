/** Reading on a real broker: what retention, aborted transactions, large records and a broker that goes away make of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { noHeaders, type OutputRecord, type TopicPartition } from '../../../src/core/records.ts';
import { allTopics, topics } from '../../../src/core/topics.ts';
import { recordLimits } from '../../../src/pipeline/record-limits.ts';
import type { Transport } from '../../../src/pipeline/transport.ts';
import { openConnection } from '../../../src/transports/kafka/connection.ts';
import { readCommitted } from '../../../src/transports/kafka/group-offsets.ts';
import type { KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { openKafkaTransport } from '../../../src/transports/kafka/kafka-transport.ts';
import { limitsUnderPrefix, withNamePrefix } from '../../../src/transports/kafka/name-prefix.ts';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { kafkaOptions } from './group-fixture.ts';

const never = new AbortController().signal;
const roomy = { records: 10_000, bytes: 64 * 1024 * 1024 };
const recordBytesMax = 4 * 1024 * 1024;

const options = (brokers: string): KafkaOptions => kafkaOptions(brokers, { clientId: 'reading', heartbeatIntervalMs: 500, limits: recordLimits(recordBytesMax) });

const output = (topic: string, partition: number, value: string | Buffer): OutputRecord => ({ topic, partition, key: null, value: Buffer.from(value), headers: noHeaders });
const numbered = (topic: string, partition: number, count: number): readonly OutputRecord[] => Array.from({ length: count }, (_, index) => output(topic, partition, String(index)));
const codeOf = (error: unknown): string => (error instanceof LabelstreamError ? error.code : String(error));
const retryability = (error: unknown): boolean => error instanceof LabelstreamError && error.retryable;
const names = (records: readonly { readonly value: Buffer }[]): readonly string[] => records.map(({ value }) => value.toString());

describeWith(await kafkaNeeds(), 'reading from Kafka', () => {
  let broker: KafkaBroker;
  let transport: Transport;
  let admin: Admin;
  let kafka: Kafka;
  beforeAll(async () => {
    broker = await startKafka();
    kafka = new Kafka({ clientId: 'beside', brokers: [broker.brokers], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
    admin = kafka.admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin.disconnect();
    await broker.close();
  });
  beforeEach(async () => {
    transport = await openKafkaTransport(options(broker.brokers));
  });
  afterEach(() => transport.close());

  async function made(topic: string, partitionCount = 1): Promise<TopicPartition> {
    await transport.createTopics([{ topic, partitionCount }]);
    return { topic, partition: 0 };
  }

  async function withProducer(use: (producer: Producer) => Promise<void>, transactionalId?: string): Promise<void> {
    const producer = kafka.producer({ ...(transactionalId === undefined ? {} : { transactionalId, idempotent: true, maxInFlightRequests: 1 }), createPartitioner: () => () => 0 });
    await producer.connect();
    await use(producer);
    await producer.disconnect();
  }

  const settled = async (partition: TopicPartition, lastValue: string): Promise<void> => {
    for (;;) {
      const { start, end } = await transport.bounds(partition);
      if (end.sequence === start.sequence) continue;
      const [last] = await transport.read(partition, String(end.sequence - 1n), roomy, never);
      if (last?.value.toString() === lastValue) return;
    }
  };

  test('a record that its producer dated 2099 has the time at which the broker appended it', async () => {
    const partition = await made('dated');
    const before = Date.now();
    await withProducer(async (producer) => {
      await producer.send({ topic: 'dated', messages: [{ value: 'x', timestamp: String(Date.UTC(2099, 0, 1)) }] });
    });
    const [record] = await transport.read(partition, undefined, roomy, never);
    expect(Math.abs(record!.appendTimeMs - before)).toBeLessThan(60_000);
    expect(await transport.boundAt(partition, { appendTimeMs: Date.UTC(2098, 0, 1) })).toEqual((await transport.bounds(partition)).end);
  });

  test('ends are exact behind markers and aborted records, long ones too, and places are found among visible records', async () => {
    const partition = await made('aborted');
    await withProducer(async (producer) => {
      const send = async (value: string, count: number, end: 'commit' | 'abort'): Promise<void> => {
        const transaction = await producer.transaction();
        await transaction.send({ topic: 'aborted', messages: Array.from({ length: count }, () => ({ value })) });
        await transaction[end]();
      };
      await send('never', 3, 'abort');
      expect(await transport.bounds(partition)).toMatchObject({ start: { sequence: 0n }, end: { sequence: 0n } });
      await send('first', 1, 'commit');
      await send('second', 1, 'commit');
      await send('never', 700, 'abort');
    }, 'aborting');
    await settled(partition, 'second');
    const { end } = await transport.bounds(partition);
    const read = await transport.read(partition, undefined, roomy, never);
    // Three aborted, a marker, one record, a marker.
    expect(read.map(({ sequence, value }) => [sequence, value.toString()])).toEqual([[4n, 'first'], [6n, 'second']]);
    expect(end).toEqual({ position: read.at(-1)!.nextPosition, sequence: 7n });
    expect(await transport.boundAt(partition, { sequence: 0n })).toMatchObject({ sequence: 4n });
    expect(await transport.boundAt(partition, { sequence: 5n })).toMatchObject({ sequence: 6n });
    expect(await transport.boundAt(partition, { sequence: 7n })).toEqual(end);
    expect(await transport.boundAt(partition, { appendTimeMs: 0 })).toMatchObject({ sequence: 4n });
    const waiting = transport.read(partition, end.position, roomy, never);
    await transport.append([output('aborted', 0, 'after')]);
    expect(names(await waiting)).toEqual(['after']);
    await admin.fetchTopicMetadata({ topics: ['aborted'] });
    await admin.deleteTopicRecords({ topic: 'aborted', partitions: [{ partition: 0, offset: '-1' }] });
    const { start, end: emptied } = await transport.bounds(partition);
    expect(emptied).toEqual(start);
  });

  test('a lost position is one partition\'s own trouble', async () => {
    await made('shared', 3);
    for (const partition of [0, 1, 2]) await transport.append(numbered('shared', partition, 20));
    await admin.fetchTopicMetadata({ topics: ['shared'] });
    await admin.deleteTopicRecords({ topic: 'shared', partitions: [{ partition: 1, offset: '10' }] });
    const reads = [0, 1, 2].map((partition) => transport.read({ topic: 'shared', partition }, '0', roomy, never).then(names, codeOf));
    const all = Array.from({ length: 20 }, (_, index) => String(index));
    expect(await Promise.all(reads)).toEqual([all, 'LS_TRANSPORT_POSITION_LOST', all]);
    await expect(transport.read({ topic: 'shared', partition: 0 }, '21', roomy, never)).rejects.toMatchObject({ code: 'LS_TRANSPORT_POSITION_LOST', details: { startSequence: 0n, endSequence: 20n } });
  });

  test('records larger than what is read ahead arrive whole, also beside busy partitions', async () => {
    await made('large', 4);
    const large = Buffer.alloc(3 * 1024 * 1024, 7);
    for (const partition of [0, 1, 2, 3]) await transport.append([output('large', partition, large), ...numbered('large', partition, 200), output('large', partition, large)]);
    const sizes = await Promise.all([0, 1, 2, 3].map(async (partition) => {
      const read: number[] = [];
      for (let position = '0'; read.length < 202; ) {
        const records = await transport.read({ topic: 'large', partition }, position, { records: 50, bytes: 64 * 1024 }, never);
        read.push(...records.map(({ value }) => value.length));
        position = records.at(-1)!.nextPosition;
      }
      return read;
    }));
    for (const read of sizes) {
      expect(read).toHaveLength(202);
      expect([read[0], read[201]]).toEqual([large.length, large.length]);
    }
  });

  test('compressed batches are read, whoever compressed them', async () => {
    const partition = await made('compressed');
    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      const other = await openKafkaTransport({ ...options(broker.brokers), producer: 'platformatic', compression });
      await other.append([output('compressed', 0, compression.repeat(500)), output('compressed', 0, 'end')]);
      await other.close();
    }
    const read = names(await transport.read(partition, undefined, roomy, never));
    const rest = read.length < 8 ? names(await transport.read(partition, String(read.length), roomy, never)) : [];
    expect([...read, ...rest]).toEqual(['gzip', 'snappy', 'lz4', 'zstd'].flatMap((name) => [name.repeat(500), 'end']));
  });

  test('a topic that was made anew is another one: a reader of the old one is told', async () => {
    const partition = await made('anew');
    await transport.append(numbered('anew', 0, 3));
    const old = await transport.describeTopic('anew');
    expect(await transport.read(partition, '0', roomy, never)).toHaveLength(3);
    const waiting = transport.read(partition, '3', roomy, never).then(names, codeOf);
    await admin.deleteTopics({ topics: ['anew'] });
    expect(['LS_TRANSPORT_TOPIC_MISSING', 'LS_TRANSPORT_POSITION_LOST']).toContain(await waiting);
    await transport.createTopics([{ topic: 'anew', partitionCount: 2 }]);
    expect((await transport.describeTopic('anew')).incarnation).not.toBe(old.incarnation);
    expect((await transport.bounds(partition)).end.sequence).toBe(0n);
    // Other topics are read on.
    const beside = await made('beside');
    await transport.append(numbered('beside', 0, 2));
    expect(await transport.read(beside, undefined, roomy, never)).toHaveLength(2);
  });

  test('topics take the largest record that is allowed', async () => {
    const partition = await made('largest');
    const value = Buffer.alloc(recordBytesMax - 64, 1);
    await transport.append([output('largest', 0, value)]);
    expect((await transport.read(partition, undefined, roomy, never))[0]!.value.length).toBe(value.length);
  });

  test.each([
    ['', 1_000],
    ['', 1_000_000],
    ['shop.', 1_000],
    ['shop.', 4_000_000],
    ['dead-', 1_000_000],
  ])('topics that were made here are as they must be: with the prefix "%s" and records of up to %i bytes', async (namePrefix, largest) => {
    const installed = `${namePrefix}${String(largest)}.`;
    const own = await openKafkaTransport({ ...options(broker.brokers), namePrefix: installed, limits: limitsUnderPrefix(recordLimits(largest), installed) });
    const named = withNamePrefix(own, installed);
    const wanted = allTopics.map((topic) => ({ topic, partitionCount: 1, partitionCountSetting: 'transport.partitionCount' }));
    await named.createTopics(wanted);
    expect(await named.checkTopics({ topics: wanted, snapshotIntervalMs: 60_000 })).toEqual([]);
    // A week, a segment of a week, and what the broker takes.
    expect(await named.topicRetention(topics.text)).toEqual({ keptMsMax: 2 * 604_800_000 + 360_000, bytesMax: undefined });
    expect(await named.topicRetention('no-such-topic')).toBeUndefined();
    // As large as an input may be, and its dead letter.
    const value = (topic: string): OutputRecord => output(topic, 0, Buffer.alloc(recordLimits(largest).bytesMax(topic) - 64));
    await named.append([value(topics.text), value(topics.deadLetters)]);
    await own.close();
  });

  test('a broker that goes away: reads reject in a way that may pass, and go on when it is back', async () => {
    const partition = await made('outage');
    await transport.append(numbered('outage', 0, 3));
    const waiting = transport.read(partition, '3', roomy, never).then(names, retryability);
    await broker.kill();
    expect(await waiting).toBe(true);
    await expect(openKafkaTransport({ ...options(broker.brokers), requestTimeoutMs: 1_000 })).rejects.toMatchObject({ code: 'LS_KAFKA_UNREACHABLE', retryable: true });
    await broker.restart();
    for (;;) {
      const read = await transport.read(partition, '0', roomy, never).then(names, retryability);
      if (typeof read === 'object') {
        expect(read).toEqual(['0', '1', '2']);
        break;
      }
      expect(read).toBe(true);
      await delay(50);
    }
    expect((await transport.bounds(partition)).end.sequence).toBe(3n);
  });

  test('where a transaction of a group is not ended, who goes on from its offset waits, and who looks sees the one before', async () => {
    const partition = await made('undecided');
    const group = 'undecided';
    const at = (sequence: bigint) => ({ position: String(sequence + 1n), sequence, outputsSent: 0 });
    await transport.resetGroup(group, [{ ...partition, checkpoint: at(0n) }]);
    const connection = openConnection(options(broker.brokers));
    try {
      await withProducer(async (producer) => {
        const open = await producer.transaction();
        await open.sendOffsets({ consumerGroupId: group, topics: [{ topic: partition.topic, partitions: [{ partition: 0, offset: '2' }] }] });
        expect(await readCommitted(connection, group, partition).catch(retryability)).toBe(true);
        expect(await transport.committed(group, partition)).toEqual(at(0n));
        await open.commit();
      }, 'undecided');
      await expect.poll(() => readCommitted(connection, group, partition).catch(codeOf)).toEqual(at(1n));
    } finally {
      await connection.close();
    }
  });

  test('closing ends what waits for a broker that does not answer', async () => {
    const partition = await made('silent');
    const waiting = transport.read(partition, '0', roomy, never).then(names, codeOf);
    await transport.bounds(partition);
    await broker.stopProcess();
    try {
      const bounds = transport.bounds(partition).then(() => 'answered', codeOf);
      await transport.close();
      expect([await waiting, await bounds]).toEqual(['LS_TRANSPORT_CLOSED', 'LS_TRANSPORT_CLOSED']);
      await transport.close();
    } finally {
      await broker.continueProcess();
    }
  });
});
