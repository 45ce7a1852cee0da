/** Those who wait for a partition to grow. */
import type { PartitionState } from './log-state.ts';

export type RecordWaiters = {
  /** Resolves when the partition's end is above `endSequence`, or the signal aborts; rejects when `fail` was called. */
  readonly wait: (partition: PartitionState, endSequence: bigint, signal: AbortSignal) => Promise<void>;
  readonly wake: (partition: PartitionState) => void;
  readonly fail: (error: Error) => void;
};

type Waiter = { readonly endSequence: bigint; readonly resolve: () => void; readonly reject: (error: Error) => void };

export function createRecordWaiters(): RecordWaiters {
  const byPartition = new Map<PartitionState, Set<Waiter>>();
  return {
    wait: (partition, endSequence, signal) => {
      if (partition.nextSequence > endSequence || signal.aborted) return Promise.resolve();
      const waiters = byPartition.get(partition) ?? new Set();
      byPartition.set(partition, waiters);
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      const waiter: Waiter = { endSequence, resolve: () => resolve(undefined), reject };
      waiters.add(waiter);
      const abort = (): void => waiter.resolve();
      signal.addEventListener('abort', abort, { once: true });
      return promise.finally(() => {
        waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
      });
    },
    wake: (partition) => {
      for (const waiter of byPartition.get(partition) ?? []) if (partition.nextSequence > waiter.endSequence) waiter.resolve();
    },
    fail: (error) => {
      for (const waiters of byPartition.values()) for (const waiter of waiters) waiter.reject(error);
    },
  };
}
