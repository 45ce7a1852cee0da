/** The kernel's own answers, by plain sums. */
import { expect, test } from 'vitest';
import { openBareKernel } from '../../../bench/dbscan/bare-kernel.ts';
import { seededRandom } from '../../../src/core/seeded-random.ts';

const [count, dimensions, eps] = [300, 16, 0.4];
const points = unitRows(seededRandom(4));

function unitRows(random: () => number): Float32Array {
  const rows = new Float32Array(count * dimensions);
  for (let row = 0; row < count; row += 1) {
    const own = rows.subarray(row * dimensions, (row + 1) * dimensions);
    own.forEach((_, axis) => (own[axis] = random() - 0.4));
    const norm = Math.hypot(...own);
    own.forEach((value, axis) => (own[axis] = value / norm));
  }
  return rows;
}

function distance(left: number, right: number): number {
  let product = 0;
  for (let axis = 0; axis < dimensions; axis += 1) product += points[left * dimensions + axis]! * points[right * dimensions + axis]!;
  return 1 - product;
}

const near = (query: number, rows: number): number[] => Array.from({ length: rows }, (_, row) => row).filter((row) => distance(query, row) <= eps);

test('neighbours are those of plain sums, of the rows asked for alone', async () => {
  const kernel = await openBareKernel(points, dimensions, 1);
  const queries = [0, 17, 250, 299];
  const found = await kernel.neighbours(queries, 251, eps);
  expect(found.map((rows) => rows.toSorted((one, other) => one - other))).toEqual(queries.map((query) => near(query, 251)));
});

test('a search finds every pair of a batch with the rows before its end; with 8 bits a few more', async () => {
  const kernel = await openBareKernel(points, dimensions, 1);
  const expected = [200, 264].flatMap((end) => Array.from({ length: 64 }, (_, offset) => near(end - 64 + offset, end).length)).reduce((sum, hits) => sum + hits, 0);
  const search = (form: 'float32' | 'scanned' | 'int8' | 'uint8') => kernel.search(136, 264, eps, { form, batch: 64, chunk: 100 });
  expect(await search('float32')).toBe(expected);
  expect(await search('scanned')).toBe(expected);
  const candidates = await search('int8');
  expect(candidates).toBeGreaterThanOrEqual(expected);
  expect(candidates).toBeLessThan(1.3 * expected);
  expect(await search('uint8')).toBe(candidates);
});

test('trials try every form, batch and chunk, and give the fastest first', async () => {
  const kernel = await openBareKernel(points, dimensions, 1);
  const trials = await kernel.trials(200, eps, [64, 128, 256]);
  expect(new Set(trials.map(({ form, batch, chunk }) => `${form} ${batch} ${chunk}`)).size).toBe(4 * 2 * 3);
  expect(trials.map(({ msPerQuery }) => msPerQuery)).toEqual(trials.map(({ msPerQuery }) => msPerQuery).toSorted((one, other) => one - other));
});
