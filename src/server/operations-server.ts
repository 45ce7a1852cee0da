/** HTTP for operators: `/metrics` for Prometheus, `/health/live` and `/health/ready` for whatever starts and routes to the process. */
import { fastify } from 'fastify';
import { LabelstreamError } from '../core/errors/error.ts';
import { serverError } from '../core/errors/server.ts';
import { addPluginApis, type PluginApis } from './plugin-apis.ts';

export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

export type OperationsServer = { readonly url: string; readonly close: () => Promise<void> };

export type OperationsServerOptions = {
  readonly host: string;
  readonly port: number;
  /** The text for Prometheus, and its content type. */
  readonly metrics: { readonly contentType: string; readonly metrics: () => Promise<string> };
  readonly readiness: () => Readiness;
  /** What plugins add. */
  readonly plugins?: PluginApis | undefined;
};

/** Rejects with LS_SERVER_LISTEN where the address cannot be used, LS_SERVER_PLUGIN where a plugin cannot be added. */
export async function startOperationsServer({ host, port, metrics, readiness, plugins }: OperationsServerOptions): Promise<OperationsServer> {
  // Whoever stops does not wait for requests that never end.
  const server = fastify({ forceCloseConnections: true });
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  // Answering at all shows that the main loop turns.
  server.get('/health/live', () => ({ status: 'live' }));
  server.get('/health/ready', async (_request, reply) => {
    const { ready, reasons } = readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons });
  });
  if (plugins !== undefined) addPluginApis(server, plugins);
  try {
    await server.ready();
  } catch (error) {
    await server.close();
    throw error instanceof LabelstreamError ? error : serverError('LS_SERVER_PLUGIN', `what plugins add to the HTTP server cannot be added: ${(error as Error).message}`, {}, { cause: error });
  }
  try {
    const url = await server.listen({ host, port });
    return { url, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw serverError('LS_SERVER_LISTEN', `cannot listen on ${host}:${port}: ${(error as Error).message}`, { host, port }, { cause: error });
  }
}
