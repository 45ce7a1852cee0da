import { expect, test } from 'vitest';
import { growthPage, growthTable } from '../../../bench/dbscan/growth-plot.ts';

const growth = [
  { points: 10_000, meanDegree: 98, engineMs: 0.05, kernelMs: 0.06 },
  { points: 100_000, meanDegree: 98.5, engineMs: 0.1, kernelMs: 0.6 },
];

test('the table has a line for every size', () => {
  expect(growthTable(growth).split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['points', 'mean degree', 'engine, ms', 'bare kernel, ms', 'ratio'],
    ['10000', '98.0', '0.0500', '0.0600', '0.833'],
    ['100000', '98.5', '0.100', '0.600', '0.167'],
  ]);
});

test('the page is one file with a point for every value inside its plot', () => {
  const page = growthPage(growth, 'growth');
  expect(page).not.toMatch(/(?:src|href)=/);
  const places = [...page.matchAll(/<circle cx="([^"]+)" cy="([^"]+)"/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
  expect(places).toHaveLength(4);
  for (const [x, y] of places) {
    expect(x).toBeGreaterThanOrEqual(70);
    expect(x).toBeLessThanOrEqual(650);
    expect(y).toBeGreaterThanOrEqual(70);
    expect(y).toBeLessThanOrEqual(370);
  }
  expect(places[3]![1]).toBeLessThan(places[1]![1]);
});
