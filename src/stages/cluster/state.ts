/**
 * The state of one features partition:
 *
 *   partition ── epoch, time, marks, tombstones, resets to be told
 *     └─ family ── definition, parameters in force, generation, models ever declared
 *          └─ collection ── clustering (vectors, structure, what was told), items, names of clusters
 *
 * A collection exists while it holds items, and an item is in one collection of a family at most. Everything here is a function of the records folded; what is derived (ages in order) is rebuilt.
 */
import type { Clustering, ClusteringParameters } from '../../clustering/clustering.ts';
import type { OpenSearch } from '../../clustering/neighbour-search.ts';
import { createPlainSearch } from '../../clustering/plain-search.ts';
import type { Define } from '../../core/events.generated.ts';
import type { TopicPartition } from '../../core/records.ts';
import { engineVersion } from './engine-version.ts';
import type { Item } from './item.ts';
import type { LiveItems } from './live-items.ts';
import type { Marks } from './marks.ts';
import { createProjections, type Projections } from './projections.ts';
import type { RawVectors } from './raw-vectors.ts';
import type { RetentionMsOf, Tombstones } from './tombstones.ts';

export type FeaturesPartition = TopicPartition & { readonly incarnation: string };

export type CollectionState = {
  readonly name: string;
  /** Another one from the record on that swaps in the next generation. */
  clustering: Clustering;
  readonly items: LiveItems;
  /** Of a projected collection, whose clustering holds their images. */
  raw: RawVectors | undefined;
  /** Names of living clusters, by id. */
  readonly clusterNames: Map<string, string>;
  /** Nothing enters it (rule 19). */
  isFrozen: boolean;
};

export type DeclaredModel = { readonly model: string; readonly modelVersion: string };

/** What a family goes over to once its owner has built it (SEMANTICS.md, rule 16). */
export type PendingGeneration = {
  readonly generation: string;
  readonly parameters: ClusteringParameters;
  readonly projectionSha256: string | null;
  /** Of the record that asked for it. */
  readonly sequence: bigint;
  /** Since when its owner has been building it, in the partition's time; undefined while nobody has begun. */
  readonly builtSinceMs: number | undefined;
};

/** A generation that is being built beside the one in force. Derived: it is in no snapshot, and changes nothing of what comes of the records. */
export type GenerationBuild = {
  readonly generation: string;
  /** The fold of the record that swaps it in would not have to wait for much. */
  readonly isReady: () => boolean;
  readonly hasFailed: () => boolean;
  /** Aborted by `close`. */
  readonly closed: AbortSignal;
  /** Goes on where it failed. */
  readonly tryAgain: () => void;
  /** An item that cannot be in it, where that holds for all of the family: it is not swapped in, as far as is known. */
  readonly heldUpBy: () => string | undefined;
  /**
   * Resolves when it holds all items as they are, where nothing is folded meanwhile. Rejects with what it failed with.
   * @param stopping ends the waiting, not the work.
   */
  readonly complete: (stopping?: AbortSignal) => Promise<'complete' | 'stopped'>;
  /** Records have changed these items, or there are new ones. */
  readonly changed: (collection: CollectionState, itemIds: readonly string[]) => void;
  /** The collection is gone. */
  readonly forget: (collection: CollectionState) => void;
  /** Hands over what was built of the collection. */
  readonly take: (collection: CollectionState) => BuiltCollection | undefined;
  readonly close: () => void;
};

export type BuiltCollection = Pick<CollectionState, 'raw'> & {
  readonly clustering: Clustering;
  /** Items that cannot be in it, in no order. */
  readonly withoutImage: ReadonlySet<string>;
};

export type FamilyState = {
  readonly name: string;
  definition: Define;
  /** In force: those that a definition or a later control record asked for when there were no items, or that were swapped in since. */
  parameters: ClusteringParameters;
  /** In force, as the parameters. */
  projectionSha256: string | null;
  /** In force. */
  generation: string;
  /** Asked for since, while there are items. */
  pending: PendingGeneration | undefined;
  readonly declaredModels: DeclaredModel[];
  readonly collections: Map<string, CollectionState>;
  /** No item is older: a bound for the window, which spares most records a look at every collection. */
  oldestMsMin: number;
};

/** `term`: sequence of the record that says so. `owner`: of one opening of the partition. */
export type Claim = { readonly owner: string; readonly term: bigint };

