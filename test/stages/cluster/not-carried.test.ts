/** Items that the next generation of their family cannot hold: they leave with the swap, are told, and keep nobody waiting (SEMANTICS.md, rule 16). */
import { describe, expect, it } from 'vitest';
import { artefactName, encodeArtefact } from '../../../src/clustering/projection/artefact.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import type { LabelstreamError } from '../../../src/core/errors/error.ts';
import type { ControlEvent, FeatureEvent } from '../../../src/core/events.generated.ts';
import type { OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import {
  asChunks, assignmentsIn, codec, control, decodeOutputs, define, feature, features, openFold, partitionCounts, recordAt, swapPending, urgentRecord, type FoldHarness,
} from './fold-harness.ts';

const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_261_130);
const never = new AbortController().signal;

/** Of a sample whose mean is (2, 2): what lies there has no direction. */
const artefact = encodeArtefact(atOnce(whiten.fit([[2, 0], [2, 4], [0, 2], [4, 2], [1, 1], [3, 3]].map((at) => Float32Array.from(at)), 2)));
const artefactSha256 = artefactName(artefact);
const fetchProjection = (): Promise<Buffer> => Promise.resolve(artefact);
const projected = { metric: 'cosine', eps: 0.05, minPoints: 3, projectionSha256: artefactSha256 } as const;
const places = [[2, 4], [2, 5], [2, 6], [4, 2], [5, 2]];

async function openWith(at: readonly (readonly number[])[], notCarried: LabelstreamError[] = [], heldUp: string[] = []): Promise<FoldHarness> {
  const observer = { notCarried: (error: LabelstreamError) => notCarried.push(error), generationHeldUp: (_: string, itemId: string) => heldUp.push(itemId) };
  const harness = openFold({ fetchProjection, observer });
  await harness.fold(define({ eps: 2 }));
  for (const [index, place] of at.entries()) await harness.insert({ item: `i${index}`, at: place, origin: index });
  return harness;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('an item without an image', () => {
  it('leaves with the swap, which says so, and may come back with another vector', async () => {
    const told: LabelstreamError[] = [];
    const harness = await openWith([...places, [2, 2], [2, 2]], told);
    // A collection of its own, which goes.
    await harness.insert({ item: 'alone', at: [2, 2], origin: 20, collection: 'news-de' });
    const cluster = harness.partition.view.item('test/i0')[0]!.clusterId!;
    await harness.fold(define({ version: 2, ...projected }));
    await harness.fold(await urgentRecord(harness));
    // Not one that came to have an image, and one that has lost it.
    await harness.insert({ item: 'i6', at: [2, 9], origin: 30 });
    await harness.insert({ item: 'i4', at: [2, 2], origin: 31 });
    const swap = await urgentRecord(harness);
    expect(told).toEqual([]);
    const outputs = await harness.fold(swap);
    expect(assignmentsIn(outputs)).toEqual(['test/alone removed -', 'test/i3 noise -', 'test/i4 removed -', 'test/i5 removed -', `test/i6 core ${cluster}`]);
    expect(outputs.deadLetters).toEqual([]);
    expect(told.map(({ code, message }) => [code, message])).toEqual([
      ['LS_CLUSTER_ITEMS_NOT_CARRIED', expect.stringMatching(/^1 items of news-de .* and have left: test\/alone\.$/)],
      ['LS_CLUSTER_ITEMS_NOT_CARRIED', expect.stringMatching(/^2 items of news-en .* and have left: test\/i4, test\/i5\.$/)],
    ]);
    expect(harness.partition.view.collections()).toMatchObject([{ collection: 'news-en', itemCount: 5, clusterCount: 1 }]);
    expect(harness.partition.view.item('test/i5')).toEqual([]);
    expect(harness.partition.view.item('test/i6')).toMatchObject([{ clusterId: cluster }]);
    expect(harness.partition.due()).toBeUndefined();
    expect(assignmentsIn(await harness.insert({ item: 'i5', at: [2, 7], origin: 40 }))).toEqual([`test/i5 core ${cluster}`]);
  });

  it('of a metric that has none for it, and came after the definition, goes as well', async () => {
    const harness = await openWith(places);
    await harness.fold(define({ version: 2, metric: 'cosine', eps: 0.1 }));
    await harness.insert({ item: 'zero', at: [0, 0], origin: 20 });
    expect(assignmentsIn(await swapPending(harness))).toContain('test/zero removed -');
  });

  it('is named for all, where none has one: then nothing is swapped in until one has', async () => {
    const [told, heldUp]: [LabelstreamError[], string[]] = [[], []];
    const harness = await openWith([[2, 2], [2, 2]], told, heldUp);
    await harness.fold(define({ version: 2, ...projected }));
    const refit = await urgentRecord(harness);
    await harness.fold(refit);
    await turns(50);
    expect([harness.partition.due(), harness.partition.isBuilding()]).toEqual([undefined, false]);
    const { generation } = (refit.action as { readonly 'labelstream.v1.Refit': { readonly generation: string } })['labelstream.v1.Refit'];
    const swap = { ...control({ 'labelstream.v1.Swap': { generation, artefactSha256 } }), term: refit.term };
    expect(await harness.fold(swap)).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 2, pending: { generation } }]);
    await turns(50);
    expect([...new Set(heldUp)]).toEqual(['test/i0']);
    await harness.insert({ item: 'i1', at: [2, 7], origin: 20 });
    expect(assignmentsIn(await swapPending(harness))).toEqual(['test/i0 removed -']);
    expect(told).toHaveLength(1);
  });
});

