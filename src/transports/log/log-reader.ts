/**
 * Reading a partition of the log as the transport port wants it: wait for at least one record, and never pass over records that are gone
 * (SEMANTICS.md, rule 23).
 */
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { ConsumedRecord, Position, TopicPartition } from '../../core/records.ts';
import type { ReadBudget } from '../../pipeline/transport.ts';
import type { LogBounds, LogStore, StoredRecord } from './log-store.ts';
import { positionOf, sequenceAt } from './positions.ts';

export type PartitionLocation = TopicPartition & { readonly incarnation: string };

/** Resolves with none only when the signal aborts. Rejects with LS_TRANSPORT_POSITION_LOST. */
export async function readWaiting(
  store: LogStore,
  location: PartitionLocation,
  fromSequence: bigint,
  budget: ReadBudget,
  signal: AbortSignal,
): Promise<readonly ConsumedRecord[]> {
  while (!signal.aborted) {
    const records = await store.read(location, fromSequence, budget);
    // A first record beyond the position is either a gap that the log always had, or the trace of records removed since.
    if (records[0]?.sequence !== fromSequence) await requirePosition(store, location, fromSequence);
    if (records.length > 0) return records.map((record) => consumed(location, record));
    await store.waitForRecords(location, fromSequence, signal);
  }
  return [];
}

/** @param from undefined: the first record kept, whatever retention removes meanwhile. */
export async function readFrom(
  store: LogStore,
  location: PartitionLocation,
  from: Position | undefined,
  budget: ReadBudget,
  signal: AbortSignal,
): Promise<readonly ConsumedRecord[]> {
  if (from !== undefined) return readWaiting(store, location, sequenceAt(from), budget, signal);
  for (;;) {
    const { startSequence } = await store.bounds(location);
    try {
      return await readWaiting(store, location, startSequence, budget, signal);
    } catch (error) {
      if (!(error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_POSITION_LOST')) throw error;
    }
  }
}

export async function isKept(store: LogStore, location: PartitionLocation, position: Position): Promise<boolean> {
  return isWithin(sequenceAt(position), await store.bounds(location));
}

function isWithin(sequence: bigint, { startSequence, endSequence }: LogBounds): boolean {
  return sequence >= startSequence && sequence <= endSequence;
}

async function requirePosition(store: LogStore, location: PartitionLocation, sequence: bigint): Promise<void> {
  const bounds = await store.bounds(location);
  if (isWithin(sequence, bounds)) return;
  throw pipelineError(
    'LS_TRANSPORT_POSITION_LOST',
    `Partition ${location.partition} of ${location.topic} holds the sequences ${bounds.startSequence.toString()} to before ` +
      `${bounds.endSequence.toString()}; the position to read from is ${sequence.toString()}.`,
    {
      topic: location.topic,
      partition: location.partition,
      position: sequence,
      startSequence: bounds.startSequence,
      endSequence: bounds.endSequence,
    },
  );
}

function consumed(location: PartitionLocation, record: StoredRecord): ConsumedRecord {
  return {
    topic: location.topic,
    partition: location.partition,
    incarnation: location.incarnation,
    sequence: record.sequence,
    nextPosition: positionOf(record.sequence + 1n),
    appendTimeMs: record.appendTimeMs,
    key: record.key,
    value: record.value,
    headers: record.headers,
  };
}
