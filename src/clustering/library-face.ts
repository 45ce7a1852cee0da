/**
 * What stands between programs of others and the engine: everything that types would refuse, and JavaScript lets through, is refused with a code before
 * anything changes. The stage, which is compiled with the engine and checks what it reads, uses the engine itself and pays for none of this.
 */
import { types } from 'node:util';
import { clusteringError } from '../core/errors/clustering.ts';
import type { Clustering, ClusteringIdentity, ClusteringParameters, Mutation } from './clustering.ts';
import { vectorBytes } from './distance.ts';
import { chooseEps as chooseEpsUnchecked, type EpsChoice, type EpsQuestion } from './eps/choose-eps.ts';
import { createClustering as createEngine, holdsItemAt, restoreClustering as restoreEngine } from './incremental-dbscan.ts';
import type { NeighbourSearch, OpenSearch, PreparedVector } from './neighbour-search.ts';
import { createPlainSearch } from './plain-search.ts';
import { createNeighbourSearch as createSearch, type SearchOptions } from './search/fast-search.ts';
import { createSearchWorkers as createWorkers, type SearchWorkers, type SearchWorkersOptions } from './search/search-workers.ts';
import type { SlicedWork } from './sliced-work.ts';
import { checkParameters } from './structure/engine-state.ts';

/** The face of one engine. */
type Face = {
  readonly engine: Clustering;
  /** The search that it has opened last. */
  readonly search: () => NeighbourSearch | undefined;
  /** What `prepare` gave and nobody has used, by point. */
  readonly prepared: Map<number, PreparedVector>;
  isClosed: boolean;
};

/** For `succeed`, which takes an engine. */
const faces = new WeakMap<Clustering, Face>();

/**
 * A clustering without items, of vectors of one length (`Float32Array`, finite values), which the first one decides. DBSCAN: Ester, Kriegel, Sander and Xu, KDD 1996;
 * incremental: Ester and others, VLDB 1998.
 * @param parameters eps as cosine distance (0 to 2), or as euclidean distance, not squared; minPoints counts the item itself and its duplicates.
 * @param identity what cluster ids are hashed from: two clusterings of one identity must not see different records of one sequence.
 * @param openSearch is called when the first vector comes. Without one every vector is compared with every other, on this thread.
 * @throws LS_CLUSTERING_PARAMETERS_INVALID, LS_CLUSTERING_ARGUMENT_INVALID. What the clustering is asked throws, or rejects with, the codes of
 *   docs/clustering.md, and has changed nothing then; what was prepared is still the caller's.
 */
export function createClustering(parameters: ClusteringParameters, identity: ClusteringIdentity, openSearch: OpenSearch = createPlainSearch): Clustering {
  requireParameters(parameters);
  requireIdentity(identity);
  return over(openSearch, (opening) => createEngine(parameters, identity, opening));
}

/**
 * @param next gives the chunks of `snapshot()` one by one, as they were given, and undefined after the last.
 * @throws LS_CLUSTERING_SNAPSHOT_INVALID
 */
export async function restoreClustering(next: () => Promise<Buffer | undefined>, openSearch: OpenSearch = createPlainSearch): Promise<Clustering> {
  if (typeof next !== 'function') throw wrong('`next` is a function that gives the next chunk of a snapshot', next);
  const opened = watching(openSearch);
  const engine = await restoreEngine(next, opened.open);
  try {
    if ((await next()) !== undefined) throw clusteringError('LS_CLUSTERING_SNAPSHOT_INVALID', 'the snapshot goes on after its last chunk');
  } catch (error) {
    // Nobody else knows of it. What went wrong before is what is told.
    await engine.close().catch(() => undefined);
    throw error;
  }
  return faceOf(engine, opened.last);
}

