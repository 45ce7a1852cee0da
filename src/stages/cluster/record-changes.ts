/**
 * What one record does to the collections of its partition. The record's content notes its changes first, then the windows let go what has
 * to go; each collection concerned is then settled by one call of its clustering, so that consumers are told the net change of the record
 * (SEMANTICS.md, rule 14): another generation and what windows let go at the same record included.
 */
import type { Mutation } from '../../clustering/clustering.ts';
import type { SlicedWork } from '../../clustering/sliced-work.ts';
import { openCollection, placeItem } from './families.ts';
import type { Item } from './item.ts';
import type { SearchedVector } from './searched-vector.ts';
import { compareText, placeOf, type BuiltCollection, type CollectionState, type FamilyState, type PartitionState } from './state.ts';
import { nextExpired, nextSurplus } from './window.ts';

export type CollectionChanges = {
  readonly family: FamilyState;
  readonly collection: CollectionState;
  readonly mutations: Mutation[];
  /** As they were, for what is told about them. */
  readonly removedItems: Map<string, Item>;
  /** Whether the record itself concerns the collection, rather than a window that it let expire. */
  byContent: boolean;
  /** Of inserts into a projected collection, by itemId: the vectors whose images the mutations hold. */
  readonly rawVectors: Map<string, Float32Array>;
  /** Takes the place of the collection's clustering with this record. */
  successor: BuiltCollection | undefined;
  /** Items that cannot be in the successor, and are among those removed. */
  notCarried: readonly string[];
  /** Every item whose last told id differs literally is to be told (relabelOnMerge was switched on). */
  relabelsAll: boolean;
  label: { readonly clusterId: string; readonly name: string } | undefined;
};

export type RecordChanges = {
  readonly state: PartitionState;
  readonly sequence: bigint;
  /** The partition's time, this record's append time included. */
  readonly timeMs: number;
  /** itemId, or the kind of control record. */
  readonly cause: string;
  /** The cause of changes in collections that only a window concerns. */
  readonly causeOfExpiry: string;
  readonly byCollection: Map<CollectionState, CollectionChanges>;
};

export function changesOf(changes: RecordChanges, family: FamilyState, collection: CollectionState): CollectionChanges {
  const known = changes.byCollection.get(collection);
  if (known !== undefined) return known;
  const added: CollectionChanges = {
    family,
    collection,
    mutations: [],
    removedItems: new Map(),
    byContent: false,
    rawVectors: new Map(),
    successor: undefined,
    notCarried: [],
    relabelsAll: false,
    label: undefined,
  };
  changes.byCollection.set(collection, added);
  return added;
}

/** Puts a version of an item into its collection, in the place of any former version, wherever in the family that is. */
export function insertItem(
  changes: RecordChanges,
  family: FamilyState,
  collectionName: string,
  item: Item,
  { vector, image, searched }: { readonly vector: Float32Array; readonly image: Float32Array; readonly searched: SearchedVector | undefined },
): void {
  const former = placeOf(family, item.itemId);
  if (former !== undefined && former.name !== collectionName) removeItem(changes, family, former, item.itemId, false);
  const collection = openCollection(changes.state, family, collectionName);
  placeItem(family, collection, item);
  const noted = changesOf(changes, family, collection);
  noted.byContent = true;
  const prepared = searched?.takeFor(collection.clustering);
  noted.mutations.push({ kind: 'insert', itemId: item.itemId, vector: image, ...(prepared === undefined ? {} : { prepared }) });
  if (collection.raw !== undefined) noted.rawVectors.set(item.itemId, vector);
}

/** @param told whether consumers are to hear that the item is gone. */
export function removeItem(
  changes: RecordChanges,
  family: FamilyState,
  collection: CollectionState,
  itemId: string,
  told: boolean,
): void {
  release(changes, family, collection, itemId, told);
  changesOf(changes, family, collection).byContent = true;
}

function release(changes: RecordChanges, family: FamilyState, collection: CollectionState, itemId: string, told: boolean): void {
  const item = collection.items.get(itemId);
  if (item === undefined) return;
  const noted = changesOf(changes, family, collection);
  noted.removedItems.set(itemId, item);
  noted.mutations.push({ kind: 'remove', itemId, told });
  // Its vector leaves the clustering when the record's mutations are applied.
  collection.items.delete(itemId);
}

/** An item is found, read and taken out of what is ordered by age: about nanoseconds. */
const perReleased = 15_000;

/** Lets the windows of the whole partition go on to the record's time. Only a collection that the record concerns can hold too many items. */
export function* enforceWindows(changes: RecordChanges): SlicedWork<void> {
  for (const family of changes.state.families.values()) {
    for (let itemId = nextExpired(family, changes.timeMs); itemId !== undefined; itemId = nextExpired(family, changes.timeMs)) {
      yield perReleased;
      const collection = placeOf(family, itemId);
      if (collection !== undefined) release(changes, family, collection, itemId, false);
    }
  }
  for (const { family, collection } of changes.byCollection.values()) {
    for (let itemId = nextSurplus(family, collection); itemId !== undefined; itemId = nextSurplus(family, collection)) {
      yield perReleased;
      release(changes, family, collection, itemId, false);
    }
  }
}

/** In the byte order of family, then collection. */
export function inCollectionOrder(changes: RecordChanges): readonly CollectionChanges[] {
  return [...changes.byCollection.values()].sort(
    (left, right) => compareText(left.family.name, right.family.name) || compareText(left.collection.name, right.collection.name),
  );
}
