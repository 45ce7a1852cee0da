import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/seeded-random.ts';
import { candidatesMax, overlap, suppressed, surest, type Corners, type Scored } from '../../../src/models/boxes/suppression.ts';

const box = (score: number, corners: Corners, label = 'a'): Scored => ({ label, score, corners });

describe('overlap', () => {
  test.each<[string, Corners, Corners, number]>([
    ['one box with itself', [1, 2, 4, 8], [1, 2, 4, 8], 1],
    ['a half in the other', [0, 0, 2, 2], [1, 0, 3, 2], 1 / 3],
    ['one within the other', [0, 0, 4, 4], [1, 1, 3, 3], 0.25],
    ['a common edge', [0, 0, 2, 2], [2, 0, 4, 2], 0],
    ['far away', [0, 0, 1, 1], [5, 5, 6, 6], 0],
    ['two empty ones', [1, 1, 1, 1], [1, 1, 1, 1], 0],
    ['corners the wrong way round', [4, 4, 0, 0], [0, 0, 4, 4], 0],
  ])('of %s', (_, left, right, expected) => {
    expect(overlap(left, right)).toBeCloseTo(expected, 12);
    expect(overlap(right, left)).toBe(overlap(left, right));
  });
});

test('what is not above the score is left out; equal ones keep their order', () => {
  const boxes = [0.5, 0.25, 0.9, 0.5].map((score, index) => ({ score, index }));
  expect(surest(boxes, 0.25).map(({ index }) => index)).toEqual([2, 0, 3]);
});

describe('of boxes that overlap', () => {
  const crowd = [box(0.9, [0, 0, 4, 4]), box(0.8, [0, 0, 4, 3]), box(0.7, [0, 0, 4, 4], 'b'), box(0.6, [10, 0, 14, 4])];

  test('only the surest of each label is told', () => {
    expect(suppressed(crowd, { overlapMax: 0.5, boxesMax: undefined })).toEqual([crowd[0], crowd[2], crowd[3]]);
  });

  test('one that shares just as much as is allowed is told', () => {
    expect(overlap(crowd[0]!.corners, crowd[1]!.corners)).toBe(0.75);
    expect(suppressed(crowd, { overlapMax: 0.75, boxesMax: undefined })).toEqual(crowd);
  });

  test('all are told where nothing is said of it', () => {
    expect(suppressed(crowd, { overlapMax: undefined, boxesMax: 3 })).toEqual(crowd.slice(0, 3));
  });

  test('what is left out takes no place', () => {
    expect(suppressed(crowd, { overlapMax: 0.5, boxesMax: 2 })).toEqual([crowd[0], crowd[2]]);
  });
});

/** Greedy, from its definition: a box is told if no surer one that is told covers it. */
function naively(sorted: readonly Scored[], overlapMax: number): Scored[] {
  return sorted.reduce<Scored[]>((told, next) => (told.every(({ label, corners }) => label !== next.label || overlap(corners, next.corners) <= overlapMax) ? [...told, next] : told), []);
}

test.each([1, 2, 3, 4, 5])('as by definition, on random boxes (seed %i)', (seed) => {
  const random = seededRandom(seed);
  const boxes = Array.from({ length: 300 }, () => {
    const [x, y] = [random() * 40, random() * 40];
    // Scores that often are equal.
    return box(Math.floor(random() * 50) / 50, [x, y, x + 1 + random() * 12, y + 1 + random() * 12], 'abc'[Math.floor(random() * 3)]);
  });
  for (const overlapMax of [0, 0.3, 0.7, 1]) {
    const sorted = surest(boxes, 0.1);
    expect(suppressed(sorted, { overlapMax, boxesMax: undefined })).toEqual(naively(sorted, overlapMax));
  }
});

describe('10,000 candidates', () => {
  /** Counts how often corners are looked at. */
  function counted(count: number, cornersOf: (index: number) => Corners): { readonly boxes: Scored[]; readonly looks: () => number } {
    let looks = 0;
    const boxes = Array.from({ length: count }, (_, index): Scored => {
      const corners = cornersOf(index);
      return {
        label: 'a',
        score: 1 - index / count,
        get corners() {
          looks += 1;
          return corners;
        },
      };
    });
    return { boxes, looks: () => looks };
  }

  test('that lie apart: 1,000 are told, and no more than that are compared with each', () => {
    const { boxes, looks } = counted(10_000, (index) => [2 * index, 0, 2 * index + 1, 1]);
    expect(suppressed(boxes, { overlapMax: 0.45, boxesMax: 1_000 })).toEqual(boxes.slice(0, 1_000));
    expect(looks()).toBeLessThan(2 * candidatesMax * 1_000 + 4_000);
  });

  test('in one place: one is told, after one look at each of the surest', () => {
    const { boxes, looks } = counted(10_000, () => [0, 0, 1, 1]);
    const before = looks();
    const told = suppressed(boxes, { overlapMax: 0.45, boxesMax: 1_000 });
    expect(looks() - before).toBeLessThanOrEqual(2 * candidatesMax);
    expect(told).toEqual([boxes[0]]);
  });
});
