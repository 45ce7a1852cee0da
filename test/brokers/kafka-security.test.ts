import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { certificateNeeds } from './certificates.ts';
import { grant } from './kafka-acls.ts';
import { startKafka, type KafkaBroker } from './kafka-broker.ts';
import { consume, createTopic, kafkaClient, produce } from './kafka-clients.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';

describeWith({ ...(await kafkaNeeds()), ...certificateNeeds() }, 'a secured broker', () => {
  let broker: KafkaBroker;

  beforeAll(async () => {
    broker = await startKafka({ security: { users: { admin: 'admin-secret', alice: 'alice-secret' }, superUsers: ['admin'] } });
  });

  afterAll(async () => {
    await broker.close();
  });

  function clientOf(username: string, password: string, authority = broker.secured().certificates.authority.certificate): Kafka {
    const { brokers } = broker.secured();
    return kafkaClient(brokers, { ssl: { ca: [authority] }, sasl: { mechanism: 'scram-sha-512', username, password }, retry: { retries: 0 } });
  }

  test('refuses a wrong password', async () => {
    await expect(createTopic(clientOf('admin', 'wrong'), randomUUID())).rejects.toThrow('SASL SCRAM SHA512 authentication failed');
  });

  test('is refused by a client that does not know its authority', async () => {
    const strange = broker.secured().certificates.strangeAuthority.certificate;
    await expect(createTopic(clientOf('admin', 'admin-secret', strange), randomUUID())).rejects.toThrow(/certificate/u);
  });

  test('denies what no ACL allows, and nothing to a super user', async () => {
    const topic = randomUUID();
    const alice = clientOf('alice', 'alice-secret');
    await createTopic(clientOf('admin', 'admin-secret'), topic);
    await expect(produce(alice, topic, ['denied'])).rejects.toThrow(/authoriz/iu);
    await grant(broker.brokers, 'alice', [{ on: 'topic', name: topic.slice(0, 20), prefix: true, operations: ['WRITE', 'DESCRIBE'] }]);
    await produce(alice, topic, ['allowed']);
    // What kafkajs makes of a group that may not be used.
    await expect(consume(alice, topic, 1)).rejects.toThrow('Failed to find group coordinator');
    expect(await consume(clientOf('admin', 'admin-secret'), topic, 1)).toEqual(['allowed']);
  });

  test('asks a client for its certificate where the listener says so', async () => {
    await broker.restart({ 'listener.name.secured.ssl.client.auth': 'required' });
    const { brokers, certificates } = broker.secured();
    const sasl = { mechanism: 'scram-sha-512', username: 'admin', password: 'admin-secret' } as const;
    const known = { ca: [certificates.authority.certificate], key: certificates.client.key, cert: certificates.client.certificate };
    await createTopic(kafkaClient(brokers, { ssl: known, sasl }), randomUUID());
    await expect(createTopic(clientOf('admin', 'admin-secret'), randomUUID())).rejects.toThrow();
  });
});
