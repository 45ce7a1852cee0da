/** How far an item of noise is from where it could have been, whether within eps or not. For people alone: every item is looked at. */
import type { ItemDistance } from '../../clustering/clustering.ts';
import { distanceFor, normOf } from '../../clustering/distance.ts';
import { compareText, type CollectionState } from './state.ts';

/** By the distances that the clustering knows: of the projected vectors, where they are projected. Null where there is none. */
export type NearestToNoise = { readonly item: ItemDistance | null; readonly core: ItemDistance | null };

export function nearestToNoise({ clustering, items }: Pick<CollectionState, 'clustering' | 'items'>, itemId: string): NearestToNoise {
  const vector = clustering.vector(itemId);
  let item: ItemDistance | null = null;
  let core: ItemDistance | null = null;
  if (vector === undefined) return { item, core };
  const { metric } = clustering.parameters;
  const between = distanceFor(metric);
  const from = { vector, norm: normOf(vector) };
  for (const other of items.keys()) {
    const to = other === itemId ? undefined : clustering.vector(other);
    if (to === undefined) continue;
    const distance = between(from, { vector: to, norm: normOf(to) });
    const found = { itemId: other, distance: metric === 'euclidean' ? Math.sqrt(distance) : distance };
    if (isNearer(found, item)) item = found;
    if (isNearer(found, core) && clustering.item(other)?.role === 'core') core = found;
  }
  return { item, core };
}

/** Of one distance the lower itemId. */
function isNearer(found: ItemDistance, than: ItemDistance | null): boolean {
  return than === null || found.distance < than.distance || (found.distance === than.distance && compareText(found.itemId, than.itemId) < 0);
}