/** Throws LS_CLUSTERING_PARAMETERS_INVALID, LS_CLUSTERING_VECTOR_INVALID and LS_CLUSTERING_SAMPLE_TOO_LARGE. */
export function* chooseEps(vectors: readonly Float32Array[], question: EpsQuestion): SlicedWork<EpsChoice> {
  if (!isArray(vectors)) throw wrong('a sample is an array of vectors', vectors);
  if (!isObject(question)) throw wrong('what is asked about eps is an object with metric and minPoints', question);
  const { metric, minPoints, epsValues = [], pairsMax = 1, seen } = question;
  if (!isArray(epsValues)) throw wrong('`epsValues` are an array of numbers', epsValues);
  if (!Number.isSafeInteger(pairsMax) || pairsMax < 1) throw wrong('`pairsMax` is a whole number from 1 up', pairsMax);
  if (seen !== undefined && typeof seen !== 'function') throw wrong('`seen` is a function', seen);
  for (const eps of [0, ...epsValues]) requireParameters({ metric, minPoints, eps });
  return yield* chooseEpsUnchecked(vectors, question);
}

const kernels: readonly unknown[] = ['flat', 'flat-int8', 'cells', 'cells-float32', 'tree'] satisfies readonly SearchOptions['kernel'][];

/** Vectors of 4 MB: of longer ones a search could not even store some together. */
const dimensionsMax = 2 ** 20;

/** As `createNeighbourSearch` of search/fast-search.ts. @throws LS_CLUSTERING_ARGUMENT_INVALID, LS_CLUSTERING_PARAMETERS_INVALID */
export function createNeighbourSearch(dimensions: number, parameters: ClusteringParameters, options: SearchOptions = {}): NeighbourSearch {
  if (!Number.isSafeInteger(dimensions) || dimensions < 1 || dimensions > dimensionsMax) throw wrong(`the dimensions are a whole number from 1 to ${dimensionsMax}`, dimensions);
  requireParameters(parameters);
  if (!isObject(options)) throw wrong('the options of a search are an object', options);
  const { kernel, workers, workerFrom } = options;
  if (kernel !== undefined && !kernels.includes(kernel)) throw wrong(`a kernel is one of ${kernels.join(', ')}`, kernel);
  if (workers !== undefined && !isWorkers(workers)) throw wrong('workers are what `createSearchWorkers` has made', workers);
  requireOptionalNumber('workerFrom', workerFrom);
  return createSearch(dimensions, parameters, options);
}

/** As `createSearchWorkers` of search/search-workers.ts. @throws LS_CLUSTERING_ARGUMENT_INVALID */
export function createSearchWorkers(options: SearchWorkersOptions = {}): SearchWorkers {
  if (!isObject(options)) throw wrong('the options of search workers are an object', options);
  requireOptionalNumber('threads', options.threads);
  requireOptionalNumber('threadWork', options.threadWork);
  return createWorkers(options);
}

const isWorkers = (workers: unknown): boolean => isObject(workers) && ['enter', 'leave', 'search'].every((name) => typeof workers[name] === 'function');

function over(openSearch: OpenSearch, create: (openSearch: OpenSearch) => Clustering): Clustering {
  if (typeof openSearch !== 'function') throw wrong('`openSearch` is a function that opens a search', openSearch);
  const opened = watching(openSearch);
  return faceOf(create(opened.open), opened.last);
}

function watching(openSearch: OpenSearch): { readonly open: OpenSearch; readonly last: () => NeighbourSearch | undefined } {
  let last: NeighbourSearch | undefined;
  return { open: (dimensions, parameters) => (last = openSearch(dimensions, parameters)), last: () => last };
}

function faceOf(engine: Clustering, search: Face['search']): Clustering {
  const face: Face = { engine, search, prepared: new Map(), isClosed: false };
  const clustering: Clustering = {
    get size() {
      return engine.size;
    },
    get parameters() {
      return engine.parameters;
    },
    ...changing(face),
    ...asking(face),
    ...naming(face),
    ...telling(face),
    close: () => {
      face.isClosed = true;
      return engine.close();
    },
  };
  faces.set(clustering, face);
  return clustering;
}

