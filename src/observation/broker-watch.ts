/**
 * Whether the brokers can be reached, as seen by whoever needs them: what waits for them says so here, and the log, the readiness and the metrics
 * hear of it. The log hears of an outage when it begins, once in a while as long as it lasts, and when it is over.
 */
import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { TopicPartition } from '../core/records.ts';
import { errorFields } from './log-observer.ts';
import type { MetricsObserver } from './metrics.ts';
import type { Readiness } from './readiness.ts';

export type Waiting = TopicPartition | { readonly group: string } | typeof starting;

export type BrokerWatch = {
  /** @param who waits: a partition, a member of a group, or the start. */
  readonly away: (who: Waiting, error: unknown) => void;
  readonly back: (who: Waiting) => void;
  /** It waits no longer, without an answer: what is told of brokers that answer would not be true. */
  readonly givenUp: (who: Waiting) => void;
  /** The partitions that this process had of the topics are not its own any more, or are told of anew. */
  readonly forgetPartitions: (topics: readonly string[]) => void;
};

export type BrokerWatchOptions = {
  readonly logger: Logger;
  readonly readiness: Pick<Readiness, 'waiting'>;
  readonly metrics: Pick<MetricsObserver, 'kafka'>;
  readonly clock: Clock;
};

export const starting = 'start';
const reminderMs = 60_000;

export function createBrokerWatch({ logger, readiness, metrics, clock }: BrokerWatchOptions): BrokerWatch {
  /** By name; the topic that a partition is of. */
  const waiting = new Map<string, string | undefined>();
  let sinceMs = 0;
  let toldMs = 0;

  const clear = (): boolean => {
    if (waiting.size > 0) return false;
    readiness.waiting('brokers', undefined);
    metrics.kafka(clock).available();
    return true;
  };
  const over = (): void => {
    if (clear()) logger.warn({ waitedMs: Math.round(clock.elapsedMs() - sinceMs) }, 'the brokers answer again');
  };
  return {
    away: (who, error) => {
      const nowMs = clock.elapsedMs();
      const isFirst = waiting.size === 0;
      waiting.set(nameOf(who), who !== starting && 'topic' in who ? who.topic : undefined);
      if (isFirst) sinceMs = nowMs;
      metrics.kafka(clock).unavailable();
      readiness.waiting('brokers', errorFields(error)['error']);
      if (!isFirst && nowMs - toldMs < reminderMs) return;
      toldMs = nowMs;
      logger.error({ ...errorFields(error), waitedMs: Math.round(nowMs - sinceMs) }, 'waiting for the brokers');
    },
    back: (who) => {
      if (waiting.delete(nameOf(who))) over();
    },
    givenUp: (who) => {
      if (waiting.delete(nameOf(who))) clear();
    },
    forgetPartitions: (topics) => {
      const before = waiting.size;
      for (const [name, topic] of waiting) if (topic !== undefined && topics.includes(topic)) waiting.delete(name);
      if (waiting.size < before) over();
    },
  };
}

function nameOf(who: Waiting): string {
  if (who === starting) return starting;
  return 'group' in who ? `group ${who.group}` : `${who.topic}-${who.partition}`;
}
