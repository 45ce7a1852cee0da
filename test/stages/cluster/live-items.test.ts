/** Live items beside a plain map of them: whatever is set, told, deleted, renumbered or written, both say the same. */
import { describe, expect, it } from 'vitest';
import { itemHashOf } from '../../../src/core/ids.ts';
import type { Item } from '../../../src/stages/cluster/item.ts';
import type { OpenItemRows } from '../../../src/stages/cluster/item-rows.ts';
import { createLiveItems, restoreLiveItems, type ItemNumbers, type LiveItems } from '../../../src/stages/cluster/live-items.ts';
import { seededRandom, type SeededRandom } from '../../codec/seeded-random.ts';

const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_260_211);
const recordCount = isFullScale ? 100_000 : 8_000;

/** What a clustering does with numbers: those of items that are gone are given to others. */
function createNumbers(itemIds: Iterable<string> = []) {
  const indices = new Map<string, number>();
  const ids: (string | undefined)[] = [];
  const free: number[] = [];
  const add = (itemId: string): void => {
    if (indices.has(itemId)) return;
    const index = free.pop() ?? ids.length;
    ids[index] = itemId;
    indices.set(itemId, index);
  };
  for (const itemId of itemIds) add(itemId);
  const numbers: ItemNumbers = {
    itemIndex: (itemId) => indices.get(itemId) ?? -1,
    itemIdAt: (index) => {
      const itemId = ids[index];
      if (itemId === undefined) throw new Error(`nothing has the number ${index}`);
      return itemId;
    },
  };
  return {
    numbers,
    add,
    remove: (itemId: string) => {
      const index = indices.get(itemId);
      if (index === undefined) return;
      indices.delete(itemId);
      ids[index] = undefined;
      free.push(index);
    },
    inOrder: () => ids.filter((itemId) => itemId !== undefined),
  };
}

function randomItem(random: SeededRandom, itemId: string): Item {
  const time = (): number => random.pick([0, 1, 1000 + random.below(20), 1_785_000_000_000 + random.below(1e9), -5, 2 ** 53 - 1, -(2 ** 53)]);
  const sequence = random.pick([0n, BigInt(random.below(300)), 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, -3n]);
  const [, name = ''] = itemId.split('/');
  return {
    itemId,
    inputId: random.pick([itemId, name, name, 'other', '', `über/${'x'.repeat(random.below(400))}`]),
    origin: { topic: random.pick(['text.events', 'image.events']), incarnation: `log-${random.below(3)}`, partition: random.below(4), sequence, appendTime: time() },
    routeStep: 'texts/embed',
    model: 'encoder',
    modelVersion: String(random.below(2)),
    occurredAt: time(),
    preview: random.pick([null, null, '', 'a text', 'ein Gruß 🎉', 'long '.repeat(random.below(300))]),
    toldClusterId: null,
  };
}

const ageOf = ({ appendTime, occurredAt }: { readonly appendTime: number; readonly occurredAt: number }): number => Math.min(appendTime, occurredAt);

type Model = { readonly live: Map<string, Item>; numbered: ReturnType<typeof createNumbers> };

function oldestIn(live: ReadonlyMap<string, Item>): string | undefined {
  let oldest: { readonly itemId: string; readonly ageMs: number } | undefined;
  for (const { itemId, origin, occurredAt } of live.values()) {
    const ageMs = ageOf({ appendTime: origin.appendTime, occurredAt });
    if (oldest === undefined || ageMs < oldest.ageMs || (ageMs === oldest.ageMs && itemId < oldest.itemId)) oldest = { itemId, ageMs };
  }
  return oldest?.itemId;
}

function requireSame(items: LiveItems, live: ReadonlyMap<string, Item>, hint: string): void {
  expect(items.size, hint).toBe(live.size);
  expect(new Map([...items.values()].map((item) => [item.itemId, item])), hint).toEqual(live);
  expect([...items.keys()].sort(), hint).toEqual([...live.keys()].sort());
}

function requireFound(random: SeededRandom, items: LiveItems, live: ReadonlyMap<string, Item>, hint: string): void {
  const wanted = Array.from({ length: random.below(6) }, () => `test/${random.below(120)}`);
  const found = items.withHashes(new Set(wanted.map(itemHashOf)));
  expect(new Map(found.map((item) => [item.itemId, item])), hint).toEqual(new Map([...live].filter(([itemId]) => wanted.includes(itemId))));
}

/** One record: it enters the books, the clustering applies it, and some are told of it. */
function foldOne(random: SeededRandom, items: LiveItems, { live, numbered }: Model, hint: string): void {
  const touched = new Set<string>();
  for (let change = random.below(4); change > 0; change--) {
    const itemId = `test/${random.below(120)}`;
    touched.add(itemId);
    if (random.below(5) < 2) expect(items.delete(itemId), hint).toBe(live.delete(itemId));
    else {
      const item = randomItem(random, itemId);
      items.set(item);
      live.set(itemId, item);
    }
    expect(items.get(itemId), hint).toEqual(live.get(itemId));
    expect(items.size, hint).toBe(live.size);
    expect(items.oldest()?.itemId, hint).toBe(oldestIn(live));
  }
  for (const itemId of touched) if (!live.has(itemId)) numbered.remove(itemId);
  for (const itemId of touched) if (live.has(itemId)) numbered.add(itemId);
  items.settle();
  for (const itemId of [...touched, `test/${random.below(120)}`]) {
    const clusterId = random.pick([null, `cluster-${random.below(30)}`]);
    const item = live.get(itemId);
    if (item !== undefined) live.set(itemId, { ...item, toldClusterId: clusterId });
    expect(items.tell(itemId, clusterId), hint).toEqual(live.get(itemId));
    expect(items.has(itemId), hint).toBe(live.has(itemId));
  }
}

