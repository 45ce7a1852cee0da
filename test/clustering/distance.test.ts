import { describe, expect, test } from 'vitest';
import { checkVector, distanceFor, nearnessFor, normOf, vectorBytes, vectorFromBytes, type Point } from '../../src/clustering/distance.ts';
import { createRandom, nextDouble } from './random.ts';
import { seed } from './run-scenario.ts';

const point = (...values: number[]): Point => {
  const vector = Float32Array.from(values);
  return { vector, norm: normOf(vector) };
};
const near = (metric: 'cosine' | 'euclidean', eps: number, left: Point, right: Point): boolean =>
  nearnessFor({ metric, eps, minPoints: 1 })(left, right);

describe('checkVector', () => {
  test.each([
    [Float32Array.of(1, 2), 2, 'cosine', undefined],
    [Float32Array.of(1, 2), 3, 'euclidean', 'has 2 dimensions instead of 3'],
    [Float32Array.of(1, Number.NaN), 2, 'euclidean', 'holds NaN at index 1'],
    [Float32Array.of(-Infinity, 1), 2, 'cosine', 'holds -Infinity at index 0'],
    [Float32Array.of(0, -0), 2, 'cosine', 'is zero, so it has no direction for the metric cosine'],
    [Float32Array.of(0, 0), 2, 'euclidean', undefined],
    [Float32Array.of(1e25, -1e25), 2, 'cosine', undefined],
    [Float32Array.of(1e-45, 0), 2, 'cosine', undefined],
    [new Float32Array(7).fill(3.4028234663852886e38), 7, 'cosine', undefined],
    [Float32Array.of(0, 0, 0, 0, 0, 0, 1e-45), 7, 'cosine', undefined],
    [Float32Array.of(1, 2, 3, 4, 5, 6, Infinity), 7, 'cosine', 'holds Infinity at index 6'],
    [Float32Array.of(1, 2, 3, Number.NaN, Infinity, 6, 7), 7, 'euclidean', 'holds NaN at index 3'],
    [new Float32Array(9), 9, 'cosine', 'is zero, so it has no direction for the metric cosine'],
  ] as const)('%o with %d dimensions under %s: %s', (vector, dimensions, metric, expected) => {
    expect(checkVector(vector, dimensions, metric)).toBe(expected);
  });
});

describe('distance', () => {
  test('the largest and the smallest float32 values neither overflow nor vanish', () => {
    const largest = 3.4028234663852886e38;
    expect(near('cosine', 1e-9, point(largest, largest), point(1, 1))).toBe(true);
    expect(near('cosine', 0.5, point(largest, 0), point(0, largest))).toBe(false);
    expect(near('cosine', 1e-9, point(1e-45, 0), point(largest, 0))).toBe(true);
    expect(near('euclidean', 1e38, point(largest), point(-largest))).toBe(false);
    expect(near('euclidean', 1e39, point(largest), point(-largest))).toBe(true);
    expect(near('euclidean', 1e-46, point(1e-45), point(0))).toBe(false);
  });

  test('identical bytes are at distance 0 although rounding says otherwise', () => {
    const random = createRandom(seed);
    let rounded = 0;
    for (let run = 0; run < 500; run++) {
      const here = point(...Array.from({ length: 8 }, random.gaussian));
      const dot = here.vector.reduce((sum, value) => sum + value * value, 0);
      if (1 - dot / (here.norm * here.norm) !== 0) rounded++;
      expect(distanceFor('cosine')(here, point(...here.vector))).toBe(0);
      expect(near('cosine', 0, here, point(...here.vector))).toBe(true);
    }
    expect(rounded).toBeGreaterThan(0);
  });

  test('is symmetric to the last bit, and eps decides to the last bit', () => {
    const random = createRandom(seed + 1);
    for (const metric of ['cosine', 'euclidean'] as const) {
      for (let run = 0; run < 500; run++) {
        const dimensions = random.pick([2, 17, 64]);
        const [left, right] = [0, 1].map(() => point(...Array.from({ length: dimensions }, random.gaussian))) as [Point, Point];
        const distance = distanceFor(metric)(left, right);
        expect(distanceFor(metric)(right, left)).toBe(distance);
        const limits = metric === 'cosine' ? [nextDouble(distance, -1), distance, nextDouble(distance, 1)] : epsAround(distance);
        for (const eps of limits) {
          const expected = distance <= (metric === 'cosine' ? eps : eps * eps);
          expect(near(metric, eps, left, right)).toBe(expected);
          expect(near(metric, eps, right, left)).toBe(expected);
        }
      }
    }
  });

  test('a vector without direction, left over from another metric, is near nothing but its own bytes', () => {
    expect(near('cosine', 2, point(0, 0), point(1, 0))).toBe(false);
    expect(near('cosine', 2, point(0, 0), point(0, 0))).toBe(true);
  });

  test('the stored form is float32 little-endian', () => {
    expect(vectorBytes(Float32Array.of(1, -2)).toString('hex')).toBe('0000803f000000c0');
    expect(vectorFromBytes(Buffer.from('xx0000803f000000c0'.slice(2), 'hex'))).toEqual(Float32Array.of(1, -2));
  });
});

function epsAround(squared: number): number[] {
  const eps = Math.sqrt(squared);
  return [nextDouble(eps, -1), eps, nextDouble(eps, 1)];
}
