/**
 * A partition of the log while a member of a consumer group owns it. It ends by `revoke`: from then on every call rejects, a poll in flight
 * too, and `settled` tells when the deliveries that had already started are through, so that the next owner reads a checkpoint that no
 * late write can change.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { ConsumedRecord, OutputRecord } from '../../core/records.ts';
import type { AssignedPartition, Checkpoint, Delivery, PartitionBounds, ReadBudget } from '../../pipeline/transport.ts';
import type { LogStore } from './log-store.ts';
import { readWaiting, type PartitionLocation } from './log-reader.ts';
import { checkpointOf, positionOf, sequenceAt, storedCheckpoint } from './positions.ts';

export type OwnedPartition = {
  readonly assigned: AssignedPartition;
  readonly revoke: () => void;
  readonly settled: () => Promise<void>;
};

export type OwnedPartitionOptions = {
  readonly store: LogStore;
  readonly location: PartitionLocation;
  readonly group: string;
  readonly delivery: Delivery;
  /** Rejects what the log does not take: a missing topic, a record that is too large. */
  readonly checkRecords: (records: readonly OutputRecord[]) => Promise<void>;
};

export function ownPartition(options: OwnedPartitionOptions): OwnedPartition {
  const { store, location, group } = options;
  let revoked = false;
  let delivering: Promise<void> | undefined;

  const requireOwned = (): void => {
    if (!revoked) return;
    throw pipelineError(
      'LS_TRANSPORT_REVOKED',
      `Partition ${location.partition} of ${location.topic} no longer belongs to this member of group ${group}.`,
      { topic: location.topic, partition: location.partition, group },
    );
  };
  /** Whatever became of the call: to a former owner it says only that it is one. */
  const owned = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    requireOwned();
    const result = await call().finally(requireOwned);
    return result;
  };
  const reader = createReader(options);

  const assigned: AssignedPartition = {
    topic: location.topic,
    partition: location.partition,
    incarnation: location.incarnation,
    committed: () => owned(() => committedCheckpoint(store, group, location)),
    bounds: () => owned(() => partitionBounds(store, location)),
    seek: (position) => {
      requireOwned();
      reader.seek(sequenceAt(position));
    },
    poll: (budget, signal) => owned(() => reader.poll(budget, signal, () => revoked)),
    deliver: async (outputs, checkpoint) => {
      requireOwned();
      if (delivering !== undefined) throw overlap('deliver', location);
      delivering = deliver(options, outputs, checkpoint, requireOwned);
      try {
        await delivering;
      } finally {
        delivering = undefined;
      }
    },
  };
  return {
    assigned,
    revoke: () => {
      revoked = true;
      reader.wake();
    },
    settled: async () => {
      // The outcome is the caller's of `deliver`; here only its end matters.
      await delivering?.catch(() => undefined);
    },
  };
}

type Reader = {
  readonly seek: (sequence: bigint) => void;
  readonly wake: () => void;
  readonly poll: (budget: ReadBudget, signal: AbortSignal, ended: () => boolean) => Promise<readonly ConsumedRecord[]>;
};

function createReader(options: OwnedPartitionOptions): Reader {
  const { store, location } = options;
  let polling = false;
  let next: bigint | undefined;
  /** Aborted, and replaced, by whatever makes a poll's answer stale. */
  let current = new AbortController();

  const wake = (): void => {
    current.abort();
    current = new AbortController();
  };
  const pollOnce = async (budget: ReadBudget, signal: AbortSignal, ended: () => boolean): Promise<readonly ConsumedRecord[]> => {
    while (!signal.aborted && !ended()) {
      const stale = current.signal;
      const from = next ?? (await startingSequence(options));
      const records = await readWaiting(store, location, from, budget, AbortSignal.any([signal, stale]));
      const last = records.at(-1);
      // After a seek the answer belongs to the old position.
      if (last === undefined || stale.aborted) continue;
      next = last.sequence + 1n;
      return records;
    }
    return [];
  };
  return {
    seek: (sequence) => {
      next = sequence;
      wake();
    },
    wake,
    poll: async (budget, signal, ended) => {
      if (polling) throw overlap('poll', location);
      polling = true;
      try {
        return await pollOnce(budget, signal, ended);
      } finally {
        polling = false;
      }
    },
  };
}

function overlap(call: string, { topic, partition }: PartitionLocation): Error {
  return pipelineError('LS_TRANSPORT_CALL_OVERLAP', `${call} was called while another was in flight for partition ${partition} of ${topic}.`, {
    topic,
    partition,
  });
}

export async function committedCheckpoint(store: LogStore, group: string, location: PartitionLocation): Promise<Checkpoint | undefined> {
  const stored = await store.checkpoint(group, location);
  return stored === undefined ? undefined : checkpointOf(stored);
}

export async function partitionBounds(store: LogStore, location: PartitionLocation): Promise<PartitionBounds> {
  const { startSequence, endSequence } = await store.bounds(location);
  return {
    start: { position: positionOf(startSequence), sequence: startSequence },
    end: { position: positionOf(endSequence), sequence: endSequence },
  };
}

/** Without a seek: where the group stands, or at the first record kept where it never stood anywhere (rule 23). */
async function startingSequence({ store, location, group }: OwnedPartitionOptions): Promise<bigint> {
  const stored = await store.checkpoint(group, location);
  return stored?.nextSequence ?? (await store.bounds(location)).startSequence;
}

async function deliver(
  { store, location, group, delivery, checkRecords }: OwnedPartitionOptions,
  outputs: readonly OutputRecord[],
  checkpoint: Checkpoint,
  requireOwned: () => void,
): Promise<void> {
  const checkpoints = [storedCheckpoint(group, location, checkpoint)];
  await checkRecords(outputs);
  requireOwned();
  if (delivery === 'exactly-once') {
    await store.commit({ records: outputs, checkpoints });
    return;
  }
  if (outputs.length > 0) await store.commit({ records: outputs, checkpoints: [] });
  await store.commit({ records: [], checkpoints });
}
