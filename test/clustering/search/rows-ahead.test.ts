/** Memory that is touched ahead of rows that are loaded: what of it, how far ahead, and that it changes nothing. */
import { expect, test } from 'vitest';
import type { ClusteringParameters } from '../../../src/clustering/clustering.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { blockRows } from '../../../src/clustering/search/row-layout.ts';
import { RowStore } from '../../../src/clustering/search/row-store.ts';
import { rowsAhead, touchRange, type MemoryRange } from '../../../src/clustering/search/rows-ahead.ts';
import { createSearchWorkers, type SearchWorkers } from '../../../src/clustering/search/search-workers.ts';
import { sharedMemory } from '../../../src/clustering/search/web-assembly.ts';
import { createRandom } from '../random.ts';

const parameters: ClusteringParameters = { metric: 'euclidean', eps: 5, minPoints: 3 };
const mib = 2 ** 20;

/** Where a row's head begins. */
function placeOf(store: RowStore, row: number): { readonly memory: number; readonly start: number } {
  const { heads, headWidth, segment } = store.blocks[Math.floor(row / blockRows)]!;
  return { memory: segment, start: heads.byteOffset + 4 * (headWidth + 3) * (row % blockRows) };
}

test.each([[3_000, 14_000], [40, 5_000], [700, 1]])('of rows of %d dimensions that are to come, every one of %d is given once, in order, in pieces, at most 64 MiB ahead', (dimensions, count) => {
  const store = new RowStore(dimensions);
  const next = rowsAhead(store, count);
  const given: MemoryRange[] = [];
  const rowBytes = 4 * (dimensions + 3);
  const bytesOf = (ranges: readonly MemoryRange[]): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  const chunk = new Float32Array(64 * dimensions).fill(1);
  for (let stored = 0; stored < count;) {
    const ranges = next(stored);
    given.push(...ranges);
    expect(bytesOf(given) - stored * rowBytes).toBeLessThanOrEqual(64 * mib);
    if (ranges.length > 0 && bytesOf(given) < count * rowBytes) expect(bytesOf(ranges)).toBeGreaterThan(3.9 * mib);
    const rows = Math.min(64, count - stored);
    store.addRows(chunk.subarray(0, rows * dimensions));
    stored += rows;
  }
  expect(next(count)).toEqual([]);
  expect(bytesOf(given)).toBe(count * rowBytes);
  let row = 0;
  for (const { memory, start, end } of given) {
    for (let at = start; at < end; at += rowBytes, row++) {
      const place = placeOf(store, row);
      // So many are compared that the matcher would take seconds.
      if (store.memories[place.memory] !== memory || place.start !== at) expect.fail(`row ${row} lies at ${place.start}, not at ${at}`);
    }
  }
  expect(row).toBe(count);
});

test('a range is touched page by page to its last byte, as far as there is memory, and stays as it is', () => {
  const memory = sharedMemory(4, 4)!;
  const bytes = new Uint8Array(memory.buffer);
  const random = createRandom(5);
  for (let index = 0; index < bytes.length; index++) bytes[index] = random.below(256);
  const before = bytes.slice();
  for (const [start, end] of [[0, bytes.length], [4, 8], [5, 6], [8_000, 8_004], [100, 100], [bytes.length - 4, bytes.length + 70_000]] as const) touchRange({ memory, start, end });
  expect(Buffer.compare(bytes, before)).toBe(0);
});

test('is asked of the workers for many vectors alone, and answers stay those of a plain search while they do it', async () => {
  const workers = createSearchWorkers({ threads: 1 });
  const touched: number[] = [];
  const watched: SearchWorkers = {
    ...workers,
    touch: (ranges) => {
      touched.push(ranges.length);
      workers.touch(ranges);
    },
  };
  const random = createRandom(9);
  const dimensions = 600;
  const loadInto = (search: ReturnType<typeof createPlainSearch>, count: number, seed: number): Float32Array[] => {
    const own = createRandom(seed);
    const vectors = Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, () => own.gaussian() / 7));
    search.expect?.(count);
    for (let start = 0; start < count; start += 100) {
      const rows = vectors.slice(start, start + 100);
      const joined = new Float32Array(rows.length * dimensions);
      for (const [index, row] of rows.entries()) joined.set(row, index * dimensions);
      search.load(joined);
    }
    return vectors;
  };
  const few = createNeighbourSearch(dimensions, parameters, { workers: watched });
  loadInto(few, 20, 1);
  const withoutWorkers = createNeighbourSearch(dimensions, parameters);
  loadInto(withoutWorkers, 300, 1);
  expect(touched).toEqual([]);
  const many = createNeighbourSearch(dimensions, parameters, { workers: watched, workerFrom: 0 });
  const plain = createPlainSearch(dimensions, parameters);
  const vectors = loadInto(many, 2_500, 2);
  loadInto(plain, 2_500, 2);
  expect(touched.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  for (const [point, vector] of vectors.entries()) expect(Buffer.compare(Buffer.from(many.vector(point).slice().buffer), Buffer.from(vector.buffer)), `point ${point}`).toBe(0);
  for (let query = 0; query < 10; query++) {
    const vector = vectors[random.below(vectors.length)]!;
    expect([...(await many.find(vector))].sort()).toEqual([...(await plain.find(vector))].sort());
  }
  for (const search of [few, withoutWorkers, many]) await search.close();
  await workers.close();
  expect(() => workers.touch([])).not.toThrow();
});
