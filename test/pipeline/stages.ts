/** Two small stages whose results can be foretold: a map that says who it read, and a fold that sums. */
import type { Clock } from '../../src/core/clock.ts';
import { noHeaders, type ConsumedRecord, type OutputRecord, type TopicPartition } from '../../src/core/records.ts';
import { originOf, withOrigin } from '../../src/pipeline/headers.ts';
import type { FoldPartition, FoldStage, MapStage, Processed } from '../../src/pipeline/stage.ts';

export function textRecord(topicPartition: TopicPartition, text: string): OutputRecord {
  return { topic: topicPartition.topic, partition: topicPartition.partition, key: null, value: Buffer.from(text), headers: noHeaders };
}

export const textOf = (record: { readonly value: Buffer }): string => record.value.toString();

/** `partition/sequence of the first input`, so the same before and after parking. */
function originText(record: ConsumedRecord): string {
  const { topic, partition, sequence } = originOf(record);
  return `${topic}/${partition}/${sequence}`;
}

export type EchoOptions = {
  readonly topics: readonly string[];
  readonly outputs: (record: ConsumedRecord) => number;
  /** How long it takes; runs before the result. */
  readonly work?: (record: ConsumedRecord, signal: AbortSignal) => Promise<void>;
  readonly failures?: (record: ConsumedRecord) => readonly string[];
  readonly parkTo?: string;
};

/** Output i of a record is `<origin>#<i>` in the topic out, on the partition of its input; the read coordinate is its key. */
export function echoStage(options: EchoOptions): MapStage {
  return {
    kind: 'map',
    name: 'echo',
    topics: options.topics,
    process: async (record, { signal }): Promise<Processed> => {
      await options.work?.(record, signal);
      const systemFailures = options.failures?.(record) ?? [];
      const kind = systemFailures.length > 0 ? 'failed ' : '';
      return { outputs: echoesOf(record, options.outputs(record), kind), systemFailures };
    },
    park: (record) => {
      if (options.parkTo === undefined || record.topic === options.parkTo) return undefined;
      return { topic: options.parkTo, partition: 0, key: readKey(record), value: record.value, headers: withOrigin(record) };
    },
  };
}

export function echoesOf(record: ConsumedRecord, count: number, kind = ''): OutputRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    topic: 'out',
    partition: 0,
    key: readKey(record),
    value: Buffer.from(`${kind}${originText(record)}#${index}`),
    headers: noHeaders,
  }));
}

function readKey(record: ConsumedRecord): Buffer {
  return Buffer.from(`${record.topic}/${record.partition}/${record.sequence}`);
}

export type SumOptions = {
  readonly outputs: (record: ConsumedRecord) => number;
  readonly fails?: (record: ConsumedRecord) => boolean;
  readonly clock?: Clock;
  readonly folded?: (record: ConsumedRecord) => void;
  /** Where the fold waits for something that never comes. */
  readonly waits?: (record: ConsumedRecord) => boolean;
  /** Told when a state is opened, and when it is closed. */
  readonly opened?: (count: 1 | -1) => void;
  /** Ticks every so many records. */
  readonly tickAtMs?: (sum: bigint) => number | undefined;
  readonly ticksAreUrgent?: boolean;
  /** Takes the listener that is to be told when `tickAtMs` answers otherwise. */
  readonly watchDue?: (listener: () => void) => void;
  /** What preparing a batch takes, or fails with; without it the stage does not prepare. */
  readonly prepares?: (records: readonly ConsumedRecord[], stopping: AbortSignal) => Promise<void>;
};

/**
 * The state is the running sum and count of the numbers that the records hold; output i of a record is `<sequence>:<sum>#<i>` in the topic
 * sums, on the partition of its input.
 */
export function sumStage(topic: string, options: SumOptions): FoldStage {
  return { kind: 'fold', name: 'sum', topics: [topic], open: ({ partition }) => openSum(topic, partition, options) };
}

