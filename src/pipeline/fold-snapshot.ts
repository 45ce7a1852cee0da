/**
 * Cutting snapshots. Only right after a delivery, when the state stands at the committed sequence with no record half sent: then "state at C,
 * committed at C" is what a restart finds (SEMANTICS.md, rule 17). Writing it goes on beside what is folded then, one snapshot at a time. One that
 * cannot be written costs a longer restart, not the stage.
 */
import { snapshotKey } from './fold-restore.ts';
import { hasEnded, type FoldRun } from './fold-run.ts';
import type { SnapshotHeader, StateStore } from './state-store.ts';

/** To be called when all that was folded is delivered, and no snapshot is being written. */
export function cutSnapshot(run: FoldRun): void {
  const { context, standing } = run;
  const { stateStore, clock } = context;
  if (stateStore === undefined || hasEnded(run)) return;
  run.snapshot.recordsSinceTried = 0;
  run.snapshot.triedAtMs = clock.elapsedMs();
  const header = { ...snapshotKey(run), sequence: standing.sequence, position: standing.position };
  run.writing = write(run, stateStore, header).finally(() => {
    run.writing = undefined;
    run.changed.notify();
  });
}

/** Never rejects. */
async function write(run: FoldRun, stateStore: StateStore, header: SnapshotHeader): Promise<void> {
  const { context, state, snapshot } = run;
  const { clock, observer, partition } = context;
  const { triedAtMs: startedMs, recordsSinceWritten: records } = snapshot;
  try {
    const chunks = state.snapshot();
    try {
      await stateStore.write(header, chunks);
    } finally {
      // A store that failed may not have read them.
      chunks[Symbol.iterator]().return?.();
    }
  } catch (error) {
    if (!hasEnded(run)) observer.snapshotFailed(partition, error);
    return;
  }
  if (hasEnded(run)) return;
  snapshot.recordsSinceWritten -= records;
  observer.snapshotWritten(partition, header.sequence, clock.elapsedMs() - startedMs);
}

/** Once all that was folded is delivered. */
export function isSnapshotDue(run: FoldRun): boolean {
  const dueAtMs = snapshotDueAtMs(run);
  const { clock, limits } = run.context;
  return dueAtMs !== undefined && (clock.elapsedMs() >= dueAtMs || run.snapshot.recordsSinceTried >= limits.snapshotEveryRecords);
}

/**
 * By the clock's `elapsedMs`. Undefined while a snapshot would say nothing new, or may not be cut: the state is on its way to what was committed
 * before the run, or of the record after that a part was out, and it is not folded yet. Nor while one is being written.
 */
export function snapshotDueAtMs({ context, restored, sentBefore, snapshot, writing }: FoldRun): number | undefined {
  if (context.stateStore === undefined || writing !== undefined || !restored || sentBefore > 0 || snapshot.recordsSinceWritten === 0) return undefined;
  return snapshot.triedAtMs + context.limits.snapshotEveryMs;
}
