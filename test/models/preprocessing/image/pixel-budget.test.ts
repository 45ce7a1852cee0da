import { expect, test } from 'vitest';
import { createPixelBudget } from '../../../../src/models/preprocessing/image/pixel-budget.ts';

test('work begins in order, within the budget; a failure gives its part back', async () => {
  const budget = createPixelBudget(100);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string, pixels: number): Promise<string> =>
    budget.spend(pixels, () => {
      begun.push(name);
      return new Promise((resolve, reject) => ends.set(name, () => (name === 'bad' ? reject(new Error(name)) : resolve(name))));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const all = Promise.allSettled([start('a', 60), start('bad', 40), start('b', 30), start('small', 1), start('huge', 500), start('c', 10)]);
  await end('nobody');
  expect(begun).toEqual(['a', 'bad']);
  await end('bad');
  expect(begun).toEqual(['a', 'bad', 'b', 'small']);
  await end('a');
  await end('b');
  expect(begun).toHaveLength(4);
  await end('small');
  expect(begun.at(-1)).toBe('huge');
  await end('huge');
  await end('c');
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
});
