/** One record may tell thousands of items something; the main loop goes on meanwhile. */
import { expect, it } from 'vitest';
import type { OpenSearch } from '../../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { assignmentsIn, decodeOutputs, define, feature, openWithItems, recordAt } from './fold-harness.ts';

/** Two dense rows, and a chain of two items from one to the other. */
const rowItems = 1_100;
const row = (from: number): readonly (readonly number[])[] => Array.from({ length: rowItems }, (_, index) => [from + (0.7 * index) / rowItems, 0]);
const places = [[1.6, 0], [2.5, 0], ...row(0), ...row(3.4)];

async function turnsWhile(work: Promise<unknown>): Promise<number> {
  let isOver = false;
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work;
  isOver = true;
  return turns;
}

it('the outputs of a split are encoded in several turns of the loop, and are all there', async () => {
  const { partition } = await openWithItems(places);
  const deletion = feature({ item: 'a', origin: places.length, deleted: true });
  const folded = partition.fold([recordAt(places.length + 1, { event: deletion })]);
  const turns = await turnsWhile(folded);
  const told = decodeOutputs((await folded)[0]!);
  expect(told.clusterEvents.map(({ type }) => type)).toEqual(['split']);
  expect(assignmentsIn(told).length).toBeGreaterThanOrEqual(rowItems);
  expect(turns).toBeGreaterThanOrEqual(Math.floor(told.labels.length / 256));
});

it('a window that lets thousands of items go does so in several turns of the loop', async () => {
  const { partition } = await openWithItems(places);
  const folded = partition.fold([recordAt(places.length + 1, { event: define({ version: 2, windowItems: 10 }) })]);
  expect(await turnsWhile(folded)).toBeGreaterThan(6);
  expect(partition.view.collections()).toMatchObject([{ itemCount: 10 }]);
});

it('a partition that is closed within a record closes its searches after it', async () => {
  let isSearchClosed = false;
  let releasedAfter = 0;
  const openSearch: OpenSearch = (dimensions, parameters) => {
    const search = createPlainSearch(dimensions, parameters);
    const release = (point: number): void => {
      if (isSearchClosed) releasedAfter += 1;
      search.release(point);
    };
    return { ...search, release, close: () => ((isSearchClosed = true), search.close()) };
  };
  const { partition } = await openWithItems(places, {}, { openSearch });
  const folded = partition.fold([recordAt(places.length + 1, { event: define({ version: 2, windowItems: 10 }) })]);
  await new Promise((resolve) => setImmediate(resolve));
  await partition.close();
  expect(await folded).toHaveLength(1);
  expect({ isSearchClosed, releasedAfter }).toEqual({ isSearchClosed: true, releasedAfter: 0 });
});
