/** Definitions, parameters, names and what is refused (SEMANTICS.md, rules 9, 16 and 19). */
import { describe, expect, it, vi } from 'vitest';
import type { clusterErrors } from '../../../src/core/errors/cluster.ts';
import { LabelstreamError } from '../../../src/core/errors/error.ts';
import type { Define } from '../../../src/core/events.generated.ts';
import { rejectionOf } from '../../../src/pipeline/abort.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import {
  assignmentIn, assignmentsIn, codec, codesOf, control, decodeOutputs, define, family, feature, features, openFold, openWithItems, originAt,
  partitionCounts, recordAt, swapPending,
  type FoldHarness, type Told,
} from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0]];
const setParameters = (eps: number | null, minPoints: number | null = null) =>
  control({ 'labelstream.v1.SetParameters': { eps, minPoints } });
const label = (clusterId: string, name: string, collection = 'news-en') =>
  control({ 'labelstream.v1.LabelCluster': { collection, clusterId, name } });

async function clusterIdOf(harness: FoldHarness, item: string): Promise<string> {
  return Promise.resolve(harness.partition.view.item(`test/${item}`)[0]!.clusterId!);
}

/** The record is refused with this code and leaves no trace. */
async function expectRefused(harness: FoldHarness, fold: () => Promise<Told>, code: keyof typeof clusterErrors): Promise<void> {
  const before = harness.snapshot();
  const told = await fold();
  expect(codesOf(told)).toEqual([code]);
  expect(told.labels).toEqual([]);
  expect(told.clusterEvents).toEqual([]);
  expect(harness.snapshot()).toEqual(before);
}

describe('a definition', () => {
  it('of a higher version wins; a lower one is refused', async () => {
    const harness = openFold();
    await harness.fold(define({ version: 3, eps: 1 }));
    await expectRefused(harness, () => harness.fold(define({ version: 2, eps: 1 })), 'LS_CLUSTER_DEFINITION_STALE');
    await harness.fold(define({ version: 5, windowItems: 1 }));
    for (const origin of [0, 1]) await harness.insert({ item: `i${origin}`, at: [0, 0], origin });
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 1 }]);
  });

  it('of one version says one thing', async () => {
    const harness = openFold();
    await harness.fold(define());
    expect(codesOf(await harness.fold(define()))).toEqual([]);
    const others: readonly Partial<Define>[] = [
      { eps: 2 }, { minPoints: 4 }, { metric: 'cosine' }, { model: 'x' }, { modelVersion: '2' }, { dimensions: 3 }, { windowItems: 5 },
      { windowAgeMs: 5n }, { windowAgeBy: 'occurred' }, { maxCollections: 11 }, { relabelOnMerge: true }, { tombstoneRetentionMs: 1n },
    ];
    for (const changes of others) await expectRefused(harness, () => harness.fold(define(changes)), 'LS_CLUSTER_DEFINITION_CONFLICT');
  });

  it.each<Partial<Define>>([
    { version: 0 }, { model: '' }, { dimensions: 0 }, { eps: 0 }, { eps: Number.NaN }, { eps: Number.POSITIVE_INFINITY }, { minPoints: 0 },
    { windowItems: 0 }, { windowAgeMs: 0n }, { maxCollections: 0 }, { tombstoneRetentionMs: -1n },
  ])('with %o is refused', async (changes) => {
    const harness = openFold();
    await expectRefused(harness, () => harness.fold(define(changes)), 'LS_CLUSTER_DEFINITION_INVALID');
  });

  it('needs a family', async () => {
    const harness = openFold();
    await expectRefused(harness, () => harness.fold(define({}, null)), 'LS_CLUSTER_FAMILY_UNDECLARED');
  });

  it('may change the model while nothing lives, not after', async () => {
    const harness = openFold();
    await harness.fold(define());
    await harness.fold(define({ version: 2, modelVersion: '2', dimensions: 1 }));
    expect(assignmentsIn(await harness.insert({ item: 'a', at: [0], origin: 0, modelVersion: '2' }))).toEqual(['test/a noise -']);
    for (const changes of [{ modelVersion: '3', dimensions: 1 }, { modelVersion: '2', dimensions: 2 }, { modelVersion: '2', dimensions: 1, model: 'x' }]) {
      await expectRefused(harness, () => harness.fold(define({ version: 3, ...changes })), 'LS_CLUSTER_MIGRATION_UNSUPPORTED');
    }
  });

  it('may change the metric, unless a live item has no direction', async () => {
    const harness = await openWithItems([[1, 0], [2, 0.01], [3, 0.01]]);
    const cosine = { metric: 'cosine', eps: 0.1, version: 2 } as const;
    expect((await harness.fold(define(cosine))).clusterEvents).toEqual([]);
    const told = await swapPending(harness);
    expect(told.clusterEvents.map(({ type, cause }) => [type, cause])).toEqual([['emerged', 'swap']]);
    const withZero = await openWithItems([[1, 0], [0, 0]]);
    await expectRefused(withZero, () => withZero.fold(define(cosine)), 'LS_CLUSTER_DEFINITION_INVALID');
  });

  it('with a projection that is named by no SHA-256 is refused', async () => {
    const harness = openFold();
    await expectRefused(harness, () => harness.fold(define({ projectionSha256: 'ab' })), 'LS_CLUSTER_DEFINITION_INVALID');
  });
});

