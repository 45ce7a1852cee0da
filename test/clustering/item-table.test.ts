/** The table of items against a map, and the arena of ids, under whatever comes and goes. */
import { expect, test } from 'vitest';
import { addItem, createItemTable, findItem, itemIdOf, itemTableBytes, liveItems, removeItem } from '../../src/clustering/structure/item-table.ts';
import { createRandom } from './random.ts';
import { isFull, seed } from './run-scenario.ts';

test(`finds what is there and nothing else (seed ${seed})`, () => {
  const random = createRandom(seed);
  const table = createItemTable(() => undefined);
  const expected = new Map<string, number>();
  const idOf = (index: number): string => `${index}${'ä'.repeat(index % 7 === 0 ? index % 400 : index % 3)}`;
  for (let step = 0; step < (isFull ? 300_000 : 30_000); step++) {
    const itemId = idOf(random.below(step % 10_000 < 5000 ? 3000 : 300));
    const known = expected.get(itemId);
    expect(findItem(table, itemId)).toBe(known ?? -1);
    if (known === undefined && random.chance(0.7)) expected.set(itemId, addItem(table, itemId, 5));
    else if (known !== undefined && random.chance(0.5)) {
      removeItem(table, known);
      expected.delete(itemId);
    }
    expect(table.size).toBe(expected.size);
  }
  expect(new Set(expected.values()).size).toBe(expected.size);
  for (const [itemId, item] of expected) expect(itemIdOf(table, item)).toBe(itemId);
  expect([...liveItems(table)].sort((left, right) => left - right)).toEqual([...expected.values()].sort((left, right) => left - right));
});

test('the places of ids that are gone are used again', () => {
  const table = createItemTable(() => undefined);
  const fill = (prefix: string): void => {
    const items = Array.from({ length: 5000 }, (_, index) => addItem(table, `${prefix}${10_000 + index}`, 1));
    for (const item of items) removeItem(table, item);
  };
  fill('a');
  const bytes = itemTableBytes(table);
  for (const prefix of ['b', 'c', 'd']) fill(prefix);
  expect(itemTableBytes(table)).toBe(bytes);
});

test('an id that is there already is refused', () => {
  const table = createItemTable(() => undefined);
  addItem(table, 'a', 1);
  expect(() => addItem(table, 'a', 2)).toThrow(RangeError);
  expect(table.size).toBe(1);
});