function changing(face: Face): Pick<Clustering, 'apply' | 'rebuild' | 'succeed' | 'rebase' | 'snapshot' | 'canonicalState'> {
  const { engine } = face;
  return {
    apply: (mutations, sequence) => {
      requireRecord(face, mutations, sequence);
      const change = engine.apply(mutations, sequence);
      spend(face, mutations);
      return change;
    },
    rebuild: (parameters, generation, sequence, mutations = []) => {
      requireParameters(parameters);
      requireText('a generation', generation);
      requireRecord(face, mutations, sequence);
      const change = engine.rebuild(parameters, generation, sequence, mutations);
      spend(face, mutations);
      return change;
    },
    succeed: (previous, generation, sequence, mutations = []) => {
      const predecessor = faces.get(previous);
      if (predecessor === undefined) throw wrong('the predecessor is a clustering that `createClustering` or `restoreClustering` has made', previous);
      if (predecessor === face) throw wrong('the predecessor is another clustering', previous, ', which is the one that is to take its place');
      requireOpen(predecessor);
      requireText('a generation', generation);
      requireRecord(face, mutations, sequence);
      const change = engine.succeed(predecessor.engine, generation, sequence, mutations);
      spend(face, mutations);
      return change;
    },
    rebase: (epoch, distance) => {
      requireOpen(face);
      if (!Number.isSafeInteger(epoch)) throw wrong('an epoch is a whole number', epoch);
      requireInt64('a distance of sequences', distance);
      engine.rebase(epoch, distance);
    },
    snapshot: () => {
      requireOpen(face);
      return engine.snapshot();
    },
    canonicalState: () => {
      requireOpen(face);
      return engine.canonicalState();
    },
  };
}

function asking(face: Face): Pick<Clustering, 'prepare' | 'discard' | 'assign' | 'nearest' | 'explain' | 'vector'> {
  const { engine } = face;
  return {
    prepare: async (vectors) => {
      requireOpen(face);
      if (!Array.isArray(vectors)) throw wrong('what is to be prepared is an array of vectors', vectors);
      for (const [index, vector] of vectors.entries()) requireVector(`the vector at ${index} of those to be prepared`, vector);
      const prepared = await engine.prepare(vectors);
      for (const each of prepared) face.prepared.set(each.point, each);
      return prepared;
    },
    discard: (prepared) => {
      if (!isObject(prepared)) throw wrong('what is to be discarded comes from `prepare`', prepared);
      if (face.prepared.get(prepared.point) !== prepared) return;
      face.prepared.delete(prepared.point);
      engine.discard(prepared);
    },
    assign: async (vector) => {
      requireOpen(face);
      requireVector('the vector asked about', vector);
      return engine.assign(vector);
    },
    nearest: async (to, count) => {
      requireOpen(face);
      requireCount(count);
      if (typeof to !== 'string') requireVector('the vector asked about', to);
      else if (!engine.has(to)) throw clusteringError('LS_CLUSTERING_ITEM_UNKNOWN', `there is no item ${JSON.stringify(to)}`, { itemId: to });
      return engine.nearest(to, count);
    },
    explain: (itemId, neighboursMax) => {
      requireOpen(face);
      requireItemId(itemId);
      if (neighboursMax !== undefined) requireCount(neighboursMax);
      return engine.explain(itemId, neighboursMax);
    },
    vector: (itemId) => {
      requireOpen(face);
      requireItemId(itemId);
      return engine.vector(itemId);
    },
  };
}

