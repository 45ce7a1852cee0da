// Labels as they are told, by a client that follows them: it misses nothing wherever it is cut off, holds nobody up, and leaves nothing behind.
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { unlessAborted } from '../../src/pipeline/abort.ts';
import { labelStream, type LabelStreamOptions } from '../../src/server/labels/label-stream.ts';
import { createRandom } from '../clustering/random.ts';
import { assigned, classified, originAt } from '../views/label-fixtures.ts';
import { codec, createLabelLog, type LabelLog } from '../views/label-log.ts';
import { openEvents, type EventSource, type ServerSentEvent } from './event-source.ts';
import { limits, startServer, type StartedServer } from './http-fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 17);

type Streaming = StartedServer & { readonly counts: number[]; readonly reading: () => number; readonly readRecords: () => number };

async function startStreams({ broker }: LabelLog, options: Partial<LabelStreamOptions> = {}): Promise<Streaming> {
  const { transport } = broker.connect();
  const counts: number[] = [];
  let reading = 0;
  let readRecords = 0;
  const read: typeof transport.read = async (...parameters) => {
    reading += 1;
    try {
      const records = await transport.read(...parameters);
      readRecords += records.length;
      return records;
    } finally {
      reading -= 1;
    }
  };
  const api = labelStream({ log: () => ({ transport: { ...transport, read }, codec }), streamsMax: 4, streamMsMax: 3_600_000, streams: (count) => counts.push(count), ...options });
  // An answer may take 100 ms: a stream is none.
  const server = await startServer([api], { limits: { ...limits, answerMsMax: 100 } });
  return { ...server, counts, reading: () => reading, readRecords: () => readRecords };
}

/** Both sides of a connection hold as much as they can. */
async function untilStill(count: () => number): Promise<void> {
  let before = 0;
  await vi.waitFor(() => {
    const [former, now] = [before, count()];
    before = now;
    expect([now > 0, now]).toEqual([true, former]);
  }, { interval: 300, timeout: 20_000 });
}

const idOf = ({ data }: ServerSentEvent): string => (data as { readonly id: string }).id;

async function take(source: EventSource, count: number): Promise<readonly ServerSentEvent[]> {
  const taken: ServerSentEvent[] = [];
  while (taken.length < count) {
    const event = await source.next();
    if (event === undefined) throw new Error(`the stream ended after ${taken.length} of ${count} events: ${source.text().slice(-500)}`);
    if (event.event === 'message') taken.push(event);
    else if (event.event === 'failure') throw new Error(JSON.stringify(event.data));
  }
  return taken;
}

const idsIn = ({ broker }: LabelLog, partition: number): readonly string[] => broker.records({ topic: topics.labels, partition }).map(({ value }) => codec.decodeAs('LabelEvent', value).id);

/** Of each partition, in the order in which they came. */
function byPartition(log: LabelLog, ids: readonly string[], partitions: number): readonly (readonly string[])[] {
  return Array.from({ length: partitions }, (_, partition) => {
    const own = new Set(idsIn(log, partition));
    return ids.filter((id) => own.has(id));
  });
}

test.each([seed, seed + 1, seed + 2])('a client that is cut off anywhere, many times, gets each label once, in the order of its partition (seed %i)', async (runSeed) => {
  const random = createRandom(runSeed);
  const log = createLabelLog({ labels: 4, clusterEvents: 1 }, () => (random.chance(0.3) ? 1 : 0));
  let told = 0;
  const tell = (count: number): void => {
    for (; count > 0; count--) log.tellLabel(classified(`s/${random.below(40)}`, originAt(told), 'dog', { id: String(told++) }));
  };
  tell(100);
  const servers = [await startStreams(log), await startStreams(log)];
  const received: string[] = [];
  let lastEventId: string | undefined;
  for (let round = 0; round < 60; round++) {
    const source = await openEvents(`${random.pick(servers).url}/labels/stream?from=earliest`, { lastEventId });
    tell(random.below(60));
    for (const event of await take(source, Math.min(random.below(60), told - received.length))) {
      received.push(idOf(event));
      lastEventId = event.id;
    }
    source.close();
  }
  const source = await openEvents(`${servers[0]!.url}/labels/stream?from=earliest`, { lastEventId });
  for (const event of await take(source, told - received.length)) received.push(idOf(event));
  source.close();
  expect(received).toHaveLength(told);
  expect(byPartition(log, received, 4)).toEqual([0, 1, 2, 3].map((partition) => idsIn(log, partition)));
});

