/**
 * Cutting snapshots. Only right after a delivery, when the state stands at the committed sequence with no record half sent: then "state at C,
 * committed at C" is what a restart finds (SEMANTICS.md, rule 17). A snapshot that cannot be written costs a longer restart, not the stage.
 */
import { snapshotKey } from './fold-restore.ts';
import { hasEnded, unlessEnded, type FoldRun } from './fold-run.ts';

export async function snapshotIfDue(run: FoldRun): Promise<void> {
  const { context, state, standing } = run;
  const { stateStore, clock, observer, partition } = context;
  if (stateStore === undefined || !isDue(run) || hasEnded(run)) return;
  const startedMs = clock.elapsedMs();
  run.snapshot.recordsSinceTried = 0;
  run.snapshot.triedAtMs = startedMs;
  try {
    const header = { ...snapshotKey(run), sequence: standing.sequence, position: standing.position };
    await unlessEnded(run, stateStore.write(header, state.snapshot()));
  } catch (error) {
    observer.snapshotFailed(partition, error);
    return;
  }
  if (hasEnded(run)) return;
  run.snapshot.recordsSinceWritten = 0;
  observer.snapshotWritten(partition, standing.sequence, clock.elapsedMs() - startedMs);
}

function isDue(run: FoldRun): boolean {
  const dueAtMs = snapshotDueAtMs(run);
  const { clock, limits } = run.context;
  return dueAtMs !== undefined && (clock.elapsedMs() >= dueAtMs || run.snapshot.recordsSinceTried >= limits.snapshotEveryRecords);
}

/** By the clock's `elapsedMs`. Undefined while a snapshot may not be cut, or would say nothing new. */
export function snapshotDueAtMs({ context, foldedSequence, snapshot, standing }: FoldRun): number | undefined {
  const consistent = standing.outputsSent === 0 && standing.sequence === foldedSequence;
  if (context.stateStore === undefined || !consistent || snapshot.recordsSinceWritten === 0) return undefined;
  return snapshot.triedAtMs + context.limits.snapshotEveryMs;
}
