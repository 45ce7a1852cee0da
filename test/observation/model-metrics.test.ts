import { pino } from 'pino';
import { expect, test } from 'vitest';
import { modelError } from '../../src/core/errors/model.ts';
import { createMetrics } from '../../src/observation/metrics.ts';
import { combineModelObservers, createModelLog } from '../../src/observation/model-log.ts';

test('what a model server tells is counted, and what an operator has to know is logged', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const metrics = createMetrics('0');
  const observer = combineModelObservers([metrics.models.observer, createModelLog(logger)]);
  metrics.models.queued(() => [{ model: 'm', priority: 'interactive', items: 3 }, { model: 'm', priority: 'stream', items: 4 }]);
  const error = modelError('LS_MODEL_HASH', 'another file');
  observer.stateChanged?.({ model: 'm', state: 'loading' });
  observer.stateChanged?.({ model: 'm', state: 'ready' });
  observer.loaded?.({ model: 'm', durationMs: 1_500, memoryBytes: 64 });
  observer.batchCompleted?.({ model: 'm', items: 4, failedItems: 0, durationMs: 10 });
  observer.reloaded?.({ model: 'm', durationMs: 500, memoryBytes: 80 });
  observer.reloadFailed?.({ model: 'm', error });
  observer.loadFailed?.({ model: 'n', error });
  observer.overloaded?.({ model: 'm', priority: 'stream' });
  observer.workerDied?.({ batchItems: 2 });
  observer.unloaded?.({ model: 'm', why: 'evicted' });
  const samples = await metrics.samples();
  const valueOf = (name: string, labels: Readonly<Record<string, string>>): number | undefined =>
    samples.find((sample) => sample.name === `labelstream_${name}` && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))?.value;
  expect(['unloaded', 'loading', 'ready', 'unloading', 'failed'].map((state) => valueOf('model_state', { model: 'm', state }))).toEqual([0, 0, 1, 0, 0]);
  expect(valueOf('model_loads_total', { model: 'm', outcome: 'loaded' })).toBe(2);
  expect(valueOf('model_loads_total', { model: 'm', outcome: 'failed' })).toBe(1);
  expect(valueOf('model_loads_total', { model: 'n', outcome: 'failed' })).toBe(1);
  expect(valueOf('model_load_duration_seconds_sum', { model: 'm' })).toBe(2);
  expect(valueOf('model_unloads_total', { model: 'm', why: 'evicted' })).toBe(1);
  expect(valueOf('model_overloads_total', { model: 'm', priority: 'stream' })).toBe(1);
  expect([valueOf('model_queue_items', { priority: 'interactive' }), valueOf('model_queue_items', { priority: 'stream' })]).toEqual([3, 4]);
  expect(valueOf('model_memory_bytes', { model: 'm' })).toBe(0);
  expect(valueOf('model_batch_items_sum', { model: 'm' })).toBe(4);
  expect(valueOf('inference_worker_deaths_total', {})).toBe(1);
  expect(lines.map(({ level, msg, model, code }) => [level, String(msg).split(';')[0], model, code])).toEqual([
    [30, 'model loaded', 'm', undefined],
    [30, 'model reloaded', 'm', undefined],
    [50, 'model not reloaded', 'm', 'LS_MODEL_HASH'],
    [50, 'model not loaded', 'n', 'LS_MODEL_HASH'],
    [40, 'an inference worker ended and is replaced', undefined, undefined],
    [30, 'model unloaded', 'm', undefined],
  ]);
});