export type CollectionName = { readonly family: string; readonly collection: string };

export type PartitionState = {
  readonly partition: FeaturesPartition;
  /** For the collections. It changes nothing of what comes of the records. */
  readonly openSearch: OpenSearch;
  readonly projections: Projections;
  /** By family. */
  readonly builds: Map<string, GenerationBuild>;
  epoch: number;
  /** In force: what the owner appends for itself under a lower term is ignored (rule 20). */
  claim: Claim | undefined;
  /** Of the engine whose results are in force (rule 27). */
  engineVersion: number;
  /** Running maximum of the append times (rule 13). */
  timeMs: number;
  readonly marks: Marks;
  readonly tombstones: Tombstones;
  /** Of which consumers are told, with the next record, that what was told before is void: this history began without its beginning (rule 17). */
  pendingResets: readonly CollectionName[];
  readonly families: Map<string, FamilyState>;
};

/** The epoch of a features log that nothing has interrupted. */
const firstEpoch = 1;

export function emptyState(partition: FeaturesPartition, openSearch: OpenSearch = createPlainSearch, projections: Projections = createProjections()): PartitionState {
  return { partition, openSearch, projections, builds: new Map(), epoch: firstEpoch, claim: undefined, engineVersion, timeMs: 0, marks: new Map(), tombstones: new Map(), pendingResets: [], families: new Map() };
}

/** Puts all that another state holds into one that is empty. The other is not to be used any more. */
export function adoptState(state: PartitionState, { epoch, claim, engineVersion: version, timeMs, pendingResets, marks, tombstones, families }: PartitionState): void {
  Object.assign(state, { epoch, claim, engineVersion: version, timeMs, pendingResets } satisfies Partial<PartitionState>);
  for (const [key, mark] of marks) state.marks.set(key, mark);
  for (const [scopeName, scope] of tombstones) state.tombstones.set(scopeName, scope);
  for (const [name, family] of families) state.families.set(name, family);
}

/** The collection of the family that holds the item. */
export function placeOf({ collections }: FamilyState, itemId: string): CollectionState | undefined {
  for (const collection of collections.values()) if (collection.items.has(itemId)) return collection;
  return undefined;
}

export function itemCountOf({ collections }: FamilyState): number {
  let count = 0;
  for (const { items } of collections.values()) count += items.size;
  return count;
}

export function liveItem(family: FamilyState, itemId: string): { readonly item: Item; readonly collection: CollectionState } | undefined {
  const collection = placeOf(family, itemId);
  const item = collection?.items.get(itemId);
  return collection === undefined || item === undefined ? undefined : { item, collection };
}

/** What holds for the whole partition is kept as long as any of its families asks for. */
export function tombstoneRetentionOf({ families }: PartitionState): RetentionMsOf {
  return (scopeName) => {
    if (scopeName !== null) return families.get(scopeName)?.definition.tombstoneRetentionMs ?? null;
    let longestMs: bigint | null = null;
    for (const { definition } of families.values()) {
      const retentionMs = definition.tombstoneRetentionMs;
      if (retentionMs === null) return null;
      if (longestMs === null || retentionMs > longestMs) longestMs = retentionMs;
    }
    return longestMs;
  };
}

export type CollectionFilter = { readonly family?: string | undefined; readonly collection?: string | undefined };

/** Byte order of family, then collection. */
export function* collectionsNamed(state: PartitionState, filter: CollectionFilter): Generator<{ readonly family: FamilyState; readonly collection: CollectionState }, undefined> {
  for (const [, family] of sortedByKey(state.families)) {
    if (filter.family !== undefined && filter.family !== family.name) continue;
    for (const [name, collection] of sortedByKey(family.collections)) {
      if (filter.collection === undefined || filter.collection === name) yield { family, collection };
    }
  }
  return undefined;
}

/** By the byte order of their keys: the order in which anything is published or written. */
export function sortedByKey<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([left], [right]) => compareText(left, right));
}

/** Byte order of UTF-8, as `compareItemIds`, without encoding: surrogates stand for code points above all others. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const leftUnit = left.charCodeAt(index);
    const rightUnit = right.charCodeAt(index);
    if (leftUnit !== rightUnit) return codePointOrder(leftUnit) - codePointOrder(rightUnit);
  }
  return left.length - right.length;
}

function codePointOrder(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
