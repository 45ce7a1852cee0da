/** Collections at their memory budget (SEMANTICS.md, rule 19). */
import { describe, expect, it } from 'vitest';
import type { FeatureEvent } from '../../../src/core/events.generated.ts';
import { itemHashOf } from '../../../src/core/ids.ts';
import { createCollectionBudget } from '../../../src/stages/cluster/collection-budget.ts';
import { atOnce } from '../../../src/clustering/sliced-work.ts';
import { foldRecord } from '../../../src/stages/cluster/fold-record.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { asChunks, assignmentsIn, codec, codesOf, control, define, family, feature, features, openFold, openWithItems, partitionCounts, recordAt, type Action, type FoldHarness } from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0]];
const freeze = (collection: string, isFrozen: boolean): Action => ({ 'labelstream.v1.Freeze': { collection, isFrozen } });
const items = ({ partition }: FoldHarness) => partition.view.collections().map(({ collection, itemCount, isFrozen }) => `${collection} ${itemCount}${isFrozen ? ' frozen' : ''}`);

function dueAction({ partition }: FoldHarness): Action | undefined {
  const due = partition.due();
  if (due === undefined) return undefined;
  expect(due.isUrgent).toBe(true);
  return codec.decodeAs('ControlEvent', due.record.value).action;
}

/** As the owner does it: the record that is due is appended, and folded, until there is none. */
async function foldOwnRecords(harness: FoldHarness): Promise<Action[]> {
  const folded: Action[] = [];
  for (let due = harness.partition.due(); due !== undefined; due = harness.partition.due()) {
    const event = codec.decodeAs('ControlEvent', due.record.value);
    folded.push(event.action);
    await harness.fold(event);
    if (folded.length > 10) throw new Error('no end of what is due');
  }
  return folded;
}

describe('a frozen collection', () => {
  it('takes nothing in, while its siblings do, and all else goes on', async () => {
    const harness = await openWithItems(line);
    await harness.insert({ item: 'x', at: [5, 5], origin: 10, collection: 'news-de' });
    await harness.fold(control(freeze('news-en', true)));
    expect(items(harness)).toEqual(['news-de 1', 'news-en 3 frozen']);
    for (const refused of [feature({ item: 'd', at: [1.5, 0], origin: 11 }), feature({ item: 'a', at: [7, 7], origin: 12 }), feature({ item: 'x', at: [0, 0], origin: 13 })]) {
      const before = harness.snapshot();
      expect(codesOf(await harness.fold(refused))).toEqual(['LS_CLUSTER_COLLECTION_FROZEN']);
      expect(harness.snapshot()).toEqual(before);
    }
    expect(codesOf(await harness.insert({ item: 'y', at: [5, 6], origin: 14, collection: 'news-de' }))).toEqual([]);
    // Deleted, forgotten, and gone to a sibling.
    expect(assignmentsIn(await harness.insert({ item: 'a', origin: 15, deleted: true }))).toContainEqual(expect.stringMatching(/^test\/a removed/));
    const through = [{ incarnation: 'text-1', partition: 0, endSequence: 100n }];
    await harness.fold(control({ 'labelstream.v1.Forget': { itemHashes: [itemHashOf('test/b')], through } }, null));
    await harness.insert({ item: 'c', at: [5, 7], origin: 200, collection: 'news-de' });
    // With its last item the collection has gone, and begins anew.
    expect(items(harness)).toEqual(['news-de 3']);
    expect(codesOf(await harness.insert({ item: 'd', at: [1.5, 0], origin: 201 }))).toEqual([]);
  });

  it('lets windows go on', async () => {
    const harness = await openWithItems(line, { windowAgeMs: 1000n });
    await harness.fold(control(freeze('news-en', true)));
    await harness.fold(control({ 'labelstream.v1.Tick': {} }, null), 2000);
    expect(items(harness)).toEqual([]);
  });

  it('takes items in again once it is thawed; what was refused can be redriven', async () => {
    const harness = await openWithItems(line);
    await harness.fold(control(freeze('news-en', true)));
    const { deadLetters } = await harness.insert({ item: 'd', at: [1.5, 0], origin: 11 });
    await harness.fold(control(freeze('news-en', false)));
    const again: FeatureEvent = codec.decodeAs('FeatureEvent', deadLetters[0]!.value);
    expect(assignmentsIn(await harness.fold(again))).toEqual([expect.stringMatching(/^test\/d core /)]);
  });

  it('stays one through snapshots, and nobody minds a record for one that is gone', async () => {
    const harness = await openWithItems(line);
    await harness.fold(control(freeze('news-en', true)));
    expect(codesOf(await harness.fold(control(freeze('news-fr', true))))).toEqual([]);
    const restored = openFold();
    await restored.partition.restore(asChunks(harness.partition.snapshot()));
    expect(items(restored)).toEqual(['news-en 3 frozen']);
    expect(restored.snapshot()).toEqual(harness.snapshot());
  });

  it('is refused of a family that nobody declared', async () => {
    expect(codesOf(await openFold().fold(control(freeze('news-en', true))))).toEqual(['LS_CLUSTER_FAMILY_UNDECLARED']);
  });
});

