/**
 * Processing the records of a map's partition: all that are in flight at once, each until its result is final.
 *
 * When a system fails rather than the records (failure-window.ts), the partition pauses: nothing more is read, and what fails in that way
 * is held. One held record after the other is done again after a back-off; the first that does not fail so resumes the partition, and the others
 * are done again.
 */
import { pipelineError } from '../core/errors/pipeline.ts';
import type { ConsumedRecord } from '../core/records.ts';
import { failRun, hasEnded, type MapRun } from './map-run.ts';
import type { Tracked } from './offset-tracker.ts';
import { describeError } from './partition-run.ts';
import { backOffMs, createRetry } from './retry.ts';
import type { MapStage, ProcessContext, Processed } from './stage.ts';

export function admit(run: MapRun, record: ConsumedRecord): void {
  const tracked = run.tracker.admit(record, run.context.clock.elapsedMs());
  // The poll was already waiting when the pause began.
  if (run.paused) run.held.add(tracked);
  else process(run, tracked);
}

function process(run: MapRun, tracked: Tracked): void {
  attempt(
    run,
    tracked,
    (processed) => {
      if (processed !== undefined) conclude(run, tracked, processed);
    },
    (error) => failRun(run, error),
  );
}

/**
 * Undefined where nobody waits for the result any more. By callbacks, because every record comes through here: promises of our own would cost as much
 * as all the rest that the engine does for a record.
 */
function attempt(run: MapRun, tracked: Tracked, done: (processed: Processed | undefined) => void, failed: (error: unknown) => void): void {
  const { context, stage, tracker } = run;
  const { clock, observer, partition } = context;
  const startedMs = clock.elapsedMs();
  const settle = (action: () => void): void => {
    run.processing.delete(tracked);
    try {
      if (tracker.awaits(tracked)) action();
      else done(undefined);
    } catch (error) {
      failed(error);
    }
  };
  const reject = (error: unknown): void => settle(() => failed(processFailed(stage, tracked.record, error)));
  try {
    stage.process(tracked.record, processContext(run, tracked)).then(
      (processed) => settle(() => {
        observer.processed(partition, clock.elapsedMs() - startedMs, processed.systemFailures);
        done(processed);
      }),
      reject,
    );
  } catch (error) {
    reject(error);
  }
}

function processContext(run: MapRun, tracked: Tracked): ProcessContext {
  const { clock, random, limits } = run.context;
  return {
    get signal() {
      return signalOf(run, tracked);
    },
    retry: (operation, patience) => {
      const signal = signalOf(run, tracked);
      if (patience === undefined) return createRetry({ policy: limits.processRetry, clock, random, signal })(operation);
      return createRetry({ ...patience, clock, random, signal, waiting: (isWaiting) => noteWaiting(run, tracked, isWaiting) })(operation);
    },
  };
}

function noteWaiting({ waiting, changed }: MapRun, tracked: Tracked, isWaiting: boolean): void {
  if (isWaiting) waiting.add(tracked);
  else waiting.delete(tracked);
  changed.notify();
}

/** Made when it is first asked for: a stage that never waits does not pay for it. */
function signalOf({ tracker, processing }: MapRun, tracked: Tracked): AbortSignal {
  if (!tracker.awaits(tracked)) return AbortSignal.abort();
  const controller = processing.get(tracked) ?? new AbortController();
  processing.set(tracked, controller);
  return controller.signal;
}

/** A stage turns what is wrong with a record into a dead letter. If it rejects, it is wrong itself. */
function processFailed(stage: MapStage, { topic, partition, sequence }: ConsumedRecord, cause: unknown): Error {
  return pipelineError(
    'LS_PIPELINE_PROCESS_FAILED',
    `Stage ${stage.name} failed on record ${sequence} of partition ${partition} of ${topic}: ${describeError(cause)}`,
    { stage: stage.name, topic, partition, sequence },
    { cause },
  );
}

function conclude(run: MapRun, tracked: Tracked, processed: Processed): void {
  const { tracker, window, context } = run;
  const code = window.tippedBy(processed.systemFailures);
  if (code === undefined) {
    window.record(processed.systemFailures);
    run.held.delete(tracked);
    tracker.finish(tracked, processed.outputs, context.clock.elapsedMs());
  } else {
    run.held.add(tracked);
    if (!run.paused) pause(run, code);
  }
  run.changed.notify();
}

function pause(run: MapRun, code: string): void {
  run.paused = true;
  run.context.observer.paused(run.context.partition, code);
  void probeUntilOneSucceeds(run);
}

async function probeUntilOneSucceeds(run: MapRun): Promise<void> {
  const { context, held } = run;
  try {
    for (let round = 1; ; round += 1) {
      await context.clock.sleep(backOffMs(context.limits.patience, round, context.random), run.working.signal);
      const [tracked] = held;
      if (hasEnded(run) || tracked === undefined) return;
      const processed = await new Promise<Processed | undefined>((done, failed) => attempt(run, tracked, done, failed));
      if (processed === undefined) continue;
      if (run.window.tippedBy(processed.systemFailures) === undefined) {
        resume(run, tracked, processed);
        return;
      }
      // To the end: a record that fails for ever must not be the only one that is tried.
      held.delete(tracked);
      held.add(tracked);
    }
  } catch (error) {
    failRun(run, error);
  }
}

function resume(run: MapRun, tracked: Tracked, processed: Processed): void {
  run.paused = false;
  run.resumedAtMs = run.context.clock.elapsedMs();
  run.context.observer.resumed(run.context.partition);
  conclude(run, tracked, processed);
  const waiting = [...run.held];
  run.held.clear();
  for (const next of waiting) process(run, next);
}
