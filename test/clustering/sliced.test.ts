/**
 * Records that are applied in slices, while between two of them vectors are prepared and found, snapshots are written and another clustering takes its turns:
 * the states, and what is told, are those of records applied at once.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { Clustering, Mutation, NetChange } from '../../src/clustering/clustering.ts';
import { applyInSlices, createClustering, restoreClustering, succeedInSlices, whenSettled } from '../../src/clustering/incremental-dbscan.ts';
import type { OpenSearch, PreparedVector } from '../../src/clustering/neighbour-search.ts';
import { createNeighbourSearch } from '../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../src/clustering/search/search-workers.ts';
import { atOnce, inSlices, sortInSlices, type SlicedWork } from '../../src/clustering/sliced-work.ts';
import { createRandom, type Random } from './random.ts';
import { identity, isFull, mutate, perform, scenarioFor, seed, stepsOf, type NumberedStep } from './run-scenario.ts';

const workers = createSearchWorkers();
afterAll(() => workers.close());

const openSearch: OpenSearch = (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { workers, workerFrom: 0 });

function bytes(clustering: Clustering): Buffer {
  return Buffer.concat([...clustering.canonicalState()]);
}

async function restored(chunks: readonly Buffer[]): Promise<Clustering> {
  const iterator = chunks.values();
  return restoreClustering(() => Promise.resolve(iterator.next().value));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A snapshot, as far as it is written, and the state that it is of. */
type Written = { readonly chunks: Iterator<Buffer>; readonly taken: Buffer[]; readonly state: Buffer };

function writeSome({ chunks, taken }: Written, count: number): boolean {
  for (let written = 0; written < count; written++) {
    const next = chunks.next();
    if (next.done === true) return true;
    taken.push(next.value);
  }
  return false;
}

type Waiting = { readonly vector: Float32Array; readonly prepared: PreparedVector };

type Beside = {
  readonly sliced: Clustering;
  readonly choice: Random;
  readonly waiting: Waiting[];
  readonly preparing: Promise<void>[];
  written: Written | undefined;
  readonly seen: { slices: number; snapshots: number; used: number; answersWithin: number };
};

function prepareSome({ sliced, choice, waiting, preparing }: Beside, places: readonly Float32Array[]): void {
  if (waiting.length > 40) return;
  const vectors = choice.shuffle(places).slice(0, choice.between(1, 4));
  preparing.push(sliced.prepare(vectors).then((prepared) => void waiting.push(...prepared.map((each, at) => ({ vector: vectors[at]!, prepared: each })))));
}

/** Anything that may come between two slices. */
async function goOn(beside: Beside, places: readonly Float32Array[]): Promise<void> {
  const { sliced, choice, waiting, preparing, seen } = beside;
  if (choice.chance(0.1)) prepareSome(beside, places);
  if (choice.chance(0.05) && waiting.length > 0) sliced.discard(waiting.splice(choice.below(waiting.length), 1)[0]!.prepared);
  const before = waiting.length;
  if (choice.chance(0.1)) await turn();
  // A worker needs some time for its answer.
  if (preparing.length > 0 && choice.chance(0.02)) await new Promise((resolve) => setTimeout(resolve, 2));
  seen.answersWithin += Math.max(0, waiting.length - before);
  if (beside.written !== undefined && choice.chance(0.1) && writeSome(beside.written, 1)) await closeWritten(beside);
}

async function closeWritten(beside: Beside): Promise<void> {
  const { written } = beside;
  beside.written = undefined;
  if (written === undefined) return;
  writeSome(written, Infinity);
  expect(bytes(await restored(written.taken)).equals(written.state)).toBe(true);
  beside.seen.snapshots++;
}

async function inSlicesBeside(work: SlicedWork<NetChange>, beside: Beside, places: readonly Float32Array[]): Promise<NetChange> {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    beside.seen.slices++;
    await goOn(beside, places);
  }
}

async function applySliced({ step, sequence, generation }: NumberedStep, beside: Beside, places: readonly Float32Array[]): Promise<NetChange> {
  if (step.kind !== 'apply') return perform(beside.sliced, { step, sequence, generation });
  const mutations = step.mutations.map((mutation): Mutation => {
    const at = mutation.kind === 'insert' ? beside.waiting.findIndex(({ vector }) => vector === mutation.vector) : -1;
    if (mutation.kind !== 'insert' || at < 0) return mutation;
    beside.seen.used++;
    return { ...mutation, prepared: beside.waiting.splice(at, 1)[0]!.prepared };
  });
  return inSlicesBeside(applyInSlices(beside.sliced, mutations, sequence), beside, places);
}

