/**
 * One input partition of a fold stage: read, fold, deliver, now and then a snapshot, one after the other. A record is folded once; what is
 * repeated after a failure is the delivery of the very outputs that it gave (SEMANTICS.md, rules 10, 17 and 18).
 */
import { pipelineError } from '../core/errors/pipeline.ts';
import type { ConsumedRecord, OutputRecord } from '../core/records.ts';
import { timerOver } from './abort.ts';
import { patiently } from './delivery.ts';
import { cutDeliveries, type Folded } from './fold-deliveries.ts';
import { asRestoreFailure, goOn, noteProgress, restore } from './fold-restore.ts';
import { hasEnded, unlessEnded, type FoldContext, type FoldRun, type KeptState } from './fold-run.ts';
import { snapshotDueAtMs, snapshotIfDue } from './fold-snapshot.ts';
import { bytesOf, deliverInRun, describeError, isRevocation, pollPatiently, toError, type PartitionRun } from './partition-run.ts';
import type { FoldStage } from './stage.ts';
import type { ReadBudget } from './transport.ts';

const nothing: ReadBudget = { records: 0, bytes: 0 };

export type FoldPartitionRun = PartitionRun & {
  /** Once it is done: undefined where the state is behind or ahead of what is committed, or where nobody knows. */
  readonly kept: () => KeptState | undefined;
};

/** @param kept what the run before left, if this partition was here; it serves only where nobody committed anything since (SEMANTICS.md, rule 18). */
export function runFoldPartition(stage: FoldStage, context: FoldContext, kept?: KeptState): FoldPartitionRun {
  const { start, clock, partition } = context;
  const usable = kept?.sequence === start.sequence && kept.incarnation === partition.incarnation && start.outputsSent === 0 ? kept : undefined;
  const { topic, partition: number, incarnation } = partition;
  const run: FoldRun = {
    context,
    stage,
    state: usable?.state ?? stage.open({ topic, partition: number, incarnation }),
    working: new AbortController(),
    stopping: new AbortController(),
    inFlight: nothing,
    waiting: undefined,
    standing: start,
    position: start.position,
    foldedSequence: start.sequence,
    restored: false,
    restore: { startedAtMs: clock.elapsedMs(), snapshotSequence: undefined, kept: false, records: 0 },
    snapshot: usable?.snapshot ?? { recordsSinceWritten: 0, recordsSinceTried: 0, triedAtMs: clock.elapsedMs() },
    outstanding: undefined,
  };
  let drained = false;
  const drain = (): void => {
    run.stopping.abort();
    run.waiting?.abort();
  };
  return {
    done: work(run, usable !== undefined).then((ended) => {
      drained = ended === 'drained';
    }),
    drain,
    abort: () => {
      run.working.abort();
      drain();
    },
    inFlight: () => run.inFlight,
    kept: () => (drained && standsAtCommitted(run) ? { state: run.state, incarnation, sequence: run.foldedSequence, snapshot: run.snapshot } : undefined),
  };
}

function standsAtCommitted({ restored, foldedSequence, standing }: FoldRun): boolean {
  return restored && foldedSequence === standing.sequence && standing.outputsSent === 0;
}

async function work(run: FoldRun, standsAlready: boolean): Promise<'drained' | 'cut short'> {
  try {
    if (standsAlready) goOn(run);
    else await restore(run);
    while (!run.stopping.signal.aborted && !hasEnded(run)) {
      const records = await nextRecords(run);
      if (hasEnded(run)) return 'cut short';
      if (records.length > 0) await holding(run, records, () => foldAndDeliver(run, records));
      else await appendIfDue(run);
      await snapshotIfDue(run);
    }
    return hasEnded(run) ? 'cut short' : 'drained';
  } catch (error) {
    if (!hasEnded(run) && !isRevocation(error)) throw toError(asRestoreFailure(run, error));
    return 'cut short';
  } finally {
    run.working.abort();
  }
}

/** None when it is time for something else: the end, a snapshot, a record of our own. */
async function nextRecords(run: FoldRun): Promise<readonly ConsumedRecord[]> {
  const { context } = run;
  const { clock, limits, share } = context;
  const waiting = new AbortController();
  run.waiting = waiting;
  const snapshotInMs = (snapshotDueAtMs(run) ?? Infinity) - clock.elapsedMs();
  const ownRecordInMs = (ownRecordDueAtMs(run) ?? Infinity) - clock.nowMs();
  // What is due waits for an empty log: records that have yet to be read may settle it themselves.
  const patienceMs = Math.max(Math.min(snapshotInMs, ownRecordInMs), limits.lingerMs);
  if (patienceMs < Infinity) void clock.sleep(patienceMs, waiting.signal).then(() => waiting.abort(timerOver));
  const { records, bytes } = share();
  try {
    return await pollPatiently(context, run.position, { records: Math.min(records, limits.foldRecordsMax), bytes }, waiting.signal);
  } finally {
    waiting.abort(timerOver);
  }
}

