/** Both producers, held to the same promises, on a real broker. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { pipelineError } from '../../../src/core/errors/pipeline.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { openConnection, type KafkaConnection } from '../../../src/transports/kafka/connection.ts';
import { silentKafkaObserver, type KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { kafkajsProducers } from '../../../src/transports/kafka/producers/kafkajs-producer.ts';
import { platformaticProducers } from '../../../src/transports/kafka/producers/platformatic-producer.ts';
import type { GroupOffset, PlainProducer, Producers, TransactionalProducer } from '../../../src/transports/kafka/producers/producer-port.ts';
import { claimTopic } from '../../../src/transports/kafka/topic-claim.ts';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { apiKeys, startProxy, type KafkaProxy } from '../../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { openWitness, outcome, output, outputs, producerOptions, sendUntilItFails, transactUntilItFails, type Witness } from './producer-fixture.ts';

const transactions = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 300 : 8;
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 100_000);
const retryable = ['LS_KAFKA_REQUEST', 'LS_KAFKA_UNREACHABLE'];
const drivers = { kafkajs: kafkajsProducers, platformatic: (options: KafkaOptions) => platformaticProducers(options) };

describeWith(await kafkaNeeds(), 'producers', () => {
  let broker: KafkaBroker;
  let proxy: KafkaProxy;
  let witness: Witness;
  let cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    broker = await startKafka();
    proxy = await startProxy(broker.proxyPorts);
    witness = await openWitness(broker.brokers);
  });

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  afterAll(async () => {
    await witness.close();
    await proxy.close();
    await broker.close();
  });

  describe.each(['kafkajs', 'platformatic'] as const)('of %s', (driver) => {
    /** By way of the proxy, so that a test can get in between. */
    const producersOf = (changes: Partial<KafkaOptions> = {}): Producers => {
      const options = producerOptions(proxy.brokers, { ...changes, producer: driver });
      const connection: KafkaConnection = openConnection(options);
      cleanups.push(connection.close);
      return drivers[driver](options, connection);
    };
    const openPlain = async (producers = producersOf()): Promise<PlainProducer> => closedAfter(await producers.open());
    const openTransactional = async (id: string, producers = producersOf()): Promise<TransactionalProducer> => closedAfter(await producers.openTransactional(id));
    const closedAfter = <Closable extends { readonly close: () => Promise<void> }>(producer: Closable): Closable => {
      cleanups.push(producer.close);
      return producer;
    };

    describe('plainly', () => {
      test('keep order, keys, values and headers of every partition', async () => {
        const topic = await witness.createTopic(3);
        const headers = new Map([['__proto__', Buffer.from('own')], ['ünïcode', Buffer.from([0, 255])], ['1', Buffer.alloc(0)]]);
        const special = [output(topic, 2, 'all', 'key', headers), output(topic, 2, Buffer.alloc(0)), output(topic, 2, Buffer.from([0, 159, 255]), '')];
        const producer = await openPlain();
        await producer.send([...special, ...Array.from({ length: 300 }, (_, index) => output(topic, index % 2, String(index)))]);
        await producer.send(outputs(topic, 0, 1_000, 3));
        const [all, empty, bytes] = await witness.read(topic, 2);
        expect(all).toMatchObject({ key: Buffer.from('key'), value: Buffer.from('all') });
        // kafkajs' consumer takes the prototype for an earlier header of the name.
        expect(new Map(Object.entries(all!.headers!).map(([name, value]) => [name, [value].flat().at(-1)]))).toEqual(headers);
        expect(empty).toMatchObject({ key: null, value: Buffer.alloc(0), headers: {} });
        expect(bytes).toMatchObject({ key: Buffer.alloc(0), value: Buffer.from([0, 159, 255]) });
        expect(await witness.values(topic, 1)).toEqual(Array.from({ length: 150 }, (_, index) => String(2 * index + 1)));
        expect(await witness.values(topic, 0)).toEqual([...Array.from({ length: 150 }, (_, index) => String(2 * index)), '1000', '1001', '1002']);
      });

      test('split what is more than a batch may hold, in order', async () => {
        const topic = await witness.createTopic(2);
        const producer = await openPlain();
        const large = Array.from({ length: 60 }, (_, index) => output(topic, index % 2, `${index} `.padEnd(index === 30 ? 900_000 : 70_000, 'x')));
        await producer.send(large);
        const read = [await witness.values(topic, 0), await witness.values(topic, 1)].map((values) => values.map((value) => Number(value.split(' ')[0])));
        expect(read).toEqual([0, 1].map((partition) => Array.from({ length: 30 }, (_, index) => 2 * index + partition)));
      });

      test('take several calls at once', async () => {
        const topic = await witness.createTopic(4);
        const producer = await openPlain();
        await Promise.all([0, 1, 2, 3].map((partition) => producer.send(outputs(topic, partition, 0, 2_000))));
        for (const partition of [0, 1, 2, 3]) expect(await witness.values(topic, partition)).toEqual(Array.from({ length: 2_000 }, (_, index) => String(index)));
      });

      test('name a missing topic, a missing partition and a record that is too large, and take nothing after', async () => {
        const topic = await witness.createTopic(1, { 'max.message.bytes': '20000' });
        const failures = [
          { records: [output(randomUUID(), 0, 'x')], code: 'LS_TRANSPORT_TOPIC_MISSING' },
          { records: [output(topic, 0, 'beside'), output(topic, 7, 'x')], code: 'LS_TRANSPORT_TOPIC_MISSING' },
          { records: [output(topic, 0, 'x'.repeat(30_000))], code: 'LS_TRANSPORT_RECORD_TOO_LARGE' },
        ];
        for (const { records, code } of failures) {
          const producer = await openPlain();
          expect(await outcome(producer.send(records))).toBe(code);
          expect(await outcome(producer.send([output(topic, 0, 'later')]))).toBe('LS_KAFKA_REQUEST');
        }
        expect(await witness.values(topic)).not.toContain('later');
      });

      test('tell a lost answer as what passes, and send again with the next producer', async () => {
        const topic = await witness.createTopic();
        const producers = producersOf({ requestTimeoutMs: 1_000 });
        for (const action of ['cut-before', 'cut-after', 'drop-request', 'drop-answer'] as const) {
          const producer = await openPlain(producers);
          await producer.send([output(topic, 0, `before ${action}`)]);
          const rule = proxy.on(apiKeys.produce, { action, times: 1 });
          expect(retryable).toContain(await outcome(producer.send([output(topic, 0, action)])));
          rule.remove();
          await producer.close();
        }
        const again = await openPlain(producers);
        await again.send([output(topic, 0, 'again')]);
        const values = await witness.values(topic);
        expect(values.filter((value) => ['cut-after', 'drop-answer', 'again'].includes(value))).toEqual(['cut-after', 'drop-answer', 'again']);
        expect(values).not.toContain('cut-before');
        expect(values).not.toContain('drop-request');
      });

      test.each(driver === 'kafkajs' ? (['gzip'] as const) : (['gzip', 'snappy', 'lz4', 'zstd'] as const))('compress with %s', async (compression) => {
        const topic = await witness.createTopic();
        const before = await witness.logBytes(topic);
        const producer = await openPlain(producersOf({ compression }));
        await producer.send(Array.from({ length: 40 }, () => output(topic, 0, 'x'.repeat(10_000))));
        // The broker has taken the batch apart to check it, and keeps it as it came.
        expect((await witness.logBytes(topic)) - before).toBeLessThan(100_000);
        if (compression === 'gzip') expect(await witness.values(topic)).toEqual(Array.from({ length: 40 }, () => 'x'.repeat(10_000)));
      });
    });

    describe('in transactions', () => {
      test('show nothing before the commit, then the records and the offset with its metadata', async () => {
        const topic = await witness.createTopic(2);
        const group = randomUUID();
        const producer = await openTransactional(randomUUID());
        const held = proxy.on(apiKeys.endTxn, { action: 'delay', times: 1 });
        const transacting = producer.transact([...outputs(topic, 0, 0, 3), ...outputs(topic, 1, 10, 3)], offsetOf(group, topic, 7n, '1:6:0'));
        await held.reached(1);
        expect((await witness.committed(group, topic, 0)).offset).toBe('-1');
        let readable = false;
        const reading = witness.values(topic, 0).finally(() => (readable = true));
        expect((await witness.uncommittedValues(topic, 6)).toSorted()).toEqual(['0', '1', '10', '11', '12', '2']);
        expect(readable).toBe(false);
        held.remove();
        await transacting;
        expect(await reading).toEqual(['0', '1', '2']);
        expect(await witness.values(topic, 1)).toEqual(['10', '11', '12']);
        expect(await witness.committed(group, topic, 0)).toEqual({ offset: '7', metadata: '1:6:0' });
      });

      test('follow each other at once, with records, with an offset alone, and with neither', async () => {
        const topic = await witness.createTopic(2);
        const group = randomUUID();
        const id = randomUUID();
        const producer = await openTransactional(id);
        for (let index = 0; index < 30; index += 1) {
          await producer.transact(index % 3 === 1 ? [] : outputs(topic, index % 2, index, 1), index % 3 === 2 ? undefined : offsetOf(group, topic, BigInt(index), ''));
        }
        await producer.transact([], undefined);
        // Its markers are written when it is initialised anew.
        await openTransactional(id);
        const sent = Array.from({ length: 30 }, (_, index) => index).filter((index) => index % 3 !== 1);
        expect(await witness.values(topic, 0)).toEqual(sent.filter((index) => index % 2 === 0).map(String));
        expect(await witness.values(topic, 1)).toEqual(sent.filter((index) => index % 2 === 1).map(String));
        expect((await witness.committed(group, topic, 0)).offset).toBe('28');
      });

      test('of several sends are one', async () => {
        const topic = await witness.createTopic(2);
        const producer = await openTransactional(randomUUID());
        await producer.transact(Array.from({ length: 40 }, (_, index) => output(topic, index % 2, `${index} `.padEnd(70_000, 'x'))), undefined);
        expect((await witness.values(topic, 1)).map((value) => Number(value.split(' ')[0]))).toEqual(Array.from({ length: 20 }, (_, index) => 2 * index + 1));
        expect(await witness.values(topic, 0)).toHaveLength(20);
      });

      test('that fail leave nothing, and the producer takes no other', async () => {
        const topic = await witness.createTopic(2);
        const narrow = await witness.createTopic(1, { 'max.message.bytes': '20000' });
        const group = randomUUID();
        const id = randomUUID();
        const producer = await openTransactional(id);
        const records = [...outputs(topic, 0, 0, 3), output(narrow, 0, 'x'.repeat(30_000))];
        expect(await outcome(producer.transact(records, offsetOf(group, topic, 3n, '')))).toBe('LS_TRANSPORT_RECORD_TOO_LARGE');
        expect(await outcome(producer.transact(outputs(topic, 1, 0, 1), undefined))).toBe('LS_KAFKA_REQUEST');
        await producer.close();
        await (await openTransactional(id)).transact([output(topic, 0, 'next')], undefined);
        expect(await witness.values(topic, 0)).toEqual(['next']);
        expect(await witness.values(topic, 1)).toEqual([]);
        expect((await witness.committed(group, topic, 0)).offset).toBe('-1');
      });

      test('fence who had the id: before its next transaction, and in the midst of one', async () => {
        const topic = await witness.createTopic();
        const group = randomUUID();
        const id = randomUUID();
        const zombie = await openTransactional(id);
        // Who is not entitled any more fences nobody.
        const refused = producersOf().openTransactional(id, () => Promise.reject(pipelineError('LS_TRANSPORT_REVOKED', 'given up')));
        expect(await outcome(refused)).toBe('LS_TRANSPORT_REVOKED');
        await zombie.transact(outputs(topic, 0, 0, 1), offsetOf(group, topic, 1n, ''));
        const owner = await openTransactional(id);
        expect(await outcome(zombie.transact([output(topic, 0, 'late')], offsetOf(group, topic, 9n, '')))).toBe('LS_TRANSPORT_FENCED');
        expect(await outcome(zombie.transact([output(topic, 0, 'late')], undefined))).toBe('LS_TRANSPORT_FENCED');
        const held = proxy.on(apiKeys.endTxn, { action: 'delay', times: 1 });
        const late = outcome(owner.transact([output(topic, 0, 'begun')], offsetOf(group, topic, 5n, '')));
        await held.reached(1);
        const next = await openTransactional(id);
        held.remove();
        expect(await late).toBe('LS_TRANSPORT_FENCED');
        await next.transact(outputs(topic, 0, 1, 1), offsetOf(group, topic, 2n, ''));
        await openTransactional(id);
        expect(await witness.values(topic)).toEqual(['0', '1']);
        expect((await witness.committed(group, topic, 0)).offset).toBe('2');
      });

      test.each([
        ['EndTxn', apiKeys.endTxn],
        ['TxnOffsetCommit', apiKeys.txnOffsetCommit],
        ['AddOffsetsToTxn', apiKeys.addOffsetsToTxn],
        ['Produce', apiKeys.produce],
      ] as const)('whose %s is lost are settled by the next producer, so that nothing is lost or doubled', async (_name, apiKey) => {
        const topic = await witness.createTopic();
        const group = randomUUID();
        const id = randomUUID();
        const producers = producersOf({ requestTimeoutMs: 1_500 });
        for (const [index, action] of (['cut-before', 'cut-after', 'drop-request', 'drop-answer'] as const).entries()) {
          const position = BigInt(index + 1);
          const producer = await openTransactional(id, producers);
          const seen = proxy.requests(apiKey);
          const rule = proxy.on(apiKey, { action, times: 1 });
          const told = await outcome(producer.transact([output(topic, 0, action)], offsetOf(group, topic, position, '')));
          rule.remove();
          // kafkajs repeats a Produce, with the same sequence numbers; what decides is sent once.
          if (apiKey !== apiKeys.produce) expect([told, proxy.requests(apiKey) - seen]).toEqual([expect.toBeOneOf(retryable), 1]);
          await producer.close();
          const next = await openTransactional(id, producers);
          const { offset } = await witness.committed(group, topic, 0);
          if (apiKey === apiKeys.endTxn) expect(offset === String(position)).toBe(action.endsWith('after') || action === 'drop-answer');
          if (offset !== String(position)) await next.transact([output(topic, 0, action)], offsetOf(group, topic, position, ''));
          await next.close();
        }
        await openTransactional(id, producers);
        expect(await witness.values(topic)).toEqual(['cut-before', 'cut-after', 'drop-request', 'drop-answer']);
        expect((await witness.committed(group, topic, 0)).offset).toBe('4');
      });

      test('are not ended by an EndTxn of the one before that comes late', async () => {
        const topic = await witness.createTopic();
        const group = randomUUID();
        const id = randomUUID();
        const producers = producersOf({ requestTimeoutMs: 1_500 });
        const first = await openTransactional(id, producers);
        const late = proxy.on(apiKeys.endTxn, { action: 'delay', times: 1 });
        expect(await outcome(first.transact([output(topic, 0, 'in doubt')], offsetOf(group, topic, 1n, '')))).toBeOneOf(retryable);
        await first.close();
        const second = await openTransactional(id, producers);
        expect((await witness.committed(group, topic, 0)).offset).toBe('-1');
        const swallowed = proxy.on(apiKeys.endTxn, { action: 'drop-request', times: 1 });
        const transacting = outcome(second.transact([output(topic, 0, 'open')], offsetOf(group, topic, 2n, '')));
        await swallowed.reached(1);
        late.release();
        expect(await transacting).toBeOneOf(retryable);
        for (const rule of [late, swallowed]) rule.remove();
        await second.close();
        const third = await openTransactional(id, producers);
        expect((await witness.committed(group, topic, 0)).offset).toBe('-1');
        await third.transact([output(topic, 0, 'settled')], offsetOf(group, topic, 3n, ''));
        expect(await witness.values(topic)).toEqual(['settled']);
      });

      test('give every input once, whichever requests and answers are lost', async () => {
        const topic = await witness.createTopic(2);
        const group = randomUUID();
        const id = randomUUID();
        const producers = producersOf({ requestTimeoutMs: 500 });
        const random = seededRandom(seed);
        const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
        let producer = await openTransactional(id, producers);
        for (let done = 0; done < transactions; ) {
          const kind = pick([apiKeys.produce, apiKeys.addPartitionsToTxn, apiKeys.addOffsetsToTxn, apiKeys.txnOffsetCommit, apiKeys.endTxn, apiKeys.initProducerId]);
          const rule = proxy.on(kind, { action: pick(['cut-before', 'cut-after', 'drop-request', 'drop-answer'] as const), times: 1 });
          const records = [output(topic, 0, String(done)), output(topic, 1, String(done))];
          const told = await outcome(producer.transact(records, offsetOf(group, topic, BigInt(done + 1), '')));
          if (told === 'resolved') {
            done += 1;
          } else {
            expect(told, `seed ${seed}`).toBeOneOf(retryable);
            await producer.close();
            while ((await outcome(openTransactional(id, producers).then((next) => (producer = next)))) !== 'resolved');
            done = Math.max(0, Number((await witness.committed(group, topic, 0)).offset));
          }
          rule.remove();
        }
        await openTransactional(id, producers);
        const inputs = Array.from({ length: transactions }, (_, index) => String(index));
        for (const partition of [0, 1]) expect(await witness.values(topic, partition), `seed ${seed}`).toEqual(inputs);
      }, 60_000 + 4_000 * transactions);

      test('tell how long they took, and how they ended', async () => {
        const topic = await witness.createTopic();
        const ended: string[] = [];
        const observer = { ...silentKafkaObserver, transactionDone: (result: string, durationMs: number) => void ended.push(durationMs > 0 ? result : 'no time') };
        const id = randomUUID();
        const producer = await openTransactional(id, producersOf({ observer }));
        await producer.transact(outputs(topic, 0, 0, 1), undefined);
        await openTransactional(id);
        expect(await outcome(producer.transact(outputs(topic, 0, 1, 1), undefined))).toBe('LS_TRANSPORT_FENCED');
        expect(ended).toEqual(['committed', 'failed']);
      });

      test('are made one at a time', async () => {
        const topic = await witness.createTopic();
        const producer = await openTransactional(randomUUID());
        const first = producer.transact(outputs(topic, 0, 0, 1), undefined);
        expect(await outcome(producer.transact(outputs(topic, 0, 1, 1), undefined))).toBe('LS_TRANSPORT_CALL_OVERLAP');
        await first;
        await producer.transact(outputs(topic, 0, 2, 1), undefined);
        expect(await witness.values(topic)).toEqual(['0', '2']);
      });
    });

    test('claims: the newer one fences the older, and an append is there or not', async () => {
      const topic = await witness.createTopic(2);
      const checked: number[] = [];
      const claim = async () => closedAfter(await claimTopic(producersOf(), { topic }, (records) => (checked.push(records.length), Promise.resolve())));
      const first = await claim();
      await first.append([...outputs(topic, 0, 0, 2), ...outputs(topic, 1, 0, 2)]);
      const second = await claim();
      expect(await outcome(first.append(outputs(topic, 0, 90, 1)))).toBe('LS_TRANSPORT_FENCED');
      await second.append(outputs(topic, 0, 2, 1));
      expect(await witness.values(topic, 0)).toEqual(['0', '1', '2']);
      expect(await witness.values(topic, 1)).toEqual(['0', '1']);
      expect(checked).toEqual([4, 1, 1]);
    });

    test('opened where no broker answers say so, and are retryable', async () => {
      const connection = openConnection(producerOptions('127.0.0.1:1', { requestTimeoutMs: 1_000 }));
      cleanups.push(connection.close);
      const producers = drivers[driver](producerOptions('127.0.0.1:1', { requestTimeoutMs: 1_000, producer: driver }), connection);
      expect(await outcome(producers.open())).toBe('LS_KAFKA_UNREACHABLE');
      expect(await outcome(producers.openTransactional('x'))).toBe('LS_KAFKA_UNREACHABLE');
    });

    test('closed while the broker stands still end what is in flight', async () => {
      const topic = await witness.createTopic();
      const producers = producersOf();
      const plain = await openPlain(producers);
      await plain.send(outputs(topic, 0, 0, 1));
      const transactional = await openTransactional(randomUUID(), producers);
      await broker.stopProcess();
      try {
        const inFlight = [outcome(plain.send(outputs(topic, 0, 1, 1))), outcome(transactional.transact(outputs(topic, 0, 2, 1), undefined))];
        await Promise.all([plain.close(), transactional.close()]);
        expect(await Promise.all(inFlight)).toEqual(['LS_TRANSPORT_CLOSED', 'LS_TRANSPORT_CLOSED']);
        expect(await outcome(plain.send(outputs(topic, 0, 3, 1)))).toBe('LS_TRANSPORT_CLOSED');
      } finally {
        await broker.continueProcess();
      }
    });

    test('outlive a broker that is killed: a retryable error, and the next producer goes on', async () => {
      const topic = await witness.createTopic();
      const producers = producersOf();
      const id = randomUUID();
      const plain = await openPlain(producers);
      const transactional = await openTransactional(id, producers);
      await transactional.transact([output(topic, 0, 'kept')], undefined);
      const sending = outcome(sendUntilItFails(plain, topic));
      const transacting = outcome(transactUntilItFails(transactional, topic));
      await broker.kill();
      const told = await Promise.all([sending, transacting]);
      await Promise.all([plain.close(), transactional.close()]);
      await broker.restart();
      expect(told.filter((code) => !retryable.includes(code))).toEqual([]);
      await (await openTransactional(id, producers)).transact([output(topic, 0, 'after')], undefined);
      await (await openPlain(producers)).send([output(topic, 0, 'at last')]);
      const values = await witness.values(topic);
      expect(values.filter((value) => !/^(sent|in a transaction)/.test(value))).toEqual(['kept', 'after', 'at last']);
    });
  });

  test('kafkajs refuses, when it is set up, what it cannot compress with', () => {
    for (const compression of ['snappy', 'lz4', 'zstd'] as const) {
      const options = producerOptions(broker.brokers, { compression });
      expect(() => kafkajsProducers(options, openConnection(options))).toThrow(expect.objectContaining({ code: 'LS_KAFKA_COMPRESSION' }));
    }
  });
});

function offsetOf(group: string, topic: string, offset: bigint, metadata: string): GroupOffset {
  return { group, topic, partition: 0, offset, metadata };
}
