/**
 * What remains of an item that was forgotten or deleted: the hash of its id and, for each input partition, the sequence up to which its
 * versions are not to come back (SEMANTICS.md, rule 21). Later versions are new.
 *
 * A forget that names no family holds for every family of the partition, those included that are declared after it. Tombstones hold for all
 * generations and route steps: what was forgotten must not come back through another model.
 */
import type { Origin } from '../../core/events.generated.ts';
import { createTombstoneScope, type InputPosition, type Tombstone, type TombstoneScope } from './tombstone-scope.ts';

/** By family; null is the whole partition. Oldest first: time never falls, so that the order in which they are set is that of age. */
export type Tombstones = Map<string | null, TombstoneScope>;

function inputKey(position: { readonly incarnation: string; readonly partition: number }): string {
  return `${position.incarnation}\n${String(position.partition)}`;
}

export function hasTombstones(tombstones: Tombstones, family: string): boolean {
  return tombstones.has(family) || tombstones.has(null);
}

/** How long the tombstones of a scope are kept, milliseconds; null: for ever. */
export type RetentionMsOf = (scopeName: string | null) => bigint | null;

function hasPassed({ setAtMs }: Tombstone, retentionMs: bigint | null, timeMs: number): boolean {
  return retentionMs !== null && setAtMs + Number(retentionMs) <= timeMs;
}

/** Whether a version of an item with this origin is at or below what was forgotten or deleted, at a time of the partition. */
export function isBuried(
  tombstones: Tombstones,
  retentionMsOf: RetentionMsOf,
  version: { readonly family: string; readonly itemHash: string; readonly origin: Origin },
  timeMs: number,
): boolean {
  return [version.family, null].some((scopeName) => {
    const tombstone = tombstones.get(scopeName)?.get(version.itemHash);
    const through = tombstone?.through.get(inputKey(version.origin));
    if (tombstone === undefined || through === undefined || version.origin.sequence > through.sequence) return false;
    return !hasPassed(tombstone, retentionMsOf(scopeName), timeMs);
  });
}

/** A tombstone that holds at a time of the partition. */
export type TombstoneDescription = {
  /** null: every family of the partition. */
  readonly family: string | null;
  /** Times of the partition: those of its records. */
  readonly setAtMs: number;
  /** null: for ever. */
  readonly untilMs: number | null;
  readonly through: readonly InputPosition[];
};

export function tombstonesOf(tombstones: Tombstones, retentionMsOf: RetentionMsOf, itemHash: string, timeMs: number): readonly TombstoneDescription[] {
  return [...tombstones].flatMap(([family, scope]) => {
    const tombstone = scope.get(itemHash);
    const retentionMs = retentionMsOf(family);
    if (tombstone === undefined || hasPassed(tombstone, retentionMs, timeMs)) return [];
    const { setAtMs, through } = tombstone;
    return [{ family, setAtMs, untilMs: retentionMs === null ? null : setAtMs + Number(retentionMs), through: [...through.values()] }];
  });
}

/** Adds to what is already dropped of the item; the retention starts anew. */
export function bury(
  tombstones: Tombstones,
  scopeName: string | null,
  itemHash: string,
  through: Iterable<InputPosition>,
  timeMs: number,
): void {
  const scope = tombstones.get(scopeName) ?? createTombstoneScope();
  tombstones.set(scopeName, scope);
  const merged = new Map(scope.get(itemHash)?.through);
  for (const { incarnation, partition, sequence } of through) {
    const known = merged.get(inputKey({ incarnation, partition }));
    if (known === undefined || sequence > known.sequence) {
      merged.set(inputKey({ incarnation, partition }), { incarnation, partition, sequence });
    }
  }
  scope.set(itemHash, { setAtMs: timeMs, through: merged });
}

/** Removes those whose retention has passed. */
export function pruneTombstones(tombstones: Tombstones, retentionMsOf: RetentionMsOf, timeMs: number): void {
  for (const [scopeName, scope] of tombstones) {
    const retentionMs = retentionMsOf(scopeName);
    for (const [itemHash, tombstone] of scope.entries()) {
      if (!hasPassed(tombstone, retentionMs, timeMs)) break;
      scope.delete(itemHash);
    }
    if (scope.size() === 0) tombstones.delete(scopeName);
  }
}

/** Adds those of several partitions, oldest first as the order asks; what several say of one item is said together. */
export function mergeTombstones(tombstones: Tombstones, former: readonly Tombstones[], belongs: (scopeName: string | null) => boolean): void {
  const all = former.flatMap((scopes) =>
    [...scopes].flatMap(([scopeName, scope]) => (belongs(scopeName) ? [...scope.entries()].map(([itemHash, tombstone]) => ({ scopeName, itemHash, ...tombstone })) : [])),
  );
  all.sort((left, right) => left.setAtMs - right.setAtMs);
  for (const { scopeName, itemHash, through, setAtMs } of all) bury(tombstones, scopeName, itemHash, through.values(), setAtMs);
}
