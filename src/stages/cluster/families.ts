/**
 * The collections of one family: opened by their first item, gone with their last, at most as many as the definition allows. An item is in
 * one of them at a time, wherever its template sends it.
 */
import { createClustering } from '../../clustering/incremental-dbscan.ts';
import { collectionIdentity } from '../../core/ids.ts';
import type { CollectionState, FamilyState, Item, PartitionState } from './state.ts';
import { isExpired, startAgeOrder, trackAge } from './window.ts';

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
  const collection: CollectionState = {
    name,
    clustering: createClustering(family.parameters, identity),
    items: new Map(),
    clusterNames: new Map(),
    byAge: undefined,
  };
  startAgeOrder(family, collection);
  family.collections.set(name, collection);
  return collection;
}

export function placeItem(family: FamilyState, collection: CollectionState, item: Item): void {
  collection.items.set(item.itemId, item);
  family.places.set(item.itemId, collection.name);
  trackAge(family, collection, item);
}

/** Takes the item out of the books; its vector leaves the clustering when the record's mutations are applied. */
export function displaceItem(family: FamilyState, collection: CollectionState, itemId: string): void {
  collection.items.delete(itemId);
  family.places.delete(itemId);
}

export function dropIfEmpty(family: FamilyState, collection: CollectionState): void {
  if (collection.items.size === 0) family.collections.delete(collection.name);
}
