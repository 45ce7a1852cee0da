/** What the view of labels tells, as log messages and metrics. */
import type { Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import type { LabelViewObserver } from '../views/label-view-observer.ts';
import { errorFields } from './log-observer.ts';
import type { LabelViewMetrics } from './metrics.ts';
import { createRepeatedMessages } from './repeated-messages.ts';

export function createLabelViewObserver(logger: Logger, metrics: LabelViewMetrics, clock: Pick<Clock, 'elapsedMs'>): LabelViewObserver {
  const repeated = createRepeatedMessages(clock);
  const telling = (fields: Readonly<Record<string, unknown>>, text: string): void => logger[repeated.isNews(`${text} ${String(fields['code'])}`) ? 'warn' : 'debug'](fields, text);
  return {
    applied: metrics.applied,
    remaining: metrics.remaining,
    rebuilding: (reason) => {
      metrics.rebuilding(reason);
      logger.warn({ reason }, 'the view of labels is made from the log again');
    },
    built: () => logger.info('the view of labels has all that the log held'),
    incomplete: ({ topic, partition }, since) => logger.warn({ topic, partition, since: String(since) }, 'retention took records that the view of labels has not read; its answers say so'),
    passedOver: ({ topic, partition, sequence }, error) => telling({ topic, partition, sequence: String(sequence), ...errorFields(error) }, 'a record is no event of its topic; the view of labels goes on without it'),
    failed: (error) => telling(errorFields(error), 'the view of labels cannot go on; it is tried again'),
  };
}
