/** What the conformance suite asks of whoever brings a transport to it, and the helpers its tests share. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noHeaders, type ConsumedRecord, type OutputRecord, type TopicPartition } from '../../src/core/records.ts';
import type { AssignedPartition, ConsumerListener, Delivery, PartitionBounds, Subscription, Transport } from '../../src/pipeline/transport.ts';

export type TransportHarness = {
  readonly transport: Transport;
  /** A transport for one more member of a group; the same one where members are subscriptions of one process. */
  readonly member: () => Promise<Transport>;
  /**
   * Makes the process end abruptly just before, or just after, the n-th durable step from now: from there on nothing it does takes effect.
   * Absent where that cannot be staged.
   */
  readonly crash?: (step: number, when: 'before' | 'after') => void;
  /** A transport in a new process after `crash`: nothing that was not durable is left. */
  readonly restart?: () => Promise<Transport>;
  /** Removes the first `count` records of a partition, as retention does. Absent where that cannot be staged. */
  readonly removeFirst?: (topicPartition: TopicPartition, count: number) => Promise<void>;
  /** With which code `replaceTopic` is refused; absent where topics can be replaced. */
  readonly replacementRefused?: string;
  /** Resolves when what was committed is seen by whoever reads: some transports show a transaction a moment after it ended. Absent where it is seen at once. */
  readonly settled?: () => Promise<void>;
  /** The largest value it takes, for the refusal of a larger one; absent where the transport does not say. */
  readonly valueBytesMax?: number;
  readonly close: () => Promise<void>;
};

export const roomy = { records: 1_000, bytes: 64 * 1024 * 1024 };

export function output(topic: string, partition: number, value: string | Buffer, key: string | null = null): OutputRecord {
  return { topic, partition, key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers: noHeaders };
}

export function outputs(topic: string, partition: number, from: number, count: number): readonly OutputRecord[] {
  return Array.from({ length: count }, (_, index) => output(topic, partition, String(from + index)));
}

export const values = (records: readonly { readonly value: Buffer }[]): readonly string[] => records.map(({ value }) => value.toString());

export async function code(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
    throw error;
  }
  return 'resolved';
}

/** Every record of a partition up to the end seen now. */
export async function readAll(transport: Transport, topicPartition: TopicPartition): Promise<readonly ConsumedRecord[]> {
  const { start, end } = await transport.bounds(topicPartition);
  const records: ConsumedRecord[] = [];
  let { position, sequence } = { ...start, sequence: start.sequence - 1n };
  while (sequence + 1n < end.sequence) {
    const read = await transport.read(topicPartition, position, roomy, new AbortController().signal);
    records.push(...read.filter((record) => record.sequence < end.sequence));
    ({ nextPosition: position, sequence } = read.at(-1)!);
  }
  return records;
}

/** Turns of the loop until something holds; the test's own time-out ends a wait for what never comes. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await nextTurn();
}

/** A subscription without a mind of its own: it keeps what it was given until it is taken away. */
export async function hold(
  transport: Transport,
  options: { readonly group: string; readonly topics: readonly string[]; readonly delivery?: Delivery; readonly listener?: Partial<ConsumerListener> },
): Promise<{ readonly held: () => readonly AssignedPartition[]; readonly subscription: Subscription }> {
  let held: readonly AssignedPartition[] = [];
  const subscription = await transport.subscribe({
    group: options.group,
    topics: options.topics,
    delivery: options.delivery ?? 'at-least-once',
    listener: {
      assigned: async (partitions) => {
        held = partitions;
        await options.listener?.assigned?.(partitions);
      },
      revoked: async (partitions) => {
        await options.listener?.revoked?.(partitions);
        held = [];
      },
      failed: options.listener?.failed ?? ((error) => { throw error; }),
    },
  });
  await until(() => held.length > 0);
  return { held: () => held, subscription };
}

/** Seeks to the group's checkpoint, or to the start where there is none: what every consumer does first. */
export async function resume(partition: AssignedPartition): Promise<PartitionBounds> {
  const committed = await partition.committed();
  const bounds = await partition.bounds();
  partition.seek(committed?.position ?? bounds.start.position);
  return bounds;
}

export type Sighting = { readonly value: string; readonly partition: number; readonly sequence: bigint; readonly owner: string; readonly assignment: number };

/**
 * A member that copies every record it polls to partition `copy(partition)` of `to`, the checkpoint with it, and notes what it saw. On
 * `revoked` it finishes what it holds, as the runner does.
 */
export async function copying(
  transport: Transport,
  options: {
    readonly name: string;
    readonly group: string;
    readonly from: string;
    readonly to: string;
    readonly delivery: Delivery;
    readonly seen: Sighting[];
    readonly records?: number;
  },
): Promise<{ readonly subscription: Subscription; readonly owned: () => readonly number[]; readonly failures: readonly unknown[] }> {
  let assignment = 0;
  let stop = new AbortController();
  let loops: readonly Promise<void>[] = [];
  let owned: readonly number[] = [];
  const failures: unknown[] = [];

  const run = async (partition: AssignedPartition, signal: AbortSignal, epoch: number): Promise<void> => {
    await resume(partition);
    while (!signal.aborted) {
      const records = await partition.poll({ records: options.records ?? 7, bytes: roomy.bytes }, signal);
      const last = records.at(-1);
      if (last === undefined) return;
      for (const { value, sequence } of records) {
        options.seen.push({ value: value.toString(), partition: partition.partition, sequence, owner: options.name, assignment: epoch });
      }
      const copies = records.map((record) => ({ ...output(options.to, partition.partition, record.value), headers: record.headers }));
      await partition.deliver(copies, { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 });
    }
  };
  const subscription = await transport.subscribe({
    group: options.group,
    topics: [options.from],
    delivery: options.delivery,
    listener: {
      assigned: (partitions) => {
        assignment += 1;
        owned = partitions.map(({ partition }) => partition);
        stop = new AbortController();
        loops = partitions.map((partition) => run(partition, stop.signal, assignment).catch((error: unknown) => { failures.push(error); }));
        return Promise.resolve();
      },
      revoked: async () => {
        stop.abort();
        await Promise.all(loops);
        owned = [];
      },
      failed: (error) => { failures.push(error); },
    },
  });
  return { subscription, owned: () => owned, failures };
}