describe('the owner', () => {
  it('freezes a collection above the budget, and thaws it when it is well below or the budget was raised', async () => {
    // A collection takes some memory whatever is in it.
    const probe = await openWithItems(line);
    expect(probe.partition.due()).toBeUndefined();
    const harness = openFold({ collectionBytesMax: 200_000 });
    await harness.fold(define());
    let count = 0;
    while (dueAction(harness) === undefined) await harness.insert({ item: `n${count}`, at: [3 * count, 0], origin: count++ });
    expect(count).toBeGreaterThan(100);
    const [claim, freezing, ...more] = await foldOwnRecords(harness);
    expect([claim, freezing, more]).toEqual([{ 'labelstream.v1.Claim': { owner: 'owner' } }, freeze('news-en', true), []]);
    expect(codesOf(await harness.insert({ item: 'more', at: [0, 9], origin: count++ }))).toEqual(['LS_CLUSTER_COLLECTION_FROZEN']);
    // A sibling has a budget of its own.
    expect(codesOf(await harness.insert({ item: 'x', at: [0, 9], origin: count++, collection: 'news-de' }))).toEqual([]);
    const raised = openFold({ collectionBytesMax: 400_000 });
    await raised.partition.restore(asChunks(harness.partition.snapshot()));
    expect((await foldOwnRecords(raised)).at(-1)).toEqual(freeze('news-en', false));
    const without = openFold({ collectionBytesMax: undefined });
    await without.partition.restore(asChunks(harness.partition.snapshot()));
    expect((await foldOwnRecords(without)).at(-1)).toEqual(freeze('news-en', false));
    let removed = 0;
    while (dueAction(harness) === undefined) await harness.insert({ item: `n${removed++}`, origin: 1000 + count++, deleted: true });
    expect(removed / count).toBeGreaterThan(0.05);
    expect(await foldOwnRecords(harness)).toEqual([freeze('news-en', false)]);
    expect(codesOf(await harness.insert({ item: 'more', at: [0, 9], origin: 5000 }))).toEqual([]);
    expect(harness.partition.view.frozenCount()).toBe(0);
  });

  it('does not look at many collections after every record', async () => {
    const harness = openFold({ collectionBytesMax: 1 });
    await harness.fold(define({ maxCollections: 40 }));
    expect(harness.partition.due()).toBeUndefined();
    for (let index = 0; index < 30; index++) await harness.insert({ item: `i${index}`, at: [index, 0], origin: index, collection: `news-${index}`, family });
    // All of them are above.
    expect(harness.partition.due()).toBeUndefined();
    for (let index = 30; index < 70; index++) await harness.insert({ item: `i${index}`, at: [index, 0], origin: index, collection: 'news-1' });
    expect(dueAction(harness)).toEqual({ 'labelstream.v1.Claim': { owner: 'owner' } });
  });

  it('freezes a collection whose lists of neighbours are nearly full, whatever memory there is, before its clustering refuses items', () => {
    const state = emptyState(features);
    const context = { codec, partitionCounts, observer: {}, eventHeaders: () => new Map() };
    for (const [index, event] of [define(), feature({ item: 'a', at: [0, 0], origin: 1 })].entries()) atOnce(foldRecord(context, state, recordAt(index, { event })));
    const collection = state.families.get(family)!.collections.get('news-en')!;
    const { clustering } = collection;
    expect(clustering.memoryBytes().adjacencyShare).toBeLessThan(1e-6);
    const dueAt = (adjacencyShare: number) => {
      collection.clustering = { ...clustering, memoryBytes: () => ({ ...clustering.memoryBytes(), adjacencyShare }) };
      return createCollectionBudget(state).due()?.isFrozen;
    };
    expect(dueAt(0.87)).toBeUndefined();
    expect(dueAt(0.88)).toBe(true);
    collection.isFrozen = true;
    expect(dueAt(0.88)).toBeUndefined();
    expect(dueAt(0.71)).toBeUndefined();
    expect(dueAt(0.69)).toBe(false);
  });

  it('asks for a change once, however many collections there are', async () => {
    const harness = openFold({ collectionBytesMax: 60_000 });
    await harness.fold(define({ maxCollections: 40 }));
    for (let index = 0; index < 20; index++) await harness.insert({ item: `i${index}`, at: [index, 0], origin: index, collection: `news-${index}`, family });
    let origin = 20;
    while (dueAction(harness) === undefined) await harness.insert({ item: `x${origin}`, at: [origin * 3, 0], origin: origin++, collection: 'news-1' });
    expect(await foldOwnRecords(harness)).toEqual([{ 'labelstream.v1.Claim': { owner: 'owner' } }, freeze('news-1', true)]);
  });
});
