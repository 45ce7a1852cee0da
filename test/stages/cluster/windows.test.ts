/** Time and what leaves with it (SEMANTICS.md, rule 13). */
import { describe, expect, it } from 'vitest';
import { codec, define, openFold, openWithItems, tick } from './fold-harness.ts';

const year2099 = Date.UTC(2099, 0, 1);
const line = [[0, 0], [0.5, 0], [1, 0]];

describe('an age window', () => {
  const aged = { windowAgeMs: 1000n };

  it('lets items go silently when time reaches them, and tells the clusters that change', async () => {
    const harness = await openWithItems(line, aged);
    expect((await harness.fold(tick, 1999)).clusterEvents).toEqual([]);
    const told = await harness.fold(tick, 2000);
    expect(told.clusterEvents).toMatchObject([{ type: 'dissolved', cause: 'tick' }]);
    expect(told.labels).toEqual([]);
    expect(harness.partition.view.collections()).toEqual([]);
  });

  it('tells items that stay behind as noise', async () => {
    const harness = openFold();
    await harness.fold(define(aged));
    await harness.insert({ item: 'a', at: [0, 0], origin: 0, appendTime: 500 });
    await harness.insert({ item: 'b', at: [0.5, 0], origin: 1, appendTime: 900 });
    await harness.insert({ item: 'c', at: [1, 0], origin: 2, appendTime: 900 });
    const told = await harness.insert({ item: 'far', at: [9, 9], origin: 3, appendTime: 1500, collection: 'news-de' }, 1500);
    expect(told.labels.map(({ itemId }) => itemId)).toEqual(['test/far', 'test/b', 'test/c']);
    // The feature is of another collection: a window, not the item, changed this one.
    expect(told.clusterEvents).toMatchObject([{ type: 'dissolved', collection: 'news-en', cause: 'window' }]);
  });

  it('expires an idle collection by the tick that is due', async () => {
    const harness = await openWithItems(line, aged);
    const due = harness.partition.due();
    expect(due?.atMs).toBe(2000);
    expect(due?.record).toMatchObject({ topic: 'features', partition: 1, key: null });
    expect(codec.decodeAs('ControlEvent', due!.record.value)).toMatchObject({ family: null, term: 0n });
    expect(harness.partition.due()?.record.value).toEqual(due?.record.value);
    await harness.fold(due!.record.value, due!.atMs);
    expect(harness.partition.view.collections()).toEqual([]);
    expect(harness.partition.due()).toBeUndefined();
  });

  it('is due at the earliest expiry of all families, however ages arrived', async () => {
    const harness = openFold();
    await harness.fold(define(aged));
    await harness.fold(define({ windowAgeMs: 100n }, 'other'));
    await harness.insert({ item: 'a', at: [0, 0], origin: 0, appendTime: 990 });
    await harness.insert({ item: 'b', at: [0, 0], origin: 1, appendTime: 950 });
    expect(harness.partition.due()?.atMs).toBe(1950);
    await harness.insert({ item: 'c', at: [0, 0], origin: 2, appendTime: 995, family: 'other', collection: 'other' });
    expect(harness.partition.due()?.atMs).toBe(1095);
    await harness.insert({ item: 'c', origin: 3, deleted: true, family: 'other' });
    expect(harness.partition.due()?.atMs).toBe(1950);
  });

  it('has nothing due without an age', async () => {
    expect((await openWithItems(line)).partition.due()).toBeUndefined();
  });

  it('does not take in what has outlived it on arrival, and opens no collection for it', async () => {
    const harness = openFold();
    await harness.fold(define(aged), 5000);
    const told = await harness.insert({ item: 'a', at: [0, 0], origin: 0, appendTime: 4000 }, 5000);
    expect(told).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.partition.view.collections()).toEqual([]);
    expect(harness.partition.due()).toBeUndefined();
  });

  it('counts time by the latest append time of the partition, never backwards', async () => {
    const harness = await openWithItems(line, aged);
    await harness.fold(tick, 1990);
    await harness.fold(tick, 1200);
    expect((await harness.insert({ item: 'late', at: [9, 9], origin: 3, appendTime: 990, originPartition: 1 }, 1100)).labels).toEqual([]);
    await harness.insert({ item: 'd', at: [9, 9], origin: 3, appendTime: 995 }, 1100);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 4 }]);
    await harness.insert({ item: 'e', at: [9, 9], origin: 4, appendTime: 995 }, 1996);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 3 }]);
  });

  it('keeps nothing alive by a date in 2099, whatever the age counts from', async () => {
    for (const windowAgeBy of ['append', 'occurred'] as const) {
      const harness = openFold();
      await harness.fold(define({ ...aged, windowAgeBy }));
      await harness.insert({ item: 'a', at: [0, 0], origin: 0, appendTime: 1000, occurredAt: year2099 });
      expect(harness.partition.due()?.atMs).toBe(2000);
      // Nor does the date move the partition's time: others of this second stay.
      await harness.insert({ item: 'b', at: [0, 0], origin: 1, appendTime: 1001 }, 1999);
      expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 2 }]);
      await harness.fold(tick, 2000);
      expect(harness.partition.view.item('test/a')).toEqual([]);
    }
  });

  it('counts from occurredAt where that is earlier and the definition says so', async () => {
    const harness = openFold();
    await harness.fold(define({ ...aged, windowAgeBy: 'occurred' }));
    await harness.insert({ item: 'a', at: [0, 0], origin: 0, appendTime: 1000, occurredAt: 400 });
    expect(harness.partition.due()?.atMs).toBe(1400);
    await harness.fold(define({ ...aged, version: 2 }));
    expect(harness.partition.due()?.atMs).toBe(2000);
  });

  it('moves time even when all it reads are ticks, and refused records do not', async () => {
    const harness = await openWithItems(line, aged);
    expect((await harness.fold(Buffer.from('garbage'), 9000)).deadLetters).toHaveLength(1);
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 3 }]);
    await harness.fold(tick, 9000);
    expect(harness.partition.view.collections()).toEqual([]);
  });
});

