import { expect, test } from 'vitest';
import { startMetricEvents } from '../../src/observation/metric-events.ts';

test('the last event is not waited for where the transport does not answer', async () => {
  const appended = Promise.withResolvers<undefined>();
  const answered = Promise.withResolvers<never>();
  const sleeps: number[] = [];
  let slept: () => void = () => undefined;
  const events = startMetricEvents({
    metrics: { samples: () => Promise.resolve([]), metricEventDropped: () => undefined },
    codec: { encode: () => Buffer.alloc(1) },
    transport: {
      append: () => {
        appended.resolve(undefined);
        return answered.promise;
      },
    },
    clock: {
      nowMs: () => 0,
      elapsedMs: () => 0,
      sleep: (durationMs, signal) => {
        sleeps.push(durationMs);
        return new Promise((resolve) => {
          slept = resolve;
          signal?.addEventListener('abort', () => resolve());
        });
      },
    },
    instance: 'one',
    intervalMs: 60_000,
  });
  const stopped = events.stop();
  await appended.promise;
  expect(sleeps).toEqual([60_000, 1_000]);
  slept();
  await stopped;
});