describe('new parameters', () => {
  it('put a new generation in force, once it is built, and relabel what differs', async () => {
    const harness = await openWithItems([...line, [3, 0]]);
    const former = await clusterIdOf(harness, 'a');
    const generation = harness.partition.view.collections()[0]!.generation;
    expect(await harness.fold(setParameters(2))).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.partition.view.collections()[0]!.generation).toBe(generation);
    const told = await swapPending(harness);
    expect(assignmentsIn(told)).toEqual([`test/d border ${former}`]);
    const assignment = assignmentIn(told.labels[0]!);
    expect(assignment.generation).not.toBe(generation);
    await harness.fold(setParameters(0.25));
    const smaller = await swapPending(harness);
    expect(smaller.clusterEvents).toMatchObject([{ type: 'dissolved', retired: [former], cause: 'swap' }]);
    expect(assignmentsIn(smaller)).toEqual(['a', 'b', 'c', 'd'].map((item) => `test/${item} noise -`));
    await harness.fold(setParameters(1));
    await swapPending(harness);
    expect(harness.partition.view.collections()[0]!.generation).toBe(generation);
  });

  it('that change nothing ask for nothing', async () => {
    const harness = await openWithItems(line);
    const before = harness.snapshot();
    expect(await harness.fold(setParameters(1, 3))).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.snapshot()).toEqual(before);
  });

  it('give way to the next definition', async () => {
    const harness = await openWithItems(line);
    await harness.fold(setParameters(null, 4));
    await swapPending(harness);
    expect(harness.partition.view.collections()).toMatchObject([{ clusterCount: 0 }]);
    await harness.fold(define({ version: 2 }));
    await swapPending(harness);
    expect(harness.partition.view.collections()).toMatchObject([{ clusterCount: 1 }]);
  });

  it.each([[null, null], [0, null], [-1, 3], [Number.NaN, null], [null, 0]] as const)('%s, %s are refused', async (eps, minPoints) => {
    const harness = await openWithItems(line);
    await expectRefused(harness, () => harness.fold(setParameters(eps, minPoints)), 'LS_CLUSTER_PARAMETERS_INVALID');
  });
});

