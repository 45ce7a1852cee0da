/**
 * The state of one features partition:
 *
 *   partition ── epoch, time, marks, tombstones, resets to be told
 *     └─ family ── definition, parameters in force, generation, models ever declared
 *          ├─ places: itemId -> collection (an item is in one collection of a family at most)
 *          └─ collection ── clustering (vectors, structure, what was told), items, names of clusters
 *
 * A collection exists while it holds items. Everything here is a function of the records folded; what is derived (ages in order) is rebuilt.
 */
import type { Clustering, ClusteringParameters } from '../../clustering/clustering.ts';
import type { Define, Origin } from '../../core/events.generated.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { AgeOrder } from './age-order.ts';
import type { Marks } from './marks.ts';
import type { RetentionMsOf, Tombstones } from './tombstones.ts';

export type FeaturesPartition = TopicPartition & { readonly incarnation: string };

/** What a live item's assignments are published with. */
export type Item = {
  readonly itemId: string;
  readonly inputId: string;
  readonly origin: Origin;
  readonly routeStep: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly occurredAt: number;
  readonly preview: string | null;
  /** The cluster id in its last assignment, literally: aliases are not applied. Every version of an item is told one as it enters. */
  readonly toldClusterId: string | null;
};

export type CollectionState = {
  readonly name: string;
  readonly clustering: Clustering;
  readonly items: Map<string, Item>;
  /** Names of living clusters, by id. */
  readonly clusterNames: Map<string, string>;
  /** Kept where the window counts items. */
  byAge: AgeOrder | undefined;
};

export type DeclaredModel = { readonly model: string; readonly modelVersion: string };

export type FamilyState = {
  readonly name: string;
  definition: Define;
  /** Those of the definition, or of a later control record. */
  parameters: ClusteringParameters;
  generation: string;
  readonly declaredModels: DeclaredModel[];
  readonly collections: Map<string, CollectionState>;
  readonly places: Map<string, string>;
  /** Kept where the window has an age. */
  byAge: AgeOrder | undefined;
};

export type CollectionName = { readonly family: string; readonly collection: string };

export type PartitionState = {
  readonly partition: FeaturesPartition;
  epoch: number;
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

export function emptyState(partition: FeaturesPartition): PartitionState {
  return { partition, epoch: firstEpoch, timeMs: 0, marks: new Map(), tombstones: new Map(), pendingResets: [], families: new Map() };
}

export function liveItem(family: FamilyState, itemId: string): { readonly item: Item; readonly collection: CollectionState } | undefined {
  const place = family.places.get(itemId);
  const collection = place === undefined ? undefined : family.collections.get(place);
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
