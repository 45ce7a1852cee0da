/** The features topic under another number of partitions, cut short at every step (SEMANTICS.md, rule 11). */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { partitionForKey } from '../../../src/core/partitioning.ts';
import { inputTopics } from '../../../src/core/topics.ts';
import { createDirectoryStateStore } from '../../../src/pipeline/directory-state-store.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import type { StateStore } from '../../../src/pipeline/state-store.ts';
import type { Transport } from '../../../src/pipeline/transport.ts';
import { appendControls } from '../../../src/stages/cluster/append-controls.ts';
import { followClusters } from '../../../src/stages/cluster/cluster-follower.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { forgetRecords } from '../../../src/stages/cluster/control-records.ts';
import { repartition, repartitionOutlook, type RepartitionOptions } from '../../../src/stages/cluster/repartition.ts';
import { requireNoPlan } from '../../../src/stages/cluster/repartition-plan.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { openSegmentLogStore } from '../../../src/transports/log/segment-log-store.ts';
import { code } from '../../conformance/transport-harness.ts';
import { storeOptions, temporaryDirectory } from '../../transports/log/log-fixtures.ts';
import { assignmentsIn, codec, decodeOutputs, define, encodeIncoming, feature, partitionCounts } from './fold-harness.ts';

const families = ['all', 'news-${language}', 'shop', 'other'] as const;
const never = new AbortController().signal;
const [group, extractGroup] = ['g-cluster', 'g-extract'];
const features = (partition: number) => ({ topic: 'features', partition });
type Event = Parameters<typeof encodeIncoming>[0];

const item = (family: string, name: string, at: number, origin: number) => feature({ item: name, at: [at, 0], origin, family, collection: 'c' });
/** Three in a place make a cluster: two of them in each family. */
const beginning = (): readonly (readonly [string, Event])[] =>
  families.flatMap((family, number) => [
    [family, define({}, family)] as const,
    ...[0, 0.1, 0.2, 5, 5.1, 5.2].map((at, index) => [family, item(family, `i${index}`, at, 10 * number + index)] as const),
  ]);

type Mutating = 'replaceTopic' | 'resetGroup' | 'write' | 'discardAbove';

/** A process that ends at a step of its own, before or after it has taken effect. */
function mortal(transport: Transport, stateStore: StateStore) {
  let armed: { left: number; readonly when: 'before' | 'after'; readonly name: Mutating | undefined } | undefined;
  const steps: Mutating[] = [];
  const mortally = <Parameters extends readonly unknown[], Result>(name: Mutating, call: (...parameters: Parameters) => Promise<Result>) =>
    async (...parameters: Parameters): Promise<Result> => {
      if (armed !== undefined && armed.left < 0) throw new Error('The process is gone.');
      steps.push(name);
      const isLast = armed !== undefined && (armed.name ?? name) === name && armed.left-- === 0;
      if (isLast && armed?.when === 'before') throw new Error('The process is gone.');
      const result = await call(...parameters);
      if (isLast) throw new Error('The process is gone.');
      return result;
    };
  return {
    steps,
    kill: (left: number, when: 'before' | 'after', name?: Mutating) => (armed = { left, when, name }),
    transport: { ...transport, replaceTopic: mortally('replaceTopic', transport.replaceTopic), resetGroup: mortally('resetGroup', transport.resetGroup) },
    stateStore: { ...stateStore, write: mortally('write', stateStore.write), discardAbove: mortally('discardAbove', stateStore.discardAbove) },
  };
}

