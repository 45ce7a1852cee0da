import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { noHeaders, recordBytes, type ConsumedRecord } from '../../src/core/records.ts';
import { createOffsetTracker, type Tracked } from '../../src/pipeline/offset-tracker.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { integerIn } from './virtual-clock.ts';
import { textRecord } from './stages.ts';

const seedCount = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 5_000 : 60;

function recordAt(sequence: number, bytes = 10): ConsumedRecord {
  return {
    topic: 'in',
    partition: 0,
    incarnation: 'life',
    sequence: BigInt(sequence),
    nextPosition: `after ${sequence}`,
    appendTimeMs: 0,
    key: null,
    value: Buffer.alloc(bytes),
    headers: noHeaders,
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

const output = (text: string) => textRecord({ topic: 'out', partition: 0 }, text);
const everything = { records: Infinity, bytes: Infinity };

describe('the offset tracker', () => {
  it('offers only the finished prefix', () => {
    const tracker = createOffsetTracker();
    const [first, second, third] = [0, 1, 2].map((sequence) => tracker.admit(recordAt(sequence), 0));
    if (first === undefined || second === undefined || third === undefined) throw new RangeError();
    tracker.finish(second, [output('b')], 5);
    tracker.finish(third, [], 6);
    expect(tracker.peek(everything)).toEqual([]);
    expect(tracker.heldSinceMs()).toBe(5);
    expect(tracker.gap()).toBe(2);
    tracker.finish(first, [output('a')], 7);
    expect(tracker.peek(everything)).toEqual([first, second, third]);
    expect(tracker.heldSinceMs()).toBeUndefined();
    expect(tracker.gap()).toBe(0);
    expect(tracker.prefix()).toMatchObject({ inputs: 3, outputs: 3 });
  });

  it('drops a completion of an earlier epoch, and the second of a record', () => {
    const tracker = createOffsetTracker();
    const old = tracker.admit(recordAt(0), 0);
    expect(tracker.reset()).toEqual([old]);
    const now = tracker.admit(recordAt(0), 0);
    expect(tracker.finish(old, [output('stale')], 1)).toBe(false);
    expect(tracker.awaits(old)).toBe(false);
    expect(tracker.peek(everything)).toEqual([]);
    expect(tracker.finish(now, [output('a')], 2)).toBe(true);
    expect(tracker.finish(now, [output('b')], 3)).toBe(false);
    expect(now.outputs).toEqual([output('a')]);
  });

  it('holds nothing of what was released, though nobody asks who is held back', async () => {
    const tracker = createOffsetTracker();
    const released: WeakRef<Tracked>[] = [];
    for (let sequence = 0; sequence < 2_000; sequence += 2) {
      const pair = [tracker.admit(recordAt(sequence), 0), tracker.admit(recordAt(sequence + 1), 0)];
      for (const tracked of pair.reverse()) tracker.finish(tracked, [], 1);
      tracker.release(2);
      released.push(...pair.map((tracked) => new WeakRef(tracked)));
    }
    // What a WeakRef was made of stays until the turn is over.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(released.filter((tracked) => tracked.deref() !== undefined).length).toBeLessThan(10);
    expect(tracker.inFlight()).toEqual({ records: 0, bytes: 0 });
  });

  it('refuses to release what has not finished', () => {
    const tracker = createOffsetTracker();
    tracker.admit(recordAt(0), 0);
    expect(() => tracker.release(1)).toThrow(RangeError);
  });

  it(`equals a naive list, whatever happens (${seedCount} seeds)`, () => {
    for (let seed = 1; seed <= seedCount; seed += 1) compareWithNaive(seed);
  });
});

function compareWithNaive(seed: number): void {
  const random = seededRandom(seed);
  const tracker = createOffsetTracker();
  let naive: Tracked[] = [];
  let sequence = 0;
  for (let step = 1; step <= 120; step += 1) {
    const action = random();
    const unfinished = naive.filter((tracked) => tracked.outputs === undefined);
    const chosen = unfinished[integerIn(random, 0, unfinished.length - 1)];
    if (action < 0.4) naive.push(tracker.admit(recordAt((sequence += integerIn(random, 1, 3)), integerIn(random, 0, 50)), 0));
    else if (action < 0.8 && chosen !== undefined) {
      tracker.finish(chosen, Array.from({ length: integerIn(random, 0, 3) }, (_, index) => output(`${step} ${index}`)), step);
    } else if (action < 0.98) {
      const taken = tracker.peek({ records: integerIn(random, 1, 6), bytes: integerIn(random, 1, 500) });
      expect(taken, `seed ${seed}`).toEqual(naive.slice(0, taken.length));
      tracker.release(taken.length);
      naive = naive.slice(taken.length);
    } else {
      expect(tracker.reset(), `seed ${seed}`).toEqual(naive);
      naive = [];
    }
    const end = naive.findIndex((tracked) => tracked.outputs === undefined);
    const prefix = end < 0 ? naive : naive.slice(0, end);
    const held = naive.slice(prefix.length).filter((tracked) => tracked.outputs !== undefined);
    const size = (tracked: Tracked): number => recordBytes(tracked.record) + (tracked.outputs ?? []).reduce((sum, each) => sum + recordBytes(each), 0);
    expect(
      { ...tracker.inFlight(), gap: tracker.gap(), head: tracker.head(), since: tracker.heldSinceMs(), inputs: tracker.prefix().inputs },
      `seed ${seed}`,
    ).toEqual({
      records: naive.length,
      bytes: naive.reduce((sum, tracked) => sum + size(tracked), 0),
      gap: held.length,
      head: naive[0],
      since: held.length === 0 ? undefined : Math.min(...held.map(({ finishedAtMs }) => finishedAtMs)),
      inputs: prefix.length,
    });
    if (prefix.length > 0) expect(tracker.peek({ records: 1, bytes: 1 }), `seed ${seed}`).toHaveLength(1);
  }
}
