import { expect, test } from 'vitest';
import { leastBytesOf } from '../../../bench/dbscan/memory.ts';
import { percentile, spreadOf } from '../../../bench/dbscan/statistics.ts';

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

test('a percentile is the smallest value that the share does not exceed', () => {
  expect([0, 0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([1, 50, 99, 100]);
  expect(percentile([3], 0.99)).toBe(3);
});

test('a spread holds count, mean, median, 99th percentile and maximum', () => {
  expect(spreadOf(hundred)).toEqual({ count: 100, mean: 50.5, p50: 50, p99: 99, max: 100 });
});

test('the least memory is four bytes a component and eight an edge', () => {
  expect(leastBytesOf(1_000, 64, 100)).toBe(1_000 * 64 * 4 + 50_000 * 8);
});