async function open(directory: string) {
  const transport = createLogTransport(await openSegmentLogStore(storeOptions(join(directory, 'log'))));
  const stateStore = createDirectoryStateStore({ directory: join(directory, 'state'), fileSystem: createNodeFileSystem() });
  const stage = createClusterStage({ codec, partitionCounts });
  const options: RepartitionOptions = { transport, stateStore, stage, group, extractGroup, newPlanOwner: randomUUID };
  const countOf = async () => (await transport.describeTopic('features')).partitionCount;
  const append = async (events: readonly (readonly [string, Event])[]) => {
    const count = await countOf();
    await transport.append(events.map(([family, event]) => ({ ...features(partitionForKey(family, count)), key: null, value: encodeIncoming(event), headers: new Map() })));
  };
  /** Folds what is there from where the group stands, as the owner does; what it tells, in order. */
  const work = async () => {
    const told = [];
    const { incarnation, partitionCount } = await transport.describeTopic('features');
    for (let partition = 0; partition < partitionCount; partition++) {
      const committed = await transport.committed(group, features(partition));
      const { start, end } = await transport.bounds(features(partition));
      const opened = stage.open({ ...features(partition), incarnation });
      const key = { stage: stage.name, ...features(partition), incarnation };
      const snapshot = await stateStore.readNewest(key, committed?.sequence ?? -1n, ({ header, chunks }) => opened.restore(chunks).then(() => header));
      if (start.sequence > (snapshot?.sequence ?? -1n) + 1n) throw new Error(`Partition ${partition} is truncated.`);
      let position = snapshot?.position ?? start.position;
      while (position !== end.position) {
        const records = await transport.read(features(partition), position, { records: 500, bytes: 1e6 }, never);
        const outputs = await opened.fold(records);
        told.push(...records.flatMap(({ sequence }, index) => (sequence > (committed?.sequence ?? -1n) ? [decodeOutputs(outputs[index]!)] : [])));
        position = records.at(-1)!.nextPosition;
      }
      const checkpoint = { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 };
      if (start.position !== end.position) await transport.resetGroup(group, [{ ...features(partition), checkpoint }]);
    }
    return told;
  };
  const look = async () => {
    const view = await followClusters({ ...options }, never);
    return view.clusters({ samplesMax: 0 }).value.map(({ family, clusterId, size }) => `${family} ${clusterId} ${size}`).sort();
  };
  return { transport, stateStore, stage, options, append, work, look, countOf };
}

/** A log with clusters, all of it folded. */
async function begun(): Promise<string> {
  const directory = await temporaryDirectory();
  const { transport, append, work } = await open(directory);
  await transport.createTopics([...inputTopics.map((topic) => ({ topic, partitionCount: 1 })), { topic: 'features', partitionCount: 3 }]);
  await append(beginning());
  await work();
  await transport.close();
  return directory;
}