describe('records in slices', () => {
  test(`give what records at once give, whatever comes between (seed ${seed})`, { timeout: 600_000 }, async () => {
    const seen: Beside['seen'] = { slices: 0, snapshots: 0, used: 0, answersWithin: 0 };
    for (let index = 0; index < (isFull ? 400 : 24); index++) {
      const { scenario, random } = scenarioFor(9000 + index);
      const live = new Map<string, Float32Array>();
      const whole = createClustering(scenario.parameters, identity);
      const sliced = createClustering(scenario.parameters, identity, openSearch);
      const beside: Beside = { sliced, choice: createRandom(seed + index), waiting: [], preparing: [], written: undefined, seen };
      for (const numbered of stepsOf(scenario, random, 50, live)) {
        mutate(live, numbered.step.mutations);
        if (beside.written === undefined && beside.choice.chance(0.3)) beside.written = { chunks: sliced.snapshot()[Symbol.iterator](), taken: [], state: bytes(sliced) };
        // Asked before the record, answered within it or after.
        if (beside.choice.chance(0.5)) prepareSome(beside, scenario.places);
        expect(await applySliced(numbered, beside, scenario.places), `scenario ${index}`).toEqual(perform(whole, numbered));
        if (beside.choice.chance(0.2)) expect(bytes(sliced).equals(bytes(whole)), `scenario ${index}`).toBe(true);
      }
      await Promise.all(beside.preparing);
      await closeWritten(beside);
      expect(bytes(sliced).equals(bytes(whole)), `scenario ${index}`).toBe(true);
      await sliced.close();
    }
    expect(seen.slices).toBeGreaterThan(5000);
    for (const count of [seen.snapshots, seen.used, seen.answersWithin]) expect(count).toBeGreaterThan(20);
  });

  /** Two dense rows and a bridge. */
  const rows: Mutation[] = [...Array.from({ length: 60 }, (_, index) => index / 50), 1.8, ...Array.from({ length: 60 }, (_, index) => 2.4 + index / 50)].map(
    (place, index) => ({ kind: 'insert', itemId: `item ${index}`, vector: Float32Array.of(place) }),
  );
  const bridge: Mutation = { kind: 'remove', itemId: 'item 60', told: false };
  const parameters = { metric: 'euclidean', eps: 0.7, minPoints: 3 } as const;

  test('of two clusterings may take turns within each other', () => {
    const both = [0, 1].map(() => createClustering(parameters, identity));
    for (const clustering of both) clustering.apply(rows, 1n);
    const works = both.map((clustering) => applyInSlices(clustering, [bridge], 2n));
    const changes: NetChange[] = [];
    for (let active = works; active.length > 0;) {
      active = active.filter((work) => {
        const step = work.next();
        if (step.done === true) changes.push(step.value);
        return step.done !== true;
      });
    }
    const whole = createClustering(parameters, identity);
    whole.apply(rows, 1n);
    const expected = whole.apply([bridge], 2n);
    expect(expected.transitions.map(({ type }) => type)).toEqual(['split']);
    expect(changes).toEqual([expected, expected]);
    for (const clustering of both) expect(bytes(clustering).equals(bytes(whole))).toBe(true);
  });

  test('hide what holds for no record: questions wait, and what cannot wait is an error', async () => {
    const clustering = createClustering(parameters, identity);
    clustering.apply(rows, 1n);
    const work = applyInSlices(clustering, [bridge], 2n);
    while (work.next().done !== true) {
      for (const ask of [() => clustering.clusters(), () => clustering.item('item 1'), () => clustering.vector('item 1'), () => clustering.explain('item 1'), () => clustering.snapshot(), () => clustering.apply([], 3n)]) {
        expect(ask).toThrow('A record is being applied');
      }
    }
    const again = applyInSlices(clustering, [{ kind: 'insert', itemId: 'item 60', vector: Float32Array.of(1.8) }], 3n);
    again.next();
    const asked = [clustering.assign(Float32Array.of(0.2)), clustering.nearest('item 1', 1), clustering.prepare([Float32Array.of(0.3)]), whenSettled(clustering)] as const;
    let answered = 0;
    for (const answer of asked) void answer.then(() => answered++);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(answered).toBe(0);
    atOnce(again);
    const [placement, nearest, prepared] = await Promise.all(asked);
    expect([placement.role, nearest.length, prepared.length]).toEqual(['core', 1, 1]);
    expect(clustering.clusters()).toHaveLength(1);
  });

  test('one within another of the same clustering is an error', () => {
    const clustering = createClustering(parameters, identity);
    clustering.apply(rows, 1n);
    const [first, second] = [applyInSlices(clustering, [bridge], 2n), applyInSlices(clustering, [bridge], 3n)];
    first.next();
    expect(() => second.next()).toThrow('A record is being applied');
    const successor = createClustering(parameters, identity);
    successor.apply(rows, 1n);
    expect(() => successor.succeed(clustering, 'next', 4n)).toThrow('A record is being applied');
    expect(atOnce(first).transitions.map(({ type }) => type)).toEqual(['split']);
  });

  test('let the loop turn while a large cluster breaks', async () => {
    const clustering = createClustering(parameters, identity, openSearch);
    const half = 3000;
    const line = (from: number, step: number): number[] => Array.from({ length: half }, (_, index) => from + step * index);
    const places = [0, ...line(0.6, 0.01), ...line(-0.6, -0.01)];
    clustering.apply(places.map((place, index) => ({ kind: 'insert', itemId: `item ${index}`, vector: Float32Array.of(place) })), 1n);
    const slices: number[] = [];
    const { transitions, assignments } = await inSlices(applyInSlices(clustering, [{ kind: 'remove', itemId: 'item 0', told: false }], 2n), undefined, (done) => slices.push(done));
    expect(transitions.map(({ type }) => type)).toEqual(['split']);
    expect(assignments).toHaveLength(half);
    expect(slices.length).toBeGreaterThan(5);
    await clustering.close();
  });

  test('that fail when a part is applied leave a clustering that refuses everything, and nobody waiting', async () => {
    const clustering = createClustering(parameters, identity);
    clustering.apply(rows, 1n);
    const work = applyInSlices(clustering, [bridge], 2n);
    work.next();
    work.next();
    expect(() => work.throw(new Error('out of memory'))).toThrow('out of memory');
    const broken = expect.objectContaining({ code: 'LS_CLUSTERING_BROKEN', message: expect.stringContaining('out of memory') as string }) as Error;
    for (const ask of [() => clustering.apply([], 3n), () => clustering.clusters(), () => clustering.item('item 1'), () => clustering.snapshot(), () => clustering.meanDegree()]) expect(ask).toThrow(broken);
    for (const ask of [clustering.prepare([Float32Array.of(1)]), clustering.assign(Float32Array.of(1)), clustering.nearest('item 1', 1), whenSettled(clustering)]) await expect(ask).rejects.toThrow(broken);
  });

  test('that are given up, or refused, before anything is changed leave it as it was', () => {
    const clustering = createClustering(parameters, identity);
    clustering.apply(rows, 1n);
    const before = bytes(clustering);
    const givenUp = applyInSlices(clustering, [bridge], 2n);
    givenUp.next();
    givenUp.return({ transitions: [], assignments: [] });
    expect(() => clustering.apply([bridge], 1n)).toThrow(expect.objectContaining({ code: 'LS_CLUSTERING_SEQUENCE_NOT_RISING' }));
    expect(bytes(clustering).equals(before)).toBe(true);
  });

  test('take the place of another clustering as at once', () => {
    const successors = [0, 1].map(() => createClustering({ ...parameters, eps: 0.5 }, { ...identity, generation: 'next' }));
    for (const successor of successors) successor.apply(rows, 1n);
    const former = createClustering(parameters, identity);
    former.apply(rows, 1n);
    const [left, right] = successors as [Clustering, Clustering];
    expect(atOnce(succeedInSlices(left, former, 'next', 2n, [bridge]))).toEqual(right.succeed(former, 'next', 2n, [bridge]));
    expect(bytes(left).equals(bytes(right))).toBe(true);
  });
});

test('values are sorted in slices as the language sorts them, equal ones in their order', () => {
  const random = createRandom(seed);
  for (const length of [0, 1, 2048, 2049, 9000, 20_001]) {
    const values = Array.from({ length }, (_, index) => ({ key: random.below(500), index }));
    const byKey = (left: { key: number }, right: { key: number }): number => left.key - right.key;
    expect(atOnce(sortInSlices([...values], byKey))).toEqual(values.toSorted(byKey));
  }
});
