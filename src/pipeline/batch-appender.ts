/** Appending many records in batches. */
import { LabelstreamError } from '../core/errors/error.ts';
import { recordBytes, type OutputRecord } from '../core/records.ts';
import type { Transport } from './transport.ts';

const batchRecordsMax = 500;
const batchBytesMax = 1024 * 1024;

export type BatchAppender = {
  /** `acknowledged` is called once the record is there, or counted where nothing is appended: what is told of it is told no sooner. */
  readonly append: (record: OutputRecord, acknowledged?: () => void) => Promise<void>;
  /** To be called at the end. */
  readonly flush: () => Promise<void>;
  /** Acknowledged. */
  readonly appended: () => number;
  /** Handed over and not acknowledged. */
  readonly pending: () => number;
};

/** @param write false: nothing is appended, everything is counted. */
export function createBatchAppender(transport: Pick<Transport, 'append'>, write: boolean): BatchAppender {
  let batch: OutputRecord[] = [];
  let waiting: (() => void)[] = [];
  let bytes = 0;
  let appended = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0 && write) await transport.append(batch);
    appended += batch.length;
    const told = waiting;
    [batch, waiting, bytes] = [[], [], 0];
    for (const acknowledged of told) acknowledged();
  };
  return {
    append: async (record, acknowledged) => {
      batch.push(record);
      if (acknowledged !== undefined) waiting.push(acknowledged);
      bytes += recordBytes(record);
      if (batch.length >= batchRecordsMax || bytes >= batchBytesMax) await flush();
    },
    flush,
    appended: () => appended,
    pending: () => batch.length,
  };
}

/** Whether a batch may be there although its append failed: without an answer nobody knows. */
export function isInDoubt(error: unknown): boolean {
  return error instanceof LabelstreamError && inDoubtAfter.has(error.code);
}

const inDoubtAfter: ReadonlySet<string> = new Set(['LS_LOG_OWNER_LOST', 'LS_KAFKA_UNREACHABLE', 'LS_KAFKA_REQUEST']);
