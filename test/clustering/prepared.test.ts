/**
 * Vectors prepared ahead, in batches, used in any order, discarded, or overtaken by records that come meanwhile and by other parameters, by every search, in a
 * worker or not: the state is that of records without.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { Clustering, Mutation } from '../../src/clustering/clustering.ts';
import { createClustering } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch, PreparedVector } from '../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../src/clustering/plain-search.ts';
import { createNeighbourSearch, type SearchOptions } from '../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../src/clustering/search/search-workers.ts';
import { createRandom, type Random } from './random.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf, type NumberedStep } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';

function bytes(clustering: Clustering): Buffer {
  return Buffer.concat([...clustering.canonicalState()]);
}

type Waiting = { readonly vector: Float32Array; readonly prepared: PreparedVector };

/** Takes what was prepared for a vector from the store of what was prepared, often long before. */
function withPrepared({ step, ...rest }: NumberedStep, waiting: Waiting[], share: () => boolean): NumberedStep {
  const mutations = step.mutations.map((mutation): Mutation => {
    const at = mutation.kind === 'insert' && share() ? waiting.findIndex(({ vector }) => vector === mutation.vector) : -1;
    if (mutation.kind !== 'insert' || at < 0) return mutation;
    const [{ prepared }] = waiting.splice(at, 1) as [Waiting];
    return { ...mutation, prepared };
  });
  return { ...rest, step: { ...step, mutations } };
}

const workers = createSearchWorkers();
afterAll(() => workers.close());

const inWorker = { workers, workerFrom: 0 };
const searches: Readonly<Record<string, SearchOptions | undefined>> = {
  'the plain search': undefined,
  'the fast search': {},
  'the fast search, in a worker': inWorker,
  'the fast search, float32, in a worker': { ...inWorker, kernel: 'flat' },
  'the fast search, 8 bits, in a worker': { ...inWorker, kernel: 'flat-int8' },
  'the fast search, cells, in a worker': { ...inWorker, kernel: 'cells' },
  'the fast search, float32 cells, in a worker': { ...inWorker, kernel: 'cells-float32' },
};

type Seen = { used: number; overtaken: number };

/** A clustering that is given vectors ahead, beside one that is not. */
async function compareAhead(scenario: Scenario, random: Random, options: SearchOptions | undefined, hint: string, seen: Seen): Promise<void> {
  const openSearch: OpenSearch = options === undefined ? createPlainSearch : (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, options);
  const choice = createRandom(random.below(1e9));
  const live = new Map<string, Float32Array>();
  const plain = createClustering(scenario.parameters, identity);
  const ahead = createClustering(scenario.parameters, identity, openSearch);
  const waiting: Waiting[] = [];
  const preparing: Promise<Waiting[]>[] = [];
  const prepare = async (vectors: readonly Float32Array[]): Promise<Waiting[]> => (await ahead.prepare(vectors)).map((prepared, at) => ({ vector: vectors[at]!, prepared }));
  for (const numbered of stepsOf(scenario, random, 60, live)) {
    mutate(live, numbered.step.mutations);
    if (waiting.length < 60 && preparing.length < 4) {
      const vectors = choice.shuffle(scenario.places).slice(0, choice.between(1, 8));
      preparing.push(prepare(vectors));
      if (choice.chance(0.5)) preparing.push(prepare(vectors.slice(0, 3)));
    }
    if (choice.chance(0.6)) for (const prepared of await Promise.all(preparing.splice(0))) waiting.push(...prepared);
    // A part of what is asked for is there before the next record, and a part is not.
    else if (preparing.length > 0) await Promise.race(preparing);
    seen.overtaken += preparing.length;
    while (waiting.length > 100 || (waiting.length > 0 && choice.chance(0.3))) {
      ahead.discard(waiting.splice(choice.below(waiting.length), 1)[0]!.prepared);
    }
    const before = waiting.length;
    const prepared = withPrepared(numbered, waiting, () => choice.chance(0.8));
    seen.used += before - waiting.length;
    expect(perform(ahead, prepared), hint).toEqual(perform(plain, numbered));
    if (choice.chance(0.2)) expect(bytes(ahead).equals(bytes(plain)), hint).toBe(true);
  }
  expect(bytes(ahead).equals(bytes(plain)), hint).toBe(true);
  await ahead.close();
}

