/** Rules 23 and 24 of SEMANTICS.md on a real broker: positions that nobody but us resolves, transactions in doubt, and former owners. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { apiKeys, startProxy, type KafkaProxy } from '../../brokers/kafka-proxy.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { defaultRunnerLimits } from '../../../src/pipeline/limits.ts';
import { silentObserver } from '../../../src/pipeline/observe.ts';
import { resolveStarts } from '../../../src/pipeline/start-position.ts';
import type { AssignedPartition, Checkpoint, Delivery } from '../../../src/pipeline/transport.ts';
import type { KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { code } from '../../conformance/transport-harness.ts';
import { kafkaOptions, member, never, outside, output, resume, roomy, until, type Member, type Outside } from './group-fixture.ts';

const deliveries = ['at-least-once', 'exactly-once'] as const;
const after = (offset: bigint): Checkpoint => ({ position: offset.toString(), sequence: offset - 1n, outputsSent: 0 });

describeWith(await kafkaNeeds(), 'what a Kafka group delivers', () => {
  let broker: KafkaBroker;
  let proxy: KafkaProxy;
  let operator: Outside;
  const closing: (() => void | Promise<void>)[] = [];

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

  const join = async (group: string, topic: string, delivery: Delivery, options: Partial<KafkaOptions> = {}, brokers = broker.brokers): Promise<Member> => {
    const joined = member(kafkaOptions(brokers, options), { group, topics: [topic], delivery });
    closing.push(joined.close);
    await joined.membership.joined;
    return joined;
  };
  const topics = async (): Promise<{ readonly from: string; readonly to: string; readonly group: string }> => {
    const [from, to] = [await operator.topic(), await operator.topic()];
    return { from, to, group: `g-${from}` };
  };
  const offsetOf = async (group: string, topic: string): Promise<string | undefined> => (await operator.offset(group, { topic, partition: 0 }))?.offset;

  test.each(deliveries)('%s: a lost position is told, again and again, and what is committed stays', async (delivery) => {
    const { from, group } = await topics();
    await operator.produce(from, ['0', '1', '2', '3', '4', '5']);
    const first = await join(group, from, delivery);
    await resume(first.held()[0]!);
    await first.held()[0]!.deliver([], after(2n));
    await first.membership.close();
    // kafkajs knows the leaders of no topic that it was not asked about before.
    await operator.admin.fetchTopicOffsets(from);
    await operator.admin.deleteTopicRecords({ topic: from, partitions: [{ partition: 0, offset: '4' }] });

    const second = await join(group, from, delivery);
    const [partition] = second.held();
    expect(await partition!.committed()).toEqual(after(2n));
    // Without a seek, too, no driver finds a place of its own.
    expect(await code(partition!.poll(roomy, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    await resume(partition!);
    for (let attempt = 0; attempt < 2; attempt++) expect(await code(partition!.poll(roomy, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    await delay(300);
    expect(await offsetOf(group, from)).toBe('2');
    partition!.seek((await partition!.bounds()).start.position);
    expect((await partition!.poll(roomy, never)).map(({ value }) => value.toString())).toEqual(['4', '5']);
  });

  test.each(deliveries)('%s: the first start is committed before the first record is read, and a later one begins there', async (delivery) => {
    const { from, group } = await topics();
    await operator.produce(from, ['before']);
    const start = async (one: Member): Promise<AssignedPartition> => {
      const [partition] = one.held();
      const { context } = one.parts;
      const { clock, random } = context.options;
      const [checkpoint] = await resolveStarts([partition!], {
        transport: { committed: context.readCommitted, describeTopic: context.describeTopic },
        group,
        startAt: () => 'latest',
        contextOf: () => ({ partition: partition!, clock, random, limits: defaultRunnerLimits, observer: silentObserver }),
        signalOf: () => never,
      });
      partition!.seek(checkpoint!.position);
      return partition!;
    };
    const first = await join(group, from, delivery);
    expect(await offsetOf(group, from)).toBeUndefined();
    await start(first);
    // What a transaction commits is told once its markers are written.
    await until(async () => (await offsetOf(group, from)) === '1');
    await first.membership.close();
    await operator.produce(from, ['after']);
    const second = await join(group, from, delivery);
    const partition = await start(second);
    expect((await partition.poll(roomy, never)).map(({ value }) => value.toString())).toEqual(['after']);
  });

  test.each([
    { fate: 'whose answer is lost', apiKey: apiKeys.endTxn, action: 'drop-answer', happened: true },
    { fate: 'whose connection breaks after it', apiKey: apiKeys.endTxn, action: 'cut-after', happened: true },
    { fate: 'whose connection breaks before it', apiKey: apiKeys.endTxn, action: 'cut-before', happened: false },
    { fate: 'whose end is lost', apiKey: apiKeys.endTxn, action: 'drop-request', happened: false },
    { fate: 'whose offset is not answered', apiKey: apiKeys.txnOffsetCommit, action: 'drop-answer', happened: false },
  ] as const)('a transaction $fate is settled, neither lost nor doubled', async ({ apiKey, action, happened }) => {
    const { from, to, group } = await topics();
    await operator.produce(from, ['0', '1']);
    const one = await join(group, from, 'exactly-once', { requestTimeoutMs: 700 }, proxy.brokers);
    const [partition] = one.held();
    await resume(partition!);
    await partition!.deliver([output(to, 'a')], after(1n));
    const rule = proxy.on(apiKey, { action, times: 1 });
    closing.push(rule.remove);
    expect(await code(partition!.deliver([output(to, 'b')], after(2n)))).toMatch(/^LS_KAFKA_/);
    expect(rule.hits()).toBe(1);
    expect(await partition!.committed()).toEqual(happened ? after(2n) : after(1n));
    if (!happened) await partition!.deliver([output(to, 'b')], after(2n));
    expect(await operator.values(to)).toEqual(['a', 'b']);
    await until(async () => (await offsetOf(group, from)) === '2');
  });

  test('the end of a transaction that arrives when it was given up does not end the next one', async () => {
    const { from, to, group } = await topics();
    await operator.produce(from, ['0', '1']);
    const one = await join(group, from, 'exactly-once', {}, proxy.brokers);
    const [partition] = one.held();
    await resume(partition!);
    const late = proxy.on(apiKeys.endTxn, { action: 'linger', times: 1 });
    expect(await code(partition!.deliver([output(to, 'given up')], after(1n)))).toMatch(/^LS_KAFKA_/);
    // The next transaction of the same id is under way, its end held back, when the old end arrives.
    expect(await partition!.committed()).toBeUndefined();
    const next = proxy.on(apiKeys.endTxn, { action: 'delay', times: 1 });
    const delivering = partition!.deliver([output(to, 'a')], after(1n));
    await next.reached(1);
    late.remove();
    await late.answered;
    expect(await operator.values(to, 'now')).toEqual([]);
    next.remove();
    await delivering;
    expect(await operator.values(to)).toEqual(['a']);
    await until(async () => (await offsetOf(group, from)) === '1');
  });

  test('a commit whose answer is lost is settled by reading it', async () => {
    const { from, to, group } = await topics();
    await operator.produce(from, ['0']);
    const one = await join(group, from, 'at-least-once', { requestTimeoutMs: 700 }, proxy.brokers);
    const [partition] = one.held();
    const rule = proxy.on(apiKeys.offsetCommit, { action: 'cut-after', times: 1 });
    closing.push(rule.remove);
    expect(await code(partition!.deliver([output(to, 'a')], after(1n)))).toMatch(/^LS_KAFKA_/);
    expect(await partition!.committed()).toEqual(after(1n));
    expect(one.held()).toHaveLength(1);
  });

  test('a zombie that fenced the owner is told by it, and the owner goes on', async () => {
    const { from, to, group } = await topics();
    await operator.produce(from, ['0', '1']);
    const one = await join(group, from, 'exactly-once');
    const [partition] = one.held();
    await resume(partition!);
    await partition!.deliver([output(to, 'a')], after(1n));
    const zombie = await one.parts.context.producers.openTransactional(`${group}-${from}-0`);
    const error: unknown = await partition!.deliver([output(to, 'b')], after(2n)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'LS_KAFKA_REQUEST', retryable: true });
    expect(await partition!.committed()).toEqual(after(1n));
    await partition!.deliver([output(to, 'b')], after(2n));
    const late = { group, topic: from, partition: 0, offset: 1n, metadata: '' };
    expect(await code(zombie.transact([output(to, 'zombie')], late))).toBe('LS_TRANSPORT_FENCED');
    await zombie.close();
    expect(await operator.values(to)).toEqual(['a', 'b']);
    await until(async () => (await offsetOf(group, from)) === '2');
  });

  const spawnZombie = async (args: readonly string[]) => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('zombie-child.ts', import.meta.url)), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    closing.push(async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    });
    const told: { readonly event: string; readonly detail: unknown }[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => told.push(JSON.parse(line) as (typeof told)[number]));
    await until(() => told.some(({ event }) => event === 'holding'));
    return { child, say: (line: string) => child.stdin.write(`${line}\n`), heard: (event: string) => told.find((one) => one.event === event)?.detail, told };
  };

  test.each(deliveries)('%s: a process that was stopped past its session writes and commits nothing when it wakes', async (delivery) => {
    const { from, to, group } = await topics();
    await operator.produce(from, ['0', '1', '2']);
    const zombie = await spawnZombie([broker.brokers, group, from, to, delivery]);
    zombie.child.kill('SIGSTOP');
    const heir = await join(group, from, delivery, { sessionTimeoutMs: 1_000 });
    await until(() => heir.held().length === 1);
    const [partition] = heir.held();
    await resume(partition!);
    const [record] = await partition!.poll({ records: 1, bytes: roomy.bytes }, never);
    expect(record!.value.toString()).toBe('1');
    await partition!.deliver([output(to, 'heir:1')], after(record!.sequence + 1n));
    const committed = String(record!.sequence + 1n);
    await until(async () => (await offsetOf(group, from)) === committed);
    // What it was about to do lies ready when it wakes.
    zombie.say('deliver');
    zombie.say('committed');
    zombie.child.kill('SIGCONT');
    await until(() => zombie.heard('delivered') !== undefined && zombie.heard('committed') !== undefined && zombie.heard('revoked') !== undefined);
    expect(zombie.heard('delivered')).toBe('LS_TRANSPORT_REVOKED');
    expect(zombie.heard('committed')).toBe('LS_TRANSPORT_REVOKED');
    // It has joined again meanwhile; who has the partition now is open. The group stands where the heir left it.
    expect(await offsetOf(group, from)).toBe(committed);
    expect(await operator.values(to)).toEqual(['owner:0', 'heir:1']);
    zombie.say('close');
    await until(() => zombie.heard('closed') !== undefined);
    expect(zombie.heard('closed')).toEqual([]);
  });
});
