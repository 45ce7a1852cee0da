// Choosing eps: every row of the table against DBSCAN computed anew, the curve against sorted distances, the suggestion on data whose answer is known.
import { describe, expect, test } from 'vitest';
import { chooseEps, sampleSizeMax, type EpsChoice, type EpsQuestion } from '../../../src/clustering/eps/choose-eps.ts';
import { kneeOf } from '../../../src/clustering/eps/knee.ts';
import type { EpsRow } from '../../../src/clustering/eps/sweep.ts';
import { atOnce, inSlices } from '../../../src/clustering/sliced-work.ts';
import type { Metric } from '../../../src/core/events.generated.ts';
import { createRandom, type Random } from '../random.ts';
import { naiveDistances, naivePartition } from './naive-partition.ts';

type Seen = { readonly row: EpsRow; readonly labels: readonly number[] };

function choose(vectors: readonly Float32Array[], question: EpsQuestion): { readonly choice: EpsChoice; readonly seen: readonly Seen[] } {
  const seen: Seen[] = [];
  const choice = atOnce(chooseEps(vectors, { ...question, seen: (row, clusterOf) => void seen.push({ row, labels: vectors.map((_, index) => clusterOf(index)) }) }));
  expect(seen.map(({ row }) => row)).toEqual(choice.table);
  return { choice, seen };
}

/** Numbers of clusters in the order in which they first occur. */
function canonical(labels: readonly number[]): number[] {
  const numbers = new Map<number, number>([[-1, -1]]);
  return labels.map((label) => {
    const known = numbers.get(label) ?? numbers.size - 1;
    numbers.set(label, known);
    return known;
  });
}

function expectAsNaive(vectors: readonly Float32Array[], question: EpsQuestion, seen: readonly Seen[]): void {
  const distances = naiveDistances(vectors, question.metric);
  for (const each of seen) expectRowAsNaive(vectors, distances, question, each);
}

function expectRowAsNaive(vectors: readonly Float32Array[], distances: readonly (readonly number[])[], question: EpsQuestion, { row, labels }: Seen): void {
  const naive = naivePartition(vectors, distances, { ...question, eps: row.eps });
  const place = `eps ${row.eps}`;
  expect(canonical(labels), place).toEqual(canonical(naive.labels));
  const sizes = Object.values(Object.groupBy(naive.labels.filter((label) => label >= 0), String)).map((members) => members!.length).sort((left, right) => right - left);
  const { meanDegree, ...counts } = row;
  expect(counts, place).toEqual({
    eps: row.eps,
    clusterCount: sizes.length,
    coreCount: naive.isCore.filter((core) => core).length,
    borderCount: naive.labels.filter((label, index) => label >= 0 && naive.isCore[index] === false).length,
    noiseCount: naive.labels.filter((label) => label < 0).length,
    largestSize: sizes[0] ?? 0,
    secondSize: sizes[1] ?? 0,
  });
  expect(meanDegree, place).toBeCloseTo(naive.degrees.reduce((sum, degree) => sum + degree, 0) / vectors.length, 9);
}

const kinds: readonly (readonly [name: string, metric: Metric, minPoints: number, make: (random: Random) => Float32Array[]])[] = [
  ['a grid of integers, with ties and duplicates', 'euclidean', 4, (random) => Array.from({ length: 90 }, () => Float32Array.of(random.below(9), random.below(9)))],
  ['directions on a grid, parallel vectors among them', 'cosine', 3, (random) => Array.from({ length: 80 }, () => Float32Array.of(1 + random.below(6), random.below(6), random.below(3)))],
  ['clouds in eight dimensions', 'euclidean', 5, (random) => {
    const centres = Array.from({ length: 4 }, () => Array.from({ length: 8 }, () => 3 * random.gaussian()));
    return Array.from({ length: 120 }, () => Float32Array.from(random.pick(centres), (value) => value + 0.8 * random.gaussian()));
  }],
  ['noise in 37 dimensions', 'cosine', 4, (random) => Array.from({ length: 70 }, () => Float32Array.from({ length: 37 }, () => random.gaussian()))],
  ['minPoints 1', 'euclidean', 1, (random) => Array.from({ length: 40 }, () => Float32Array.of(random.below(6), random.below(6)))],
  ['most of them duplicates', 'cosine', 6, (random) => Array.from({ length: 100 }, () => Float32Array.of(...random.pick([[1, 0], [1, 0.1], [0, 1], [-1, 0.2]])))],
];

