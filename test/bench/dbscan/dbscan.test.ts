/** Every case once at sizes of a few hundred points: that they run, that both sides agree, and what they tell. Speeds are not looked at. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BenchOutcome } from '../../../bench/bench.ts';
import { dbscan } from '../../../bench/dbscan.ts';

const timeout = 300_000;

function run(only: readonly string[], plot?: string): Promise<BenchOutcome> {
  return dbscan(() => undefined, { only, scale: 0.003, pairCount: 1, plot });
}

test('the engine and the bare kernel find the same, on hard points and in five dimensions', { timeout }, async () => {
  const { ratios, sides, figures } = await run(['toBareKernel.hard512', 'toBareKernel.clustered5']);
  expect(Object.keys(ratios)).toEqual(['toBareKernel.hard512', 'toBareKernel.clustered5']);
  for (const { median } of Object.values(ratios)) expect(median).toBeGreaterThan(0);
  expect(sides.map(({ items }) => items)).toEqual(sides.map(() => 64));
  expect(figures['toBareKernel.clustered5']).toMatchObject({ points: 3_000, dimensions: 5, data: 'clustered' });
  expect(figures['scale']).toMatch('nothing here answers');
});

test('deletes take turns with inserts, and a chain falls apart bridge by bridge', { timeout }, async () => {
  const { ratios, figures } = await run(['deletes.hard512', 'deletes.bridges']);
  expect(Object.keys(ratios)).toEqual(['deletes.hard512.random', 'deletes.hard512.oldest']);
  expect(figures['deletes.bridges']).toMatchObject({ bridges: 3, foldMs: { wall: { count: 3 } } });
});

test('memory, restore and growth are told, and the plot is there', { timeout }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'labelstream-plot-'));
  const plot = join(directory, 'growth.html');
  const { figures } = await run(['memory.clustered64', 'growth'], plot);
  expect(figures['memory.clustered64']).toMatchObject({ points: 576, dimensions: 64, restore: { all: [{}, {}, {}] } });
  // Three of the sizes are too small to be told apart here.
  expect(figures['growth']).toMatchObject([{ points: 256 }, { points: 300 }]);
  expect(figures['growthPlot']).toBe(plot);
  expect(await readFile(plot, 'utf8')).toMatch('<svg');
  await rm(directory, { recursive: true });
});

test('a plot that nobody asked for is not made', { timeout }, async () => {
  const { figures } = await run(['growth']);
  expect(figures['growth']).toHaveLength(2);
  expect(figures).not.toHaveProperty('growthPlot');
});

test('peers are compared where there are any, and missed loudly where not', { timeout }, async () => {
  const told: string[] = [];
  const { ratios, figures } = await dbscan((message) => told.push(message), { only: ['ratioToSklearn'], scale: 0.003, pairCount: 1, plot: undefined });
  if (String(figures['peers']).startsWith('not measured')) {
    expect(told.join('\n')).toMatch('NOT MEASURED');
    expect(ratios).toEqual({});
  } else expect(figures['ratioToSklearn']).toMatchObject({ corePartition: { clustersAcross: 0 } });
});

test('a case that is not there is refused with the names of those that are', async () => {
  await expect(run(['toBareKernal'])).rejects.toThrow('toBareKernel.hard512');
});
