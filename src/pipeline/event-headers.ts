/**
 * The headers of the events that the stages make: the trace of what caused them, and, where it is asked for, what makes them CloudEvents in the
 * binary mode of the Kafka protocol binding. All are functions of the record and the event, so that a replay gives the same bytes; that is why there
 * is no `ce_time`: the record's own timestamp tells when (SEMANTICS.md, rule 4).
 */
import { noHeaders, recordBytes, type Headers } from '../core/records.ts';
import { largestTraceHeaders, traceHeadersOf } from './trace-context.ts';

/** Makes the headers of an event. `cause`: the headers of the record that it comes of, or none. */
export type EventHeaders = (schema: EventSchema, id: string, cause: Headers) => Headers;
type EventSchema = 'LabelEvent' | 'FeatureEvent' | 'ClusterEvent';

const specVersion = Buffer.from('1.0');
const contentType = Buffer.from('application/avro');
const types: Readonly<Record<EventSchema, Buffer>> = {
  LabelEvent: Buffer.from('labelstream.v1.LabelEvent'),
  FeatureEvent: Buffer.from('labelstream.v1.FeatureEvent'),
  ClusterEvent: Buffer.from('labelstream.v1.ClusterEvent'),
};

/** @param cloudEventSource the `ce_source` of every event; undefined: they are no CloudEvents. */
export function createEventHeaders(cloudEventSource: string | undefined): EventHeaders {
  const source = cloudEventSource === undefined ? undefined : Buffer.from(cloudEventSource);
  return (schema, id, cause) => {
    const trace = cause.size === 0 ? noHeaders : traceHeadersOf(cause);
    return source === undefined ? trace : new Map([...cloudEvent(source, schema, id), ...trace]);
  };
}

function cloudEvent(source: Buffer, schema: EventSchema, id: string): readonly (readonly [string, Buffer])[] {
  return [
    ['ce_specversion', specVersion],
    ['ce_id', Buffer.from(id)],
    ['ce_source', source],
    ['ce_type', types[schema]],
    ['content-type', contentType],
  ];
}

/** What events of ours come from; the name of a group has at most 100 characters. */
export function cloudEventSourceOf(group: string): string {
  return `/labelstream/${group}`;
}

const largestId = 'f'.repeat(64);
const largestHeaders = new Map([...cloudEvent(Buffer.from(cloudEventSourceOf('g'.repeat(100))), 'FeatureEvent', largestId), ...largestTraceHeaders]);
const empty = { key: null, value: Buffer.alloc(0) };

/** What an event's record is larger than the event, at most, as `recordBytes` counts it. */
export const eventHeaderBytesMax = recordBytes({ ...empty, headers: largestHeaders }) - recordBytes({ ...empty, headers: noHeaders });
