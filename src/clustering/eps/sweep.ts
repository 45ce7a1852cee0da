/**
 * The clusters of a sample under many values of eps, exactly as DBSCAN gives them (SEMANTICS.md, rule 14), without a distance more: as eps grows, points
 * become cores and pairs come near, and neither is ever undone. So each pair is looked at twice over all values together:
 *
 *   from the row on in which the pair is near and one of both is a core, that core is a candidate for the nearest core of the other one (a border item);
 *   from the row on in which both are cores as well, both are of one cluster (union-find).
 */
import { vectorBytes } from '../distance.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { vectorOf } from './distinct-points.ts';
import { limitOf, type NeighbourGraph } from './neighbour-graph.ts';

export type EpsRow = {
  readonly eps: number;
  readonly clusterCount: number;
  /** Items in each role; they sum up to the items of the sample. */
  readonly coreCount: number;
  readonly borderCount: number;
  readonly noiseCount: number;
  /** Items of the largest cluster, and of the one after it; 0 where there is none. */
  readonly largestSize: number;
  readonly secondSize: number;
  /** Mean number of neighbours of an item, itself not counted. */
  readonly meanDegree: number;
};

/** Called for each eps; `clusterOf` gives, while it runs, a number for the cluster of each point, -1 for noise. */
export type RowSeen = (row: EpsRow, clusterOf: (point: number) => number) => void;

/** @param epsValues ascending, 255 of them at most, and none for which pairs are missing (`limitOf` below the bound of the pairs). */
export function* sweepEps(graph: NeighbourGraph, epsValues: readonly number[], seen: RowSeen): SlicedWork<void> {
  const { metric, points, kDistances, pairs } = graph;
  const limits = Float64Array.from(epsValues, (eps) => limitOf(metric, eps));
  const coreRow = Uint8Array.from(kDistances, (distance) => rowOf(limits, distance));
  const [nearRow, borderRow, unionRow] = [new Uint8Array(pairs.count), new Uint8Array(pairs.count), new Uint8Array(pairs.count)];
  for (let pair = 0; pair < pairs.count; pair++) {
    const [left, right] = [coreRow[pairs.left[pair] as number] as number, coreRow[pairs.right[pair] as number] as number];
    const near = rowOf(limits, pairs.distances[pair] as number);
    nearRow[pair] = near;
    borderRow[pair] = Math.max(near, Math.min(left, right));
    unionRow[pair] = Math.max(near, left, right);
    if (pair % 65_536 === 65_535) yield 65_536 * 8;
  }
  const degrees = degreeByRow(graph, nearRow, limits.length);
  yield pairs.count;
  const borders = pairsByRow(borderRow, limits.length);
  yield pairs.count;
  const unions = pairsByRow(unionRow, limits.length);
  yield pairs.count;
  const parents = Uint32Array.from({ length: points.count }, (_, point) => point);
  const nearestCore = createNearestCores(graph);
  for (const [row, eps] of epsValues.entries()) {
    for (const pair of borders(row)) {
      const [left, right] = [pairs.left[pair] as number, pairs.right[pair] as number];
      if ((unionRow[pair] as number) === row) continue;
      if ((coreRow[left] as number) <= row) nearestCore.offer(right, left, pairs.distances[pair] as number);
      else nearestCore.offer(left, right, pairs.distances[pair] as number);
    }
    for (const pair of unions(row)) unite(parents, pairs.left[pair] as number, pairs.right[pair] as number);
    const clusterOf = (point: number): number => {
      const core = (coreRow[point] as number) <= row ? point : nearestCore.of(point);
      return core < 0 ? -1 : rootOf(parents, core);
    };
    seen({ eps, ...countsOf(graph, (point) => (coreRow[point] as number) <= row, clusterOf), meanDegree: (degrees[row] as number) / Math.max(1, points.itemCount) }, clusterOf);
    yield points.count * 4 + borders(row).length + unions(row).length;
  }
}

