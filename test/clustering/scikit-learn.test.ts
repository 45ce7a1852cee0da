/**
 * The engine against scikit-learn in float64: the same cores, in the same partition, and the same noise, after inserts, replacements and deletions. Data has no
 * pair within 1e-6 of eps, where the two may round differently; border items, which scikit-learn gives to whichever cluster comes first, are only border.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import type { Clustering, ClusteringParameters, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { distanceFor, normOf, vectorBytes } from '../../src/clustering/distance.ts';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';
import type { Metric } from '../../src/core/events.generated.ts';
import { testWith } from '../requirements.ts';
import { withDirectory } from '../service/program.ts';
import { createRandom, type Random } from './random.ts';
import { isFull, seed } from './run-scenario.ts';

const script = resolve(import.meta.dirname, '../../scripts/sklearn_dbscan.py');
const python = process.env['LABELSTREAM_TEST_PYTHON'] ?? 'python3';
const hasScikitLearn = spawnSync(python, ['-c', 'import numpy, sklearn'], { stdio: 'ignore' }).status === 0;

const margin = 1e-6;
const itemCount = isFull ? 1500 : 500;
const repetitions = isFull ? 8 : 2;

const searches: Readonly<Record<string, OpenSearch>> = {
  plain: createPlainSearch,
  fast: (dimensions, parameters) => createNeighbourSearch(dimensions, parameters),
  cells: (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'cells' }),
  'flat-int8': (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'flat-int8' }),
};

type Case = { readonly name: string; readonly metric: Metric; readonly dimensions: number; readonly minPoints: number; readonly vectors: readonly Float32Array[] };

/** Bumps that overlap here and there, some items in none, some the same as others. */
function madeUp(random: Random, metric: Metric, dimensions: number): Case {
  const centres = Array.from({ length: 12 }, () => Float32Array.from({ length: dimensions }, () => 2 * random.gaussian()));
  const vectors: Float32Array[] = [];
  while (vectors.length < itemCount) {
    const centre = random.pick(centres);
    const known = random.chance(0.05) ? vectors[random.below(Math.max(1, vectors.length))] : undefined;
    const spread = random.pick([0.3, 0.6, 0.6, 1.2]);
    vectors.push(known?.slice() ?? centre.map((value) => value + spread * random.gaussian()));
  }
  return { name: `${metric} in ${dimensions} dimensions`, metric, dimensions, minPoints: random.between(3, 8), vectors };
}

/** In the middle of a gap between distances, near that at which an item has so many neighbours. */
function epsWithin({ metric, vectors }: Case, neighbours: number): number {
  const distance = distanceFor(metric);
  const points = vectors.map((vector) => ({ vector, norm: normOf(vector) }));
  const all: number[] = [];
  for (const [index, left] of points.entries()) for (const right of points.slice(0, index)) all.push(metric === 'euclidean' ? Math.sqrt(distance(left, right)) : distance(left, right));
  const sorted = Float64Array.from(all).sort();
  let at = Math.floor((neighbours * vectors.length) / 2);
  while ((sorted[at + 1] ?? Infinity) - sorted[at]! < 4 * margin) at++;
  return (sorted[at]! + Math.min(sorted[at + 1]!, sorted[at]! + 1)) / 2;
}

/** In batches that are prepared together; a third leaves again or is another for a while. */
async function ingested(random: Random, { vectors }: Case, parameters: ClusteringParameters, openSearch: OpenSearch): Promise<Clustering> {
  const clustering = createClustering(parameters, { collection: 'c', epoch: 1, generation: 'g' }, openSearch);
  let sequence = 0n;
  const insert = async (batch: readonly (readonly [string, Float32Array])[]): Promise<void> => {
    const prepared = await clustering.prepare(batch.map(([, vector]) => vector));
    for (const [index, [itemId, vector]] of batch.entries()) clustering.apply([{ kind: 'insert', itemId, vector, prepared: prepared[index]! }], ++sequence);
  };
  const items = vectors.map((vector, index) => [`i${index}`, vector] as const);
  const order = random.shuffle(items);
  for (let start = 0; start < order.length; start += 64) await insert(order.slice(start, start + 64));
  const leaving = order.slice(0, Math.floor(order.length / 3));
  for (const [itemId] of leaving.filter((_, index) => index % 2 === 0)) clustering.apply([{ kind: 'remove', itemId, told: false }], ++sequence);
  await insert(leaving.filter((_, index) => index % 2 === 1).map(([itemId]) => [itemId, random.pick(vectors)]));
  const back: Mutation[] = leaving.map(([itemId, vector]) => ({ kind: 'insert', itemId, vector }));
  for (const mutation of back) clustering.apply([mutation], ++sequence);
  return clustering;
}

