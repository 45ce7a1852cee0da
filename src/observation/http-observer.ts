/** What is asked by HTTP, as log messages and metrics. */
import type { Logger } from 'pino';
import type { Histogram } from 'prom-client';
import type { HttpObserver } from '../server/http-port.ts';
import { errorFields } from './log-observer.ts';

export type HttpMetrics = Pick<HttpObserver, 'answered'>;

/** Labels: method, route, status. Paths that there are none of are one route, so that strangers cannot make up new ones. */
export function createHttpMetrics(seconds: Histogram<'method' | 'route' | 'status'>): HttpMetrics {
  type Observed = { readonly observe: (value: number) => void };
  // To find the figures of three labels takes longer than to note one. By route, method and status: a name made of all three would be a new string each time.
  const known = new Map<string, Map<string, Map<number, Observed>>>();
  const seenFirst = (method: string, route: string, status: number): Observed => {
    const observed = seconds.labels({ method, route, status: String(status) });
    const byMethod = known.get(route) ?? new Map<string, Map<number, Observed>>();
    known.set(route, byMethod.set(method, (byMethod.get(method) ?? new Map<number, Observed>()).set(status, observed)));
    return observed;
  };
  return {
    answered: ({ method: asked, route = 'none', status, seconds: taken }) => {
      const method = route === 'none' ? 'other' : asked;
      const observed = known.get(route)?.get(method)?.get(status) ?? seenFirst(method, route, status);
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
