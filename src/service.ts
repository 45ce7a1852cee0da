/** The order in which a processing service starts and stops: what `run` and `demo` are around. */
import type { Configuration } from './config/load.ts';
import { topics, inputTopics } from './core/topics.ts';
import { openAccess, startModels, startStages, untilIdle, type Access, type Stages } from './compose.ts';
import type { ProcessContext } from './process-context.ts';
import { startStallMonitor } from './observation/main-loop-stall.ts';
import { startMetricEvents } from './observation/metric-events.ts';
import { partitionLag } from './pipeline/lag.ts';
import { startOperationsServer } from './server/operations-server.ts';

export type Service = {
  readonly access: Access;
  /** Of the operations server; undefined where it is not enabled. */
  readonly url: string | undefined;
  /** Resolves with the first failure that stopped a part of the service. */
  readonly failed: Promise<Error>;
  /** Rejects with that failure. */
  readonly untilIdle: () => Promise<void>;
  readonly longestStallMs: () => number;
  /** Never rejects. `forced`: the deadline passed with work in flight, which will be read again. */
  readonly stop: () => Promise<{ readonly forced: boolean }>;
};

/** What has been started, and how to end it: in reverse. */
type Started = (() => void | Promise<void>)[];

async function endAll(started: Started): Promise<void> {
  for (let end = started.pop(); end !== undefined; end = started.pop()) await end();
}

/** Leaves nothing running where it rejects. */
export async function startService(configuration: Configuration, context: ProcessContext, signal: AbortSignal): Promise<Service> {
  const started: Started = [];
  try {
    return await startParts(configuration, context, signal, started);
  } catch (error) {
    await endAll(started);
    throw error;
  }
}

async function startParts(configuration: Configuration, context: ProcessContext, signal: AbortSignal, started: Started): Promise<Service> {
  const stall = startStallMonitor();
  started.push(stall.stop);
  context.metrics.mainLoopStall(stall.longestMs);
  const access = await openAccess(configuration, context, 'owner-required');
  started.push(access.close);
  const url = await startHttp(configuration, context, started);
  await access.codec.prepareEncode({ signal });
  const models = await startModels(access);
  started.push(models.close);
  const events = startMetricEvents({ ...access, ...context, intervalMs: configuration.metrics.intervalMs });
  started.push(events.stop);
  const stages = await startStages(access, models, signal);
  reportLag(access, context);
  context.readiness.started();
  let stopped: Promise<{ readonly forced: boolean }> | undefined;
  return {
    access,
    url,
    failed: Promise.race([stages.extract.failed, stages.cluster.failed]),
    untilIdle: () => untilIdle(access, stages),
    longestStallMs: stall.longestMs,
    stop: () => (stopped ??= stopAll(stages, context, started)),
  };
}

async function stopAll(stages: Stages, context: ProcessContext, started: Started): Promise<{ readonly forced: boolean }> {
  context.readiness.stopping();
  const result = await stages.stop();
  await endAll(started);
  return result;
}

async function startHttp(configuration: Configuration, { metrics, readiness }: ProcessContext, started: Started): Promise<string | undefined> {
  const { enabled, host, port } = configuration.server;
  if (!enabled) return undefined;
  const server = await startOperationsServer({ host, port, metrics: metrics.registry, readiness: readiness.state });
  started.push(server.close);
  return server.url;
}

/** Lag is what the log holds beyond the committed positions; asked at every scrape. */
function reportLag({ transport, configuration, partitionCount }: Access, { metrics }: ProcessContext): void {
  const inputs = [...inputTopics.map((topic) => ({ stage: 'extract', topic })), { stage: 'cluster', topic: topics.features }];
  metrics.lag(() =>
    Promise.all(
      inputs.map(async ({ stage, topic }) => {
        let records = 0;
        for (let partition = 0; partition < partitionCount; partition++) {
          records += Number((await partitionLag(transport, `${configuration.group}-${stage}`, { topic, partition })).records);
        }
        return { stage, topic, records };
      }),
    ),
  );
}
