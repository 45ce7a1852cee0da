/** What nobody sees behind the last record handled, on a real broker: no lag to other tools, and nothing lost when retention takes it. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { AssignedPartition, Checkpoint, Delivery } from '../../../src/pipeline/transport.ts';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { apiKeys, startProxy, type KafkaProxy } from '../../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { code } from '../../conformance/transport-harness.ts';
import { kafkaOptions, member, never, outside, resume, roomy, until, type Member, type Outside } from './group-fixture.ts';

const deliveries = ['at-least-once', 'exactly-once'] as const;

describeWith(await kafkaNeeds(), 'behind the last record that a group handled', () => {
  let broker: KafkaBroker;
  let proxy: KafkaProxy;
  let operator: Outside;
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    broker = await startKafka();
    proxy = await startProxy(broker.proxyPorts);
    operator = await outside(broker.brokers);
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await operator.close();
    await proxy.close();
    await broker.close();
  });

  const join = async (
    topic: string,
    delivery: Delivery,
    options = kafkaOptions(broker.brokers),
  ): Promise<{ readonly one: Member; readonly partition: AssignedPartition }> => {
    const one = member(options, { group: `g-${topic}`, topics: [topic], delivery });
    closing.push(one.close);
    await one.membership.joined;
    const [partition] = one.held();
    await resume(partition!);
    return { one, partition: partition! };
  };
  const transaction = async (topic: string, values: readonly string[], end: 'commit' | 'abort'): Promise<void> => {
    const producer = operator.kafka.producer({ transactionalId: `t-${topic}`, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const open = await producer.transaction();
    await open.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
    await open[end]();
    await producer.disconnect();
  };
  /** As kafka-consumer-groups.sh counts it. */
  const lag = async (topic: string): Promise<number> => {
    const committed = (await operator.offset(`g-${topic}`, { topic, partition: 0 }))?.offset;
    const [end] = await operator.admin.fetchTopicOffsets(topic);
    return Number(end?.offset) - Number(committed);
  };
  const handle = async (partition: AssignedPartition): Promise<Checkpoint> => {
    const records = await partition.poll(roomy, never);
    const last = records.at(-1)!;
    const checkpoint: Checkpoint = { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 };
    await partition.deliver([], checkpoint);
    return checkpoint;
  };

  test.each(deliveries)('%s: a marker, and aborted records that come later, are no lag, and can go', async (delivery) => {
    const topic = await operator.topic();
    await transaction(topic, ['0', '1'], 'commit');
    const first = await join(topic, delivery);
    const { sequence } = await handle(first.partition);
    expect(sequence).toBe(1n);
    // What a transaction commits is told once its markers are written.
    await until(async () => (await lag(topic)) === 0);
    // A stage always waits for more.
    const waiting = first.partition.poll(roomy, never).then(() => 'polled', () => 'ended');
    await transaction(topic, ['never', 'seen'], 'abort');
    // Two records, their marker, two that were aborted, their marker.
    await until(async () => (await operator.offset(`g-${topic}`, { topic, partition: 0 }))?.offset === '6');
    expect(await lag(topic)).toBe(0);
    expect(await first.partition.committed()).toMatchObject({ sequence: 1n, outputsSent: 0 });
    await first.one.membership.close();
    expect(await waiting).toBe('ended');

    await operator.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
    const second = await join(topic, delivery);
    const standing = await second.partition.committed();
    expect(standing).toMatchObject({ sequence: 1n });
    const { start, end } = await second.partition.bounds();
    expect([start.position, end.position]).toEqual([standing?.position, standing?.position]);
    const polling = second.partition.poll(roomy, never);
    await operator.produce(topic, ['after']);
    expect((await polling).map(({ value }) => value.toString())).toEqual(['after']);
  });

  test.each(deliveries)('%s: a record that retention took unhandled is still a loss', async (delivery) => {
    const topic = await operator.topic();
    await transaction(topic, ['0'], 'commit');
    const first = await join(topic, delivery);
    await handle(first.partition);
    await first.one.membership.close();
    await transaction(topic, ['unhandled'], 'commit');
    await operator.admin.fetchTopicOffsets(topic);
    await operator.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
    const second = await join(topic, delivery);
    expect(await code(second.partition.poll(roomy, never))).toBe('LS_TRANSPORT_POSITION_LOST');
  });

  test('exactly-once: a commit of it that is held up does not set the group back', async () => {
    const topic = await operator.topic();
    await transaction(topic, ['0', '1'], 'commit');
    const { one, partition } = await join(topic, 'exactly-once', kafkaOptions(proxy.brokers, { requestTimeoutMs: 700 }));
    await handle(partition);
    const held = [apiKeys.offsetCommit, apiKeys.txnOffsetCommit].map((kind) => proxy.on(kind, { action: 'delay', times: 1 }));
    const next = partition.poll(roomy, never);
    await transaction(topic, ['never seen'], 'abort');
    await Promise.race(held.map((rule) => rule.reached(1)));
    await operator.produce(topic, ['after']);
    const { sequence, nextPosition } = (await next)[0]!;
    const checkpoint = { position: nextPosition, sequence, outputsSent: 0 };
    await until(async () => (await code(partition.deliver([], checkpoint))) === 'resolved');
    expect(await lag(topic)).toBe(0);
    for (const rule of held) rule.remove();
    // Behind what was held up.
    await partition.bounds();
    await delay(200);
    expect(await lag(topic)).toBe(0);
    await one.membership.close();
    expect(await (await join(topic, 'exactly-once')).partition.committed()).toEqual(checkpoint);
  });
});
