// Clusters asked while records change them: by who owns a partition and who follows it, over the transport of the embedded log (SEMANTICS.md, rule 25).
import { describe, expect, it, onTestFinished } from 'vitest';
import type { OpenSearch } from '../../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { clusteringError } from '../../../src/core/errors/clustering.ts';
import { kafkaError } from '../../../src/core/errors/kafka.ts';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import { systemClock } from '../../../src/pipeline/system-clock.ts';
import { followClusters } from '../../../src/stages/cluster/cluster-follower.ts';
import { askAll, type LiveClusters } from '../../../src/stages/cluster/cluster-queries.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { createLiveClusters } from '../../../src/stages/cluster/live-clusters.ts';
import { trackPartitions } from '../../../src/stages/cluster/owned-partitions.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import { codec, define, feature, partitionCounts, type FeatureContent } from './fold-harness.ts';
import { never, nobody, openLog } from './live-log.ts';

const line = (...items: readonly FeatureContent[]) => [define(), ...items.map((item) => feature(item))];
const three = line({ item: 'a', at: [0, 0], origin: 0 }, { item: 'b', at: [0.5, 0], origin: 1 }, { item: 'c', at: [1, 0], origin: 2 });
const counts = (live: LiveClusters, atLeast?: ReadonlyMap<number, bigint>, signal = never) => askAll(live, (view) => view.collections().map(({ itemCount, clusterCount }) => ({ itemCount, clusterCount })), { signal, atLeast });

/** A follower that stands at the end of the log, and reads on from there unless it is held. */
async function openHeld() {
  const log = await openLog();
  await log.append(three);
  let held: Promise<undefined> = Promise.resolve(undefined);
  const read: typeof log.transport.read = async (...asked) => {
    const records = await log.transport.read(...asked);
    await held;
    return records;
  };
  const live = createLiveClusters({ ...log.follower, transport: { ...log.transport, read }, owned: nobody, clock: systemClock, followerIdleMsMax: 60_000 });
  onTestFinished(() => live.close());
  await counts(live);
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    held = promise;
    return () => resolve(undefined);
  };
  return { log, live, hold };
}

/** An owner that folds what it is given. */
function ownerOf({ stage, incarnation }: Awaited<ReturnType<typeof openLog>>, snapshotSequence?: bigint): { readonly owned: ReturnType<typeof trackPartitions>; readonly partition: ClusterPartition; readonly restored: () => void } {
  const owned = trackPartitions(stage, () => undefined);
  const partition = owned.stage.open({ topic: 'features', partition: 1, incarnation });
  const restored = (): void => owned.observer.restored({ topic: 'features', partition: 1 }, { kept: false, snapshotSequence, records: 0, durationMs: 0 });
  return { owned, partition, restored };
}

