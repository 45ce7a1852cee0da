/** What was forgotten or deleted, and what may come back (SEMANTICS.md, rule 21). */
import { describe, expect, it } from 'vitest';
import { itemHashOf } from '../../../src/core/ids.ts';
import { forgetRecords, labelRecord } from '../../../src/stages/cluster/control-records.ts';
import { assignmentIn, assignmentsIn, codec, codesOf, control, define, family, openFold, openWithItems, tick } from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0]];

function forget(items: readonly string[], endSequence: number, { partition = 0, incarnation = 'text-1', of = null as string | null } = {}) {
  const through = [{ incarnation, partition, endSequence: BigInt(endSequence) }];
  return control({ 'labelstream.v1.Forget': { itemHashes: items.map((item) => itemHashOf(`test/${item}`)), through } }, of);
}

describe('a forget', () => {
  it('removes the live items below the ends, and tells that they are gone', async () => {
    const harness = await openWithItems(line);
    const told = await harness.fold(forget(['b', 'unknown'], 3));
    expect(told.clusterEvents).toMatchObject([{ type: 'dissolved', cause: 'forget' }]);
    expect(assignmentsIn(told)).toEqual(['test/a noise -', 'test/b removed -', 'test/c noise -']);
    expect(harness.snapshot().includes('test/b')).toBe(false);
  });

  it('leaves alone what came after it was issued', async () => {
    const harness = await openWithItems(line);
    expect((await harness.fold(forget(['c'], 2))).labels).toEqual([]);
    expect(harness.partition.view.item('test/c')).toHaveLength(1);
  });

  it('that overtakes features in flight drops them when they arrive, and takes in later versions', async () => {
    const harness = await openWithItems([]);
    await harness.fold(forget(['a'], 10));
    expect(await harness.insert({ item: 'a', at: [0, 0], origin: 9 })).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.drops).toEqual(['buried']);
    expect(assignmentsIn(await harness.insert({ item: 'a', at: [0, 0], origin: 10 }))).toEqual(['test/a noise -']);
  });

  it('drops a feature in flight even where its vector is bad: a dead letter would keep it', async () => {
    const harness = await openWithItems([]);
    await harness.fold(forget(['a'], 10));
    expect(codesOf(await harness.insert({ item: 'a', at: [Number.NaN], origin: 9 }))).toEqual([]);
  });

  it('holds for redriven records and for all route steps, and not for other input partitions', async () => {
    const harness = await openWithItems([]);
    await harness.fold(forget(['a'], 10));
    const redrive = { incarnation: 'parked-1', sequence: 0 };
    await harness.insert({ item: 'a', at: [0, 0], origin: 9, routeStep: 'texts/other', read: redrive });
    expect(harness.drops).toEqual(['buried']);
    expect((await harness.insert({ item: 'a', at: [0, 0], origin: 0, originPartition: 1 })).labels).toHaveLength(1);
  });

  it('removes what came from an input that is gone, and keeps that from coming back', async () => {
    const harness = await openWithItems([[0, 0]]);
    const told = await harness.fold(forget(['a'], 1, { incarnation: 'text-2' }));
    expect(assignmentsIn(told)).toEqual(['test/a removed -']);
    await harness.insert({ item: 'a', at: [0, 0], origin: 0, read: { incarnation: 'parked-1', sequence: 0 } });
    expect(harness.drops).toEqual(['buried']);
  });

  it('holds for every family of the partition, later ones included, or for one', async () => {
    const harness = await openWithItems([[0, 0]]);
    await harness.fold(define({}, 'other'));
    await harness.insert({ item: 'a', at: [0, 0], origin: 1, family: 'other', collection: 'other' });
    const one = await harness.fold(forget(['a'], 2, { of: 'other' }));
    expect(one.labels.map(assignmentIn)).toMatchObject([{ family: 'other', role: 'removed' }]);
    const all = await harness.fold(forget(['a'], 2));
    expect(all.labels.map(assignmentIn)).toMatchObject([{ family, role: 'removed' }]);
    await harness.fold(define({}, 'third'));
    await harness.insert({ item: 'a', at: [0, 0], origin: 1, family: 'third', collection: 'third', read: { index: 1 } });
    expect(harness.drops).toEqual(['buried']);
  });

  it('is remembered for the retention by the time of the partition, then no more', async () => {
    const harness = await openWithItems([], { tombstoneRetentionMs: 500n });
    const replayed = (sequence: number) => ({ item: 'a', at: [0, 0], origin: 0, read: { incarnation: 'replay-1', sequence } });
    await harness.fold(forget(['a'], 10), 1000);
    await harness.insert(replayed(0), 1499);
    expect(harness.drops).toEqual(['buried']);
    await harness.insert(replayed(1), 1500);
    expect(harness.partition.view.item('test/a')).toHaveLength(1);
  });

  it('leaves no trace when its retention has passed, which begins anew when it is repeated', async () => {
    const harness = await openWithItems([], { tombstoneRetentionMs: 500n });
    await harness.fold(forget(['a'], 10), 1000);
    await harness.fold(forget(['b'], 10), 1100);
    await harness.fold(forget(['a'], 10), 1200);
    await harness.fold(tick, 1600);
    const remembered = () => ['a', 'b'].filter((item) => harness.snapshot().includes(itemHashOf(`test/${item}`)));
    expect(remembered()).toEqual(['a']);
    await harness.fold(tick, 1700);
    expect(remembered()).toEqual([]);
  });

  it('is remembered for the longest retention of the families that it holds for, for ever where one says so', async () => {
    const harness = await openWithItems([], { tombstoneRetentionMs: 500n });
    await harness.fold(define({ tombstoneRetentionMs: null }, 'other'));
    await harness.fold(forget(['a'], 10));
    await harness.fold(tick, 9_000_000);
    await harness.insert({ item: 'a', at: [0, 0], origin: 0 });
    expect(harness.drops).toEqual(['buried']);
    await harness.fold(define({ version: 2, tombstoneRetentionMs: 700n }, 'other'), 9_000_000);
    await harness.insert({ item: 'a', at: [0, 0], origin: 1 });
    expect(harness.drops).toEqual(['buried']);
  });

  it('is refused where it names items by anything but their hash', async () => {
    const harness = await openWithItems(line);
    const named = control({ 'labelstream.v1.Forget': { itemHashes: ['test/a'], through: [] } }, null);
    expect(codesOf(await harness.fold(named))).toEqual(['LS_CLUSTER_FORGET_INVALID']);
    expect(codesOf(await harness.fold(forget(['a'], 9, { of: 'unheard' })))).toEqual(['LS_CLUSTER_FAMILY_UNDECLARED']);
  });
});

