/** HTTP as a configuration wants it; loaded where that enables it. */
import type { Configuration } from './config/load.ts';
import { observedFetcher } from './observation/observed-fetches.ts';
import { createHttpObserver } from './observation/http-observer.ts';
import type { Access } from './open-access.ts';
import { openContentFetcher } from './open-content-fetcher.ts';
import type { DesiredStateFollower } from './pipeline/desired-state.ts';
import { openLabelSource } from './open-label-source.ts';
import type { ServiceContext } from './process-context.ts';
import { administration } from './server/admin/administration.ts';
import { isLoopback } from './server/authentication.ts';
import { collections } from './server/clusters/collections.ts';
import { items } from './server/clusters/items.ts';
import { score } from './server/clusters/score.ts';
import type { ScoringHost } from './server/clusters/scoring.ts';
import { customVision } from './server/custom-vision/custom-vision.ts';
import { embeddings } from './server/embeddings.ts';
import { events } from './server/events/events.ts';
import { featureExtraction } from './server/feature-extraction/feature-extraction.ts';
import type { Api } from './server/http-port.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions } from './server/http-server.ts';
import { currentLabels } from './server/labels/current-labels.ts';
import { labelStream } from './server/labels/label-stream.ts';
import { kserve } from './server/kserve/kserve.ts';
import { operations } from './server/operations.ts';
import { pluginApis, type HttpApiHost } from './server/plugin-apis.ts';
import { predict } from './server/predict.ts';
import type { TaskHost } from './server/task-host.ts';
import type { LabelSource } from './server/skill/label-source.ts';
import { skill } from './server/skill/skill.ts';
import { readServerTls } from './server/tls.ts';
import type { LiveClusters } from './stages/cluster/cluster-queries.ts';
import type { ContentFetcher } from './stages/extract/content-fetcher.ts';
import type { LabelView } from './views/label-view.ts';

/** What requests read of the log, and append to it. Each throws LS_SERVER_NOT_READY until it is there. */
export type HttpLog = {
  readonly access: () => Access;
  /** As `access`, once the stages work: what the configuration defines is in the log then. */
  readonly processing: () => Access;
  readonly desiredState: () => DesiredStateFollower;
  readonly clusters: () => LiveClusters;
  /** Undefined where they are not kept. */
  readonly labels: (() => LabelView) | undefined;
};

export type HttpStart = {
  readonly configuration: Configuration;
  readonly context: ServiceContext;
  /** Throws LS_SERVER_NOT_READY while they are being loaded. */
  readonly models: TaskHost['models'];
  /** Undefined where nothing is read from a log and nothing written. */
  readonly log: HttpLog | undefined;
};

/** Leaves nothing open where it rejects. */
export async function startHttp(start: HttpStart): Promise<HttpServer> {
  const { configuration, context } = start;
  const fetcher = await openContentFetcher(configuration.media, context.clock);
  const skillLabels = await openLabelSource(configuration, context);
  const closeBoth = async (): Promise<void> => {
    await Promise.all([fetcher?.close(), skillLabels.close()]);
  };
  try {
    const options = await optionsOf(start, fetcher, skillLabels.labels);
    const started = await startHttpServer(options);
    if (options.keys.length === 0 && !isLoopback(options.host)) context.logger.warn({ host: options.host }, 'without API keys (server.keys) requests to this host are answered only where none is needed, such as /health and /metrics');
    const close = async (): Promise<void> => {
      await started.close();
      await closeBoth();
    };
    return { ...started, close };
  } catch (error) {
    await closeBoth();
    throw error;
  }
}

async function optionsOf(start: HttpStart, fetcher: ContentFetcher | undefined, skillLabels: LabelSource | undefined): Promise<HttpServerOptions> {
  const { configuration: { server }, context: { version, metrics, clock, logger } } = start;
  const { host, port, bodyBytesMax, requestMsMax, answerMsMax, connectionsMax, keys, corsOrigins, tls } = server;
  return {
    host,
    port,
    version,
    limits: { bodyBytesMax, requestMsMax, answerMsMax, connectionsMax },
    keys: Object.entries(keys).map(([name, key]) => ({ name, ...key })),
    corsOrigins,
    tls: tls && (await readServerTls(tls)),
    apis: await apisOf(start, fetcher && observedFetcher(fetcher, metrics, clock), skillLabels),
    clock,
    observer: createHttpObserver(logger, metrics.http),
  };
}

async function apisOf(start: HttpStart, fetcher: ContentFetcher | undefined, skillLabels: LabelSource | undefined): Promise<readonly Api[]> {
  const { configuration: { server, media }, context, models, log } = start;
  const { metrics, readiness, extensions, version, clock, modelStatistics } = context;
  const host: TaskHost = { models, tasks: extensions.tasks };
  return [
    operations({ version, metrics: metrics.registry, readiness: readiness.state }),
    featureExtraction({ host, defaults: server.defaults, jobs: server.jobs, clock }),
    predict(host, server.defaults),
    customVision({ host, clock, imageBytesMax: media.bytesMax, fetchImage: fetcher?.fetchUpTo }),
    kserve({ host, version, isReady: () => readiness.state().ready, statistics: modelStatistics.of }),
    embeddings(host),
    ...(log === undefined ? [] : await logApis(start, log, host, skillLabels)),
    ...pluginApis(extensions.httpApis, pluginHost(models)),
  ];
}

/** Of what reads the log and writes to it. */
async function logApis({ configuration, context: { clock, metrics } }: HttpStart, { access, processing, desiredState, clusters, labels }: HttpLog, host: TaskHost, skillLabels: LabelSource | undefined): Promise<readonly Api[]> {
  const { controlsHost, deadLettersHost, desiredStateHost } = await import('./administration/http-hosts.ts');
  const { server: { streamsMax, streamMsMax }, media, transport, routes } = configuration;
  const scoring: ScoringHost = { host, clusters, routes };
  return [
    events({ destination: access, clock, recordBytesMax: transport.recordBytesMax, contentBytesMax: media.bytesMax }),
    ...administration({ controls: controlsHost(processing, clusters), deadLetters: deadLettersHost(access), desiredState: desiredStateHost(desiredState), tasks: host }),
    ...(labels === undefined ? [] : [currentLabels({ view: labels })]),
    labelStream({ log: access, streamsMax, streamMsMax, streams: metrics.labelStreams }),
    collections(clusters),
    items(clusters),
    score(scoring),
    skill({ scoring, collection: skillCollection(configuration), labels: skillLabels }),
  ];
}

/** Of images, where it is not named: the only one. */
function skillCollection({ server, routes, collections: defined }: Configuration): string | undefined {
  const { collection } = server.skill;
  if (collection !== undefined) return collection;
  const fed = new Set(routes.filter(({ from }) => from === 'media').flatMap(({ steps }) => steps.map((step) => step.collection?.text)));
  const [only, ...others] = defined.filter(({ name }) => fed.has(name));
  return others.length === 0 ? only?.name : undefined;
}

function pluginHost(models: TaskHost['models']): HttpApiHost {
  return {
    run: async (model, input, signal) => models().run(model, input, { signal, priority: 'interactive' }),
    describe: (model) => models().describe(model),
  };
}
