/** All items of a collection with their clusters, as a stream: a line of JSON or of CSV for each. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { clusterError } from '../../core/errors/cluster.ts';
import { serverError } from '../../core/errors/server.ts';
import type { ExportedItem } from '../../stages/cluster/cluster-queries.ts';
import { breakOff } from '../exchanges.ts';
import { paramsOf, schemaOf } from '../schemas.ts';
import { jsonLine } from '../json-line.ts';
import { unknown, type AskedClusters } from './asked-clusters.ts';
import { askOptionsOf, heldAtOf, standingOf, waiting } from './held-at.ts';

const query = z.strictObject({
  ...waiting,
  family: z.string().min(1).optional(),
  format: z.enum(['jsonl', 'csv']).default('jsonl').describe('A JSON object a line, or comma-separated values with a head (RFC 4180).'),
});

/** A few milliseconds' worth. */
const itemsAtATime = 500;
const stallMsMax = 60_000;
const drainingStallMsMax = 10_000;
const mediaTypes = { jsonl: 'application/x-ndjson', csv: 'text/csv; charset=utf-8' } as const;
const fields = ['itemId', 'inputId', 'role', 'clusterId', 'clusterName', 'collection', 'family', 'partition', 'sequence'] as const;

/** Of an item as it was at the sequence. */
type ExportedLine = ExportedItem & { readonly collection: string; readonly family: string; readonly partition: number; readonly sequence: string | null };

export function addExport(server: FastifyInstance, clusters: AskedClusters): void {
  const url = '/collections/:collection/items';
  const answer = { description: 'An item a line, as it was at its sequence. The header `x-held-at` has that of each partition at the beginning.', content: { 'application/x-ndjson': { schema: { type: 'string' } }, 'text/csv': { schema: { type: 'string' } } } };
  const schema = { tags: ['clusters'], summary: 'Every item of a collection and its cluster now', params: paramsOf(url), querystring: schemaOf(query), response: { 200: answer } };
  server.get<{ Params: { collection: string }; Querystring: z.output<typeof query> }>(url, { config: { scope: 'read', isEndless: true }, exposeHeadRoute: false, schema }, async (request, reply) => {
    const { params: { collection }, query: asked, ending } = request;
    const { family, format } = asked;
    const opened = await openExports(clusters, { collection, family }, askOptionsOf(asked, ending));
    if (opened.every(({ isKnown }) => !isKnown)) throw unknown('collection', collection);
    const held = heldAtOf(opened.map(({ heldAt }) => heldAt));
    reply.type(mediaTypes[format]).header('x-held-at', held.map(({ partition, sequence }) => `${partition}:${sequence ?? ''}`).join(' '));
    const lines = Readable.from(taken(texts(opened, format), request, reply));
    lines.once('error', (error) => {
      if (!ending.aborted) request.tellFailure(error);
    });
    return reply.send(lines);
  });
}

/**
 * A client that takes nothing more is not waited for, least of all by a stop. It is heard of when what lies in the buffers of both sides becomes less,
 * which a slow one makes in large steps.
 */
async function* taken(texts: AsyncGenerator<string>, request: FastifyRequest, reply: FastifyReply): AsyncGenerator<string> {
  const { draining } = request.server;
  const limitMs = (): number => (draining.aborted ? drainingStallMsMax : stallMsMax);
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    const what = `the client took nothing of the export for ${limitMs()} ms`;
    breakOff({ request, reply }, serverError(draining.aborted ? 'LS_SERVER_DRAINING' : 'LS_SERVER_TIME', what));
  };
  const hurry = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(giveUp, limitMs());
  };
  draining.addEventListener('abort', hurry);
  try {
    for await (const text of texts) {
      timer = setTimeout(giveUp, limitMs());
      yield text;
      clearTimeout(timer);
      timer = undefined;
    }
  } finally {
    clearTimeout(timer);
    draining.removeEventListener('abort', hurry);
  }
}

type OpenedExport = Awaited<ReturnType<typeof openExports>>[number];

async function openExports(clusters: AskedClusters, filter: { readonly collection: string; readonly family: string | undefined }, options: Parameters<ReturnType<AskedClusters>['partitions']>[0]) {
  const partitions = await clusters().partitions(options);
  return Promise.all(
    partitions.map(async (partition) => {
      const { value, heldAt } = await partition.ask((view) => ({ view, isKnown: view.familyOf(filter.collection) !== undefined, exports: view.exports(filter) }));
      return { partition, heldAt, ...value };
    }),
  );
}

/** What goes wrong ends the connection, so that nobody takes a part for the whole. */
async function* texts(opened: readonly OpenedExport[], format: keyof typeof mediaTypes): AsyncGenerator<string> {
  if (format === 'csv') yield `${fields.join(',')}\r\n`;
  for (const { partition, view, exports } of opened) {
    for (const { family, collection, take } of exports) {
      for (;;) {
        const { value, heldAt } = await partition.ask((current) => {
          // The partition went to another owner, or came here: what was opened is not folded any more.
          if (current !== view) throw clusterError('LS_CLUSTER_EXPORT_OVERTAKEN', `the state of ${collection} was replaced while it was exported`, { collection });
          return take(itemsAtATime);
        });
        if (value.length === 0) break;
        yield value.map((item) => lineOf({ ...item, collection, family, ...standingOf(heldAt) }, format)).join('');
        // A client that takes it as fast as it comes would leave no turn to others.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

function lineOf(line: ExportedLine, format: keyof typeof mediaTypes): string {
  if (format === 'jsonl') return `${jsonLine(line)}\n`;
  return `${fields.map((field) => quoted(line[field] ?? '')).join(',')}\r\n`;
}

function quoted(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
