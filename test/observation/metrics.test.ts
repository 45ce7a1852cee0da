import { expect, test } from 'vitest';
import { createMetrics } from '../../src/observation/metrics.ts';

const partition = { topic: 'text.events', partition: 0 };

// A run tells them at its end, when its transport is closed and the lag cannot be read any more.
test('totals ask nobody', async () => {
  const metrics = createMetrics('1.2.3');
  metrics.lag(() => Promise.reject(new Error('the transport is closed')));
  const observer = metrics.runnerObserver('extract');
  observer.delivered(partition, { inputs: 3, outputs: 4, durationMs: 1, checkpoint: { position: '3', sequence: 2n, outputsSent: 0 } });
  observer.deadLettered(partition, 'LS_EXTRACT_UNROUTED');
  await expect(metrics.samples()).rejects.toThrow('the transport is closed');
  expect(await metrics.totals()).toEqual({ handled: { 'text.events': 3 }, deadLetters: 1 });
});
