/**
 * The runner: puts one stage on one consumer group. It owns everything that is the same for all stages: who works on which partition, where
 * work begins, what may be in memory, and how it ends. What happens to records is in map-partition.ts and fold-partition.ts.
 */
import type { Clock, Random } from '../core/clock.ts';
import { pipelineError } from '../core/errors/pipeline.ts';
import type { TopicPartition } from '../core/records.ts';
import { timerOver } from './abort.ts';
import { createCondition, type Condition } from './condition.ts';
import { runFoldPartition } from './fold-partition.ts';
import { closeState, type KeptState } from './fold-run.ts';
import { nothingPaused, type InputPause } from './input-pause.ts';
import { defaultRunnerLimits, type RunnerLimits } from './limits.ts';
import { runMapPartition } from './map-partition.ts';
import { silentObserver, type RunnerObserver } from './observe.ts';
import { isRevocation, toError, type PartitionContext, type PartitionRun } from './partition-run.ts';
import type { FoldStage, Stage } from './stage.ts';
import { isRetryable } from './retry.ts';
import { carryingFirstStart, resolveStarts, type StartAt } from './start-position.ts';
import type { StartMarkers } from './start-marker.ts';
import type { StateStore } from './state-store.ts';
import type { AssignedPartition, Checkpoint, Delivery, ReadBudget, Transport } from './transport.ts';

export type RunnerOptions = {
  readonly transport: Transport;
  readonly stage: Stage;
  readonly group: string;
  readonly delivery: Delivery;
  /** For folds; without one, every start folds the log from its beginning. */
  readonly stateStore?: StateStore;
  /** Whether the transport forgets where a group without members stood: then the state store keeps that it started. */
  readonly positionsExpire?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: RunnerLimits;
  readonly observer?: RunnerObserver;
  /** Where a group begins that never stood anywhere in a topic; a fold always begins at the beginning. */
  readonly startAt?: StartAt | ((topic: string) => StartAt);
  /** Inputs of a map that are not read for now; none without it. */
  readonly inputPause?: InputPause;
};

/** `sequence` as in the end of a partition's bounds: one above the last record's. */
export type DrainEnd = TopicPartition & { readonly sequence: bigint };

export type Runner = {
  /** Resolves with the first failure that stopped a partition or the subscription. The other partitions go on until `stop`. */
  readonly failed: Promise<Error>;
  /**
   * Resolves when the assigned partitions are open, and everything before the ends is handled and committed by the group; of an input that is
   * paused, what was read of it here. Rejects with the
   * runner's failure, also with an earlier one, or with LS_PIPELINE_STOPPED.
   */
  readonly drainedTo: (ends: readonly DrainEnd[]) => Promise<void>;
  /** Never rejects. `forced`: the time ran out before everything in flight was delivered. */
  readonly stop: (options: { readonly deadlineMs: number }) => Promise<{ readonly forced: boolean }>;
};

/** Rejects with LS_PIPELINE_EXACTLY_ONCE_UNSUPPORTED, and with what `subscribe` rejects with. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { transport, stage, group, delivery, clock } = options;
  if (delivery === 'exactly-once' && !transport.capabilities.transactions) {
    throw pipelineError('LS_PIPELINE_EXACTLY_ONCE_UNSUPPORTED', `Stage ${stage.name} was to run exactly once on a transport without transactions.`, {
      stage: stage.name,
    });
  }
  const failure = Promise.withResolvers<Error>();
  const run: StageRun = {
    options,
    limits: options.limits ?? defaultRunnerLimits,
    observer: options.observer ?? silentObserver,
    active: new Map(),
    checkpoints: new Map(),
    kept: new Map(),
    changed: createCondition(clock),
    stopping: false,
    failure: undefined,
    failed: failure.resolve,
  };
  const subscription = await transport.subscribe({
    group,
    topics: stage.topics,
    delivery,
    listener: {
      assigned: (partitions) => assigned(run, partitions),
      revoked: (partitions) => revoked(run, partitions),
      failed: (error) => fail(run, error, undefined),
    },
  });
  let stopped: Promise<{ readonly forced: boolean }> | undefined;
  return {
    failed: failure.promise,
    drainedTo: (ends) => drainedTo(run, ends),
    stop: ({ deadlineMs }) => (stopped ??= stop(run, subscription.close, deadlineMs)),
  };
}

type StageRun = {
  readonly options: RunnerOptions;
  readonly limits: RunnerLimits;
  readonly observer: RunnerObserver;
  /** By partition name. */
  readonly active: Map<string, ActivePartition>;
  readonly checkpoints: Map<string, Checkpoint>;
  /** Of folds, by partition name: what was given up and may come back with the next assignment. */
  readonly kept: Map<string, KeptState>;
  /** Notified of every checkpoint, failure and stop. */
  readonly changed: Condition;
  stopping: boolean;
  failure: Error | undefined;
  readonly failed: (error: Error) => void;
};

