/** Runs one scenario of the fuzzing through the engine, step by step, with the naive oracle and the reference engine beside it. */
import assert from 'node:assert/strict';
import type { Clustering, Mutation, NetChange } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';
import { count, type Census } from './census.ts';
import { NaiveOracle } from './naive-oracle.ts';
import { createRandom, type Random } from './random.ts';
import { createReference, type ReferenceClustering } from './reference/incremental-dbscan.ts';
import { createScenario, firstStep, nextStep, type Live, type Scenario, type Step } from './scenarios.ts';

export const identity = { collection: 'fuzzed', epoch: 1, generation: 'g0' } as const;

/** `LABELSTREAM_TEST_SEED` repeats a run, `LABELSTREAM_TEST_SCALE=full` makes it long. */
export const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 1);
export const isFull = process.env['LABELSTREAM_TEST_SCALE'] === 'full';

export type NumberedStep = { readonly step: Step; readonly sequence: bigint; readonly generation: string };

export function scenarioFor(index: number): { scenario: Scenario; random: Random } {
  const random = createRandom(seed * 1_000_003 + index);
  return { scenario: createScenario(random, index), random };
}

export function* stepsOf(scenario: Scenario, random: Random, stepCount: number, live: Live): Generator<NumberedStep> {
  let sequence = BigInt(random.below(1000));
  for (let index = 0; index < stepCount; index++) {
    sequence += BigInt(random.between(1, 3));
    yield { step: index === 0 ? firstStep(scenario, random) : nextStep(scenario, live, random), sequence, generation: `g${index}` };
  }
}

export function perform(engine: Pick<Clustering, 'apply' | 'rebuild'>, { step, sequence, generation }: NumberedStep): NetChange {
  return step.kind === 'apply'
    ? engine.apply(step.mutations, sequence)
    : engine.rebuild(step.parameters, generation, sequence, step.mutations);
}

/** The live items, for whoever needs them without an oracle. */
export function mutate(live: Map<string, Float32Array>, mutations: readonly Mutation[]): void {
  for (const mutation of mutations) {
    if (mutation.kind === 'insert') live.set(mutation.itemId, mutation.vector);
    else live.delete(mutation.itemId);
  }
}

/** In turn; undefined is what the program uses. */
const searches: readonly OpenSearch[] = [
  createPlainSearch,
  ...([undefined, 'flat', 'cells-float32', 'flat-int8', undefined, 'cells', 'tree'] as const).map((kernel): OpenSearch => {
    return (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, kernel === undefined ? {} : { kernel });
  }),
];

export async function runAgainstOracle(index: number, stepCount: number, census: Census): Promise<void> {
  const { scenario, random } = scenarioFor(index);
  const engine = createClustering(scenario.parameters, identity, searches[index % searches.length]);
  const oracle = new NaiveOracle(scenario.parameters, identity);
  const reference = createReference(scenario.parameters, identity);
  let stepIndex = 0;
  for (const numbered of stepsOf(scenario, random, stepCount, oracle.vectors)) {
    const { step, sequence, generation } = numbered;
    const liveBefore = new Map(oracle.vectors);
    try {
      const expected =
        step.kind === 'apply'
          ? oracle.apply(step.mutations, sequence)
          : oracle.rebuild(step.parameters, generation, sequence, step.mutations);
      assert.deepEqual(perform(engine, numbered), expected.change);
      compare(engine, oracle);
      assert.deepEqual(perform(reference, numbered), expected.change);
      if (stepIndex % stepsPerStateCompared === 0) compareStates(engine, reference);
      count(census, liveBefore, step.mutations, expected);
    } catch (error) {
      throw new Error(`seed ${seed}, scenario ${index} (${scenario.name}), step ${stepIndex}`, { cause: error });
    }
    stepIndex++;
  }
  await engine.close();
}

/** The whole state takes as long to compare as many steps. */
const stepsPerStateCompared = 5;

/** Adjacency, anchors, ages, aliases and what consumers were told: everything there is. */
function compareStates(engine: Clustering, reference: ReferenceClustering): void {
  assert.equal(engine.meanDegree(), reference.meanDegree());
  assert.ok(Buffer.concat([...engine.canonicalState()]).equals(Buffer.concat([...reference.snapshot()])), 'the states differ');
}

function compare(engine: Clustering, oracle: NaiveOracle): void {
  const items = oracle.items();
  assert.equal(engine.size, items.size);
  assert.deepEqual(Array.from(items.keys(), (itemId) => engine.item(itemId)), [...items.values()]);
  const summaries = oracle.summaries();
  assert.deepEqual(engine.clusters(), summaries);
  assert.deepEqual(engine.clusterIds(), summaries.map(({ clusterId }) => clusterId));
  assert.equal(engine.noiseCount(), [...items.values()].filter(({ role }) => role === 'noise').length);
  assert.equal(engine.meanDegree(), oracle.meanDegree());
  for (const [minted, current] of oracle.resolutions()) assert.equal(engine.resolve(minted), current);
}
