import { randomUUID } from 'node:crypto';
import type { Kafka, Producer, Transaction } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startKafka, type KafkaBroker } from './kafka-broker.ts';
import { consume, createTopic, kafkaClient, produce } from './kafka-clients.ts';
import { apiKeys, startProxy, type KafkaProxy } from './kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../requirements.ts';

const REQUEST_MS_MAX = 500;

describeWith(await kafkaNeeds(), 'a proxy before the broker', () => {
  let broker: KafkaBroker;
  let proxy: KafkaProxy;
  let direct: Kafka;
  let proxied: Kafka;
  let topic: string;
  let producers: Producer[];

  beforeAll(async () => {
    broker = await startKafka();
    direct = kafkaClient(broker.brokers);
  });

  afterAll(async () => {
    await broker.close();
  });

  beforeEach(async () => {
    proxy = await startProxy(broker.proxyPorts);
    proxied = kafkaClient(proxy.brokers, { requestTimeout: REQUEST_MS_MAX, enforceRequestTimeout: true, retry: { retries: 0 } });
    topic = randomUUID();
    producers = [];
    await createTopic(direct, topic);
  });

  afterEach(async () => {
    await Promise.all(producers.map((producer) => producer.disconnect()));
    await proxy.close();
  });

  async function openTransaction(values: readonly string[]): Promise<Transaction> {
    const producer = proxied.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1, retry: { retries: 1, initialRetryTime: 50 } });
    producers.push(producer);
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: values.map((value) => ({ value })) });
    return transaction;
  }

  test('carries what no rule is for, and no connection passes it by', async () => {
    await produce(proxied, topic, ['a', 'b']);
    expect(await consume(proxied, topic, 2)).toEqual(['a', 'b']);
    expect(proxy.requests(apiKeys.produce)).toBe(1);
    expect(proxy.requests(apiKeys.fetch)).toBeGreaterThan(0);
  });

  test('drops the answer of an EndTxn that has taken effect', async () => {
    const transaction = await openTransaction(['committed']);
    const rule = proxy.on(apiKeys.endTxn, { action: 'drop-answer', times: 1 });
    await expect(transaction.commit()).rejects.toThrow('timed out');
    expect(rule.hits()).toBe(1);
    expect(await consume(direct, topic, 1)).toEqual(['committed']);
  });

  test('drops an EndTxn itself, which the next producer of the name then aborts', async () => {
    const transaction = await openTransaction(['aborted']);
    const rule = proxy.on(apiKeys.endTxn, { action: 'drop-request', times: 1 });
    await expect(transaction.commit()).rejects.toThrow('timed out');
    rule.remove();
    const next = await openTransaction(['next']);
    await next.commit();
    expect(await consume(direct, topic, 1)).toEqual(['next']);
  });

  test('lets a request that was held back through although its client has gone', async () => {
    const rule = proxy.on(apiKeys.endTxn, { action: 'delay' });
    const transaction = await openTransaction(['late']);
    await expect(transaction.commit()).rejects.toThrow('timed out');
    await rule.reached(1);
    await Promise.all(producers.map((producer) => producer.disconnect()));
    rule.release();
    expect(await consume(direct, topic, 1)).toEqual(['late']);
  });

  test('cuts the connection before the broker sees a request, or after it has answered', async () => {
    const before = proxy.on(apiKeys.produce, { action: 'cut-before', times: 1 });
    await expect(produce(proxied, topic, ['never'])).rejects.toThrow();
    const after = proxy.on(apiKeys.produce, { action: 'cut-after', times: 1 });
    await expect(produce(proxied, topic, ['unknown to the client'])).rejects.toThrow();
    expect([before.hits(), after.hits()]).toEqual([1, 1]);
    await produce(proxied, topic, ['acknowledged']);
    expect(await consume(direct, topic, 2)).toEqual(['unknown to the client', 'acknowledged']);
  });

  test('takes the broker from the network and gives it back', async () => {
    proxy.leaveNetwork();
    await expect(produce(proxied, topic, ['never'])).rejects.toThrow();
    proxy.joinNetwork();
    await produce(proxied, topic, ['kept']);
    expect(await consume(direct, topic, 1)).toEqual(['kept']);
  });
});
