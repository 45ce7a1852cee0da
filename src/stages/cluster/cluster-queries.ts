/**
 * The port of questions about clusters: what owner and follower answer, and who asks, a command or HTTP. Every answer holds for the sequences that come
 * with it (SEMANTICS.md, rule 25).
 */
import type { ItemDistance, Placement, Role } from '../../clustering/clustering.ts';
import type { Metric, Origin } from '../../core/events.generated.ts';
import type { ItemExplanation, ItemReason } from './item-explanation.ts';
import type { CollectionFilter } from './state.ts';
import type { TombstoneDescription } from './tombstones.ts';
import type { VectorSample } from './vector-sample.ts';

export type CollectionDescription = {
  readonly family: string;
  readonly collection: string;
  readonly generation: string;
  /** In force. */
  readonly eps: number;
  readonly minPoints: number;
  readonly itemCount: number;
  readonly clusterCount: number;
  readonly noiseCount: number;
  /** Nothing enters it, for it has reached its memory budget. */
  readonly isFrozen: boolean;
  /** What it goes over to; `builtSinceMs` by the log's times, null while nobody builds it. */
  readonly pending: { readonly generation: string; readonly eps: number; readonly minPoints: number; readonly projectionSha256: string | null; readonly builtSinceMs: number | null } | null;
};

export type MemberDescription = {
  readonly itemId: string;
  readonly role: Exclude<Role, 'removed'>;
  /** The start of a text. */
  readonly preview: string | null;
};

export type ClusterDescription = {
  readonly family: string;
  readonly collection: string;
  readonly clusterId: string;
  readonly name: string | null;
  readonly size: number;
  readonly coreCount: number;
  /** Items near the middle of the cluster, the nearest first. */
  readonly samples: readonly MemberDescription[];
};

export type ClusterDetail = ClusterDescription & {
  /** Byte order of itemId. */
  readonly members: readonly MemberDescription[];
};

/** Of the members of a cluster: describing them takes time. */
export type MemberPage = { readonly offset: number; readonly limit: number };

export type ItemPlace = MemberDescription & {
  readonly inputId: string;
  readonly family: string;
  readonly collection: string;
  readonly clusterId: string | null;
  readonly clusterName: string | null;
  readonly origin: Origin;
};

export type ClusterFilter = CollectionFilter & {
  /** Per cluster; 3 unless told. */
  readonly samplesMax?: number;
  /** Of each collection so many, the largest; all unless told. */
  readonly countMax?: number;
};

/** Where a vector would be in a collection if it were inserted, which it is not. */
export type VectorPlace = Placement & {
  readonly family: string;
  readonly collection: string;
  readonly clusterName: string | null;
};

/** The nearest items of a collection, the nearest first. */
export type ItemNeighbours = {
  readonly family: string;
  readonly collection: string;
  readonly neighbours: readonly ItemDistance[];
};

/** What an export says of an item: its cluster now, aliases resolved. */
export type ExportedItem = {
  readonly itemId: string;
  readonly inputId: string;
  readonly role: Exclude<Role, 'removed'>;
  readonly clusterId: string | null;
  readonly clusterName: string | null;
};

export type CollectionExport = {
  readonly family: string;
  readonly collection: string;
  /**
   * The next items, none at the end. Between two records, as every question; records may be folded between two calls: then what lives throughout comes once,
   * each as it is at its call. @throws LS_CLUSTER_EXPORT_OVERTAKEN
   */
  readonly take: (countMax: number) => readonly ExportedItem[];
};

/** What a family asks of its features, and how it clusters them: what is in force. */
export type FamilyDefinition = {
  readonly family: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly dimensions: number;
  readonly projectionSha256: string | null;
  readonly metric: Metric;
  readonly eps: number;
  readonly minPoints: number;
};