describe.each(kinds)('%s', (_name, metric, minPoints, make) => {
  test.each([1, 2, 3])('every row of the table is what DBSCAN gives, and the curve what scikit-learn has (seed %i)', (seed) => {
    const vectors = make(createRandom(seed));
    const question: EpsQuestion = { metric, minPoints, epsValues: [0, 0.05, 1, 1.7] };
    const { choice, seen } = choose(vectors, question);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(choice.table.map(({ eps }) => eps)).toEqual([...new Set(choice.table.map(({ eps }) => eps))].sort((left, right) => left - right));
    expectAsNaive(vectors, question, seen);
    const kDistances = naiveDistances(vectors, metric).map((row) => row.toSorted((one, other) => one - other)[minPoints - 1]!);
    const expected = kDistances.map((distance) => (metric === 'cosine' ? Math.max(0, distance) : Math.sqrt(distance))).sort((left, right) => left - right);
    expect(Array.from(choice.curve)).toEqual(expected);
    if (choice.suggestion !== undefined) expect(choice.table.map(({ eps }) => eps)).toContain(choice.suggestion.eps);
  });
});

test('what does not fit ends the table earlier, and every row left is exact', () => {
  const random = createRandom(9);
  const vectors = Array.from({ length: 150 }, () => Float32Array.of(random.gaussian(), random.gaussian()));
  const question: EpsQuestion = { metric: 'euclidean', minPoints: 4, pairsMax: 400, epsValues: [0.01, 5] };
  const { choice, seen } = choose(vectors, question);
  expect(choice.tableEnd).toBeLessThan(1);
  expect(seen.length).toBeGreaterThan(10);
  for (const { row } of seen) expect(row.eps).toBeLessThan(choice.tableEnd!);
  expectAsNaive(vectors, question, seen);
  expect(choose(vectors, { ...question, pairsMax: 1_000_000 }).choice.tableEnd).toBeUndefined();
  // Ties alone: all at one distance, so that none is kept.
  const corners = Array.from({ length: 40 }, (_, index) => Float32Array.from({ length: 40 }, (_value, at) => Number(at === index)));
  expect(choose(corners, { metric: 'cosine', minPoints: 2, pairsMax: 100, epsValues: [0.5] }).choice).toMatchObject({ tableEnd: 1, table: [{ eps: 0.5, noiseCount: 40 }], suggestion: undefined });
});

/** Points of a disc, evenly: no two far apart, none near. */
function disc(centre: readonly [number, number], radius: number, count: number): Float32Array[] {
  return Array.from({ length: count }, (_, index) => {
    const [distance, angle] = [radius * Math.sqrt((index + 0.5) / count), index * 2.399963];
    return Float32Array.of(centre[0] + distance * Math.cos(angle), centre[1] + distance * Math.sin(angle));
  });
}

test('clusters that lie apart are found at the knee', () => {
  const random = createRandom(3);
  const vectors = [...disc([0, 0], 1, 200), ...disc([10, 0], 1, 100), ...disc([0, 10], 1, 100), ...Array.from({ length: 20 }, () => Float32Array.of(30 * random.next() - 10, 30 * random.next() - 10))];
  const { choice } = choose(vectors, { metric: 'euclidean', minPoints: 5 });
  expect(choice).toMatchObject({ suggestion: { reason: 'knee' }, isChained: false });
  expect(choice.table.find(({ eps }) => eps === choice.suggestion?.eps)).toMatchObject({ clusterCount: 3 });
});

test('where the knee leaves one cluster, the last eps before it swallows the others is suggested', () => {
  const random = createRandom(5);
  // Six clouds joined by a bridge of thinly spread points, and outliers so far away that the knee lies where clouds and bridge have long been one.
  const centres = Array.from({ length: 6 }, (_, index) => [7 * index, 0] as const);
  const clouds = centres.flatMap(([x, y]) => Array.from({ length: 120 }, () => Float32Array.of(x + random.gaussian(), y + random.gaussian())));
  const bridges = Array.from({ length: 150 }, () => Float32Array.of(35 * random.next(), 0.5 * random.gaussian()));
  const outliers = Array.from({ length: 60 }, () => Float32Array.of(200 * random.next() - 80, 200 * random.next() - 100));
  const { choice } = choose([...clouds, ...bridges, ...outliers], { metric: 'euclidean', minPoints: 6 });
  const rowAt = (eps: number | undefined): EpsRow | undefined => choice.table.find((row) => row.eps === eps);
  expect(rowAt(choice.knee?.eps)?.clusterCount).toBeLessThan(3);
  expect(choice.suggestion).toEqual({ eps: choice.beforeChaining, reason: 'before-chaining' });
  expect(rowAt(choice.suggestion?.eps)?.clusterCount).toBeGreaterThanOrEqual(3);
  expect(rowAt(choice.suggestion?.eps)?.largestSize).toBeLessThan(clouds.length / 2);
});

