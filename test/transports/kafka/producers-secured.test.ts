/** What an operator has got wrong is said in codes, and not waited for: both producers on a listener with TLS, SCRAM and ACLs. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import { openConnection } from '../../../src/transports/kafka/connection.ts';
import type { KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { kafkajsProducers } from '../../../src/transports/kafka/producers/kafkajs-producer.ts';
import { platformaticProducers } from '../../../src/transports/kafka/producers/platformatic-producer.ts';
import type { Producers } from '../../../src/transports/kafka/producers/producer-port.ts';
import { certificateNeeds } from '../../brokers/certificates.ts';
import { grant } from '../../brokers/kafka-acls.ts';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { openWitness, output, outputs, producerOptions, type Witness } from './producer-fixture.ts';

const drivers = { kafkajs: kafkajsProducers, platformatic: (options: KafkaOptions) => platformaticProducers(options) };
const password = 'alice-secret';

describeWith({ ...(await kafkaNeeds()), ...certificateNeeds() }, 'producers on a secured listener', () => {
  let broker: KafkaBroker;
  let witness: Witness;
  let cleanups: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    broker = await startKafka({ security: { users: { admin: 'admin-secret', alice: password }, superUsers: ['admin'] } });
    witness = await openWitness(broker.brokers);
  });

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  afterAll(async () => {
    await witness.close();
    await broker.close();
  });

  describe.each(['kafkajs', 'platformatic'] as const)('of %s', (driver) => {
    const producersOf = (changes: Partial<KafkaOptions> = {}): Producers => {
      const { brokers, certificates } = broker.secured();
      const tls = { ca: certificates.authority.certificate };
      const sasl = { mechanism: 'scram-sha-512', username: 'alice', password } as const;
      const options = producerOptions(brokers, { producer: driver, tls, sasl, ...changes });
      const connection = openConnection(options);
      cleanups.push(connection.close);
      return drivers[driver](options, connection);
    };

    test('produce where they may, in transactions too', async () => {
      const topic = await witness.createTopic();
      const id = randomUUID();
      const group = randomUUID();
      await grant(broker.brokers, 'alice', [
        { on: 'topic', name: topic, operations: ['WRITE', 'READ'] },
        { on: 'transactional-id', name: id, operations: ['WRITE', 'DESCRIBE'] },
        { on: 'group', name: group, operations: ['READ'] },
      ]);
      const producers = producersOf();
      const plain = await producers.open();
      cleanups.push(plain.close);
      await plain.send(outputs(topic, 0, 0, 2));
      const transactional = await producers.openTransactional(id);
      cleanups.push(transactional.close);
      await transactional.transact(outputs(topic, 0, 2, 1), { group, topic, partition: 0, offset: 1n, metadata: 'm' });
      expect(await witness.values(topic)).toEqual(['0', '1', '2']);
    });

    test('name the right that is missing: on a topic, a transactional id, a group', async () => {
      const topic = await witness.createTopic();
      const id = randomUUID();
      const group = randomUUID();
      await grant(broker.brokers, 'alice', [
        { on: 'topic', name: topic, operations: ['DESCRIBE'] },
        { on: 'transactional-id', name: id, operations: ['WRITE', 'DESCRIBE'] },
      ]);
      const producers = producersOf();
      const plain = await producers.open();
      cleanups.push(plain.close);
      await refused(plain.send([output(topic, 0, 'x')]), `topic "${topic}"`);
      await refused(producers.openTransactional('of somebody else'), 'transactional id "of somebody else"');
      const onTopic = await producers.openTransactional(id);
      cleanups.push(onTopic.close);
      await refused(onTopic.transact([output(topic, 0, 'x')], undefined), `topic "${topic}"`);
      const onGroup = await producers.openTransactional(id);
      cleanups.push(onGroup.close);
      await refused(onGroup.transact([], { group, topic, partition: 0, offset: 1n, metadata: '' }), `group "${group}"`);
    });

    test('tell a wrong password, an untrusted broker, and a port that does not speak TLS', async () => {
      const wrong = producersOf({ sasl: { mechanism: 'scram-sha-512', username: 'alice', password: 'wrong' } });
      expect(await code(wrong.open())).toBe('LS_KAFKA_AUTHENTICATION');
      expect(await code(wrong.openTransactional('x'))).toBe('LS_KAFKA_AUTHENTICATION');
      const strange = producersOf({ tls: { ca: broker.secured().certificates.strangeAuthority.certificate } });
      expect(await code(strange.open())).toBe('LS_KAFKA_TLS');
      const plaintext = producersOf({ brokers: [broker.brokers] });
      expect(await code(plaintext.open())).toBeOneOf(['LS_KAFKA_TLS', 'LS_KAFKA_UNREACHABLE']);
    });
  });
});

async function refused(call: Promise<unknown>, resource: string): Promise<void> {
  const error = await call.then(() => undefined, (failure: unknown) => failure);
  if (!(error instanceof LabelstreamError)) throw error instanceof Error ? error : new Error('not refused');
  expect([error.code, error.retryable, error.message]).toEqual(['LS_KAFKA_AUTHORIZATION', false, expect.stringContaining(`not allowed on the ${resource}`)]);
}

async function code(call: Promise<unknown>): Promise<string> {
  const error = await call.then(() => undefined, (failure: unknown) => failure);
  if (!(error instanceof LabelstreamError)) throw error instanceof Error ? error : new Error('not refused');
  return error.code;
}
