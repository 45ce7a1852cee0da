/** What could not be processed, why, what became of it, and another try. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { serverError } from '../../core/errors/server.ts';
import { schemaOf } from '../schemas.ts';
import { waitForJson, waitForSchema, type WaitFor } from './waiting.ts';

export type LetterRequest = {
  readonly ids: readonly string[];
  readonly states: readonly LetterState[];
  readonly code: readonly string[];
  readonly task: readonly string[];
  readonly stage: 'extract' | 'cluster' | undefined;
  readonly item: readonly string[];
  /** Each as topic, topic:partition or topic:partition:sequence. */
  readonly origin: readonly string[];
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
};

type LetterState = 'open' | 'redriven' | 'failed' | 'resolved';

export type Redriven =
  | { readonly kind: 'missing'; readonly ids: readonly string[] }
  | { readonly kind: 'done'; readonly redriven: number; readonly skipped: readonly { readonly id: string; readonly reason: string }[]; readonly skippedCount: number; readonly waitFor: readonly WaitFor[] };

export type DeadLettersHost = {
  /** In an order that stays. Throws LS_SERVER_REQUEST. @param after the place of the last one of the page before, as `next` gave it. */
  readonly page: (request: LetterRequest, page: { readonly after: string | undefined; readonly limit: number }, signal: AbortSignal) => Promise<{ readonly letters: readonly object[]; readonly next: string | undefined }>;
  /** Throws LS_SERVER_REQUEST. @param dryRun nothing is appended. */
  readonly redrive: (request: LetterRequest, dryRun: boolean, signal: AbortSignal) => Promise<Redriven>;
};

const tags = ['dead letters'];
const states = ['open', 'redriven', 'failed', 'resolved'] as const;
const names = z.array(z.string().min(1)).max(1_000).optional();
const time = z.iso.datetime({ offset: true }).optional();
const filters = {
  code: names,
  task: names,
  stage: z.enum(['extract', 'cluster']).optional(),
  item: names.describe('Each as source/id.'),
  origin: names.describe('Where the inputs came in: topic, topic:partition or topic:partition:sequence.'),
  since: time.describe('Appended at this time or later.'),
  until: time.describe('Appended before this time.'),
};
type Filters = { readonly [Name in 'code' | 'task' | 'item' | 'origin']?: readonly string[] } & { readonly stage?: 'extract' | 'cluster'; readonly since?: string; readonly until?: string };

const place = z.strictObject({ topic: z.string(), incarnation: z.string(), partition: z.int(), sequence: z.string() });
const letter = z.strictObject({
  id: z.string(),
  state: z.enum(states).describe('open: never redriven; redriven: not processed again yet; failed: it failed again, and a newer one is open in its place; resolved: processed again with no dead letter up to now.'),
  code: z.string(),
  message: z.string(),
  stage: z.string(),
  task: z.string().nullable(),
  attempts: z.int(),
  routeSteps: z.array(z.string()).nullable(),
  results: z.unknown().describe('The top labels that the steps read.'),
  item: z.string().nullable(),
  origin: z.strictObject({ ...place.shape, appendTime: z.string() }).nullable(),
  read: place.nullable(),
  partition: z.int().describe('Of dead-letters.'),
  sequence: z.string(),
  appendTime: z.string(),
  redriven: z.strictObject({ times: z.int(), partition: z.int(), sequence: z.string(), appendTime: z.string() }).nullable(),
});

export function addDeadLetters(server: FastifyInstance, host: DeadLettersHost): void {
  addList(server, host);
  addRedrive(server, host);
}

const afterPattern = /^\d{1,10}:\d{1,18}$/;
const listQuery = schemaOf(
  z.strictObject({
    ...filters,
    state: z.array(z.enum(states)).optional(),
    limit: z.int().min(1).max(1_000).default(100),
    after: z.string().regex(afterPattern).optional().describe('`next` of the page before.'),
  }),
);
const listed = schemaOf(z.strictObject({ deadLetters: z.array(letter), next: z.string().nullable().describe('Where the next page goes on; null where there is none.') }));

