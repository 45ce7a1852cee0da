/**
 * One pass over the distances of a sample, each computed once, that leaves all that any eps needs: how far each point's minPoints-th neighbour is, itself
 * counted (from that eps on it is a core), and the pairs that are near each other.
 *
 * Distances are in the metric's own scale, as `distanceFor` has it: squared for euclidean.
 */
import type { Metric } from '../../core/events.generated.ts';
import type { SlicedWork } from '../sliced-work.ts';
import { distancesFour, type DistinctPoints } from './distinct-points.ts';
import { createKSmallest } from './k-smallest.ts';
import { createNearestPairs, type Pairs } from './nearest-pairs.ts';

export type NeighbourGraph = {
  readonly metric: Metric;
  readonly minPoints: number;
  readonly points: DistinctPoints;
  /** By point: the smallest distance within which minPoints items are, itself and those of the same bytes counted; Infinity where there are fewer items. */
  readonly kDistances: Float64Array;
  readonly pairs: Pairs;
};

/** Points whose vectors stay in the processor's cache while all others pass by. */
const blockPoints = 64;

/** @param pairsMax 16 bytes each, and for a moment twice that. */
export function* neighbourGraph(points: DistinctPoints, metric: Metric, minPoints: number, pairsMax: number): SlicedWork<NeighbourGraph> {
  const { count, dimensions, weights, itemCount } = points;
  const others = weights.map((weight) => (itemCount < minPoints ? 0 : minPoints - weight));
  const nearest = createKSmallest(others);
  const pairs = createNearestPairs(pairsMax);
  const distancesOf = distancesFour(metric, points);
  const four = new Float64Array(4);
  for (let block = 0; block < count; block += blockPoints) {
    const blockEnd = Math.min(count, block + blockPoints);
    for (let from = block + 1; from < count; from++) {
      const end = Math.min(from, blockEnd);
      for (let first = block; first < end; first += 4) {
        distancesOf(from, first, four);
        for (let to = first; to < Math.min(first + 4, end); to++) {
          const distance = four[to - first] as number;
          nearest.add(from, distance, weights[to] as number);
          nearest.add(to, distance, weights[from] as number);
          pairs.add(from, to, distance);
        }
      }
      yield (end - block) * (dimensions + 8);
    }
  }
  const kDistances = Float64Array.from({ length: count }, (_, point) => (itemCount < minPoints ? Infinity : nearest.kth(point)));
  return { metric, minPoints, points, kDistances, pairs: pairs.pairs() };
}

/** What a distance is compared with: `nearnessFor` has the same. */
export function limitOf(metric: Metric, eps: number): number {
  return metric === 'cosine' ? eps : eps * eps;
}

/** The least eps within which a distance is, but for rounding. */
export function epsOf(metric: Metric, distance: number): number {
  return metric === 'cosine' ? distance : Math.sqrt(distance);
}
