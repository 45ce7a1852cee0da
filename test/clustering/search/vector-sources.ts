/** Vectors that are hard on a range search, of one kind each. */
import type { ClusteringParameters } from '../../../src/clustering/clustering.ts';
import type { Metric } from '../../../src/core/events.generated.ts';
import { nextDouble, type Random } from '../random.ts';

export type VectorSource = {
  readonly name: string;
  readonly dimensions: number;
  readonly parameters: ClusteringParameters;
  /** @param known a vector given before, for one that is to lie near it. */
  readonly next: (random: Random, known: Float32Array | undefined) => Float32Array;
};

const minPoints = 4;

const notZero = (make: () => Float32Array): Float32Array => {
  for (;;) {
    const vector = make();
    if (vector.some((value) => value !== 0)) return vector;
  }
};

const gaussian = (random: Random, dimensions: number): Float32Array => Float32Array.from({ length: dimensions }, () => random.gaussian());

/** Whole coordinates: many pairs at exactly eps, many duplicates. Euclidean at 5 (3, 4, 5) and at its neighbours among the float64. */
function grid(metric: Metric, ulps: -1 | 0 | 1): VectorSource {
  const exact = metric === 'cosine' ? 0.2 : 5;
  const eps = ulps === 0 ? exact : nextDouble(exact, ulps);
  return {
    name: `${metric} grid, eps ${ulps === 0 ? '' : ulps < 0 ? '- 1 ulp' : '+ 1 ulp'}`,
    dimensions: 2,
    parameters: { metric, eps, minPoints },
    next: (random) => notZero(() => Float32Array.of(random.between(-9, 9), random.between(-9, 9))),
  };
}

/** Bumps; some vectors are near copies, duplicates, tiny or huge. */
function bumps(metric: Metric, dimensions: number, eps: number): VectorSource {
  let centres: Float32Array[] | undefined;
  return {
    name: `${metric} bumps in ${dimensions} dimensions`,
    dimensions,
    parameters: { metric, eps, minPoints },
    next: (random, known) => {
      centres ??= Array.from({ length: 5 }, () => gaussian(random, dimensions));
      if (known !== undefined && random.chance(eps === 0 ? 0.5 : 0.05)) return known.slice();
      const scale = random.pick([...Array.from({ length: 24 }, () => 1), 10, 1e-20, 1e-12, 1e12, 1e22, 1e25]);
      return random.pick(centres).map((value) => (value + random.gaussian() * 0.25) * scale);
    },
  };
}

/** Pairs at eps, give or take what kernels cannot tell: turned away from a known vector by just that angle, or moved by just that length. */
function atEps(metric: Metric, dimensions: number): VectorSource {
  const eps = metric === 'cosine' ? 0.3 : 0.75;
  return {
    name: `${metric} pairs at eps in ${dimensions} dimensions`,
    dimensions,
    parameters: { metric, eps, minPoints },
    next: (random, known) => {
      const direction = gaussian(random, dimensions);
      if (known === undefined || random.chance(0.1)) return direction;
      const off = random.pick([0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-2]) * random.pick([-1, 1]);
      const length = Math.hypot(...known);
      const along = known.reduce((sum, value, index) => sum + value * (direction[index] as number), 0) / length / length;
      const across = direction.map((value, index) => value - along * (known[index] as number));
      const acrossLength = Math.hypot(...across);
      if (metric === 'euclidean') return known.map((value, index) => value + ((across[index] as number) / acrossLength) * (eps + off));
      const cosine = 1 - eps + off;
      const sine = Math.sqrt(1 - cosine * cosine);
      return known.map((value, index) => (value / length) * cosine + ((across[index] as number) / acrossLength) * sine);
    },
  };
}

const metrics = ['cosine', 'euclidean'] as const;

export const vectorSources: readonly (() => VectorSource)[] = metrics.flatMap((metric) => [
  () => grid(metric, -1),
  () => grid(metric, 0),
  () => grid(metric, 1),
  () => bumps(metric, 8, metric === 'cosine' ? 0.08 : 1),
  () => bumps(metric, 64, metric === 'cosine' ? 0.08 : 3),
  () => bumps(metric, 384, metric === 'cosine' ? 0.08 : 7.5),
  () => ({ ...bumps(metric, 33, 0), name: `${metric} bumps in 33 dimensions, eps 0` }),
  () => ({ ...bumps(metric, 3, 0), name: `${metric} bumps in 3 dimensions, all near`, parameters: { metric, eps: metric === 'cosine' ? 2.5 : 1e27, minPoints } }),
  () => atEps(metric, 8),
  () => atEps(metric, 64),
  () => atEps(metric, 384),
]);