function addList(server: FastifyInstance, host: DeadLettersHost): void {
  const schema = { tags, summary: 'List dead letters, by partition and sequence', querystring: listQuery, response: { 200: listed } };
  type Query = Filters & { readonly state?: readonly LetterState[]; readonly limit: number; readonly after?: string };
  server.get<{ Querystring: Query }>('/dead-letters', { config: { scope: 'read' }, schema }, async ({ query: { state = states, limit, after, ...chosen }, ending }) => {
    const { letters, next } = await host.page({ ...requestOf(chosen), ids: [], states: state }, { after, limit }, ending);
    return { deadLetters: letters.map(withTextualSequences), next: next ?? null };
  });
}

const redriveBody = schemaOf(
  z.strictObject({
    ids: names.describe('Of dead letters, each as its id or partition:sequence; all have to be there.'),
    ...filters,
    all: z.boolean().optional().describe('All that are open, where nothing narrows them.'),
    again: z.boolean().optional().describe('Also those that were redriven before.'),
    dryRun: z.boolean().optional().describe('Only tell what would be done.'),
  }),
);
const redriven = z.strictObject({
  redriven: z.int(),
  skipped: z.int().describe('Selected, and cannot be redriven.'),
  reasons: z.array(z.strictObject({ id: z.string(), reason: z.string() })).describe('Of the first hundred that were skipped.'),
  dryRun: z.boolean(),
  waitFor: waitForSchema,
});

function addRedrive(server: FastifyInstance, host: DeadLettersHost): void {
  const answers = { 200: schemaOf(redriven.describe('What would be redriven.')), 202: schemaOf(redriven.describe('Their inputs are in the log once more.')) };
  const schema = { tags, summary: 'Process dead letters again, the failed steps only', body: redriveBody, response: answers };
  type Body = Filters & { readonly ids?: readonly string[]; readonly all?: boolean; readonly again?: boolean; readonly dryRun?: boolean };
  server.post<{ Body: Body }>('/dead-letters/redrive', { config: { scope: 'admin', refusals: [404, 409] }, schema }, async ({ body: { ids = [], all = false, again = false, dryRun = false, ...chosen }, ending }, reply) => {
    if (!all && ids.length === 0 && Object.values(chosen).every((value) => typeof value !== 'string' && value.length === 0)) {
      throw serverError('LS_SERVER_REQUEST', 'the request asks for no dead letters: name some in `ids`, narrow them by a field such as `code`, or say `all`');
    }
    const outcome = await host.redrive({ ...requestOf(chosen), ids, states: again ? states : ['open'] }, dryRun, ending);
    if (outcome.kind === 'missing') throw serverError('LS_SERVER_NOT_FOUND', `there is no dead letter ${outcome.ids.join(', ')}; nothing was redriven`, { ids: outcome.ids.join(', ') });
    const { redriven: count, skippedCount, skipped, waitFor } = outcome;
    return reply.code(dryRun ? 200 : 202).send({ redriven: count, skipped: skippedCount, reasons: skipped, dryRun, waitFor: waitForJson(waitFor) });
  });
}

function requestOf({ code = [], task = [], item = [], origin = [], stage, since, until }: Filters): Omit<LetterRequest, 'ids' | 'states'> {
  const [sinceMs, untilMs] = [timeOf(since, 'since'), timeOf(until, 'until')];
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) throw serverError('LS_SERVER_REQUEST', 'since is not before until');
  return { code, task, item, origin, stage, sinceMs, untilMs };
}

function timeOf(text: string | undefined, field: string): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw serverError('LS_SERVER_REQUEST', `${field} is no time`, { field });
  return timeMs;
}

/** They are larger than numbers of JSON are in many languages. */
function withTextualSequences(value: object): unknown {
  return JSON.parse(JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)));
}
