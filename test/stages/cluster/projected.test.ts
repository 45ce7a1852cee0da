/** Families with a fitted projection: their images are clustered, their vectors kept for the next one (SEMANTICS.md, rule 16). */
import { describe, expect, it } from 'vitest';
import { artefactName, encodeArtefact, openArtefact } from '../../../src/clustering/projection/artefact.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { createClustering } from '../../../src/clustering/incremental-dbscan.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import type { Define } from '../../../src/core/events.generated.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { createRawVectors } from '../../../src/stages/cluster/raw-vectors.ts';
import { createRandom } from '../../clustering/random.ts';
import { createVirtualClock, type VirtualClock } from '../../pipeline/virtual-clock.ts';
import { createCounted } from './counted-search.ts';
import {
  asChunks, codec, codesOf, control, define, family, feature, features, openFold, partitionCounts, recordAt, swapPending, urgentRecord, type FoldHarness,
} from './fold-harness.ts';

const dimensions = 6;
const random = createRandom(7);

/** Three clouds that differ in the last three dimensions, under a noise in the first that drowns them. */
function vectorAt(index: number): Float32Array {
  const cloud = index % 3;
  return Float32Array.from({ length: dimensions }, (_, at) => (at === 0 ? 50 * random.gaussian() : at >= 3 ? (at - 3 === cloud ? 4 : 0) + 0.1 * random.gaussian() : random.gaussian()));
}

const vectors = Array.from({ length: 90 }, (_, index) => vectorAt(index));
const artefactOf = (components: number): Buffer => encodeArtefact(atOnce(whiten.fit(vectors, components)));
const [wide, narrow] = [artefactOf(4), artefactOf(2)];
const [wideName, narrowName] = [artefactName(wide), artefactName(narrow)];
const artefacts = new Map([[wideName, wide], [narrowName, narrow]]);
const fetchProjection = (sha256: string): Promise<Buffer> => {
  const found = artefacts.get(sha256);
  return found === undefined ? Promise.reject(new Error(`there is no ${sha256}`)) : Promise.resolve(found);
};
const cosine = { metric: 'cosine', eps: 0.3, minPoints: 4, dimensions } as const;

function open(fetch = fetchProjection): FoldHarness {
  return openFold({ fetchProjection: fetch });
}

async function openWith(changes: Partial<Define>, count = vectors.length, harness = open()): Promise<FoldHarness> {
  await harness.fold(define({ ...cosine, ...changes }));
  await insertAll(harness, 0, count);
  return harness;
}

async function insertAll(harness: FoldHarness, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    const told = await harness.insert({ item: `i${index}`, at: [...vectors[index]!], origin: index });
    expect(codesOf(told)).toEqual([]);
  }
}

/** What clustering the images at once gives. */
function expectClustered(harness: FoldHarness, image: (vector: Float32Array) => Float32Array, count = vectors.length): void {
  const expected = createClustering(cosine, { collection: 'x', epoch: 1, generation: 'x' });
  for (const [index, vector] of vectors.slice(0, count).entries()) expected.apply([{ kind: 'insert', itemId: `test/i${index}`, vector: image(vector) }], BigInt(index + 1));
  const memberships = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const [place] = harness.partition.view.item(`test/i${index}`);
    const own = expected.item(`test/i${index}`)!;
    expect(place).toMatchObject({ role: own.role });
    if (own.clusterId === null) expect(place!.clusterId).toBeNull();
    else expect(memberships.get(own.clusterId) ?? place!.clusterId).toBe(place!.clusterId);
    if (own.clusterId !== null) memberships.set(own.clusterId, place!.clusterId!);
  }
  expect(harness.partition.view.collections()).toMatchObject([{ itemCount: count, clusterCount: expected.clusterIds().length }]);
}

const by = (bytes: Buffer, name: string) => openArtefact(bytes, name).apply;

