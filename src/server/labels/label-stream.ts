/**
 * Labels as they are told, as server-sent events. The id of each event is the place of the stream behind it, in all partitions: whoever goes on from there
 * gets everything that came after, in the order of each partition. Events are made as the client takes them.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Codec } from '../../codec/codec.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import type { LabelEvent } from '../../core/events.generated.ts';
import { serverError } from '../../core/errors/server.ts';
import type { ConsumedRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { codeOf } from '../../pipeline/retry.ts';
import type { Transport } from '../../pipeline/transport.ts';
import { eventJson } from '../../views/event-json.ts';
import { failedAnswer } from '../answers.ts';
import { breakOff } from '../exchanges.ts';
import type { Api } from '../http-port.ts';
import { jsonLine } from '../json-line.ts';
import { schemaOf } from '../schemas.ts';
import { mergeRecords } from './merged-records.ts';
import { eventIdOf, gone, openPlace, type StreamPlace } from './stream-place.ts';

type Log = Pick<Transport, 'describeTopic' | 'bounds' | 'isKept' | 'read'>;

export type LabelStreamOptions = {
  /** Throws LS_SERVER_NOT_READY while it is being opened. */
  readonly log: () => { readonly transport: Log; readonly codec: Pick<Codec, 'prepareDecode' | 'decodeAs'> };
  /** At the same time. */
  readonly streamsMax: number;
  /** A stream that has been going on for so long ends, and its client goes on with another: at another instance, maybe, or with another key. */
  readonly streamMsMax: number;
  /** Told how many there are. */
  readonly streams: (count: number) => void;
  readonly heartbeatMs?: number;
  /** For a client to take the end of a stream. */
  readonly endMsMax?: number;
};

const query = z.strictObject({
  from: z.enum(['earliest', 'latest']).default('latest').describe('Where to begin without `last-event-id`: with the first label that is kept, or with the next one.'),
  input: z.string().min(1).optional().describe('Only labels of this inputId.'),
  task: z.string().min(1).optional().describe('Only labels of this task.'),
  collection: z.string().min(1).optional().describe('Only assignments in this collection.'),
});

type Query = z.output<typeof query>;

const streamed = z
  .strictObject({
    event: z.enum(['begun', 'message', 'end', 'failure']).optional().describe('Left out: a label.'),
    id: z.string().describe('Where the stream stands behind this event: for `last-event-id`.'),
    data: z.string().describe('JSON: the LabelEvent; of `begun` the place, of `end` the reason, of `failure` the code.'),
    retry: z.int().optional().describe('Milliseconds after which a client that was cut off comes again.'),
  })
  .describe('One event of the stream.');

const headers = { type: 'object', properties: { 'last-event-id': { type: 'string', description: 'The id of the last event that was received: the stream goes on behind it.' } } };
const description = `One event for each label: its data is the LabelEvent as JSON, with 64-bit numbers as text. Beside them there are the events \`begun\` (where the stream stands),
\`end\` (its client goes on with another: its data says why) and \`failure\` (its data has a code).`;

/** Every one waits in memory, for each partition, for a client that is slow. */
const budget = { records: 32, bytes: 64 * 1024 };
const retryMs = 1_000;
const url = '/labels/stream';

export function labelStream(options: LabelStreamOptions): Api {
  return {
    name: 'label stream',
    description: 'Labels as they are told.',
    add: (server) => {
      const open = new Set<FastifyReply>();
      const response = { 200: { description: 'Events, for as long as the client likes.', content: { 'text/event-stream': { schema: schemaOf(streamed) } } } };
      const schema = { tags: ['label stream'], summary: 'Labels as they are told, as server-sent events', description, querystring: schemaOf(query), headers, response };
      server.get<{ Querystring: Query }>(url, { config: { scope: 'read', isEndless: true, refusals: [410] }, exposeHeadRoute: false, schema }, async (request, reply) => {
        if (open.size >= options.streamsMax) throw serverError('LS_SERVER_STREAMS_FULL', `there are ${open.size} streams`);
        open.add(reply);
        options.streams(open.size);
        reply.raw.once('close', () => {
          open.delete(reply);
          options.streams(open.size);
        });
        return answer(server, request, reply, options);
      });
    },
  };
}

async function answer(server: FastifyInstance, request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply, options: LabelStreamOptions): Promise<FastifyReply> {
  const { transport, codec } = options.log();
  const { 'last-event-id': lastEventId } = request.headers;
  const place = await openPlace(transport, { lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined, from: request.query.from });
  const ending = endOf(server.draining, request, reply, options);
  const events = labelEvents({ transport, codec, place, wanted: request.query, heartbeatMs: options.heartbeatMs ?? 15_000 }, ending);
  // Proxies are not to gather what is told now.
  return reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }).send(Readable.from(events, { objectMode: false, highWaterMark: 16 * 1024 }));
}

