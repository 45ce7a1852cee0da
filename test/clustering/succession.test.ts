/** A clustering that was built beside another takes its place: told and named as if the other had been rebuilt. */
import { describe, expect, test } from 'vitest';
import type { Clustering, ClusteringParameters, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import { NaiveOracle } from './naive-oracle.ts';
import { createRandom, type Random } from './random.ts';
import { createReference } from './reference/incremental-dbscan.ts';
import { identity, isFull, scenarioFor, seed, stepsOf } from './run-scenario.ts';

type Vectors = ReadonlyMap<string, Float32Array>;

/** The items in some order, some of them by way of another place, with others that leave before the end. */
function build(parameters: ClusteringParameters, live: Vectors, random: Random): Clustering {
  const built = createClustering(parameters, { ...identity, generation: 'being built' });
  const ids = random.chance(0.5) ? [...live.keys()] : random.shuffle([...live.keys()]);
  let sequence = BigInt(random.below(1_000_000));
  const insert = (itemId: string, vector: Float32Array): Mutation => ({ kind: 'insert', itemId, vector });
  for (const itemId of ids) {
    const vector = live.get(itemId)!;
    const other = live.get(random.pick(ids))!;
    if (random.chance(0.1)) built.apply([insert(itemId, other), insert(`not ${itemId}`, other)], ++sequence);
    built.apply([insert(itemId, vector), { kind: 'remove', itemId: `not ${itemId}`, told: true }], ++sequence);
  }
  return built;
}

/** Removals of some of the live items, and now and then of all of them, that nothing else happens to. */
function leavers(mutations: readonly Mutation[], live: Vectors, random: Random): Mutation[] {
  const share = random.pick([0, 0, 0.1, 0.5, 1]);
  const ids = [...live.keys()].filter((itemId) => !mutations.some((mutation) => mutation.itemId === itemId) && random.chance(share));
  return ids.map((itemId) => ({ kind: 'remove', itemId, told: random.chance(0.8) }));
}

function projected(mutations: readonly Mutation[], project: (vector: Float32Array) => Float32Array): Mutation[] {
  return mutations.map((mutation) => (mutation.kind === 'insert' ? { ...mutation, vector: project(mutation.vector) } : mutation));
}

describe('a clustering that takes the place of another', () => {
  test(`is told and named as the one rebuilt in place, byte for byte (seed ${seed})`, () => {
    let successions = 0;
    let transitions = 0;
    let lacked = 0;
    for (let index = 0; index < (isFull ? 400 : 12); index++) {
      const { scenario, random } = scenarioFor(11_000 + index);
      const choice = createRandom(seed + index);
      const oracle = new NaiveOracle(scenario.parameters, identity);
      const reference = createReference(scenario.parameters, identity);
      let engine = createClustering(scenario.parameters, identity);
      for (const { step, sequence, generation } of stepsOf(scenario, random, 40, oracle.vectors)) {
        const succeeds = step.kind === 'rebuild' || choice.chance(0.1);
        const parameters = step.kind === 'rebuild' ? step.parameters : choice.pick([scenario.parameters, ...scenario.alternatives]);
        // Some cannot be in it, and leave.
        const lacking = succeeds ? leavers(step.mutations, oracle.vectors, choice) : [];
        const held = new Map(oracle.vectors.entries().filter(([itemId]) => !lacking.some((removal) => removal.itemId === itemId)));
        const mutations = [...lacking, ...step.mutations];
        lacked += lacking.length;
        const built = succeeds ? build(parameters, held, choice) : undefined;
        const expected = succeeds ? oracle.rebuild(parameters, generation, sequence, mutations) : oracle.apply(mutations, sequence);
        const before = Buffer.concat([...engine.canonicalState()]);
        const change = built === undefined ? engine.apply(mutations, sequence) : built.succeed(engine, generation, sequence, mutations);
        expect(change, `scenario ${index}`).toEqual(expected.change);
        if (succeeds) reference.rebuild(parameters, generation, sequence, mutations);
        else reference.apply(mutations, sequence);
        if (built !== undefined) {
          expect(Buffer.concat([...engine.canonicalState()]).equals(before)).toBe(true);
          successions++;
          transitions += change.transitions.length;
          engine = built;
        }
        const state = Buffer.concat([...engine.canonicalState()]);
        expect(state.equals(Buffer.concat([...reference.snapshot()])), `scenario ${index}`).toBe(true);
        for (const [minted, current] of oracle.resolutions()) expect(engine.resolve(minted)).toBe(current);
      }
    }
    expect(successions).toBeGreaterThan(30);
    expect(transitions).toBeGreaterThan(30);
    expect(lacked).toBeGreaterThan(100);
  });

  test(`may have other vectors, of another length (seed ${seed})`, () => {
    let successions = 0;
    for (let index = 0; index < (isFull ? 200 : 8); index++) {
      const { scenario, random } = scenarioFor(12_000 + index);
      const choice = createRandom(seed + index);
      const raw = new Map<string, Float32Array>();
      const oracle = new NaiveOracle(scenario.parameters, identity);
      let engine = createClustering(scenario.parameters, identity);
      let project = (vector: Float32Array): Float32Array => vector;
      for (const { step, sequence, generation } of stepsOf(scenario, random, 40, raw)) {
        const swaps = choice.chance(0.2);
        if (swaps) {
          const dimensions = choice.between(1, 3);
          const scale = 0.5 + choice.next();
          project = (vector) => Float32Array.from({ length: dimensions }, (_, at) => scale * (vector[at] ?? 0) + (at === 0 ? 1 : 0.25));
          for (const [itemId, vector] of raw) oracle.vectors.set(itemId, project(vector));
        }
        const parameters = { ...choice.pick(scenario.alternatives), metric: 'euclidean' } as const;
        const built = swaps ? build(parameters, oracle.vectors, choice) : undefined;
        const mutations = projected(step.mutations, project);
        const expected = swaps ? oracle.rebuild(parameters, generation, sequence, mutations) : oracle.apply(mutations, sequence);
        const change = built === undefined ? engine.apply(mutations, sequence) : built.succeed(engine, generation, sequence, mutations);
        expect(change, `scenario ${index}`).toEqual(expected.change);
        for (const mutation of step.mutations) {
          if (mutation.kind === 'insert') raw.set(mutation.itemId, mutation.vector);
          else raw.delete(mutation.itemId);
        }
        if (built === undefined) continue;
        engine = built;
        successions++;
        expect(engine.clusters()).toEqual(oracle.summaries());
      }
    }
    expect(successions).toBeGreaterThan(30);
  });

  const insert = (itemId: string, ...values: number[]): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.from(values) });
  const parameters = { metric: 'euclidean', eps: 1, minPoints: 2 } as const;

  test('holds exactly its items, and is refused otherwise, unchanged', () => {
    const previous = createClustering(parameters, identity);
    previous.apply([insert('a', 0), insert('b', 1)], 7n);
    const built = createClustering(parameters, identity);
    const invalid = expect.objectContaining({ code: 'LS_CLUSTERING_SUCCESSOR_INVALID' }) as unknown;
    const refused = (sequence: bigint, mutations: readonly Mutation[] = []): unknown => {
      const before = Buffer.concat([...built.canonicalState()]);
      try {
        return built.succeed(previous, 'g1', sequence, mutations);
      } catch (error) {
        expect(Buffer.concat([...built.canonicalState()]).equals(before)).toBe(true);
        return error;
      }
    };
    expect(refused(8n)).toEqual(invalid);
    built.apply([insert('a', 0, 0), insert('c', 1, 0)], 90n);
    expect(refused(8n)).toEqual(invalid);
    // What it does not hold may leave with the record, and nothing else may.
    const removeB: Mutation = { kind: 'remove', itemId: 'b', told: true };
    expect(refused(8n, [removeB])).toEqual(invalid);
    built.apply([{ kind: 'remove', itemId: 'c', told: false }], 91n);
    expect(refused(8n, [{ kind: 'remove', itemId: 'a', told: true }])).toEqual(invalid);
    expect(refused(8n, [removeB, insert('b', 1, 0)])).toEqual(invalid);
    built.apply([insert('b', 1, 0), insert('c', 1, 0)], 92n);
    built.apply([insert('b', 1, 0), { kind: 'remove', itemId: 'c', told: false }], 93n);
    expect(refused(7n)).toMatchObject({ code: 'LS_CLUSTERING_SEQUENCE_NOT_RISING' });
    expect(refused(8n, [insert('d', 1)])).toMatchObject({ code: 'LS_CLUSTERING_VECTOR_INVALID' });
    expect(() => built.succeed({ ...previous }, 'g1', 8n)).toThrow(TypeError);
    expect(built.succeed(previous, 'g1', 8n)).toEqual({ transitions: [], assignments: [] });
    expect(built.clusterIds()).toEqual(previous.clusterIds());
    expect(built.apply([insert('d', 9, 9)], 9n).assignments).toHaveLength(1);
  });

  test('of nothing, and by nothing', () => {
    const previous = createClustering(parameters, identity);
    const built = createClustering(parameters, identity);
    expect(built.succeed(previous, 'g1', 1n)).toEqual({ transitions: [], assignments: [] });
    expect(built.apply([insert('a', 0), insert('b', 1)], 2n).transitions).toMatchObject([{ type: 'emerged' }]);
    const after = createClustering(parameters, identity);
    after.apply([insert('b', 0), insert('a', 1)], 1n);
    const gone = after.succeed(built, 'g2', 3n, [{ kind: 'remove', itemId: 'a', told: true }, { kind: 'remove', itemId: 'b', told: false }]);
    expect(gone).toMatchObject({ transitions: [{ type: 'dissolved' }], assignments: [{ itemId: 'a', role: 'removed' }] });
    expect(after.clusterIds()).toEqual([]);
  });
});
