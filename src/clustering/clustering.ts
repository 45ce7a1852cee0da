/**
 * Exact incremental DBSCAN with stable identities, as its users see it: mutations in, the net change out (SEMANTICS.md, rules 14 and 15).
 *
 * The partition is a function of the live items alone. The ids are a function of the order of the mutations. Besides the structure it keeps
 * what a consumer of its output knows: each item's last told assignment and the aliases told since, so that it tells exactly what differs.
 */
import type { PreparedVector } from './neighbour-search.ts';
import type { ClusteringParameters } from './parameters.ts';

export type { ClusteringParameters } from './parameters.ts';

/** What cluster ids are hashed from, beside sequence and rank. */
export type ClusteringIdentity = { readonly collection: string; readonly epoch: number; readonly generation: string };

export type Mutation =
  /**
   * An itemId that is live is replaced: delete and insert in one. The vector has the collection's dimensions and only finite values. What
   * `prepare` gave for it spares `apply` the search, and belongs to the mutation from then on.
   */
  | { readonly kind: 'insert'; readonly itemId: string; readonly vector: Float32Array; readonly prepared?: PreparedVector }
  /** `told`: consumers get an assignment with role `removed` (deleted, forgotten); leaving a window or a collection tells nothing. */
  | { readonly kind: 'remove'; readonly itemId: string; readonly told: boolean };

export type Role = 'core' | 'border' | 'noise' | 'removed';

export type ToldAssignment = {
  readonly itemId: string;
  readonly clusterId: string | null;
  readonly role: Role;
};

export type Transition = {
  readonly type: 'emerged' | 'merged' | 'split' | 'dissolved';
  readonly survivor: string | null;
  readonly retired: readonly string[];
  readonly minted: readonly string[];
  readonly sizes: readonly { readonly clusterId: string; readonly size: number }[];
};

/** What one record did, net. Transitions and assignments are in a fixed order. */
export type NetChange = {
  readonly transitions: readonly Transition[];
  /** Every item whose cluster differs from what a consumer would resolve, in the byte order of itemId. */
  readonly assignments: readonly ToldAssignment[];
};

export type ClusterSize = {
  readonly clusterId: string;
  readonly size: number;
  readonly coreCount: number;
};

export type ClusterSummary = ClusterSize & {
  /** Byte order of itemId. */
  readonly itemIds: readonly string[];
};

export type ItemState = {
  readonly itemId: string;
  readonly role: Exclude<Role, 'removed'>;
  readonly clusterId: string | null;
};

export type ItemDistance = {
  readonly itemId: string;
  /** Cosine distance, or euclidean distance, not squared. */
  readonly distance: number;
};

/** Where a vector would be if it were inserted. */
export type Placement = {
  /** core: minPoints items are within eps, itself counted. */
  readonly role: Exclude<Role, 'removed'>;
  /** Of the nearest core item within eps, as things are: a vector that would join clusters is placed in one of them. */
  readonly clusterId: string | null;
  readonly nearestCore: ItemDistance | null;
};

export type Explanation = {
  readonly role: Exclude<Role, 'removed'>;
  readonly clusterId: string | null;
  /** How many items are within eps, itself counted: it is core from minPoints on. */
  readonly density: number;
  readonly minPoints: number;
  /** The nearest other core item within eps. */
  readonly nearestCore: ItemDistance | null;
  /** The nearest items within eps, the nearest first. An item may have very many: then the nearest of some thousands of them. */
  readonly neighbours: readonly ItemDistance[];
  /** Sequence of the record that last changed its assignment. A merge, which is told by alias, does not count. */
  readonly changedAt: bigint;
};

