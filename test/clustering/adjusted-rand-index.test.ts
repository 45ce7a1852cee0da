// Values of scikit-learn 1.9.1.
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { adjustedRandIndex } from './adjusted-rand-index.ts';

test.each([
  [[0, 0, 1, 1], [1, 1, 0, 0], 1],
  [[0, 0, 1, 2], [0, 0, 1, 1], 0.5714285714285714],
  [[0, 0, 0, 0], [0, 1, 2, 3], 0],
  [[0, 0, 1, 1], [0, 1, 0, 1], -0.5],
  [[-1, -1, 0, 0, 1, 1, 1], [0, 1, 0, 0, 1, 1, 2], 0.14035087719298245],
  [[], [], 1],
  [[3], [5], 1],
])('%j against %j', (left, right, expected) => {
  expect(adjustedRandIndex(left, right)).toBeCloseTo(expected, 12);
  expect(adjustedRandIndex(right, left)).toBeCloseTo(expected, 12);
});

test('chance is about 0', () => {
  const random = seededRandom(1);
  const labels = (): number[] => Array.from({ length: 5000 }, () => Math.floor(random() * 20));
  expect(Math.abs(adjustedRandIndex(labels(), labels()))).toBeLessThan(0.005);
});
