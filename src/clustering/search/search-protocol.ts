/** What the main thread and a search worker say to each other. Searches are answered in the order in which they were asked for. */
import type { ClusteringParameters } from '../clustering.ts';
import type { GroupedHits } from './hits.ts';
import type { ScanCosts } from './range-scan.ts';
import type { ScanPart, ScanState, SearchedVector } from './scan-context.ts';

/** The workerData of a search worker: which of several it is. */
export type WorkerSetup = { readonly worker: number };

export type SearchRequest = {
  readonly kind: 'search';
  /** Which of the indexes that the worker serves. */
  readonly index: number;
  readonly dimensions: number;
  readonly state: ScanState;
  readonly parameters: ClusteringParameters;
  readonly queries: PackedVectors;
  readonly part: ScanPart;
};

export type WorkerRequest = SearchRequest | { readonly kind: 'forget'; readonly index: number } | { readonly kind: 'close' };

export type SearchReply = GroupedHits & {
  readonly kind: 'found';
  /** Of this search. */
  readonly costs: ScanCosts;
};

export type WorkerReply = SearchReply | { readonly kind: 'failed'; readonly message: string };

/** Searched vectors in three arrays: as so many objects they would take longer to send than to search for. */
export type PackedVectors = { readonly values: Float32Array<ArrayBuffer>; readonly norms: Float64Array<ArrayBuffer>; readonly points: Int32Array<ArrayBuffer> };

export function packVectors(vectors: readonly SearchedVector[], dimensions: number): PackedVectors {
  const values = new Float32Array(vectors.length * dimensions);
  for (const [index, { vector }] of vectors.entries()) values.set(vector, index * dimensions);
  return { values, norms: Float64Array.from(vectors, ({ norm }) => norm), points: Int32Array.from(vectors, ({ point }) => point) };
}

export function searchedVectors({ values, norms, points }: PackedVectors, dimensions: number): SearchedVector[] {
  return Array.from(points, (point, index) => ({ point, norm: norms[index] as number, vector: values.subarray(index * dimensions, (index + 1) * dimensions) }));
}
