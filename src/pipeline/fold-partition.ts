/**
 * One input partition of a fold stage. What comes is read, prepared, folded and delivered in order; up to three batches are under way at once,
 * over one state (fold-run.ts), each step in a file of its own:
 *
 *      intake ──read──> prepare batch k+1 ──> fold batch k ──folded──> release: up to batch k-1, one delivery at a time
 *      fold-intake.ts   beside the main loop   fold-batches.ts          fold-release.ts
 *
 * - A record is folded once, in its place, one at a time (SEMANTICS.md, rules 10 and 18). What `prepare` finds is advice of the stage to itself: it
 *   sees no state that the fold of batch k has yet to make, so nothing that comes of a record may depend on it. What is repeated after a failure
 *   is the delivery of the very outputs that a record gave.
 * - Nobody waits for company. A record that comes alone is prepared, folded and delivered at once. What comes while a batch is folded is the
 *   next batch, what is folded while a delivery is under way goes with the next: batches grow only as far as a step is slower than the one before.
 * - Everything that is read and not delivered counts in the partition's share of the budget; read ahead of the fold are at most two batches, and
 *   outputs wait for their delivery up to two deliveries and one batch. Where a step has to wait, so do those before it.
 * - A snapshot that is due goes before the next batch is folded: what is folded is delivered, and then the state stands at the committed sequence
 *   with no record half sent, and the snapshot is cut (rule 17). While it is written, everything goes on: the state keeps for it what changes.
 * - A record of our own is appended when everything is delivered and the log has had nothing more for a moment, an urgent one between two batches.
 * - Failures count in the order of the records: what reading, preparing or folding fails with stops the partition once all before it is
 *   delivered, as if one thing were done after the other; what a delivery fails with stops it at once.
 * - `drain` lets the batch that is being folded come to its end, delivers what is folded, writes the snapshot that is due, and leaves the rest, which
 *   nobody was promised, to the next owner. `abort`, and losing the partition, end every step where it stands: state and outputs are discarded.
 */
import { createCondition } from './condition.ts';
import { foldBatches } from './fold-batches.ts';
import { intake } from './fold-intake.ts';
import { releaseFolded } from './fold-release.ts';
import { asRestoreFailure, goOn, restore } from './fold-restore.ts';
import { cutSnapshot, isSnapshotDue } from './fold-snapshot.ts';
import { closeState, endRun, failRun, hasEnded, hold, nothing, stopRun, unlessEnded, type FoldContext, type FoldRun, type KeptState } from './fold-run.ts';
import { isRevocation, type PartitionRun } from './partition-run.ts';
import type { FoldStage } from './stage.ts';

export type FoldPartitionRun = PartitionRun & {
  /** Once it is done: undefined where the state is behind or ahead of what is committed, or where nobody knows. */
  readonly kept: () => KeptState | undefined;
  /** Where the state is not kept: nobody uses it from here on. */
  readonly close: () => void;
};

/** @param kept what the run before left, if this partition was here; it serves only where nobody committed anything since (SEMANTICS.md, rule 18). */
export function runFoldPartition(stage: FoldStage, context: FoldContext, kept?: KeptState): FoldPartitionRun {
  const { start, partition } = context;
  const usable = kept?.sequence === start.sequence && kept.incarnation === partition.incarnation && start.outputsSent === 0 ? kept : undefined;
  if (kept !== undefined && usable === undefined) closeState(kept);
  const run = newRun(stage, context, usable);
  run.state.watchDue?.(() => run.changed.notify());
  let drained = false;
  return {
    done: work(run, usable !== undefined).then((ended) => {
      drained = ended === 'drained';
    }),
    drain: () => stopRun(run),
    abort: () => endRun(run),
    inFlight: () => run.inFlight,
    kept: () => {
      const { state, foldedSequence: sequence, snapshot } = run;
      return drained && standsAtCommitted(run) ? { state, incarnation: partition.incarnation, sequence, snapshot } : undefined;
    },
    close: () => closeState(run),
  };
}

function newRun(stage: FoldStage, context: FoldContext, usable: KeptState | undefined): FoldRun {
  const { start, clock } = context;
  const { topic, partition, incarnation } = context.partition;
  return {
    context,
    stage,
    state: usable?.state ?? stage.open({ topic, partition, incarnation }),
    working: new AbortController(),
    stopping: new AbortController(),
    changed: createCondition(clock),
    inFlight: nothing,
    position: start.position,
    askedSinceMs: undefined,
    read: [],
    readEnded: false,
    readFailure: undefined,
    next: undefined,
    foldedSequence: start.sequence,
    sentBefore: start.outputsSent,
    foldingEnded: false,
    folded: [],
    outputsHeld: nothing,
    isDelivering: false,
    standing: start,
    restored: false,
    restore: { startedAtMs: clock.elapsedMs(), snapshotSequence: undefined, kept: false, records: 0 },
    writing: undefined,
    snapshot: usable?.snapshot ?? { recordsSinceWritten: 0, recordsSinceTried: 0, triedAtMs: clock.elapsedMs() },
    outstanding: undefined,
    failure: undefined,
  };
}

function standsAtCommitted({ restored, foldedSequence, standing }: FoldRun): boolean {
  return restored && foldedSequence === standing.sequence && standing.outputsSent === 0;
}

async function work(run: FoldRun, standsAlready: boolean): Promise<'drained' | 'cut short'> {
  try {
    if (standsAlready) goOn(run);
    else await restore(run);
    await allSteps(run);
  } catch (error) {
    failRun(run, asRestoreFailure(run, error));
  }
  const ended = hasEnded(run) ? 'cut short' : 'drained';
  endRun(run);
  hold(run, { records: -run.inFlight.records, bytes: -run.inFlight.bytes });
  if (run.failure !== undefined) throw run.failure;
  return ended;
}

/** Throws what failed first, in the order of the records. */
async function allSteps(run: FoldRun): Promise<void> {
  let foldFailure: { readonly error: unknown } | undefined;
  const reading = intake(run)
    .catch((error: unknown) => {
      if (isRevocation(error)) endRun(run);
      run.readFailure = { error };
    })
    .finally(() => {
      run.readEnded = true;
      run.changed.notify();
    });
  const folding = foldBatches(run)
    .catch((error: unknown) => {
      foldFailure = { error };
    })
    .finally(() => {
      run.foldingEnded = true;
      stopRun(run);
    });
  const releasing = releaseFolded(run).catch((error: unknown) => failRun(run, error));
  await Promise.all([reading, folding, releasing]);
  if (foldFailure !== undefined) throw foldFailure.error;
  await unlessEnded(run, run.next?.prepared ?? Promise.resolve());
  if (hasEnded(run)) return;
  run.state.discard?.();
  await unlessEnded(run, run.writing ?? Promise.resolve());
  if (isSnapshotDue(run)) cutSnapshot(run);
  await unlessEnded(run, run.writing ?? Promise.resolve());
}
