/** Everything between two places of a partition, outside any group: what operators' commands read with. */
import type { ConsumedRecord, TopicPartition } from '../core/records.ts';
import type { Bound, Transport } from './transport.ts';

const budget = { records: 500, bytes: 4 * 1024 * 1024 };

/**
 * In order, batch by batch. Throws the signal's reason when it aborts.
 * @param until a place that the transport named: it is there, or the end, so nothing is waited for.
 */
export async function* readRange(
  transport: Pick<Transport, 'read'>,
  topicPartition: TopicPartition,
  { from, until }: { readonly from: Bound; readonly until: Bound },
  signal: AbortSignal,
): AsyncGenerator<readonly ConsumedRecord[]> {
  let { position, sequence: next } = from;
  while (next < until.sequence) {
    const records = await transport.read(topicPartition, position, budget, signal);
    signal.throwIfAborted();
    const within = records.filter(({ sequence }) => sequence < until.sequence);
    if (within.length > 0) yield within;
    const last = records.at(-1);
    if (last === undefined || within.length < records.length) return;
    ({ nextPosition: position } = last);
    next = last.sequence + 1n;
  }
}
