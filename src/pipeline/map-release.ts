/**
 * Releasing the results of a map's partition: the finished prefix in input order, one delivery at a time. A record that finished waits a little
 * for company, so that many share one transaction; a head of line that is not finished is waited for, or parked when it holds its successors
 * back too long (SEMANTICS.md, rule 5).
 */
import { endRun, hasEnded, hasRoom, isDraining, observeInFlight, type MapRun } from './map-run.ts';
import type { Tracked } from './offset-tracker.ts';
import { deliverInRun } from './partition-run.ts';
import type { Checkpoint } from './transport.ts';

/** Resolves when everything that was read is delivered and nothing more will be read, or the run ended. */
export async function release(run: MapRun): Promise<void> {
  const { tracker, changed } = run;
  let standing: Checkpoint | undefined = run.context.start;
  while (standing !== undefined && !hasEnded(run)) {
    const head = tracker.head();
    if (head === undefined) {
      if (run.intakeEnded) return;
      await changed.until(() => tracker.head() !== undefined || run.intakeEnded || hasEnded(run));
    } else if (head.outputs !== undefined) {
      await linger(run, head);
      standing = await deliverPrefix(run, standing);
    } else if (isGivenUp(run, head)) {
      // The system that fails may fail for long; the records behind are the next owner's.
      endRun(run);
    } else {
      await waitOrPark(run, head);
    }
  }
}

/** Drained is what ends by itself: not what waits for a system that may be away for long. */
function isGivenUp(run: MapRun, head: Tracked): boolean {
  return isDraining(run) && (run.held.has(head) || run.waiting.has(head));
}

async function linger(run: MapRun, head: Tracked): Promise<void> {
  const { tracker, changed, context } = run;
  const { clock, limits } = context;
  const complete = (): boolean => {
    const prefix = tracker.prefix();
    const full = prefix.outputs >= limits.deliveryRecordsMax || prefix.outputBytes >= limits.deliveryBytesMax;
    const nobodyElse = prefix.inputs === tracker.inFlight().records && (isDraining(run) || !hasRoom(run));
    return full || nobodyElse || hasEnded(run);
  };
  await changed.until(complete, head.finishedAtMs + lingerMs(head, limits.lingerMs) - clock.elapsedMs());
}

/** Under load the results of slow inputs come one by one. A twentieth more of what they have waited already saves most of the transactions. */
function lingerMs({ admittedAtMs, finishedAtMs }: Tracked, least: number): number {
  return Math.max(least, Math.min((finishedAtMs - admittedAtMs) / 20, 20 * least));
}

/** Where the group stands then; undefined where the run ended first. */
async function deliverPrefix(run: MapRun, standing: Checkpoint): Promise<Checkpoint | undefined> {
  const { tracker, context, changed } = run;
  const { limits } = context;
  const released = tracker.peek({ records: limits.deliveryRecordsMax, bytes: limits.deliveryBytesMax });
  const last = released.at(-1)?.record;
  if (last === undefined) return undefined;
  const checkpoint = { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 };
  const outputs = released.flatMap((tracked) => tracked.outputs ?? []);
  const delivered = await deliverInRun(context, { outputs, checkpoint, previous: standing }, released.length, run.working.signal);
  if (!delivered || hasEnded(run)) return undefined;
  tracker.release(released.length);
  observeInFlight(run);
  changed.notify();
  return checkpoint;
}

async function waitOrPark(run: MapRun, head: Tracked): Promise<void> {
  const { tracker, changed, context } = run;
  const { clock, limits } = context;
  const overtaken = (): boolean =>
    head.outputs !== undefined || run.paused || hasEnded(run) || isGivenUp(run, head);
  const heldSinceMs = tracker.heldSinceMs();
  if (heldSinceMs === undefined || run.paused || run.unparkable.has(head)) {
    await changed.until(() => head.outputs !== undefined || hasEnded(run) || canBeParked(run, head) || isGivenUp(run, head));
    return;
  }
  // What was held through a pause has just been started again.
  const parkAtMs = Math.max(heldSinceMs, run.resumedAtMs) + limits.holdMsMax;
  await changed.until(overtaken, parkAtMs - clock.elapsedMs());
  // Looked at again, because it may have finished while the timer woke us.
  if (overtaken()) return;
  park(run, head, clock.elapsedMs() - heldSinceMs);
}

function canBeParked(run: MapRun, head: Tracked): boolean {
  return !run.paused && !run.unparkable.has(head) && run.tracker.heldSinceMs() !== undefined;
}

function park(run: MapRun, head: Tracked, heldMs: number): void {
  const { context, stage, tracker } = run;
  const parked = stage.park(head.record);
  if (parked === undefined) {
    run.unparkable.add(head);
    return;
  }
  tracker.finish(head, [parked], context.clock.elapsedMs());
  run.processing.get(head)?.abort();
  run.processing.delete(head);
  context.observer.parked(context.partition, head.record.sequence, heldMs);
  run.changed.notify();
}