describe('a repartition of features', () => {
  it('waits for what a transaction has committed and nobody sees yet', async () => {
    const { transport, options, append, countOf } = await open(await begun());
    let hidden = true;
    const decided = async (): Promise<void> => {
      if (hidden) await append([['all', item('all', 'late', 0, 99)]]);
      hidden = false;
    };
    expect(await code(repartition({ ...options, transport: { ...transport, decided } }, 2, never))).toBe('LS_STATE_REPARTITION_UNREAD');
    expect(await countOf()).toBe(3);
    await transport.close();
  });

  it('keeps clusters and ids, whatever step it is cut short at, and goes on when it is repeated', { timeout: 300_000 }, async () => {
    let stepCount = 0;
    const orders = new Set<string>();
    for (let step = 0; step === 0 || step < stepCount; step++) {
      for (const when of ['before', 'after'] as const) {
        const directory = await begun();
        const first = await open(directory);
        const before = await first.look();
        expect(before).toHaveLength(2 * families.length);
        const dying = mortal(first.transport, first.stateStore);
        dying.kill(step, when);
        await expect(repartition({ ...first.options, transport: dying.transport, stateStore: dying.stateStore }, 5, never)).rejects.toThrow('The process is gone.');
        const hint = `${when} step ${step}, ${String(dying.steps.at(-1))}`;
        // Nobody works in between.
        const isOver = step === stepCount - 1 && when === 'after';
        if ((await first.countOf()) === 5 && !isOver) expect(await code(requireNoPlan(first.stateStore, group)), hint).toBe('LS_STATE_REPARTITION_PENDING');
        await first.transport.close();

        const second = await open(directory);
        const counting = mortal(second.transport, second.stateStore);
        const done = await repartition({ ...second.options, transport: counting.transport, stateStore: counting.stateStore }, 5, never);
        if (step === 0 && when === 'before') stepCount = counting.steps.length;
        orders.add(`${String(done.length)} ${String(done[0]?.families.length)}`);
        await requireNoPlan(second.stateStore, group);
        expect(await second.look(), hint).toEqual(before);
        expect(await repartition(second.options, 5, never), hint).toEqual([]);
        const { incarnation } = await second.transport.describeTopic('features');
        for (let partition = 0; partition < 5; partition++) {
          expect(await second.transport.committed(group, features(partition)), hint).toMatchObject({ position: '1', sequence: 0n, outputsSent: 0 });
          expect(await second.stateStore.list({ stage: 'cluster', ...features(partition), incarnation }), hint).toEqual([0n]);
        }
        // New versions of items that there are, and one of before: it came in a partition of its own.
        await second.append([['shop', item('shop', 'i0', 5.05, 40)], ['all', item('all', 'i3', 5, 3)]]);
        const told = await second.work();
        expect(told.flatMap(assignmentsIn).filter((text) => text.startsWith('test/i0')), hint).toHaveLength(1);
        expect(told.flatMap(({ labels }) => labels).map(({ revision }) => revision.epoch), hint).toEqual(told.flatMap(({ labels }) => labels).map(() => 2));
        expect(await second.look(), hint).toHaveLength(2 * families.length - 1);
        await second.transport.close();
      }
    }
    expect(stepCount).toBeGreaterThan(14);
    expect(orders.size).toBeGreaterThan(1);
  });

  it('does nothing where the group has lost its positions: what it stood for is in the snapshots alone', async () => {
    const { transport, stateStore, stage, options, countOf, look } = await open(await begun());
    const before = await look();
    await repartition(options, 2, never);
    const expired = { ...options, transport: { ...transport, committed: async (...asked: Parameters<Transport['committed']>) => (asked[0] === group ? undefined : transport.committed(...asked)) } };
    expect(await code(repartitionOutlook(expired, 4, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    expect(await code(repartition(expired, 4, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    expect([await countOf(), await look()]).toEqual([2, before]);
    // Without snapshots, the mark of its start says it; without that, the log that begins later.
    const { incarnation } = await transport.describeTopic('features');
    for (let partition = 0; partition < 2; partition++) await stateStore.discardAbove({ stage: stage.name, ...features(partition), incarnation }, -1n);
    const marked = { stage: `${group}.started`, ...features(1), incarnation };
    await stateStore.write({ ...marked, sequence: 0n, position: '1' }, []);
    expect(await code(repartition(expired, 4, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    await stateStore.discardAbove(marked, -1n);
    expect(await code(repartition(expired, 4, never))).toBe('LS_STATE_LOG_TRUNCATED');
    expect(await countOf()).toBe(2);
    await transport.close();
  });

  it('is not over before the group stands where the new partitions begin', async () => {
    const { transport, stateStore, options, countOf, look } = await open(await begun());
    const before = await look();
    // Brokers remove the positions of a topic that is deleted when they come to it.
    let left = 1;
    const committed: Transport['committed'] = async (...asked) => {
      if (asked[0] === group && (await countOf()) === 5 && left-- > 0) return undefined;
      return transport.committed(...asked);
    };
    expect(await code(repartition({ ...options, transport: { ...transport, committed } }, 5, never))).toBe('LS_TRANSPORT_POSITION_LOST');
    expect(await code(requireNoPlan(stateStore, group))).toBe('LS_STATE_REPARTITION_PENDING');
    expect(await repartition(options, 5, never)).toHaveLength(1);
    expect(await look()).toEqual(before);
    await transport.close();
  });

  it('looks for the last time when everything is restored, also for members that have no position yet', async () => {
    const directory = await begun();
    const { transport, stateStore, options, append, countOf } = await open(directory);
    const listener = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve(), failed: () => undefined };
    const extract = await transport.subscribe({ group: extractGroup, topics: ['parked'], delivery: 'at-least-once', listener });
    expect(await code(repartition(options, 5, never))).toBe('LS_TRANSPORT_GROUP_ACTIVE');
    await extract.close();
    // Who appends while the former partitions are restored.
    let isLate = false;
    const readNewest: StateStore['readNewest'] = async (key, ...asked) => {
      if (!isLate && (await code(requireNoPlan(stateStore, group))) !== 'resolved' && key.stage === options.stage.name) {
        isLate = true;
        await append([['shop', item('shop', 'i9', 9, 60)]]);
      }
      return stateStore.readNewest(key, ...asked);
    };
    expect(await code(repartition({ ...options, stateStore: { ...stateStore, readNewest } }, 5, never))).toBe('LS_STATE_REPARTITION_UNREAD');
    expect([isLate, await countOf()]).toEqual([true, 3]);
    await requireNoPlan(stateStore, group);
    await transport.close();
  });

  it('leaves no snapshot of another history above the one that it goes on from', async () => {
    const { transport, stateStore, stage, options, look } = await open(await begun());
    const before = await look();
    const { incarnation } = await transport.describeTopic('features');
    const partition = partitionForKey('shop', 3);
    for (const sequence of [101n, 102n, 103n]) await stateStore.write({ stage: stage.name, ...features(partition), incarnation, sequence, position: String(sequence + 1n) }, [Buffer.from('foreign')]);
    expect(await repartition(options, 5, never)).toHaveLength(1);
    expect(await look()).toEqual(before);
    await transport.close();
  });

  it('takes another operator\'s plan for its own only where the topic is still there, and stops where its own is replaced', async () => {
    const { transport, stateStore, options, countOf, look } = await open(await begun());
    const before = await look();
    // The second begins while the first has looked for the last time.
    const second = { ...options, transport: { ...transport, topicForm: () => Promise.reject(new Error('The second is gone.')) } };
    const first = { ...options, stateStore: { ...stateStore, write: async (...parameters: Parameters<StateStore['write']>) => {
      await stateStore.write(...parameters);
      if (parameters[0].stage.endsWith('planned')) await expect(repartition(second, 4, never)).rejects.toThrow('The second is gone.');
    } } };
    const dying = mortal(transport, stateStore);
    dying.kill(0, 'after', 'replaceTopic');
    await expect(repartition({ ...first, transport: dying.transport }, 5, never)).rejects.toThrow('The process is gone.');
    expect([await countOf(), await code(requireNoPlan(stateStore, group))]).toEqual([5, 'LS_STATE_REPARTITION_PENDING']);
    expect(await repartition(options, 5, never)).toMatchObject([{ from: 3, to: 5 }]);
    expect(await look()).toEqual(before);
    // The second has noted a plan of its own meanwhile, and goes on: the first stops.
    let noted = 0;
    const readLate: StateStore['readNewest'] = async (key, ...asked) => {
      if (key.stage.endsWith('planned') && noted++ === 1) await repartition(options, 2, never);
      return stateStore.readNewest(key, ...asked);
    };
    const late = { ...options, stateStore: { ...stateStore, readNewest: readLate } };
    expect(await code(repartition(late, 3, never))).toBe('LS_STATE_REPARTITION_PENDING');
    expect([await countOf(), await look()]).toEqual([2, before]);
    await requireNoPlan(stateStore, group);
    await transport.close();
  });

  it('never leaves a note of one operator beside a topic of another', async () => {
    const { transport, stateStore, options, countOf, look } = await open(await begun());
    const before = await look();
    // The second is slow with its snapshots; the first notes its plan meanwhile, and is gone.
    let isFirst = true;
    const topicForm: Transport['topicForm'] = async (topic) => {
      if (isFirst) {
        isFirst = false;
        const dying = mortal(transport, stateStore);
        dying.kill(0, 'before', 'replaceTopic');
        await expect(repartition({ ...options, ...dying }, 5, never)).rejects.toThrow('The process is gone.');
      }
      return transport.topicForm(topic);
    };
    const dying = mortal(transport, stateStore);
    dying.kill(0, 'after', 'replaceTopic');
    await expect(repartition({ ...options, transport: { ...dying.transport, topicForm } }, 4, never)).rejects.toThrow('The process is gone.');
    expect(await countOf()).toBe(4);
    expect(await repartition(options, 4, never)).toMatchObject([{ from: 3, to: 4 }]);
    expect(await look()).toEqual(before);
    // At the same moment: one note gets the place, and the other's operator is told.
    const write: StateStore['write'] = async (header, chunks) => {
      if (header.stage.endsWith('planned')) await stateStore.write(header, [Buffer.from(JSON.stringify({ owner: 'another', foldedThrough: [] }))]);
      await stateStore.write(header, chunks);
    };
    expect(await code(repartition({ ...options, stateStore: { ...stateStore, write } }, 3, never))).toBe('LS_STATE_REPARTITION_PENDING');
    expect(await code(requireNoPlan(stateStore, group))).toBe('LS_STATE_REPARTITION_PENDING');
    await transport.close();
  });

  it('leaves none of the former snapshots, and lets merges and forgets go on', async () => {
    const directory = await begun();
    const { transport, stateStore, options, append, work, look } = await open(directory);
    const { incarnation } = await transport.describeTopic('features');
    const before = await look();
    const outlook = await repartitionOutlook(options, 2, never);
    expect(outlook).toMatchObject({ from: 3, to: 2, unread: [], activeGroups: [], pending: false });
    expect(outlook.families.map(({ family, items }) => `${family} ${items}`).sort()).toEqual(families.map((family) => `${family} 6`).sort());
    const [done] = await repartition(options, 2, never);
    expect(done!.families.map(({ family, from, to }) => [family, from, to])).toEqual(outlook.families.map(({ family, from, to }) => [family, from, to]));
    for (let partition = 0; partition < 3; partition++) expect(await stateStore.list({ stage: 'cluster', ...features(partition), incarnation })).toEqual([]);
    // A bridge joins the two clusters of one family: the older of before goes on, the other is an alias.
    await append([0.9, 1.6, 2.4, 3.2, 4, 4.6].map((at, index) => ['shop', item('shop', `bridge${index}`, at, 50 + index)] as const));
    const merged = (await work()).flatMap(({ clusterEvents }) => clusterEvents).filter(({ type }) => type === 'merged');
    expect(merged).toHaveLength(1);
    const shops = before.filter((text) => text.startsWith('shop')).map((text) => text.split(' ')[1]!);
    expect([merged[0]!.survivor, ...merged[0]!.retired].sort()).toEqual([...shops].sort());
    const view = await followClusters(options, never);
    expect(view.cluster(merged[0]!.retired[0]!).value?.clusterId).toBe(merged[0]!.survivor);
    await transport.append(forgetRecords(codec, 2, ['test/i0'], []));
    expect((await work()).flatMap(assignmentsIn)).toEqual(expect.arrayContaining(families.map(() => 'test/i0 removed -')));
    await transport.close();
  });

  it('does nothing where records are unread or the group has members, and may be given up before the topic goes', async () => {
    const directory = await begun();
    const { transport, stateStore, options, append, work, countOf } = await open(directory);
    await append([['shop', item('shop', 'i9', 9, 60)]]);
    const unread = partitionForKey('shop', 3);
    await expect(repartition(options, 5, never)).rejects.toMatchObject({ code: 'LS_STATE_REPARTITION_UNREAD', message: expect.stringContaining(`partition ${unread} of features (g-cluster): 1`) as string });
    expect((await repartitionOutlook(options, 5, never)).unread).toEqual([{ group, topic: 'features', partition: unread, records: 1n }]);
    await work();
    await transport.append([{ topic: 'parked', partition: 0, key: null, value: Buffer.alloc(1), headers: new Map() }]);
    expect(await code(repartition(options, 5, never))).toBe('LS_STATE_REPARTITION_UNREAD');
    await transport.resetGroup(extractGroup, [{ topic: 'parked', partition: 0, checkpoint: { position: '1', sequence: 0n, outputsSent: 0 } }]);
    const listener = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve(), failed: () => undefined };
    const member = await transport.subscribe({ group, topics: ['features'], delivery: 'at-least-once', listener });
    expect(await code(repartition(options, 5, never))).toBe('LS_TRANSPORT_GROUP_ACTIVE');
    expect((await repartitionOutlook(options, 5, never)).activeGroups).toEqual([group]);
    await member.close();
    // Who appends between the look and the plan.
    const late = { ...stateStore, write: async (...parameters: Parameters<StateStore['write']>) => {
      await stateStore.write(...parameters);
      if (parameters[0].stage.endsWith('planned')) await append([['shop', item('shop', 'i8', 9, 61)]]);
    } };
    expect(await code(repartition({ ...options, stateStore: late }, 5, never))).toBe('LS_STATE_REPARTITION_UNREAD');
    await requireNoPlan(stateStore, group);
    await work();
    const dying = mortal(transport, stateStore);
    dying.kill(0, 'before', 'replaceTopic');
    await expect(repartition({ ...options, ...dying }, 5, never)).rejects.toThrow();
    expect([await countOf(), await code(requireNoPlan(stateStore, group))]).toEqual([3, 'LS_STATE_REPARTITION_PENDING']);
    expect(await repartitionOutlook(options, 3, never)).toMatchObject({ pending: true });
    expect(await repartition(options, 3, never)).toEqual([]);
    await requireNoPlan(stateStore, group);
    await transport.close();
  });

  it('tells who says something to the clusters meanwhile that it may be lost', async () => {
    const directory = await begun();
    const { transport, stateStore, options } = await open(directory);
    const forget = (append: Transport['append']): Promise<unknown> =>
      appendControls({ transport: { ...transport, append }, stateStore, group }, (count) => forgetRecords(codec, count, ['test/i0'], []));
    // After the last look: it goes with the topic.
    let told: string | undefined;
    const replaceTopic: Transport['replaceTopic'] = async (replacement) => {
      told = await code(forget(transport.append));
      return transport.replaceTopic(replacement);
    };
    await repartition({ ...options, transport: { ...transport, replaceTopic } }, 5, never);
    expect(told).toBe('LS_STATE_REPARTITION_PENDING');
    // All of it happens between the command's own look and its append.
    const afterRepartition: Transport['append'] = async (records) => {
      await repartition(options, 3, never);
      await transport.append(records);
    };
    expect(await code(forget(afterRepartition))).toBe('LS_STATE_REPARTITION_PENDING');
    await forget(transport.append);
    await transport.close();
  });

  it('stops where what it goes on from is gone, and leaves everything as it is', async () => {
    const directory = await begun();
    const { transport, stateStore, options } = await open(directory);
    const dying = mortal(transport, stateStore);
    const steps = mortal(transport, stateStore);
    const { incarnation } = await transport.describeTopic('features');
    dying.kill(0, 'after', 'replaceTopic');
    await expect(repartition({ ...options, ...dying }, 5, never)).rejects.toThrow('The process is gone.');
    await stateStore.discardAbove({ stage: 'cluster', ...features(partitionForKey('shop', 3)), incarnation }, -1n);
    expect(await code(repartition({ ...options, ...steps }, 5, never))).toBe('LS_STATE_REPARTITION_LOST');
    expect(steps.steps).toEqual([]);
    await transport.close();
  });
});
