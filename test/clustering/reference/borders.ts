/**
 * Which core item each item that is not core hangs on: the nearest core neighbour, so that the partition does not depend on the order of
 * arrival. A tie goes to the core whose vector bytes, then itemId, compare lower. An item that is not core has fewer than minPoints
 * neighbours, so choosing anew is cheap.
 */
import { compareItemIds } from '../../../src/core/ids.ts';
import { neighboursOf } from './adjacency.ts';
import { vectorBytes, type Distance } from '../../../src/clustering/distance.ts';
import type { Item } from './item.ts';

/** To be called while the anchor's component is still known. */
export function releaseAnchor(item: Item): void {
  const { anchor } = item;
  if (anchor === undefined) return;
  anchor.anchored.delete(item);
  if (anchor.component !== undefined) anchor.component.borderCount--;
  item.anchor = undefined;
}

export function chooseAnchor(item: Item, distance: Distance): void {
  releaseAnchor(item);
  const core = nearestCore(item, distance);
  if (core?.component === undefined) return;
  item.anchor = core;
  core.anchored.add(item);
  core.component.borderCount++;
}

function nearestCore(item: Item, distance: Distance): Item | undefined {
  let nearest: Item | undefined;
  let nearestDistance = Infinity;
  for (const candidate of neighboursOf(item)) {
    if (candidate.component === undefined) continue;
    const candidateDistance = distance(item, candidate);
    if (nearest !== undefined && candidateDistance > nearestDistance) continue;
    if (nearest !== undefined && candidateDistance === nearestDistance && compareTied(candidate, nearest) > 0) continue;
    nearest = candidate;
    nearestDistance = candidateDistance;
  }
  return nearest;
}

function compareTied(left: Item, right: Item): number {
  return Buffer.compare(vectorBytes(left.vector), vectorBytes(right.vector)) || compareItemIds(left.itemId, right.itemId);
}
