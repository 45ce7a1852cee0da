/** The state of a fold's partition at work, and how it ends. The files fold-intake, fold-batches and fold-release act on it; fold-partition puts them together. */
import type { ConsumedRecord, OutputRecord } from '../core/records.ts';
import { unlessAborted } from './abort.ts';
import type { Condition } from './condition.ts';
import type { Folded } from './fold-deliveries.ts';
import { isRevocation, toError, type PartitionContext } from './partition-run.ts';
import type { FoldPartition, FoldStage } from './stage.ts';
import type { StateStore } from './state-store.ts';
import type { Checkpoint, ReadBudget } from './transport.ts';

export type FoldContext = PartitionContext & {
  /** Without one, every start folds the log from its beginning. */
  readonly stateStore: StateStore | undefined;
  /** For what the owner appends for itself. */
  readonly append: (records: readonly OutputRecord[]) => Promise<void>;
};

/** The state of a partition that was given up in good order, for when it comes back: restoring it would give the same. */
export type KeptState = {
  readonly state: FoldPartition;
  readonly incarnation: string;
  /** The committed sequence that it stands at, with nothing of the next record out. */
  readonly sequence: bigint;
  readonly snapshot: FoldRun['snapshot'];
};

/** The batch that is folded next. */
export type PreparedBatch = {
  readonly records: readonly ConsumedRecord[];
  /** Resolves, never rejecting, when the stage has prepared it or failed to. */
  prepared: Promise<void>;
  isReady: boolean;
  failure: { readonly error: unknown } | undefined;
};

export type FoldRun = {
  readonly context: FoldContext;
  readonly stage: FoldStage;
  readonly state: FoldPartition;
  /** Aborted by abort, by failure and at the end: nothing more is done. */
  readonly working: AbortController;
  /** Aborted when nothing more is to be read, and no other batch folded. */
  readonly stopping: AbortController;
  /** Notified of every change to this object that somebody waits for. */
  readonly changed: Condition;
  /** Records, and their bytes, that were read and are not delivered yet. */
  inFlight: ReadBudget;

  /** Where reading goes on. */
  position: string;
  /** Since when the log is asked for more, by the clock's `elapsedMs`; undefined while it is not. */
  askedSinceMs: number | undefined;
  /** In order, in no batch yet. */
  read: readonly ConsumedRecord[];
  readEnded: boolean;
  readFailure: { readonly error: unknown } | undefined;

  /** Only of a stage that prepares. */
  next: PreparedBatch | undefined;

  /** The last record that the state contains. */
  foldedSequence: bigint;
  /** Of the first record after the committed one, how many outputs are out already; 0 once that record was folded. */
  sentBefore: number;
  foldingEnded: boolean;
  /** In order, waiting for their delivery. */
  folded: readonly Folded[];
  /** Of all that was folded and is not delivered, those being delivered included. */
  outputsHeld: ReadBudget;

  isDelivering: boolean;
  /** What is committed. */
  standing: Checkpoint;

  /** The state contains everything that was committed when the run began: from here on outputs go out. */
  restored: boolean;
  /** Times by the clock's `elapsedMs`, here and below. */
  readonly restore: { startedAtMs: number; snapshotSequence: bigint | undefined; kept: boolean; records: number };
  /** Resolves, never rejecting, when the snapshot that is being written is, or has failed. */
  writing: Promise<void> | undefined;
  readonly snapshot: { recordsSinceWritten: number; recordsSinceTried: number; triedAtMs: number };
  /** A record of our own that was appended and not folded yet. */
  outstanding: OutputRecord | undefined;
  failure: Error | undefined;
};

/** Nobody waits for it: what it waits for itself was given up. */
export function closeState({ state }: Pick<KeptState, 'state'>): void {
  void state.close?.();
}

export const nothing: ReadBudget = { records: 0, bytes: 0 };

/** Ends the run; the first failure is the one that counts, and losing the partition is none. */
export function failRun(run: FoldRun, error: unknown): void {
  if (!hasEnded(run) && !isRevocation(error)) run.failure = toError(error);
  endRun(run);
}

/** Whatever is still being done comes too late from here on. */
export function endRun(run: FoldRun): void {
  run.working.abort();
  stopRun(run);
}

/** Nothing more is read, and no other batch folded; what is folded is delivered. */
export function stopRun(run: FoldRun): void {
  run.stopping.abort();
  run.changed.notify();
}

export function hasEnded(run: FoldRun): boolean {
  return run.working.signal.aborted;
}

export function isStopping(run: FoldRun): boolean {
  return run.stopping.signal.aborted;
}

/** Everything that was folded is delivered. */
export function isDelivered({ folded, isDelivering }: FoldRun): boolean {
  return folded.length === 0 && !isDelivering;
}

/** @param by what comes in, or negative what goes. */
export function hold(run: FoldRun, by: ReadBudget): void {
  run.inFlight = { records: run.inFlight.records + by.records, bytes: run.inFlight.bytes + by.bytes };
  run.context.observer.inFlight(run.context.partition, run.inFlight, 0);
}

/** Undefined where the run ended first. */
export function unlessEnded<Result>(run: FoldRun, promise: Promise<Result>): Promise<Result | undefined> {
  return unlessAborted(promise, run.working.signal);
}
