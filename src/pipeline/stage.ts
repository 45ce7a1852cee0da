/**
 * The stage port: what the two stages offer to the runner. A stage takes records and returns outputs; the runner alone knows positions,
 * transactions, retries and shutdown (ARCHITECTURE.md).
 */
import type { ConsumedRecord, OutputRecord, TopicPartition } from '../core/records.ts';
import type { Retry } from './retry.ts';

export type ProcessContext = { readonly signal: AbortSignal; readonly retry: Retry };

export type Processed = {
  readonly outputs: readonly OutputRecord[];
  /** Codes of failures among them that the input did not cause: what the pause of rule 8 counts. */
  readonly systemFailures: readonly string[];
};

/** A stateless stage: records may finish in any order, the runner releases their outputs in input order. */
export type MapStage = {
  readonly kind: 'map';
  readonly name: string;
  readonly topics: readonly string[];
  /** Never rejects because of the record: what cannot be processed becomes a dead letter among the outputs. */
  readonly process: (record: ConsumedRecord, context: ProcessContext) => Promise<Processed>;
  /** What stands in the place of a record that holds its successors back too long (rule 5); undefined: such a record is waited for. */
  readonly park: (record: ConsumedRecord) => OutputRecord | undefined;
};

/** The state of one input partition, folded one record at a time (rule 10). */
export type FoldPartition = {
  /**
   * Element i holds the outputs of record i. A rejection leaves the state unusable: the runner stops the partition.
   * @param stopping when it aborts, a record that the stage has to wait for is not folded, nor are those after it: they have no element.
   */
  readonly fold: (records: readonly ConsumedRecord[], stopping?: AbortSignal) => Promise<readonly (readonly OutputRecord[])[]>;
  /**
   * Work ahead, off the main loop where it is long: what it finds serves the fold of these very records, and is of no use after it. It is advice: the
   * fold without it gives the same. Called at most once for a record, in order, after `restore`, one call at a time, and before the fold of the
   * batch before has ended, so the state that it sees is not the one that its records will meet. It must reject for no record's sake: a
   * rejection stops the partition.
   * @param stopping when it aborts, it is to resolve soon: nothing of this batch will be folded.
   */
  readonly prepare?: (records: readonly ConsumedRecord[], stopping: AbortSignal) => Promise<void>;
  /**
   * Forgets what `prepare` found and no fold used, and ends what goes on beside the fold: what follows is left to the partition's next owner, who may be
   * this one with this state.
   */
  readonly discard?: () => void;
  /**
   * The state as it is when this is called. Records are prepared and folded while the chunks are taken, which are to be taken to the last, or given
   * up by the iterator's `return`; until then no other snapshot is asked for.
   */
  readonly snapshot: () => Iterable<Buffer>;
  /**
   * Before any fold. Nothing of the chunks is in the state before the last was read: whether they are what was written may show only then. Where it rejects
   * the state is as it was, and it may be called again; otherwise it is not.
   */
  readonly restore: (chunks: AsyncIterable<Buffer>) => Promise<void>;
  /**
   * When the owner has something to append for itself: milliseconds since the epoch, and the record, which goes into the stage's own input topic.
   * Asked after every fold, and whenever the listener of `watchDue` was called. What is due waits until the log is empty, since records that have
   * yet to be read may settle it themselves (a tick); `isUrgent` is what no such record settles, and a log that never ends must not put off.
   * It may be appended more than once, and what it says may be out of date when its turn to be folded comes.
   */
  readonly due: () => { readonly atMs: number; readonly record: OutputRecord; readonly isUrgent?: boolean } | undefined;
  /** The last listener is to be called when `due` has become another although nothing was folded. */
  readonly watchDue?: (listener: () => void) => void;
  /**
   * Nothing more is folded into it, prepared for it or restored: it lets go of what it has besides memory of its own. What was begun before, a
   * snapshot among it, may come to its end later. Called once, never rejects.
   */
  readonly close?: () => Promise<void>;
};

export type FoldStage = {
  readonly kind: 'fold';
  readonly name: string;
  readonly topics: readonly string[];
  readonly open: (partition: TopicPartition & { readonly incarnation: string }) => FoldPartition;
};

export type Stage = MapStage | FoldStage;