describe('a window by count', () => {
  it('lets the oldest go, of one age the lower itemId', async () => {
    const harness = openFold();
    await harness.fold(define({ windowItems: 3 }));
    for (const [origin, [item, appendTime]] of ([['m', 20], ['k', 10], ['l', 10]] as const).entries()) {
      await harness.insert({ item, at: [origin * 9, 0], origin, appendTime });
    }
    const left = async (item: string, appendTime: number, origin: number): Promise<readonly string[]> => {
      await harness.insert({ item, at: [0, 50], origin, appendTime });
      return ['k', 'l', 'm', 'n', 'o'].filter((name) => harness.partition.view.item(`test/${name}`).length > 0);
    };
    expect(await left('n', 30, 3)).toEqual(['l', 'm', 'n']);
    expect(await left('o', 30, 4)).toEqual(['m', 'n', 'o']);
  });

  it('does not take in what is older than all it holds', async () => {
    const harness = await openWithItems(line, { windowItems: 3 });
    const told = await harness.insert({ item: 'old', at: [0, 0], origin: 0, originPartition: 1, appendTime: 999 });
    expect(told).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(harness.partition.view.item('test/old')).toEqual([]);
  });

  it('is per collection', async () => {
    const harness = await openWithItems(line, { windowItems: 3 });
    await harness.insert({ item: 'x', at: [0, 0], origin: 3, collection: 'news-de' });
    expect(harness.partition.view.collections().map(({ itemCount }) => itemCount)).toEqual([1, 3]);
  });

  it('replaces an item without letting another go', async () => {
    const harness = await openWithItems(line, { windowItems: 3 });
    await harness.insert({ item: 'b', at: [0.4, 0], origin: 3 });
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 3, clusterCount: 1 }]);
  });

  it('takes hold of what is there when a definition makes it smaller, one that asks for a generation included', async () => {
    for (const changes of [{ windowItems: 2 }, { windowItems: 2, eps: 2 }]) {
      const harness = await openWithItems([...line, [5, 5]]);
      const told = await harness.fold(define({ ...changes, version: 2 }));
      expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 2, clusterCount: 0 }]);
      expect(told.clusterEvents).toMatchObject([{ type: 'dissolved', cause: 'define' }]);
      expect(told.labels.map(({ itemId }) => itemId)).toEqual(['test/c']);
    }
  });
});