const open = (): ClusterPartition => createClusterStage({ codec, partitionCounts, openSearch: createNeighbourSearch, fetchProjection, createOwner: () => 'owner' }).open(features);
const written = (outputs: readonly (readonly OutputRecord[])[]): string[][] => outputs.map((each) => each.map(({ topic, partition, value }) => `${topic} ${partition} ${value.toString('hex')}`));

it(`gives the same bytes built beside the fold, at the swap, and after a restore, on random logs of seed ${seed}`, async () => {
  let removed = 0;
  for (let log = 0; log < (isFullScale ? 100 : 8); log += 1) {
    const random = seededRandom(seed + log);
    const owner = open();
    const events: (FeatureEvent | ControlEvent)[] = [];
    const outputs: (readonly OutputRecord[])[] = [];
    const foldNext = async (event: FeatureEvent | ControlEvent): Promise<void> => {
      events.push(event);
      outputs.push(...(await owner.fold([recordAt(events.length - 1, { event })])));
    };
    let snapshot: { readonly after: number; readonly bytes: Buffer } = { after: 0, bytes: Buffer.concat([...owner.snapshot()]) };
    await foldNext(define({ eps: 2, maxCollections: 3, windowItems: 25 }));
    for (let version = 2; events.length < 200; ) {
      const draw = random.below(20);
      const at = random.pick([[2, 2], [0, 0], [random.below(6), random.below(6)], [random.below(6), random.below(6)], [random.below(6), random.below(6)]]);
      const item = `i${random.below(40)}`;
      if (draw < 14) await foldNext(feature({ item, at, origin: events.length, collection: `news-${random.below(3)}` }));
      else if (draw < 16) await foldNext(feature({ item, origin: events.length, deleted: true }));
      else if (draw === 16) {
        const changes = random.pick([{ ...projected }, { metric: 'cosine', projectionSha256: null, eps: 0.2 }, { metric: 'euclidean', projectionSha256: null, eps: 1 + random.below(2) }] as const);
        await foldNext(define({ maxCollections: 3, windowItems: 25, ...changes, version: version++ }));
      } else if (draw < 19) await turns(random.below(30));
      else snapshot = { after: events.length, bytes: Buffer.concat([...owner.snapshot()]) };
      const due = owner.due();
      if (due?.isUrgent !== true || random.below(3) === 0) continue;
      const own = codec.decodeAs('ControlEvent', due.record.value);
      await foldNext(own);
      if ('labelstream.v1.Swap' in own.action) removed += assignmentsIn(decodeOutputs(outputs.at(-1)!)).filter((told) => told.includes(' removed ')).length;
    }
    const records = events.map((event, index) => recordAt(index, { event }));
    const replay = open();
    const replayed: (readonly OutputRecord[])[] = [];
    while (replayed.length < records.length) {
      const batch = records.slice(replayed.length, replayed.length + 1 + random.below(20));
      if (random.below(2) === 0) await replay.prepare!(batch, never);
      replayed.push(...(await replay.fold(batch)));
    }
    expect(written(replayed), `seed ${seed + log}`).toEqual(written(outputs));
    const restored = open();
    await restored.restore(asChunks([snapshot.bytes]));
    expect(written(await restored.fold(records.slice(snapshot.after))), `restored after ${snapshot.after}, seed ${seed + log}`).toEqual(written(outputs.slice(snapshot.after)));
    expect(restored.view.clusters()).toEqual(owner.view.clusters());
    for (const each of [owner, replay, restored]) await each.close();
  }
  expect(removed).toBeGreaterThan(20);
});