export type Clustering = {
  readonly size: number;
  readonly parameters: ClusteringParameters;
  readonly has: (itemId: string) => boolean;
  readonly vector: (itemId: string) => Float32Array | undefined;
  readonly item: (itemId: string) => ItemState | undefined;
  /** Applies the mutations of one record and tells their net change. The sequence rises from call to call. */
  readonly apply: (mutations: readonly Mutation[], sequence: bigint) => NetChange;
  /**
   * Rebuilds the structure from the live vectors under other parameters and another generation; ids go over by most shared core items. The
   * mutations are those of the same record (a definition that also narrows the window), since a record has one net change.
   */
  readonly rebuild: (
    parameters: ClusteringParameters,
    generation: string,
    sequence: bigint,
    mutations?: readonly Mutation[],
  ) => NetChange;
  /**
   * Takes the place of another clustering, which holds exactly the same items, and such as the mutations remove: its ids, ages, aliases and what was
   * told go over, as `rebuild` would carry them over; then it goes on under this generation. Its parameters, and its vectors, may be others. The
   * mutations are those of the same record, in its own vectors. The sequence follows that of the predecessor, which stays as it is and is to be closed.
   * @throws LS_CLUSTERING_SUCCESSOR_INVALID, and what `apply` throws. Nothing has changed then.
   */
  readonly succeed: (previous: Clustering, generation: string, sequence: bigint, mutations?: readonly Mutation[]) => NetChange;
  /** Living clusters, in order of age (founding sequence, then rank). */
  readonly clusters: () => readonly ClusterSummary[];
  /** As `clusters`, without listing their items, which takes longer the more there are. */
  readonly clusterSizes: () => readonly ClusterSize[];
  /** A living one; undefined where the id is of none. */
  readonly cluster: (clusterId: string) => ClusterSummary | undefined;
  readonly clusterIds: () => readonly string[];
  /** The living cluster an id resolves to by the aliases kept; undefined where it is dissolved or unknown. */
  readonly resolve: (clusterId: string) => string | undefined;
  readonly noiseCount: () => number;
  /** Mean number of neighbours within eps, itself not counted. */
  readonly meanDegree: () => number;
  /**
   * Goes on in another log, whose sequences begin anew: the last record applied, and with it all that is remembered of earlier ones, moves by the same
   * distance, below 0 where it has to, so that whatever comes is later. Ids stay; new ones are made under the epoch.
   */
  readonly rebase: (epoch: number, distance: bigint) => void;
  /**
   * The state as it is now, although records may be applied before the last chunk is taken: what they change and the snapshot has not given
   * yet is kept for it. It is to be read to its end, or closed by its iterator's `return`. Items have numbers (`itemIndex`) from 0 on when it
   * is restored, in the order of those they have now.
   */
  readonly snapshot: () => Iterable<Buffer>;
  /** The canonical form: equal states give equal chunks, however they came about. It can be restored like a snapshot. */
  readonly canonicalState: () => Iterable<Buffer>;
  /**
   * Finds the neighbours of vectors that are to be inserted, off the main loop. Every one is then given to `apply` or to `discard`.
   * @throws LS_CLUSTERING_VECTOR_INVALID
   */
  readonly prepare: (vectors: readonly Float32Array[]) => Promise<readonly PreparedVector[]>;
  readonly discard: (prepared: PreparedVector) => void;
  /** A small number that is the item's while it lives, also when it is replaced; -1 where it does not live. Given to others afterwards. */
  readonly itemIndex: (itemId: string) => number;
  /** Of an item that lives. */
  readonly itemIdAt: (index: number) => string;
  /** Where a vector would be, in the state that the answer finds. @throws LS_CLUSTERING_VECTOR_INVALID */
  readonly assign: (vector: Float32Array) => Promise<Placement>;
  /**
   * The nearest live items, the nearest first; an item itself is not among its own. Where records are applied all the time, faster than it can be
   * answered, items that were replaced meanwhile may be missing.
   */
  readonly nearest: (to: string | Float32Array, count: number) => Promise<readonly ItemDistance[]>;
  readonly explain: (itemId: string, neighboursMax?: number) => Explanation | undefined;
  readonly memoryBytes: () => ClusteringMemory;
  readonly close: () => Promise<void>;
};

export type ClusteringMemory = {
  /** Vectors and what finds them. */
  readonly search: number;
  /** Ids of items, what was told, and what follows from the neighbours. */
  readonly structure: number;
  /** What is near what. */
  readonly adjacency: number;
  /** Of the places that there can be for neighbours, whatever memory there is: 0 to 1. From 15/16 on, `apply` takes no item in. */
  readonly adjacencyShare: number;
};