/** From its assignment on; `work` once its start is known. */
type ActivePartition = {
  readonly partition: AssignedPartition;
  readonly opening: AbortController;
  work: PartitionRun | undefined;
  ended: Promise<void>;
};

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

async function assigned(run: StageRun, partitions: readonly AssignedPartition[]): Promise<void> {
  if (run.stopping) return;
  const opened = partitions.map((partition): ActivePartition => {
    const active = { partition, opening: new AbortController(), work: undefined, ended: Promise.resolve() };
    run.active.set(nameOf(partition), active);
    return active;
  });
  const { transport, group, stage, startAt } = run.options;
  try {
    const starts = await resolveStarts(partitions, {
      transport,
      group,
      startAt: ({ topic }) => (stage.kind === 'fold' ? 'earliest' : typeof startAt === 'function' ? startAt(topic) : (startAt ?? 'earliest')),
      contextOf: (partition) => contextOf(run, partition),
      signalOf: (partition) => run.active.get(nameOf(partition))?.opening.signal ?? AbortSignal.abort(),
      markers: markersOf(run),
    });
    for (const [index, active] of opened.entries()) {
      const start = starts[index];
      if (start !== undefined && !active.opening.signal.aborted) begin(run, active, start);
    }
  } catch (error) {
    for (const { partition } of opened) run.active.delete(nameOf(partition));
    if (!isRevocation(error)) fail(run, error, undefined);
  } finally {
    // What did not come back is another's.
    forgetKept(run);
    run.changed.notify();
  }
}

function markersOf({ options, observer }: StageRun): StartMarkers | undefined {
  const { stateStore, positionsExpire, group, stage } = options;
  if (stateStore === undefined || positionsExpire !== true) return undefined;
  return { stateStore, group, fold: stage.kind === 'fold' ? stage.name : undefined, failed: (partition, error) => observer.snapshotFailed(partition, error) };
}

function begin(run: StageRun, active: ActivePartition, start: Checkpoint): void {
  const { partition } = active;
  const { stage } = run.options;
  noteCheckpoint(run, partition, start);
  run.observer.assigned(partition, start);
  const context: PartitionContext = {
    ...contextOf(run, carryingFirstStart(partition, start)),
    start,
    limits: run.limits,
    observer: run.observer,
    inputPause: run.options.inputPause ?? nothingPaused,
    share: () => shareOf(run),
    checkpointed: (checkpoint) => noteCheckpoint(run, partition, checkpoint),
  };
  const work = stage.kind === 'map' ? runMapPartition(stage, context) : beginFold(run, stage, context);
  active.work = work;
  active.ended = work.done
    .catch((error: unknown) => fail(run, error, partition))
    .finally(() => {
      if (run.active.get(nameOf(partition)) === active) run.active.delete(nameOf(partition));
      run.observer.ended(partition);
    });
}

function beginFold(run: StageRun, stage: FoldStage, context: PartitionContext): PartitionRun {
  const { stateStore, transport } = run.options;
  const name = nameOf(context.partition);
  const former = run.kept.get(name);
  run.kept.delete(name);
  const work = runFoldPartition(stage, { ...context, stateStore, append: (records) => transport.append(records) }, former);
  const done = work.done.finally(() => {
    const kept = work.kept();
    if (kept !== undefined && !run.stopping) run.kept.set(name, kept);
    else work.close();
  });
  return { ...work, done };
}

function forgetKept({ kept }: StageRun): void {
  for (const each of kept.values()) closeState(each);
  kept.clear();
}

function contextOf({ options, limits, observer }: StageRun, partition: AssignedPartition) {
  const { clock, random } = options;
  return { partition, clock, random, limits, observer };
}

function shareOf({ active, limits }: StageRun): ReadBudget {
  const partitions = Math.max(1, active.size);
  return {
    records: Math.max(1, Math.min(limits.partitionRecordsInFlightMax, Math.floor(limits.recordsInFlightMax / partitions))),
    bytes: Math.max(1, Math.min(limits.partitionBytesInFlightMax, Math.floor(limits.bytesInFlightMax / partitions))),
  };
}

