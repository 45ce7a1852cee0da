import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startKafka, type KafkaBroker } from '../../brokers/kafka-broker.ts';
import { describeWith, kafkaNeeds } from '../../requirements.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import { silentKafkaObserver, type KafkaOptions } from '../../../src/transports/kafka/kafka-options.ts';
import { code } from '../../conformance/transport-harness.ts';
import { kafkaOptions, member, never, outside, output, resume, roomy, until, type Member, type Outside } from './group-fixture.ts';

describeWith(await kafkaNeeds(), 'a member of a Kafka group', () => {
  let broker: KafkaBroker;
  let operator: Outside;
  let members: Member[] = [];

  beforeAll(async () => {
    broker = await startKafka();
    operator = await outside(broker.brokers);
  });
  afterEach(async () => {
    await Promise.all(members.map((one) => one.close()));
    members = [];
  });
  afterAll(async () => {
    await operator.close();
    await broker.close();
  });
  const join = (topics: readonly string[], overrides: Partial<KafkaOptions> = {}, more: Omit<Parameters<typeof member>[1], 'group' | 'topics'> = {}, parts: Parameters<typeof member>[2] = {}): Member => {
    const joined = member(kafkaOptions(broker.brokers, overrides), { group: topics[0]!, topics, ...more }, parts);
    members.push(joined);
    return joined;
  };
  const numbers = (one: Member): readonly number[] => one.held().map(({ partition }) => partition).sort();

  test('gets everything alone, shares it evenly and keeps what it can, and takes it back', async () => {
    const topic = await operator.topic(4);
    const one = join([topic]);
    await one.membership.joined;
    expect(numbers(one)).toEqual([0, 1, 2, 3]);
    const two = join([topic]);
    await until(() => two.held().length === 2 && one.held().length === 2);
    const keptByOne = numbers(one);
    const three = join([topic]);
    await until(() => three.held().length === 1 && one.held().length + two.held().length === 3);
    expect([...numbers(one), ...numbers(two), ...numbers(three)].sort()).toEqual([0, 1, 2, 3]);
    expect(numbers(one).every((partition) => keptByOne.includes(partition))).toBe(true);
    await one.membership.close();
    await until(() => two.held().length + three.held().length === 4);
    expect(one.held()).toEqual([]);
    expect([one, two, three].flatMap(({ failures }) => failures)).toEqual([]);
  });

  test('tells where the members of its group are', async () => {
    const topic = await operator.topic(2);
    const told: (readonly string[])[] = [];
    const observer = { ...silentKafkaObserver, groupHosts: (group: string) => (hosts: readonly string[]) => void told.push([group, ...hosts]) };
    const one = join([topic], { observer });
    await one.membership.joined;
    join([topic]);
    await until(() => told.length >= 2);
    // All from here, as the broker sees it.
    for (const hosts of told) expect(hosts).toEqual([topic, '/127.0.0.1']);
  });

  test('is told that there is nothing for it, and takes over later', async () => {
    const topic = await operator.topic(1);
    const one = join([topic]);
    await one.membership.joined;
    const two = join([topic]);
    await two.membership.joined;
    expect(two.held()).toEqual([]);
    await one.membership.close();
    await until(() => two.held().length === 1);
  });

  test('reads topics that the other members do not', async () => {
    const [shared, own] = [await operator.topic(2), await operator.topic(2)];
    const one = member(kafkaOptions(broker.brokers), { group: 'mixed', topics: [shared] });
    const two = member(kafkaOptions(broker.brokers), { group: 'mixed', topics: [shared, own] });
    members.push(one, two);
    await until(() => one.held().length === 2 && two.held().length === 2);
    expect(one.held().every(({ topic }) => topic === shared)).toBe(true);
    expect(two.held().every(({ topic }) => topic === own)).toBe(true);
  });

  test('stays one while it lets go for longer than its session, and nobody has its partitions before', async () => {
    const topic = await operator.topic(2);
    const events: string[] = [];
    const slow = join([topic], { sessionTimeoutMs: 1_000 }, {
      listener: {
        revoked: async (partitions) => {
          const [partition] = slow.held();
          await delay(2_500);
          const { start } = await partition!.bounds();
          events.push(`delivering ${await code(partition!.deliver([], { position: start.position, sequence: start.sequence - 1n, outputsSent: 7 }))}`);
          events.push(`let go of ${String(partitions.length)}`);
        },
      },
    });
    await slow.membership.joined;
    const next = join([topic], { sessionTimeoutMs: 1_000 }, {
      listener: { assigned: (partitions) => { events.push(`got ${String(partitions.length)}`); return Promise.resolve(); } },
    });
    await next.membership.joined;
    expect(events).toEqual(['delivering resolved', 'let go of 2', 'got 1']);
    expect((await operator.offset(topic, { topic, partition: 0 }))?.metadata).toBe('1:-1:7');
    await until(() => slow.held().length === 1);
  });

  test('a member for which there is no partition is told so, and whoever kept something for it may forget it', async () => {
    const topic = await operator.topic(1);
    const first = join([topic]);
    await first.membership.joined;
    const counts: number[] = [];
    const second = join([topic], {}, { listener: { assigned: (partitions) => { counts.push(partitions.length); return Promise.resolve(); } } });
    await second.membership.joined;
    expect(counts).toEqual([0]);
    await until(() => first.held().length === 1);
  });

  test('who does not let go in time loses its partitions, and the group goes on', async () => {
    const topic = await operator.topic(2);
    const gate = Promise.withResolvers<undefined>();
    const stuck = join([topic], { rebalanceTimeoutMs: 4_000 }, { listener: { revoked: async () => { await gate.promise; } } });
    await stuck.membership.joined;
    const [partition] = stuck.held();
    await resume(partition!);
    // The group waits for the longest of its members' time-outs.
    const next = join([topic], { rebalanceTimeoutMs: 4_000 });
    await until(async () => (await code(partition!.bounds())) === 'LS_TRANSPORT_REVOKED');
    // Before anyone else has it.
    expect(next.held()).toEqual([]);
    await until(() => next.held().length === 2);
    expect(await code(partition!.poll(roomy, never))).toBe('LS_TRANSPORT_REVOKED');
    gate.resolve(undefined);
    await until(() => stuck.held().length === 1 && next.held().length === 1);
    expect(stuck.failures).toEqual([]);
  });

  test('is not held up in a rebalance by a topic that it cannot describe', async () => {
    const topic = await operator.topic(2);
    const asked = Promise.withResolvers<undefined>();
    const describeTopic = (): Promise<never> => {
      asked.resolve(undefined);
      return new Promise(() => undefined);
    };
    const stuck = join([topic], {}, {}, { describeTopic });
    await asked.promise;
    const two = join([topic]);
    await until(() => two.held().length === 1);
    await stuck.membership.close();
    await until(() => two.held().length === 2);
    expect(stuck.held()).toEqual([]);
  });

  test('gets the partitions that are added to a topic', async () => {
    const topic = await operator.topic(1);
    const one = join([topic]);
    const two = join([topic]);
    await until(() => one.held().length + two.held().length === 1);
    await operator.admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
    await until(() => one.held().length === 2 && two.held().length === 2);
    await operator.produce(topic, ['added'], 3);
    const added = [...one.held(), ...two.held()].find(({ partition }) => partition === 3)!;
    expect(await added.committed()).toBeUndefined();
    await resume(added);
    expect((await added.poll(roomy, never)).map(({ value }) => value.toString())).toEqual(['added']);
  });

  test('says which partitions it was given, of each generation and in either group; nothing once it is closed', async () => {
    const topic = await operator.topic(3);
    const told: (readonly unknown[])[] = [];
    const message = (level: string, text: string, details: object): void => {
      if (level === 'info') told.push([text.replace(/ \d+ of/, ' N of'), details]);
    };
    const observer = { ...silentKafkaObserver, message };
    const one = join([topic], { observer });
    await one.membership.joined;
    const first = told.splice(0);
    expect(first).toEqual([[`Generation N of group ${topic}: this member has 3 partitions.`, { partitions: { [topic]: [0, 1, 2] } }]]);
    const two = join([topic]);
    await until(() => two.held().length + one.held().length === 3 && two.held().length > 0);
    const [later] = told.splice(0);
    expect(later).toEqual([expect.stringMatching(/^Generation N of group .*: this member has [12] partitions?\.$/), { partitions: { [topic]: numbers(one) } }]);
    await one.membership.close();
    expect(told).toEqual([]);
  });

  test('tells once what cannot pass, and ends', async () => {
    const topic = await operator.topic(1);
    const refused = join([topic], { sessionTimeoutMs: 10 });
    await refused.membership.joined;
    expect(refused.failures.map((error) => 'code' in error && error.code)).toEqual(['LS_KAFKA_REFUSED']);
    const missing = join(['not-there']);
    await missing.membership.joined;
    expect(missing.failures.map((error) => 'code' in error && error.code)).toEqual(['LS_TRANSPORT_TOPIC_MISSING']);
    await Promise.all([refused.membership.close(), missing.membership.close()]);
    expect(refused.failures).toHaveLength(1);
  });

  test('waits for a broker that is not there, and ends when it is closed', async () => {
    const told: string[] = [];
    const observer = { ...silentKafkaObserver, message: (_level: string, text: string) => void told.push(text) };
    const waiting = member(kafkaOptions('127.0.0.1:1', { observer }), { group: 'nowhere', topics: ['nothing'] });
    members.push(waiting);
    await until(() => told.some((text) => text.includes('Group nowhere could not be joined yet')));
    await waiting.membership.close();
    await waiting.membership.joined;
    expect(waiting.failures).toEqual([]);
  });

  test('leaves in the middle of a join that waits for others', async () => {
    const topic = await operator.topic(2);
    const gate = Promise.withResolvers<undefined>();
    const holding = join([topic], {}, { listener: { revoked: async () => { await gate.promise; } } });
    await holding.membership.joined;
    const leaving = join([topic], { sessionTimeoutMs: 1_000 });
    // The group is being rebalanced for the one that comes.
    await until(async () => (await operator.admin.describeGroups([topic])).groups[0]!.state === 'PreparingRebalance');
    await leaving.membership.close();
    expect(leaving.held()).toEqual([]);
    gate.resolve(undefined);
    await until(() => holding.held().length === 2);
  });

  test('keeps its partitions while the broker is away for less than its session', async () => {
    const topic = await operator.topic(1);
    const one = join([topic], { sessionTimeoutMs: 30_000, requestTimeoutMs: 1_000 });
    await one.membership.joined;
    const [partition] = one.held();
    const { start } = await partition!.bounds();
    await broker.restart();
    const checkpoint = { position: start.position, sequence: start.sequence - 1n, outputsSent: 1 };
    await until(async () => (await code(partition!.deliver([], checkpoint))) === 'resolved');
    expect(one.held()[0]).toBe(partition);
    expect(await partition!.committed()).toEqual(checkpoint);
  }, 60_000);

  test('gives up its partitions when nothing answers within its session, and joins again when it does', async () => {
    const topic = await operator.topic(1);
    const assignments: string[] = [];
    const one = join([topic], { sessionTimeoutMs: 1_500, requestTimeoutMs: 1_000 }, {
      listener: {
        assigned: () => { assignments.push('assigned'); return Promise.resolve(); },
        revoked: () => { assignments.push('revoked'); return Promise.resolve(); },
      },
    });
    await one.membership.joined;
    const [partition] = one.held();
    await broker.stopProcess();
    try {
      await until(() => assignments.length === 2);
      expect(await code(partition!.deliver([output(topic, 'late')], { position: '0', sequence: -1n, outputsSent: 0 }))).toBe('LS_TRANSPORT_REVOKED');
    } finally {
      await broker.continueProcess();
    }
    await until(() => one.held().length === 1);
    expect(assignments).toEqual(['assigned', 'revoked', 'assigned']);
    expect(one.held()[0]).not.toBe(partition);
    expect(one.failures).toEqual([]);
    expect(await operator.values(topic)).toEqual([]);
  }, 60_000);

  describe('tells that nobody answers', () => {
    const watched = (): { readonly observer: KafkaOptions['observer']; readonly told: string[] } => {
      const told: string[] = [];
      const observer = { ...silentKafkaObserver, groupFailed: (_group: string, error: Error) => void told.push(error.message), groupAnswered: () => void told.push('answered') };
      return { observer, told };
    };

    test('by the first heartbeat that timed out, and that the coordinator answers again', async () => {
      const topic = await operator.topic(1);
      const { observer, told } = watched();
      const one = join([topic], { observer, sessionTimeoutMs: 30_000, requestTimeoutMs: 1_000 });
      await one.membership.joined;
      expect(told).toEqual(['answered']);
      await broker.stopProcess();
      try {
        await until(() => told.length > 1);
        expect(told[1]).toMatch(/Request Heartbeat.* timed out$/);
      } finally {
        await broker.continueProcess();
      }
      await until(() => told.at(-1) === 'answered');
      expect(one.held()).toHaveLength(1);
    }, 60_000);

    test('where a session is hardly longer than a request', async () => {
      const topic = await operator.topic(1);
      const { observer, told } = watched();
      const one = join([topic], { observer, sessionTimeoutMs: 1_500, requestTimeoutMs: 1_490 });
      await one.membership.joined;
      await broker.stopProcess();
      try {
        await until(() => told.length > 1);
        expect(told[1]).toBe(`No heartbeat of group "${topic}" was answered before its session ended.`);
      } finally {
        await broker.continueProcess();
      }
      await until(() => told.at(-1) === 'answered');
    }, 60_000);

    test('but not while members come and go', async () => {
      const topic = await operator.topic(8);
      const { observer, told } = watched();
      const coming: Member[] = [];
      for (let count = 0; count < 40; count += 1) {
        coming.push(join([topic], { observer, heartbeatIntervalMs: 200 }));
        await delay(20 + 37 * (count % 9));
        if (coming.length > 6) void coming.shift()!.close();
      }
      await until(() => coming.reduce((sum, one) => sum + one.held().length, 0) === 8);
      expect(told.length).toBeGreaterThan(40);
      expect(new Set(told)).toEqual(new Set(['answered']));
    }, 60_000);

    test('but not where this process was stopped between joining and its first heartbeat, or between two of them', async () => {
      const topic = await operator.topic(1);
      const { observer, told } = watched();
      const heartbeatIntervalMs = 51;
      let pauses = 0;
      const stop = (): void => {
        pauses += 1;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
      };
      const clock = {
        ...systemClock,
        sleep: async (ms: number, signal?: AbortSignal) => {
          await systemClock.sleep(ms, signal);
          if (ms === heartbeatIntervalMs && pauses === 1) stop();
        },
      };
      // kafkajs says so when it has joined.
      const message = (_level: string, text: string): void => {
        if (text === 'ConsumerGroup: Consumer has joined the group' && pauses === 0) stop();
      };
      const one = join([topic], { observer: { ...observer, message }, clock, sessionTimeoutMs: 1_000, requestTimeoutMs: 900, heartbeatIntervalMs });
      await until(() => pauses === 2);
      await until(() => told.length === 2);
      expect(told).toEqual(['answered', 'answered']);
      await until(() => one.held().length === 1);
    }, 60_000);
  });
});
