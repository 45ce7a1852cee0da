/**
 * Which items a window lets go (SEMANTICS.md, rule 13). Age counts from the append time of the item's first input, or from `occurredAt` where
 * that is earlier and the definition asks for it: a date in the future keeps nothing alive. The oldest leave first, of one age the lower itemId.
 */
import { createAgeOrder } from './age-order.ts';
import { liveItem, type CollectionState, type FamilyState, type Item, type PartitionState } from './state.ts';

/** The time from which the item's age counts. */
function ageMsOf(family: FamilyState, item: Pick<Item, 'origin' | 'occurredAt'>): number {
  const { appendTime } = item.origin;
  return family.definition.windowAgeBy === 'append' ? appendTime : Math.min(item.occurredAt, appendTime);
}

/** When the item leaves; undefined where the window has no age. */
function expiryMsOf(family: FamilyState, ageMs: number): number | undefined {
  const { windowAgeMs } = family.definition;
  return windowAgeMs === null ? undefined : ageMs + Number(windowAgeMs);
}

export function isExpired(family: FamilyState, item: Pick<Item, 'origin' | 'occurredAt'>, timeMs: number): boolean {
  const expiryMs = expiryMsOf(family, ageMsOf(family, item));
  return expiryMs !== undefined && expiryMs <= timeMs;
}

/** Puts an item that was placed in its collection into the orders that the window needs. */
export function trackAge(family: FamilyState, collection: CollectionState, item: Item): void {
  const entry = { itemId: item.itemId, ageMs: ageMsOf(family, item) };
  family.byAge?.add(entry);
  collection.byAge?.add(entry);
}

/** Makes the orders anew, after a definition or a restore. */
export function rebuildAgeOrders(family: FamilyState): void {
  family.byAge = family.definition.windowAgeMs === null ? undefined : createFamilyOrder(family);
  for (const collection of family.collections.values()) {
    startAgeOrder(family, collection);
    for (const item of collection.items.values()) trackAge(family, collection, item);
  }
}

export function startAgeOrder(family: FamilyState, collection: CollectionState): void {
  collection.byAge =
    family.definition.windowItems === null
      ? undefined
      : createAgeOrder(
          ({ itemId, ageMs }) => {
            const item = collection.items.get(itemId);
            return item !== undefined && ageMsOf(family, item) === ageMs;
          },
          () => collection.items.size,
        );
}

function createFamilyOrder(family: FamilyState) {
  return createAgeOrder(
    ({ itemId, ageMs }) => {
      const item = liveItem(family, itemId)?.item;
      return item !== undefined && ageMsOf(family, item) === ageMs;
    },
    () => family.places.size,
  );
}

/** The oldest item of the family where its time has come. */
export function nextExpired(family: FamilyState, timeMs: number): string | undefined {
  const oldest = family.byAge?.oldest();
  if (oldest === undefined) return undefined;
  const expiryMs = expiryMsOf(family, oldest.ageMs);
  return expiryMs !== undefined && expiryMs <= timeMs ? oldest.itemId : undefined;
}

/** The oldest item of a collection that holds more than its window allows. */
export function nextSurplus(family: FamilyState, collection: CollectionState): string | undefined {
  const { windowItems } = family.definition;
  return windowItems === null || collection.items.size <= windowItems ? undefined : collection.byAge?.oldest()?.itemId;
}

/** When the first item of the partition leaves by its age; undefined: none ever will. */
export function earliestExpiryMs(state: PartitionState): number | undefined {
  let earliestMs: number | undefined;
  for (const family of state.families.values()) {
    const oldest = family.byAge?.oldest();
    const expiryMs = oldest === undefined ? undefined : expiryMsOf(family, oldest.ageMs);
    if (expiryMs !== undefined && (earliestMs === undefined || expiryMs < earliestMs)) earliestMs = expiryMs;
  }
  return earliestMs;
}
