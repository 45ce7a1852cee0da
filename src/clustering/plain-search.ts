/**
 * The search that is nothing but the predicate: every vector compared with every other, in float64, on the calling thread. It is what any
 * faster search has to agree with, and all that a small collection needs.
 */
import type { ClusteringParameters } from './clustering.ts';
import { distanceFor, nearnessFor, normOf, vectorBytes, type Point } from './distance.ts';
import type { NearestPoint, NeighbourSearch, PreparedVector } from './neighbour-search.ts';

type Store = {
  parameters: ClusteringParameters;
  /** By point; undefined: not given. */
  readonly vectors: (Point | undefined)[];
  readonly free: number[];
};

/** What a stored vector takes beside its values: an object, a view and its buffer. */
const objectBytes = 200;

export function createPlainSearch(dimensions: number, parameters: ClusteringParameters): NeighbourSearch {
  const store: Store = { parameters, vectors: [], free: [] };
  return {
    dimensions,
    get parameters() {
      return store.parameters;
    },
    prepare: (vectors) => Promise.resolve(prepareTogether(store, vectors)),
    prepareNow: (vector) => prepareNow(store, vector),
    load: (rows) => {
      for (let start = 0; start < rows.length; start += dimensions) store.vectors.push(pointOf(rows.slice(start, start + dimensions)));
    },
    loaded: () => undefined,
    release: (point) => {
      store.vectors[point] = undefined;
      store.free.push(point);
    },
    vector: (point) => at(store, point).vector,
    norm: (point) => at(store, point).norm,
    alike: (point, among) => [...among].filter((other) => store.vectors[other]?.norm === at(store, point).norm),
    distance: (left, right) => distanceFor(store.parameters.metric)(at(store, left), at(store, right)),
    find: (vector) => Promise.resolve(Int32Array.from(nearTo(store, pointOf(vector), store.vectors.length, store.parameters))),
    nearest: (vector, count) => Promise.resolve(nearestTo(store, pointOf(vector), count)),
    pairsNow: (other) => pairs(store, other),
    use: (other) => {
      store.parameters = other;
    },
    close: () => Promise.resolve(),
    statistics: () => ({
      kernel: 'plain',
      reason: 'every vector is compared with every other: for small collections',
      memoryBytes: store.vectors.length * (4 * dimensions + objectBytes),
    }),
  };
}

function pointOf(vector: Float32Array): Point {
  const own = vector.slice();
  return { vector: own, norm: normOf(own) };
}

function at({ vectors }: Store, point: number): Point {
  const found = vectors[point];
  if (found === undefined) throw new Error(`point ${point} is not stored`);
  return found;
}

function* nearTo({ vectors }: Store, point: Point, limit: number, parameters: ClusteringParameters): Generator<number> {
  const isNear = nearnessFor(parameters);
  for (let index = 0; index < limit; index++) {
    const other = vectors[index];
    if (other !== undefined && other !== point && isNear(point, other)) yield index;
  }
}

function prepareNow(store: Store, vector: Float32Array): PreparedVector {
  const point = pointOf(vector);
  const near = Int32Array.from(nearTo(store, point, store.vectors.length, store.parameters));
  return { point: keep(store, point), near, parameters: store.parameters };
}

/** All are stored first, so that each is found by the others. */
function prepareTogether(store: Store, vectors: readonly Float32Array[]): PreparedVector[] {
  const points = vectors.map((vector) => keep(store, pointOf(vector)));
  return points.map((point) => {
    const near = Int32Array.from(nearTo(store, at(store, point), store.vectors.length, store.parameters));
    return { point, near, parameters: store.parameters };
  });
}

function keep({ vectors, free }: Store, point: Point): number {
  const index = free.pop() ?? vectors.length;
  vectors[index] = point;
  return index;
}

function nearestTo({ vectors, parameters }: Store, point: Point, count: number): NearestPoint[] {
  const distance = distanceFor(parameters.metric);
  const bytes = (index: number): Buffer => vectorBytes((vectors[index] ?? point).vector);
  return vectors
    .flatMap((other, index) => (other === undefined ? [] : [{ point: index, distance: distance(point, other) }]))
    .sort((left, right) => left.distance - right.distance || Buffer.compare(bytes(left.point), bytes(right.point)))
    .slice(0, count);
}

function* pairs(store: Store, parameters: ClusteringParameters): Generator<PreparedVector> {
  for (const [point, vector] of store.vectors.entries()) {
    if (vector !== undefined) yield { point, near: Int32Array.from(nearTo(store, vector, point, parameters)), parameters };
  }
}
