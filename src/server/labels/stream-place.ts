/**
 * Where a stream of labels stands, in all partitions: what goes into the id of each of its events, and comes back from a client that goes on.
 *
 *     incarnation:position;sequence,position;sequence,...      one pair for each partition; the sequence is the least of what may come next
 */
import { serverError } from '../../core/errors/server.ts';
import { topics } from '../../core/topics.ts';
import { codeOf } from '../../pipeline/retry.ts';
import type { Bound, Transport } from '../../pipeline/transport.ts';

export type StreamPlace = { readonly incarnation: string; readonly partitions: readonly Bound[] };

export type StreamStart = { readonly lastEventId: string | undefined; readonly from: 'earliest' | 'latest' };

type Log = Pick<Transport, 'describeTopic' | 'bounds' | 'isKept'>;

export function eventIdOf({ incarnation, partitions }: StreamPlace): string {
  return `${encodeURIComponent(incarnation)}:${partitions.map(({ position, sequence }) => `${encodeURIComponent(position)};${sequence}`).join(',')}`;
}

/** Rejects with LS_SERVER_REQUEST where the id is none of ours, LS_SERVER_STREAM_GONE where the log cannot be read on from it without a gap. */
export async function openPlace(log: Log, { lastEventId, from }: StreamStart): Promise<StreamPlace> {
  const { incarnation, partitionCount } = await log.describeTopic(topics.labels);
  const asked = lastEventId === undefined ? undefined : parsed(lastEventId);
  if (asked !== undefined && asked.incarnation !== incarnation) throw gone('it is of another incarnation of the topic');
  if (asked !== undefined && asked.partitions.length > partitionCount) throw gone(`it has ${asked.partitions.length} partitions, and the topic has ${partitionCount}`);
  const partitions: Bound[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const { start, end } = await log.bounds({ topic: topics.labels, partition });
    const place = asked?.partitions[partition];
    if (place !== undefined) await requireKept(log, partition, place, end);
    // A partition that was added since is read from its beginning.
    partitions.push(place ?? (asked === undefined && from === 'latest' ? end : start));
  }
  return { incarnation, partitions };
}

export function gone(reason: string): Error {
  return serverError('LS_SERVER_STREAM_GONE', `the log cannot be read on from the last event: ${reason}`);
}

/** @param end of the log: behind it there is a place only where the log was restored from an older copy. */
async function requireKept(log: Log, partition: number, { position, sequence }: Bound, end: Bound): Promise<void> {
  if (sequence > end.sequence) throw gone(`partition ${partition} ends before ${sequence}`);
  const isKept = await log.isKept({ topic: topics.labels, partition }, position).catch((error: unknown) => {
    if (codeOf(error) === 'LS_TRANSPORT_POSITION_INVALID') throw unknownId();
    throw error;
  });
  if (!isKept) throw gone(`records of partition ${partition} have been removed since`);
}

const unknownId = (): Error => serverError('LS_SERVER_REQUEST', 'the header last-event-id is not the id of an event of this stream');

function parsed(id: string): StreamPlace {
  const colon = id.indexOf(':');
  try {
    const partitions = id.slice(colon + 1).split(',').map((part): Bound => {
      const [, position, sequence] = /^([^;]+);(\d{1,19})$/.exec(part) ?? [];
      if (position === undefined || sequence === undefined) throw unknownId();
      return { position: decodeURIComponent(position), sequence: BigInt(sequence) };
    });
    if (colon < 1) throw unknownId();
    return { incarnation: decodeURIComponent(id.slice(0, colon)), partitions };
  } catch (error) {
    throw error instanceof URIError ? unknownId() : error;
  }
}