describe('a projected family', () => {
  it('clusters the images, and keeps the vectors as they came', async () => {
    const harness = await openWith({ projectionSha256: wideName });
    expectClustered(harness, by(wide, wideName));
    const [sample] = harness.partition.view.vectors('news-en', 1000);
    expect(sample).toMatchObject({ projectionSha256: wideName, itemCount: 90 });
    const sorted = (all: readonly Float32Array[]): string[] => all.map(String).sort();
    expect(sorted(sample!.vectors)).toEqual(sorted(vectors));
  });

  it('goes from no projection to one, to another and back, with the same items and ids of overlap', async () => {
    const harness = await openWith({}, 60);
    expectClustered(harness, (vector) => vector, 60);
    const raw = harness.partition.view.collections()[0]!.clusterCount;
    let version = 1;
    const goTo = async (projectionSha256: string | null): Promise<void> => {
      await harness.fold(define({ ...cosine, version: ++version, projectionSha256 }));
      await swapPending(harness);
    };
    await goTo(wideName);
    expectClustered(harness, by(wide, wideName), 60);
    expect(harness.partition.view.collections()[0]!.clusterCount).not.toBe(raw);
    const ids = harness.partition.view.clusters().map(({ clusterId }) => clusterId);
    await goTo(narrowName);
    expectClustered(harness, by(narrow, narrowName), 60);
    expect(harness.partition.view.clusters().some(({ clusterId }) => ids.includes(clusterId))).toBe(true);
    await insertAll(harness, 60, 75);
    expectClustered(harness, by(narrow, narrowName), 75);
    await goTo(null);
    await insertAll(harness, 75, 90);
    expectClustered(harness, (vector) => vector, 90);
  });

  it('takes replaced, deleted and forgotten items along while it is built, and is restored in the middle of it', async () => {
    const harness = await openWith({ projectionSha256: wideName }, 60);
    await harness.fold(define({ ...cosine, version: 2, projectionSha256: narrowName }));
    await harness.fold(await urgentRecord(harness));
    for (const index of [0, 7, 9]) await harness.insert({ item: `i${index}`, at: [...vectors[index + 60]!], origin: 100 + index });
    await harness.insert({ item: 'i3', origin: 200, deleted: true });
    const restored = open();
    await restored.partition.restore(asChunks([harness.snapshot()]));
    const swap = await urgentRecord(harness);
    const told = await harness.fold(swap);
    const [outputs] = await restored.partition.fold([recordAt(68, { event: swap })]);
    expect(outputs!.length).toBe(told.labels.length + told.clusterEvents.length);
    for (const each of [harness, restored]) {
      expect(each.partition.view.collections()).toMatchObject([{ itemCount: 59 }]);
      expect(each.partition.view.vectors('news-en', 100)[0]!.vectors.map(String)).toContain(String(vectors[67]));
    }
    expect(restored.partition.view.clusters()).toEqual(harness.partition.view.clusters());
    const next = recordAt(69, { event: feature({ item: 'late', at: [...vectors[80]!], origin: 300 }) });
    expect(await restored.partition.fold([next])).toEqual(await harness.partition.fold([next]));
  });

  it('is restored from a snapshot taken while records change what it holds', async () => {
    const harness = await openWith({ projectionSha256: wideName });
    const [before, clusters] = [harness.partition.view.vectors('news-en', 100)[0]!.vectors.map(String), harness.partition.view.clusters()];
    const chunks: Buffer[] = [];
    let record = 92;
    for (const chunk of harness.partition.snapshot()) {
      chunks.push(Buffer.from(chunk));
      const index = record++ - 92;
      await harness.partition.fold([recordAt(record, { event: index % 2 === 0 ? feature({ item: `i${index}`, origin: 400 + index, deleted: true }) : feature({ item: `i${index}`, at: [...vectorAt(index)], origin: 400 + index }) })]);
    }
    expect(record).toBeGreaterThan(95);
    const restored = open();
    await restored.partition.restore(asChunks(chunks));
    expect(restored.partition.view.vectors('news-en', 100)[0]!.vectors.map(String)).toEqual(before);
    expect(restored.partition.view.clusters()).toEqual(clusters);
  });

  it('searches what is prepared by its image', async () => {
    const counted = createCounted(createNeighbourSearch);
    const stage = createClusterStage({ codec, partitionCounts, openSearch: counted.openSearch, fetchProjection });
    const partition = stage.open(features);
    const records = [define({ ...cosine, projectionSha256: wideName }), ...vectors.map((at, origin) => feature({ item: `i${origin}`, at: [...at], origin }))].map((event, index) => recordAt(index, { event }));
    await partition.fold(records.slice(0, 40));
    await partition.prepare!(records.slice(40), new AbortController().signal);
    expect(counted.prepared()).toBe(51);
    await partition.fold(records.slice(40));
    expect(counted.stored()).toBe(90);
    await partition.close();
  });
});

