import { describe, expect, test } from 'vitest';
import { createBatchScheduler, type BatchLimits, type Queued } from '../../src/models/batch-scheduler.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';

type Item = Queued & { readonly name: string };

const limits: BatchLimits = { batchItemsMax: 4, batchBytesMax: 100, paddedCostMax: 1_000, lingerMsMax: 10, queueItemsMax: 8, queueBytesMax: 200 };
const item = (name: string, enqueuedAtMs = 0, { group = 16, bytes = 1 } = {}): Item => ({ name, group, bytes, enqueuedAtMs });
const several = (letters: string, enqueuedAtMs = 0, options = {}): Item[] => letters.split(' ').map((name) => item(name, enqueuedAtMs, options));
const names = (batch: readonly Item[] | undefined): string | undefined => batch?.map(({ name }) => name).join('');
const filled = (items: readonly Item[], overrides: Partial<BatchLimits> = {}) => {
  const scheduler = createBatchScheduler<Item>({ ...limits, ...overrides });
  for (const each of items) expect(scheduler.offer(each)).toBe(true);
  return scheduler;
};

describe('a batch is ready', () => {
  test('when it is full by count, at once', () => {
    const scheduler = filled(several('a b c'));
    expect(scheduler.take(0)).toBeUndefined();
    scheduler.offer(item('d'));
    scheduler.offer(item('e'));
    expect(names(scheduler.take(0))).toBe('abcd');
    expect(scheduler.take(0)).toBeUndefined();
    expect(scheduler.size()).toEqual({ items: 1, bytes: 1 });
  });

  test('when its oldest item has lingered, and not a millisecond earlier', () => {
    const scheduler = filled([item('a', 5), item('b', 9)]);
    expect(scheduler.dueAtMs()).toBe(15);
    expect(scheduler.readySinceMs(14)).toBeUndefined();
    expect(scheduler.take(14)).toBeUndefined();
    expect(scheduler.readySinceMs(15)).toBe(5);
    expect(names(scheduler.take(15))).toBe('ab');
    expect(scheduler.dueAtMs()).toBeUndefined();
  });

  test('when it is full by bytes', () => {
    const scheduler = filled([item('a', 0, { bytes: 60 }), item('b', 0, { bytes: 60 })]);
    expect(names(scheduler.take(0))).toBe('a');
    expect(scheduler.take(0)).toBeUndefined();
    expect(names(scheduler.take(10))).toBe('b');
  });

  test('when it is full by padded cost', () => {
    const scheduler = filled(several('a b c', 0, { group: 400 }));
    expect(names(scheduler.take(0))).toBe('ab');
    expect(scheduler.take(0)).toBeUndefined();
  });
});

test('a first item is always admitted, alone, whatever it costs', () => {
  const scheduler = filled([item('a', 0, { bytes: 500, group: 5_000 })]);
  expect(names(scheduler.take(0))).toBe('a');
  const second = filled([item('a', 0, { bytes: 150 }), item('b')]);
  expect(names(second.take(0))).toBe('a');
});

test('items of different groups are never together, and the group that is ready longest goes first', () => {
  const scheduler = filled([item('a', 3, { group: 16 }), item('b', 1, { group: 64 }), item('c', 4, { group: 16 }), item('d', 5, { group: 64 })]);
  expect(scheduler.dueAtMs()).toBe(11);
  expect(names(scheduler.take(20))).toBe('bd');
  expect(names(scheduler.take(20))).toBe('ac');
});

test('a full batch goes before an older item that still lingers', () => {
  const scheduler = filled([item('z', 0, { group: 64 }), ...several('a b c d', 1)]);
  expect(names(scheduler.take(1))).toBe('abcd');
  expect(scheduler.take(1)).toBeUndefined();
  expect(names(scheduler.take(10))).toBe('z');
});