test('it begins with the next label, or the first that is kept; whoever has seen none yet goes on as well', async () => {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const { url } = await startStreams(log);
  log.tellLabel(classified('s/a', originAt(1), 'dog', { id: 'first' }));
  const latest = await openEvents(`${url}/labels/stream`);
  const begun = await latest.next();
  expect([begun?.event, begun?.data]).toEqual(['begun', { incarnation: 'life-of-labels', partitions: [{ position: expect.any(String) as string, sequence: expect.any(String) as string }, expect.any(Object)] }]);
  latest.close();
  log.tellLabel(assigned('s/a', originAt(2), { epoch: 1, number: 2n ** 60n }, { clusterId: 'c' }));
  const resumed = await openEvents(`${url}/labels/stream`, { lastEventId: begun?.id });
  const [event] = await take(resumed, 1);
  expect(event?.data).toMatchObject({ itemId: 's/a', revision: { epoch: 1, number: String(2n ** 60n) }, result: { 'labelstream.v1.Assignment': { clusterId: 'c', sequence: String(2n ** 60n) } } });
  expect(resumed.text()).toMatch(/^retry: \d+\n/);
  resumed.close();
  const earliest = await openEvents(`${url}/labels/stream?from=earliest`);
  expect((await take(earliest, 2)).map(idOf)).toContain('first');
  earliest.close();
});

test('it tells only what is asked for, and what it passes over is behind the client', async () => {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const { url } = await startStreams(log, { heartbeatMs: 20 });
  for (let index = 0; index < 30; index++) {
    log.tellLabel(classified(`s/${index % 3}`, originAt(index), 'dog', { id: `r${index}`, task: index % 2 === 0 ? 'even' : 'odd' }));
    log.tellLabel({ ...assigned(`s/${index % 3}`, originAt(index), { epoch: 0, number: BigInt(index) }, { family: index % 5 === 0 ? 'five' : 'other' }), id: `a${index}` });
  }
  const asked = async (query: string, count: number): Promise<readonly string[]> => {
    const source = await openEvents(`${url}/labels/stream?from=earliest&${query}`);
    const ids = (await take(source, count)).map(idOf);
    source.close();
    return [...ids].sort();
  };
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const named = (prefix: string, wanted: (index: number) => boolean): readonly string[] => numbers.filter(wanted).map((index) => `${prefix}${index}`);
  expect(await asked('input=s%2F1&task=odd', 5)).toEqual([...named('r', (index) => index % 3 === 1 && index % 2 === 1)].sort());
  expect(await asked('collection=five', 6)).toEqual([...named('a', (index) => index % 5 === 0)].sort());
  expect(await asked('task=even', 15)).toEqual([...named('r', (index) => index % 2 === 0)].sort());
  const nothing = await openEvents(`${url}/labels/stream?from=earliest&task=none`);
  log.tellLabel(classified('s/1', originAt(99), 'dog', { id: 'last', task: 'late' }));
  nothing.next().then(() => nothing.next()).catch(() => undefined);
  const ends = log.broker.partitions(topics.labels).map((partition) => log.broker.bounds(partition).end.sequence);
  await vi.waitFor(() => expect(/: heartbeat\nid: (\S+)\n\n/g.exec(nothing.text().split(': heartbeat').slice(-1).map((rest) => `: heartbeat${rest}`)[0] ?? '')?.[1]).toMatch(new RegExp(`;${ends[0]},.*;${ends[1]}$`)), { timeout: 10_000 });
  nothing.close();
});