type Ending = { readonly signal: AbortSignal; /** What the client is told. */ readonly reason: () => 'draining' | 'time' | undefined };

/** A client that does not take the end of its stream is not waited for. */
function endOf(draining: AbortSignal, request: FastifyRequest, reply: FastifyReply, { streamMsMax, endMsMax = 2_000 }: LabelStreamOptions): Ending {
  const timeOver = new AbortController();
  const timer = setTimeout(() => timeOver.abort(), streamMsMax);
  const signal = AbortSignal.any([draining, timeOver.signal, request.ending]);
  let late: NodeJS.Timeout | undefined;
  const end = (): void => {
    late = setTimeout(() => breakOff({ request, reply }, serverError(draining.aborted ? 'LS_SERVER_DRAINING' : 'LS_SERVER_TIME', 'the client did not take the end of its stream')), endMsMax);
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const closed = (): void => {
    signal.removeEventListener('abort', end);
    clearTimeout(timer);
    clearTimeout(late);
  };
  if (reply.raw.closed) closed();
  else reply.raw.once('close', closed);
  return { signal, reason: () => (draining.aborted ? 'draining' : timeOver.signal.aborted ? 'time' : undefined) };
}

type StreamedLabels = {
  readonly transport: Pick<Transport, 'read'>;
  readonly codec: Pick<Codec, 'prepareDecode' | 'decodeAs'>;
  readonly place: StreamPlace;
  readonly wanted: Query;
  readonly heartbeatMs: number;
};

async function* labelEvents(labels: StreamedLabels, { signal, reason }: Ending): AsyncGenerator<string> {
  const { incarnation } = labels.place;
  const partitions = [...labels.place.partitions];
  const isOver = (): boolean => signal.aborted;
  const id = (): string => eventIdOf({ incarnation, partitions });
  const records = mergeRecords(labels.transport, partitions.map(({ position }, partition) => ({ topic: topics.labels, partition, position })), budget, signal);
  yield `retry: ${retryMs}\n${framed(id(), { incarnation, partitions: eventJson(partitions) }, 'begun')}`;
  try {
    let heardMs = performance.now();
    const silentMs = (): number => performance.now() - heardMs;
    while (!isOver()) {
      const batch = await records.next(Math.max(0, labels.heartbeatMs - silentMs()));
      for (const record of batch ?? []) {
        if (record.incarnation !== incarnation) throw gone('the topic was made anew');
        const event = await wantedLabel(labels, record, signal);
        partitions[record.partition] = { position: record.nextPosition, sequence: record.sequence + 1n };
        if (event === undefined) continue;
        yield framed(id(), eventJson(event));
        heardMs = performance.now();
      }
      // With the id, since what is passed over is behind the client, too.
      if (silentMs() >= labels.heartbeatMs && !isOver()) {
        yield `: heartbeat\nid: ${id()}\n\n`;
        heardMs = performance.now();
      }
      // Other streams, and everything else, have their turn between two batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    if (!isOver()) {
      yield framed(id(), failureOf(error), 'failure');
      return;
    }
  }
  const why = reason();
  if (why !== undefined) yield framed(id(), { reason: why }, 'end');
}

function framed(id: string, data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}id: ${id}\ndata: ${jsonLine(data)}\n\n`;
}

function failureOf(error: unknown): object {
  const { code, detail, remedy } = failedAnswer(codeOf(error) === 'LS_TRANSPORT_POSITION_LOST' ? gone('records have been removed since') : error);
  return { code, detail, remedy };
}

/** Undefined for what was not asked for, and for what is no label. */
async function wantedLabel({ codec, wanted: { input, task, collection } }: StreamedLabels, { key, value }: ConsumedRecord, signal: AbortSignal): Promise<LabelEvent | undefined> {
  // The key of a label is its inputId.
  if (input !== undefined && key !== null && key.toString() !== input) return undefined;
  await codec.prepareDecode(value, { signal });
  const event = decoded(codec, value);
  if (event === undefined || (input !== undefined && event.inputId !== input) || (task !== undefined && event.task !== task)) return undefined;
  if (collection === undefined) return event;
  return 'labelstream.v1.Assignment' in event.result && event.result['labelstream.v1.Assignment'].collection === collection ? event : undefined;
}

function decoded(codec: Pick<Codec, 'decodeAs'>, value: Buffer): LabelEvent | undefined {
  try {
    return codec.decodeAs('LabelEvent', value);
  } catch (error) {
    if (error instanceof LabelstreamError && !error.retryable) return undefined;
    throw error;
  }
}