describe('a follower that goes on', () => {
  it('answers with every record that comes, and says up to which', async () => {
    const log = await openLog();
    await log.append(three);
    const live = log.live();
    expect(await counts(live)).toEqual({ value: [[], [{ itemCount: 3, clusterCount: 1 }]], heldAt: [{ partition: 0, sequence: undefined }, { partition: 1, sequence: 3n }] });
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })]);
    expect(await counts(live, new Map([[1, 4n]]))).toMatchObject({ value: [[], [{ itemCount: 4 }]], heldAt: [{}, { sequence: 4n }] });
  });

  it('waits for a record that is asked for, as long as somebody waits', async () => {
    const { log, live, hold } = await openHeld();
    const go = hold();
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })]);
    const asked = new AbortController();
    const late = counts(live, new Map([[1, 4n]]), asked.signal);
    const other = counts(live, new Map([[1, 4n]]));
    asked.abort(new Error('nobody waits'));
    await expect(late).rejects.toThrow('nobody waits');
    go();
    expect(await other).toMatchObject({ heldAt: [{}, { sequence: 4n }] });
  });

  it('waits for no record that there is not', async () => {
    const { live } = await openHeld();
    await expect(counts(live, new Map([[1, 4n]]))).rejects.toMatchObject({ code: 'LS_CLUSTER_SEQUENCE_UNKNOWN' });
    await expect(counts(live, new Map([[2, 0n]]))).rejects.toMatchObject({ code: 'LS_CLUSTER_SEQUENCE_UNKNOWN' });
    expect(await counts(live, new Map([[1, 3n]]))).toMatchObject({ heldAt: [{}, { sequence: 3n }] });
  });

  it('begins with the newest snapshot, and says where the log before it is gone', async () => {
    const log = await openLog();
    await log.append(three);
    await log.snapshotOf(await log.read());
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })]);
    log.store.trim({ topic: 'features', partition: 1 }, 4n);
    expect(await counts(log.live())).toMatchObject({ value: [[], [{ itemCount: 4 }]] });
    log.store.trim({ topic: 'features', partition: 1 }, 5n);
    const failing = log.live();
    await expect(counts(failing)).rejects.toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED' });
    // Opened anew by the next question.
    await log.snapshotOf([...(await openWhole(log, three, 5))]);
    expect(await counts(failing)).toMatchObject({ value: [[], [{ itemCount: 4 }]] });
  });

  it('is given up when nobody asks, and begun again by the next question', async () => {
    const log = await openLog();
    await log.append(three);
    let opened = 0;
    const stage = { ...log.stage, open: (partition: Parameters<typeof log.stage.open>[0]) => (opened++, log.stage.open(partition)) };
    const live = createLiveClusters({ ...log.follower, stage, owned: nobody, clock: systemClock, followerIdleMsMax: 40 });
    await counts(live);
    expect(opened).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await counts(live)).toMatchObject({ value: [[], [{ itemCount: 3 }]] });
    expect(opened).toBe(4);
    await live.close();
  });

  it('is not begun again for a question that nobody waits for any more', async () => {
    const log = await openLog();
    await log.append(three);
    let opened = 0;
    const stage = { ...log.stage, open: (partition: Parameters<typeof log.stage.open>[0]) => (opened++, log.stage.open(partition)) };
    const live = createLiveClusters({ ...log.follower, stage, owned: nobody, clock: systemClock, followerIdleMsMax: 40 });
    onTestFinished(() => live.close());
    const asked = new AbortController();
    const late = counts(live, new Map([[1, 99n]]), asked.signal);
    await counts(live);
    asked.abort(new Error('nobody waits'));
    await expect(late).rejects.toThrow('nobody waits');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(opened).toBe(2);
  });

  it('is not waited for when all questions end', async () => {
    const { log, live, hold } = await openHeld();
    hold();
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })]);
    const ended = expect(counts(live, new Map([[1, 4n]]))).rejects.toMatchObject({ code: 'LS_SERVER_DRAINING' });
    await counts(live);
    await live.close();
    await ended;
  });

  it('asks again where the log cannot be read for a while, and answers with what it has meanwhile', async () => {
    const log = await openLog(1);
    await log.append(three, 0);
    let isAway = false;
    const read: typeof log.transport.read = async (...asked) => {
      const records = await log.transport.read(...asked);
      if (isAway) throw kafkaError('LS_KAFKA_UNREACHABLE', 'away');
      return records;
    };
    const live = createLiveClusters({ ...log.follower, transport: { ...log.transport, read }, owned: nobody, clock: systemClock, followerIdleMsMax: 60_000 });
    onTestFinished(() => live.close());
    await counts(live);
    isAway = true;
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })], 0);
    expect(await counts(live)).toMatchObject({ heldAt: [{ sequence: 3n }] });
    isAway = false;
    expect(await counts(live, new Map([[0, 4n]]))).toMatchObject({ value: [[{ itemCount: 4 }]] });
  });
});

/** The records of a log with the beginning that is gone, up to a sequence. */
async function openWhole(log: Awaited<ReturnType<typeof openLog>>, events: Parameters<typeof log.append>[0], count: number): Promise<readonly ConsumedRecord[]> {
  const copy = await openLog();
  await copy.append([...events, feature({ item: 'd', at: [9, 9], origin: 3 })]);
  return (await copy.read()).slice(0, count).map((record) => ({ ...record }));
}

