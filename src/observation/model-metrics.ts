/** What the model server tells, as metrics: where each model stands, how often it comes and goes, and what waits for it. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { modelStates, type Priority } from '../models/model-port.ts';
import type { ModelServerObserver } from '../models/model-server.ts';

export type ModelMetrics = {
  readonly observer: ModelServerObserver;
  /** Asked at every scrape: items that wait. A server that is started anew takes the place of the former. */
  readonly queued: (read: () => readonly QueuedItems[]) => void;
};

type QueuedItems = { readonly model: string; readonly priority: Priority; readonly items: number };

const batchBuckets = [1, 2, 4, 8, 16, 32, 64, 128];
const loadBuckets = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300];

export function createModelMetrics(registry: Registry, prefix: string, durationBuckets: readonly number[]): ModelMetrics {
  const registers = [registry];
  const items = new Histogram({ name: `${prefix}model_batch_items`, help: 'Items per batch of a model.', labelNames: ['model'], buckets: batchBuckets, registers });
  const seconds = new Histogram({ name: `${prefix}model_batch_duration_seconds`, help: 'Time of a batch in its worker.', labelNames: ['model'], buckets: [...durationBuckets], registers });
  const state = new Gauge({ name: `${prefix}model_state`, help: '1 for the state that a model is in, 0 for the others.', labelNames: ['model', 'state'], registers });
  const memory = new Gauge({ name: `${prefix}model_memory_bytes`, help: 'Memory that a loaded model takes in all workers, as estimated from its files.', labelNames: ['model'], registers });
  const loads = new Counter({ name: `${prefix}model_loads_total`, help: 'Loads and reloads of a model, by outcome.', labelNames: ['model', 'outcome'], registers });
  const loadSeconds = new Histogram({ name: `${prefix}model_load_duration_seconds`, help: 'From the first byte of a model to the last of its known answers in the last worker.', labelNames: ['model'], buckets: loadBuckets, registers });
  const unloads = new Counter({ name: `${prefix}model_unloads_total`, help: 'Times that a model was unloaded, because that was asked for or to make room.', labelNames: ['model', 'why'], registers });
  const overloads = new Counter({ name: `${prefix}model_overloads_total`, help: 'Items that a full queue refused.', labelNames: ['model', 'priority'], registers });
  const deaths = new Counter({ name: `${prefix}inference_worker_deaths_total`, help: 'Inference workers that ended and were replaced.', registers });
  let readQueued: () => readonly QueuedItems[] = () => [];
  new Gauge({
    name: `${prefix}model_queue_items`,
    help: 'Items that wait for a model, by priority.',
    labelNames: ['model', 'priority'],
    registers,
    collect() {
      for (const { model, priority, items: waiting } of readQueued()) this.set({ model, priority }, waiting);
    },
  });
  const loaded = ({ model, durationMs, memoryBytes }: { readonly model: string; readonly durationMs: number; readonly memoryBytes: number }): void => {
    loads.inc({ model, outcome: 'loaded' });
    loadSeconds.observe({ model }, durationMs / 1000);
    memory.set({ model }, memoryBytes);
  };
  const failed = ({ model }: { readonly model: string }): void => loads.inc({ model, outcome: 'failed' });
  return {
    observer: {
      batchCompleted: ({ model, items: count, durationMs }) => {
        items.observe({ model }, count);
        seconds.observe({ model }, durationMs / 1000);
      },
      stateChanged: ({ model, state: now }) => {
        for (const each of modelStates) state.set({ model, state: each }, each === now ? 1 : 0);
      },
      loaded,
      reloaded: loaded,
      loadFailed: failed,
      reloadFailed: failed,
      unloaded: ({ model, why }) => {
        unloads.inc({ model, why });
        memory.set({ model }, 0);
      },
      overloaded: ({ model, priority }) => overloads.inc({ model, priority }),
      workerDied: () => deaths.inc(),
    },
    queued: (read) => {
      readQueued = read;
    },
  };
}
