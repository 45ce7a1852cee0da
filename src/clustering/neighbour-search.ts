/**
 * The port between the structure of a clustering and whatever finds out which vectors are near each other. A search stores vectors under small
 * integers ("points") and answers by the one predicate of distance.ts, however it goes about it. What a point means, which points are live,
 * and how long one must not be given to others, is the structure's business.
 */
import type { ClusteringParameters } from './parameters.ts';

export type PreparedVector = {
  readonly point: number;
  /** The points near it, itself not among them, each once, in no order; points that were only prepared are among them. */
  readonly near: Int32Array;
  /** Those it was searched under, the same object that `NeighbourSearch.parameters` was then: whoever uses it later sees whether they still hold. */
  readonly parameters: ClusteringParameters;
};

/** The metric's own scale: cosine distance, squared euclidean distance. */
export type NearestPoint = { readonly point: number; readonly distance: number };

export type SearchStatistics = {
  readonly kernel: string;
  /** Why this kernel, for people. */
  readonly reason: string;
  /** What vectors and index take in memory. */
  readonly memoryBytes: number;
};

export type NeighbourSearch = {
  readonly dimensions: number;
  /** Metric and eps of the answers. */
  readonly parameters: ClusteringParameters;
  /**
   * Stores the vectors and finds, off the main loop, which stored vectors are near each, one another included. One call at a time: a second
   * waits for the first. Of any two vectors prepared and not released, the later prepared one's `near` names the earlier one, and within
   * one call both name each other. The vectors are copied before it returns its promise.
   */
  readonly prepare: (vectors: readonly Float32Array[]) => Promise<readonly PreparedVector[]>;
  /** The same at once, on this thread. */
  readonly prepareNow: (vector: Float32Array) => PreparedVector;
  /**
   * Stores vectors whose neighbours are known already (those of a snapshot), row after row. To be called before anything else is stored,
   * any number of times: the first row is point 0, and the others follow. The rows are copied.
   */
  readonly load: (rows: Float32Array) => void;
  /** All rows are loaded, and whoever loaded them is done: what is to be gained by arranging them is sought from here on. */
  readonly loaded: () => void;
  /** The vector is gone: its point is given to others, but only after the search under way has ended. */
  readonly release: (point: number) => void;
  /** A view, for reading at once. */
  readonly vector: (point: number) => Float32Array;
  /** sqrt(sum x^2) in float64, index order. */
  readonly norm: (point: number) => number;
  /** Those of the points whose vectors may have the bytes of the point's: few, and every one that has them. The points need not be stored any more. */
  readonly alike: (point: number, among: Int32Array) => readonly number[];
  /** Rule 14's distance (cosine, squared euclidean) between two stored vectors. */
  readonly distance: (left: number, right: number) => number;
  /** What is near a vector that is not stored, off the main loop. */
  readonly find: (vector: Float32Array) => Promise<Int32Array>;
  /** The nearest stored vectors, ascending by distance, then vector bytes. Off the main loop. */
  readonly nearest: (vector: Float32Array, count: number) => Promise<readonly NearestPoint[]>;
  /**
   * All pairs once more, under other parameters: every stored point once, `near` naming only points that were given before it, so that each
   * pair is named once. At once, on this thread; nothing is to be stored or released meanwhile.
   */
  readonly pairsNow: (parameters: ClusteringParameters) => Generator<PreparedVector>;
  /** From now on answers are by these. What is being prepared meanwhile may still be by the former ones, and says so. */
  readonly use: (parameters: ClusteringParameters) => void;
  readonly close: () => Promise<void>;
  readonly statistics: () => SearchStatistics;
};

/** Opens a search for vectors of one length; called when the first vector is known. */
export type OpenSearch = (dimensions: number, parameters: ClusteringParameters) => NeighbourSearch;