describe('what cannot be projected', () => {
  it.each<[string, readonly number[]]>([
    ['no number', [Number.NaN, 0, 0, 0, 0, 0]], ['infinite', [0, Number.POSITIVE_INFINITY, 0, 0, 0, 0]], ['too short', [1, 2]], ['too long', [1, 2, 3, 4, 5, 6, 7]],
  ])('%s: becomes a dead letter', async (_, at) => {
    const harness = await openWith({ projectionSha256: wideName }, 30);
    const before = harness.snapshot();
    const told = await harness.insert({ item: 'x', at, origin: 99 });
    expect(codesOf(told)).toEqual(['LS_CLUSTER_VECTOR_INVALID']);
    expect(harness.snapshot()).toEqual(before);
  });

  it.each([1e25, 3e38])('values of %d are projected like any others', async (value) => {
    const harness = await openWith({ projectionSha256: wideName }, 30);
    const told = await harness.insert({ item: 'x', at: Array.from({ length: dimensions }, (_, index) => (index % 2 === 0 ? value : -value)), origin: 99 });
    expect([codesOf(told), told.labels.map(({ itemId }) => itemId)]).toEqual([[], ['test/x']]);
  });
});

describe('a swap that names another artefact than its generation was asked for with', () => {
  it.each([[wideName, narrowName], [wideName, ''], [null, wideName]])('of %s: %s is a dead letter, and nothing is built for it', async (asked, named) => {
    const counted = createCounted(createNeighbourSearch);
    const harness = await openWith({ projectionSha256: asked === null ? narrowName : null }, 30, openFold({ fetchProjection, openSearch: counted.openSearch }));
    await harness.fold(define({ ...cosine, version: 2, projectionSha256: asked }));
    const before = harness.snapshot();
    const swap = control({ 'labelstream.v1.Swap': { generation: await pendingGeneration(harness), artefactSha256: named } });
    expect(codesOf(await harness.fold(swap))).toEqual(['LS_CLUSTER_SWAP_INVALID']);
    expect(harness.snapshot()).toEqual(before);
    expect(counted.searches()).toBe(1);
    await swapPending(harness);
    expectClustered(harness, asked === null ? (vector) => vector : by(wide, wideName), 30);
  });
});

async function pendingGeneration(harness: FoldHarness): Promise<string> {
  const bytes = harness.snapshot();
  const head = JSON.parse(bytes.subarray(5, 5 + bytes.readUInt32BE()).toString()) as { families: { name: string; pending: { generation: string } }[] };
  return Promise.resolve(head.families.find(({ name }) => name === family)!.pending.generation);
}

