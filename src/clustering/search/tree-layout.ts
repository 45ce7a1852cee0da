/**
 * A bucket k-d tree for few dimensions, as a search reads it. A vertex is a leaf of up to 32 rows or has two children, and has a box around all that
 * is below it: of the coordinates themselves (euclidean), or of those divided by the norm (cosine). Rows hold the vectors.
 *
 * Euclidean needs no margin: each addend of the distance from a box is at most that of any row in it, rounding keeps the order of what it rounds,
 * and the order of addition is that of the predicate. Cosine has one for what rounding does to unit coordinates, and the predicate decides on rows.
 */
import type { Metric } from '../../core/events.generated.ts';
import type { ClusteringParameters } from '../clustering.ts';
import { nearnessFor, normOf } from '../distance.ts';
import type { Hits } from './hits.ts';
import type { SearchedVector } from './scan-context.ts';

export const leafRows = 32;
export const treeDimensionsMax = 16;

export type TreeState = {
  readonly dimensions: number;
  /** Whose boxes they are. */
  readonly metric: Metric;
  /** A vertex; -1 where there is nothing. */
  readonly root: number;
  /** Two of each vertex; the first of a leaf's is -1 minus the leaf. */
  readonly children: Int32Array;
  /** 2 d numbers of each vertex: least and greatest coordinates. */
  readonly boxes: Float32Array;
  /** Rows of each leaf. */
  readonly counts: Int32Array;
  readonly coordinates: Float32Array;
  readonly points: Int32Array;
};

/** More than rounding to float32 moves a point of the unit sphere of 16 dimensions, twice. */
const unitMargin = 1e-5;

/** Adds the points near a query. */
export function searchTree(state: TreeState, index: number, query: SearchedVector, parameters: ClusteringParameters, hits: Hits): void {
  if (state.root < 0) return;
  if (parameters.metric === 'cosine') searchCosine(state, index, query, parameters, hits);
  else searchEuclidean(state, index, query, parameters.eps * parameters.eps, hits);
}

function searchEuclidean(state: TreeState, index: number, { vector, point }: SearchedVector, limit: number, hits: Hits): void {
  const { dimensions, coordinates, points } = state;
  const query = Float64Array.from(vector);
  forLeavesWithin(state, query, limit, (row, end) => {
    for (let candidate = row; candidate < end; candidate++) {
      const at = candidate * dimensions;
      let sum = 0;
      for (let dimension = 0; dimension < dimensions; dimension++) {
        const difference = (query[dimension] as number) - (coordinates[at + dimension] as number);
        sum += difference * difference;
      }
      if (sum <= limit && points[candidate] !== point) hits.add(index, points[candidate] as number);
    }
  });
}

function searchCosine(state: TreeState, index: number, query: SearchedVector, parameters: ClusteringParameters, hits: Hits): void {
  const { dimensions, coordinates, points } = state;
  const { eps } = parameters;
  const near = nearnessFor(parameters);
  const isNearInBytes = (row: number): boolean => {
    const vector = coordinates.subarray(row * dimensions, (row + 1) * dimensions);
    return near(query, { vector, norm: normOf(vector) });
  };
  const values = Float64Array.from(query.vector);
  const unit = Float64Array.from(query.vector, (value) => value / query.norm);
  const limit = (Math.sqrt(2 * parameters.eps) + unitMargin) ** 2;
  forLeavesWithin(state, unit, limit, (row, end) => {
    for (let candidate = row; candidate < end; candidate++) {
      const at = candidate * dimensions;
      let product = 0;
      let squares = 0;
      for (let dimension = 0; dimension < dimensions; dimension++) {
        const value = coordinates[at + dimension] as number;
        product += (values[dimension] as number) * value;
        squares += value * value;
      }
      // The predicate's own arithmetic, without an object per row; where it looks at the bytes, too, it is asked itself.
      const distance = 1 - product / (query.norm * Math.sqrt(squares));
      if (distance > 1e-12 ? distance > eps : !isNearInBytes(candidate)) continue;
      if (points[candidate] !== query.point) hits.add(index, points[candidate] as number);
    }
  });
}

/** Calls with the first row of each leaf whose box may hold something near, and the one behind its last. @param limit of the squared distance. */
function forLeavesWithin({ root, boxes, children, counts }: TreeState, query: Float64Array, limit: number, scan: (row: number, end: number) => void): void {
  const stack = [root];
  for (let vertex = stack.pop(); vertex !== undefined; vertex = stack.pop()) {
    if (boxDistance(boxes, vertex, query) > limit) continue;
    const first = children[2 * vertex] as number;
    if (first >= 0) {
      stack.push(first, children[2 * vertex + 1] as number);
      continue;
    }
    const row = (-1 - first) * leafRows;
    scan(row, row + (counts[-1 - first] as number));
  }
}

/** The squared distance of a query from a vertex's box. */
function boxDistance(boxes: Float32Array, vertex: number, query: Float64Array): number {
  const { length } = query;
  const least = 2 * length * vertex;
  let sum = 0;
  for (let dimension = 0; dimension < length; dimension++) {
    const value = query[dimension] as number;
    const below = (boxes[least + dimension] as number) - value;
    const above = value - (boxes[least + length + dimension] as number);
    if (below > 0) sum += below * below;
    else if (above > 0) sum += above * above;
  }
  return sum;
}
