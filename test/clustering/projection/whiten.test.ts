// `whiten` against numpy (scripts/golden_projection.py), and what is refused.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectionKind, projectionKinds } from '../../../src/clustering/projection/kinds.ts';
import type { FittedProjection, ProjectionArtefact } from '../../../src/clustering/projection/projection.ts';
import { symmetricEigenpairs } from '../../../src/clustering/projection/symmetric-eigen.ts';
import { whiten } from '../../../src/clustering/projection/whiten.ts';
import { atOnce, inSlices } from '../../../src/clustering/sliced-work.ts';
import { seededRandom, shuffled } from '../../../src/core/seeded-random.ts';

type Golden = {
  readonly name: string;
  readonly sample: readonly number[][];
  readonly vectors: readonly number[][];
  readonly mean: readonly number[];
  readonly variances: readonly number[];
  readonly transform: readonly number[][];
  readonly images: readonly number[][];
};

const golden = JSON.parse(await readFile(join(import.meta.dirname, 'whiten.golden.json'), 'utf8')) as readonly Golden[];
const float32 = (rows: readonly (readonly number[])[]): Float32Array[] => rows.map((row) => Float32Array.from(row));
const arraysOf = ({ arrays }: ProjectionArtefact): Map<string, Float64Array> => new Map(arrays.map(({ name, values }) => [name, values]));
const fit = (sample: readonly Float32Array[], dimensions: number): ProjectionArtefact => atOnce(whiten.fit(sample, dimensions));

function largestDifference(left: ArrayLike<number>, right: ArrayLike<number>): number {
  expect(left.length).toBe(right.length);
  return Array.from(left, (value, index) => Math.abs(value - right[index]!)).reduce((one, other) => Math.max(one, other), 0);
}

/** Correlated, with a mean. */
function randomSample(seed: number, count: number, dimensions: number): Float32Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const [one, other] = [random() - 0.5, random() - 0.5];
    return Float32Array.from({ length: dimensions }, (_, index) => 2 + one * (index + 1) + other * Math.sin(index) + 0.3 * (random() - 0.5));
  });
}

test.each(golden)('numpy fits the same: $name', ({ sample, vectors, mean, variances, transform, images }) => {
  const artefact = fit(float32(sample), variances.length);
  const fitted = arraysOf(artefact);
  expect(largestDifference(fitted.get('mean')!, mean)).toBeLessThan(1e-12);
  const scale = variances[0]!;
  expect(largestDifference(fitted.get('variances')!, variances) / scale).toBeLessThan(1e-13);
  const largest = Math.max(...transform.flat().map(Math.abs));
  expect(largestDifference(fitted.get('transform')!, transform.flat()) / largest).toBeLessThan(1e-9);
  const projection = whiten.open(artefact);
  for (const [index, vector] of float32(vectors).entries()) expect(largestDifference(projection.apply(vector), images[index]!)).toBeLessThan(1e-6);
});

test('eigenpairs of matrices of every small size hold to the last bits, clusters of equal values and zero rows included', () => {
  const random = seededRandom(11);
  for (let n = 1; n <= 40; n++) {
    const factor = Array.from({ length: n }, (_, row) => Array.from({ length: n }, () => (row % 5 === 4 ? 0 : Math.round(random() * 4) - 2)));
    const matrix = Float64Array.from({ length: n * n }, (_, at) => factor[Math.floor(at / n)]!.reduce((sum, value, index) => sum + value * factor[at % n]![index]!, 0));
    const { values, vectors } = atOnce(symmetricEigenpairs(matrix.slice(), n));
    const scale = Math.max(1, values[0]!);
    expect([...values]).toEqual([...values].sort((left, right) => right - left));
    for (let pair = 0; pair < n; pair++) {
      const vector = vectors.subarray(pair * n, (pair + 1) * n);
      for (let row = 0; row < n; row++) {
        const product = vector.reduce((sum, value, column) => sum + value * matrix[column * n + row]!, 0);
        expect(Math.abs(product - values[pair]! * vector[row]!) / scale, `n ${n}, pair ${pair}`).toBeLessThan(1e-13);
      }
      for (let other = 0; other <= pair; other++) {
        const dot = vector.reduce((sum, value, index) => sum + value * vectors[other * n + index]!, 0);
        expect(Math.abs(dot - (other === pair ? 1 : 0)), `n ${n}, pairs ${pair} and ${other}`).toBeLessThan(1e-13);
      }
    }
  }
});

test('the images of the sample are white: before they are normalised, without mean and without correlation', () => {
  const sample = randomSample(3, 400, 7);
  const artefact = fit(sample, 4);
  const { mean, transform } = Object.fromEntries(arraysOf(artefact)) as { mean: Float64Array; transform: Float64Array };
  const images = sample.map((vector) => Array.from({ length: 4 }, (_, row) => vector.reduce((sum, value, index) => sum + transform[row * 7 + index]! * (value - mean[index]!), 0)));
  for (let row = 0; row < 4; row++) {
    expect(Math.abs(images.reduce((sum, image) => sum + image[row]!, 0))).toBeLessThan(1e-8);
    for (let column = 0; column <= row; column++) {
      const covariance = images.reduce((sum, image) => sum + image[row]! * image[column]!, 0) / (sample.length - 1);
      expect(covariance).toBeCloseTo(row === column ? 1 : 0, 8);
    }
  }
  const projection = whiten.open(artefact);
  for (const vector of sample.slice(0, 20)) expect(Math.hypot(...projection.apply(vector))).toBeCloseTo(1, 6);
});

