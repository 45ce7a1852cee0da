/**
 * The stage port: what the two stages offer to the runner. A stage takes records and returns outputs; the runner alone knows positions,
 * transactions, retries and shutdown (ARCHITECTURE.md).
 */
import type { ConsumedRecord, OutputRecord, TopicPartition } from '../core/records.ts';

/** Runs an operation, repeating retryable failures with jittered back-off while the stage's policy and the signal allow. */
export type Retry = <Result>(operation: (attempt: number) => Promise<Result>) => Promise<Result>;

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
  /** The state in its canonical form: equal states give equal bytes. The fold is not called until the iteration ends. */
  readonly snapshot: () => Iterable<Buffer>;
  /** Called at most once, before any fold. */
  readonly restore: (chunks: AsyncIterable<Buffer>) => Promise<void>;
  /**
   * When the owner has something to append for itself (a tick): milliseconds since the epoch, and the record. Asked after every fold;
   * the record goes into the stage's own input topic.
   */
  readonly due: () => { readonly atMs: number; readonly record: OutputRecord } | undefined;
};

export type FoldStage = {
  readonly kind: 'fold';
  readonly name: string;
  readonly topics: readonly string[];
  readonly open: (partition: TopicPartition & { readonly incarnation: string }) => FoldPartition;
};

export type Stage = MapStage | FoldStage;
