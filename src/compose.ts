/**
 * The only file that knows every part that processes, and puts them together: what a configuration becomes in a running process.
 */
import type { OpenSearch } from './clustering/neighbour-search.ts';
import { createNeighbourSearch } from './clustering/search/fast-search.ts';
import { createSearchWorkers } from './clustering/search/search-workers.ts';
import { cloudEventSource, clusterStageOf } from './clusters-of.ts';
import type { Configuration } from './config/load.ts';
import { SettingsRefused } from './config/mistakes.ts';
import { refusedDefinition, refusedProjections } from './configured-definitions.ts';
import type { Define } from './core/events.generated.ts';
import { partitionForKey } from './core/partitioning.ts';
import type { OutputRecord } from './core/records.ts';
import { allTopics, topics } from './core/topics.ts';
import { modelBindings } from './model-bindings.ts';
import { priorities } from './models/model-port.ts';
import { startModelServer, type ModelServer } from './models/model-server.ts';
import { combineObservers, createLogObserver, errorFields } from './observation/log-observer.ts';
import { combineModelObservers, createModelLog } from './observation/model-log.ts';
import { createSourceObserver, observedFetcher } from './observation/observed-fetches.ts';
import type { Access } from './open-access.ts';
import { openContentFetcher } from './open-content-fetcher.ts';
import { rejectionOf } from './pipeline/abort.ts';
import { createCondition } from './pipeline/condition.ts';
import { nothingPaused, type InputPause } from './pipeline/input-pause.ts';
import { defaultRunnerLimits, type RunnerLimits } from './pipeline/limits.ts';
import { silentObserver, type RunnerObserver } from './pipeline/observe.ts';
import { createRetry } from './pipeline/retry.ts';
import { startRunner, type Runner } from './pipeline/runner.ts';
import type { Stage } from './pipeline/stage.ts';
import { clusterGroupOf, groupOf, startAtOf } from './stage-groups.ts';
import type { PartitionView } from './stages/cluster/cluster-queries.ts';
import { defineRecord } from './stages/cluster/control-records.ts';
import type { OwnedPartitions } from './stages/cluster/live-clusters.ts';
import { trackPartitions, type TrackedPartitions } from './stages/cluster/owned-partitions.ts';
import { requireNoPlan } from './stages/cluster/repartition-plan.ts';
import type { ContentFetcher } from './stages/extract/content-fetcher.ts';
import { createExtractStage } from './stages/extract/extract-stage.ts';
import { createMediaContent } from './stages/extract/media-content.ts';
import { drainEndsOf } from './until-idle.ts';

export type Stages = {
  readonly extract: Runner;
  readonly cluster: Runner;
  /** What CLUSTER has of the clusters. */
  readonly owned: OwnedPartitions;
  /** A collection of this instance is to be frozen or thawed, or a generation of it is being built and will be swapped in. */
  readonly isAboutToAppend: () => boolean;
  /** EXTRACT first: CLUSTER still folds what it has read of its features, and the rest waits in the log. Never rejects. */
  readonly stop: () => Promise<{ readonly forced: boolean }>;
  /** After `stop`: ends what they have worked with. */
  readonly close: () => Promise<void>;
};

/** @param unloaded models that are not loaded at the start, whatever the configuration says. */
export async function startModels({ configuration, context }: Pick<Access, 'configuration' | 'context'>, unloaded: ReadonlySet<string> = new Set()): Promise<ModelServer> {
  const { inference, media } = configuration;
  const { clock, metrics, logger } = context;
  const server = await startModelServer({
    models: modelBindings(configuration, context.extensions, unloaded),
    plugins: context.extensions.pluginUrls,
    clock,
    workerCount: inference.workerCount,
    limits: { lingerMsMax: inference.batchLingerMs, queueItemsMax: inference.queueItemsMax },
    streamShareMin: inference.streamShareMin,
    memoryBytesMax: inference.memoryBytesMax,
    imageBytesMax: media.bytesMax,
    preprocessing: { imagePixelsMax: inference.imagePixelsMax },
    observer: combineModelObservers([metrics.models.observer, context.modelStatistics.observer, createModelLog(logger)]),
  });
  metrics.models.queued(() => [...server.status()].flatMap(([model, { queuedItems }]) => priorities.map((priority) => ({ model, priority, items: queuedItems[priority] }))));
  return server;
}

/**
 * Appends what the configuration adds to the definitions in the log (SEMANTICS.md, rule 9). Asks the fold itself, once it stands at the end of
 * the log: what it would refuse is refused here, before EXTRACT sends features that no definition in force allows. Where another instance has
 * the partition, its fold is the judge: a definition that is in force already changes nothing, one that it refuses becomes a dead letter.
 * Rejects with SettingsRefused.
 */
