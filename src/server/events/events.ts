/**
 * `POST /events/...`: events by HTTP, into the input topics. Answered once they are durable, and not sooner; all of a request is encoded before
 * anything of it is appended, in one call.
 */
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { z } from 'zod';
import type { Codec } from '../../codec/codec.ts';
import type { Clock } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { serverError } from '../../core/errors/server.ts';
import { inputRecordOf, type EncodedEvent } from '../../core/input-record.ts';
import { recordBytes, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import type { Transport } from '../../pipeline/transport.ts';
import type { Api } from '../http-port.ts';
import { schemaOf } from '../schemas.ts';
import { validationMessage } from '../validation.ts';
import { bodyOf, mediaEvent, recordEvent, textEvent, type SentMedia, type SentRecord, type SentText } from './event-schemas.ts';
import { mediaEventOf, recordEventOf, textEventOf, type SentEvents } from './event-values.ts';

/** What events go to. */
export type EventsDestination = {
  readonly codec: Pick<Codec, 'prepareEncode' | 'encode'>;
  readonly transport: Pick<Transport, 'append'>;
  readonly partitionCountOf: (topic: string) => number;
};

export type EventsOptions = {
  /** Throws LS_SERVER_NOT_READY while the log is being opened. */
  readonly destination: () => EventsDestination;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** As `recordBytes` counts them. */
  readonly recordBytesMax: number;
  readonly contentBytesMax: number;
};

/** Of several events: what the embedded log makes durable at once, so that of a request all is there or nothing. */
const appendBytesMax = 4 * 1024 * 1024;

const accepted = schemaOf(z.strictObject({ topic: z.string(), itemIds: z.array(z.string()).describe('As source/id, in the order of the request.') }).describe('The events are durable, and will be processed.'));

type Kind<Sent> = {
  readonly name: string;
  readonly topic: string;
  readonly event: z.ZodType<Sent>;
  readonly encode: (codec: Pick<Codec, 'encode'>, sent: Sent, where: SentEvents) => EncodedEvent;
};

export function events(options: EventsOptions): Api {
  return {
    name: 'events',
    description: 'Events into the input topics. An event with the id and source of an earlier one replaces it.',
    add: (server) => {
      addKind<SentMedia>(server, options, {
        name: 'media',
        topic: topics.media,
        event: mediaEvent,
        encode: (codec, sent, where) => {
          const event = mediaEventOf(sent, where, options.contentBytesMax);
          return { topic: topics.media, event, value: codec.encode('MediaEvent', event) };
        },
      });
      addKind<SentText>(server, options, {
        name: 'text',
        topic: topics.text,
        event: textEvent,
        encode: (codec, sent, where) => {
          const event = textEventOf(sent, where);
          return { topic: topics.text, event, value: codec.encode('TextEvent', event) };
        },
      });
      addKind<SentRecord>(server, options, {
        name: 'records',
        topic: topics.record,
        event: recordEvent,
        encode: (codec, sent, where) => {
          const event = recordEventOf(sent, where);
          return { topic: topics.record, event, value: codec.encode('RecordEvent', event) };
        },
      });
    },
  };
}

function addKind<Sent extends object>(server: FastifyInstance, options: EventsOptions, kind: Kind<Sent>): void {
  const { name, topic, event } = kind;
  const schema = { tags: ['events'], summary: `Publish ${name === 'text' ? 'texts' : name}`, body: bodyOf(event), response: { 202: accepted } };
  type Body = Sent | { readonly events: readonly Sent[] };
  server.post(`/events/${name}`, { config: { scope: 'ingest' }, schema, schemaErrorFormatter: eventMistake }, async (request, reply) => {
    const { ending } = request;
    const body = request.body as Body;
    const { codec, transport, partitionCountOf } = options.destination();
    await codec.prepareEncode({ signal: ending });
    const isList = 'events' in body;
    const sent = isList ? body.events : [body];
    const nowMs = options.clock.nowMs();
    const records = sent.map((each, index) => {
      const place = isList ? `events[${index}].` : '';
      return recordOf(encoded(() => kind.encode(codec, each, { place, nowMs }), place), { ...options, partitionCountOf }, place);
    });
    requireOneAppend(records);
    ending.throwIfAborted();
    await transport.append(records);
    return reply.code(202).send({ topic, itemIds: records.map(({ key }) => key?.toString() ?? '') });
  });
}

/** Too much for the codec, or a text with half of a surrogate pair: that is the sender's. */
const sendersFaults: ReadonlySet<string> = new Set(['LS_CODEC_LIMIT', 'LS_CODEC_INVALID_EVENT']);

function encoded(encode: () => EncodedEvent, place: string): EncodedEvent {
  try {
    return encode();
  } catch (error) {
    if (!(error instanceof LabelstreamError) || !sendersFaults.has(error.code)) throw error;
    throw serverError('LS_SERVER_REQUEST', `${place === '' ? 'the event' : place.slice(0, -1)}: ${error.message}`, {}, { cause: error });
  }
}

/** Throws LS_SERVER_REQUEST, LS_SERVER_EVENT_TOO_LARGE. */
function recordOf(event: EncodedEvent, { partitionCountOf, recordBytesMax }: Pick<EventsOptions, 'recordBytesMax'> & Pick<EventsDestination, 'partitionCountOf'>, place: string): OutputRecord {
  const made = inputRecordOf(event, partitionCountOf, recordBytesMax);
  if (made.kind === 'record') return made.record;
  const code = made.kind === 'too-large' ? 'LS_SERVER_EVENT_TOO_LARGE' : 'LS_SERVER_REQUEST';
  throw serverError(code, `${place === '' ? '' : `${place.slice(0, -1)}: `}${made.message}`);
}

function requireOneAppend(records: readonly OutputRecord[]): void {
  const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
  if (records.length > 1 && bytes > appendBytesMax) {
    throw serverError('LS_SERVER_EVENT_TOO_LARGE', `the ${records.length} events have ${bytes} bytes together; several have at most ${appendBytesMax}, one alone as many as transport.recordBytesMax`);
  }
}

/** A body is one of two: of a list it is told what is wrong in it, not that it is no event. Of a field that may be of two kinds both are told. */
function eventMistake(errors: FastifySchemaValidationError[], part: string): Error {
  const [found] = [...errors.filter(({ instancePath }) => instancePath.startsWith('/events')), ...errors];
  const place = found?.instancePath ?? '';
  const ofPlace = place === '' ? [] : errors.filter(({ instancePath }) => instancePath === place || instancePath.startsWith(`${place}/`));
  return new Error(validationMessage(ofPlace.length > 0 || found === undefined ? ofPlace : [found], part));
}
