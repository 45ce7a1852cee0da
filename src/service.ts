/** The order in which a processing service starts and stops: what `run` and `demo` are around. */
import type { Configuration } from './config/load.ts';
import { serverError } from './core/errors/server.ts';
import { topics, inputTopics } from './core/topics.ts';
import { liveClustersOf } from './clusters-of.ts';
import { startModels, startStages, type Stages } from './compose.ts';
import { applyDesiredState, type AppliedState } from './desired-state.ts';
import { openAccess, type Access } from './open-access.ts';
import { loadTransport } from './open-transport.ts';
import type { ModelServer } from './models/model-server.ts';
import type { ProcessContext, ServiceContext } from './process-context.ts';
import { startStallMonitor } from './observation/main-loop-stall.ts';
import { startMetricEvents } from './observation/metric-events.ts';
import { topicLag } from './pipeline/lag.ts';
import type { HttpServer } from './server/http-server.ts';
import type { LiveClusters } from './stages/cluster/cluster-queries.ts';
import type { LabelView } from './views/label-view.ts';
import { untilIdle } from './until-idle.ts';
import { untilBrokersAnswer } from './wait-for-brokers.ts';

export type Service = {
  readonly access: Access;
  /** Of the HTTP server; undefined where it is not enabled. */
  readonly url: string | undefined;
  /** Resolves with the first failure that stopped a part of the service. */
  readonly failed: Promise<Error>;
  /** Rejects with that failure. */
  readonly untilIdle: () => Promise<void>;
  readonly longestStallMs: () => number;
  /** Never rejects. `forced`: the deadline passed with work in flight, which will be read again. */
  readonly stop: () => Promise<{ readonly forced: boolean }>;
};

const serverParts = () => import('./start-http.ts');
const labelViewParts = () => import('./open-label-view.ts');

type StageLag = { readonly stage: string; readonly topic: string; readonly records: number };

/** Also where the stages took all the time there was: snapshots and files are closed in milliseconds. */
const endingMsMin = 500;

/** What has been started, and how to end it: in reverse. */
type Started = (() => void | Promise<void>)[];

/** @param kept how many of the first go on. */
async function endAll(started: Started, kept = 0): Promise<void> {
  while (started.length > kept) await started.pop()?.();
}

/** Waits for brokers. Leaves nothing running where it rejects; with the signal's reason when that aborts. */
export async function startService(configuration: Configuration, context: ServiceContext, signal: AbortSignal): Promise<Service> {
  // What is loaded later would count as a stall.
  await Promise.all([loadTransport(configuration), configuration.server.enabled ? serverParts() : undefined, keepsLabels(configuration) ? labelViewParts() : undefined]);
  const started: Started = [];
  const starting: Starting = { configuration, context, signal, started, stall: startStallMonitor(), parts: {} };
  started.push(starting.stall.stop);
  context.metrics.mainLoopStall(starting.stall.longestMs);
  try {
    if (configuration.transport.kind === 'log') return await startParts(starting);
    // Before anything else: who waits for the brokers says so there. (On the embedded log a second `run` is to hear that the directory is in use, not that the port is.)
    const http = await startHttp(starting);
    const kept = started.length;
    return await untilBrokersAnswer(context, signal, async () => {
      try {
        return await startParts({ ...starting, http });
      } catch (error) {
        await endAll(started, kept);
        throw error;
      }
    });
  } catch (error) {
    await endAll(started);
    throw error;
  }
}

/** What requests use: each from when it is there, until it is ended. */
type Parts = { models?: ModelServer | undefined; access?: Access | undefined; desired?: (AppliedState & { readonly close: () => Promise<void> }) | undefined; labels?: LabelView | undefined; clusters?: LiveClusters | undefined };

function offer<Name extends keyof Parts>({ parts, started }: Starting, name: Name, part: NonNullable<Parts[Name]>): void {
  parts[name] = part;
  started.push(() => {
    parts[name] = undefined;
    return part.close();
  });
}

type Starting = {
  readonly configuration: Configuration;
  readonly context: ServiceContext;
  readonly signal: AbortSignal;
  readonly started: Started;
  readonly stall: ReturnType<typeof startStallMonitor>;
  readonly parts: Parts;
  /** Where it was started before. */
  readonly http?: HttpServer | undefined;
};

async function startParts(starting: Starting): Promise<Service> {
  const { configuration, context, signal } = starting;
  const access = await openAccess(configuration, context, 'processing', { signal });
  offer(starting, 'access', access);
  // What waits for a broker that is gone again ends with the transport.
  const stopStarting = (): void => void access.close();
  signal.addEventListener('abort', stopStarting, { once: true });
  try {
    return await startOn(access, starting);
  } finally {
    signal.removeEventListener('abort', stopStarting);
  }
}

