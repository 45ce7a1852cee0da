/**
 * Both drivers put everything that one send names for a partition into one record batch, and the broker limits that (max.message.bytes of the
 * topic, about 1 MB by default). So a list of records is cut into sends: in each, no partition has more than a batch's worth, and all partitions
 * are filled side by side, so that there are few sends.
 *
 *   partition 0   aaaa|bbbb|cc        send 1: aaaa dddd f
 *   partition 1   dddd|e              send 2: bbbb e
 *   partition 2   f                   send 3: cc
 */
import { recordBytes, type OutputRecord } from '../../core/records.ts';

export type SendBounds = {
  /** Of what one send has for one partition; a single record above it goes alone. Sizes as `recordBytes` counts, which is above those on the wire. */
  readonly batchBytesMax: number;
  /** Of one send: what is encoded at once, and waits in memory for its answer. */
  readonly sendBytesMax: number;
};

const kibibyte = 1024;
/** Half of the limit that Kafka has by default, so that a topic whose limit was lowered a little still works. */
export const defaultSendBounds: SendBounds = { batchBytesMax: 512 * kibibyte, sendBytesMax: 4096 * kibibyte };

type Send = { readonly records: OutputRecord[]; bytes: number };
/** Where a partition's next record may go at the earliest: what it has there already. */
type Place = { sendIndex: number; bytes: number; readonly bytesMax: number };

/**
 * Sends in the order in which they have to be made; in each, the records of a partition are in their order.
 * @param recordBytesMax by topic: a topic has to take a record of that size, and is not known to take a batch that is larger.
 */
export function recordSends(
  records: readonly OutputRecord[],
  recordBytesMax: (topic: string) => number,
  bounds: SendBounds = defaultSendBounds,
): readonly (readonly OutputRecord[])[] {
  const sends: Send[] = [];
  const topics = new Map<string, Map<number, Place>>();
  for (const record of records) {
    const place = placeOf(topics, record, (topic) => Math.min(bounds.batchBytesMax, recordBytesMax(topic)));
    const bytes = recordBytes(record);
    while (isFull(sends[place.sendIndex], place, bytes, bounds)) {
      place.sendIndex += 1;
      place.bytes = 0;
    }
    const send = sends[place.sendIndex] ?? { records: [], bytes: 0 };
    sends[place.sendIndex] = send;
    send.records.push(record);
    send.bytes += bytes;
    place.bytes += bytes;
  }
  return sends.map((send) => send.records);
}

function placeOf(topics: Map<string, Map<number, Place>>, { topic, partition }: OutputRecord, bytesMax: (topic: string) => number): Place {
  let partitions = topics.get(topic);
  if (partitions === undefined) topics.set(topic, (partitions = new Map<number, Place>()));
  let place = partitions.get(partition);
  if (place === undefined) partitions.set(partition, (place = { sendIndex: 0, bytes: 0, bytesMax: bytesMax(topic) }));
  return place;
}

function isFull(send: Send | undefined, place: Place, bytes: number, { sendBytesMax }: SendBounds): boolean {
  if (send === undefined) return false;
  return send.bytes + bytes > sendBytesMax || (place.bytes > 0 && place.bytes + bytes > place.bytesMax);
}
