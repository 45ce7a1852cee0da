/** Publishes the metrics of this process as MetricEvents: best effort, outside of transactions, dropped rather than waited for (rule 22). */
import type { Codec } from '../codec/codec.ts';
import type { Clock } from '../core/clock.ts';
import { noHeaders } from '../core/records.ts';
import { topics } from '../core/topics.ts';
import type { Transport } from '../pipeline/transport.ts';
import type { Metrics } from './metrics.ts';

export type MetricEventsOptions = {
  readonly metrics: Pick<Metrics, 'samples' | 'metricEventDropped'>;
  readonly codec: Pick<Codec, 'encode'>;
  readonly transport: Pick<Transport, 'append'>;
  readonly clock: Clock;
  readonly instance: string;
  readonly intervalMs: number;
};

export type MetricEvents = {
  /** Publishes what the last interval brought; where the transport is away, that is not waited for. */
  readonly stop: () => Promise<void>;
};

const lastMsMax = 1_000;

export function startMetricEvents(options: MetricEventsOptions): MetricEvents {
  const stopping = new AbortController();
  const published = publishUntilStopped(options, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      const over = new AbortController();
      await Promise.race([published, options.clock.sleep(lastMsMax, over.signal)]);
      over.abort();
    },
  };
}

async function publishUntilStopped({ metrics, codec, transport, clock, instance, intervalMs }: MetricEventsOptions, signal: AbortSignal): Promise<void> {
  let windowStart = clock.nowMs();
  while (!signal.aborted) {
    await clock.sleep(intervalMs, signal);
    const windowEnd = clock.nowMs();
    try {
      const value = codec.encode('MetricEvent', { windowStart, windowEnd, instance, samples: await metrics.samples() });
      await transport.append([{ topic: topics.metrics, partition: 0, key: Buffer.from(instance), value, headers: noHeaders }]);
    } catch {
      metrics.metricEventDropped();
    }
    windowStart = windowEnd;
  }
}
