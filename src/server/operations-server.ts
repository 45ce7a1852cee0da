/** HTTP for operators: `/metrics` for Prometheus, `/health/live` and `/health/ready` for whatever starts and routes to the process. */
import { fastify } from 'fastify';
import { serverError } from '../core/errors/server.ts';


export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] };

export type OperationsServer = { readonly url: string; readonly close: () => Promise<void> };

export type OperationsServerOptions = {
  readonly host: string;
  readonly port: number;
  /** The text for Prometheus, and its content type. */
  readonly metrics: { readonly contentType: string; readonly metrics: () => Promise<string> };
  readonly readiness: () => Readiness;
};

/** Rejects with LS_SERVER_LISTEN where the address cannot be used. */
export async function startOperationsServer({ host, port, metrics, readiness }: OperationsServerOptions): Promise<OperationsServer> {
  const server = fastify();
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));
  // Answering at all shows that the main loop turns.
  server.get('/health/live', () => ({ status: 'live' }));
  server.get('/health/ready', async (_request, reply) => {
    const { ready, reasons } = readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons });
  });
  try {
    const url = await server.listen({ host, port });
    return { url, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw serverError('LS_SERVER_LISTEN', `cannot listen on ${host}:${port}: ${(error as Error).message}`, { host, port }, { cause: error });
  }
}
