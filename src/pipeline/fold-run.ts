/** The state of a fold's partition at work. */
import type { OutputRecord } from '../core/records.ts';
import { unlessAborted } from './abort.ts';
import type { PartitionContext } from './partition-run.ts';
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

export type FoldRun = {
  readonly context: FoldContext;
  readonly stage: FoldStage;
  readonly state: FoldPartition;
  /** Aborted by abort, by failure and at the end: nothing more is done. */
  readonly working: AbortController;
  /** Aborted when nothing more is to be read. */
  readonly stopping: AbortController;
  /** The batch that was read and is not delivered yet. */
  inFlight: ReadBudget;
  /** Ends the poll that is waiting. */
  waiting: AbortController | undefined;
  /** What is committed. */
  standing: Checkpoint;
  /** Where reading goes on. */
  position: string;
  /** The last record that the state contains. */
  foldedSequence: bigint;
  /** The state contains everything that was committed when the run began: from here on outputs go out. */
  restored: boolean;
  /** Times by the clock's `elapsedMs`, here and below. */
  readonly restore: { startedAtMs: number; snapshotSequence: bigint | undefined; kept: boolean; records: number };
  readonly snapshot: { recordsSinceWritten: number; recordsSinceTried: number; triedAtMs: number };
  /** A record of our own that was appended and not folded yet. */
  outstanding: OutputRecord | undefined;
};

export function hasEnded(run: FoldRun): boolean {
  return run.working.signal.aborted;
}

/** Undefined where the run ended first. */
export function unlessEnded<Result>(run: FoldRun, promise: Promise<Result>): Promise<Result | undefined> {
  return unlessAborted(promise, run.working.signal);
}
