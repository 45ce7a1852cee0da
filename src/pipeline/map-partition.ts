/**
 * One input partition of a map stage. Three things go on at once, over one tracker:
 *
 *      intake ──admit──> processing, any order ──finish──> release: the finished prefix, one delivery at a time
 *         ^                                                   │
 *         └──────────────── room in the budget ───────────────┘
 *
 * While an operator has paused the input, nothing is polled, and what was read is finished.
 */
import { createCondition } from './condition.ts';
import { createFailureWindow } from './failure-window.ts';
import { admit } from './map-processing.ts';
import { release } from './map-release.ts';
import { drainRun, endRun, failRun, hasRoom, isDraining, isInputPaused, noteInputPause, observeInFlight, type MapRun } from './map-run.ts';
import { createOffsetTracker } from './offset-tracker.ts';
import { pollPatiently, type PartitionContext, type PartitionRun } from './partition-run.ts';
import type { MapStage } from './stage.ts';

export function runMapPartition(stage: MapStage, context: PartitionContext): PartitionRun {
  const run: MapRun = {
    context,
    stage,
    tracker: createOffsetTracker(),
    window: createFailureWindow(),
    changed: createCondition(context.clock),
    reading: new AbortController(),
    polling: new AbortController(),
    working: new AbortController(),
    processing: new Map(),
    held: new Set(),
    waiting: new Set(),
    unparkable: new WeakSet(),
    paused: false,
    resumedAtMs: 0,
    intakeEnded: false,
    failure: undefined,
  };
  const forget = context.inputPause.onChange(() => noteInputPause(run));
  return {
    done: work(run).finally(forget),
    drain: () => drainRun(run),
    abort: () => endRun(run),
    inFlight: () => run.tracker.inFlight(),
  };
}

async function work(run: MapRun): Promise<void> {
  const guarded = (activity: Promise<void>): Promise<void> => activity.catch((error: unknown) => failRun(run, error));
  await Promise.all([guarded(intake(run)), guarded(release(run))]);
  endRun(run);
  if (run.failure !== undefined) throw run.failure;
}

async function intake(run: MapRun): Promise<void> {
  const { context, tracker, changed } = run;
  let position = context.start.position;
  context.partition.seek(position);
  while (!isDraining(run)) {
    await changed.until(() => mayRead(run) || isDraining(run));
    if (isDraining(run)) break;
    // Between the notice and here a result may have taken the room, or another partition a part of the share.
    if (!mayRead(run)) continue;
    const records = await pollPatiently(context, position, tracker.room(context.share()), run.polling.signal);
    // What arrives after the drain began was promised to nobody: the next owner reads it.
    if (isDraining(run)) break;
    // Paused meanwhile: nothing is known of where the transport stands.
    if (records.length === 0) context.partition.seek(position);
    for (const record of records) admit(run, record);
    position = records.at(-1)?.nextPosition ?? position;
    observeInFlight(run);
  }
  run.intakeEnded = true;
  changed.notify();
}

function mayRead(run: MapRun): boolean {
  return !run.paused && !isInputPaused(run) && hasRoom(run);
}
