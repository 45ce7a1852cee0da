import { errorFactory, type ErrorArea } from './error.ts';

/** Codes of the CLUSTER stage: dead letters, where a pure check of state and record refuses it (SEMANTICS.md, rule 19), and reasons to stop. */
export const clusterErrors = {
  LS_CLUSTER_RECORD_UNEXPECTED: {
    cause: 'input',
    retryable: false,
    summary: 'A record of the features topic holds neither a FeatureEvent nor a ControlEvent.',
    remedy: 'Find out who writes to the features topic: only the stages and the commands of labelstream may.',
  },
  LS_CLUSTER_EXPORT_OVERTAKEN: {
    cause: 'environment',
    retryable: true,
    summary: 'A collection went over to another generation while its items were exported.',
    remedy: 'Export it again: what came before the end of the former export may name clusters of the former generation.',
  },
  LS_CLUSTER_SEQUENCE_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'A question is to be answered for a record that the topic features does not have.',
    remedy: 'Give `atLeast` the partition and sequence of an answer: of `heldAt`, or of `waitFor`.',
  },
  LS_CLUSTER_FAMILY_UNDECLARED: {
    cause: 'configuration',
    retryable: false,
    summary: 'A feature or a control record names a family of collections that no definition in the log declares.',
    remedy: 'Add the collection to the configuration and restart, which appends its definition; then redrive what became a dead letter.',
  },
  LS_CLUSTER_MODEL_UNDECLARED: {
    cause: 'configuration',
    retryable: false,
    summary: 'A feature comes from a model version that no definition before it declares for its family, so that its partition stops.',
    remedy: 'Find what wrote to the features topic beside `labelstream run`, which proposes its models before it uses them, and stop it.',
  },
  LS_CLUSTER_GENERATION_RETIRED: {
    cause: 'configuration',
    retryable: false,
    summary: 'A feature comes from a model version that a later definition of its family has replaced.',
    remedy: 'Redrive the dead letter: its input is extracted again with the current model.',
  },
  LS_CLUSTER_VECTOR_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A feature vector has the wrong length, a component that is not finite, or no direction under the cosine metric.',
    remedy: 'Correct the model that made it, or the dimensions in the definition of the collection; the message names the reason.',
  },
  LS_CLUSTER_COLLECTION_NAME_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'The name of a collection is not 1 to 100 of a-z 0-9 . _ -.',
    remedy: 'Correct the template of the collection; names are folded by EXTRACT, so another program wrote this record.',
  },
  LS_CLUSTER_COLLECTION_LIMIT: {
    cause: 'configuration',
    retryable: false,
    summary: 'A feature would open one collection more than its family may have.',
    remedy: 'Raise collectionsMax, or use a template that gives fewer names; then redrive what became a dead letter.',
  },
  LS_CLUSTER_CLUSTER_UNKNOWN: {
    cause: 'input',
    retryable: false,
    summary: 'A name was given to a cluster that does not live (any more).',
    remedy: 'List the clusters and name one of them.',
  },
  LS_CLUSTER_DEFINITION_INVALID: {
    cause: 'configuration',
    retryable: false,
    summary: 'A definition holds a value that no collection can have, or a metric under which its live items cannot be compared.',
    remedy: 'Correct the value that the message names, and raise the version.',
  },
  LS_CLUSTER_DEFINITION_CONFLICT: {
    cause: 'configuration',
    retryable: false,
    summary: 'The log holds another definition of the family under the same version.',
    remedy: 'Raise the version of the collection in the configuration.',
  },
  LS_CLUSTER_DEFINITION_STALE: {
    cause: 'configuration',
    retryable: false,
    summary: 'The log holds a newer definition of the family.',
    remedy: 'Use the configuration that made it, or raise the version above it to replace it.',
  },
  LS_CLUSTER_PARAMETERS_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'New parameters of a family are missing or out of range.',
    remedy: 'Give an eps above 0, minPoints of 1 or more, or both.',
  },
  LS_CLUSTER_MIGRATION_UNSUPPORTED: {
    cause: 'configuration',
    retryable: false,
    summary: 'A definition changes the model, its version or its dimensions while items of the former model live.',
    remedy: 'Keep the former model for this collection, and give the new model a step and a collection of another name; `labelstream replay` fills that from the inputs that are kept, then take the former out. Or forget its items first.',
  },
  LS_CLUSTER_FEATURE_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A field of a feature event is longer than EXTRACT would write it, or its itemId is empty.',
    remedy: 'Correct what wrote it to the features topic; EXTRACT refuses such inputs.',
  },
  LS_CLUSTER_NAME_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'The name given to a cluster is too long.',
    remedy: 'Choose a shorter name.',
  },
  LS_CLUSTER_FORGET_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A forget names an item by something else than the SHA-256 of its id in lower-case hexadecimal.',
    remedy: 'Use the command `labelstream forget`.',
  },
  LS_CLUSTER_COLLECTION_FROZEN: {
    cause: 'environment',
    retryable: false,
    summary: 'A collection has reached the memory, or the number of neighbours, that it may have, so nothing enters it; deletions, forgets and windows go on.',
    remedy: 'Raise `cluster.collectionBytesMax`, choose a smaller eps, or let a window keep the collection smaller, then redrive the dead letter.',
  },
  LS_CLUSTER_GENERATION_OVER_BUDGET: {
    cause: 'configuration',
    retryable: false,
    summary: 'With the parameters asked for, a collection would take more memory than it may; the generation in force goes on.',
    remedy: 'Ask for a smaller eps (`labelstream clusters eps`) by a definition of a higher version, or raise `cluster.collectionBytesMax`.',
  },
  LS_CLUSTER_ITEMS_NOT_CARRIED: {
    cause: 'input',
    retryable: false,
    summary: 'Items have left their collection with its former generation: under the new metric or projection their vectors have no image. Consumers were told.',
    remedy: 'None is needed where such items (an empty text, a vector at the mean of the sample) may go. Else go back to the former definition, and replay their inputs.',
  },
  LS_CLUSTER_SWAP_INVALID: {
    cause: 'input',
    retryable: false,
    summary: 'A record that swaps a generation in names another projection than the generation was asked for with.',
    remedy: 'Find out who writes to the features topic: `labelstream run` alone appends such records.',
  },
  LS_CLUSTER_ENGINE_UNKNOWN: {
    cause: 'configuration',
    retryable: false,
    summary: 'The features log, or a snapshot, asks for a version of the clustering engine that this program does not have.',
    remedy: 'Use a version of labelstream that has it, on all instances.',
  },
  LS_CLUSTER_SNAPSHOT_INVALID: {
    cause: 'environment',
    retryable: false,
    summary: 'A snapshot of the CLUSTER stage is incomplete or was written by a version whose snapshots this one cannot read.',
    remedy: 'Use the version that wrote it, or remove that snapshot so that an older one is used.',
  },
} as const satisfies ErrorArea;

export const clusterError = errorFactory(clusterErrors);
