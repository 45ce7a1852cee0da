/** For processes whose metrics nobody reads: commands that end. What counts them takes longer to load than such a command has to do. */
import { silentObserver } from '../pipeline/observe.ts';
import type { MetricsObserver } from './metrics.ts';

const nothing = (): void => undefined;

export const silentMetrics: MetricsObserver = {
  runnerObserver: () => silentObserver,
  models: { observer: {}, queued: nothing },
  logCommit: nothing,
  kafka: () => ({ unavailable: nothing, available: nothing, rebalanced: nothing, transactionDone: nothing, fetched: nothing }),
  metricEventDropped: nothing,
  schemaRegistry: nothing,
  references: { fetched: nothing, unavailable: nothing },
  mainLoopStall: nothing,
  frozenCollections: nothing,
  pendingGenerations: nothing,
  pausedInputs: nothing,
  generationFailed: nothing,
  lag: nothing,
};