function naming(face: Face): Pick<Clustering, 'has' | 'item' | 'itemIndex' | 'itemIdAt' | 'resolve' | 'cluster'> {
  const { engine } = face;
  return {
    has: (itemId) => {
      requireOpen(face);
      requireItemId(itemId);
      return engine.has(itemId);
    },
    item: (itemId) => {
      requireOpen(face);
      requireItemId(itemId);
      return engine.item(itemId);
    },
    itemIndex: (itemId) => {
      requireOpen(face);
      requireItemId(itemId);
      return engine.itemIndex(itemId);
    },
    itemIdAt: (index) => {
      requireOpen(face);
      if (!holdsItemAt(engine, index)) throw clusteringError('LS_CLUSTERING_ITEM_UNKNOWN', `no item has the number ${shown(index)}`);
      return engine.itemIdAt(index);
    },
    resolve: (clusterId) => {
      requireOpen(face);
      requireText('the id of a cluster', clusterId);
      return engine.resolve(clusterId);
    },
    cluster: (clusterId) => {
      requireOpen(face);
      requireText('the id of a cluster', clusterId);
      return engine.cluster(clusterId);
    },
  };
}

/** Of all that there is. */
function telling(face: Face): Pick<Clustering, 'clusters' | 'clusterSizes' | 'clusterIds' | 'noiseCount' | 'meanDegree' | 'memoryBytes'> {
  const whileOpen = <Answer>(answer: () => Answer) => (): Answer => {
    requireOpen(face);
    return answer();
  };
  const { engine } = face;
  return {
    clusters: whileOpen(engine.clusters), clusterSizes: whileOpen(engine.clusterSizes), clusterIds: whileOpen(engine.clusterIds),
    noiseCount: whileOpen(engine.noiseCount), meanDegree: whileOpen(engine.meanDegree), memoryBytes: whileOpen(engine.memoryBytes),
  };
}

function requireRecord(face: Face, mutations: readonly Mutation[], sequence: bigint): void {
  requireOpen(face);
  requireInt64('a sequence', sequence);
  if (!Array.isArray(mutations)) throw wrong('the mutations of a record are an array', mutations);
  for (const mutation of mutations) {
    requireMutation(mutation);
    const { itemId } = mutation;
    if (mutation.kind === 'remove') {
      if (typeof mutation.told !== 'boolean') throw wrong(`whether the removal of ${itemId} is told is true or false`, mutation.told);
      continue;
    }
    requireVector(`the vector of ${itemId}`, mutation.vector);
    if (mutation.prepared !== undefined) requirePrepared(face, mutation, mutation.prepared);
  }
  if (mutations.length > 1) requireEachOnce(mutations);
}

function requireMutation(mutation: unknown): asserts mutation is Mutation {
  const { kind, itemId } = isObject(mutation) ? mutation : {};
  if (kind !== 'insert' && kind !== 'remove') throw wrong("a mutation is of kind 'insert' or 'remove'", mutation);
  requireItemId(itemId);
}

function requireItemId(itemId: unknown): asserts itemId is string {
  if (typeof itemId !== 'string') throw clusteringError('LS_CLUSTERING_ITEM_ID_INVALID', `an itemId is a text, not ${shown(itemId)}`);
}

/** All that a snapshot, and an item, have room for. */
function requireInt64(name: string, value: unknown): void {
  if (typeof value !== 'bigint') throw wrong(`${name} is a bigint, such as 1n`, value);
  if (BigInt.asIntN(64, value) !== value) throw wrong(`${name} is a whole number of 64 bits`, value);
}

function requireCount(count: unknown): void {
  if (count !== Infinity && (!Number.isSafeInteger(count) || Number(count) < 0)) throw wrong('a count is a whole number from 0 up, or Infinity', count);
}

function requireOptionalNumber(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'number' || Number.isNaN(value))) throw wrong(`\`${name}\` is a number`, value);
}

function requirePrepared({ prepared: unused, search }: Face, { itemId, vector }: Extract<Mutation, { kind: 'insert' }>, prepared: PreparedVector): void {
  if (!isObject(prepared) || unused.get(prepared.point) !== prepared) throw preparedOnce(itemId, prepared);
  if (!areSame(search()?.vector(prepared.point), vector)) throw clusteringError('LS_CLUSTERING_ARGUMENT_INVALID', `what is prepared for ${itemId} is of its vector; given was that of another one`);
}

