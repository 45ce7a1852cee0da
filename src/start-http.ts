/** HTTP as a configuration wants it; loaded where that enables it. */
import type { Configuration } from './config/load.ts';
import type { ServiceContext } from './process-context.ts';
import { createHttpObserver } from './observation/http-observer.ts';
import { startHttpServer, type HttpServer } from './server/http-server.ts';
import { operations } from './server/operations.ts';
import { featureExtraction } from './server/feature-extraction/feature-extraction.ts';
import { pluginApis, type HttpApiHost } from './server/plugin-apis.ts';
import type { TaskHost } from './server/task-host.ts';
import { readServerTls } from './server/tls.ts';

export type HttpStart = {
  readonly configuration: Configuration;
  readonly context: ServiceContext;
  /** Throws LS_SERVER_NOT_READY while they are being loaded. */
  readonly models: TaskHost['models'];
};

export async function startHttp({ configuration: { server }, context, models }: HttpStart): Promise<HttpServer> {
  const { logger, metrics, readiness, extensions, version, clock } = context;
  const host: TaskHost = { models, tasks: extensions.tasks };
  const { bodyBytesMax, requestMsMax, answerMsMax, connectionsMax, keys, tls } = server;
  return startHttpServer({
    host: server.host,
    port: server.port,
    version,
    limits: { bodyBytesMax, requestMsMax, answerMsMax, connectionsMax },
    keys: Object.entries(keys).map(([name, key]) => ({ name, ...key })),
    corsOrigins: server.corsOrigins,
    tls: tls && (await readServerTls(tls)),
    apis: [
      operations({ version, metrics: metrics.registry, readiness: readiness.state }),
      featureExtraction({ host, defaults: server.defaults, jobs: server.jobs, clock }),
      ...pluginApis(extensions.httpApis, pluginHost(models)),
    ],
    observer: createHttpObserver(logger, metrics.http),
  });
}

function pluginHost(models: TaskHost['models']): HttpApiHost {
  return {
    run: async (model, input, signal) => models().run(model, input, { signal, priority: 'interactive' }),
    describe: (model) => models().describe(model),
  };
}
