/** What a generation that cannot be built costs: nothing but itself (SEMANTICS.md, rules 16 and 19). */
import { describe, expect, it } from 'vitest';
import type { OpenSearch } from '../../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { artefactName, encodeArtefact } from '../../../src/clustering/projection/artefact.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import type { ControlEvent } from '../../../src/core/events.generated.ts';
import { control, define, openFold, openWithItems, recordAt, swapPending, urgentRecord, type FoldHarness } from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0], [3, 0]];
const setEps = (eps: number): ControlEvent => control({ 'labelstream.v1.SetParameters': { eps, minPoints: null } });

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Announces what is pending, and gives the record that swaps it in. */
async function swapAfterRefit(harness: FoldHarness, artefactSha256 = ''): Promise<ControlEvent> {
  const refit = await urgentRecord(harness);
  await harness.fold(refit);
  const { generation } = (refit.action as { readonly 'labelstream.v1.Refit': { readonly generation: string } })['labelstream.v1.Refit'];
  return { ...control({ 'labelstream.v1.Swap': { generation, artefactSha256 } }), term: refit.term };
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;

describe('a generation that cannot be built', () => {
  it('is built anew at its swap, with every item, although a batch failed halfway', async () => {
    let failures = 1;
    const openSearch: OpenSearch = (dimensions, parameters) => {
      const search = createPlainSearch(dimensions, parameters);
      const isSuccessor = parameters.eps === 2;
      const prepare: typeof search.prepare = (vectors) => (isSuccessor && failures-- > 0 ? Promise.reject(new Error('no memory just now')) : search.prepare(vectors));
      return { ...search, prepare };
    };
    const told: unknown[] = [];
    const harness = await openWithItems(line, {}, { openSearch, observer: { generationFailed: (_, error) => told.push((error as Error).message) } });
    await harness.fold(setEps(2));
    const swap = await swapAfterRefit(harness);
    await turns(20);
    expect(told).toEqual(['no memory just now']);
    expect((await harness.fold(swap)).labels).toHaveLength(1);
    expect(harness.partition.view.item('test/d')).toMatchObject([{ role: 'border' }]);
  });

  it('lets a drain come to its end while a second attempt waits', async () => {
    const sample = Array.from({ length: 20 }, (_, index) => Float32Array.from([index % 3, (index * 7) % 5]));
    const sha256 = artefactName(encodeArtefact(atOnce(whiten.fit(sample, 2))));
    const first = Promise.withResolvers<Buffer>();
    const second = Promise.withResolvers<Buffer>();
    const asked = [first, second];
    const isAskedAgain = (): boolean => asked.length === 0;
    const harness = await openWithItems(line, {}, { fetchProjection: () => asked.shift()!.promise });
    await harness.fold(define({ version: 2, projectionSha256: sha256 }));
    const swap = await swapAfterRefit(harness, sha256);
    const stopping = new AbortController();
    const folding = harness.partition.fold([recordAt(50, { event: swap })], stopping.signal);
    await turns(5);
    first.reject(new Error('the store is away'));
    while (!isAskedAgain()) await turns(1);
    await turns(5);
    stopping.abort();
    expect(await folding).toEqual([]);
  });

  it('is given up with the partition, and begun anew where its state serves again', async () => {
    let searched = 0;
    const openSearch: OpenSearch = (dimensions, parameters) => {
      const search = createPlainSearch(dimensions, parameters);
      const prepare: typeof search.prepare = async (vectors) => {
        searched += vectors.length;
        await turns(2);
        return search.prepare(vectors);
      };
      return { ...search, prepare };
    };
    const harness = openFold({ openSearch });
    await harness.fold(define());
    for (let index = 0; index < 1000; index += 1) await harness.insert({ item: `n${index}`, at: [index * 3, 0], origin: index });
    await harness.fold(setEps(4));
    await harness.fold(await urgentRecord(harness));
    await turns(20);
    harness.partition.discard!();
    const before = searched;
    expect(before).toBeGreaterThan(0);
    await turns(500);
    expect(searched).toBe(before);
    expect((await swapPending(harness)).labels).toHaveLength(1000);
    expect(searched).toBeGreaterThan(1000);
  });

  it('may take as much memory as a collection, and the one in force goes on', async () => {
    const told: unknown[] = [];
    const harness = openFold({ collectionBytesMax: 400_000, observer: { generationFailed: (_, error) => told.push(codeOf(error)) } });
    await harness.fold(define());
    for (let index = 0; index < 700; index += 1) await harness.insert({ item: `n${index}`, at: [index * 3, 0], origin: index });
    expect(harness.partition.due()).toBeUndefined();
    // Everything is near everything.
    await harness.fold(setEps(1e9));
    const swap = await swapAfterRefit(harness);
    while (told.length === 0) await turns(10);
    expect(told).toEqual(['LS_CLUSTER_GENERATION_OVER_BUDGET']);
    expect(harness.partition.due()).toBeUndefined();
    expect((await harness.insert({ item: 'more', at: [-3, 0], origin: 1000 })).labels).toHaveLength(1);
    // What is in the log is folded all the same, and frozen afterwards.
    expect((await harness.fold(swap)).labels).toHaveLength(701);
    expect((await urgentRecord(harness)).action).toEqual({ 'labelstream.v1.Freeze': { collection: 'news-en', isFrozen: true } });
  });
});
