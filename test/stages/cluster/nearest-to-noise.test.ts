/** How far noise is from everything else, as `clusters show` tells it. */
import { expect, it } from 'vitest';
import { openWithItems } from './fold-harness.ts';

it('tells the nearest item and the nearest core of noise, however far, and of nothing else', async () => {
  // Three cores, noise beyond them, and two items of noise that are nearest to each other.
  const { partition } = await openWithItems([[0, 0], [0.5, 0], [1, 0], [3, 0], [9, 0], [7, 0]]);
  const nearest = (item: string) => partition.view.explain(`test/${item}`, 5)[0]!.nearest;
  expect(nearest('d')).toEqual({ item: { itemId: 'test/c', distance: 2 }, core: { itemId: 'test/c', distance: 2 } });
  expect(nearest('e')).toEqual({ item: { itemId: 'test/f', distance: 2 }, core: { itemId: 'test/c', distance: 8 } });
  expect(nearest('a')).toBeNull();
  expect(partition.view.explain('test/e', 5)[0]).toMatchObject({ role: 'noise', projectionSha256: null });
});

it('tells that there is none', async () => {
  const { partition } = await openWithItems([[0, 0]]);
  expect(partition.view.explain('test/a', 5)[0]!.nearest).toEqual({ item: null, core: null });
});
