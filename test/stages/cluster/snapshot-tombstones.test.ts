/** Hundreds of thousands of tombstones in a snapshot: read as they were, a few at a time, whatever is buried and let go of meanwhile. */
import { expect, it } from 'vitest';
import { openTombstones } from '../../../src/stages/cluster/snapshot-tombstones.ts';
import { snapshotState } from '../../../src/stages/cluster/snapshot.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { createTombstoneScope, type InputPosition } from '../../../src/stages/cluster/tombstone-scope.ts';
import { bury, pruneTombstones, type Tombstones } from '../../../src/stages/cluster/tombstones.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import { features } from './fold-harness.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_260_201);
const position = (sequence: number): InputPosition => ({ incarnation: 'text-1', partition: 0, sequence: BigInt(sequence) });

it('are made as they are asked for, not all of them in the turn of the first', () => {
  const state = emptyState(features);
  const scope = createTombstoneScope();
  let read = 0;
  class CountedMap extends Map<string, InputPosition> {
    override [Symbol.iterator](): MapIterator<[string, InputPosition]> {
      read += 1;
      return super[Symbol.iterator]();
    }
  }
  for (let index = 0; index < 5_000; index++) scope.set(`${9_999 - index}`, { setAtMs: index, through: new CountedMap([['text-1\n0', position(index)]]) });
  state.tombstones.set('texts', scope);
  const snapshot = snapshotState(state);
  expect(read).toBe(0);
  snapshot.next();
  snapshot.next();
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(1_024);
  expect([...snapshot].length).toBeGreaterThan(5);
  expect(read).toBe(5_000);
});

it(`are those of the moment of the question, in order, whatever comes and goes while they are read; seed ${seed}`, () => {
  let overtaken = 0;
  for (let round = 0; round < 10; round++) {
    const random = seededRandom(seed + round);
    const tombstones: Tombstones = new Map();
    const texts = (): string[] => Array.from(openTombstones(tombstones).stored, (each) => JSON.stringify(each));
    let timeMs = 0;
    const change = (): void => {
      timeMs += random.below(2);
      bury(tombstones, random.pick([null, 'texts', 'images']), `hash ${random.below(400)}`, [position(timeMs)], timeMs);
      if (random.below(20) === 0) pruneTombstones(tombstones, () => BigInt(20 + random.below(400)), timeMs);
    };
    for (let reading = 0; reading < 20; reading++) {
      for (let count = random.below(400); count > 0; count--) change();
      const wanted = texts();
      // One that nobody reads, and one that is given up, are in nobody's way.
      const givenUp = openTombstones(tombstones);
      const found: string[] = [];
      for (const each of openTombstones(tombstones).stored) {
        found.push(JSON.stringify(each));
        for (let count = random.below(4); count > 0; count--) change();
        if (random.below(100) === 0) givenUp.close();
      }
      expect(found, `seed ${seed + round}, reading ${reading}`).toEqual(wanted);
      overtaken += texts().join() === wanted.join() ? 0 : 1;
    }
  }
  expect(overtaken).toBeGreaterThan(150);
});
