/**
 * Whether the brokers can be reached, as seen by whoever needs them: what waits for them says so here, and the log, the readiness and the metrics
 * hear of it. The log hears of an outage when it begins, once in a while as long as it lasts, and when it is over.
 */
import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import { errorFields } from './log-observer.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export type BrokerWatch = {
  /** @param who waits: a partition, or the start. */
  readonly away: (who: string, error: unknown) => void;
  readonly back: (who: string) => void;
  /** The partitions that this process had are not its own any more, or are told of anew. */
  readonly forgetPartitions: () => void;
};

export type BrokerWatchOptions = {
  readonly logger: Logger;
  readonly readiness: Pick<Readiness, 'waiting'>;
  readonly metrics: Pick<Metrics, 'kafka'>;
  readonly clock: Clock;
};

export const starting = 'start';
const reminderMs = 60_000;

export function createBrokerWatch({ logger, readiness, metrics, clock }: BrokerWatchOptions): BrokerWatch {
  const waiting = new Set<string>();
  let sinceMs = 0;
  let toldMs = 0;

  const over = (): void => {
    if (waiting.size > 0) return;
    readiness.waiting('brokers', undefined);
    metrics.kafka(clock).available();
    logger.warn({ waitedMs: Math.round(clock.elapsedMs() - sinceMs) }, 'the brokers answer again');
  };
  return {
    away: (who, error) => {
      const nowMs = clock.elapsedMs();
      const isFirst = waiting.size === 0;
      waiting.add(who);
      if (isFirst) sinceMs = nowMs;
      metrics.kafka(clock).unavailable();
      readiness.waiting('brokers', errorFields(error)['error']);
      if (!isFirst && nowMs - toldMs < reminderMs) return;
      toldMs = nowMs;
      logger.error({ ...errorFields(error), waitedMs: Math.round(nowMs - sinceMs) }, 'waiting for the brokers');
    },
    back: (who) => {
      if (waiting.delete(who)) over();
    },
    forgetPartitions: () => {
      const before = waiting.size;
      for (const who of waiting) if (who !== starting) waiting.delete(who);
      if (waiting.size < before) over();
    },
  };
}
