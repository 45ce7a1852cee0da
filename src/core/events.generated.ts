// Generated from schemas/*.avsc by `npm run generate`; do not edit.
// A union of several records is written as the codec reads it: an object whose only key is the full name of the branch.

export type ClusterEventType = 'emerged' | 'merged' | 'split' | 'dissolved' | 'labelled' | 'reset';

export type ClusterSize = {
  readonly clusterId: string;
  /** Core and border items after the record. */
  readonly size: number;
};

/** One change of the clusters of a collection. Follow them, with the assignments, and you always know each item's cluster. */
export type ClusterEvent = {
  /** hash(collection, epoch, generation, sequence, index). */
  readonly id: string;
  readonly family: string;
  readonly collection: string;
  readonly epoch: number;
  readonly generation: string;
  /** Of the features record that caused it. */
  readonly sequence: bigint;
  /** Counts that record's cluster events. */
  readonly index: number;
  readonly type: ClusterEventType;
  /** The cluster that goes on (merged, split, labelled); the new one (emerged). */
  readonly survivor: null | string;
  /** merged: ids that are aliases of the survivor from here on. dissolved: the id that is gone. */
  readonly retired: readonly string[];
  /** emerged, split: new ids. */
  readonly minted: readonly string[];
  readonly sizes: readonly ClusterSize[];
  /** labelled: the cluster's name. */
  readonly name: null | string;
  /** The itemId, or the kind of control record, that did it. */
  readonly cause: null | string;
};

export type Metric = 'cosine' | 'euclidean';

export type AgeBy = 'append' | 'occurred';

/** A definition of the family: the highest version wins, the same version with other content is refused. Where the family has items, another projection, metric, eps or minPoints is pending until a Swap; all else is in force at once. */
export type Define = {
  readonly version: number;
  readonly model: string;
  readonly modelVersion: string;
  readonly dimensions: number;
  readonly projectionSha256: null | string;
  readonly metric: Metric;
  readonly eps: number;
  readonly minPoints: number;
  /** At most so many items per collection: the oldest leave. */
  readonly windowItems: null | number;
  readonly windowAgeMs: null | bigint;
  readonly windowAgeBy: AgeBy;
  readonly maxCollections: number;
  readonly relabelOnMerge: boolean;
  /** The longest retention of inputs, parked and dead letters; null: for ever. */
  readonly tombstoneRetentionMs: null | bigint;
};

/** Asks for another eps, minPoints or both, put onto what was asked for last: in force at once where the family has no items, otherwise pending until a Swap. */
export type SetParameters = {
  readonly eps: null | number;
  readonly minPoints: null | number;
};

export type LabelCluster = {
  readonly collection: string;
  readonly clusterId: string;
  /** Empty: takes the name away. */
  readonly name: string;
};

/** The end of an input partition when the forget was issued: what is below it is forgotten. */
export type InputEnd = {
  readonly incarnation: string;
  readonly partition: number;
  readonly endSequence: bigint;
};

export type Forget = {
  /** SHA-256 of each itemId, hexadecimal. */
  readonly itemHashes: readonly string[];
  readonly through: readonly InputEnd[];
};

/** Moves the partition's time to this record's append time, and does nothing else. */
export type Tick = Readonly<Record<never, never>>;

/** Of one opening of the partition: its sequence is the term of the records that this owner appends for itself; those of lower terms are ignored from here on. */
export type Claim = {
  readonly owner: string;
};

/** The owner begins to build the pending generation of the family from the live vectors; through: the sequence of the record that asked for it. */
export type Refit = {
  readonly generation: string;
  readonly through: bigint;
};

/** Puts the pending generation of the family in force, if it is this one, for all its collections; artefactSha256: of its projection, empty without one. */
export type Swap = {
  readonly generation: string;
  readonly artefactSha256: string;
};

/** What the fold makes of the records after it is what this version of the engine makes of it, if it is above the one in force. */
export type Engine = {
  readonly version: number;
};

/** While a collection of the family is frozen, features that would enter it are dead letters, which can be redriven; all else goes on. */
export type Freeze = {
  readonly collection: string;
  readonly isFrozen: boolean;
};

/** Whatever changes clusters and is not a feature: travels in the features topic, so that the state is a function of one log. */
export type ControlEvent = {
  readonly id: string;
  /** null: concerns every family of the partition. */
  readonly family: null | string;
  /** Of the owner that appended the record for itself: the sequence of its claim. 0 where a person or a configuration did. */
  readonly term: bigint;
  readonly action: { readonly 'labelstream.v1.Define': Define } | { readonly 'labelstream.v1.SetParameters': SetParameters } | { readonly 'labelstream.v1.LabelCluster': LabelCluster } | { readonly 'labelstream.v1.Forget': Forget } | { readonly 'labelstream.v1.Tick': Tick } | { readonly 'labelstream.v1.Claim': Claim } | { readonly 'labelstream.v1.Refit': Refit } | { readonly 'labelstream.v1.Swap': Swap } | { readonly 'labelstream.v1.Engine': Engine } | { readonly 'labelstream.v1.Freeze': Freeze };
};