async function proposeDefinitions(access: Access, cluster: RunningCluster, models: ModelServer, signal: AbortSignal): Promise<void> {
  const { codec, configuration, transport } = access;
  const partitionCount = access.partitionCountOf(topics.features);
  const ends = await waiting(access, signal, () => drainEndsOf(access, [topics.features]));
  const drainedTo = (wanted: typeof ends): Promise<void> => Promise.race([cluster.runner.drainedTo(wanted), rejectionOf(signal)]);
  // Of none: the assigned partitions are open.
  await drainedTo([]);
  // The committed position alone says nothing of the state, which is still being restored. (A failure is told right after.)
  await Promise.race([cluster.restored(), cluster.runner.failed, rejectionOf(signal)]);
  await drainedTo(ends.filter(({ partition }) => cluster.owned.current.has(partition)));
  const proposed: OutputRecord[] = [];
  const definitions = configuration.collections.map((collection) => ({ collection, definition: definitionOf(collection, access, models) }));
  const refused = [...(await Promise.race([refusedProjections(definitions, access.stateStore), rejectionOf(signal)]))];
  for (const { collection, definition } of definitions) {
    const partition = cluster.owned.current.get(partitionForKey(collection.name, partitionCount));
    const verdict = partition?.checkDefinition(collection.name, definition) ?? { kind: 'define' };
    if (verdict.kind === 'reject') refused.push(refusedDefinition(verdict.error, configuration));
    if (verdict.kind === 'define') proposed.push(defineRecord(codec, partitionCount, collection.name, definition));
  }
  if (refused.length > 0) throw new SettingsRefused(refused);
  // Proposed twice is proposed once: the fold takes the same definition again for what it is.
  if (proposed.length > 0) await waiting(access, signal, () => transport.append(proposed));
}

export function definitionOf(collection: Configuration['collections'][number], { configuration }: Access, models: ModelServer): Define {
  const user = configuration.routes.flatMap(({ steps }) => steps).find((step) => step.collection?.text === collection.name);
  const model = models.describe(user?.model ?? '');
  const { tombstoneRetentionMs } = configuration.cluster;
  return {
    version: collection.version,
    model: model.model,
    modelVersion: model.version,
    dimensions: model.dimensions,
    projectionSha256: collection.projection ?? null,
    metric: collection.metric,
    eps: collection.eps,
    minPoints: collection.minPoints,
    windowItems: collection.window.itemsMax ?? null,
    windowAgeMs: collection.window.ageMsMax === undefined ? null : BigInt(collection.window.ageMsMax),
    windowAgeBy: collection.window.ageBy,
    maxCollections: collection.collectionsMax,
    relabelOnMerge: collection.relabelOnMerge,
    tombstoneRetentionMs: tombstoneRetentionMs === undefined ? null : BigInt(tombstoneRetentionMs),
  };
}

/** A broker was there when the transport was opened: one that goes away, or does not answer, before the stages work is waited for. */
function waiting<Result>({ context: { clock, logger } }: Access, signal: AbortSignal, operation: () => Promise<Result>): Promise<Result> {
  const policy = { ...defaultRunnerLimits.patience, attemptsMax: Infinity, waitedForCodes: new Set<string>() };
  const retried = (attempt: number, error: unknown): void => logger.warn({ attempt, ...errorFields(error) }, 'cannot start yet, trying again');
  return createRetry({ policy, clock, random: Math.random, signal, retried })(operation);
}

type RunningCluster = {
  readonly runner: Runner;
  /** What this instance has. */
  readonly owned: TrackedPartitions;
  /** Resolves when the state of each of them stands at its committed position. */
  readonly restored: () => Promise<unknown>;
};

/** Asked again and again: a repartition may have been begun since the start. */
function requireOneTopic({ stateStore, configuration }: Access): Promise<void> {
  return requireNoPlan(stateStore, clusterGroupOf(configuration));
}

async function startCluster(access: Access, openSearch: OpenSearch): Promise<RunningCluster> {
  await requireOneTopic(access);
  const changed = createCondition(access.context.clock);
  const owned = trackPartitions(clusterStageOf(access, openSearch), changed.notify);
  const runner = await startStage(access, owned.stage, { observer: owned.observer });
  const sum = (of: (view: PartitionView) => number): number => [...owned.current.values()].reduce((count, { view }) => count + of(view), 0);
  access.context.metrics.frozenCollections(() => sum((view) => view.frozenCount()));
  access.context.metrics.pendingGenerations(() => sum((view) => view.pendingCount()));
  return { runner, owned, restored: () => changed.until(() => !owned.isRestoring()) };
}

