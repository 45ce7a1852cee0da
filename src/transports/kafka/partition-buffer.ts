/**
 * What was fetched of one partition and is not polled yet, and the poll that waits for more. A seek begins a new epoch: what an earlier fetch still
 * brings belongs to the old place and is dropped.
 */
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import type { ReadBudget } from '../../pipeline/transport.ts';
import { readBatch, type BatchReader, type RecordSource, type SizedRecord, type VisibleBatch, type VisibleBatches } from './fetched-records.ts';
import type { PartitionReader } from './partition-reader.ts';

/** A fetch that began: its answer counts while the epoch lasts. */
export type FetchStart = { readonly offset: bigint; readonly epoch: number };

export type PartitionBuffer = {
  readonly reader: PartitionReader;
  readonly bytes: () => number;
  /** Where a fetch is to begin. */
  readonly offset: () => bigint;
  readonly isPolled: () => boolean;
  /** Neither fetched now nor stuck. */
  readonly isFree: () => boolean;
  readonly begin: () => FetchStart;
  /** Every begun fetch ends with one of these. `end` brings nothing. */
  readonly add: (start: FetchStart, visible: VisibleBatches) => void;
  readonly end: (start: FetchStart) => void;
  /** A poll that waits rejects; the next one tries again. */
  readonly fail: (start: FetchStart, error: Error) => void;
  /** Every poll rejects, until the partition is sought elsewhere. */
  readonly lose: (start: FetchStart, error: Error) => void;
};

export type PartitionBufferOptions = {
  readonly source: RecordSource;
  readonly offset: bigint;
  readonly nowMs: () => number;
  /** There may be something to fetch now. */
  readonly changed: () => void;
  readonly closed: () => unknown;
};

export function openPartitionBuffer({ source, offset, nowMs, changed, closed }: PartitionBufferOptions): PartitionBuffer {
  const queue = createQueue(source, nowMs);
  let nextOffset = offset;
  let hiddenFrom = offset;
  let epoch = 0;
  let fetchedEpoch = -1;
  let lost: Error | undefined;
  let closedBy: Error | undefined;

  const requireReadable = (): void => {
    const refusal = closedBy ?? lost;
    if (refusal !== undefined) throw refusal;
  };
  const poller = createPoller({ source, queue, changed, requireReadable, lose: (error) => void (lost = error) });
  const isCurrent = (began: FetchStart): boolean => {
    if (began.epoch !== epoch) return false;
    fetchedEpoch = -1;
    return true;
  };
  return {
    bytes: queue.bytes,
    offset: () => nextOffset,
    isPolled: poller.isWaiting,
    isFree: () => fetchedEpoch !== epoch && lost === undefined && closedBy === undefined,
    begin: () => {
      fetchedEpoch = epoch;
      return { offset: nextOffset, epoch };
    },
    add: (began, visible) => {
      if (!isCurrent(began) || closedBy !== undefined) return;
      queue.add(visible.batches, nextOffset);
      nextOffset = visible.nextOffset;
      if (visible.batches.length === 0) return;
      hiddenFrom = visible.hiddenFrom;
      poller.wake();
    },
    end: (began) => void isCurrent(began),
    fail: (began, error) => {
      if (isCurrent(began)) poller.reject(error);
    },
    lose: (began, error) => {
      if (!isCurrent(began)) return;
      lost = error;
      poller.reject(error);
    },
    reader: {
      seek: (to) => {
        epoch += 1;
        queue.clear();
        nextOffset = to;
        hiddenFrom = to;
        lost = undefined;
        changed();
      },
      poll: poller.poll,
      pastHidden: (from) => (from >= hiddenFrom && from < nextOffset ? nextOffset : from),
      close: (reason) => {
        closedBy ??= reason;
        queue.clear();
        poller.reject(closedBy);
        closed();
      },
    },
  };
}

type Poller = {
  readonly poll: PartitionReader['poll'];
  readonly isWaiting: () => boolean;
  readonly wake: () => void;
  readonly reject: (error: Error) => void;
};

type PollerOptions = {
  readonly source: RecordSource;
  readonly queue: Queue;
  readonly changed: () => void;
  readonly requireReadable: () => void;
  /** What is in the queue cannot be decoded. */
  readonly lose: (error: Error) => void;
};

/** One poll at a time, which waits for what the queue gets. */
function createPoller({ source, queue, changed, requireReadable, lose }: PollerOptions): Poller {
  let polling = false;
  let waiting: { readonly wake: () => void; readonly reject: (error: Error) => void } | undefined;
  const untilMore = async (signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const wake = (): void => resolve(undefined);
    waiting = { wake, reject };
    signal.addEventListener('abort', wake, { once: true });
    changed();
    try {
      await promise;
    } finally {
      waiting = undefined;
      signal.removeEventListener('abort', wake);
    }
  };
  const take = (budget: ReadBudget): readonly ConsumedRecord[] => {
    try {
      return queue.take(budget);
    } catch (error) {
      lose(error as Error);
      throw error;
    }
  };
  const poll = async (budget: ReadBudget, signal: AbortSignal): Promise<readonly ConsumedRecord[]> => {
    for (;;) {
      // A seek in the same turn still decides what this poll reads.
      await Promise.resolve();
      requireReadable();
      if (signal.aborted) return [];
      const records = take(budget);
      if (records.length > 0) {
        changed();
        return records;
      }
      await untilMore(signal);
    }
  };
  return {
    isWaiting: () => waiting !== undefined,
    wake: () => waiting?.wake(),
    reject: (error) => waiting?.reject(error),
    poll: async (budget, signal) => {
      requireReadable();
      if (polling) throw overlap(source);
      polling = true;
      try {
        return await poll(budget, signal);
      } finally {
        polling = false;
      }
    },
  };
}

function overlap({ topic, partition }: RecordSource): Error {
  return pipelineError('LS_TRANSPORT_CALL_OVERLAP', `poll was called while another was in flight for partition ${partition} of ${topic}.`, { topic, partition });
}

type Queue = {
  readonly bytes: () => number;
  readonly add: (batches: readonly VisibleBatch[], fromOffset: bigint) => void;
  readonly take: (budget: ReadBudget) => readonly ConsumedRecord[];
  readonly clear: () => void;
};

/** Batches as they were fetched; records are made of them one by one as they are taken. */
function createQueue(source: RecordSource, nowMs: () => number): Queue {
  let batches: BatchReader[] = [];
  /** Decoded, but too large for the budget that it was to go into. */
  let held: SizedRecord | undefined;
  let bytes = 0;
  const next = (): SizedRecord | undefined => {
    for (let first = batches[0]; first !== undefined; first = batches[0]) {
      const before = first.bytesLeft();
      const record = first.next();
      bytes -= before - first.bytesLeft();
      if (record !== undefined) return record;
      batches.shift();
    }
    return undefined;
  };
  return {
    bytes: () => bytes,
    add: (added, fromOffset) => {
      for (const batch of added) {
        batches.push(readBatch(source, batch, fromOffset, nowMs));
        bytes += batch.records.length;
      }
    },
    take: (budget) => {
      const taken: ConsumedRecord[] = [];
      let left = budget.bytes;
      while (taken.length < budget.records) {
        const sized = held ?? next();
        held = sized;
        if (sized === undefined || (taken.length > 0 && sized.bytes > left)) break;
        held = undefined;
        left -= sized.bytes;
        taken.push(sized.record);
      }
      return taken;
    },
    clear: () => {
      batches = [];
      held = undefined;
      bytes = 0;
    },
  };
}
