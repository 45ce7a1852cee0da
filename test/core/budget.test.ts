import { expect, test } from 'vitest';
import { createBudget } from '../../src/core/budget.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is asked for is given in order, as long as there is room; what is larger than the whole is given alone', async () => {
  const budget = createBudget(100);
  const given = new Map<string, () => void>();
  const take = (name: string, amount: number): void => void budget.take(amount).then((giveBack) => given.set(name, giveBack));
  const giveBack = async (name: string): Promise<string[]> => {
    given.get(name)?.();
    await settled();
    return [...given.keys()];
  };
  for (const [name, amount] of [['a', 60], ['b', 40], ['c', 30], ['small', 1], ['huge', 500], ['last', 10]] as const) take(name, amount);
  expect(await giveBack('nobody')).toEqual(['a', 'b']);
  expect(await giveBack('b')).toEqual(['a', 'b', 'c', 'small']);
  expect(await giveBack('b')).toHaveLength(4);
  expect(await giveBack('a')).toHaveLength(4);
  expect(await giveBack('c')).toHaveLength(4);
  expect((await giveBack('small')).at(-1)).toBe('huge');
  expect((await giveBack('huge')).at(-1)).toBe('last');
});

test('who is no longer interested leaves the queue, and what waited behind is given', async () => {
  const budget = createBudget(10);
  const first = await budget.take(5);
  const abort = new AbortController();
  const large = budget.take(10, abort.signal);
  const small = budget.take(5);
  abort.abort(new Error('stopped'));
  await expect(large).rejects.toThrow('stopped');
  first();
  (await small)();
  await expect(budget.take(1, abort.signal)).rejects.toThrow('stopped');
});
