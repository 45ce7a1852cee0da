import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createKafkaMetrics } from '../../src/observation/kafka-metrics.ts';

const partition = { topic: 'features', partition: 0 };

// Ordinary transactions are seen in their midst; then nothing is fetched for long where the stage is slow.
test('a transaction is taken for open as long as answers say so, and not while nothing is asked', async () => {
  let nowMs = 0;
  const registry = new Registry();
  const metrics = createKafkaMetrics(registry, 'labelstream_', { elapsedMs: () => nowMs });
  const age = async (): Promise<number | undefined> => (await registry.getSingleMetric('labelstream_kafka_last_stable_offset_age_seconds')?.get())?.values[0]?.value;
  metrics.fetched(partition, 5n, 9n);
  nowMs = 300_000;
  expect(await age()).toBe(0);
  metrics.fetched(partition, 7n, 9n);
  nowMs = 320_000;
  metrics.fetched(partition, 7n, 12n);
  expect(await age()).toBe(20);
  nowMs = 900_000;
  expect(await age()).toBe(20);
  metrics.fetched(partition, 12n, 12n);
  expect(await age()).toBe(0);
});