describe('a name', () => {
  it('is told once, and can be changed and taken away', async () => {
    const harness = await openWithItems(line);
    const clusterId = await clusterIdOf(harness, 'a');
    const named = await harness.fold(label(clusterId, 'line'));
    expect(named.clusterEvents).toMatchObject([
      { type: 'labelled', survivor: clusterId, name: 'line', cause: 'label-cluster', index: 0, retired: [], minted: [], sizes: [] },
    ]);
    expect((await harness.fold(label(clusterId, 'line'))).clusterEvents).toEqual([]);
    expect(harness.partition.view.cluster(clusterId)).toMatchObject({ name: 'line' });
    await harness.fold(label(clusterId, 'row'));
    expect((await harness.fold(label(clusterId, ''))).clusterEvents).toMatchObject([{ type: 'labelled', name: null }]);
    expect(harness.partition.view.cluster(clusterId)).toMatchObject({ name: null });
  });

  it('needs a living cluster in a living collection', async () => {
    const harness = await openWithItems(line);
    const clusterId = await clusterIdOf(harness, 'a');
    await expectRefused(harness, () => harness.fold(label('0123', 'x')), 'LS_CLUSTER_CLUSTER_UNKNOWN');
    await expectRefused(harness, () => harness.fold(label(clusterId, 'x', 'news-de')), 'LS_CLUSTER_CLUSTER_UNKNOWN');
    await expectRefused(harness, () => harness.fold(label(clusterId, 'x'.repeat(1001))), 'LS_CLUSTER_NAME_INVALID');
    await harness.insert({ item: 'a', origin: 3, deleted: true });
    await expectRefused(harness, () => harness.fold(label(clusterId, 'x')), 'LS_CLUSTER_CLUSTER_UNKNOWN');
  });

  /** Two clusters of three, five apart; `bridge` at 2.5 and 3.5 joins them. */
  async function openTwoClusters(changes: Partial<Define> = {}): Promise<{ harness: FoldHarness; left: string; right: string; bridge: () => Promise<Told> }> {
    const harness = await openWithItems([...line, [3, 0], [3.5, 0], [4, 0]], changes);
    const bridge = () => harness.insert({ item: 'bridge', at: [2, 0], origin: 6 });
    return { harness, left: await clusterIdOf(harness, 'a'), right: await clusterIdOf(harness, 'd'), bridge };
  }

  it('stays with the survivor of a merge', async () => {
    const { harness, left, right, bridge } = await openTwoClusters();
    await harness.fold(label(left, 'left'));
    await harness.fold(label(right, 'right'));
    const told = await bridge();
    expect(told.clusterEvents.map(({ type, survivor, retired }) => [type, survivor, retired])).toEqual([['merged', left, [right]]]);
    expect(harness.partition.view.clusters()).toMatchObject([{ clusterId: left, name: 'left', size: 7 }]);
  });

  it('goes over to a survivor that has none, and that is told', async () => {
    const { harness, left, right, bridge } = await openTwoClusters();
    await harness.fold(label(right, 'right'));
    const told = await bridge();
    expect(told.clusterEvents).toMatchObject([
      { type: 'merged', index: 0 }, { type: 'labelled', survivor: left, name: 'right', index: 1, cause: 'test/bridge' },
    ]);
    // An id that was retired still means its cluster.
    expect((await harness.fold(label(right, 'both'))).clusterEvents).toMatchObject([{ survivor: left, name: 'both' }]);
  });

  it('vanishes with its cluster', async () => {
    const harness = await openWithItems(line);
    await harness.fold(label(await clusterIdOf(harness, 'a'), 'the first line'));
    expect(harness.snapshot().includes('the first line')).toBe(true);
    await harness.insert({ item: 'a', origin: 3, deleted: true });
    expect(harness.snapshot().includes('the first line')).toBe(false);
    await harness.insert({ item: 'a', at: [0, 0], origin: 4 });
    expect(harness.partition.view.clusters()).toMatchObject([{ name: null }]);
  });

  it('stays with the larger part of a split', async () => {
    const { harness, left, bridge } = await openTwoClusters();
    await harness.insert({ item: 'extra', at: [-0.5, 0], origin: 5, originPartition: 1 });
    await bridge();
    await harness.fold(label(left, 'both'));
    const told = await harness.insert({ item: 'bridge', origin: 7, deleted: true });
    expect(told.clusterEvents).toMatchObject([{ type: 'split', survivor: left }]);
    expect(harness.partition.view.clusters().map(({ size, name }) => [size, name])).toEqual([[4, 'both'], [3, null]]);
  });

  it('a merge relabels nobody, unless the definition says relabelOnMerge', async () => {
    const silent = await openTwoClusters();
    expect((await silent.bridge()).labels.map(({ itemId }) => itemId)).toEqual(['test/bridge']);
    const { harness, left, bridge } = await openTwoClusters({ relabelOnMerge: true });
    expect(assignmentsIn(await bridge())).toEqual(['bridge', 'd', 'e', 'f'].map((item) => `test/${item} core ${left}`));
    expect(assignmentsIn(await harness.insert({ item: 'g', at: [0.1, 0], origin: 7 }))).toEqual([`test/g core ${left}`]);
  });

  it('relabelOnMerge, switched on later, relabels what differs literally', async () => {
    const { harness, left, bridge } = await openTwoClusters();
    await bridge();
    const told = await harness.fold(define({ version: 2, relabelOnMerge: true }));
    expect(assignmentsIn(told)).toEqual(['d', 'e', 'f'].map((item) => `test/${item} core ${left}`));
  });
});