type Answer = { readonly labels: readonly number[]; readonly cores: readonly number[]; readonly margin: number };

function compare(clustering: Clustering, { vectors }: Case, { labels, cores }: Answer): void {
  const items = vectors.map((_, index) => clustering.item(`i${index}`)!);
  const isCore = new Set(cores);
  expect(items.flatMap(({ role }, index) => (role === 'core' ? [index] : []))).toEqual([...cores].sort((left, right) => left - right));
  expect(items.flatMap(({ role }, index) => (role === 'noise' ? [index] : []))).toEqual(labels.flatMap((label, index) => (label === -1 ? [index] : [])));
  const [ours, theirs] = [new Map<string, number>(), new Map<number, string>()];
  for (const [index, { clusterId }] of items.entries()) {
    if (!isCore.has(index)) continue;
    const label = labels[index]!;
    expect(ours.get(clusterId!) ?? label).toBe(label);
    expect(theirs.get(label) ?? clusterId).toBe(clusterId);
    ours.set(clusterId!, label);
    theirs.set(label, clusterId!);
  }
}

testWith({ 'Python with numpy and scikit-learn (LABELSTREAM_TEST_PYTHON)': hasScikitLearn }, 'cores, their partition and noise are those of scikit-learn', { timeout: 1_200_000 }, async () => {
  await withDirectory(async (directory) => {
    const random = createRandom(seed);
    const cases: { readonly made: Case; readonly parameters: ClusteringParameters; readonly file: string }[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const [metric, dimensions, neighbours] of [['euclidean', 2, 6], ['euclidean', 8, 8], ['euclidean', 384, 8], ['cosine', 8, 8], ['cosine', 64, 10], ['cosine', 384, 12]] as const) {
        const made = madeUp(random, metric, dimensions);
        const file = join(directory, `${cases.length}.f32`);
        await writeFile(file, Buffer.concat(made.vectors.map(vectorBytes)));
        cases.push({ made, parameters: { metric, minPoints: made.minPoints, eps: epsWithin(made, neighbours + 4 * repetition) }, file });
      }
    }
    const question = cases.map(({ made: { dimensions }, parameters: { metric, eps, minPoints }, file }) => ({ file, dimensions, metric, eps, minPoints }));
    await writeFile(join(directory, 'cases.json'), JSON.stringify(question));
    const answers = JSON.parse(execFileSync(python, [script, join(directory, 'cases.json')], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as readonly Answer[];
    let [coreCount, clusterCount] = [0, 0];
    for (const [index, { made, parameters }] of cases.entries()) {
      const answer = answers[index]!;
      expect(answer.margin, made.name).toBeGreaterThan(margin);
      for (const [name, openSearch] of Object.entries(searches)) {
        const clustering = await ingested(random, made, parameters, openSearch);
        try {
          compare(clustering, made, answer);
        } catch (error) {
          throw new Error(`seed ${seed}, ${made.name}, ${name} search`, { cause: error });
        }
        await clustering.close();
      }
      coreCount += answer.cores.length;
      clusterCount += new Set(answer.labels).size - 1;
    }
    console.log(`seed ${seed}: ${cases.length} data sets, ${coreCount} cores in ${clusterCount} clusters`);
    // Something to compare: neither all noise nor one cluster each.
    expect(coreCount).toBeGreaterThan(0.2 * cases.length * itemCount);
    expect(clusterCount).toBeGreaterThan(4 * cases.length);
  });
});