type Writing = { readonly opened: OpenItemRows; readonly chunks: Iterator<Buffer>; readonly taken: Buffer[]; readonly order: readonly string[]; readonly live: ReadonlyMap<string, Item> };

async function requireRestored({ opened, taken, order, live }: Writing, hint: string): Promise<void> {
  let next = 0;
  const restored = await restoreLiveItems(createNumbers(order).numbers, { count: opened.count, names: opened.names, nextChunk: () => Promise.resolve(taken[next++]!) });
  requireSame(restored!, live, hint);
}

describe('live items', () => {
  it(`are what a map of them is, through ${recordCount} records of seed ${seed}`, async () => {
    const random = seededRandom(seed);
    const model: Model = { live: new Map(), numbered: createNumbers() };
    const items = createLiveItems(model.numbered.numbers);
    items.orderByAge(ageOf);
    let writing: Writing | undefined;
    const counts = { written: 0, foldedMeanwhile: 0, moved: 0 };
    for (let record = 0; record < recordCount; record++) {
      const hint = `seed ${seed}, record ${record}`;
      foldOne(random, items, model, hint);
        if (record % 100 === 0) requireSame(items, model.live, hint);
      if (record % 40 === 0) requireFound(random, items, model.live, hint);
      if (random.below(200) === 0) {
        const shuffled = [...model.live.keys()].sort(() => random.below(3) - 1);
        model.numbered = createNumbers(shuffled);
        items.moveTo(model.numbered.numbers);
        counts.moved += 1;
      }
      if (writing === undefined) {
        if (random.below(20) > 0) continue;
        const opened = items.open();
        writing = { opened, chunks: opened.chunks(), taken: [], order: model.numbered.inOrder(), live: new Map(model.live) };
        continue;
      }
      counts.foldedMeanwhile += 1;
      if (random.below(10) > 0) continue;
      const next = writing.chunks.next();
      if (next.done !== true) writing.taken.push(next.value);
      if (next.done !== true || writing.taken.length === 0) continue;
      await requireRestored(writing, hint);
      counts.written += 1;
      writing = undefined;
    }
    expect(counts.written).toBeGreaterThan(recordCount / 200);
    expect(counts.foldedMeanwhile).toBeGreaterThan(5 * counts.written);
    expect(counts.moved).toBeGreaterThan(10);
  });

  it('all that live throughout are walked through once, while records are folded', () => {
    const random = seededRandom(seed);
    const model: Model = { live: new Map(), numbered: createNumbers() };
    const items = createLiveItems(model.numbered.numbers);
    items.orderByAge(ageOf);
    let foldedMeanwhile = 0;
    for (let walk = 0; walk < recordCount / 200; walk++) {
      const hint = `seed ${seed}, walk ${walk}`;
      const throughout = new Set(model.live.keys());
      const everLive = new Set(throughout);
      const walked: string[] = [];
      for (const itemId of items.keys()) {
        walked.push(itemId);
        expect(model.live.has(itemId), hint).toBe(true);
        if (random.below(2) === 0) continue;
        foldOne(random, items, model, hint);
        foldedMeanwhile += 1;
        for (const each of throughout) if (!model.live.has(each)) throughout.delete(each);
        for (const each of model.live.keys()) everLive.add(each);
      }
      for (const itemId of throughout) expect(walked.filter((each) => each === itemId), hint).toHaveLength(1);
      expect(walked.filter((itemId) => !everLive.has(itemId)), hint).toEqual([]);
      foldOne(random, items, model, hint);
    }
    expect(foldedMeanwhile).toBeGreaterThan(recordCount / 20);
  });

  it('take some thirty bytes an item', () => {
    const numbered = createNumbers();
    const items = createLiveItems(numbered.numbers);
    const random = seededRandom(seed);
    const count = 50_000;
    for (let index = 0; index < count; index++) {
      const itemId = `test/item-${index}`;
      const time = 1_785_000_000_000 + 7 * index;
      items.set({ ...randomItem(random, itemId), inputId: itemId, preview: null, occurredAt: time - 40, origin: { topic: 't', incarnation: 'i', partition: 0, sequence: BigInt(3 * index), appendTime: time } });
      numbered.add(itemId);
      items.settle();
      items.tell(itemId, `cluster-${index % 500}`);
    }
    expect(items.memoryBytes() / count).toBeLessThan(32);
  });

  it('refuse chunks that are cut, or that name what is not there', async () => {
    const numbered = createNumbers(['test/a', 'test/b']);
    const items = createLiveItems(numbered.numbers);
    for (const itemId of ['test/a', 'test/b']) items.set(randomItem(seededRandom(seed), itemId));
    items.settle();
    const { count, names, chunks } = items.open();
    const [chunk] = [...chunks()];
    const restore = (changes: Partial<Parameters<typeof restoreLiveItems>[1]>) =>
      restoreLiveItems(numbered.numbers, { count, names, nextChunk: () => Promise.resolve(chunk!), ...changes });
    expect((await restore({}))?.size).toBe(2);
    for (const length of [1, 6, chunk!.length - 1]) expect(await restore({ nextChunk: () => Promise.resolve(chunk!.subarray(0, length)) })).toBeUndefined();
    expect(await restore({ count: 1 })).toBeUndefined();
    expect(await restore({ count: 3, nextChunk: () => Promise.resolve(chunk!) })).toBeUndefined();
    expect(await restore({ names: { kinds: [], clusters: [] } })).toBeUndefined();
  });
});