describe('control records', () => {
  it('for a forget go to every features partition, with hashes alone', () => {
    const through = [{ incarnation: 'text-1', partition: 0, endSequence: 5n }];
    const records = forgetRecords(codec, 3, ['test/b', 'test/a', 'test/b'], through);
    expect(records.map(({ topic, partition, key }) => [topic, partition, key])).toEqual([0, 1, 2].map((index) => ['features', index, null]));
    const events = records.map(({ value }) => codec.decodeAs('ControlEvent', value));
    const itemHashes = [itemHashOf('test/a'), itemHashOf('test/b')].sort();
    for (const event of events) {
      expect(event).toMatchObject({ family: null, term: 0n, action: { 'labelstream.v1.Forget': { itemHashes, through } } });
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(3);
  });

  it('for a name go to the partition of the family', async () => {
    const harness = await openWithItems(line);
    const [cluster] = harness.partition.view.clusters();
    const { partition, value } = labelRecord(codec, 4, family, { collection: 'news-en', clusterId: cluster!.clusterId, name: 'line' });
    expect(partition).toBe(labelRecord(codec, 4, family, { collection: 'x', clusterId: 'y', name: 'z' }).partition);
    expect((await harness.fold(value)).clusterEvents).toMatchObject([{ type: 'labelled', name: 'line' }]);
  });

  it('that repeat change nothing', async () => {
    const harness = openFold();
    await harness.fold(define());
    const before = harness.snapshot();
    await harness.fold(define());
    expect(harness.snapshot()).toEqual(before);
  });
});