/** The first row whose limit a distance is within; their number where there is none. */
function rowOf(limits: Float64Array, distance: number): number {
  let low = 0;
  let high = limits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (distance <= (limits[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Sums over the items of their neighbours, as of each row. */
function degreeByRow({ points: { weights }, pairs }: NeighbourGraph, nearRow: Uint8Array, rowCount: number): Float64Array {
  const sums = new Float64Array(rowCount + 1);
  for (const weight of weights) sums[0] = (sums[0] as number) + weight * (weight - 1);
  for (let pair = 0; pair < pairs.count; pair++) {
    const row = nearRow[pair] as number;
    sums[row] = (sums[row] as number) + 2 * (weights[pairs.left[pair] as number] as number) * (weights[pairs.right[pair] as number] as number);
  }
  for (let row = 1; row < rowCount; row++) sums[row] = (sums[row] as number) + (sums[row - 1] as number);
  return sums;
}

/** The pairs of each row (counting sort). */
function pairsByRow(rows: Uint8Array, rowCount: number): (row: number) => Uint32Array {
  const starts = new Uint32Array(rowCount + 2);
  for (const row of rows) starts[row + 1] = (starts[row + 1] as number) + 1;
  for (let row = 1; row < starts.length; row++) starts[row] = (starts[row] as number) + (starts[row - 1] as number);
  const places = starts.slice();
  const sorted = new Uint32Array(rows.length);
  for (let pair = 0; pair < rows.length; pair++) {
    const row = rows[pair] as number;
    sorted[places[row] as number] = pair;
    places[row] = (places[row] as number) + 1;
  }
  return (row) => sorted.subarray(starts[row], starts[row + 1]);
}

function rootOf(parents: Uint32Array, point: number): number {
  let root = point;
  while ((parents[root] as number) !== root) {
    const above = parents[parents[root] as number] as number;
    parents[root] = above;
    root = above;
  }
  return root;
}

function unite(parents: Uint32Array, left: number, right: number): void {
  const [one, other] = [rootOf(parents, left), rootOf(parents, right)];
  // Halving of paths alone keeps trees low; the lower number is the root, so that numbers of clusters do not depend on the order of pairs.
  if (one < other) parents[other] = one;
  else parents[one] = other;
}

/** Of each point the nearest core so far; of several at one distance the one whose vector's bytes compare lowest (rule 14). */
function createNearestCores({ points }: NeighbourGraph) {
  const cores = new Int32Array(points.count).fill(-1);
  const distances = new Float64Array(points.count).fill(Infinity);
  const isLower = (left: number, right: number): boolean => Buffer.compare(vectorBytes(vectorOf(points, left)), vectorBytes(vectorOf(points, right))) < 0;
  return {
    of: (point: number): number => cores[point] as number,
    offer: (point: number, core: number, distance: number): void => {
      const known = distances[point] as number;
      if (distance > known || (distance === known && !isLower(core, cores[point] as number))) return;
      cores[point] = core;
      distances[point] = distance;
    },
  };
}

function countsOf({ points: { weights, count } }: NeighbourGraph, isCore: (point: number) => boolean, clusterOf: (point: number) => number): Omit<EpsRow, 'eps' | 'meanDegree'> {
  const sizes = new Map<number, number>();
  let [coreCount, borderCount, noiseCount] = [0, 0, 0];
  for (let point = 0; point < count; point++) {
    const weight = weights[point] as number;
    const cluster = clusterOf(point);
    if (cluster < 0) {
      noiseCount += weight;
      continue;
    }
    if (isCore(point)) coreCount += weight;
    else borderCount += weight;
    sizes.set(cluster, (sizes.get(cluster) ?? 0) + weight);
  }
  let [largestSize, secondSize] = [0, 0];
  for (const size of sizes.values()) {
    if (size > largestSize) [largestSize, secondSize] = [size, largestSize];
    else if (size > secondSize) secondSize = size;
  }
  return { clusterCount: sizes.size, coreCount, borderCount, noiseCount, largestSize, secondSize };
}
