import { errorFactory, type ErrorArea } from './error.ts';

export const clusteringErrors = {
  LS_CLUSTERING_PARAMETERS_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'eps is not a finite number from 0 up, or minPoints is not a whole number from 1 up.',
    remedy: 'Correct the parameters of the collection.',
  },
  LS_CLUSTERING_VECTOR_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'A vector that no distance is defined for reached the clustering: it has to be refused before, by `checkVector`.',
    remedy: 'Report it with the details of the error; as a user of the library, call `checkVector` first.',
  },
  LS_CLUSTERING_SEQUENCE_NOT_RISING: {
    cause: 'defect',
    retryable: false,
    summary: 'Two net changes were asked for under one sequence, or an earlier one: their cluster ids and aliases could not be told apart.',
    remedy: 'Report it; as a user of the library, give all mutations of a record in one call, and rising sequences.',
  },
  LS_CLUSTERING_SNAPSHOT_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'The chunks given are not those of a snapshot of a clustering, or not all of them.',
    remedy: 'Restore an older snapshot, and find out what changed this one.',
  },
  LS_CLUSTERING_FAMILY_AMBIGUOUS: {
    cause: 'configuration',
    retryable: false,
    summary: 'An item was asked for without its family, and it is in collections of several families.',
    remedy: 'Name the family as the second argument of `clusterOf`.',
  },
  LS_CLUSTERING_RESOLVER_STATE_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'A cluster resolver was to go on from what no resolver of this version has saved.',
    remedy: 'Begin without it, and read both topics from their start.',
  },
} as const satisfies ErrorArea;

export const clusteringError = errorFactory(clusteringErrors);
