import { errorFactory, type ErrorArea } from './error.ts';

export const clusteringErrors = {
  LS_CLUSTERING_PARAMETERS_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'The metric is none that there is, eps is not a finite number from 0 up (under cosine to 2), or minPoints is not a whole number from 1 up.',
    remedy: 'Correct the parameters of the collection.',
  },
  LS_CLUSTERING_VECTOR_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'A vector that no distance is defined for reached the clustering: it has to be refused before, by `checkVector`.',
    remedy: 'Report it with the details of the error; as a user of the library, call `checkVector` first.',
  },
  LS_CLUSTERING_ITEM_ID_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'An itemId is no Unicode text: it is no text at all, or holds half of a surrogate pair, and could not be told from others that do.',
    remedy: 'Report it; as a user of the library, make texts of ids (`String`), and call `toWellFormed` on those that may be cut.',
  },
  LS_CLUSTERING_ITEM_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'A program asked what is nearest to an item that the clustering does not hold, or for an item by a number that none has.',
    remedy: 'Ask `has` first, or give a vector; take numbers from `itemIndex`.',
  },
  LS_CLUSTERING_ARGUMENT_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'A program gave the clustering library what its types do not allow, such as a mutation of no kind that there is; nothing was changed.',
    remedy: 'Give what the message names; `tsc` finds most of these before the program runs.',
  },
  LS_CLUSTERING_CLOSED: {
    cause: 'defect',
    retryable: false,
    summary: 'A program went on using a clustering that it had closed.',
    remedy: 'Close it after the last use; restore another from a snapshot to go on.',
  },
  LS_CLUSTERING_SEQUENCE_NOT_RISING: {
    cause: 'defect',
    retryable: false,
    summary: 'Two net changes were asked for under one sequence, or an earlier one: their cluster ids and aliases could not be told apart.',
    remedy: 'Report it; as a user of the library, give all mutations of a record in one call, and rising sequences.',
  },
  LS_CLUSTERING_GRAPH_FULL: {
    cause: 'configuration',
    retryable: false,
    summary: 'The items of a collection have so many neighbours within eps, more than a thousand million pairs, that their lists are full.',
    remedy: 'Choose a smaller eps (`labelstream clusters eps`), shorten the window, or split the collection, while it is frozen: the service freezes it well before. In a program of your own, insert nothing from 7/8 of `memoryBytes().adjacencyShare` on.',
  },
  LS_CLUSTERING_MEMORY_REFUSED: {
    cause: 'environment',
    retryable: false,
    summary: 'The system gives the process no more memory, or no more addresses, for the vectors of a large collection.',
    remedy: 'Raise what the process may take (`ulimit -v`, the memory of its container), or spread the collections over more partitions and instances.',
  },
  LS_CLUSTERING_BROKEN: {
    cause: 'defect',
    retryable: false,
    summary: 'A record failed after a part of it was applied, for want of memory or of room for neighbours: what the clustering holds is the state of no record.',
    remedy: 'See the error that it names. Restore the clustering from a snapshot and apply the records since then; the service does so when it is started again.',
  },
  LS_CLUSTERING_SUCCESSOR_INVALID: {
    cause: 'defect',
    retryable: false,
    summary: 'A clustering was to take the place of another that does not hold the same items.',
    remedy: 'Report it; as a user of the library, give the new clustering every item of the one that it replaces, and no other; what it cannot hold is to be removed in the same call.',
  },
  LS_CLUSTERING_SAMPLE_TOO_LARGE: {
    cause: 'input',
    retryable: false,
    summary: 'The distances of each item to its minPoints nearest ones would not fit into the memory that choosing eps may use.',
    remedy: 'Look at a smaller sample.',
  },
  LS_CLUSTERING_SNAPSHOT_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'The chunks given are not those of a snapshot of a clustering, or not all of them, or more than those.',
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
