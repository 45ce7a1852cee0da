/** `labelstream/clustering` as a program uses it: the example as it stands, and everything that it may be given by mistake. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  atOnce, checkVector, chooseEps, createClustering, createNeighbourSearch, createPlainSearch, createSearchWorkers, inSlices,
  restoreClustering, whiten, type Clustering, type ClusteringParameters, type Mutation, type OpenSearch,
} from '../../src/clustering/index.ts';
import { root } from '../repository/documents.ts';
import { withDirectory } from '../service/program.ts';
import { codeOf, untyped } from './library-calls.ts';

const identity = { collection: 'c', epoch: 1, generation: 'g' };
const parameters: ClusteringParameters = { metric: 'cosine', eps: 0.1, minPoints: 2 };

const insert = (itemId: string, ...values: readonly number[]): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.from(values) });
const remove = (itemId: string): Mutation => ({ kind: 'remove', itemId, told: true });

/** Three items that are one cluster, and one apart. */
function smallClustering(openSearch: OpenSearch, other: Partial<ClusteringParameters> = {}): Clustering {
  const clustering = createClustering({ ...parameters, ...other }, identity, openSearch);
  clustering.apply([insert('a', 1, 0, 0), insert('b', 1, 0.1, 0), insert('c', 1, 0, 0.1), insert('far', 0, 0, 1)], 10n);
  return clustering;
}

const stateOf = (clustering: Clustering): string => Buffer.concat([...clustering.canonicalState()]).toString('base64');

test('the example runs, and what it restores goes on as what it came from', { timeout: 60_000 }, async () => {
  await withDirectory(async (directory) => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'examples/clustering.ts'), join(directory, 'snapshot')]);
    const summary = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
    // Five directions with 360 items each, of which one was removed, and the tenth that has none.
    expect(summary).toMatchObject({ items: 1999, restoredItems: 1998, clusters: 5, isSame: true, placement: { role: 'core', nearestCore: { itemId: 'item/1', distance: 0 } } });
    expect(summary['noise']).toBeGreaterThanOrEqual(190);
    expect(summary['noise']).toBeLessThanOrEqual(220);
    expect(summary['nearest']).toHaveLength(3);
    expect(summary['explanation']).toMatchObject({ role: 'core', minPoints: 5, changedAt: expect.any(Number) as number });
  });
});

test('nothing in the program imports its public face', async () => {
  const files = (await readdir(join(root, 'src'), { recursive: true })).filter((file) => file.endsWith('.ts'));
  const importing = [];
  for (const file of files) if (/from '[^']*\/index\.ts'/.test(await readFile(join(root, 'src', file), 'utf8'))) importing.push(file);
  expect(importing).toEqual([]);
});

type Change = { readonly call: (clustering: Clustering) => unknown; readonly code: string };

const argument = 'LS_CLUSTERING_ARGUMENT_INVALID';
const one = Float32Array.of(1, 0, 0);
const withVector = (vector: unknown): Mutation => ({ kind: 'insert', itemId: 'x', vector: untyped(vector) });

