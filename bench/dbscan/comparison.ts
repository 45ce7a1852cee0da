/** Whether two sides came to the same: the arithmetic of the bench's checks. */
import type { Labels } from './engine.ts';

export type PartitionComparison = {
  /** Points that one side alone calls a core: pairs that are eps apart but for rounding. */
  readonly coresOfOneSide: number;
  /** Clusters of one side whose cores are in several of the other's. */
  readonly clustersAcross: number;
};

/** On core points, by what both sides call one; `theirCores` false: they tell none, so ours count. */
export function comparePartitions(ours: Labels, theirs: Labels, theirCores: boolean): PartitionComparison {
  const across = new Set<string>();
  const [toTheirs, toOurs] = [new Map<number, number>(), new Map<number, number>()];
  let coresOfOneSide = 0;
  for (let point = 0; point < ours.clusters.length; point += 1) {
    const [own, other] = [ours.clusters[point] ?? 0, theirs.clusters[point] ?? 0];
    const isCore = ours.cores[point] === 1;
    if (theirCores && isCore !== (theirs.cores[point] === 1)) {
      coresOfOneSide += 1;
      continue;
    }
    if (!isCore) continue;
    if ((toTheirs.get(own) ?? other) !== other) across.add(`ours ${String(own)}`);
    if ((toOurs.get(other) ?? own) !== own) across.add(`theirs ${String(other)}`);
    toTheirs.set(own, other);
    toOurs.set(other, own);
  }
  return { coresOfOneSide, clustersAcross: across.size };
}

export type HitsOfPoint = {
  readonly point: number;
  /** Neighbours whatever the rounding, itself among them. */
  readonly certain: readonly number[];
  /** How many there are with those that rounding may have brought. */
  readonly possibleCount: number;
};

/**
 * What contradicts the engine's labels in a kernel's hits; undefined where nothing does. A point with enough certain neighbours is a core, one without
 * enough possible ones is none, and cores that are certainly neighbours are in one cluster.
 *
 * @param placeOf where a point is in the labels.
 */
export function contradiction(hits: readonly HitsOfPoint[], labels: Labels, placeOf: (point: number) => number, minPoints: number): string | undefined {
  const isCore = (point: number): boolean => labels.cores[placeOf(point)] === 1;
  const clusterOf = (point: number): number => labels.clusters[placeOf(point)] ?? -2;
  for (const { point, certain, possibleCount } of hits) {
    if (clusterOf(point) === -2) return `point ${String(point)} is not there`;
    if (certain.length >= minPoints && !isCore(point)) return `point ${String(point)} has ${String(certain.length)} neighbours and is no core`;
    if (possibleCount < minPoints && isCore(point)) return `point ${String(point)} has ${String(possibleCount)} neighbours and is a core`;
    if (!isCore(point)) continue;
    const apart = certain.find((other) => isCore(other) && clusterOf(other) !== clusterOf(point));
    if (apart !== undefined) return `the cores ${String(point)} and ${String(apart)} are neighbours in two clusters`;
  }
  return undefined;
}