/** CLUSTER first: what it holds decides which definitions may be proposed, and EXTRACT starts when they are in the log. */
export async function startStages(access: Access, models: ModelServer, signal: AbortSignal, inputPause: InputPause = nothingPaused): Promise<Stages> {
  // One after the other; a fifth is for what is closed after them, where brokers that hang are given up.
  const deadlineMs = access.configuration.shutdown.deadlineMs * 0.4;
  // The same for all collections: together they have no more to search than the machine can do at a time.
  const workers = createSearchWorkers();
  const openSearch: OpenSearch = (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { workers });
  const fetcher = await openContentFetcher(access.configuration.media, access.context.clock);
  const close = async (): Promise<void> => {
    await Promise.all([workers.close(), fetcher?.close()]);
  };
  let cluster: RunningCluster | undefined;
  try {
    const { runner, owned } = (cluster = await waiting(access, signal, () => startCluster(access, openSearch)));
    // Who repartitions from here on sees this member.
    await waiting(access, signal, () => requireOneTopic(access));
    await proposeDefinitions(access, cluster, models, signal);
    const extract = await waiting(access, signal, async () => {
      await requireOneTopic(access);
      return startStage(access, extractStageOf(access, models, fetcher), { inputPause });
    });
    return {
      extract,
      cluster: runner,
      owned,
      isAboutToAppend: () => owned.current.values().some((partition) => partition.isBuilding() || partition.due()?.isUrgent === true),
      stop: async () => {
        const first = await extract.stop({ deadlineMs });
        const second = await runner.stop({ deadlineMs });
        return { forced: first.forced || second.forced };
      },
      close,
    };
  } catch (error) {
    await cluster?.runner.stop({ deadlineMs });
    await close();
    throw error;
  }
}

function extractStageOf({ configuration, codec, partitionCountOf, context }: Access, models: ModelServer, fetcher: ContentFetcher | undefined): Stage {
  const { metrics, readiness, logger, clock } = context;
  const remote = fetcher && {
    ...configuration.media.fetch, clock, fetcher: observedFetcher(fetcher, metrics, clock), observer: createSourceObserver(metrics, readiness, logger),
  };
  return createExtractStage({
    codec,
    routes: configuration.routes,
    tasks: context.extensions.tasks,
    models,
    media: createMediaContent({ ...configuration.media, heldBytesMax: configuration.extract.inFlightBytesMax, remote }),
    revisions: new Map(Object.entries(configuration.models).map(([name, { revision }]) => [name, revision])),
    allowedNames: new Map(configuration.collections.flatMap(({ name, names }) => (names === undefined ? [] : [[name, new Set(names)]]))),
    partitionCounts: new Map(allTopics.map((topic) => [topic, partitionCountOf(topic)])),
    previewLengthMax: configuration.extract.previewLengthMax,
    recordBytesMax: configuration.transport.recordBytesMax,
    cloudEventSource: cloudEventSource(configuration),
    unrouted: configuration.extract.unrouted,
  });
}

type StageExtras = { readonly observer?: RunnerObserver; readonly inputPause?: InputPause };

function startStage({ configuration, transport, stateStore, context }: Access, stage: Stage, { observer = silentObserver, inputPause = nothingPaused }: StageExtras): Promise<Runner> {
  const { metrics, readiness, logger, clock } = context;
  const observers = [metrics.runnerObserver(stage.name), readiness.observer(stage.name), createLogObserver(logger, stage.name, clock), observer];
  return startRunner({
    transport,
    stage,
    group: groupOf(configuration, stage),
    delivery: configuration.delivery,
    stateStore,
    positionsExpire: configuration.transport.kind !== 'log',
    clock,
    random: Math.random,
    limits: runnerLimits(configuration),
    observer: combineObservers(observers),
    startAt: (topic) => startAtOf(configuration, topic),
    inputPause,
  });
}

function runnerLimits({ extract, cluster, output }: Configuration): RunnerLimits {
  return {
    ...defaultRunnerLimits,
    recordsInFlightMax: extract.inFlightRecordsMax,
    bytesInFlightMax: extract.inFlightBytesMax,
    deliveryRecordsMax: output.recordsMax,
    deliveryBytesMax: output.bytesMax,
    lingerMs: output.lingerMs,
    holdMsMax: extract.holdMsMax,
    snapshotEveryRecords: cluster.snapshotRecords,
    snapshotEveryMs: cluster.snapshotIntervalMs,
    processRetry: { ...defaultRunnerLimits.processRetry, attemptsMax: extract.retryAttemptsMax },
  };
}