function noteCheckpoint(run: StageRun, partition: TopicPartition, checkpoint: Checkpoint): void {
  run.checkpoints.set(nameOf(partition), checkpoint);
  run.changed.notify();
}

function fail(run: StageRun, cause: unknown, partition: TopicPartition | undefined): void {
  const error = toError(cause);
  run.observer.failed(error, partition);
  run.failure ??= error;
  run.failed(error);
  run.changed.notify();
}

async function revoked(run: StageRun, partitions: readonly TopicPartition[]): Promise<void> {
  const given = partitions.flatMap((partition) => run.active.get(nameOf(partition)) ?? []);
  await drain(run, given, run.limits.revokeDeadlineMs);
  for (const active of given) run.active.delete(nameOf(active.partition));
  run.changed.notify();
  // Where others take the group is theirs to say.
  for (const partition of partitions) run.checkpoints.delete(nameOf(partition));
}

/** Whether it had to be forced. */
async function drain(run: StageRun, partitions: readonly ActivePartition[], deadlineMs: number): Promise<boolean> {
  for (const { opening, work } of partitions) {
    opening.abort();
    work?.drain();
  }
  const ended = Promise.all(partitions.map((active) => active.ended));
  if (await within(run, ended, deadlineMs)) return false;
  let recordsInFlight = 0;
  for (const { work } of partitions) {
    recordsInFlight += work?.inFlight().records ?? 0;
    work?.abort();
  }
  run.observer.forced(recordsInFlight);
  await ended;
  return true;
}

/**
 * Shutdown: read nothing more, deliver what was read, in order, leave the group. After three quarters of the time what is still in flight is
 * given up: the rest is for leaving, because a member that just vanishes holds its partitions until its session ends.
 */
async function stop(run: StageRun, leave: () => Promise<void>, deadlineMs: number): Promise<{ readonly forced: boolean }> {
  const { clock } = run.options;
  const startedMs = clock.elapsedMs();
  run.stopping = true;
  forgetKept(run);
  const forced = await drain(run, [...run.active.values()], (deadlineMs * 3) / 4);
  run.changed.notify();
  const left = leave().catch((error: unknown) => fail(run, error, undefined));
  await within(run, left, startedMs + deadlineMs - clock.elapsedMs());
  return { forced };
}

async function within({ options: { clock } }: StageRun, promise: Promise<unknown>, durationMs: number): Promise<boolean> {
  const timer = new AbortController();
  const inTime = promise.then(() => true);
  const late = clock.sleep(durationMs, timer.signal).then(() => false);
  return Promise.race([inTime, late]).finally(() => timer.abort(timerOver));
}

/** Whether nothing of a partition is worked on, and nothing will be read, because its input is paused. */
function isLeft({ active, options: { inputPause = nothingPaused } }: StageRun, place: TopicPartition): boolean {
  return inputPause.isPaused(place.topic) && (active.get(nameOf(place))?.work?.inFlight().records ?? 0) === 0;
}

/** How often the transport is asked about partitions that another member works on, and a paused one is looked at. */
const othersPollMs = 500;

async function drainedTo(run: StageRun, ends: readonly DrainEnd[]): Promise<void> {
  const { transport, group, stage } = run.options;
  const requireNoFailure = (): void => {
    if (run.failure !== undefined) throw run.failure;
  };
  const isOpen = (): boolean => [...run.active.values()].every(({ work }) => work !== undefined);
  await run.changed.until(() => isOpen() || run.failure !== undefined || run.stopping);
  requireNoFailure();
  for (const end of ends) {
    const isReached = (): boolean => (run.checkpoints.get(nameOf(end))?.sequence ?? -2n) + 1n >= end.sequence || isLeft(run, end);
    while (!isReached()) {
      requireNoFailure();
      if (run.stopping) throw pipelineError('LS_PIPELINE_STOPPED', `Stage ${stage.name} was stopped before ${nameOf(end)} was at ${end.sequence}.`);
      const changed = await run.changed.until(() => isReached() || run.failure !== undefined || run.stopping, othersPollMs);
      if (changed || run.active.has(nameOf(end))) continue;
      const committed = await transport.committed(group, end).catch((error: unknown) => {
        // Who stopped the run may have closed the transport meanwhile: told above, for what it is. An outage is waited for.
        if (run.stopping || isRetryable(error)) return undefined;
        throw error;
      });
      if (committed !== undefined && !run.active.has(nameOf(end))) run.checkpoints.set(nameOf(end), committed);
    }
  }
}
