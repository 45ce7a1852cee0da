/** What goes on beside the fold of a record that takes many slices: batches are prepared, generations built. */
import { describe, expect, it } from 'vitest';
import { artefactName, encodeArtefact } from '../../../src/clustering/projection/artefact.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import { itemHashOf } from '../../../src/core/ids.ts';
import { createRandom } from '../../clustering/random.ts';
import { control, define, feature, openFold, recordAt, urgentRecord, type FoldHarness } from './fold-harness.ts';

const never = new AbortController().signal;
const sliceWork = 20_000;

/** Folds one record; `between` is called in the turns of the loop meanwhile. */
async function foldBeside({ partition }: FoldHarness, record: Parameters<typeof recordAt>, between: () => Promise<void>): Promise<number> {
  const running = new Set([partition.fold([recordAt(...record)])]);
  for (const folding of running) void folding.finally(() => running.delete(folding));
  let turns = 0;
  for (; running.size > 0; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    await between();
  }
  return turns;
}

describe('beside a record in slices', () => {
  it('a batch is prepared for the generation that is in force, though a swap takes one collection after the other', { timeout: 120_000 }, async () => {
    const random = createRandom(7);
    const vectors = Array.from({ length: 400 }, () => Float32Array.from({ length: 6 }, () => random.gaussian()));
    const artefact = encodeArtefact(atOnce(whiten.fit(vectors, 3)));
    const harness = openFold({ fetchProjection: () => Promise.resolve(artefact), openSearch: createNeighbourSearch, sliceWork });
    const base = { metric: 'euclidean', eps: 0.2, minPoints: 3, dimensions: 6 } as const;
    await harness.fold(define(base));
    const collectionOf = (index: number): string => (index < 350 ? 'news-aa' : 'news-zz');
    const featureAt = (index: number, item: string): ReturnType<typeof feature> => feature({ item, at: [...vectors[index]!], origin: index, collection: collectionOf(index) });
    await harness.partition.fold(vectors.map((_, index) => recordAt(index + 2, { event: featureAt(index, `i${index}`) })));
    await harness.fold(define({ ...base, version: 2, projectionSha256: artefactName(artefact) }));
    await harness.fold(await urgentRecord(harness));
    const swap = await urgentRecord(harness);
    expect(Object.keys(swap.action)).toEqual(['labelstream.v1.Swap']);
    const late = feature({ item: 'late', at: [...vectors[399]!], origin: 50_000, collection: 'news-zz' });
    const turns = await foldBeside(harness, [100_000, { event: swap }], () => harness.partition.prepare!([recordAt(100_001, { event: late })], never));
    expect(turns).toBeGreaterThan(0);
    expect(harness.partition.view.collections().map(({ pending }) => pending)).toEqual([null, null]);
    await harness.partition.fold([recordAt(100_001, { event: late })]);
    expect(harness.partition.view.collections().map(({ itemCount }) => itemCount)).toEqual([350, 51]);
    await harness.partition.close();
  });

  it('a generation goes on being built, and holds what the record has left', { timeout: 120_000 }, async () => {
    const failures: unknown[] = [];
    // The record's windows are through before the build is.
    const harness = openFold({ openSearch: createNeighbourSearch, sliceWork: 400_000, observer: { generationFailed: (_family, error) => failures.push(error) } });
    await harness.fold(define());
    const count = 1200;
    await harness.partition.fold(Array.from({ length: count }, (_, index) => recordAt(index + 2, { event: feature({ item: `i${index}`, at: [(0.7 * index) / count + (index % 2) * 3.4, 0], origin: index }) })));
    await harness.fold(define({ version: 2, eps: 0.9 }));
    // The refit: the build begins.
    await harness.fold(await urgentRecord(harness));
    const turns = await foldBeside(harness, [100_000, { event: define({ version: 3, eps: 0.9, windowItems: 10 }) }], () => Promise.resolve());
    expect(turns).toBeGreaterThan(40);
    await harness.partition.fold([recordAt(100_001, { event: await urgentRecord(harness) })]);
    expect(failures).toEqual([]);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 10, pending: null }]);
    await harness.partition.close();
  });

  it('thousands of items are forgotten, and all items told their cluster, in several turns of the loop', { timeout: 120_000 }, async () => {
    const harness = openFold({ openSearch: createNeighbourSearch, sliceWork });
    await harness.fold(define({ relabelOnMerge: true }));
    const count = 600;
    const places = [...Array.from({ length: count }, (_, index) => (0.7 * index) / count), ...Array.from({ length: count }, (_, index) => 2.4 + (0.7 * index) / count)];
    await harness.partition.fold(places.map((place, index) => recordAt(index + 2, { event: feature({ item: `i${index}`, at: [place, 0], origin: index }) })));
    const joining = feature({ item: 'joins', at: [1.55, 0], origin: 5000 });
    expect(await foldBeside(harness, [100_000, { event: joining }], () => Promise.resolve())).toBeGreaterThan(count / 10);
    const itemHashes = Array.from({ length: count }, (_, index) => itemHashOf(`test/i${index}`));
    const forget = control({ 'labelstream.v1.Forget': { itemHashes, through: [] } }, null);
    expect(await foldBeside(harness, [100_001, { event: forget }], () => Promise.resolve())).toBeGreaterThan(count);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: count + 1 }]);
    await harness.partition.close();
  });
});