const cloud = (random: Random, count: number, dimensions: number, centre: readonly number[], spread: number): Float32Array[] =>
  Array.from({ length: count }, () => Float32Array.from({ length: dimensions }, (_, at) => (centre[at] ?? 0) + spread * random.gaussian()));

test.each([1, 2, 3])('where one cluster is much larger than the others from the start, the eps is suggested that has most items in the others (seed %i)', (seed) => {
  const random = createRandom(seed);
  const places = (count: number, width: number): Float32Array[] => Array.from({ length: count }, () => Float32Array.of(width * (random.next() - 0.5), width * (random.next() - 0.5)));
  const topics = [[7, 0], [0, 7], [-7, 0]].flatMap((centre) => cloud(random, 60, 2, centre, 0.9));
  const { choice } = choose([...cloud(random, 700, 2, [], 1), ...topics, ...places(100, 18), ...places(30, 200)], { metric: 'euclidean', minPoints: 5 });
  const rowAt = (eps: number | undefined): EpsRow | undefined => choice.table.find((row) => row.eps === eps);
  expect(rowAt(choice.knee?.eps)?.clusterCount).toBe(1);
  expect(choice).toMatchObject({ beforeChaining: undefined, suggestion: { reason: 'most-apart' }, isChained: expect.any(Boolean) as boolean });
  expect(rowAt(choice.suggestion?.eps)?.clusterCount).toBeGreaterThanOrEqual(4);
  expect(rowAt(choice.suggestion?.eps)?.largestSize).toBeLessThan(0.75 * choice.itemCount);
});

test.each([1, 2, 3])('one cloud is one cluster, at the knee, and the choice says that nearly all are in it (seed %i)', (seed) => {
  for (const [metric, centre] of [['euclidean', []], ['cosine', [5]]] as const) {
    const { choice } = choose(cloud(createRandom(seed), 600, 16, centre, 1), { metric, minPoints: 5 });
    expect(choice).toMatchObject({ suggestion: { eps: choice.knee?.eps, reason: 'knee' }, isChained: true });
  }
});

test('an empty sample, one item, fewer items than minPoints, and duplicates alone have an answer', () => {
  const nothing = { curve: new Float64Array(0), knee: undefined, beforeChaining: undefined, suggestion: undefined, tableEnd: undefined };
  expect(choose([], { metric: 'cosine', minPoints: 3 }).choice).toMatchObject({ ...nothing, itemCount: 0, distinctCount: 0, table: [] });
  const one = [Float32Array.of(1, 2)];
  expect(choose(one, { metric: 'cosine', minPoints: 3, epsValues: [0.1] }).choice).toMatchObject({ ...nothing, itemCount: 1, table: [{ eps: 0.1, clusterCount: 0, noiseCount: 1, meanDegree: 0 }] });
  expect(choose(one, { metric: 'cosine', minPoints: 1, epsValues: [0.1] }).choice).toMatchObject({ curve: Float64Array.of(0), knee: undefined, suggestion: undefined, table: [{ clusterCount: 1, coreCount: 1, largestSize: 1 }] });
  const few = Array.from({ length: 4 }, (_, index) => Float32Array.of(index, 1));
  expect(choose(few, { metric: 'euclidean', minPoints: 5, epsValues: [10] }).choice).toMatchObject({ ...nothing, table: [{ noiseCount: 4, meanDegree: 3 }] });
  const same = Array.from({ length: 50 }, () => Float32Array.of(1, 2, 3));
  const duplicates = choose(same, { metric: 'cosine', minPoints: 5, epsValues: [0.2] }).choice;
  expect(duplicates).toMatchObject({ itemCount: 50, distinctCount: 1, knee: undefined, suggestion: undefined, table: [{ eps: 0.2, clusterCount: 1, coreCount: 50, noiseCount: 0, meanDegree: 49 }] });
  expect(duplicates.curve).toEqual(new Float64Array(50));
  const groups = [...same, ...same.map(() => Float32Array.of(1, 2, 4)), ...same.map(() => Float32Array.of(9, 2, 4))];
  const choice = choose(groups, { metric: 'euclidean', minPoints: 5 }).choice;
  expect(choice.suggestion).toEqual({ eps: 0.5, reason: 'identical' });
  expect(choice.table[0]).toMatchObject({ eps: 0.5, clusterCount: 3, noiseCount: 0 });
});

