/** One record may tell thousands of items something; the main loop goes on meanwhile. */
import { expect, it } from 'vitest';
import { assignmentsIn, decodeOutputs, feature, openWithItems, recordAt } from './fold-harness.ts';

/** Two dense rows, and a chain of two items from one to the other. */
const rowItems = 1_100;
const row = (from: number): readonly (readonly number[])[] => Array.from({ length: rowItems }, (_, index) => [from + (0.7 * index) / rowItems, 0]);
const places = [[1.6, 0], [2.5, 0], ...row(0), ...row(3.4)];

it('the outputs of a split are encoded in several turns of the loop, and are all there', async () => {
  const { partition } = await openWithItems(places);
  let isFolding = true;
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (isFolding) setImmediate(count);
  };
  const deletion = feature({ item: 'a', origin: places.length, deleted: true });
  const folded = partition.fold([recordAt(places.length + 1, { event: deletion })]);
  setImmediate(count);
  const [outputs] = await folded;
  isFolding = false;
  const told = decodeOutputs(outputs!);
  expect(told.clusterEvents.map(({ type }) => type)).toEqual(['split']);
  expect(assignmentsIn(told).length).toBeGreaterThanOrEqual(rowItems);
  expect(turns).toBeGreaterThanOrEqual(Math.floor(told.labels.length / 256));
});
