/** What the producers make of brokers of which one no longer leads a partition: its answers are put in between the driver and one real broker. */
import { produceV9 } from '@platformatic/kafka';
import type { Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openConnection, type KafkaConnection } from '../../../src/transports/kafka/connection.ts';
import { kafkajsProducers } from '../../../src/transports/kafka/producers/kafkajs-producer.ts';
import { platformaticProducers } from '../../../src/transports/kafka/producers/platformatic-producer.ts';
import { sharedBrokers } from '../../brokers/shared-broker.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { openWitness, outcome, output, producerOptions, type Witness } from './producer-fixture.ts';

const notLeader = (): Error =>
  Object.assign(new Error('This server is not the leader'), { name: 'KafkaJSProtocolError', type: 'NOT_LEADER_FOR_PARTITION', code: 6, retriable: true });

/** @param change what becomes of the producers that kafkajs makes. */
function openWith(brokers: string, change: (producer: Producer) => Partial<Producer>): KafkaConnection {
  const connection = openConnection(producerOptions(brokers));
  const open = connection.kafka.producer.bind(connection.kafka);
  vi.spyOn(connection.kafka, 'producer').mockImplementation((settings) => {
    const producer = open(settings);
    return { ...producer, ...change(producer) };
  });
  return connection;
}

describeWith(await kafkaNeeds(), 'a leader that moves', () => {
  let witness: Witness;

  beforeAll(async () => {
    witness = await openWitness(sharedBrokers());
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  afterAll(async () => {
    await witness.close();
  });

  test('doubles nothing that kafkajs sends without sequence numbers to the other partitions', async () => {
    const topic = await witness.createTopic(3);
    let refusals = 0;
    const connection = openWith(sharedBrokers(), (producer) => ({
      sendBatch: async (batch) => {
        const isRefused = batch.topicMessages?.some(({ messages }) => messages.some(({ partition }) => partition === 1)) === true && refusals === 0;
        if (!isRefused) return producer.sendBatch(batch);
        refusals += 1;
        const others = batch.topicMessages?.map((one) => ({ ...one, messages: one.messages.filter(({ partition }) => partition !== 1) })) ?? [];
        await producer.sendBatch({ ...batch, topicMessages: others.filter(({ messages }) => messages.length > 0) });
        throw notLeader();
      },
    }));
    const producer = await kafkajsProducers(producerOptions(sharedBrokers()), connection).open();
    await producer.send([0, 1, 2].flatMap((partition) => [output(topic, partition, 'a'), output(topic, partition, 'b')]));
    expect(refusals).toBe(1);
    for (const partition of [0, 1, 2]) expect(await witness.values(topic, partition)).toEqual(['a', 'b']);
    await producer.close();
    await connection.close();
  });

  test('doubles nothing that platformatic sends without sequence numbers to the other partitions', async () => {
    const topic = await witness.createTopic(3);
    let refusals = 0;
    const produce = produceV9.api.async.bind(produceV9.api);
    vi.spyOn(produceV9.api, 'async').mockImplementation(async (connection, acks, timeout, messages, settings) => {
      const isRefused = messages.some(({ partition }) => partition === 1) && refusals === 0;
      if (!isRefused) return produce(connection, acks, timeout, messages, settings);
      refusals += 1;
      const others = messages.filter(({ partition }) => partition !== 1);
      if (others.length > 0) await produce(connection, acks, timeout, others, settings);
      throw notLeader();
    });
    const producer = await platformaticProducers(producerOptions(sharedBrokers())).open();
    await producer.send([0, 1, 2].flatMap((partition) => [output(topic, partition, 'a'), output(topic, partition, 'b')]));
    expect(refusals).toBe(1);
    for (const partition of [0, 1, 2]) expect(await witness.values(topic, partition)).toEqual(['a', 'b']);
    await producer.close();
  });

  test('is told as what passes where kafkajs left its partition out of a transaction', async () => {
    const topic = await witness.createTopic(2);
    const connection = openWith(sharedBrokers(), (producer) => ({
      transaction: async () => {
        const transaction = await producer.transaction();
        return { ...transaction, sendBatch: async (batch) => (await transaction.sendBatch(batch)).filter(({ partition }) => partition !== 1) };
      },
    }));
    const producers = kafkajsProducers(producerOptions(sharedBrokers()), connection);
    const producer = await producers.openTransactional(topic);
    expect(await outcome(producer.transact([output(topic, 0, 'a'), output(topic, 1, 'b')], undefined))).toBe('LS_KAFKA_REQUEST');
    await producer.close();
    await connection.close();
    const next = openConnection(producerOptions(sharedBrokers()));
    const again = await kafkajsProducers(producerOptions(sharedBrokers()), next).openTransactional(topic);
    await again.transact([output(topic, 0, 'a'), output(topic, 1, 'b')], undefined);
    expect([await witness.values(topic, 0), await witness.values(topic, 1)]).toEqual([['a'], ['b']]);
    await again.close();
    await next.close();
  });
});
