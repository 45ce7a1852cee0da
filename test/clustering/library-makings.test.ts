/** What `labelstream/clustering` refuses to make: clusterings, searches, workers and choices of eps of arguments that no type allows. */
import { expect, test } from 'vitest';
import {
  atOnce, chooseEps, createClustering, createNeighbourSearch, createSearchWorkers, restoreClustering, whiten, type ClusteringParameters,
} from '../../src/clustering/index.ts';
import { codeOf, untyped } from './library-calls.ts';

const identity = { collection: 'c', epoch: 1, generation: 'g' };
const parameters: ClusteringParameters = { metric: 'cosine', eps: 0.1, minPoints: 2 };
const argument = 'LS_CLUSTERING_ARGUMENT_INVALID';
const one = Float32Array.of(1, 0, 0);

const wrongMakings: Readonly<Record<string, { readonly call: () => unknown; readonly code: string }>> = {
  'no identity': { call: () => createClustering(parameters, untyped(undefined)), code: argument },
  'an empty identity': { call: () => createClustering(parameters, untyped({})), code: argument },
  'an identity whose epoch is a text': { call: () => createClustering(parameters, untyped({ ...identity, epoch: '1' })), code: argument },
  'no parameters': { call: () => createClustering(untyped(null), identity), code: argument },
  'an eps above every cosine distance': { call: () => createClustering({ ...parameters, eps: 2.5 }, identity), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'options for what opens a search': { call: () => createClustering(parameters, identity, untyped({ kernel: 'flat' })), code: argument },
  'a kernel that there is not': { call: () => createNeighbourSearch(3, parameters, { kernel: untyped('gpu') }), code: argument },
  'a search of more dimensions than memory has room for': { call: () => createNeighbourSearch(1e9, parameters), code: argument },
  'null for the options of a search': { call: () => createNeighbourSearch(3, parameters, untyped(null)), code: argument },
  'an empty object for workers': { call: () => createNeighbourSearch(3, parameters, { workers: untyped({}) }), code: argument },
  'work that is no number': { call: () => createNeighbourSearch(3, parameters, { workerFrom: untyped('8') }), code: argument },
  'null for the options of workers': { call: () => createSearchWorkers(untyped(null)), code: argument },
  'threads that are no number': { call: () => createSearchWorkers({ threads: untyped('2') }), code: argument },
  'a metric that is a symbol': { call: () => createClustering({ ...parameters, metric: untyped(Symbol('x')) }, identity), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'no sample': { call: () => atOnce(chooseEps(untyped(undefined), { metric: 'cosine', minPoints: 2 })), code: argument },
  'no question about eps': { call: () => atOnce(chooseEps([], untyped(null))), code: argument },
  'null for values of eps': { call: () => atOnce(chooseEps([one], { metric: 'cosine', minPoints: 2, epsValues: untyped(null) })), code: argument },
  'a number of pairs that is none': { call: () => atOnce(chooseEps([one], { metric: 'cosine', minPoints: 2, pairsMax: NaN })), code: argument },
  'room for no pairs': { call: () => atOnce(chooseEps([one, Float32Array.of(0, 1, 0), Float32Array.of(0, 0, 1)], { metric: 'cosine', minPoints: 2, pairsMax: 0 })), code: argument },
  'no function for rows to be seen by': { call: () => atOnce(chooseEps([one], { metric: 'cosine', minPoints: 2, seen: untyped(null) })), code: argument },
  'a search of no dimensions': { call: () => createNeighbourSearch(0, parameters), code: argument },
  'pieces that are not given one by one': { call: () => restoreClustering(untyped([])), code: argument },
  'a metric that is none, for eps': { call: () => atOnce(chooseEps([one], { metric: untyped('manhattan'), minPoints: 2 })), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'an eps above every cosine distance, for the table': { call: () => atOnce(chooseEps([one], { metric: 'cosine', minPoints: 2, epsValues: [2.5] })), code: 'LS_CLUSTERING_PARAMETERS_INVALID' },
  'an array of numbers in a sample': { call: () => atOnce(chooseEps([untyped([1, 0, 0])], { metric: 'cosine', minPoints: 2 })), code: 'LS_CLUSTERING_VECTOR_INVALID' },
  'a Float64Array in a sample to be fitted to': { call: () => atOnce(whiten.fit([untyped(Float64Array.of(1, 2)), Float32Array.of(2, 1), Float32Array.of(1, 1)], 1)), code: 'LS_PROJECTION_SAMPLE_INVALID' },
};

test.each(Object.entries(wrongMakings))('refuses %s', async (_mistake, { call, code }) => {
  expect(await codeOf(call)).toBe(code);
});

test('room for one pair of many is enough for an answer', () => {
  const vectors = [Float32Array.of(1, 0), Float32Array.of(1, 0.1), Float32Array.of(0, 1)];
  expect(atOnce(chooseEps(vectors, { metric: 'euclidean', minPoints: 2, pairsMax: 1 })).tableEnd).toBeGreaterThan(0);
});

test('what is given in place of a number, or for another vector, is told as what it is', async () => {
  expect(() => createClustering({ ...parameters, eps: untyped('0.2') }, identity)).toThrow('eps is the text "0.2", not a number');
  expect(() => createClustering({ ...parameters, minPoints: untyped('5') }, identity)).toThrow('minPoints is the text "5", not a number');
  const clustering = createClustering(parameters, identity);
  const [prepared] = await clustering.prepare([one]);
  const other = one.map((value) => value + 1);
  expect(() => clustering.apply([{ kind: 'insert', itemId: 'a', vector: other, prepared: prepared! }], 1n)).toThrow('what is prepared for a is of its vector; given was that of another one');
  expect(() => clustering.apply([{ kind: 'insert', itemId: 'a', vector: one, prepared: untyped({ point: 0 }) }], 1n)).toThrow('is used once; given was an object with point');
  await clustering.close();
});
