/**
 * Which items a window lets go (SEMANTICS.md, rule 13). Age counts from the append time of the item's first input, or from `occurredAt` where
 * that is earlier and the definition asks for it: a date in the future keeps nothing alive. The oldest leave first, of one age the lower itemId.
 */
import type { Item } from './item.ts';
import { compareAged, type AgedItem } from './item-ages.ts';
import type { CollectionState, FamilyState, PartitionState } from './state.ts';

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

/** Of an item that was placed in a collection of the family. */
export function trackAge(family: FamilyState, item: Item): void {
  family.oldestMsMin = Math.min(family.oldestMsMin, ageMsOf(family, item));
}

/** After a definition or a restore. */
export function rebuildAgeOrders(family: FamilyState): void {
  family.oldestMsMin = -Infinity;
  for (const collection of family.collections.values()) orderByAge(family, collection);
}

export function orderByAge(family: FamilyState, { items }: CollectionState): void {
  const { windowItems, windowAgeMs, windowAgeBy } = family.definition;
  const isWindowed = windowItems !== null || windowAgeMs !== null;
  items.orderByAge(isWindowed ? ({ appendTime, occurredAt }) => (windowAgeBy === 'append' ? appendTime : Math.min(occurredAt, appendTime)) : undefined);
}

/** By age, then itemId, whichever collection it is in. */
function oldestOf({ collections }: FamilyState): AgedItem | undefined {
  let oldest: AgedItem | undefined;
  for (const { items } of collections.values()) {
    const candidate = items.oldest();
    if (candidate !== undefined && (oldest === undefined || compareAged(candidate, oldest) < 0)) oldest = candidate;
  }
  return oldest;
}

/** The oldest item of the family where its time has come. */
export function nextExpired(family: FamilyState, timeMs: number): string | undefined {
  if (!isDue(family, family.oldestMsMin, timeMs)) return undefined;
  const oldest = oldestOf(family);
  family.oldestMsMin = oldest?.ageMs ?? Infinity;
  return isDue(family, family.oldestMsMin, timeMs) ? oldest?.itemId : undefined;
}

function isDue(family: FamilyState, ageMs: number, timeMs: number): boolean {
  const expiryMs = expiryMsOf(family, ageMs);
  return expiryMs !== undefined && expiryMs <= timeMs;
}

/** The oldest item of a collection that holds more than its window allows. */
export function nextSurplus(family: FamilyState, { items }: CollectionState): string | undefined {
  const { windowItems } = family.definition;
  return windowItems === null || items.size <= windowItems ? undefined : items.oldest()?.itemId;
}

/** When the first item of the partition leaves by its age; undefined: none ever will. */
export function earliestExpiryMs(state: PartitionState): number | undefined {
  let earliestMs: number | undefined;
  for (const family of state.families.values()) {
    if (family.definition.windowAgeMs === null) continue;
    const oldest = oldestOf(family);
    const expiryMs = oldest === undefined ? undefined : expiryMsOf(family, oldest.ageMs);
    if (expiryMs !== undefined && (earliestMs === undefined || expiryMs < earliestMs)) earliestMs = expiryMs;
  }
  return earliestMs;
}