/** Of so many coordinates that a search outgrows the form that it has for few vectors. */
function growingScenario(random: Random): Scenario {
  const centres = Array.from({ length: 6 }, () => Array.from({ length: 512 }, random.gaussian));
  const groups = Array.from({ length: 30 }, () => Array.from({ length: 10 }, () => Float32Array.from(random.pick(centres), (value) => value + 0.35 * random.gaussian())));
  const parameters = { metric: 'cosine', eps: 0.12, minPoints: 4 } as const;
  return { name: 'growing', parameters, alternatives: [{ ...parameters, eps: 0.11 }], places: groups.flat(), groups, groupShare: 0.5, liveCount: 110 };
}

describe('prepared vectors', () => {
  test.each(Object.entries(searches))(`in any order, before and after records of others, by %s (seed ${seed})`, async (_name, options) => {
    const seen = { used: 0, overtaken: 0 };
    for (let index = 0; index < (isFull ? 80 : 6); index++) {
      const { scenario, random } = scenarioFor(5000 + index);
      await compareAhead(scenario, random, options, `scenario ${index}`, seen);
    }
    for (let index = 0; index < (isFull ? 20 : 3); index++) {
      const random = createRandom(seed + index);
      await compareAhead(growingScenario(random), random, options, `growing ${index}`, seen);
    }
    expect(seen.used).toBeGreaterThan(100);
    expect(seen.overtaken).toBeGreaterThan(40);
  });

  const at = (place: number): Float32Array => Float32Array.of(place);
  const open = (): Clustering => createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity);

  test('the earlier prepared becomes live last: the two find each other all the same', async () => {
    const clustering = open();
    const [first] = await clustering.prepare([at(0)]);
    const [second] = await clustering.prepare([at(1)]);
    clustering.apply([{ kind: 'insert', itemId: 'b', vector: at(1), prepared: second! }], 1n);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: at(0), prepared: first! }], 2n);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['a', 'b']]);
  });

  test('a record without prepared vectors overtakes one that waits, also while that is being prepared', async () => {
    const clustering = open();
    clustering.apply([{ kind: 'insert', itemId: 'far', vector: at(9) }], 1n);
    const preparing = clustering.prepare([at(0)]);
    clustering.apply([{ kind: 'insert', itemId: 'b', vector: at(1) }], 2n);
    const [prepared] = await preparing;
    clustering.apply([{ kind: 'insert', itemId: 'c', vector: at(-1) }], 3n);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: at(0), prepared: prepared! }], 4n);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['a', 'b', 'c']]);
    expect(clustering.meanDegree()).toBe(1);
  });

  test('what was near when it was prepared, and has gone since, is not taken for what came in its place', async () => {
    const clustering = open();
    clustering.apply([{ kind: 'insert', itemId: 'near', vector: at(0.5) }], 1n);
    const [prepared] = await clustering.prepare([at(0)]);
    expect(prepared!.near).toHaveLength(1);
    clustering.apply([{ kind: 'remove', itemId: 'near', told: false }], 2n);
    clustering.apply([{ kind: 'insert', itemId: 'far', vector: at(9) }], 3n);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: at(0), prepared: prepared! }], 4n);
    expect(clustering.noiseCount()).toBe(2);
    expect(clustering.meanDegree()).toBe(0);
  });

  const goings = Object.entries(searches).flatMap(([name, options]) => [['in the record', name, 2n, options], ['after the record', name, 3n, options]] as const);
  test.each(goings)('who comes %s in which a neighbour goes leaves no word for the vector that is given its place, by %s', async (_when, _name, sequence, options) => {
    const openSearch: OpenSearch = options === undefined ? createPlainSearch : (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, options);
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity, openSearch);
    clustering.apply([{ kind: 'insert', itemId: 'first', vector: at(0) }], 1n);
    const preparing = [clustering.prepare([at(100)]), clustering.prepare([at(200)])];
    const near = [at(0.5), at(-0.25)].map((vector, index): Mutation => ({ kind: 'insert', itemId: `near ${index}`, vector }));
    const going: Mutation = { kind: 'remove', itemId: 'first', told: false };
    if (sequence === 2n) clustering.apply([going, ...near], sequence);
    else {
      // Until a thread reads: what goes then is in its way.
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
      clustering.apply([going], 2n);
      clustering.apply(near, sequence);
    }
    // The place is free at once, or once the search under way has ended.
    const far = [at(50), at(60), at(70), at(80)];
    const early = clustering.prepare(far.slice(0, 2));
    await preparing[0];
    const late = clustering.prepare(far.slice(2));
    await preparing[1];
    for (const [index, prepared] of [...(await early), ...(await late)].entries()) {
      clustering.apply([{ kind: 'insert', itemId: `far ${index}`, vector: far[index]!, prepared }], BigInt(4 + index));
    }
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['near 0', 'near 1']]);
    expect(clustering.noiseCount()).toBe(4);
    await clustering.close();
  });

  test.each([['the later', 'the earlier'], ['the earlier', 'the later'], ['the later', 'none'], ['none', 'the later'], ['the later', 'the later']])(
    'two of one vector that enter in one record share a point, with what was prepared for it: %s, %s',
    async (...which) => {
      const clustering = open();
      const [earlier] = await clustering.prepare([at(0)]);
      const [later] = await clustering.prepare([at(0)]);
      const prepared = { 'the earlier': { prepared: earlier! }, 'the later': { prepared: later! }, none: {} };
      const mutations = which.map((of, index): Mutation => ({ kind: 'insert', itemId: ['b', 'a'][index]!, vector: at(0), ...prepared[of as keyof typeof prepared] }));
      clustering.apply(mutations, 1n);
      clustering.apply([{ kind: 'insert', itemId: 'border', vector: at(1) }], 2n);
      expect(clustering.explain('border')?.nearestCore?.itemId).toBe('a');
      const plain = open();
      plain.apply(mutations.map(({ kind, itemId, ...rest }) => (kind === 'insert' && 'vector' in rest ? { kind, itemId, vector: rest.vector } : { kind: 'remove', itemId, told: false })), 1n);
      plain.apply([{ kind: 'insert', itemId: 'border', vector: at(1) }], 2n);
      expect(bytes(clustering).equals(bytes(plain))).toBe(true);
    },
  );

  test('one used twice is searched anew, and an item that takes the bytes of another joins its point', async () => {
    const clustering = open();
    const [prepared] = await clustering.prepare([at(0)]);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: at(0), prepared: prepared! }], 1n);
    clustering.apply([{ kind: 'insert', itemId: 'b', vector: at(0), prepared: prepared! }], 2n);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['a', 'b']]);
    clustering.discard(prepared!);
    expect(clustering.vector('a')).toEqual(at(0));
  });

  test('one of another vector is searched anew, and is not stored in its place', async () => {
    const clustering = open();
    const [of0, of0Negative] = await clustering.prepare([at(0), at(-0)]);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: at(5), prepared: of0! }], 1n);
    expect(clustering.vector('a')).toEqual(at(5));
    clustering.apply([{ kind: 'insert', itemId: 'b', vector: at(0), prepared: of0Negative! }], 2n);
    expect(Object.is(clustering.vector('b')![0], 0)).toBe(true);
    clustering.apply([{ kind: 'insert', itemId: 'c', vector: at(0), prepared: of0! }], 3n);
    expect(clustering.clusters().map(({ itemIds }) => itemIds)).toEqual([['b', 'c']]);
  });

  test('a vector that no distance is defined for is refused, and nothing waits for it', async () => {
    const clustering = open();
    await expect(clustering.prepare([at(0), at(Number.NaN)])).rejects.toMatchObject({ code: 'LS_CLUSTERING_VECTOR_INVALID' });
    expect(await clustering.prepare([])).toEqual([]);
    clustering.apply([{ kind: 'insert', itemId: 'a', vector: Float32Array.of(1, 2) }], 1n);
    expect(clustering.size).toBe(1);
  });

  test('while one waits, vectors of another length are refused, although nothing lives', async () => {
    const clustering = open();
    const [prepared] = await clustering.prepare([at(0)]);
    const longer: Mutation = { kind: 'insert', itemId: 'a', vector: Float32Array.of(1, 2) };
    expect(() => clustering.apply([longer], 1n)).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_VECTOR_INVALID' }) as Error);
    clustering.discard(prepared!);
    clustering.apply([longer], 1n);
    expect(clustering.vector('a')).toEqual(Float32Array.of(1, 2));
  });
});
