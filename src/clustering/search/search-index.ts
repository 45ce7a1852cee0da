/** What a search keeps its vectors in: rows with or without cells, or a tree. It is changed on the main thread only, and, while another thread searches it, by `add` alone. */
import type { ClusteringParameters } from '../clustering.ts';
import type { PointTable } from './point-table.ts';
import type { ScanCosts } from './range-scan.ts';
import type { ScanState, SearchedVector } from './scan-context.ts';

export type SearchIndex = {
  readonly points: PointTable;
  readonly add: (vector: Float32Array, norm: number) => number;
  /** The same for vectors that lie one behind the other, where there is something quicker than one by one. */
  readonly addRows?: (rows: Float32Array) => void;
  readonly remove: (point: number) => void;
  readonly vector: (point: number) => Float32Array;
  /** A view, or what was copied `into`. */
  readonly readVector: (point: number, into: Float32Array) => Float32Array;
  readonly norm: (point: number) => number;
  /** What another thread needs to search it as it is now; undefined where that would gain nothing. */
  readonly state: () => ScanState | undefined;
  /** Element i: the points near vector i. On this thread. */
  readonly searchNow: (vectors: readonly SearchedVector[], parameters: ClusteringParameters) => Int32Array[];
  /** What the searches since have found, for the index to arrange itself by, some milliseconds at a time. Returns whether it would go on. @param costs of those in the worker. */
  readonly settle: (found: readonly FoundNear[], parameters: ClusteringParameters, costs: ScanCosts) => boolean;
  /** What it would be good to know the neighbours of, to arrange the index by; none where it is arranged, or nothing can be gained. */
  readonly wanted: () => readonly WantedVector[];
  /** Of comparing one vector with everything, in multiply-adds. */
  readonly work: () => number;
  readonly describe: () => { readonly kernel: string; readonly reason: string };
  readonly memoryBytes: () => number;
};

/** A stored point, or the centre of a cell. */
export type WantedVector = SearchedVector & { readonly cell?: number };

/** @property cell whose centre was searched for, instead of a point. */
export type FoundNear = { readonly point: number; readonly near: Int32Array; readonly cell?: number };