function requireEachOnce(mutations: readonly Mutation[]): void {
  const given = new Set<PreparedVector>();
  for (const mutation of mutations) {
    if (mutation.kind !== 'insert' || mutation.prepared === undefined) continue;
    if (given.has(mutation.prepared)) throw preparedOnce(mutation.itemId, mutation.prepared);
    given.add(mutation.prepared);
  }
}

function preparedOnce(itemId: string, prepared: PreparedVector): Error {
  return wrong(`what is prepared for ${itemId} comes from \`prepare\` of this clustering, and is used once`, prepared);
}

/** From here on buffers cost less than a loop. */
const buffersFrom = 48;

/** To the byte: 0 and -0 differ. */
function areSame(stored: Float32Array | undefined, vector: Float32Array): boolean {
  if (stored?.length !== vector.length) return false;
  if (vector.length >= buffersFrom) return vectorBytes(stored).equals(vectorBytes(vector));
  for (let index = 0; index < vector.length; index++) if (!Object.is(stored[index], vector[index])) return false;
  return true;
}

function spend({ prepared }: Face, mutations: readonly Mutation[]): void {
  for (const mutation of mutations) if (mutation.kind === 'insert' && mutation.prepared !== undefined) prepared.delete(mutation.prepared.point);
}

function requireOpen({ isClosed }: Face): void {
  if (isClosed) throw clusteringError('LS_CLUSTERING_CLOSED', 'the clustering is closed');
}

function requireVector(name: string, vector: unknown): void {
  if (!types.isFloat32Array(vector)) throw clusteringError('LS_CLUSTERING_VECTOR_INVALID', `${name} is no Float32Array but ${shown(vector)}`);
}

function requireParameters(parameters: ClusteringParameters): void {
  if (!isObject(parameters)) throw wrong('parameters are an object with metric, eps and minPoints', parameters);
  const { metric, eps, minPoints } = parameters;
  // What is no text or number may not even be told as one.
  for (const [name, value] of Object.entries({ metric, eps, minPoints })) {
    if (typeof value === 'symbol' || isObject(value)) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `${name} is ${shown(value)}`);
    if (name !== 'metric' && typeof value === 'string') throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `${name} is the text ${shown(value)}, not a number`);
  }
  checkParameters(parameters);
  if (metric === 'cosine' && eps > 2) throw clusteringError('LS_CLUSTERING_PARAMETERS_INVALID', `eps is ${eps}, and no cosine distance is above 2`, { eps });
}

function requireIdentity(identity: ClusteringIdentity): void {
  if (!isObject(identity)) throw wrong('an identity is an object with collection, epoch and generation', identity);
  requireText('the collection of an identity', identity.collection);
  requireText('the generation of an identity', identity.generation);
  if (!Number.isSafeInteger(identity.epoch)) throw wrong('the epoch of an identity is a whole number', identity.epoch);
}

function requireText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw wrong(`${name} is a text`, value);
}

function wrong(rule: string, given: unknown, of = ''): Error {
  return clusteringError('LS_CLUSTERING_ARGUMENT_INVALID', `${rule}; given was ${shown(given)}${of}`);
}

/** What it holds is still to be looked at, and its type stays. */
function isArray(value: unknown): boolean {
  return Array.isArray(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Short, whatever it is. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  if (typeof value === 'function') return 'a function';
  if (!isObject(value)) return String(value).slice(0, 40);
  if (typeof value['kind'] === 'string') return `kind ${JSON.stringify(value['kind'].slice(0, 40))}`;
  const type = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return type === 'Object' ? `an object with ${Object.keys(value).slice(0, 5).join(', ').slice(0, 40) || 'nothing in it'}` : `a value of type ${type}`;
}
