/**
 * Holds records of a log back from a stage until they are let through. So everything a bench is going to hand to the engine lies in the log before
 * it starts, and what is timed is the engine alone, from the moment that records may be read.
 */
import type { Clock } from '../../src/core/clock.ts';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { createCondition } from '../../src/pipeline/condition.ts';
import type { AssignedPartition, Transport } from '../../src/pipeline/transport.ts';
import { sequenceAt } from '../../src/transports/log/positions.ts';

export type Gate = {
  /** Records below the sequence may be read. */
  readonly open: (endSequence: bigint) => void;
  /** The transport, whose subscriptions read through the gate. */
  readonly transport: Transport;
};

export function createGate(transport: Transport, clock: Clock): Gate {
  let end = 0n;
  const changed = createCondition(clock);
  const gated = (partition: AssignedPartition): AssignedPartition => {
    let next = 0n;
    return {
      ...partition,
      seek: (position) => {
        next = sequenceAt(position);
        partition.seek(position);
      },
      poll: async (budget, signal): Promise<readonly ConsumedRecord[]> => {
        const wake = (): void => changed.notify();
        signal.addEventListener('abort', wake, { once: true });
        await changed.until(() => next < end || signal.aborted);
        signal.removeEventListener('abort', wake);
        if (signal.aborted) return [];
        const records = await partition.poll({ ...budget, records: Math.min(budget.records, Number(end - next)) }, signal);
        next = (records.at(-1)?.sequence ?? next - 1n) + 1n;
        return records;
      },
    };
  };
  return {
    open: (endSequence) => {
      end = endSequence;
      changed.notify();
    },
    transport: {
      ...transport,
      subscribe: (options) =>
        transport.subscribe({ ...options, listener: { ...options.listener, assigned: (partitions) => options.listener.assigned(partitions.map(gated)) } }),
    },
  };
}
