/**
 * Reads outside any group, call by call. Who reads on where the last call ended, as followers do, finds what was fetched then; so the last readers
 * are kept, one per partition, without fetching while nobody reads.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import type { ReadBudget } from '../../pipeline/transport.ts';
import type { RecordSource } from './fetched-records.ts';
import type { KafkaFetcher } from './fetcher.ts';
import type { PartitionReader } from './partition-reader.ts';
import { offsetAt } from './positions.ts';

export type SingleReads = {
  readonly read: (source: RecordSource, offset: bigint, budget: ReadBudget, signal: AbortSignal) => Promise<readonly ConsumedRecord[]>;
  /** Those that wait reject with LS_TRANSPORT_CLOSED, and all that follow. */
  readonly close: () => void;
};

const idleMax = 16;

type Idle = { readonly reader: PartitionReader; readonly nextOffset: bigint };

export function createSingleReads(fetcher: KafkaFetcher): SingleReads {
  /** In the order of their last use. */
  const idle = new Map<string, Idle>();
  const busy = new Set<PartitionReader>();
  let closedBy: Error | undefined;

  const readerAt = (key: string, source: RecordSource, offset: bigint): PartitionReader => {
    const kept = idle.get(key);
    if (kept?.nextOffset !== offset) return fetcher.openOnDemand(source, offset);
    idle.delete(key);
    return kept.reader;
  };
  const keep = (key: string, { reader, nextOffset }: Idle): void => {
    drop(key);
    idle.set(key, { reader, nextOffset });
    const [oldest] = idle.keys();
    if (idle.size > idleMax && oldest !== undefined) drop(oldest);
  };
  const drop = (key: string): void => {
    idle.get(key)?.reader.close(closedError());
    idle.delete(key);
  };
  return {
    read: async (source, offset, budget, signal) => {
      if (closedBy !== undefined) throw closedBy;
      const key = `${source.topic}/${String(source.partition)}/${source.incarnation}`;
      const reader = readerAt(key, source, offset);
      busy.add(reader);
      try {
        const records = await reader.poll(budget, signal);
        const last = records.at(-1);
        keep(key, { reader, nextOffset: last === undefined ? offset : offsetAt(last.nextPosition) });
        return records;
      } catch (error) {
        reader.close(closedError());
        throw error;
      } finally {
        busy.delete(reader);
      }
    },
    close: () => {
      closedBy = closedError();
      for (const reader of busy) reader.close(closedBy);
      for (const key of [...idle.keys()]) drop(key);
    },
  };
}

function closedError(): Error {
  return pipelineError('LS_TRANSPORT_CLOSED', 'The Kafka transport is closed.');
}
