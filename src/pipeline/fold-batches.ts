/** Folding batch after batch, and, between two of them, cutting the snapshot and appending the record of our own that are due. */
import { pipelineError } from '../core/errors/pipeline.ts';
import type { ConsumedRecord, OutputRecord } from '../core/records.ts';
import { patiently } from './delivery.ts';
import { foldFailed } from './fold-failure.ts';
import { unsentBytes, type Folded } from './fold-deliveries.ts';
import { prepareNext } from './fold-intake.ts';
import { noteProgress } from './fold-restore.ts';
import { hasEnded, hold, isDelivered, isStopping, unlessEnded, type FoldRun } from './fold-run.ts';
import { cutSnapshot, isSnapshotDue, snapshotDueAtMs } from './fold-snapshot.ts';
import { bytesOf } from './partition-run.ts';

/** Resolves when the run stops. Rejects with what the fold failed with, or else, once all that was read is folded, with what the reading failed with. */
export async function foldBatches(run: FoldRun): Promise<void> {
  const { changed } = run;
  while (!isStopping(run)) {
    const isIdleNow = isIdle(run);
    const { writing } = run;
    // What the time is of, and the record, may be other ones after everything else that happens.
    await changed.until(() => hasWork(run) || isIdle(run) !== isIdleNow || run.writing !== writing || ownRecordInMs(run) <= 0 || isStopping(run), dueInMs(run));
    if (isStopping(run)) return;
    if (isSnapshotDue(run)) {
      await snapshot(run);
      continue;
    }
    await appendIfDue(run);
    // Appending takes its time, and who ends the run meanwhile ends the reading as well.
    if (isStopping(run)) return;
    const batch = takeBatch(run);
    if (batch !== undefined) await foldBatch(run, batch);
    else if (isReadOut(run)) throw readingEnded(run);
  }
}

function hasWork(run: FoldRun): boolean {
  return isSnapshotDue(run) || (hasBatch(run) && hasRoomForOutputs(run)) || isReadOut(run);
}

function hasBatch({ state, next, read }: FoldRun): boolean {
  return state.prepare === undefined ? read.length > 0 : next?.isReady === true;
}

/** Reading failed, and there is nothing left of what it gave. */
function isReadOut({ readEnded, next, read }: FoldRun): boolean {
  return readEnded && next === undefined && read.length === 0;
}

function readingEnded({ readFailure }: FoldRun): unknown {
  return readFailure === undefined ? new Error('reading ended, although nobody ended it') : readFailure.error;
}

/** Two deliveries of outputs at most, beside those of the last batch: one under way, one waiting. */
function hasRoomForOutputs({ outputsHeld: { records, bytes }, context: { limits } }: FoldRun): boolean {
  return records < 2 * limits.deliveryRecordsMax && bytes < 2 * limits.deliveryBytesMax;
}

/** The batch after it is being prepared then. */
function takeBatch(run: FoldRun): readonly ConsumedRecord[] | undefined {
  if (!hasBatch(run) || !hasRoomForOutputs(run)) return undefined;
  const { next, read } = run;
  if (next === undefined) {
    run.read = [];
    run.changed.notify();
    return read;
  }
  if (next.failure !== undefined) throw next.failure.error;
  run.next = undefined;
  prepareNext(run);
  run.changed.notify();
  return next.records;
}

async function foldBatch(run: FoldRun, batch: readonly ConsumedRecord[]): Promise<void> {
  const { start } = run.context;
  const outputs = await fold(run, batch);
  const records = batch.slice(0, outputs?.length ?? 0);
  const last = records.at(-1);
  if (outputs === undefined || last === undefined || hasEnded(run)) return;
  const restoring = records.findIndex(({ sequence }) => sequence > start.sequence);
  const replayed = restoring === -1 ? records.length : restoring;
  const folded = records.slice(replayed).map((record, index): Folded => ({ record, outputs: outputs[replayed + index] ?? [], sent: 0 }));
  skipSent(run, folded);
  run.folded = [...run.folded, ...folded];
  for (const each of folded) {
    run.outputsHeld = { records: run.outputsHeld.records + each.outputs.length - each.sent, bytes: run.outputsHeld.bytes + unsentBytes(each) };
  }
  run.foldedSequence = last.sequence;
  run.snapshot.recordsSinceWritten += records.length;
  run.snapshot.recordsSinceTried += records.length;
  if (records.some((record) => isOutstanding(run, record))) run.outstanding = undefined;
  if (replayed > 0) hold(run, { records: -replayed, bytes: -bytesOf(records.slice(0, replayed)) });
  noteProgress(run, records.length);
  run.changed.notify();
}

/** The first record after the committed one may be half sent. */
function skipSent(run: FoldRun, folded: Folded[]): void {
  const { sentBefore } = run;
  const [first] = folded;
  if (first === undefined || sentBefore === 0) return;
  const { topic, partition, sequence } = first.record;
  if (first.outputs.length < sentBefore) {
    throw pipelineError(
      'LS_PIPELINE_FOLD_DIVERGED',
      `Record ${sequence} of partition ${partition} of ${topic} gave ${first.outputs.length} outputs where ${sentBefore} had been sent.`,
      { topic, partition, sequence, outputs: first.outputs.length, outputsSent: sentBefore },
    );
  }
  folded[0] = { ...first, sent: sentBefore };
  run.sentBefore = 0;
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

async function snapshot(run: FoldRun): Promise<void> {
  await run.changed.until(() => isDelivered(run) || isStopping(run));
  if (!isStopping(run)) cutSnapshot(run);
}

/** Everything that was read is delivered. */
function isIdle({ inFlight, askedSinceMs }: FoldRun): boolean {
  return inFlight.records === 0 && askedSinceMs !== undefined;
}

function dueInMs(run: FoldRun): number | undefined {
  const { clock } = run.context;
  const snapshotInMs = (snapshotDueAtMs(run) ?? Infinity) - clock.elapsedMs();
  const dueMs = Math.min(snapshotInMs, ownRecordInMs(run));
  return dueMs === Infinity ? undefined : dueMs;
}

/** Infinity while there is nothing to append, or an earlier one is still on its way through the log. */
function ownRecordInMs(run: FoldRun): number {
  const { context, restored, outstanding, askedSinceMs } = run;
  const { clock, limits } = context;
  if (!restored || outstanding !== undefined) return Infinity;
  const due = run.state.due();
  if (due === undefined) return Infinity;
  const inMs = due.atMs - clock.nowMs();
  if (due.isUrgent === true) return inMs;
  return isIdle(run) && askedSinceMs !== undefined ? Math.max(inMs, askedSinceMs + limits.lingerMs - clock.elapsedMs()) : Infinity;
}

async function appendIfDue(run: FoldRun): Promise<void> {
  if (ownRecordInMs(run) > 0) return;
  const { context, working } = run;
  const due = run.state.due();
  if (due === undefined) return;
  await patiently(context, working.signal, () => context.append([due.record]));
  run.outstanding = due.record;
  context.observer.ownRecordAppended(context.partition);
}

function isOutstanding(run: FoldRun, record: ConsumedRecord): boolean {
  const own = run.outstanding;
  if (own === undefined || !own.value.equals(record.value)) return false;
  return own.key === null || record.key === null ? own.key === record.key : own.key.equals(record.key);
}
