/** What models have done since the start, by the names that the configuration binds them to. */
import type { ModelServerObserver } from './model-server.ts';

export type ModelStatistics = {
  /** Items, by their outcome. */
  readonly succeeded: number;
  readonly failed: number;
  readonly batches: number;
  /** Of the batches, from their start in a worker to their end. */
  readonly computeMs: number;
  /** When the last batch ended, since the epoch; undefined before the first. */
  readonly lastAtMs: number | undefined;
};

const none: ModelStatistics = { succeeded: 0, failed: 0, batches: 0, computeMs: 0, lastAtMs: undefined };

export type ModelStatisticsCollector = { readonly observer: ModelServerObserver; readonly of: (model: string) => ModelStatistics };

export function collectModelStatistics(nowMs: () => number): ModelStatisticsCollector {
  const found = new Map<string, ModelStatistics>();
  const of = (model: string): ModelStatistics => found.get(model) ?? none;
  return {
    of,
    observer: {
      batchCompleted: ({ model, items, failedItems, durationMs }) => {
        const { succeeded, failed, batches, computeMs } = of(model);
        found.set(model, { succeeded: succeeded + items - failedItems, failed: failed + failedItems, batches: batches + 1, computeMs: computeMs + durationMs, lastAtMs: nowMs() });
      },
    },
  };
}