export type PartitionView = {
  /** Byte order of family, then collection. */
  readonly collections: () => readonly CollectionDescription[];
  readonly frozenCount: () => number;
  /** Of families: what they are to go over to is not in force yet. */
  readonly pendingCount: () => number;
  /** By collection, the largest first; of one size the older first. */
  readonly clusters: (filter?: ClusterFilter) => readonly ClusterDescription[];
  /** Where the living cluster is that the id resolves to, and its id; undefined where it is unknown or dissolved. */
  readonly resolve: (clusterId: string) => { readonly family: string; readonly collection: string; readonly clusterId: string } | undefined;
  /** The distance that a family goes by, or is about to; undefined where there is no such family. */
  readonly metricOf: (family: string) => Metric | undefined;
  /** The living cluster that the id resolves to; undefined where it is unknown or dissolved. */
  readonly cluster: (clusterId: string, page?: MemberPage) => ClusterDetail | undefined;
  /** Where the item is: once for each family that holds it. */
  readonly item: (itemId: string) => readonly ItemPlace[];
  /** Why the item is there: once for each family that holds it. */
  readonly explain: (itemId: string, neighboursMax: number) => readonly ItemExplanation[];
  /** As `explain`, without what it takes a look at every item to know. */
  readonly reasons: (itemId: string, neighboursMax: number) => readonly ItemReason[];
  /** What keeps earlier versions of it from coming back, as of the partition's time. */
  readonly tombstones: (itemId: string) => readonly TombstoneDescription[];
  /** That holds a collection of that name, or is called so itself; undefined where nothing is known of it here. */
  readonly familyOf: (collection: string) => string | undefined;
  /** Of the families that hold a collection of that name, or of the one that is called so; where a family is named, of that one. */
  readonly definitionsOf: (collection: string, family?: string) => readonly FamilyDefinition[];
  /**
   * Once for each family that holds a collection of that name; of a family called so, or named, that holds none yet, noise. In the state that the answer finds.
   * Rejects with LS_CLUSTER_VECTOR_INVALID.
   */
  readonly place: (collection: string, vector: Float32Array, family?: string) => Promise<readonly VectorPlace[]>;
  /** Once for each family that holds the item. */
  readonly nearest: (itemId: string, countMax: number) => Promise<readonly ItemNeighbours[]>;
  /** By family, then collection. */
  readonly exports: (filter: CollectionFilter) => readonly CollectionExport[];
  /** Of each collection of that name, `sizeMax` vectors at most. */
  readonly vectors: (collection: string, sizeMax: number) => readonly VectorSample[];
};

/** `sequence` is that of the last record folded; undefined where none is known to be. */
export type PartitionStanding = { readonly partition: number; readonly sequence: bigint | undefined };

export type Answer<Value> = { readonly value: Value; readonly heldAt: readonly PartitionStanding[] };

export type PartitionExplanation = ItemExplanation & { readonly partition: number };

export type ClusterView = {
  readonly collections: () => Answer<readonly CollectionDescription[]>;
  readonly clusters: (filter?: ClusterFilter) => Answer<readonly ClusterDescription[]>;
  readonly cluster: (clusterId: string) => Answer<ClusterDetail | undefined>;
  readonly item: (itemId: string) => Answer<readonly ItemPlace[]>;
  readonly explain: (itemId: string, neighboursMax: number) => Answer<readonly PartitionExplanation[]>;
  /** Of every partition that has one. */
  readonly tombstones: (itemId: string) => Answer<readonly (TombstoneDescription & { readonly partition: number })[]>;
  /** As that of a partition. */
  readonly definitionsOf: (collection: string, family?: string) => Answer<readonly FamilyDefinition[]>;
  /** Of each collection of that name. */
  readonly vectors: (collection: string, sizeMax: number) => Answer<readonly VectorSample[]>;
};

/** One partition of features, owned here or followed. */
export type LivePartition = {
  /** Between two records. Rejects with what keeps the partition from being read. */
  readonly ask: <Value>(question: (view: PartitionView) => Value) => Promise<{ readonly value: Awaited<Value>; readonly heldAt: PartitionStanding }>;
};

export type AskOptions = {
  /** Ends the waiting, with its reason. */
  readonly signal: AbortSignal;
  /** What is waited for: by partition, the sequence that an answer has to hold for at least. */
  readonly atLeast?: ReadonlyMap<number, bigint> | undefined;
};

/** The clusters as records change them, asked by whoever does not own them, or not all. */
export type LiveClusters = {
  /** In the order of their numbers. */
  readonly partitions: (options: AskOptions) => Promise<readonly LivePartition[]>;
  readonly close: () => Promise<void>;
};

/** The same question to all of them. */
export async function askAll<Value>(clusters: Pick<LiveClusters, 'partitions'>, question: (view: PartitionView) => Value, options: AskOptions): Promise<Answer<readonly Awaited<Value>[]>> {
  const answers = await Promise.all((await clusters.partitions(options)).map((partition) => partition.ask(question)));
  return { value: answers.map(({ value }) => value), heldAt: answers.map(({ heldAt }) => heldAt) };
}
