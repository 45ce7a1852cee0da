/**
 * The records of several partitions as one sequence, each partition's in its order. Whoever takes them sets the pace: of a partition at most one batch
 * is here, and the next is read when that is taken.
 */
import type { ConsumedRecord, TopicPartition } from '../../core/records.ts';
import type { ReadBudget, Transport } from '../../pipeline/transport.ts';

export type MergedRecords = {
  /** The next batch of some partition; undefined when none came in time, or the signal has aborted. Rejects with what a read did. One call at a time. */
  readonly next: (waitMs: number) => Promise<readonly ConsumedRecord[] | undefined>;
};

type Outcome = { readonly index: number; readonly records: readonly ConsumedRecord[] } | { readonly error: unknown };

/** @param from one for each partition. */
export function mergeRecords(transport: Pick<Transport, 'read'>, from: readonly (TopicPartition & { readonly position: string })[], budget: ReadBudget, signal: AbortSignal): MergedRecords {
  const positions = from.map(({ position }) => position);
  const arrived: Outcome[] = [];
  let wake = (): void => undefined;
  const read = (index: number): void => {
    const partition = from[index];
    if (partition === undefined || signal.aborted) return;
    const arrive = (outcome: Outcome): void => {
      arrived.push(outcome);
      wake();
    };
    transport.read(partition, positions[index], budget, signal).then((records) => arrive({ index, records }), (error: unknown) => arrive({ error }));
  };
  let taken: number | undefined;
  const begin = (): void => {
    for (const index of from.keys()) read(index);
  };
  let hasBegun = false;
  return {
    next: async (waitMs) => {
      if (!hasBegun) begin();
      hasBegun = true;
      if (taken !== undefined) read(taken);
      taken = undefined;
      if (arrived.length === 0) await untilWoken(waitMs, signal, (resolve) => (wake = resolve));
      wake = () => undefined;
      const outcome = arrived.shift();
      if (outcome === undefined || signal.aborted) return undefined;
      if ('error' in outcome) throw outcome.error;
      taken = outcome.index;
      positions[taken] = outcome.records.at(-1)?.nextPosition ?? positions[taken] ?? '';
      return outcome.records;
    },
  };
}

function untilWoken(waitMs: number, signal: AbortSignal, setWake: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    signal.addEventListener('abort', end, { once: true });
    setWake(end);
    if (signal.aborted) end();
  });
}