test('it is heard of, however much it passes over', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const { url } = await startStreams(log, { heartbeatMs: 100 });
  const source = await openEvents(`${url}/labels/stream?from=latest&task=none`);
  source.next().then(() => source.next()).catch(() => undefined);
  let told = 0;
  // More often than it is heard of otherwise.
  const telling = setInterval(() => log.tellLabel(classified('s/1', originAt(told), 'dog', { id: `r${told++}` })), 20);
  await vi.waitFor(() => expect([...source.text().matchAll(/: heartbeat\nid: \S+;(\d+)/g)].map(([, end]) => Number(end) > 0).length).toBeGreaterThan(3), { timeout: 20_000 }).finally(() => clearInterval(telling));
  source.close();
});

test('an id that cannot be gone on from is refused in words', async () => {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const { url } = await startStreams(log);
  const ask = async (lastEventId: string): Promise<unknown> => {
    const response = await fetch(`${url}/labels/stream`, { headers: { 'last-event-id': lastEventId } });
    return [response.status, ((await response.json()) as { code: string }).code];
  };
  for (let index = 0; index < 60; index++) log.tellLabel(classified(`s/${index}`, originAt(index), 'dog', { id: String(index) }));
  const source = await openEvents(`${url}/labels/stream?from=earliest`);
  const [first] = await take(source, 1);
  source.close();
  const id = first!.id;
  for (const wrong of ['x', ':', 'life-of-labels:', 'life-of-labels:1', 'life-of-labels:%;1', `${id},`, id.replace(/;\d+/, ';-1')]) expect(await ask(wrong), wrong).toEqual([400, 'LS_SERVER_REQUEST']);
  expect(await ask(`${id},at%3A1;1`), 'more partitions').toEqual([410, 'LS_SERVER_STREAM_GONE']);
  expect(await ask(id.replace('life', 'other-life')), 'another incarnation').toEqual([410, 'LS_SERVER_STREAM_GONE']);
  expect(await ask(id.replace(/;\d+$/, ';5000')), 'ahead of the log').toEqual([410, 'LS_SERVER_STREAM_GONE']);
  log.broker.truncate({ topic: topics.labels, partition: 0 }, 5);
  log.broker.truncate({ topic: topics.labels, partition: 1 }, 5);
  expect(await ask(id), 'no longer kept').toEqual([410, 'LS_SERVER_STREAM_GONE']);
  expect((await fetch(`${url}/labels/stream?from=middle`)).status).toBe(400);
  expect((await fetch(`${url}/labels/stream`, { method: 'HEAD' })).status).toBe(405);
});

test('a client that is slow is read for as it takes: nothing is gathered, and nothing is lost', async () => {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const { url, readRecords } = await startStreams(log);
  const total = 3_000;
  for (let index = 0; index < total; index++) log.tellLabel(classified(`s/${index % 50}`, originAt(index), `${index} ${'x'.repeat(20_000)}`, { id: String(index) }));
  const source = await openEvents(`${url}/labels/stream?from=earliest`, { isSlow: true });
  await untilStill(readRecords);
  // What the sockets of both sides hold is some megabytes, of sixty.
  expect(readRecords()).toBeLessThan(total / 2);
  const ids = (await take(source, total)).map(idOf);
  source.close();
  expect(byPartition(log, ids, 2)).toEqual([0, 1].map((partition) => idsIn(log, partition)));
});

test('a slow client whose records retention takes is told so', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const { url, readRecords } = await startStreams(log);
  for (let index = 0; index < 2_000; index++) log.tellLabel(classified('s/1', originAt(index), 'x'.repeat(20_000), { id: String(index) }));
  const source = await openEvents(`${url}/labels/stream?from=earliest`, { isSlow: true });
  await vi.waitFor(() => expect(readRecords()).toBeGreaterThan(32));
  log.broker.truncate({ topic: topics.labels, partition: 0 }, 1_990);
  let last: ServerSentEvent | undefined;
  let count = 0;
  for (let event = await source.next(); event !== undefined; event = await source.next()) {
    last = event;
    count += 1;
  }
  expect(count).toBeLessThan(2_000);
  expect([last?.event, last?.data]).toMatchObject(['failure', { code: 'LS_SERVER_STREAM_GONE' }]);
});

