/** An event as the record that carries it into its input topic, whoever publishes it. */
import { identifierMistake, itemIdOf } from './ids.ts';
import { partitionForKey } from './partitioning.ts';
import { noHeaders, recordBytes, type OutputRecord } from './records.ts';

export type EncodedEvent = { readonly topic: string; readonly event: { readonly source: string; readonly id: string }; readonly value: Buffer };

export type InputRecord =
  | { readonly kind: 'record'; readonly record: OutputRecord }
  /** EXTRACT would refuse it, or the transport. */
  | { readonly kind: 'identifier' | 'too-large'; readonly message: string };

/** @param recordBytesMax as `recordBytes` counts them. */
export function inputRecordOf({ topic, event, value }: EncodedEvent, partitionCountOf: (topic: string) => number, recordBytesMax: number): InputRecord {
  const mistake = identifierMistake(event);
  if (mistake !== undefined) return { kind: 'identifier', message: mistake.message };
  const key = itemIdOf(event);
  const record = { topic, partition: partitionForKey(key, partitionCountOf(topic)), key: Buffer.from(key), value, headers: noHeaders };
  const bytes = recordBytes(record);
  if (bytes > recordBytesMax) return { kind: 'too-large', message: `the event has ${bytes} bytes; at most ${recordBytesMax} are allowed` };
  return { kind: 'record', record };
}
