/** Whole queues of several models on a simulated machine: items come, models come and go, and the time is the test's. */
import { expect, test } from 'vitest';
import type { Random } from '../../src/core/clock.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createBatchOrder } from '../../src/models/batch-order.ts';
import { priorities, type Priority } from '../../src/models/model-port.ts';
import { createQueues, createServedModel, type Item, type Lifecycle, type ServedModel, type Traits } from '../../src/models/served-model.ts';
import type { PoolBatch } from '../../src/models/worker-pool.ts';

const lingerMsMax = 5;
const batchItemsMax = 4;
const batchMsMax = 40;
const traits: Traits = {
  tasks: ['text-features'],
  input: 'text',
  inputFields: [],
  description: { name: 'm', model: 'm', task: 'text-features', version: '1.0.0', labels: [], dimensions: 1, reproducible: true },
  limits: { batchItemsMax, batchBytesMax: 1_000, paddedCostMax: 16_384, lingerMsMax, queueItemsMax: 100_000, queueBytesMax: 1_000_000 },
  inWorkItemsMax: Number.POSITIVE_INFINITY, itemBytesMax: 1_000,
  estimateLength: () => 16,
};
const ready: Lifecycle = { state: 'ready', instance: { key: 'm#1', memoryBytes: 1 } };

type Offered = { readonly model: string; readonly item: Item };

function newItem(random: Random, priority: Priority, enqueuedAtMs: number): Item {
  return { group: random() < 0.5 ? 16 : 64, bytes: 1, enqueuedAtMs, input: { kind: 'text', text: '' }, priority, settle: () => undefined };
}

const hasReady = ({ lifecycle, queues, draining }: ServedModel, elapsedMs: number): boolean => {
  if (lifecycle.state === 'ready') return priorities.some((priority) => queues[priority].readySinceMs(elapsedMs) !== undefined);
  return lifecycle.state === 'unloading' && draining !== undefined && priorities.some((priority) => draining[priority].size().items > 0);
};

/** A model begins to unload, or is back. What comes meanwhile waits. */
function turnOver(of: ServedModel): void {
  if (of.lifecycle.state === 'ready') {
    of.draining = of.queues;
    of.queues = createQueues(of.traits.limits);
    of.lifecycle = { state: 'unloading', instance: { key: 'm#1', memoryBytes: 1 } };
  } else if (of.draining !== undefined && of.runningItems === 0 && priorities.every((priority) => of.draining?.[priority].size().items === 0)) {
    of.draining = undefined;
    of.lifecycle = { state: 'loading' };
  } else if (of.lifecycle.state === 'loading') of.lifecycle = ready;
}

const seeds = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 400 : 40;

test('any history of items and models: every item is taken once, in its order, with its like, and a free worker waits for nothing that is ready', () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seededRandom(seed);
    const workers = 1 + Math.floor(random() * 3);
    const served = new Map<string, ServedModel>(Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => [`m${index}`, createServedModel({ name: `m${index}`, directory: '' }, traits, ready)] as const));
    const order = createBatchOrder(served, 0.05 + 0.9 * random());
    const offered: Offered[] = [];
    const taken = new Map<Item, string>();
    const running: { readonly endMs: number; readonly tookMs: number; readonly batch: PoolBatch<Item> }[] = [];
    let nowMs = 0;
    const work = (): void => {
      while (running.length < workers) {
        const isSomethingReady = [...served.values()].some((of) => hasReady(of, nowMs));
        const batch = order.next(nowMs);
        if ((batch !== undefined) !== isSomethingReady) expect.fail(`seed ${seed}: a worker is free, and ${isSomethingReady ? 'a' : 'no'} batch is ready`);
        if (batch === undefined) break;
        expect(['ready', 'unloading'], `seed ${seed}`).toContain(served.get(batch.model)?.lifecycle.state);
        expect(batch.items.length, `seed ${seed}`).toBeGreaterThan(0);
        expect(new Set(batch.items.map(({ priority, group }) => `${priority} ${group}`)).size, `seed ${seed}`).toBe(1);
        for (const item of batch.items) {
          if (taken.has(item)) expect.fail(`seed ${seed}: taken twice`);
          taken.set(item, batch.model);
        }
        const tookMs = 1 + random() * (batchMsMax - 1);
        running.push({ endMs: nowMs + tookMs, tookMs, batch });
      }
      for (const ended of running.filter(({ endMs }) => endMs <= nowMs)) {
        running.splice(running.indexOf(ended), 1);
        order.ended(ended.batch, ended.tookMs);
        const of = served.get(ended.batch.model);
        if (of !== undefined) of.runningItems -= ended.batch.items.length;
      }
    };
    for (let step = 0; step < 300; step += 1) {
      nowMs += random() * 10;
      for (const [model, of] of served) {
        for (const priority of priorities) {
          if (random() > 0.15) continue;
          const item = newItem(random, priority, nowMs);
          if (!of.queues[priority].offer(item)) expect.fail(`seed ${seed}: a queue is full`);
          offered.push({ model, item });
        }
        if (random() < 0.02) turnOver(of);
      }
      work();
    }
    // Without more to come everything is taken: nothing starves behind anything.
    for (let rounds = 0; taken.size < offered.length && rounds < 100_000; rounds += 1) {
      for (const of of served.values()) if (of.lifecycle.state !== 'ready') turnOver(of);
      nowMs += 1;
      work();
    }
    expect(taken.size, `seed ${seed}`).toBe(offered.length);
    expect(offered.filter(({ model, item }) => taken.get(item) !== model), `seed ${seed}`).toEqual([]);
  }
});

