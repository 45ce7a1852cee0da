/** How far a group is behind the end of a partition. */
import { LabelstreamError } from '../core/errors/error.ts';
import type { TopicPartition } from '../core/records.ts';
import type { TopicDescription, Transport } from './transport.ts';

export type PartitionLag = TopicPartition & {
  readonly group: string;
  /** The last sequence that is handled, one below `start` where none is; undefined where the group never committed a position. */
  readonly committed: bigint | undefined;
  /** The sequence of the first record kept. */
  readonly start: bigint;
  /** One above the last record's sequence. */
  readonly end: bigint;
  /** Sequences from the first one that is not handled to the end; where a transport leaves gaps, there are fewer records. */
  readonly records: bigint;
  /** Whether the record to go on with is there: retention may have outrun the group (SEMANTICS.md, rule 23). */
  readonly positionLost: boolean;
};

type Reader = Pick<Transport, 'bounds' | 'committed' | 'isKept'>;

export async function partitionLag(transport: Reader, group: string, { topic, partition }: TopicPartition): Promise<PartitionLag> {
  // The position first: the end then is never before it.
  const checkpoint = await transport.committed(group, { topic, partition });
  const { start, end } = await transport.bounds({ topic, partition });
  const next = checkpoint === undefined ? start.sequence : checkpoint.sequence + 1n;
  const isWithin = next >= start.sequence && next <= end.sequence;
  // Where gaps alone stood between what was handled and the first record kept, nothing is lost, which only the transport knows.
  const positionLost = !isWithin && checkpoint !== undefined && !(await transport.isKept({ topic, partition }, checkpoint.position));
  const records = end.sequence - (isWithin ? next : start.sequence);
  return { topic, partition, group, committed: checkpoint?.sequence, start: start.sequence, end: end.sequence, records, positionLost };
}

/** In the order of the partitions. */
export function topicLag(transport: Reader, group: string, { topic, partitionCount }: Pick<TopicDescription, 'topic' | 'partitionCount'>): Promise<readonly PartitionLag[]> {
  return Promise.all(Array.from({ length: partitionCount }, (_, partition) => partitionLag(transport, group, { topic, partition })));
}

/** A record that is not there yet is waited for; one below the end is there, unless retention takes it meanwhile. */
const patienceMs = 1_000;

/** When the oldest record that is not handled was appended, milliseconds since the epoch; undefined where there is none. */
export async function oldestUnprocessedMs(transport: Pick<Transport, 'committed' | 'read'>, lag: PartitionLag, signal: AbortSignal): Promise<number | undefined> {
  if (lag.records === 0n) return undefined;
  const { position } = lag.positionLost ? { position: undefined } : ((await transport.committed(lag.group, lag)) ?? { position: undefined });
  try {
    const [oldest] = await transport.read(lag, position, { records: 1, bytes: 1 }, AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    return oldest?.appendTimeMs;
  } catch (error) {
    if (error instanceof LabelstreamError && error.code === 'LS_TRANSPORT_POSITION_LOST') return undefined;
    throw error;
  }
}