/** A feature vector on its way into a collection, or the news that its item is gone. */
export type FeatureEvent = {
  /** hash(origin, route step, family). */
  readonly id: string;
  /** source + '/' + id of the input. */
  readonly itemId: string;
  readonly inputId: string;
  readonly origin: Origin;
  readonly read: ReadCoordinate;
  /** route '/' step. */
  readonly routeStep: string;
  /** The text of the collection's template. */
  readonly family: string;
  /** Empty where deleted. */
  readonly collection: string;
  readonly model: string;
  readonly modelVersion: string;
  /** float32, little-endian; empty where deleted. */
  readonly vector: Buffer;
  readonly dimensions: number;
  readonly occurredAt: number;
  /** The start of a text, or the path of a file, for people who look at clusters. */
  readonly preview: null | string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly deleted: boolean;
};

export type ScoredLabel = {
  readonly label: string;
  readonly score: number;
};

export type Classification = {
  /** Highest score first; a tie in the order of the model's labels. */
  readonly labels: readonly ScoredLabel[];
};

export type Caption = {
  readonly text: string;
};

export type TranscriptSegment = {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly text: string;
};

export type Transcript = {
  readonly text: string;
  readonly segments: readonly TranscriptSegment[];
};

export type ZeroShot = {
  readonly classes: readonly string[];
  /** In the order of the classes. */
  readonly probabilities: readonly number[];
};

export type Detection = {
  /** [xmin, ymin, xmax, ymax] in pixels. */
  readonly boxes: readonly (readonly number[])[];
  readonly labels: readonly string[];
  readonly scores: readonly number[];
};

export type Prediction = {
  readonly label: null | string;
  /** Of a regression. */
  readonly value: null | number;
  /** In the order of the model's labels. */
  readonly probabilities: readonly ScoredLabel[];
};

export type Role = 'core' | 'border' | 'noise' | 'removed';

export type Assignment = {
  readonly family: string;
  readonly collection: string;
  readonly generation: string;
  /** null for noise and for removed. */
  readonly clusterId: null | string;
  readonly role: Role;
  /** A consumer applies the aliases that are later: with a higher epoch than the revision's, or with the same and a higher sequence. */
  readonly sequence: bigint;
};

/** One result for one input and route step. */
export type LabelEvent = {
  /** hash(origin, route step, collection, generation, revision): equal ids are the same event. */
  readonly id: string;
  readonly inputId: string;
  readonly itemId: string;
  readonly origin: Origin;
  readonly routeStep: string;
  readonly task: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly revision: Revision;
  readonly result: { readonly 'labelstream.v1.Classification': Classification } | { readonly 'labelstream.v1.Caption': Caption } | { readonly 'labelstream.v1.Transcript': Transcript } | { readonly 'labelstream.v1.ZeroShot': ZeroShot } | { readonly 'labelstream.v1.Detection': Detection } | { readonly 'labelstream.v1.Prediction': Prediction } | { readonly 'labelstream.v1.Assignment': Assignment };
};

export type Reference = {
  readonly uri: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: bigint;
};

/** An image or a recording to be labelled, inline or by reference. */
export type MediaEvent = {
  readonly id: string;
  readonly source: string;
  readonly occurredAt: number;
  readonly contentType: string;
  /** null only where deleted is true. */
  readonly content: null | Buffer | Reference;
  readonly tasks: readonly string[];
  readonly collection: null | string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly deleted: boolean;
};

export type MetricSample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** A window of this instance's metrics. Best effort: outside of transactions, dropped rather than waited for. */
export type MetricEvent = {
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly instance: string;
  readonly samples: readonly MetricSample[];
};

/** Where the very first input of a chain of events was read: the identity that ids, age and 'which version is newer' rest on. */
export type Origin = {
  /** The topic's name, for people; the incarnation identifies it. */
  readonly topic: string;
  /** Identity of one life of the topic: a topic that was deleted and made again has another. */
  readonly incarnation: string;
  readonly partition: number;
  readonly sequence: bigint;
  /** The broker's append time of that record. */
  readonly appendTime: number;
};

/** The record that EXTRACT consumed this time, and which of its outputs this is: what duplicates are recognised by. */
export type ReadCoordinate = {
  readonly incarnation: string;
  readonly partition: number;
  readonly sequence: bigint;
  /** Position among the feature events of that record, from 0. */
  readonly index: number;
};

/** A row of numbers to be predicted on. */
export type RecordEvent = {
  readonly id: string;
  readonly source: string;
  readonly occurredAt: number;
  readonly values: Readonly<Record<string, number>>;
  readonly tasks: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
};

/** Orders the versions of one result. Compared by epoch, then number. */
export type Revision = {
  /** 0 for the results of EXTRACT; the epoch of the features log for an assignment. */
  readonly epoch: number;
  /** EXTRACT: the model binding's configured revision. Assignment: the sequence of the features record that caused it. */
  readonly number: bigint;
};

/** A text to be labelled. The pair (source, id) names the item; a later event of the same item replaces it. */
export type TextEvent = {
  readonly id: string;
  readonly source: string;
  readonly occurredAt: number;
  readonly text: string;
  /** BCP 47. */
  readonly language: null | string;
  /** Restricts the matching routes' steps to these tasks; empty: all. */
  readonly tasks: readonly string[];
  /** Available to collection templates as ${collection}. */
  readonly collection: null | string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The item is gone: it leaves every collection. */
  readonly deleted: boolean;
};
