/**
 * What the view keeps, as its two sides see it: the main thread, which reads the topics and answers requests, and the thread that has the file.
 * Everything here can be sent from one to the other.
 */
import type { ClusterChange } from '../clustering/alias-resolver.ts';
import type { LabelJson } from './item-labels.ts';

/** Up to where a partition is in the view. */
export type Place = {
  readonly topic: string;
  readonly partition: number;
  readonly incarnation: string;
  /** Where to read on; null: with the first record kept. */
  readonly position: string | null;
  /** Of the last record that is in the view. */
  readonly sequence: bigint | null;
  /** The highest append time so far: what ages are counted from. */
  readonly timeMs: number;
  readonly gap: Gap | null;
};

/** Records that retention took before they were read. */
export type Gap = {
  /** The first sequence that is missing. */
  readonly since: bigint;
  /** Append time of the first record after it: when that is past retention, so is all that is missing. null: there is none yet. */
  readonly endedMs: number | null;
};

export type ToldLabel = { readonly label: LabelJson; readonly appendTimeMs: number };

export type ToldChange = { readonly event: ClusterChange; readonly appendTimeMs: number };

/** What follows from records of one partition, in their order, and where that leads: kept together, or not at all. */
export type ViewBatch = { readonly place: Place; readonly labels: readonly ToldLabel[]; readonly changes: readonly ToldChange[] };

/** `currentClusterId` of an assignment: where the cluster has gone since; null for noise. */
export type CurrentLabel = { readonly label: LabelJson; readonly currentClusterId?: string | null };

export type LabelsWanted = { readonly itemId: string } | { readonly inputId: string };

export type FoundLabels = { readonly labels: readonly CurrentLabel[]; readonly places: readonly Place[] };

export type StoreLimits = {
  /** An item's entry goes so long after its last label, by the append times of the log. */
  readonly retentionMs: number;
  /** Of more items, those go whose last label is the oldest. */
  readonly itemsMax: number;
};

export type StoreSetup = StoreLimits & { readonly directory: string };

export type OpenedStore = {
  readonly places: readonly Place[];
  /** Whether it has once had all that the log held. */
  readonly isBuilt: boolean;
  /** Why there is nothing of a former file in it. */
  readonly discarded: string | null;
};

export type StoreRequest =
  | { readonly kind: 'open' }
  | { readonly kind: 'apply'; readonly batch: ViewBatch }
  | { readonly kind: 'built' }
  | { readonly kind: 'find'; readonly wanted: LabelsWanted }
  | { readonly kind: 'clear' }
  | { readonly kind: 'close' };

export type StoreMessage = StoreRequest & { readonly id: number };

/** `isDamaged`: nothing of the file can be relied on. */
export type StoreReply = { readonly id: number } & ({ readonly value: unknown } | { readonly failure: { readonly message: string; readonly isDamaged: boolean } });
