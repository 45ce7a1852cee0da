/** The state of a map's partition at work, and how it ends. The files map-processing and map-release act on it; map-partition puts them together. */
import type { Condition } from './condition.ts';
import type { FailureWindow } from './failure-window.ts';
import type { OffsetTracker, Tracked } from './offset-tracker.ts';
import { isRevocation, toError, type PartitionContext } from './partition-run.ts';
import type { MapStage } from './stage.ts';

export type MapRun = {
  readonly context: PartitionContext;
  readonly stage: MapStage;
  readonly tracker: OffsetTracker;
  readonly window: FailureWindow;
  /** Notified of every change to this object and to the tracker. */
  readonly changed: Condition;
  /** Aborted by drain: nothing more is read. */
  readonly reading: AbortController;
  /** Aborted by drain, and while the input is paused. */
  polling: AbortController;
  /** Aborted by abort, by failure and at the end: nothing more is done. */
  readonly working: AbortController;
  /** To abort the processing of a record that was parked or forgotten. */
  readonly processing: Map<Tracked, AbortController>;
  /** Records that failed with what paused the partition, or were read during the pause. */
  readonly held: Set<Tracked>;
  /** Records between two attempts at something of another system, which may be away for long. */
  readonly waiting: Set<Tracked>;
  /** Records that the stage does not park: they are waited for. */
  readonly unparkable: WeakSet<Tracked>;
  paused: boolean;
  /** By the clock's `elapsedMs`. */
  resumedAtMs: number;
  intakeEnded: boolean;
  failure: Error | undefined;
};

/** Ends the run; the first failure is the one that counts, and losing the partition is none. */
export function failRun(run: MapRun, error: unknown): void {
  if (!run.working.signal.aborted && !isRevocation(error)) run.failure = toError(error);
  endRun(run);
}

/** Whatever is still being done comes too late from here on. */
export function endRun(run: MapRun): void {
  drainRun(run);
  run.working.abort();
  run.tracker.reset();
  run.held.clear();
  run.waiting.clear();
  for (const controller of run.processing.values()) controller.abort();
  run.processing.clear();
  run.changed.notify();
}

/** Nothing more is read. */
export function drainRun(run: MapRun): void {
  run.reading.abort();
  run.polling.abort();
  run.changed.notify();
}

/** What an operator wants has changed. */
export function noteInputPause(run: MapRun): void {
  if (isInputPaused(run)) run.polling.abort();
  // A poll that waits goes on under the one that it has.
  else if (run.polling.signal.aborted && !isDraining(run)) run.polling = new AbortController();
  run.changed.notify();
}

export function isInputPaused({ context: { inputPause, partition } }: MapRun): boolean {
  return inputPause.isPaused(partition.topic);
}

export function isDraining(run: MapRun): boolean {
  return run.reading.signal.aborted;
}

export function hasEnded(run: MapRun): boolean {
  return run.working.signal.aborted;
}

/**
 * Whether more may be read. The next record's size is not known before it is there, and a poll hands over a first one whatever its size: with
 * half of the share free, only a record larger than that can exceed it. A quarter of the records at least, or each result would make a poll.
 */
export function hasRoom({ context, tracker }: MapRun): boolean {
  const share = context.share();
  const room = tracker.room(share);
  return room.records * 4 >= share.records && room.bytes * 2 >= share.bytes;
}

export function observeInFlight({ context, tracker }: MapRun): void {
  context.observer.inFlight(context.partition, tracker.inFlight(), tracker.gap());
}
