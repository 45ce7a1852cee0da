/**
 * What the package offers to programs that cluster by themselves, as `labelstream/clustering`; docs/clustering.md tells how it is used. Nothing in this
 * program imports it. Every error that a caller can cause is a `LabelstreamError`, whose `code` is stable.
 */
export { createClusterResolver, type ClusterResolver, type ResolvedItem, type ResolverPosition } from './alias-resolver.ts';
export type {
  Clustering, ClusteringIdentity, ClusteringMemory, ClusteringParameters, ClusterSummary, Explanation, ItemDistance, ItemState, Mutation, NetChange,
  Placement, Role, ToldAssignment, Transition,
} from './clustering.ts';
export { checkVector } from './distance.ts';
export { sampleSizeMax, type EpsChoice, type EpsQuestion, type SuggestionReason } from './eps/choose-eps.ts';
export type { EpsRow } from './eps/sweep.ts';
export { chooseEps, createClustering, createNeighbourSearch, createSearchWorkers, restoreClustering } from './library-face.ts';
export type { NearestPoint, NeighbourSearch, OpenSearch, PreparedVector, SearchStatistics } from './neighbour-search.ts';
export { createPlainSearch } from './plain-search.ts';
export { artefactName, decodeArtefact, encodeArtefact, openArtefact } from './projection/artefact.ts';
export type { FittedProjection, NamedArray, ProjectionArtefact, ProjectionKind } from './projection/projection.ts';
export { whiten } from './projection/whiten.ts';
export type { SearchOptions } from './search/fast-search.ts';
export type { SearchWorkers, SearchWorkersOptions } from './search/search-workers.ts';
export { atOnce, inSlices, type SlicedWork } from './sliced-work.ts';
export { LabelstreamError, type ErrorDescription } from '../core/errors/error.ts';
export type { ClusterEvent, LabelEvent, Metric } from '../core/events.generated.ts';
