/** Vectors that are loaded, in portions of any size, against the same vectors stored one by one. */
import { expect, test } from 'vitest';
import { createNeighbourSearch, type SearchOptions } from '../../../src/clustering/search/fast-search.ts';
import { createRandom, type Random } from '../random.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_261_121);
const parameters = { metric: 'euclidean', eps: 4, minPoints: 3 } as const;

/** Most lie near others; some have norms that float32 kernels cannot be trusted with, which are kept apart, and some are zero. */
function vectorAt(random: Random, dimensions: number): Float32Array {
  const scale = random.chance(0.01) ? random.pick([1e-30, 1e25, 0]) : 1;
  const centre = random.below(40);
  return Float32Array.from({ length: dimensions }, (_, index) => scale * ((index % 40 === centre ? 20 : 0) + random.gaussian() * 0.4));
}

const cases: readonly (readonly [SearchOptions, dimensions: number, count: number])[] = [
  // More than two blocks of rows.
  [{}, 64, 5_003],
  [{ kernel: 'flat' }, 33, 2_300],
  [{ kernel: 'flat-int8' }, 130, 2_300],
  // More than the scratch holds at a time, and rows too long for it.
  [{ kernel: 'flat' }, 1_030, 300],
  [{ kernel: 'flat' }, 9_001, 30],
  [{ kernel: 'cells' }, 40, 2_300],
  [{ kernel: 'tree' }, 3, 500],
  [{}, 64, 7],
];

test.each(cases)(`loaded %o, %d dimensions, %d vectors: as if each had been stored (seed ${seed})`, async (options, dimensions, count) => {
  const random = createRandom(seed + dimensions + count);
  const vectors = Array.from({ length: count }, () => vectorAt(random, dimensions));
  const loaded = createNeighbourSearch(dimensions, parameters, options);
  const stored = createNeighbourSearch(dimensions, parameters, options);
  for (let start = 0; start < count;) {
    const portion = vectors.slice(start, start + random.pick([1, 2, 3, 4, 5, 127, 130]));
    // Overwritten as soon as it is loaded.
    const rows = new Float32Array(portion.length * dimensions);
    for (const [index, vector] of portion.entries()) rows.set(vector, index * dimensions);
    loaded.load(rows);
    rows.fill(Number.NaN);
    start += portion.length;
  }
  for (const vector of vectors) stored.load(vector);
  const everything = Int32Array.from(vectors.keys());
  for (const [point, vector] of vectors.entries()) {
    expect(Buffer.from(loaded.vector(point).slice().buffer).equals(Buffer.from(vector.buffer)), `point ${point}`).toBe(true);
    expect(Object.is(loaded.norm(point), stored.norm(point)), `point ${point}`).toBe(true);
    if (point % 50 === 0) expect(loaded.alike(point, everything)).toEqual(stored.alike(point, everything));
  }
  expect(loaded.statistics()).toEqual(stored.statistics());
  for (let round = 0; round < 30; round += 1) {
    const query = random.pick(vectors);
    expect((await loaded.find(query)).toSorted()).toEqual((await stored.find(query)).toSorted());
    // What is prepared from here on goes where it would have gone.
    const vector = vectorAt(random, dimensions);
    const [found, wanted] = [loaded.prepareNow(vector), stored.prepareNow(vector)];
    expect(found.point).toBe(wanted.point);
    expect(found.near.toSorted()).toEqual(wanted.near.toSorted());
    if (round < count && random.chance(0.5)) for (const search of [loaded, stored]) search.release(round);
  }
  await Promise.all([loaded.close(), stored.close()]);
});