/** A fold holds one batch, which its poll bounded. */
async function holding(run: FoldRun, records: readonly ConsumedRecord[], work: () => Promise<void>): Promise<void> {
  const { observer, partition } = run.context;
  run.inFlight = { records: records.length, bytes: bytesOf(records) };
  observer.inFlight(partition, run.inFlight, 0);
  await work();
  run.inFlight = nothing;
  observer.inFlight(partition, nothing, 0);
}

async function foldAndDeliver(run: FoldRun, read: readonly ConsumedRecord[]): Promise<void> {
  const { context } = run;
  const { limits, start } = context;
  const outputs = await fold(run, read);
  const records = read.slice(0, outputs?.length ?? 0);
  const last = records.at(-1);
  if (outputs === undefined || last === undefined) return;
  const unsent = records.flatMap((record, index) => {
    if (record.sequence <= start.sequence) return [];
    return [{ record, outputs: outputs[index] ?? [], sent: 0 }];
  });
  skipSent(run, unsent);
  run.position = last.nextPosition;
  run.foldedSequence = last.sequence;
  run.snapshot.recordsSinceWritten += records.length;
  run.snapshot.recordsSinceTried += records.length;
  if (records.some((record) => isOutstanding(run, record))) run.outstanding = undefined;
  noteProgress(run, records.length);
  const budget = { records: limits.deliveryRecordsMax, bytes: limits.deliveryBytesMax };
  for (const delivery of cutDeliveries(unsent, run.standing, budget)) {
    const settled = { outputs: delivery.outputs, checkpoint: delivery.checkpoint, previous: run.standing };
    if (!(await deliverInRun(context, settled, delivery.inputs, run.working.signal))) return;
    run.standing = delivery.checkpoint;
  }
}

/** The first record after the committed one may be half sent. */
function skipSent(run: FoldRun, unsent: Folded[]): void {
  const { standing } = run;
  const [first] = unsent;
  if (first === undefined || standing.outputsSent === 0) return;
  const { topic, partition, sequence } = first.record;
  if (first.outputs.length < standing.outputsSent) {
    throw pipelineError(
      'LS_PIPELINE_FOLD_DIVERGED',
      `Record ${sequence} of partition ${partition} of ${topic} gave ${first.outputs.length} outputs where ${standing.outputsSent} had been sent.`,
      { topic, partition, sequence, outputs: first.outputs.length, outputsSent: standing.outputsSent },
    );
  }
  unsent[0] = { ...first, sent: standing.outputsSent };
}

/** Of all records, or, when the run is stopping, of those before one that the stage has to wait for. */
async function fold(run: FoldRun, records: readonly ConsumedRecord[]): Promise<readonly (readonly OutputRecord[])[] | undefined> {
  const stopping = run.stopping.signal;
  try {
    const outputs = await unlessEnded(run, run.state.fold(records, stopping));
    if (outputs === undefined || outputs.length === records.length || (outputs.length < records.length && stopping.aborted)) return outputs;
    throw new RangeError(`${records.length} records gave ${outputs.length} lists of outputs`);
  } catch (cause) {
    throw foldFailed(run, records, cause);
  }
}

function foldFailed(run: FoldRun, records: readonly ConsumedRecord[], cause: unknown): Error {
  const { topic, partition } = run.context.partition;
  const sequence = records[0]?.sequence ?? run.foldedSequence;
  const lastSequence = records.at(-1)?.sequence ?? sequence;
  return pipelineError(
    'LS_PIPELINE_FOLD_FAILED',
    `Stage ${run.stage.name} failed on partition ${partition} of ${topic}, in records ${sequence} to ${lastSequence}: ${describeError(cause)}`,
    { stage: run.stage.name, topic, partition, sequence, lastSequence },
    { cause },
  );
}

/** In append time, so by the clock's `nowMs`. Undefined while there is nothing to append, or an earlier one is still on its way through the log. */
function ownRecordDueAtMs(run: FoldRun): number | undefined {
  return run.restored && run.outstanding === undefined ? run.state.due()?.atMs : undefined;
}

async function appendIfDue(run: FoldRun): Promise<void> {
  const { context, working } = run;
  const due = run.state.due();
  if (run.stopping.signal.aborted || due === undefined || (ownRecordDueAtMs(run) ?? Infinity) > context.clock.nowMs()) return;
  // Appending it twice does no harm: it says what time it is.
  await patiently(context, working.signal, () => context.append([due.record]));
  run.outstanding = due.record;
  context.observer.ticked(context.partition);
}

function isOutstanding(run: FoldRun, record: ConsumedRecord): boolean {
  const own = run.outstanding;
  if (own === undefined || !own.value.equals(record.value)) return false;
  return own.key === null || record.key === null ? own.key === record.key : own.key.equals(record.key);
}