describe('the queue is bounded', () => {
  test('by items', () => {
    const scheduler = filled(several('a b c d e f g h'));
    expect(scheduler.offer(item('i'))).toBe(false);
    expect(scheduler.size().items).toBe(8);
    scheduler.take(0);
    expect(scheduler.offer(item('i'))).toBe(true);
  });

  test('by bytes, though an empty queue takes any item', () => {
    const scheduler = filled([item('a', 0, { bytes: 500 })]);
    expect(scheduler.offer(item('b'))).toBe(false);
    scheduler.take(0);
    expect(scheduler.offer(item('b'))).toBe(true);
    expect(scheduler.offer(item('c', 0, { bytes: 200 }))).toBe(false);
    expect(scheduler.size()).toEqual({ items: 1, bytes: 1 });
  });
});

test('a removed item is in no batch and frees its place', () => {
  const items = several('a b c d');
  const scheduler = filled(items);
  expect(scheduler.remove(items[1]!)).toBe(true);
  expect(scheduler.remove(items[1]!)).toBe(false);
  expect(scheduler.remove(item('a'))).toBe(false);
  expect(scheduler.take(0)).toBeUndefined();
  expect(names(scheduler.take(10))).toBe('acd');
  expect(scheduler.remove(items[0]!)).toBe(false);
  expect(scheduler.size()).toEqual({ items: 0, bytes: 0 });
});

test('drain gives everything and leaves nothing', () => {
  const scheduler = filled([item('a'), item('b', 0, { group: 64 })]);
  expect(names(scheduler.drain())).toBe('ab');
  expect(scheduler.size()).toEqual({ items: 0, bytes: 0 });
  expect(scheduler.take(1_000)).toBeUndefined();
});

test('any history: every item comes out once, in order within its group, in batches within their limits', () => {
  const scale = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 1_000 : 40;
  for (let seed = 1; seed <= scale; seed += 1) {
    const random = seededRandom(seed);
    const scheduler = createBatchScheduler<Item>(limits);
    const waiting: Item[] = [];
    const seen: Item[] = [];
    let nowMs = 0;
    for (let step = 0; step < 200; step += 1) {
      nowMs += Math.floor(random() * 4);
      const chance = random();
      if (chance < 0.6) {
        const next = item(String(step), nowMs, { group: random() < 0.5 ? 16 : 400, bytes: Math.floor(random() * 60) });
        if (scheduler.offer(next)) waiting.push(next);
        else expect(waiting.length, `seed ${seed}`).toBeGreaterThan(0);
      } else if (chance < 0.7 && waiting.length > 0) {
        const [gone] = waiting.splice(Math.floor(random() * waiting.length), 1);
        expect(scheduler.remove(gone!), `seed ${seed}`).toBe(true);
      } else {
        const batch = scheduler.take(nowMs) ?? [];
        const bytes = batch.reduce((total, each) => total + each.bytes, 0);
        expect(new Set(batch.map(({ group }) => group)).size, `seed ${seed}`).toBeLessThanOrEqual(1);
        expect(batch.length, `seed ${seed}`).toBeLessThanOrEqual(limits.batchItemsMax);
        if (batch.length > 1) expect([bytes <= 100, batch.length * batch[0]!.group <= 1_000], `seed ${seed}`).toEqual([true, true]);
        for (const each of batch) {
          // The oldest of its group that still waits.
          expect(waiting.find(({ group }) => group === each.group), `seed ${seed}`).toBe(each);
          waiting.splice(waiting.indexOf(each), 1);
          seen.push(each);
        }
      }
      expect(scheduler.size(), `seed ${seed}`).toEqual({ items: waiting.length, bytes: waiting.reduce((total, each) => total + each.bytes, 0) });
      const late = waiting.filter(({ enqueuedAtMs }) => nowMs - enqueuedAtMs >= limits.lingerMsMax);
      if (late.length > 0) expect(scheduler.readySinceMs(nowMs), `seed ${seed}`).toBeDefined();
    }
    expect(seen.length, `seed ${seed}`).toBeGreaterThan(0);
    expect(scheduler.drain().length, `seed ${seed}`).toBe(waiting.length);
  }
});