test('values of any size have an answer: 1e25 and 1e-30', () => {
  const random = createRandom(2);
  const base = Array.from({ length: 60 }, () => Float32Array.of(random.gaussian(), random.gaussian()));
  for (const factor of [1e25, 1e-18]) {
    const vectors = base.map((vector) => vector.map((value) => value * factor));
    for (const metric of ['euclidean', 'cosine'] as const) {
      const question: EpsQuestion = { metric, minPoints: 4 };
      const { seen } = choose(vectors, question);
      expect(seen.length).toBeGreaterThan(20);
      expectAsNaive(vectors, question, seen);
    }
  }
});

test('what has no answer is refused', () => {
  const vectors = [Float32Array.of(1, 2), Float32Array.of(2, 1)];
  const ask = (question: Partial<EpsQuestion>, given = vectors) => () => atOnce(chooseEps(given, { metric: 'cosine', minPoints: 2, ...question }));
  const parameters = expect.objectContaining({ code: 'LS_CLUSTERING_PARAMETERS_INVALID' }) as object;
  for (const minPoints of [0, -1, 1.5, Number.NaN]) expect(ask({ minPoints })).toThrow(parameters);
  for (const eps of [-1, Number.NaN, Infinity]) expect(ask({ epsValues: [eps] })).toThrow(parameters);
  expect(ask({ epsValues: Array.from({ length: 101 }, (_, index) => index) })).toThrow(parameters);
  const invalid = (message: string): object => expect.objectContaining({ code: 'LS_CLUSTERING_VECTOR_INVALID', message: expect.stringContaining(message) as string }) as object;
  expect(ask({}, [...vectors, Float32Array.of(1)])).toThrow(invalid('vector 2 of the sample has 1 dimensions instead of 2'));
  expect(ask({}, [Float32Array.of(0, 0)])).toThrow(invalid('is zero'));
  expect(ask({}, [Float32Array.of(Number.NaN, 0)])).toThrow(invalid('holds NaN at index 0'));
  const many = Array.from({ length: 5000 }, () => Float32Array.of(1));
  expect(sampleSizeMax(4000)).toBeLessThan(5000);
  expect(ask({ minPoints: 4000 }, many)).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_SAMPLE_TOO_LARGE' }) as object);
});

test('it works in slices, and ends with its signal', async () => {
  const random = createRandom(6);
  const vectors = Array.from({ length: 1200 }, () => Float32Array.from({ length: 16 }, () => random.gaussian()));
  const done: number[] = [];
  const sliced = await inSlices(chooseEps(vectors, { metric: 'cosine', minPoints: 4 }), undefined, (each) => done.push(each));
  expect(sliced).toEqual(choose(vectors, { metric: 'cosine', minPoints: 4 }).choice);
  expect(done.length).toBeGreaterThan(3);
  const ended = new AbortController();
  const asked = inSlices(chooseEps(vectors, { metric: 'cosine', minPoints: 4 }), ended.signal, () => ended.abort(new Error('enough')));
  await expect(asked).rejects.toThrow('enough');
});

test('the knee of a curve', () => {
  expect(kneeOf(Float64Array.of(1, 1, 1, 1, 9))).toBe(3);
  expect(kneeOf(Float64Array.of(0, 1, 2, 3, 4))).toBeUndefined();
  expect(kneeOf(Float64Array.of(0, 3, 4, 4.5, 5))).toBeUndefined();
  expect(kneeOf(Float64Array.of(2, 2, 2))).toBeUndefined();
  expect(kneeOf(Float64Array.of(2))).toBeUndefined();
  expect(kneeOf(new Float64Array(0))).toBeUndefined();
});
