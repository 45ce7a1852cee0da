/** What is asked by HTTP, as log messages and metrics. */
import type { Logger } from 'pino';
import type { Histogram } from 'prom-client';
import type { HttpObserver } from '../server/http-port.ts';
import { errorFields } from './log-observer.ts';

export type HttpMetrics = Pick<HttpObserver, 'answered'>;

/** Labels: method, route, status. Paths that there are none of are one route, so that strangers cannot make up new ones. */
export function createHttpMetrics(seconds: Histogram<'method' | 'route' | 'status'>): HttpMetrics {
  // To find the figures of three labels takes longer than to note one.
  const known = new Map<string, { readonly observe: (value: number) => void }>();
  return {
    answered: ({ method, route, status, seconds: taken }) => {
      const name = `${method} ${status} ${route ?? ''}`;
      let observed = known.get(name);
      if (observed === undefined) known.set(name, (observed = seconds.labels({ method: route === undefined ? 'other' : method, route: route ?? 'none', status: String(status) })));
      observed.observe(taken);
    },
  };
}

/** Asked for every few seconds, for as long as the process runs. */
const routine = /^\/(metrics|health)(\/|$)/;

export function createHttpObserver(logger: Logger, metrics: HttpMetrics): HttpObserver {
  return {
    answered: (summary) => {
      metrics.answered(summary);
      const { requestId, method, path, status, seconds, key, remoteAddress } = summary;
      logger[routine.test(path) ? 'debug' : 'info']({ requestId, method, path, status, durationMs: Math.round(1000 * seconds), key, remoteAddress }, 'request answered');
    },
    failed: (request, error) => logger.error({ ...request, ...errorFields(error) }, 'a request failed'),
  };
}