test('a client that leaves frees what it had, and so many streams are there at most', async () => {
  const log = createLabelLog({ labels: 3, clusterEvents: 1 });
  const { url, counts, reading } = await startStreams(log);
  const sources = await Promise.all(Array.from({ length: 4 }, () => openEvents(`${url}/labels/stream`)));
  const refused = await fetch(`${url}/labels/stream`);
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([503, '1', { code: 'LS_SERVER_STREAMS_FULL' }]);
  await vi.waitFor(() => expect([counts.at(-1), reading()]).toEqual([4, 12]));
  // Longer than an answer may take.
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(reading()).toBe(12);
  for (const source of sources) source.close();
  await vi.waitFor(() => expect([counts.at(-1), reading()]).toEqual([0, 0]));
  const again = await openEvents(`${url}/labels/stream`);
  expect(again.status).toBe(200);
  again.close();
});

test('a stop ends streams with a word, waits for no client that takes none, and they go on elsewhere', async () => {
  const log = createLabelLog({ labels: 2, clusterEvents: 1 });
  const stopping = await startStreams(log, { endMsMax: 200 });
  const other = await startStreams(log);
  for (let index = 0; index < 4_000; index++) log.tellLabel(classified(`s/${index % 20}`, originAt(index), 'x'.repeat(10_000), { id: String(index) }));
  const source = await openEvents(`${stopping.url}/labels/stream?from=earliest&task=none`);
  await openEvents(`${stopping.url}/labels/stream?from=earliest`, { isSlow: true });
  const begun = await source.next();
  await untilStill(stopping.readRecords);
  const drained = stopping.drain(AbortSignal.timeout(30_000)).then(() => 'drained');
  const end = await source.next();
  expect([begun?.event, end?.event, end?.data]).toEqual(['begun', 'end', { reason: 'draining' }]);
  expect(await source.next()).toBeUndefined();
  expect(await unlessAborted(drained, AbortSignal.timeout(10_000))).toBe('drained');
  expect([stopping.counts.at(-1), stopping.reading()]).toEqual([0, 0]);
  log.tellLabel(classified('s/1', originAt(5_000), 'dog', { id: 'after' }));
  const resumed = await openEvents(`${other.url}/labels/stream`, { lastEventId: begun?.id });
  expect((await take(resumed, 4_001)).map(idOf)).toContain('after');
  resumed.close();
});

test('a stream ends when its time is over', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const { url, counts } = await startStreams(log, { streamMsMax: 150 });
  const source = await openEvents(`${url}/labels/stream`);
  expect([(await source.next())?.event, await source.next(), await source.next()]).toEqual(['begun', expect.objectContaining({ event: 'end', data: { reason: 'time' } }), undefined]);
  expect(counts.at(-1)).toBe(0);
});

test('what is no label is passed over, and a topic that is made anew ends the stream', async () => {
  const log = createLabelLog({ labels: 1, clusterEvents: 1 });
  const { url } = await startStreams(log);
  const source = await openEvents(`${url}/labels/stream`);
  await source.next();
  log.broker.append([{ topic: topics.labels, partition: 0, key: null, value: Buffer.from('no event'), headers: new Map() }]);
  log.tellLabel(classified('s/1', originAt(1), 'dog', { id: 'one' }));
  expect((await take(source, 1)).map(idOf)).toEqual(['one']);
  log.broker.makeAnew(topics.labels);
  for (let index = 0; index < 3; index++) log.tellLabel(classified('s/1', originAt(index), 'dog', { id: `new ${index}` }));
  expect([await source.next(), await source.next()]).toMatchObject([{ event: 'failure', data: { code: 'LS_SERVER_STREAM_GONE' } }, undefined]);
});