/** What no type allows, and a program in JavaScript gives. */
const untypedMistakes: Readonly<Record<string, Change>> = {
  'a mutation of no kind that there is': { call: (clustering) => clustering.apply([untyped({ kind: 'upsert', itemId: 'a', vector: one })], 11n), code: argument },
  'a mutation without a kind': { call: (clustering) => clustering.apply([untyped({ itemId: 'a' })], 11n), code: argument },
  'null for a mutation': { call: (clustering) => clustering.apply([untyped(null)], 11n), code: argument },
  'one mutation for several': { call: (clustering) => clustering.apply(untyped(insert('x', 1, 0, 0)), 11n), code: argument },
  'a removal that does not say whether it is told': { call: (clustering) => clustering.apply([untyped({ kind: 'remove', itemId: 'a' })], 11n), code: argument },
  'a sequence that is a number': { call: (clustering) => clustering.apply([], untyped(11)), code: argument },
  'a sequence that is a number, for a rebuild': { call: (clustering) => clustering.rebuild(parameters, 'g2', untyped(11)), code: argument },
  'a generation that is no text': { call: (clustering) => clustering.rebuild(parameters, untyped(undefined), 11n), code: argument },
  'parameters that are none': { call: (clustering) => clustering.rebuild(untyped(undefined), 'g2', 11n), code: argument },
  'a rebuild with an eps above every cosine distance': { call: (clustering) => clustering.rebuild({ ...parameters, eps: 2.01 }, 'g2', 11n), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'an itemId that is a number': { call: (clustering) => clustering.apply([untyped({ kind: 'insert', itemId: 7, vector: one })], 11n), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'an item to be removed that is undefined': { call: (clustering) => clustering.apply([untyped({ kind: 'remove', told: true })], 11n), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'no vector': { call: (clustering) => clustering.apply([withVector(undefined)], 11n), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'a Float64Array': { call: (clustering) => clustering.apply([withVector(Float64Array.of(1, 0, 0))], 11n), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'an array of numbers': { call: (clustering) => clustering.apply([withVector([1, 0, 0])], 11n), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'an array of numbers to be prepared': { call: (clustering) => clustering.prepare([untyped([1, 0, 0])]), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'nothing to be prepared': { call: (clustering) => clustering.prepare([untyped(undefined)]), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'a vector for several to be prepared': { call: (clustering) => clustering.prepare(untyped(one)), code: argument },
  'a Float64Array asked about': { call: (clustering) => clustering.assign(untyped(Float64Array.of(1, 0, 0))), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'the nearest to an array of numbers': { call: (clustering) => clustering.nearest(untyped([1, 0, 0]), 1), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'the nearest to an item that is not there': { call: (clustering) => clustering.nearest('nobody', 1), code: 'LS_CLUSTERING_ITEM_UNKNOWN' },
  'fewer than none': { call: (clustering) => clustering.nearest('a', -1), code: argument },
  'half an item': { call: (clustering) => clustering.nearest('a', 1.5), code: argument },
  'no number of items': { call: (clustering) => clustering.nearest('a', NaN), code: argument },
  'a predecessor that is none': { call: (clustering) => clustering.succeed(untyped({}), 'g2', 11n), code: argument },
  'itself for its predecessor': { call: (clustering) => clustering.succeed(clustering, 'g2', 11n), code: argument },
  'null for what is prepared': { call: (clustering) => clustering.apply([untyped({ ...insert('x', 1, 0, 0), prepared: null })], 11n), code: argument },
  'nothing to be discarded': { call: (clustering) => clustering.discard(untyped(undefined)), code: argument },
  'a sequence of more than 64 bits': { call: (clustering) => clustering.apply([insert('x', 1, 0, 0)], 2n ** 63n), code: argument },
  'a sequence of more than 64 bits below 0': { call: (clustering) => clustering.apply([], -(2n ** 63n) - 1n), code: argument },
  'a sequence of more than 64 bits, for a rebuild': { call: (clustering) => clustering.rebuild(parameters, 'g2', 2n ** 70n), code: argument },
  'a sequence of more than 64 bits, for a successor': { call: (clustering) => clustering.succeed(createClustering(parameters, identity), 'g2', 2n ** 70n), code: argument },
  'a distance of more than 64 bits': { call: (clustering) => clustering.rebase(2, 2n ** 80n), code: argument },
  'a distance to beyond 64 bits': { call: (clustering) => clustering.rebase(2, 2n ** 63n - 10n), code: argument },
  'a distance to beyond 64 bits below 0': { call: (clustering) => clustering.rebase(2, -(2n ** 63n) - 11n), code: argument },
  'a metric that is a symbol': { call: (clustering) => clustering.rebuild(untyped({ ...parameters, metric: Symbol('cosine') }), 'g2', 11n), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'an eps that is an object without a text': { call: (clustering) => clustering.rebuild(untyped({ ...parameters, eps: Object.create(null) as unknown }), 'g2', 11n), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'a number for the itemId, asked whether it is there': { call: (clustering) => clustering.has(untyped(5)), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'a number for the itemId, to be explained': { call: (clustering) => clustering.explain(untyped(5)), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'no itemId, asked for its vector': { call: (clustering) => clustering.vector(untyped(undefined)), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'no itemId, asked for its state': { call: (clustering) => clustering.item(untyped(null)), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'no itemId, asked for its number': { call: (clustering) => clustering.itemIndex(untyped(Symbol('a'))), code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'a number that no item has': { call: (clustering) => clustering.itemIdAt(4), code: 'LS_CLUSTERING_ITEM_UNKNOWN' },
  'a number below 0': { call: (clustering) => clustering.itemIdAt(-1), code: 'LS_CLUSTERING_ITEM_UNKNOWN' },
  'a text for the number of an item': { call: (clustering) => clustering.itemIdAt(untyped('0')), code: 'LS_CLUSTERING_ITEM_UNKNOWN' },
  'a number for the id of a cluster': { call: (clustering) => clustering.resolve(untyped(5)), code: argument },
  'fewer neighbours than none': { call: (clustering) => clustering.explain('a', -1), code: argument },
  'an epoch that is no number': { call: (clustering) => clustering.rebase(untyped('2'), 1n), code: argument },
  'a distance that is a number': { call: (clustering) => clustering.rebase(2, untyped(1)), code: argument },
};

type Mistake = { readonly mutations: readonly Mutation[]; readonly code: string; readonly sequence?: bigint };

const invalid = 'LS_CLUSTERING_VECTOR_INVALID';
const mistakes: Readonly<Record<string, Mistake>> = {
  'NaN': { mutations: [insert('x', 1, NaN, 0)], code: invalid },
  'infinity': { mutations: [insert('x', 1, Infinity, 0)], code: invalid },
  'minus infinity': { mutations: [insert('x', -Infinity, 0, 0)], code: invalid },
  'a number beyond float32': { mutations: [insert('x', 1e39, 0, 0)], code: invalid },
  'the zero vector': { mutations: [insert('x', 0, 0, 0)], code: invalid },
  'the zero vector with a minus sign': { mutations: [insert('x', 0, -0, 0)], code: invalid },
  'numbers that float32 makes zero': { mutations: [insert('x', 1e-50, 0, 0)], code: invalid },
  'too few dimensions': { mutations: [insert('x', 1, 0)], code: invalid },
  'too many dimensions': { mutations: [insert('x', 1, 0, 0, 0)], code: invalid },
  'no dimensions': { mutations: [insert('x')], code: invalid },
  'a replacement that is invalid': { mutations: [insert('a', NaN, 0, 0)], code: invalid },
  'an invalid one among valid ones': { mutations: [insert('x', 1, 0, 0), remove('a'), insert('y', 0, 0, 0)], code: invalid },
  'half of a surrogate pair in an itemId': { mutations: [insert('x\ud800', 1, 0, 0)], code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'half of a surrogate pair in an itemId to be removed': { mutations: [remove('\udc00')], code: 'LS_CLUSTERING_ITEM_ID_INVALID' },
  'the sequence of the last record': { mutations: [insert('x', 1, 0, 0)], code: 'LS_CLUSTERING_SEQUENCE_NOT_RISING', sequence: 10n },
  'an earlier sequence': { mutations: [], code: 'LS_CLUSTERING_SEQUENCE_NOT_RISING', sequence: 9n },
};

const wrongParameters: Readonly<Record<string, Partial<ClusteringParameters>>> = {
  'eps below 0': { eps: -1e-9 },
  'eps NaN': { eps: NaN },
  'eps infinite': { eps: Infinity },
  'minPoints 0': { minPoints: 0 },
  'minPoints below 0': { minPoints: -3 },
  'minPoints with a fraction': { minPoints: 2.5 },
  'minPoints NaN': { minPoints: NaN },
  'a metric that is none': { metric: 'manhattan' as 'cosine' },
};

const searches: Readonly<Record<string, OpenSearch>> = {
  'the plain search': createPlainSearch,
  'the fast search': (dimensions, given) => createNeighbourSearch(dimensions, given),
  'the fast search, float32': (dimensions, given) => createNeighbourSearch(dimensions, given, { kernel: 'flat' }),
  'the fast search, 8 bits': (dimensions, given) => createNeighbourSearch(dimensions, given, { kernel: 'flat-int8' }),
  'the fast search, cells': (dimensions, given) => createNeighbourSearch(dimensions, given, { kernel: 'cells' }),
};

describe.each(Object.entries(searches))('%s', (_name, openSearch) => {
  test.each(Object.entries(mistakes))('refuses a record with %s, and is as it was', async (_mistake, { mutations, code, sequence = 11n }) => {
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    expect(await codeOf(() => clustering.apply(mutations, sequence))).toBe(code);
    expect(await codeOf(() => clustering.rebuild({ ...parameters, eps: 0.2 }, 'g2', sequence, mutations))).toBe(code);
    expect(stateOf(clustering)).toBe(before);
    // It goes on as one that was never asked for it.
    const next = [insert('x', 1, 0, 0), remove('a')];
    expect(clustering.apply(next, 12n)).toEqual(smallClustering(openSearch).apply(next, 12n));
    await clustering.close();
  });

  test.each(Object.entries(untypedMistakes))('refuses %s, and is as it was', async (_mistake, { call, code }) => {
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    expect(await codeOf(() => call(clustering))).toBe(code);
    expect(stateOf(clustering)).toBe(before);
    await clustering.close();
  });

  test('the first vector, too, is a Float32Array', async () => {
    for (const vector of [[1, 0, 0], Float64Array.of(1, 0, 0), undefined]) {
      const clustering = createClustering(parameters, identity, openSearch);
      expect(await codeOf(() => clustering.prepare([untyped(vector)]))).toBe(invalid);
      expect(await codeOf(() => clustering.apply([withVector(vector)], 1n))).toBe(invalid);
      expect(await codeOf(() => clustering.assign(untyped(vector)))).toBe(invalid);
      clustering.apply([insert('x', 1, 0)], 1n);
      expect(clustering.size).toBe(1);
      await clustering.close();
    }
  });

  test('refuses to go over to cosine with a vector that has no direction, and is as it was', async () => {
    const clustering = createClustering({ metric: 'euclidean', eps: 1, minPoints: 2 }, identity, openSearch);
    clustering.apply([insert('c', 0, 0), insert('b', 0, -0), insert('a', 1, 0), insert('d', 1, 0.1)], 1n);
    const before = stateOf(clustering);
    const cosine = { metric: 'cosine', eps: 0.1, minPoints: 2 } as const;
    expect(() => clustering.rebuild(cosine, 'g2', 2n)).toThrow(/vector of b is zero/);
    expect(await codeOf(() => clustering.rebuild(cosine, 'g2', 2n, [remove('b')]))).toBe(invalid);
    expect(await codeOf(() => clustering.rebuild(cosine, 'g2', 2n, [remove('b'), insert('c', 0, 0)]))).toBe(invalid);
    expect(stateOf(clustering)).toBe(before);
    clustering.rebuild(cosine, 'g2', 2n, [remove('b'), insert('c', 0, 1)]);
    expect([clustering.size, clustering.item('a')?.role]).toEqual([3, 'core']);
    await clustering.close();
  });

  test('refuses what was prepared for another vector, by another clustering, or is used already', async () => {
    const [clustering, other] = [smallClustering(openSearch), smallClustering(openSearch)];
    const before = stateOf(clustering);
    const [first, second] = await clustering.prepare([Float32Array.of(1, 0.2, 0), Float32Array.of(0, 1, 0)]);
    const [foreign] = await other.prepare([Float32Array.of(1, 0.2, 0)]);
    const using = (prepared: typeof first, itemId = 'x'): Mutation => ({ kind: 'insert', itemId, vector: Float32Array.of(1, 0.2, 0), prepared: prepared! });
    expect(await codeOf(() => clustering.apply([using(second)], 11n))).toBe(argument);
    expect(await codeOf(() => clustering.apply([using(foreign)], 11n))).toBe(argument);
    expect(await codeOf(() => clustering.apply([using(first), using(first, 'y')], 11n))).toBe(argument);
    expect(stateOf(clustering)).toBe(before);
    clustering.apply([using(first)], 11n);
    expect(await codeOf(() => clustering.apply([using(first, 'y')], 12n))).toBe(argument);
    clustering.discard(second!);
    clustering.discard(second!);
    expect(clustering.size).toBe(5);
    await clustering.close();
    await other.close();
  });

  test('tells what was prepared for one long vector from another by every value, a sign of 0 included', async () => {
    const long = (last: number): Float32Array => Float32Array.from({ length: 100 }, (_, at) => (at === 99 ? last : 1));
    for (const [vector, other] of [[long(1), long(2)], [long(0), long(-0)], [Float32Array.of(1, 0), Float32Array.of(1, -0)]] as const) {
      const clustering = createClustering(parameters, identity, openSearch);
      const [prepared] = await clustering.prepare([vector]);
      const mutation = (given: Float32Array): Mutation => ({ kind: 'insert', itemId: 'x', vector: given, prepared: prepared! });
      expect(await codeOf(() => clustering.apply([mutation(other)], 1n))).toBe(argument);
      clustering.apply([mutation(vector)], 1n);
      expect(clustering.size).toBe(1);
      await clustering.close();
    }
  });

  test('refuses everything after it was closed, but what only cleans up, or is known without its state', async () => {
    const clustering = smallClustering(openSearch);
    const [prepared] = await clustering.prepare([one]);
    const [clusterId] = clustering.clusterIds();
    await clustering.close();
    const calls: readonly (() => unknown)[] = [
      () => clustering.apply([insert('x', 1, 0, 0)], 11n), () => clustering.apply([], 11n), () => clustering.rebuild(parameters, 'g2', 11n), () => clustering.prepare([one]),
      () => clustering.assign(one), () => clustering.nearest('a', 1), () => clustering.explain('a'), () => clustering.vector('a'), () => clustering.snapshot(),
      () => clustering.canonicalState(), () => clustering.rebase(2, 1n), () => smallClustering(openSearch).succeed(clustering, 'g2', 11n),
      () => clustering.has('a'), () => clustering.item('a'), () => clustering.item('nobody'), () => clustering.itemIndex('a'), () => clustering.itemIdAt(0),
      () => clustering.resolve(clusterId!), () => clustering.clusters(), () => clustering.clusterIds(), () => clustering.noiseCount(), () => clustering.meanDegree(),
      () => clustering.memoryBytes(),
    ];
    for (const call of calls) expect(await codeOf(call), String(call)).toBe('LS_CLUSTERING_CLOSED');
    expect([clustering.size, clustering.parameters.eps]).toEqual([4, parameters.eps]);
    clustering.discard(prepared!);
    await clustering.close();
  });

  test('refuses invalid vectors wherever it is asked, and is as it was', async () => {
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    const vectors = Object.values(mistakes).filter(({ code }) => code === invalid).flatMap(({ mutations }) => mutations.flatMap((mutation) => (mutation.kind === 'insert' ? [mutation.vector] : [])));
    const wrong = vectors.filter((vector) => checkVector(vector, 3, 'cosine') !== undefined);
    expect(wrong.length).toBeGreaterThanOrEqual(12);
    for (const vector of wrong) {
      expect(await codeOf(() => clustering.prepare([Float32Array.of(1, 0, 0), vector]))).toBe(invalid);
      expect(await codeOf(() => clustering.assign(vector))).toBe(invalid);
      expect(await codeOf(() => clustering.nearest(vector, 1))).toBe(invalid);
    }
    expect(stateOf(clustering)).toBe(before);
    await clustering.close();
  });

  test.each(Object.entries(wrongParameters))('refuses %s, and is as it was', async (_mistake, wrong) => {
    expect(await codeOf(() => createClustering({ ...parameters, ...wrong }, identity, openSearch))).toBe('LS_CLUSTERING_PARAMETERS_INVALID');
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    expect(await codeOf(() => clustering.rebuild({ ...parameters, ...wrong }, 'g2', 11n))).toBe('LS_CLUSTERING_PARAMETERS_INVALID');
    expect(stateOf(clustering)).toBe(before);
    await clustering.close();
  });

  test('what was prepared for a record that is refused stays the caller\'s, for another record or to be discarded', async () => {
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    const vector = Float32Array.of(1, 0.05, 0);
    const [first, second] = await clustering.prepare([vector, vector]);
    const mutation = (prepared: typeof first): Mutation => ({ kind: 'insert', itemId: 'x', vector, ...(prepared !== undefined && { prepared }) });
    expect(await codeOf(() => clustering.apply([mutation(first), insert('y', 0, 0, 0)], 11n))).toBe(invalid);
    expect(stateOf(clustering)).toBe(before);
    clustering.discard(second!);
    expect(clustering.apply([mutation(first)], 11n)).toEqual(smallClustering(openSearch).apply([mutation(undefined)], 11n));
    await clustering.close();
  });

  test('an item that is there is replaced, one that is not there is none: no error, and nothing told of it', async () => {
    const clustering = smallClustering(openSearch);
    const before = stateOf(clustering);
    expect(clustering.apply([remove('nobody')], 11n)).toEqual({ transitions: [], assignments: [] });
    expect(clustering.item('nobody')).toBeUndefined();
    expect(clustering.vector('nobody')).toBeUndefined();
    expect(clustering.explain('nobody')).toBeUndefined();
    expect(clustering.resolve('nobody')).toBeUndefined();
    expect(clustering.itemIndex('nobody')).toBe(-1);
    expect(clustering.apply([insert('far', 1, 0, 0)], 12n).assignments).toEqual([{ itemId: 'far', clusterId: clustering.clusterIds()[0], role: 'core' }]);
    expect(clustering.size).toBe(4);
    expect(clustering.apply([insert('far', 0, 0, 1)], 13n).assignments).toEqual([{ itemId: 'far', clusterId: null, role: 'noise' }]);
    expect(stateOf(clustering)).not.toBe(before);
    expect(await clustering.nearest('a', 0)).toEqual([]);
    expect(await clustering.nearest('a', Infinity)).toHaveLength(3);
    await clustering.close();
  });

  test('values up to the largest of float32 are vectors like others, beside small ones', async () => {
    const large = [[1e25, 0], [1.00001e25, 0], [0, 1e25], [3.4e38, 3.4e38], [-3.4e38, 3.4e38], [3.4e38, 3.3e38], [1e-30, 0], [1e-45, 1e-45], [2, 1], [2, 1.001]] as const;
    for (const [metric, eps] of [['cosine', 1e-3], ['euclidean', 1e22], ['euclidean', 1e37], ['euclidean', 1e-29]] as const) {
      const clustering = createClustering({ metric, eps, minPoints: 2 }, identity, openSearch);
      const expected = createClustering({ metric, eps, minPoints: 2 }, identity);
      const vectors = large.map((values) => Float32Array.from(values));
      const prepared = await clustering.prepare(vectors);
      for (const [index, vector] of vectors.entries()) {
        const change = clustering.apply([{ kind: 'insert', itemId: `i${index}`, vector, prepared: prepared[index]! }], BigInt(index));
        expect(change).toEqual(expected.apply([{ kind: 'insert', itemId: `i${index}`, vector }], BigInt(index)));
      }
      expect(stateOf(clustering)).toBe(stateOf(expected));
      expect(clustering.clusterIds().length, `${metric} ${eps}`).toBeGreaterThan(0);
      expect(await clustering.nearest('i0', 9)).toEqual(await expected.nearest('i0', 9));
      await clustering.close();
    }
  });

  test('a snapshot that is cut off, or goes on after its end, is refused', async () => {
    const chunks = [...smallClustering(openSearch).snapshot()];
    for (let kept = 0; kept < chunks.length; kept++) {
      const rest = chunks.slice(0, kept);
      expect(await codeOf(() => restoreClustering(() => Promise.resolve(rest.shift()), openSearch))).toBe('LS_CLUSTERING_SNAPSHOT_INVALID');
    }
    for (const beyond of [chunks[0]!, chunks.at(-1)!, Buffer.alloc(0)]) {
      const more = [...chunks, beyond];
      expect(await codeOf(() => restoreClustering(() => Promise.resolve(more.shift()), openSearch))).toBe('LS_CLUSTERING_SNAPSHOT_INVALID');
    }
    const restored = await restoreClustering(() => Promise.resolve(chunks.shift()), openSearch);
    expect(stateOf(restored)).toBe(stateOf(smallClustering(openSearch)));
    await restored.close();
  });
});

test('what is opened for a snapshot that is refused is closed again', async () => {
  const chunks = [...smallClustering(createPlainSearch).snapshot()];
  const failing = (): Promise<Buffer> => Promise.reject(new Error('the disk is gone'));
  for (const [end, message] of [[() => Promise.resolve(Buffer.of(0)), /goes on/], [failing, /disk is gone/]] as const) {
    const rest = [...chunks];
    let closedCount = 0;
    const openSearch: OpenSearch = (dimensions, given) => {
      const search = createPlainSearch(dimensions, given);
      return { ...search, get parameters() { return search.parameters; }, close: () => search.close().finally(() => closedCount++) };
    };
    await expect(restoreClustering(() => (rest.length === 0 ? end() : Promise.resolve(rest.shift())), openSearch)).rejects.toThrow(message);
    expect(closedCount).toBe(1);
  }
});

test('choosing eps and fitting a projection refuse what they cannot use', async () => {
  const vectors = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  const question = { metric: 'cosine', minPoints: 2 } as const;
  expect(await codeOf(() => atOnce(chooseEps([...vectors, Float32Array.of(NaN, 0)], question)))).toBe(invalid);
  expect(await codeOf(() => atOnce(chooseEps([...vectors, Float32Array.of(0, 0)], question)))).toBe(invalid);
  expect(await codeOf(() => inSlices(chooseEps(vectors, { ...question, minPoints: 0 })))).toBe('LS_CLUSTERING_PARAMETERS_INVALID');
  expect(await codeOf(() => inSlices(chooseEps(vectors, { ...question, epsValues: [-1] })))).toBe('LS_CLUSTERING_PARAMETERS_INVALID');
  expect(await codeOf(() => inSlices(whiten.fit(vectors, 2)))).toBe('LS_PROJECTION_SAMPLE_INVALID');
  expect(await codeOf(() => inSlices(whiten.fit(Array.from({ length: 9 }, () => Float32Array.of(1, 2)), 1)))).toBe('LS_PROJECTION_RANK_DEFICIENT');
});

test('a number is that of an item only while it lives', async () => {
  const clustering = smallClustering(createPlainSearch);
  const index = clustering.itemIndex('b');
  expect(clustering.itemIdAt(index)).toBe('b');
  clustering.apply([remove('b')], 11n);
  expect(await codeOf(() => clustering.itemIdAt(index))).toBe('LS_CLUSTERING_ITEM_UNKNOWN');
  await clustering.close();
});

test('sequences go to the last of 64 bits, and are remembered so', async () => {
  for (const sequence of [2n ** 63n - 1n, -(2n ** 63n)]) {
    const clustering = createClustering(parameters, identity);
    clustering.apply([insert('a', 1, 0), insert('b', 1, 0)], sequence);
    expect(clustering.explain('a')?.changedAt).toBe(sequence);
    await clustering.close();
  }
});

test('one worker serves several clusterings, and goes on after one of them is closed', async () => {
  const workers = createSearchWorkers();
  const openSearch: OpenSearch = (dimensions, given) => createNeighbourSearch(dimensions, given, { workers, workerFrom: 0 });
  const [left, right] = [smallClustering(openSearch), smallClustering(openSearch, { metric: 'euclidean', eps: 0.2 })];
  await left.close();
  const vector = Float32Array.of(1, 0.05, 0);
  const [prepared] = await right.prepare([vector]);
  right.apply([{ kind: 'insert', itemId: 'x', vector, prepared: prepared! }], 11n);
  expect(right.item('x')?.role).toBe('core');
  await right.close();
  await workers.close();
});