test('a fit is the same each time, at once or in slices; another order of the sample changes no more than last bits', async () => {
  const sample = randomSample(5, 300, 24);
  const artefact = fit(sample, 3);
  expect(fit(sample, 3)).toEqual(artefact);
  const slices: number[] = [];
  expect(await inSlices(whiten.fit(randomSample(5, 20_000, 24), 3), undefined, (done) => slices.push(done))).toMatchObject({ sampleSize: 20_000 });
  expect(slices.length).toBeGreaterThan(0);
  const other = fit(shuffled(sample, seededRandom(1)), 3);
  for (const [name, values] of arraysOf(artefact)) expect(largestDifference(values, arraysOf(other).get(name)!)).toBeLessThan(1e-9);
  const [one, two] = [whiten.open(artefact), whiten.open(other)];
  for (const vector of sample) expect(largestDifference(one.apply(vector), two.apply(vector))).toBeLessThan(1e-6);
});

test('a fit in slices ends with its signal', async () => {
  const ended = new AbortController();
  const fitting = inSlices(whiten.fit(randomSample(5, 20_000, 24), 3), ended.signal);
  ended.abort(new Error('enough'));
  await expect(fitting).rejects.toThrow('enough');
});

test('values of any size are fitted: 1e25, 1e-30, and all of float32', () => {
  const base = randomSample(8, 100, 6);
  const projectionOf = (factor: number): FittedProjection => whiten.open(fit(base.map((vector) => vector.map((value) => value * factor)), 2));
  const images = base.map((vector) => projectionOf(1).apply(vector)).slice(0, 10);
  for (const factor of [1e25, 1e-30, 1e37]) {
    const projection = projectionOf(factor);
    for (const [index, image] of images.entries()) expect(largestDifference(projection.apply(base[index]!.map((value) => value * factor)), image), String(factor)).toBeLessThan(1e-4);
  }
});

test('what cannot be fitted is refused', () => {
  const sample = randomSample(2, 30, 5);
  const code = (name: string): object => expect.objectContaining({ code: name }) as object;
  const invalid = code('LS_PROJECTION_SAMPLE_INVALID');
  expect(() => fit([], 2)).toThrow(invalid);
  expect(() => fit(sample.slice(0, 2), 2)).toThrow(/need a sample of 3 vectors or more, and there are 2/);
  expect(() => fit(sample, 6)).toThrow(/vectors of 5 dimensions cannot be projected to 6/);
  for (const dimensions of [0, -1, 1.5, Number.NaN]) expect(() => fit(sample, dimensions)).toThrow(invalid);
  expect(() => fit([...sample, new Float32Array(4)], 2)).toThrow(/vector 30 of the sample has 4 dimensions, those before it 5/);
  for (const value of [Number.NaN, Infinity, -Infinity]) expect(() => fit([...sample, Float32Array.of(1, 2, value, 4, 5)], 2)).toThrow(`vector 30 of the sample holds ${value} at index 2`);
  const deficient = code('LS_PROJECTION_RANK_DEFICIENT');
  expect(() => fit(Array.from({ length: 30 }, () => Float32Array.of(1, 2, 3)), 1)).toThrow(deficient);
  // On a plane in five dimensions, up to the rounding of float32.
  const flat = sample.map(([one = 0, other = 0]) => Float32Array.of(one, other, one + other, one - other, 3 * one));
  expect(() => fit(flat, 3)).toThrow(/the 30 vectors of the sample vary in 2 directions, and 3 dimensions are asked for/);
  expect(fit(flat, 2).outputDimensions).toBe(2);
  const line = sample.map(([one = 0]) => Float32Array.of(one, 2 * one, 3 * one));
  expect(() => fit(line, 2)).toThrow(/vary in 1 direction, and 2 dimensions are asked for/);
  // Four distinct vectors, many times each.
  const repeated = Array.from({ length: 40 }, (_, index) => sample[index % 4]!);
  expect(() => fit(repeated, 4)).toThrow(deficient);
  expect(fit(repeated, 3).outputDimensions).toBe(3);
});

test('what has no image is refused, and says why', () => {
  const projection = whiten.open(fit([[1, 0], [-1, 0], [0, 2], [0, -2]].map((vector) => Float32Array.from(vector)), 2));
  expect(Array.from(projection.apply(Float32Array.of(0, 5)))).toEqual([1, 0]);
  const reason = (...values: number[]) => () => projection.apply(Float32Array.from(values));
  expect(reason(1)).toThrow(expect.objectContaining({ code: 'LS_PROJECTION_VECTOR_INVALID', message: 'the vector has 1 dimensions instead of 2' }) as object);
  expect(reason(1, Number.NaN)).toThrow('the vector holds NaN at index 1');
  expect(reason(Infinity, 0)).toThrow('the vector holds Infinity at index 0');
  expect(reason(0, 0)).toThrow('is the mean of the sample');
  expect(reason(3.4e38, -3.4e38)).not.toThrow();
});

test('kinds are known by name', () => {
  expect(projectionKinds).toEqual(['whiten']);
  expect(projectionKind('whiten')).toBe(whiten);
  expect(() => projectionKind('umap')).toThrow(expect.objectContaining({ code: 'LS_PROJECTION_KIND_UNKNOWN', message: 'there is no projection of kind "umap"; there are: whiten' }) as object);
});