describe('an owner', () => {
  it('answers from the state that it folds into, between two records, and nobody follows beside it', async () => {
    const log = await openLog();
    await log.append(three);
    const { owned, partition, restored } = ownerOf(log);
    restored();
    const live = log.live(owned);
    const folding = partition.fold(await log.read());
    const { value, heldAt } = await counts(live);
    expect([value[1]?.[0]?.itemCount ?? 0, heldAt[1]?.sequence]).toSatisfy(([items, sequence]: [number, bigint | undefined]) => BigInt(items) === (sequence ?? 0n));
    await folding;
    expect(await counts(live)).toMatchObject({ value: [[], [{ itemCount: 3 }]], heldAt: [{}, { sequence: 3n }] });
  });

  it('describes of the members of a cluster those that are asked for', async () => {
    const log = await openLog();
    await log.append(three);
    const live = log.live();
    const { value } = await askAll(live, (view) => view.clusters().map(({ clusterId }) => view.cluster(clusterId, { offset: 1, limit: 1 })), { signal: never });
    expect(value.flat()).toMatchObject([{ size: 3, samples: [{}, {}, {}], members: [{ itemId: 'test/b', preview: 'text of b' }] }]);
    expect(value.flat()[0]?.members).toHaveLength(1);
  });

  it('answers nothing from a record that could be folded only in part', async () => {
    const log = await openLog();
    await log.append([...three, feature({ item: 'a', at: [50, 0], origin: 3, collection: 'news-de' })]);
    const records = await log.read();
    let isBroken = false;
    const openSearch: OpenSearch = (...asked) => {
      const search = createPlainSearch(...asked);
      const release: typeof search.release = (point) => {
        if (isBroken) throw new Error('broken');
        search.release(point);
      };
      return { ...search, release };
    };
    const { owned, partition, restored } = ownerOf({ ...log, stage: createClusterStage({ codec, partitionCounts, openSearch }) });
    restored();
    const live = log.live(owned);
    await partition.fold(records.slice(0, 4));
    isBroken = true;
    await expect(partition.fold(records.slice(4))).rejects.toThrow('broken');
    await expect(askAll(live, (view) => view.item('test/a'), { signal: never })).rejects.toThrow('broken');
  });

  it('that loses the partition while an answer is searched for leaves it to whoever follows', async () => {
    const log = await openLog();
    await log.append(three);
    const { owned, partition, restored } = ownerOf(log);
    await partition.fold(await log.read());
    restored();
    const live = log.live(owned);
    const { value, heldAt } = await askAll(
      live,
      (view) => {
        if (view !== partition.view) return view.place('news-en', Float32Array.of(0.5, 0));
        owned.observer.ended({ topic: 'features', partition: 1 });
        return Promise.reject(clusteringError('LS_CLUSTERING_CLOSED', 'closed meanwhile'));
      },
      { signal: never },
    );
    expect([value[1], heldAt[1]]).toMatchObject([[{ role: 'core' }], { sequence: 3n }]);
  });

  it('that is being restored is waited for; one that has lost the partition is followed', async () => {
    const log = await openLog();
    await log.append(three);
    const { owned, restored } = ownerOf(log, 3n);
    const live = log.live(owned);
    let isAnswered = false;
    const waiting = counts(live).then((answer) => {
      isAnswered = true;
      return answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isAnswered).toBe(false);
    restored();
    // The state of this owner is empty: what it says is told, and where it stands by its snapshot.
    expect(await waiting).toMatchObject({ value: [[], []], heldAt: [{}, { sequence: 3n }] });
    const next = counts(live, new Map([[1, 4n]]));
    owned.observer.ended({ topic: 'features', partition: 1 });
    await log.append([feature({ item: 'd', at: [9, 9], origin: 3 })]);
    expect(await next).toMatchObject({ value: [[], [{ itemCount: 4 }]], heldAt: [{}, { sequence: 4n }] });
    // The runner goes on with the state that it kept, without opening it anew.
    restored();
    expect(await counts(live)).toMatchObject({ heldAt: [{}, { sequence: 3n }] });
  });
});

it('what is answered at a sequence is what the log says at that sequence', { timeout: 60_000 }, async () => {
  const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? Date.now() % 1_000_000);
  const random = seededRandom(seed);
  const log = await openLog(1);
  await log.append([define()], 0);
  const live = log.live();
  const itemsAt = new Map<bigint, number>();
  const living = new Set<string>();
  for (let origin = 1; origin <= 120; origin++) {
    const item = `i${random.below(30)}`;
    const deleted = random.below(4) === 0;
    if (deleted) living.delete(item);
    else living.add(item);
    itemsAt.set(BigInt(origin), living.size);
    await log.append([feature({ item, origin, deleted, ...(deleted ? {} : { at: [random.below(8), random.below(8)] }) })], 0);
    if (random.below(3) > 0) continue;
    const { value, heldAt } = await askAll(live, (view) => ({ items: view.exports({}).flatMap(({ take }) => take(1_000)), listed: view.clusters({ samplesMax: 0 }) }), { signal: never });
    const { sequence } = heldAt[0]!;
    expect(value[0]!.items.length, `seed ${seed}, sequence ${sequence}`).toBe(itemsAt.get(sequence ?? 0n) ?? 0);
    for (const { clusterId, size } of value[0]!.listed) expect(value[0]!.items.filter((each) => each.clusterId === clusterId).length, `seed ${seed}`).toBe(size);
  }
  const whole = await followClusters(log.follower, never);
  const { value } = await askAll(live, (view) => view.clusters(), { signal: never, atLeast: new Map([[0, 120n]]) });
  expect(value[0], `seed ${seed}`).toEqual(whole.clusters().value);
});
