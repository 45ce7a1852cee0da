/**
 * What the owner makes of the memory that collections take (SEMANTICS.md, rule 19): at the budget a collection is to be frozen, and thawed once it is well
 * below. It only says so; the fold acts on the record. What is taken stays taken when items go, for those that come: so it counts by the share that
 * live items have of it. The places for neighbours are a budget of their own, that nobody sets: the fold could not go on where there are none.
 */
import { sortedByKey, type CollectionState, type PartitionState } from './state.ts';

export type CollectionBudget = {
  /** After a record. */
  readonly folded: () => void;
  /** What is to be frozen or thawed next. */
  readonly due: () => { readonly family: string; readonly collection: string; readonly isFrozen: boolean } | undefined;
};

const thawShare = 0.8;
/** Of the places for neighbours. The clustering refuses items from 15/16 on, and records come in before the one that freezes the collection. */
const adjacencyShareMax = 7 / 8;
/** Of so many collections, all are looked at again after any record; of more, after so many records. */
const collectionsLookedAt = 16;
const recordsBetweenLooks = 64;

/** @param bytesMax of one collection; undefined: as much as there is. */
export function createCollectionBudget(state: PartitionState, bytesMax = Infinity): CollectionBudget {
  let recordsSince = Infinity;
  let found: ReturnType<CollectionBudget['due']>;
  return {
    folded: () => (recordsSince += 1),
    due: () => {
      let count = 0;
      for (const { collections } of state.families.values()) count += collections.size;
      const isDoneMeanwhile = found !== undefined && state.families.get(found.family)?.collections.get(found.collection)?.isFrozen !== !found.isFrozen;
      if (!isDoneMeanwhile && recordsSince < (count > collectionsLookedAt ? recordsBetweenLooks : 1)) return found;
      recordsSince = 0;
      found = firstToChange(state, bytesMax);
      return found;
    },
  };
}

function firstToChange({ families }: PartitionState, bytesMax: number): ReturnType<CollectionBudget['due']> {
  for (const [family, { collections }] of sortedByKey(families)) {
    for (const [name, collection] of sortedByKey(collections)) {
      const used = usedShare(collection, bytesMax);
      const isFrozen = collection.isFrozen ? used >= thawShare : used > 1;
      if (isFrozen !== collection.isFrozen) return { family, collection: name, isFrozen };
    }
  }
  return undefined;
}

/** Of what it may take, by what it has most of. */
function usedShare({ clustering, items, raw }: CollectionState, bytesMax: number): number {
  const { search, structure, adjacency, adjacencyShare } = clustering.memoryBytes();
  const bytes = (search + structure + adjacency + items.memoryBytes() + (raw?.memoryBytes() ?? 0)) * items.share();
  return Math.max(bytes / bytesMax, adjacencyShare / adjacencyShareMax);
}