describe('dead letters', () => {
  it('take control records for undeclared families', async () => {
    const harness = openFold();
    await expectRefused(harness, () => harness.fold(setParameters(1)), 'LS_CLUSTER_FAMILY_UNDECLARED');
    await expectRefused(harness, () => harness.fold(label('a', 'b')), 'LS_CLUSTER_FAMILY_UNDECLARED');
    await expectRefused(harness, () => harness.fold(control({ 'labelstream.v1.SetParameters': { eps: 1, minPoints: 1 } }, null)), 'LS_CLUSTER_FAMILY_UNDECLARED');
  });

  it.each([[[1]], [[1, 2, 3]], [[Number.NaN, 0]], [[0, Number.POSITIVE_INFINITY]], [[]]])('take the vector %o', async (at) => {
    const harness = await openWithItems(line);
    await expectRefused(harness, () => harness.insert({ item: 'x', at, origin: 9 }), 'LS_CLUSTER_VECTOR_INVALID');
    // Its mark was not raised: a corrected record of the same coordinate is taken.
    expect((await harness.insert({ item: 'x', at: [9, 9], origin: 9 })).labels).toHaveLength(1);
  });

  it('take a vector of broken bytes, and a zero vector under the cosine metric', async () => {
    const harness = await openWithItems(line);
    const broken = { ...feature({ item: 'x', at: [0, 0], origin: 9 }), vector: Buffer.alloc(7) };
    await expectRefused(harness, () => harness.fold(broken), 'LS_CLUSTER_VECTOR_INVALID');
    const cosine = await openWithItems([], { metric: 'cosine', eps: 0.1 });
    await expectRefused(cosine, () => cosine.insert({ item: 'x', at: [0, 0], origin: 9 }), 'LS_CLUSTER_VECTOR_INVALID');
  });

  it('take features whose names no record that tells of them could hold', async () => {
    const harness = await openWithItems(line);
    const one = feature({ item: 'x', at: [0, 0], origin: 9 });
    const long = 'x'.repeat(2049);
    for (const wrong of [{ itemId: long }, { itemId: '' }, { inputId: long }, { routeStep: long }, { modelVersion: long }, { preview: long }]) {
      await expectRefused(harness, () => harness.fold({ ...one, ...wrong }), 'LS_CLUSTER_FEATURE_INVALID');
    }
  });

  it('take features of undeclared families and unfolded names', async () => {
    const harness = await openWithItems(line);
    await expectRefused(harness, () => harness.insert({ item: 'x', at: [0, 0], origin: 9, family: 'other' }), 'LS_CLUSTER_FAMILY_UNDECLARED');
    for (const collection of ['', 'News', 'a/b', 'x'.repeat(101)]) {
      await expectRefused(harness, () => harness.insert({ item: 'x', at: [0, 0], origin: 9, collection }), 'LS_CLUSTER_COLLECTION_NAME_INVALID');
    }
  });

  it('take the collection too many, unless one empties at the same record', async () => {
    const harness = await openWithItems([[0, 0], [9, 9]], { maxCollections: 2, windowAgeMs: 1000n });
    await harness.insert({ item: 'x', at: [0, 0], origin: 2, collection: 'news-de' }, 1000);
    const third = { item: 'y', at: [0, 0], origin: 3, appendTime: 1900, collection: 'news-fr' };
    await expectRefused(harness, () => harness.insert(third, 1999), 'LS_CLUSTER_COLLECTION_LIMIT');
    expect((await harness.insert({ ...third, item: 'x' }, 1999)).labels).toHaveLength(1);
    expect((await harness.insert({ ...third, collection: 'news-it', origin: 4 }, 2000)).labels).toHaveLength(1);
  });

  it('take features of a model that was replaced', async () => {
    const harness = openFold();
    await harness.fold(define());
    await harness.fold(define({ version: 2, modelVersion: '2' }));
    await expectRefused(harness, () => harness.insert({ item: 'x', at: [0, 0], origin: 0 }), 'LS_CLUSTER_GENERATION_RETIRED');
  });

  it('take what holds no event, or another one', async () => {
    const harness = await openWithItems(line);
    const before = harness.snapshot();
    expect(codesOf(await harness.fold(Buffer.from('garbage')))).toEqual(['LS_CODEC_FORMAT']);
    expect(codesOf(await harness.fold(Buffer.from('c3010000000000000000', 'hex')))).toEqual(['LS_CODEC_SCHEMA_UNKNOWN']);
    const metric = codec.encode('MetricEvent', { windowStart: 0, windowEnd: 0, instance: '', samples: [] });
    expect(codesOf(await harness.fold(metric))).toEqual(['LS_CLUSTER_RECORD_UNEXPECTED']);
    expect(harness.snapshot()).toEqual(before);
  });

  it('keep the record as it was, with the origin of its input', async () => {
    const harness = await openWithItems([]);
    const record = recordAt(7, { event: feature({ item: 'x', at: [1], origin: 9 }) });
    const [outputs] = await harness.partition.fold([record]);
    const [letter] = decodeOutputs(outputs!).deadLetters;
    expect(letter).toMatchObject({ topic: 'dead-letters', key: record.key, value: record.value });
    const headers = new Map([...letter!.headers].map(([name, value]) => [name, value.toString()]));
    expect(headers.get('labelstream.error.stage')).toBe('cluster');
    expect(headers.get('labelstream.error.schema-id')).toMatch(/^[0-9a-f]{16}$/);
    expect(headers.get('labelstream.origin')).toContain(`0 9 ${originAt(9).appendTime} text-1 text.events`);
    expect(headers.get('labelstream.error.message')).toContain('test/x');
  });

  it('are not for a model that nobody declared: the partition stops', async () => {
    const harness = await openWithItems(line);
    const fold = harness.insert({ item: 'x', at: [0, 0], origin: 9, modelVersion: '9' });
    await expect(fold).rejects.toMatchObject({ code: 'LS_CLUSTER_MODEL_UNDECLARED', details: { family, modelVersion: '9' } });
  });

  it('are not for a schema that has yet to come: a stop ends the wait, and the records before it are folded', async () => {
    const [first, late, last] = [recordAt(0, { event: define() }), recordAt(1, { event: define({ version: 2 }) }), recordAt(2, { event: define({ version: 3 }) })];
    const stopping = new AbortController();
    let waits = 0;
    const prepareDecode = (bytes: Buffer, waiting?: { readonly signal: AbortSignal }): Promise<void> | undefined => {
      if (bytes !== late.value || waiting === undefined) return undefined;
      waits += 1;
      return rejectionOf(waiting.signal);
    };
    const partition = createClusterStage({ codec: { ...codec, prepareDecode }, partitionCounts }).open(features);
    const folding = partition.fold([first, late, last], stopping.signal);
    await vi.waitUntil(() => waits === 1);
    stopping.abort();
    expect(await folding).toHaveLength(1);
    const alone = createClusterStage({ codec, partitionCounts }).open(features);
    await alone.fold([first]);
    expect(Buffer.concat([...partition.snapshot()])).toEqual(Buffer.concat([...alone.snapshot()]));
  });

  it('are not for what is not the record\'s fault', async () => {
    const unavailable = new LabelstreamError('LS_X', { cause: 'environment', retryable: true, summary: '', remedy: '' }, 'away');
    const broken = { ...codec, decode: () => { throw unavailable; } };
    const partition = createClusterStage({ codec: broken, partitionCounts }).open(features);
    await expect(partition.fold([recordAt(0, { event: define() })])).rejects.toBe(unavailable);
  });
});
