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
  /** Ticks every so many records. */
  readonly tickAtMs?: (sum: bigint) => number | undefined;
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
  const foldOne = (record: ConsumedRecord): OutputRecord[] => {
    if (options.fails?.(record) === true) throw new RangeError('this fold fails');
    options.folded?.(record);
    sum += textOf(record).startsWith('tick') ? 0n : BigInt(textOf(record));
    count += 1n;
    return Array.from({ length: options.outputs(record) }, (_, index) => sumOutput(record, sum, index));
  };
  return {
    fold: async (records, stopping) => {
      if (busy) throw new RangeError('folded while a snapshot was being taken, or twice at a time');
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
    snapshot: function* () {
      busy = true;
      yield Buffer.from(String(sum));
      yield Buffer.from(String(count));
      busy = false;
    },
    restore: async (chunks) => {
      const parts: string[] = [];
      for await (const chunk of chunks) parts.push(chunk.toString());
      sum = BigInt(parts[0] ?? 0);
      count = BigInt(parts[1] ?? 0);
    },
    due: () => {
      const atMs = options.tickAtMs?.(count);
      return atMs === undefined ? undefined : { atMs, record: textRecord({ topic, partition }, `tick ${count}`) };
    },
  };
}

export function sumOutput(record: ConsumedRecord, sum: bigint, index: number): OutputRecord {
  const { partition, sequence } = record;
  return { topic: 'sums', partition, key: readKey(record), value: Buffer.from(`${partition}/${sequence}:${sum}#${index}`), headers: noHeaders };
}
