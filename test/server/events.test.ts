// Events by HTTP: what is taken, what is refused and how, and that nothing is answered before it is durable.
import { expect, onTestFinished, test } from 'vitest';
import { openCodec } from '../../src/codec/codec.ts';
import { kafkaError } from '../../src/core/errors/kafka.ts';
import type { OutputRecord } from '../../src/core/records.ts';
import { events, type EventsDestination } from '../../src/server/events/events.ts';
import { keyNamed, limits, startServer } from './http-fixture.ts';
import { createHash } from 'node:crypto';

const codec = await openCodec();
const nowMs = 1_700_000_000_000;

type Log = EventsDestination & { readonly appended: OutputRecord[][] };

function logOf(append?: (records: readonly OutputRecord[]) => Promise<void>): Log {
  const appended: OutputRecord[][] = [];
  const taken = async (records: readonly OutputRecord[]): Promise<void> => {
    await append?.(records);
    appended.push([...records]);
  };
  return { codec, transport: { append: taken }, partitionCountOf: () => 4, appended };
}

async function serve(log: Log, options: Parameters<typeof startServer>[1] = {}, sizes = { recordBytesMax: 32 * 1024, contentBytesMax: 8 * 1024 }) {
  const { url, failed } = await startServer([events({ destination: () => log, clock: { nowMs: () => nowMs }, ...sizes })], options);
  const post = async (kind: string, body: unknown, headers: Record<string, string> = {}): Promise<readonly [number, Record<string, unknown>]> => {
    const response = await fetch(`${url}/events/${kind}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
    return [response.status, (await response.json()) as Record<string, unknown>];
  };
  return { url, post, failed };
}

const eventsIn = (log: Log) => log.appended.flat().map(({ value }) => codec.decode(value).event);

test('an event, or a list of them, becomes records keyed by item, with the fields of the schema', async () => {
  const log = logOf();
  const { post } = await serve(log);
  expect(await post('text', { id: '17', source: 'news', text: 'oil prices rise', language: 'en', attributes: { desk: 'a' }, collection: 'c', tasks: ['text-features'], occurredAt: '2026-05-17T08:30:00+02:00' })).toEqual([
    202,
    { topic: 'text.events', itemIds: ['news/17'] },
  ]);
  expect(await post('text', { events: [{ id: '18', source: 'news', deleted: true }, { id: '19', source: 'news', text: 'two', occurredAt: 5 }] })).toMatchObject([202, { itemIds: ['news/18', 'news/19'] }]);
  expect(await post('records', { id: 'r', source: 'bank', values: { a: 1.5, b: -2 } })).toMatchObject([202, { topic: 'record.events', itemIds: ['bank/r'] }]);
  expect(eventsIn(log)).toMatchObject([
    { id: '17', source: 'news', occurredAt: Date.parse('2026-05-17T06:30:00Z'), text: 'oil prices rise', language: 'en', tasks: ['text-features'], collection: 'c', attributes: { desk: 'a' }, deleted: false },
    { id: '18', occurredAt: nowMs, text: '', language: null, tasks: [], collection: null, deleted: true },
    { id: '19', occurredAt: 5, text: 'two' },
    { id: 'r', source: 'bank', occurredAt: nowMs, values: { a: 1.5, b: -2 } },
  ]);
  expect(log.appended.map((records) => records.map(({ key }) => key?.toString()))).toEqual([['news/17'], ['news/18', 'news/19'], ['bank/r']]);
});

test('media are sent within the event, or referred to', async () => {
  const log = logOf();
  const { post } = await serve(log);
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const sha256 = createHash('sha256').update(png).digest('hex');
  const sent = await post('media', {
    events: [
      { id: '1', source: 's', content: png.toString('base64') },
      { id: '2', source: 's', content: `data:image/x-own;base64,${png.toString('base64')}` },
      { id: '3', source: 's', contentType: 'image/png', content: { uri: 'https://images.example.com/3.png', sha256, sizeBytes: 16 } },
      { id: '4', source: 's', deleted: true },
    ],
  });
  expect(sent[0], JSON.stringify(sent[1])).toBe(202);
  expect(eventsIn(log)).toMatchObject([
    { contentType: 'image/png', content: png },
    { contentType: 'image/x-own', content: png },
    { contentType: 'image/png', content: { uri: 'https://images.example.com/3.png', sha256, sizeBytes: 16n } },
    { content: null, deleted: true },
  ]);
});

test('one event that cannot be taken is named, and nothing of its request is appended', async () => {
  const log = logOf();
  const { post } = await serve(log);
  const good = { id: '1', source: 's', text: 'good' };
  const refused = async (kind: string, body: unknown, status: number, code: string, named: string): Promise<void> => {
    const [got, answer] = await post(kind, body);
    expect([got, answer['code'], answer['detail']], JSON.stringify(body).slice(0, 200)).toEqual([status, code, expect.stringContaining(named) as string]);
  };
  await refused('text', { events: [good, { ...good, id: 7 }] }, 400, 'LS_SERVER_REQUEST', '/events/1/id');
  await refused('text', { events: [good, { ...good, surprise: 7 }] }, 400, 'LS_SERVER_REQUEST', 'surprise');
  await refused('text', { events: [good, { id: '2', source: 's' }] }, 400, 'LS_SERVER_REQUEST', 'events[1].text');
  await refused('text', { events: [good, { ...good, source: 'a/b' }] }, 400, 'LS_SERVER_REQUEST', '/events/1/source is not what is taken: Where the item comes from; without a slash.');
  await refused('text', { ...good, id: '' }, 400, 'LS_SERVER_REQUEST', '/id');
  for (const occurredAt of ['yesterday', '2026-01-01', '2026-01-01T10:00:00', '2026-01-01T10:00Z']) await refused('text', { events: [good, { ...good, occurredAt }] }, 400, 'LS_SERVER_REQUEST', '/events/1/occurredAt is not what is taken: A date, a time to the second, and Z or an offset');
  await refused('text', { ...good, occurredAt: true }, 400, 'LS_SERVER_REQUEST', '/occurredAt is not what is taken: Milliseconds (not seconds) since the epoch, or a date');
  await refused('text', { ...good, occurredAt: 8_639_999_999_999_999 }, 400, 'LS_SERVER_REQUEST', 'occurredAt');
  await refused('text', { text: 'good', source: 's' }, 400, 'LS_SERVER_REQUEST', 'id');
  await refused('text', { events: [good, { ...good, text: 'half \ud83d' }] }, 400, 'LS_SERVER_REQUEST', 'events[1]');
  await refused('text', { events: [] }, 400, 'LS_SERVER_REQUEST', '/events');
  await refused('text', { events: Array.from({ length: 1001 }, () => good) }, 400, 'LS_SERVER_REQUEST', '/events');
  await refused('records', { id: '1', source: 's', values: { a: 'x' } }, 400, 'LS_SERVER_REQUEST', '/values/a');
  await refused('media', { events: [{ id: '1', source: 's', content: '!!' }] }, 400, 'LS_SERVER_REQUEST', 'events[0].content');
  await refused('media', { id: '1', source: 's', content: { uri: 'https://a/b', sha256: 'f'.repeat(64), sizeBytes: 1 } }, 400, 'LS_SERVER_REQUEST', 'contentType');
  await refused('media', { id: '1', source: 's', contentType: 'image/png', content: { uri: 'https://a/b', sha256: 'f'.repeat(64), sizeBytes: 1e9 } }, 413, 'LS_SERVER_EVENT_TOO_LARGE', 'media.bytesMax');
  await refused('text', { events: [good, { ...good, id: '2', text: 'x'.repeat(40_000) }] }, 413, 'LS_SERVER_EVENT_TOO_LARGE', 'events[1]');
  expect(log.appended).toEqual([]);
});

test('several events that are not durable at once are refused together', async () => {
  const log = logOf();
  const bodyBytesMax = 16 * 1024 * 1024;
  const { post } = await serve(log, { limits: { ...limits, bodyBytesMax } }, { recordBytesMax: bodyBytesMax, contentBytesMax: bodyBytesMax });
  const large = (id: string) => ({ id, source: 's', text: 'x'.repeat(3 * 1024 * 1024) });
  expect(await post('text', { events: [large('1'), large('2')] })).toMatchObject([413, { code: 'LS_SERVER_EVENT_TOO_LARGE' }]);
  expect(log.appended).toEqual([]);
  expect((await post('text', large('1')))[0]).toBe(202);
});

test('nothing claims success before the append is over: one that fails is told with its code, one that hangs with LS_SERVER_TIME', async () => {
  const event = { id: '1', source: 's', text: 'good' };
  const failing = await serve(logOf(() => Promise.reject(kafkaError('LS_KAFKA_UNREACHABLE', 'no broker answers'))));
  expect(await failing.post('text', event)).toMatchObject([503, { code: 'LS_KAFKA_UNREACHABLE' }]);

  const held = Promise.withResolvers<undefined>();
  onTestFinished(() => held.resolve(undefined));
  const log = logOf(() => held.promise);
  const hanging = await serve(log, { limits: { ...limits, answerMsMax: 300 } });
  expect(await hanging.post('text', event)).toMatchObject([504, { code: 'LS_SERVER_TIME' }]);
  expect(log.appended).toEqual([]);
  expect(failing.failed).toEqual([]);
});

test('events are for keys with the scope ingest', async () => {
  const log = logOf();
  const sha256 = createHash('sha256').update('ls_reader').digest('hex');
  const ingestSha256 = createHash('sha256').update('ls_writer').digest('hex');
  const { post } = await serve(log, { keys: [keyNamed('reader', sha256, ['predict', 'read', 'admin']), keyNamed('writer', ingestSha256, ['ingest'])] });
  const event = { id: '1', source: 's', text: 'good' };
  expect(await post('text', event)).toMatchObject([401, { code: 'LS_SERVER_KEY' }]);
  expect(await post('text', event, { 'x-api-key': 'ls_reader' })).toMatchObject([403, { code: 'LS_SERVER_SCOPE' }]);
  expect(log.appended).toEqual([]);
  expect((await post('text', event, { 'x-api-key': 'ls_writer' }))[0]).toBe(202);
});
