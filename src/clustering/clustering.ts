/**
 * Exact incremental DBSCAN with stable identities, as its users see it: mutations in, the net change out (SEMANTICS.md, rules 14 and 15).
 *
 * The partition is a function of the live items alone. The ids are a function of the order of the mutations. Besides the structure it keeps
 * what a consumer of its output knows: each item's last told assignment and the aliases told since, so that it tells exactly what differs.
 */
import type { Metric } from '../core/events.generated.ts';

export type ClusteringParameters = { readonly metric: Metric; readonly eps: number; readonly minPoints: number };

/** What cluster ids are hashed from, beside sequence and rank. */
export type ClusteringIdentity = { readonly collection: string; readonly epoch: number; readonly generation: string };

export type Mutation =
  /** An itemId that is live is replaced: delete and insert in one. The vector has the collection's dimensions and only finite values. */
  | { readonly kind: 'insert'; readonly itemId: string; readonly vector: Float32Array }
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

export type ClusterSummary = {
  readonly clusterId: string;
  readonly size: number;
  readonly coreCount: number;
  /** Byte order of itemId. */
  readonly itemIds: readonly string[];
};

export type ItemState = {
  readonly itemId: string;
  readonly role: Exclude<Role, 'removed'>;
  readonly clusterId: string | null;
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
  /** Living clusters, in order of age (founding sequence, then rank). */
  readonly clusters: () => readonly ClusterSummary[];
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
  /** The canonical form: equal states give equal chunks, however they came about. */
  readonly snapshot: () => Iterable<Buffer>;
};