function openSum(topic: string, partition: number, options: SumOptions): FoldPartition {
  let sum = 0n;
  let count = 0n;
  let busy = false;
  let isClosed = false;
  let isWritten = false;
  options.opened?.(1);
  const preparation = options.prepares === undefined ? undefined : prepareSum(options.prepares);
  const foldOne = (record: ConsumedRecord): OutputRecord[] => {
    if (options.fails?.(record) === true) throw new RangeError('this fold fails');
    options.folded?.(record);
    sum += preparation?.taken(record) ?? numberOf(record);
    count += 1n;
    return Array.from({ length: options.outputs(record) }, (_, index) => sumOutput(record, sum, index));
  };
  return {
    fold: async (records, stopping) => {
      if (busy || isClosed) throw new RangeError('folded twice at a time, or after the close');
      busy = true;
      try {
        const outputs: OutputRecord[][] = [];
        for (const record of records) {
          await options.clock?.sleep(1);
          if (options.waits?.(record) === true) {
            await new Promise((resolve) => stopping?.addEventListener('abort', resolve, { once: true }));
            break;
          }
          outputs.push(foldOne(record));
        }
        return outputs;
      } finally {
        busy = false;
      }
    },
    ...(preparation === undefined ? {} : { prepare: preparation.prepare, discard: preparation.discard }),
    snapshot: () => {
      if (busy || isWritten || isClosed) throw new RangeError('a snapshot was taken within a fold, or within another, or after the close');
      isWritten = true;
      return chunksOf([sum, count], () => {
        isWritten = false;
      });
    },
    restore: async (chunks) => {
      preparation?.requireNone();
      const parts: string[] = [];
      for await (const chunk of chunks) parts.push(chunk.toString());
      sum = BigInt(parts[0] ?? 0);
      count = BigInt(parts[1] ?? 0);
    },
    close: () => {
      if (isClosed) throw new RangeError('closed twice');
      isClosed = true;
      options.opened?.(-1);
      return Promise.resolve();
    },
    due: () => {
      const atMs = options.tickAtMs?.(count);
      const isUrgent = options.ticksAreUrgent ?? false;
      return atMs === undefined ? undefined : { atMs, record: textRecord({ topic, partition }, `tick ${count}`), isUrgent };
    },
    ...(options.watchDue === undefined ? {} : { watchDue: options.watchDue }),
  };
}

/** @param ended told once they are all taken, or given up. */
function chunksOf(parts: readonly bigint[], ended: () => void): IterableIterator<Buffer> {
  const left = parts.map((part) => Buffer.from(String(part)));
  const end = (): { readonly done: true; readonly value: undefined } => {
    left.length = 0;
    ended();
    return { done: true, value: undefined };
  };
  const iterator: IterableIterator<Buffer> = {
    next: () => {
      const value = left.shift();
      return value === undefined ? end() : { done: false, value };
    },
    return: end,
    [Symbol.iterator]: () => iterator,
  };
  return iterator;
}

const numberOf = (record: ConsumedRecord): bigint => (textOf(record).startsWith('tick') ? 0n : BigInt(textOf(record)));

type Preparation = Required<Pick<FoldPartition, 'prepare' | 'discard'>> & {
  /** What was prepared for a record, once. Throws where that was not done, or for records that were passed over. */
  readonly taken: (record: ConsumedRecord) => bigint;
  readonly requireNone: () => void;
};

/** Holds whoever prepares to the port: in order, each record once, one batch at a time, and nothing before the state is restored. */
function prepareSum(work: NonNullable<SumOptions['prepares']>): Preparation {
  let prepared: { readonly sequence: bigint; readonly value: bigint }[] = [];
  let preparing = false;
  const demand = (condition: boolean, message: string): void => {
    if (!condition) throw new RangeError(message);
  };
  return {
    prepare: async (records, stopping) => {
      demand(!preparing, 'two batches were prepared at a time');
      demand(records.length > 0 && !stopping.aborted, 'nothing was to be prepared');
      const inOrder = [...prepared, ...records].every(({ sequence }, index, all) => index === 0 || sequence > (all[index - 1]?.sequence ?? sequence));
      demand(inOrder, 'records were prepared twice, or out of order');
      preparing = true;
      try {
        await work(records, stopping);
        prepared.push(...records.map((record) => ({ sequence: record.sequence, value: numberOf(record) })));
      } finally {
        preparing = false;
      }
    },
    discard: () => {
      prepared = [];
    },
    taken: (record) => {
      const [next, ...rest] = prepared;
      demand(next?.sequence === record.sequence, `record ${record.sequence} was folded, and ${next?.sequence ?? 'nothing'} prepared`);
      prepared = rest;
      return next?.value ?? 0n;
    },
    requireNone: () => demand(!preparing && prepared.length === 0, 'a snapshot was restored while something was prepared'),
  };
}

export function sumOutput(record: ConsumedRecord, sum: bigint, index: number): OutputRecord {
  const { partition, sequence } = record;
  return { topic: 'sums', partition, key: readKey(record), value: Buffer.from(`${partition}/${sequence}:${sum}#${index}`), headers: noHeaders };
}