test('one who always has work keeps nobody waiting for longer than the shares allow, of another model and of another priority', () => {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seededRandom(seed);
    const share = 0.2 + 0.6 * random();
    const served = new Map(['busy', 'modest'].map((name) => [name, createServedModel({ name, directory: '' }, traits, ready)] as const));
    const order = createBatchOrder(served, share);
    const greedy = priorities[Math.floor(random() * 2)] ?? 'stream';
    const modest = priorities[Math.floor(random() * 2)] ?? 'stream';
    let nowMs = 0;
    let asked: Item | undefined;
    let waitedMsMax = 0;
    let timesServed = 0;
    while (nowMs < 20_000) {
      while (served.get('busy')!.queues[greedy].size().items < 2 * batchItemsMax) served.get('busy')!.queues[greedy].offer({ ...newItem(random, greedy, nowMs), group: 16 });
      if (asked === undefined) {
        asked = newItem(random, modest, nowMs);
        served.get('modest')!.queues[modest].offer(asked);
      }
      const batch = order.next(nowMs)!;
      if (batch.items.includes(asked)) {
        waitedMsMax = Math.max(waitedMsMax, nowMs - asked.enqueuedAtMs);
        timesServed += 1;
        asked = undefined;
      }
      const tookMs = 1 + random() * (batchMsMax - 1);
      nowMs += tookMs;
      order.ended(batch, tookMs);
    }
    expect(timesServed, `seed ${seed}`).toBeGreaterThan(10);
    // It lingers, then its priority and its model have a turn each.
    expect(waitedMsMax, `seed ${seed}: ${modest} beside ${greedy}, share ${share}`).toBeLessThan(lingerMsMax + (4 * batchMsMax) / Math.min(share, 1 - share));
  }
});

test('of a model that may have two items in work, one alone lets another one come, and two that are together wait for each other’s room', () => {
  const few: Traits = { ...traits, limits: { ...traits.limits, batchItemsMax: 2 }, inWorkItemsMax: 2 };
  const served = createServedModel({ name: 'm', directory: '' }, few, ready);
  const order = createBatchOrder(new Map([['m', served]]), 0.5);
  const offer = (atMs: number): void => void served.queues.stream.offer({ ...newItem(() => 0, 'stream', atMs), group: 16 });
  const taken = (atMs: number): number | undefined => order.next(atMs)?.items.length;
  offer(0);
  expect(taken(lingerMsMax)).toBe(1);
  offer(lingerMsMax);
  expect(taken(lingerMsMax)).toBeUndefined();
  // One is in work, and there is room for one more: that it lingered is all that it waits for.
  expect(order.dueAtMs()).toBe(2 * lingerMsMax);
  expect(taken(2 * lingerMsMax)).toBe(1);
  expect([taken(100), order.dueAtMs()]).toEqual([undefined, undefined]);
  offer(100);
  offer(100);
  served.runningItems = 1;
  // Two that fill a batch are not torn apart, which would leave batches of one for ever; nothing is due before there is room.
  expect([taken(100), order.dueAtMs()]).toEqual([undefined, undefined]);
  served.runningItems = 0;
  expect(taken(100)).toBe(2);
});
