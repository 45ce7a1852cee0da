/** Reading ahead of the fold, as far as the partition's budget and one batch go, and having the stage prepare the batch that is folded next. */
import { foldFailed } from './fold-failure.ts';
import { hold, isStopping, unlessEnded, type FoldRun, type PreparedBatch } from './fold-run.ts';
import { bytesOf, pollPatiently } from './partition-run.ts';
import type { ReadBudget } from './transport.ts';

/** Resolves when the run stops. Rejects with what reading failed with: what was read before is folded and delivered all the same. */
export async function intake(run: FoldRun): Promise<void> {
  const { context, changed, stopping } = run;
  while (!isStopping(run)) {
    await changed.until(() => roomToRead(run) !== undefined || isStopping(run));
    const room = roomToRead(run);
    // Between the notice and here another partition may have taken a part of the share.
    if (room === undefined || isStopping(run)) continue;
    run.askedSinceMs = context.clock.elapsedMs();
    changed.notify();
    const records = await pollPatiently(context, run.position, room, stopping.signal);
    run.askedSinceMs = undefined;
    // What arrives after the drain began was promised to nobody: the next owner reads it.
    if (isStopping(run)) return;
    run.read = run.read.length === 0 ? records : [...run.read, ...records];
    run.position = records.at(-1)?.nextPosition ?? run.position;
    hold(run, { records: records.length, bytes: bytesOf(records) });
    prepareNext(run);
    changed.notify();
  }
}

/**
 * Undefined while there is none to speak of. The next record's size is not known before it is there, and a poll hands over a first one whatever
 * its size: with half of the share free, only a record larger than that can exceed it. A quarter of the records at least, or each record that
 * goes out would make a poll.
 */
function roomToRead({ context, inFlight, read }: FoldRun): ReadBudget | undefined {
  const { limits } = context;
  const share = context.share();
  const bytes = share.bytes - inFlight.bytes;
  const records = share.records - inFlight.records;
  const ahead = limits.foldRecordsMax - read.length;
  const isEnough = bytes * 2 >= share.bytes && records * 4 >= share.records && ahead * 4 >= limits.foldRecordsMax;
  return isEnough ? { records: Math.min(records, ahead), bytes } : undefined;
}

/** Begins with the next batch, where the stage prepares and no other batch is waiting. */
export function prepareNext(run: FoldRun): void {
  const { state, read, next } = run;
  if (state.prepare === undefined || next !== undefined || read.length === 0 || isStopping(run)) return;
  const batch: PreparedBatch = { records: read, prepared: Promise.resolve(), isReady: false, failure: undefined };
  run.read = [];
  run.next = batch;
  batch.prepared = prepare(run, batch);
}

async function prepare(run: FoldRun, batch: PreparedBatch): Promise<void> {
  const { state, stopping, changed } = run;
  try {
    await unlessEnded(run, state.prepare?.(batch.records, stopping.signal) ?? Promise.resolve());
  } catch (cause) {
    batch.failure = { error: foldFailed(run, batch.records, cause) };
  }
  batch.isReady = true;
  changed.notify();
}
