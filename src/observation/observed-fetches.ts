/** What is fetched for references, and which sources are away: counted and logged around the parts, which hold no counter themselves. */
import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { ContentFetcher, ContentSource } from '../stages/extract/content-fetcher.ts';
import type { SourceObserver } from '../stages/extract/source-gates.ts';
import { errorFields } from './log-observer.ts';
import type { MetricsObserver } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export function observedFetcher(fetcher: ContentFetcher, metrics: Pick<MetricsObserver, 'references'>, clock: Pick<Clock, 'elapsedMs'>): ContentFetcher {
  const observed = async (uri: string, fetching: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    const { kind } = fetcher.sourceOf(uri);
    const startedMs = clock.elapsedMs();
    const tell = (outcome: string, bytes: number): void => metrics.references.fetched(kind, outcome, bytes, clock.elapsedMs() - startedMs);
    try {
      const bytes = await fetching();
      tell('fetched', bytes.length);
      return bytes;
    } catch (error) {
      tell(error instanceof LabelstreamError ? error.code : 'cancelled', 0);
      throw error;
    }
  };
  return {
    ...fetcher,
    fetchContent: (reference, signal) => observed(reference.uri, () => fetcher.fetchContent(reference, signal)),
    fetchUpTo: (uri, bytesMax, signal) => observed(uri, () => fetcher.fetchUpTo(uri, bytesMax, signal)),
  };
}

/** Told once of each outage. A container of our own that is away is waited for, so the process is not ready. */
export function createSourceObserver(metrics: Pick<MetricsObserver, 'references'>, readiness: Pick<Readiness, 'waiting'>, logger: Logger): SourceObserver {
  const waitedFor = ({ name }: ContentSource): string => `container ${name}`;
  return {
    away: (source, error) => {
      metrics.references.unavailable(source.kind, 1);
      if (source.kind === 'container') {
        readiness.waiting(waitedFor(source), errorFields(error)['error']);
        logger.error({ container: source.name, ...errorFields(error) }, 'waiting for a container of content');
      } else logger.warn({ host: source.name, ...errorFields(error) }, 'a host of references does not answer; they are tried again for a while');
    },
    back: (source, answers) => {
      metrics.references.unavailable(source.kind, -1);
      if (source.kind === 'container') readiness.waiting(waitedFor(source), undefined);
      if (answers) logger.warn({ [source.kind === 'container' ? 'container' : 'host']: source.name }, 'references are answered again');
    },
  };
}
