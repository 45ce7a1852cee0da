/** How a family goes over to other parameters or another projection: pending, built beside, swapped in by a record (SEMANTICS.md, rule 16). */
import { describe, expect, it } from 'vitest';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import type { ControlEvent } from '../../../src/core/events.generated.ts';
import type { OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { restoreState } from '../../../src/stages/cluster/snapshot.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import { restoreReference } from '../../clustering/reference/incremental-dbscan.ts';
import { canonicalSnapshot } from './canonical-snapshot.ts';
import { createCounted, liveVectors } from './counted-search.ts';
import {
  asChunks, assignmentIn, assignmentsIn, codec, control, decodeOutputs, define, family, feature, features, openFold, openWithItems, partitionCounts, recordAt,
  swapPending, tick, urgentOf, urgentRecord, type FoldHarness, type Incoming,
} from './fold-harness.ts';
import { createLogSource } from './random-log.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_261_122);
const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const line = [[0, 0], [0.5, 0], [1, 0], [3, 0]];
const never = new AbortController().signal;
const nothing = { labels: [], clusterEvents: [], deadLetters: [] };
const setParameters = (eps: number | null, minPoints: number | null = null) => control({ 'labelstream.v1.SetParameters': { eps, minPoints } });
const swapOf = (generation: string) => control({ 'labelstream.v1.Swap': { generation, artefactSha256: '' } });
const clusterOf = (harness: FoldHarness, item: string) => harness.partition.view.item(`test/${item}`)[0]!.clusterId;
const generationIn = (harness: FoldHarness) => harness.partition.view.collections()[0]!.generation;

async function stateOf(partition: ClusterPartition) {
  const state = emptyState(features);
  await restoreState(state, asChunks(partition.snapshot()));
  return state;
}

async function pendingIn(harness: FoldHarness): Promise<string | undefined> {
  return (await stateOf(harness.partition)).families.get(family)?.pending?.generation;
}

/** Lets what goes on in the background go on for a while. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('what a definition or parameters ask for', () => {
  it('is pending while labels go on, and in force from the swap on', async () => {
    const harness = await openWithItems(line);
    const [former, cluster] = [generationIn(harness), clusterOf(harness, 'a')];
    expect(await harness.fold(define({ version: 2, eps: 2 }))).toEqual(nothing);
    const meanwhile = await harness.insert({ item: 'e', at: [4, 0], origin: 4 });
    expect(meanwhile.labels.map((label) => assignmentIn(label))).toMatchObject([{ generation: former, role: 'noise' }]);
    const refit = await urgentRecord(harness);
    expect(refit).toMatchObject({ family, action: { 'labelstream.v1.Refit': { generation: await pendingIn(harness), through: 5n } } });
    const asked = { generation: await pendingIn(harness), eps: 2, minPoints: 3, projectionSha256: null };
    expect(harness.partition.view.collections()).toMatchObject([{ pending: { ...asked, builtSinceMs: null } }]);
    expect(await harness.fold(refit)).toEqual(nothing);
    expect(harness.partition.view.collections()).toMatchObject([{ pending: { ...asked, builtSinceMs: 1000 } }]);
    const swap = await urgentRecord(harness);
    expect(swap).toMatchObject({ family, action: { 'labelstream.v1.Swap': { generation: await pendingIn(harness), artefactSha256: '' } } });
    expect(generationIn(harness)).toBe(former);
    const told = await harness.fold(swap);
    expect(assignmentsIn(told)).toEqual([`test/d core ${cluster}`, `test/e border ${cluster}`]);
    expect(new Set(told.labels.map((label) => assignmentIn(label).generation))).toEqual(new Set([generationIn(harness)]));
    expect(generationIn(harness)).not.toBe(former);
    expect(await pendingIn(harness)).toBeUndefined();
    expect(harness.partition.due()).toBeUndefined();
    expect(assignmentsIn(await harness.insert({ item: 'f', at: [6, 0], origin: 5 }))).toEqual([`test/f border ${cluster}`]);
  });

  it('is told when it is asked for, when it is being built, and when it is in force; features and repeats tell nothing', async () => {
    const told: string[] = [];
    const harness = await openWithItems(line, {}, {
      observer: { generationChanged: ({ family: name, standing, eps, minPoints, projectionSha256 }) => told.push(`${name} ${standing}: ${eps} ${minPoints} ${projectionSha256}`) },
    });
    expect(told).toEqual([`${family} in force: 1 3 null`]);
    await harness.fold(setParameters(2));
    await harness.fold(setParameters(2));
    await harness.insert({ item: 'e', at: [4, 0], origin: 4 });
    expect(told.slice(1)).toEqual([`${family} asked for: 2 3 null`]);
    await harness.fold(await urgentRecord(harness));
    expect(told.slice(2)).toEqual([`${family} being built: 2 3 null`]);
    await harness.fold(await urgentRecord(harness));
    await harness.fold(setParameters(2));
    expect(told.slice(3)).toEqual([`${family} in force: 2 3 null`]);
  });

  it('is in force at once without items, and windows are in force at once with them', async () => {
    const harness = openFold();
    await harness.fold(define());
    await harness.fold(setParameters(2));
    for (const [index, at] of line.entries()) await harness.insert({ item: `i${index}`, at, origin: index });
    expect(harness.partition.view.collections()).toMatchObject([{ clusterCount: 1, noiseCount: 0 }]);
    await harness.fold(define({ version: 2, eps: 0.1, windowItems: 2 }));
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 2 }]);
    expect(await pendingIn(harness)).toBeDefined();
  });

  it('replaces what was pending, and takes it back where it is what is in force', async () => {
    const harness = await openWithItems(line);
    await harness.fold(setParameters(2));
    const first = await pendingIn(harness);
    await harness.fold(await urgentRecord(harness));
    const late = await urgentRecord(harness);
    await harness.fold(setParameters(null, 2));
    const second = await pendingIn(harness);
    expect(second).not.toBe(first);
    expect(await harness.fold(late), 'of what was pending before').toEqual(nothing);
    // Parameters are put onto those that were asked for before.
    await swapPending(harness);
    expect((await stateOf(harness.partition)).families.get(family)?.parameters).toEqual({ metric: 'euclidean', eps: 2, minPoints: 2 });
    await harness.fold(setParameters(3));
    await harness.fold(setParameters(2));
    expect(await pendingIn(harness)).toBeUndefined();
    expect(harness.partition.due()).toBeUndefined();
    const before = harness.snapshot();
    for (const stale of [first!, second!, 'x']) expect(await harness.fold(swapOf(stale))).toEqual(nothing);
    expect(harness.snapshot()).toEqual(before);
  });

  it('stays the same, with what is built of it, where the same is asked for again', async () => {
    const harness = await openWithItems(line);
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    await harness.fold(define({ version: 2, eps: 2, windowItems: 3 }));
    expect(await urgentRecord(harness)).toEqual(swap);
    await harness.fold(swap);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 3 }]);
  });

  it('is swapped in for all collections of the family in one record, and for those that were opened meanwhile', async () => {
    const harness = await openWithItems(line);
    for (const index of [0, 1, 2]) await harness.insert({ item: `de${index}`, at: [index * 2, 0], origin: 10 + index, collection: 'news-de' });
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    for (const index of [0, 1, 2]) await harness.insert({ item: `fr${index}`, at: [index * 2, 0], origin: 20 + index, collection: 'news-fr' });
    const told = await harness.fold(swap);
    expect(told.clusterEvents.map(({ collection, type, index }) => [collection, type, index])).toEqual([['news-de', 'emerged', 0], ['news-fr', 'emerged', 0]]);
    expect(told.labels.map(({ itemId }) => itemId)).toEqual(['test/de0', 'test/de1', 'test/de2', 'test/d', 'test/fr0', 'test/fr1', 'test/fr2']);
  });

  it('is built again where its items are all gone and others have come', async () => {
    const harness = await openWithItems([[0, 0]]);
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    await harness.insert({ item: 'a', origin: 5, deleted: true });
    expect(harness.partition.view.collections()).toEqual([]);
    for (const index of [0, 1, 2]) await harness.insert({ item: `n${index}`, at: [index * 2, 0], origin: 6 + index });
    expect((await harness.fold(swap)).clusterEvents).toMatchObject([{ type: 'emerged' }]);
  });

  it('names go over with the ids', async () => {
    const harness = await openWithItems(line);
    const cluster = clusterOf(harness, 'a')!;
    await harness.fold(control({ 'labelstream.v1.LabelCluster': { collection: 'news-en', clusterId: cluster, name: 'line' } }));
    await harness.fold(setParameters(2));
    await swapPending(harness);
    expect(harness.partition.view.clusters()).toMatchObject([{ clusterId: cluster, name: 'line', size: 4 }]);
  });
});

describe('an owner', () => {
  it('begins anew after a restart, with its own refit, and a follower builds nothing before the swap', async () => {
    const counted = createCounted(createNeighbourSearch);
    const harness = await openWithItems(line);
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    const other = createClusterStage({ codec, partitionCounts, openSearch: counted.openSearch }).open(features);
    await other.restore(asChunks([harness.snapshot()]));
    const next = recordAt(20, { event: feature({ item: 'e', at: [4, 0], origin: 4 }) });
    await other.fold([next]);
    await turns(50);
    expect(counted.searches()).toBe(1);
    const successor = createClusterStage({ codec, partitionCounts }).open(features);
    await successor.restore(asChunks(other.snapshot()));
    const [outputs] = await other.fold([recordAt(21, { event: swap })]);
    expect(decodeOutputs(outputs!).labels).toHaveLength(2);
    expect(counted.searches()).toBe(1);
    // Its own claim first; what the former owner says then is too late.
    const actions: string[] = [];
    for (let sequence = 21; actions.at(-1) !== 'labelstream.v1.Swap'; sequence += 1) {
      const own = await urgentOf(successor);
      actions.push(Object.keys(own.action).join());
      const [told] = await successor.fold([recordAt(sequence, { event: own })]);
      expect(decodeOutputs(told!).labels).toHaveLength(actions.length === 3 ? 2 : 0);
      if (actions.length === 1) expect(await successor.fold([recordAt(++sequence, { event: swap })])).toEqual([[]]);
    }
    expect(actions).toEqual(['labelstream.v1.Claim', 'labelstream.v1.Refit', 'labelstream.v1.Swap']);
  });

  it('gives up what was prepared for the former generation', async () => {
    const counted = createCounted(createNeighbourSearch);
    const harness = await openWithItems(line, {}, { openSearch: counted.openSearch });
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    const batch = [recordAt(20, { event: swap }), ...[5, 6, 7].map((origin) => recordAt(16 + origin, { event: feature({ item: `n${origin}`, at: [origin, 0], origin }) }))];
    await harness.partition.prepare!(batch, never);
    const outputs = await harness.partition.fold(batch);
    expect(outputs.map((each) => decodeOutputs(each).labels.length)).toEqual([1, 1, 1, 1]);
    harness.partition.discard!();
    await turns(5);
    expect(counted.stored()).toBe(await liveVectors(harness.partition));
    expect(counted.searches()).toBe(1);
    await harness.partition.close();
    expect(counted.searches()).toBe(0);
  });

  it('that is closed while it builds lets go of everything', async () => {
    const counted = createCounted(createNeighbourSearch);
    const harness = await openWithItems(line, {}, { openSearch: counted.openSearch });
    await harness.fold(setParameters(2));
    await harness.fold(await urgentRecord(harness));
    await turns(1);
    await harness.partition.close();
    await turns(20);
    expect(counted.searches()).toBe(0);
  });

  it('stops waiting for a generation when it is stopped', async () => {
    const harness = await openWithItems(line);
    await harness.fold(setParameters(2));
    const generation = (await pendingIn(harness))!;
    const stopping = new AbortController();
    stopping.abort();
    expect(await harness.partition.fold([recordAt(5, { event: tick }), recordAt(6, { event: swapOf(generation) }), recordAt(7, { event: tick })], stopping.signal)).toHaveLength(1);
    expect(await harness.partition.fold([recordAt(6, { event: swapOf(generation) })])).toHaveLength(1);
  });
});

function open(openSearch = createNeighbourSearch): ClusterPartition {
  return createClusterStage({ codec, partitionCounts, openSearch }).open(features);
}

const written = (outputs: readonly (readonly OutputRecord[])[]): string[][] => outputs.map((each) => each.map(({ topic, partition, value }) => `${topic} ${partition} ${value.toString('hex')}`));

type Run = { readonly events: Incoming[]; readonly outputs: (readonly OutputRecord[])[]; readonly partition: ClusterPartition; readonly swaps: number };

/** As its owner folds it: own records go in between, and what is built is built in the background. */
async function ownerRun(random: ReturnType<typeof seededRandom>, count: number, requireRebuilt: (partition: ClusterPartition, own: ControlEvent, sequence: number) => Promise<(after: ClusterPartition) => Promise<void>>): Promise<Run> {
  const partition = open();
  const next = createLogSource(random, () => {
    const clusters = partition.view.clusters({ samplesMax: 0 });
    return clusters.length === 0 ? undefined : random.pick(clusters);
  });
  const events: Incoming[] = [];
  const outputs: (readonly OutputRecord[])[] = [];
  let swaps = 0;
  let timeMs = 1000;
  const foldNext = async (incoming: Incoming): Promise<void> => {
    events.push(incoming);
    outputs.push(...(await partition.fold([recordAt(events.length - 1, incoming)])));
  };
  while (events.length < count) {
    const due = random.below(2) === 0 ? partition.due() : undefined;
    if (due?.isUrgent === true) {
      const own = codec.decodeAs('ControlEvent', due.record.value);
      // Others may come in between.
      for (let index = random.below(3); index > 0; index -= 1) await foldNext(next());
      const check = await requireRebuilt(partition, own, events.length);
      await foldNext({ event: own, appendTimeMs: timeMs });
      await check(partition);
      if ('labelstream.v1.Swap' in own.action) swaps += 1;
    }
    const incoming = next();
    timeMs = Math.max(timeMs, incoming.appendTimeMs ?? 0);
    await foldNext(incoming);
    await turns(random.below(4));
  }
  return { events, outputs, partition, swaps };
}

describe(`on random logs of seed ${seed}`, () => {
  it('what was built beside the fold is what the reference makes of the live items, and what is built at the swap, to the byte', async () => {
    let swaps = 0;
    let rebuilt = 0;
    for (let log = 0; log < (isFullScale ? 60 : 6); log += 1) {
      const random = seededRandom(seed + log);
      const requireRebuilt = async (partition: ClusterPartition, own: ControlEvent, sequence: number) => {
        const swap = 'labelstream.v1.Swap' in own.action ? own.action['labelstream.v1.Swap'] : undefined;
        const state = await stateOf(partition);
        const before = state.families.get(own.family!);
        const isLate = own.term < (state.claim?.term ?? 0n);
        if (swap === undefined || isLate || before?.pending?.generation !== swap.generation) return () => Promise.resolve();
        const { parameters } = before.pending;
        return async (after: ClusterPartition) => {
          for (const collection of (await stateOf(after)).families.get(own.family!)!.collections.values()) {
            const former = before.collections.get(collection.name)!;
            const chunks = [...former.clustering.canonicalState()];
            const reference = await restoreReference(() => Promise.resolve(chunks.shift()));
            const gone = [...former.items.keys()].filter((itemId) => !collection.items.has(itemId));
            reference.rebuild(parameters, swap.generation, BigInt(sequence), gone.map((itemId) => ({ kind: 'remove', itemId, told: false })));
            expect(Buffer.concat([...collection.clustering.canonicalState()]).equals(Buffer.concat([...reference.snapshot()])), `seed ${seed + log}, record ${sequence}`).toBe(true);
            rebuilt += 1;
          }
        };
      };
      const owner = await ownerRun(random, 400, requireRebuilt);
      swaps += owner.swaps;
      let replay = open();
      const outputs: (readonly OutputRecord[])[] = [];
      const records = owner.events.map((incoming, sequence) => recordAt(sequence, incoming));
      for (let from = 0; from < records.length; ) {
        const to = from + 1 + random.below(60);
        outputs.push(...(await replay.fold(records.slice(from, to))));
        from = to;
        // Going on from a snapshot, while something is pending or not.
        const restored = open();
        await restored.restore(asChunks(replay.snapshot()));
        await replay.close();
        replay = restored;
      }
      expect(written(outputs), `seed ${seed + log}`).toEqual(written(owner.outputs));
      expect((await canonicalSnapshot(replay.snapshot())).equals(await canonicalSnapshot(owner.partition.snapshot())), `seed ${seed + log}`).toBe(true);
    }
    expect(swaps).toBeGreaterThan(10);
    expect(rebuilt).toBeGreaterThan(10);
  }, 600_000);
});

it('an export that is under way ends with a code where the collection goes over to another generation, whose items have other numbers', async () => {
  const harness = await openWithItems(line);
  const [opened] = harness.partition.view.exports({ collection: 'news-en' });
  expect(opened!.take(2)).toMatchObject([{ itemId: 'test/a', role: 'core' }, { itemId: 'test/b' }]);
  await harness.fold(setParameters(1.5));
  expect(opened!.take(1)).toMatchObject([{ itemId: 'test/c' }]);
  await swapPending(harness);
  expect(() => opened!.take(1)).toThrow(expect.objectContaining({ code: 'LS_CLUSTER_EXPORT_OVERTAKEN' }));
  expect(harness.partition.view.exports({ collection: 'news-en' })[0]!.take(9)).toHaveLength(4);
});
