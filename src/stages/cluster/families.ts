/**
 * The collections of one family: opened by their first item, gone with their last, at most as many as the definition allows. An item is in
 * one of them at a time, wherever its template sends it.
 */
import { createClustering } from '../../clustering/incremental-dbscan.ts';
import { collectionIdentity } from '../../core/ids.ts';
import type { Item } from './item.ts';
import { createLiveItems } from './live-items.ts';
import { createRawVectors } from './raw-vectors.ts';
import type { CollectionState, FamilyState, PartitionState } from './state.ts';
import { isExpired, orderByAge, trackAge } from './window.ts';

/** Whether the family has room for one more collection once the record is folded: expired items gone, and the item moved. */
export function hasRoomForCollection(family: FamilyState, movingItemId: string, timeMs: number): boolean {
  const { maxCollections } = family.definition;
  if (family.collections.size < maxCollections) return true;
  let remaining = 0;
  for (const { items } of family.collections.values()) {
    const keepsAnItem = items.values().some((item) => item.itemId !== movingItemId && !isExpired(family, item, timeMs));
    if (keepsAnItem) remaining += 1;
  }
  return remaining < maxCollections;
}

export function openCollection(state: PartitionState, family: FamilyState, name: string): CollectionState {
  const known = family.collections.get(name);
  if (known !== undefined) return known;
  const identity = { collection: collectionIdentity(family.name, name), epoch: state.epoch, generation: family.generation };
  const clustering = createClustering(family.parameters, identity, state.openSearch);
  const collection: CollectionState = {
    name,
    clustering,
    items: createLiveItems(clustering),
    raw: family.projectionSha256 === null ? undefined : createRawVectors(family.definition.dimensions),
    clusterNames: new Map(),
    isFrozen: false,
  };
  orderByAge(family, collection);
  family.collections.set(name, collection);
  return collection;
}

export function placeItem(family: FamilyState, collection: CollectionState, item: Item): void {
  collection.items.set(item);
  trackAge(family, item);
}

export function dropIfEmpty({ builds }: PartitionState, family: FamilyState, collection: CollectionState): void {
  if (collection.items.size > 0) return;
  family.collections.delete(collection.name);
  builds.get(family.name)?.forget(collection);
  // It waits for the search that is under way; nobody waits for it.
  void collection.clustering.close();
}

/** Nothing more is put into them; what is there can still be asked about. */
export async function closeCollections({ families, builds }: PartitionState): Promise<void> {
  for (const build of builds.values()) build.close();
  const clusterings = [...families.values()].flatMap(({ collections }) => [...collections.values()].map(({ clustering }) => clustering));
  await Promise.all(clusterings.map((clustering) => clustering.close()));
}
