/** A server with what a test adds to it, on a port of its own. */
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import type { ApiKey } from '../../src/server/api-keys.ts';
import type { Api, RequestSummary } from '../../src/server/http-port.ts';
import { startHttpServer, type HttpServer, type HttpServerOptions } from '../../src/server/http-server.ts';
import { operations } from '../../src/server/operations.ts';

export type StartedServer = HttpServer & {
  /** As they were observed. */
  readonly answered: RequestSummary[];
  readonly failed: unknown[];
};

export const limits = { bodyBytesMax: 64 * 1024, requestMsMax: 60_000, answerMsMax: 60_000, connectionsMax: 1_000 };

const own = operations({
  version: '1.2.3',
  metrics: { contentType: 'text/plain; version=0.0.4', metrics: () => Promise.resolve('up 1\n') },
  readiness: () => ({ ready: true, reasons: [], pausedInputs: [] }),
});

export async function startServer(apis: readonly Api[], options: Partial<HttpServerOptions> = {}): Promise<StartedServer> {
  const answered: RequestSummary[] = [];
  const failed: unknown[] = [];
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    version: '1.2.3',
    limits,
    keys: [],
    corsOrigins: [],
    clock: systemClock,
    apis: [own, ...apis],
    observer: { answered: (summary) => answered.push(summary), failed: (_request, error) => failed.push(error) },
    ...options,
  });
  onTestFinished(() => server.close());
  return { ...server, answered, failed };
}

export function keyNamed(name: string, sha256: string, scopes: ApiKey['scopes'], requestsPerMinuteMax?: number): ApiKey {
  return { name, sha256, scopes, requestsPerMinuteMax };
}
