/**
 * Bringing a fold's state back (SEMANTICS.md, rule 17): the newest snapshot at or below the committed sequence, then the log from there. The
 * outputs of records up to the committed sequence are not sent again; of the record after it, the first `outputsSent` are not.
 */
import { stateError } from '../core/errors/state.ts';
import { patiently } from './delivery.ts';
import { hasEnded, unlessEnded, type FoldRun } from './fold-run.ts';
import { codeOf } from './retry.ts';
import type { SnapshotHeader, SnapshotKey } from './state-store.ts';

/** A log whose first record has another sequence has lost its beginning. */
const firstSequence = 0n;

export async function restore(run: FoldRun): Promise<void> {
  const { context, state, working } = run;
  const { partition, stateStore, start } = context;
  const reading = stateStore?.readNewest(snapshotKey(run), start.sequence, async ({ header, chunks }) => {
    await state.restore(chunks);
    return header;
  });
  const snapshot = reading && (await unlessEnded(run, reading));
  const bounds = await patiently(context, working.signal, () => partition.bounds());
  if (bounds === undefined || hasEnded(run)) return;
  // At the committed sequence the committed position counts: the transport may have moved it on over gaps, and retention taken those.
  const standsAlready = snapshot?.sequence === start.sequence;
  if (!standsAlready) requireLog(run, snapshot, bounds.start.sequence);
  await discardOtherHistory(run);
  if (hasEnded(run)) return;
  run.position = standsAlready ? start.position : (snapshot?.position ?? bounds.start.position);
  run.foldedSequence = snapshot?.sequence ?? bounds.start.sequence - 1n;
  run.restore.snapshotSequence = snapshot?.sequence;
  partition.seek(run.position);
  noteProgress(run, 0);
}

/** With a state that stands at the committed position as it is. */
export function goOn(run: FoldRun): void {
  run.context.partition.seek(run.position);
  run.restore.kept = true;
  noteProgress(run, 0);
}

/**
 * A snapshot is cut only after the commit at its sequence is durable: one above the committed sequence was cut in a history that the log lost
 * since, by being restored from an older copy. It goes before anything is folded or written, because the log is about to grow past it, with
 * other records. That is also why no snapshot at or below the committed sequence can be foreign: the log grew there under an owner that had
 * discarded what stood above, unless it grew beside another state directory. Followers leave everything as it is: what they see as the end
 * may be older than what the owner has committed.
 *
 * It is not given up when the run ends meanwhile: it must be over before the next owner writes snapshots of its own.
 */
async function discardOtherHistory(run: FoldRun): Promise<void> {
  const { partition, stateStore, start, observer } = run.context;
  const discarded = (await stateStore?.discardAbove(snapshotKey(run), start.sequence)) ?? [];
  if (discarded.length > 0) observer.snapshotsDiscarded(partition, discarded);
}

export function snapshotKey({ context, stage }: FoldRun): SnapshotKey {
  const { topic, partition, incarnation } = context.partition;
  return { stage: stage.name, topic, incarnation, partition };
}

/** @param records folded since the last call. */
export function noteProgress(run: FoldRun, records: number): void {
  if (run.restored) return;
  const { context, restore: progress } = run;
  progress.records += records;
  const remaining = context.start.sequence - run.foldedSequence;
  context.observer.restoring(context.partition, remaining);
  if (remaining > 0n) return;
  run.restored = true;
  context.observer.restored(context.partition, {
    snapshotSequence: progress.snapshotSequence,
    kept: progress.kept,
    records: progress.records,
    durationMs: context.clock.elapsedMs() - progress.startedAtMs,
  });
}

/** While the state is not ahead of what was committed at the start, a lost position means that the state cannot be rebuilt, or not go on. */
export function asRestoreFailure(run: FoldRun, error: unknown): unknown {
  return run.foldedSequence <= run.context.start.sequence && codeOf(error) === 'LS_TRANSPORT_POSITION_LOST' ? truncated(run, run.foldedSequence, error) : error;
}

function requireLog(run: FoldRun, snapshot: SnapshotHeader | undefined, startSequence: bigint): void {
  const nextSequence = snapshot === undefined ? firstSequence : snapshot.sequence + 1n;
  if (startSequence > nextSequence) throw truncated(run, nextSequence - 1n, undefined, startSequence);
}

function truncated(run: FoldRun, sequence: bigint, cause: unknown, startSequence?: bigint): Error {
  const { topic, partition } = run.context.partition;
  const from = run.restore.snapshotSequence === undefined && sequence < firstSequence ? 'there is no snapshot' : `the state stands at ${sequence}`;
  const begins = startSequence === undefined ? 'the record after it is gone' : `the log begins at ${startSequence}`;
  return stateError(
    'LS_STATE_LOG_TRUNCATED',
    `The state of ${run.stage.name} for partition ${partition} of ${topic} cannot be rebuilt: ${from}, and ${begins}.`,
    { stage: run.stage.name, topic, partition, sequence, ...(startSequence === undefined ? {} : { startSequence }) },
    { cause },
  );
}