async function startOn(access: Access, starting: Starting): Promise<Service> {
  const { configuration, context, signal, started, stall } = starting;
  const http = configuration.transport.kind === 'log' ? await startHttp(starting) : starting.http;
  await access.codec.prepareEncode({ signal });
  if (keepsLabels(configuration)) offer(starting, 'labels', (await labelViewParts()).openLabelViewOf(access, context));
  const desired = await applyDesiredState(access);
  offer(starting, 'desired', { ...desired, close: desired.stop });
  const unloaded = new Set(desired.current().unloadedModels);
  const models = await startModels(access, unloaded);
  offer(starting, 'models', models);
  desired.modelsStarted(models, unloaded);
  const events = startMetricEvents({ ...access, ...context, intervalMs: configuration.metrics.intervalMs });
  started.push(events.stop);
  const stages = await startStages(access, models, signal, desired.inputPause);
  started.push(stages.close);
  offer(starting, 'clusters', liveClustersOf(access, stages.owned, configuration.server.clusters.followerIdleMsMax));
  reportLag(access, context);
  context.readiness.started();
  let stopped: Promise<{ readonly forced: boolean }> | undefined;
  return {
    access,
    url: http?.url,
    failed: Promise.race([stages.extract.failed, stages.cluster.failed]),
    untilIdle: async () => {
      await untilIdle(access, stages);
      await tellWhatIsLeft(access, desired.current().pausedInputs);
    },
    longestStallMs: stall.longestMs,
    stop: () => (stopped ??= stopAll({ stages, http }, starting)),
  };
}

const keepsLabels = ({ server }: Configuration): boolean => server.enabled && server.labels.enabled;

/** Of inputs that operators have paused: nobody waits for them. */
async function tellWhatIsLeft({ transport, configuration, partitionCountOf, context: { logger } }: Access, paused: readonly string[]): Promise<void> {
  for (const topic of paused) {
    const lags = await topicLag(transport, `${configuration.group}-extract`, { topic, partitionCount: partitionCountOf(topic) });
    const records = lags.reduce((sum, each) => sum + Number(each.records), 0);
    if (records > 0) logger.warn({ topic, records }, 'idle, and records are left in an input that an operator has paused');
  }
}

/** What has not ended when the time is over is not waited for. */
async function stopAll({ stages, http }: { readonly stages: Stages; readonly http: HttpServer | undefined }, { configuration, context, started }: Starting): Promise<{ readonly forced: boolean }> {
  const { clock, readiness } = context;
  const startedMs = clock.elapsedMs();
  readiness.stopping();
  const timeOver = new AbortController();
  const drained = http?.drain(timeOver.signal);
  const result = await stages.stop();
  const leftMs = Math.max(endingMsMin, startedMs + configuration.shutdown.deadlineMs - clock.elapsedMs());
  // Requests that are being answered need the models.
  await Promise.race([drained, clock.sleep(leftMs - endingMsMin, timeOver.signal)]);
  await Promise.race([endAll(started), clock.sleep(leftMs, timeOver.signal)]);
  timeOver.abort();
  return result;
}

async function startHttp(starting: Starting): Promise<HttpServer | undefined> {
  const { configuration, context, started, parts } = starting;
  if (!configuration.server.enabled) return undefined;
  const { startHttp: start } = await serverParts();
  const server = await start({
    configuration,
    context,
    models: () => ready(parts.models, 'models are being loaded'),
    log: {
      access: () => ready(parts.access, 'the log is being opened'),
      processing: () => {
        ready(parts.clusters, 'the stages are being started');
        return ready(parts.access, 'the log is being opened');
      },
      desiredState: () => ready(parts.desired, 'what operators want is being read'),
      clusters: () => ready(parts.clusters, 'the stages are being started'),
      labels: keepsLabels(configuration) ? () => ready(parts.labels, 'the log is being opened') : undefined,
    },
  });
  started.push(server.close);
  return server;
}

function ready<Part>(part: Part | undefined, meanwhile: string): Part {
  if (part !== undefined) return part;
  throw serverError('LS_SERVER_NOT_READY', meanwhile);
}

/** Below the ten seconds after which Prometheus gives up. */
const lagMsMax = 3_000;

/** Lag is what the log holds beyond the committed positions; asked at every scrape. The other figures do not wait for brokers that are away. */
function reportLag({ transport, configuration, partitionCountOf }: Access, { metrics, clock }: ProcessContext): void {
  const inputs = [...inputTopics.map((topic) => ({ stage: 'extract', topic })), { stage: 'cluster', topic: topics.features }];
  const readAll = (): Promise<readonly StageLag[]> =>
    Promise.all(
      inputs.map(async ({ stage, topic }) => {
        const lags = await topicLag(transport, `${configuration.group}-${stage}`, { topic, partitionCount: partitionCountOf(topic) });
        return { stage, topic, records: lags.reduce((sum, { records }) => sum + Number(records), 0) };
      }),
    );
  let reading: Promise<readonly StageLag[]> | undefined;
  metrics.lag(async () => {
    reading ??= readAll()
      .catch(() => [])
      .finally(() => (reading = undefined));
    const late = new AbortController();
    const lags = await Promise.race([reading, clock.sleep(lagMsMax, late.signal).then(() => [])]);
    late.abort();
    return lags;
  });
}