describe('an artefact', () => {
  it('that is missing or damaged fails the build, and labels go on; the swap stops the partition, and goes on once it is there', async () => {
    for (const broken of [undefined, Buffer.from('no projection'), Buffer.concat([wide, Buffer.from([0])])]) {
      let stored: Buffer | undefined = broken;
      const failures: unknown[] = [];
      const harness = openFold({
        fetchProjection: () => (stored === undefined ? Promise.reject(new Error('missing')) : Promise.resolve(stored)),
        observer: { generationFailed: (name, error) => failures.push([name, error]) },
      });
      await openWith({}, 30, harness);
      await harness.fold(define({ ...cosine, version: 2, projectionSha256: wideName }));
      const refit = await urgentRecord(harness);
      await harness.fold(refit);
      while (failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const failure: unknown = broken === undefined ? expect.objectContaining({ message: 'missing' }) : expect.objectContaining({ code: 'LS_PROJECTION_ARTEFACT_INVALID' });
      expect(failures).toEqual([[family, failure]]);
      await insertAll(harness, 30, 40);
      expect(harness.partition.due()).toBeUndefined();
      const restored = openFold({ fetchProjection: () => (stored === undefined ? Promise.reject(new Error('missing')) : Promise.resolve(stored)) });
      await restored.partition.restore(asChunks([harness.snapshot()]));
      const swap = recordAt(50, { event: { ...control({ 'labelstream.v1.Swap': { generation: await pendingGeneration(harness), artefactSha256: wideName } }), term: refit.term } });
      await expect(restored.partition.fold([swap])).rejects.toEqual(failure);
      stored = wide;
      const again = openFold({ fetchProjection });
      await again.partition.restore(asChunks([harness.snapshot()]));
      await again.partition.fold([swap]);
      expectClustered(again, by(wide, wideName), 40);
      stored = broken;
      const inForce = openFold({ fetchProjection: () => (stored === undefined ? Promise.reject(new Error('missing')) : Promise.resolve(stored)) });
      await inForce.partition.restore(asChunks([again.snapshot()]));
      // What is there can be looked at; nothing is folded.
      expectClustered(inForce, by(wide, wideName), 40);
      await expect(inForce.partition.fold([recordAt(51, { event: feature({ item: 'x', at: [...vectors[1]!], origin: 900 }) })])).rejects.toEqual(failure);
    }
  });
});

/** Whatever a moment brings about comes to its end before the next. */
async function pass(clock: VirtualClock, seconds: number): Promise<void> {
  for (let second = 0; second <= seconds; second++) {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (second < seconds) await clock.pass(1000);
  }
}

describe('a generation that could not be built', () => {
  it('is tried again by the clock, ever more seldom, and swapped in once that succeeds', async () => {
    let isThere = false;
    const clock = createVirtualClock();
    const failures: (number | undefined)[] = [];
    const harness = openFold({
      clock,
      fetchProjection: () => (isThere ? Promise.resolve(wide) : Promise.reject(new Error('missing'))),
      observer: { generationFailed: (_name, _error, againMs) => failures.push(againMs) },
    });
    await openWith({}, 30, harness);
    await harness.fold(define({ ...cosine, version: 2, projectionSha256: wideName }));
    await harness.fold(await urgentRecord(harness));
    await pass(clock, 0);
    expect(failures).toEqual([1000]);
    expect(harness.partition.isBuilding(), 'nobody waits for it meanwhile').toBe(false);
    await pass(clock, 4);
    expect(failures).toEqual([1000, 2000, 4000]);
    await pass(clock, 3600);
    expect([...new Set(failures)]).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000]);
    expect(failures.length).toBeLessThan(23);
    await insertAll(harness, 30, 40);
    expect(harness.partition.due()).toBeUndefined();
    isThere = true;
    await pass(clock, 300);
    await swapPending(harness);
    expectClustered(harness, by(wide, wideName), 40);
  });

  it('is not tried again once the partition is closed, or another one is asked for', async () => {
    for (const end of [(harness: FoldHarness) => harness.partition.close(), (harness: FoldHarness) => harness.fold(define({ ...cosine, version: 3 }))]) {
      const clock = createVirtualClock();
      let fetched = 0;
      const fetchMissing = () => Promise.reject(new Error(`missing ${++fetched}`));
      const harness = await openWith({}, 10, openFold({ clock, fetchProjection: fetchMissing }));
      await harness.fold(define({ ...cosine, version: 2, projectionSha256: wideName }));
      await harness.fold(await urgentRecord(harness));
      await pass(clock, 0);
      expect(fetched).toBe(1);
      await end(harness);
      await pass(clock, 1000);
      expect(fetched).toBe(1);
    }
  });
});

describe('raw vectors', () => {
  it('are what was set last, whatever numbers they have, and a snapshot is of its moment', () => {
    const raw = createRawVectors(300);
    const expected = new Map<number, Float32Array>();
    const step = (): void => {
      const index = random.below(900);
      if (random.chance(0.3)) {
        raw.delete(index);
        expected.delete(index);
      } else {
        const vector = Float32Array.from({ length: 300 }, () => random.gaussian());
        raw.set(index, vector);
        expected.set(index, vector);
      }
    };
    for (let count = 0; count < 2000; count++) step();
    const wanted = [...expected].sort(([left], [right]) => left - right).map(([, vector]) => Buffer.from(vector.buffer));
    const taken: Buffer[] = [];
    for (const chunk of raw.snapshot()) {
      taken.push(Buffer.from(chunk));
      for (let count = 0; count < 50; count++) step();
    }
    expect(Buffer.concat(taken).equals(Buffer.concat(wanted))).toBe(true);
    for (const [index, vector] of expected) expect(raw.get(index)).toEqual(vector);
  });
});
