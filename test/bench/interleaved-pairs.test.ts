import { expect, test } from 'vitest';
import { interleavedPairs, median, type Side } from '../../bench/interleaved-pairs.ts';

function counted(name: string, calls: string[], output = 'same'): Side<string> {
  return {
    name,
    pass: () => {
      calls.push(name);
      return Promise.resolve({ items: 7, output });
    },
  };
}

/** One pass is a turn. */
const short = { turnSecondsMin: 0 };

test('after a warm-up the sides take turns, and each goes first in half of the pairs', async () => {
  const calls: string[] = [];
  const { ratio, left, right } = await interleavedPairs({ left: counted('L', calls), right: counted('R', calls), pairCount: 4, ...short });
  expect(calls.join('')).toBe('LR' + 'LR' + 'RL' + 'LR' + 'RL');
  expect(ratio.pairs).toHaveLength(4);
  expect(ratio.median).toBe(median(ratio.pairs));
  expect([ratio.min, ratio.max]).toEqual([Math.min(...ratio.pairs), Math.max(...ratio.pairs)]);
  expect([left.items, right.items]).toEqual([28, 28]);
});

test('a turn repeats the work until it is long enough', async () => {
  const calls: string[] = [];
  const turns: number[] = [];
  const report = (_: string, { items, seconds }: { readonly items: number; readonly seconds: number }): void => {
    turns.push(items);
    expect(seconds).toBeGreaterThanOrEqual(0.01);
  };
  await interleavedPairs({ left: counted('L', calls), right: counted('R', calls), pairCount: 1, turnSecondsMin: 0.01, report });
  expect(turns.every((items) => items > 7)).toBe(true);
});

test('sides that do not compute the same are not compared', async () => {
  const difference = (left: string, right: string): string | undefined => (left === right ? undefined : `${left} and ${right}`);
  const pairs = interleavedPairs({ left: counted('L', []), right: counted('R', [], 'other'), difference, ...short });
  await expect(pairs).rejects.toThrow('L and R do not compute the same: same and other');
});

test('the median of an even number of values is between the middle two', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 10])).toBe(3.5);
});
