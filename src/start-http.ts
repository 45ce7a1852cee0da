/** HTTP as a configuration wants it; loaded where that enables it. */
import type { Configuration } from './config/load.ts';
import type { ServiceContext } from './process-context.ts';
import { createHttpObserver } from './observation/http-observer.ts';
import { startHttpServer, type HttpServer } from './server/http-server.ts';
import { operations } from './server/operations.ts';
import { pluginApis, type HttpApiHost } from './server/plugin-apis.ts';
import { readServerTls } from './server/tls.ts';

export type HttpStart = { readonly configuration: Configuration; readonly context: ServiceContext; readonly host: HttpApiHost };

export async function startHttp({ configuration: { server }, context, host }: HttpStart): Promise<HttpServer> {
  const { logger, metrics, readiness, extensions, version } = context;
  const { bodyBytesMax, requestMsMax, answerMsMax, connectionsMax, keys, tls } = server;
  return startHttpServer({
    host: server.host,
    port: server.port,
    version,
    limits: { bodyBytesMax, requestMsMax, answerMsMax, connectionsMax },
    keys: Object.entries(keys).map(([name, key]) => ({ name, ...key })),
    corsOrigins: server.corsOrigins,
    tls: tls && (await readServerTls(tls)),
    apis: [operations({ version, metrics: metrics.registry, readiness: readiness.state }), ...pluginApis(extensions.httpApis, host)],
    observer: createHttpObserver(logger, metrics.http),
  });
}
