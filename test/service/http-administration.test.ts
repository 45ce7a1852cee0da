// Events and administration by HTTP on the real process: what was answered survives `kill -9`, and does what the command would.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { topics } from '../../src/core/topics.ts';
import { objects, succeed, topicContents, withLog, withRun, writeEncoder } from '../cli/fixtures.ts';
import { jsonLines, runProgram, startProgram, withDirectory, writeConfiguration } from './program.ts';

vi.setConfig({ testTimeout: 240_000 });

const settings = `
dataDirectory: data
server: { port: 0 }
transport: { partitionCount: 2 }
models: { encoder: { directory: encoder }, notes: { directory: MODELS/banknote-classifier } }
routes:
  - { name: texts, from: text, steps: [{ name: embed, task: text-features, model: encoder, collection: texts }] }
  - { name: notes, from: record, steps: [{ name: predict, task: record-prediction, model: notes }] }
collections:
  - { name: texts, eps: 0.05, minPoints: 3 }
`;

type Answer = { readonly status: number; readonly body: Record<string, unknown> };
type Place = { readonly topic: string; readonly partition: number; readonly sequence: string };
type Asking = { readonly ask: (method: string, path: string, body?: unknown) => Promise<Answer>; readonly metrics: () => Promise<string>; readonly log: () => string; readonly kill: () => Promise<void> };

async function withConfigured(use: (file: string) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    await writeEncoder(directory);
    await use(await writeConfiguration(directory, settings));
  });
}

function withHttp<Result>(file: string, use: (http: Asking) => Promise<Result>): Promise<Result> {
  return withRun(file, async (run) => {
    const url = /"url":"([^"]+)"/.exec(run.stderrSoFar())?.[1] ?? '';
    return use({
      ask: async (method, path, body) => {
        const response = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
        return { status: response.status, body: (await response.json()) as Record<string, unknown> };
      },
      metrics: async () => (await fetch(`${url}/metrics`)).text(),
      log: run.stderrSoFar,
      kill: async () => {
        run.kill('SIGKILL');
        await run.finished;
      },
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the stage has come to what an answer says to wait for. */
async function reached(file: string, { body }: Answer): Promise<void> {
  const places = body['waitFor'] as readonly Place[];
  expect(places.length).toBeGreaterThan(0);
  await withLog(file, async ({ transport, configuration }) => {
    for (const { topic, partition, sequence } of places) {
      const group = `${configuration.group}-${topic === topics.features ? 'cluster' : 'extract'}`;
      await expect.poll(async () => (await transport.committed(group, { topic, partition }))?.sequence ?? -1n, { timeout: 60_000 }).toBeGreaterThanOrEqual(BigInt(sequence));
    }
  });
}

const rivers = { events: ['1', '2', '3', '4'].map((id) => ({ id, source: 's', text: 'river' })) };
const note = { variance: 3.6216, skewness: 8.6661, curtosis: -2.8073, entropy: -0.44699 };
const clustersOf = (file: string) => objects('clusters', 'list', '-c', file);

/** Once there is one. */
async function clusterOf(file: string): Promise<Record<string, unknown>> {
  await expect.poll(async () => (await clustersOf(file)).length, { timeout: 60_000, interval: 500 }).toBe(1);
  const [cluster = {}] = await clustersOf(file);
  return cluster;
}

test('events that were acknowledged are processed, though the process is killed right then', async () => {
  await withConfigured(async (file) => {
    const itemIds: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      await withHttp(file, async ({ ask, kill }) => {
        const events = Array.from({ length: 40 }, (_, index) => ({ id: `${round}-${index}`, source: 'bank', values: note }));
        const { status, body } = await ask('POST', '/events/records', { events });
        await kill();
        expect(status, JSON.stringify(body)).toBe(202);
        itemIds.push(...(body['itemIds'] as string[]));
      });
    }
    await succeed('run', '-c', file, '--until-idle');
    const labelled = new Set((await topicContents(file, 'labels')).map(({ value }) => (value as { itemId: string }).itemId));
    expect(itemIds.length).toBe(120);
    expect(itemIds.filter((item) => !labelled.has(item))).toEqual([]);
  });
});

test('a cluster is named, its name taken away, its items are forgotten and its parameters changed: each survives a kill', async () => {
  await withConfigured(async (file) => {
    const id = await withHttp(file, async ({ ask, kill }) => {
      expect((await ask('POST', '/events/text', rivers)).status).toBe(202);
      const { id: found } = await clusterOf(file);
      const path = `/collections/texts/clusters/${String(found)}/name`;
      expect(await ask('PUT', '/collections/other/clusters/' + String(found) + '/name', { name: 'x' })).toMatchObject({ status: 404, body: { code: 'LS_SERVER_NOT_FOUND' } });
      expect(await ask('PUT', '/collections/texts/clusters/ffffffffffffffff/name', { name: 'x' })).toMatchObject({ status: 404, body: { code: 'LS_SERVER_NOT_FOUND' } });
      expect(await ask('PUT', path, { name: ' ' })).toMatchObject({ status: 400 });
      const named = await ask('PUT', path, { name: ' Rivers ' });
      await kill();
      expect(named).toMatchObject({ status: 202, body: { collection: 'texts', clusterId: found, name: 'Rivers', waitFor: [{ topic: 'features' }] } });
      return String(found);
    });
    await withHttp(file, async ({ ask }) => {
      expect(await clusterOf(file)).toMatchObject({ id, name: 'Rivers' });
      const removed = await ask('DELETE', `/collections/texts/clusters/${id}/name`);
      expect(removed).toMatchObject({ status: 202, body: { name: null } });
      await reached(file, removed);
      expect(await clusterOf(file)).toMatchObject({ id, name: null });

      expect(await ask('PUT', '/collections/none/parameters', { eps: 0.2 })).toMatchObject({ status: 404 });
      expect(await ask('PUT', '/collections/texts/parameters', {})).toMatchObject({ status: 400 });
      for (const eps of [0, 3]) expect(await ask('PUT', '/collections/texts/parameters', { eps })).toMatchObject({ status: 400 });
      const asked = await ask('PUT', '/collections/texts/parameters', { eps: 0.25 });
      expect(asked).toMatchObject({ status: 202, body: { family: 'texts' } });
      await expect.poll(async () => (await clusterOf(file))['eps'], { timeout: 60_000, interval: 500 }).toBe(0.25);

      expect(await ask('POST', '/items/forget', { items: ['nonsense'] })).toMatchObject({ status: 400 });
      const forgotten = await ask('POST', '/items/forget', { items: ['s/1', 's/1', 's/none'] });
      expect(forgotten).toMatchObject({ status: 202, body: { inCollections: ['s/1'], stillIn: [{ place: expect.stringContaining('text.events') as string }, { place: expect.stringContaining('snapshots') as string }] } });
      expect((forgotten.body['waitFor'] as unknown[]).length).toBe(2);
      await reached(file, forgotten);
      expect((await runProgram('clusters', 'show', 's/1', '-c', file)).stderr).toContain('LS_CLI_NOT_FOUND');
      expect(await clusterOf(file)).toMatchObject({ size: 3 });
    });
    // What the configuration says did not change: what an operator asked for counts on.
    await withHttp(file, async () => expect(await clusterOf(file)).toMatchObject({ size: 3, eps: 0.25, minPoints: 3 }));
  });
});

test('what is asked while it starts is refused, or kept', async () => {
  await withConfigured(async (file) => {
    const port = await freePort();
    const run = startProgram(['run', '-c', file, '--set', `server.port=${port}`]);
    try {
      const refused = new Set<unknown>();
      for (;;) {
        const response = await fetch(`http://127.0.0.1:${port}/collections/texts/parameters`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ eps: 0.25 }) }).catch(() => undefined);
        if (response?.status === 202) break;
        if (response !== undefined) refused.add(`${response.status} ${String(((await response.json()) as Record<string, unknown>)['code'])}`);
        await sleep(5);
      }
      expect([...refused].filter((answer) => answer !== '503 LS_SERVER_NOT_READY')).toEqual([]);
      await run.said('"msg":"running"');
    } finally {
      run.kill('SIGKILL');
      await run.finished;
    }
    await withHttp(file, async ({ ask }) => {
      expect((await ask('POST', '/events/text', rivers)).status).toBe(202);
      expect(await clusterOf(file)).toMatchObject({ eps: 0.25 });
      expect((await ask('GET', '/dead-letters')).body['deadLetters']).toEqual([]);
    });
  });
});

test('a paused input is read by no instance until it is resumed, whatever is restarted', async () => {
  await withConfigured(async (file) => {
    await withHttp(file, async ({ ask, metrics, log, kill }) => {
      expect(await ask('POST', '/inputs/none/pause')).toMatchObject({ status: 404 });
      expect(await ask('POST', '/inputs/record.events/pause')).toEqual({ status: 202, body: { topic: 'record.events', paused: true, version: '1' } });
      expect((await ask('POST', '/events/records', { id: 'n', source: 'bank', values: note })).status).toBe(202);
      expect((await ask('POST', '/events/text', rivers)).status).toBe(202);
      await clusterOf(file);
      expect(await ask('GET', '/health/ready')).toMatchObject({ status: 200, body: { pausedInputs: ['record.events'] } });
      expect(await metrics()).toMatch(/labelstream_input_paused\{topic="record.events"\} 1\n/);
      expect(await metrics()).toMatch(/labelstream_lag_records\{stage="extract",topic="record.events"\} 1\n/);
      expect(log()).toContain('"topic":"record.events","msg":"input paused by an operator');
      await kill();
    });
    const idle = await succeed('run', '-c', file, '--until-idle');
    expect(idle.stderr).toMatch(/"topic":"record.events","records":1,"msg":"idle, and records are left/);
    expect(await objects('inputs', 'list', '-c', file)).toMatchObject([{ version: 1, inputs: expect.arrayContaining([{ topic: 'record.events', paused: true }, { topic: 'text.events', paused: false }]) as unknown }]);
    expect((await objects('lag', '-c', file)).filter(({ topic, lag, paused }) => topic === 'record.events' && lag === 1 && paused === true)).toHaveLength(1);
    await withHttp(file, async ({ ask }) => {
      expect(await ask('GET', '/inputs')).toMatchObject({ status: 200, body: { version: '1', inputs: expect.arrayContaining([{ topic: 'record.events', paused: true }]) as unknown } });
      expect((await topicContents(file, 'labels')).filter(({ value }) => (value as { itemId: string }).itemId === 'bank/n')).toEqual([]);
      // By the command, which the instance sees by itself.
      await succeed('inputs', 'resume', 'record.events', '-c', file);
      const label = async () => (await topicContents(file, 'labels')).filter(({ value }) => (value as { itemId: string }).itemId === 'bank/n').length;
      await expect.poll(label, { timeout: 60_000, interval: 500 }).toBe(1);
      expect((await ask('GET', '/inputs')).body).toMatchObject({ version: '2' });
      // While one waits for more.
      await succeed('inputs', 'pause', 'record.events', 'text.events', '-c', file);
      await expect.poll(async () => (await ask('GET', '/health/ready')).body['pausedInputs']).toEqual(['record.events', 'text.events']);
      expect((await ask('POST', '/events/records', { id: 'm', source: 'bank', values: note })).status).toBe(202);
      expect((await ask('POST', '/inputs/record.events/resume')).status).toBe(202);
      await expect.poll(async () => (await topicContents(file, 'labels')).some(({ value }) => (value as { itemId: string }).itemId === 'bank/m'), { timeout: 60_000, interval: 500 }).toBe(true);
    });
    const { code, stderr } = await runProgram('inputs', 'pause', 'labels', '-c', file);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Allowed choices are media.events')]);
  });
});

test('a model that is unloaded stays so over a restart, until it is asked for', async () => {
  await withConfigured(async (file) => {
    const stateOf = async ({ ask }: Asking) => ((await ask('GET', '/models')).body['models'] as { name: string; state: string; wanted: string }[]).find(({ name }) => name === 'notes');
    await withHttp(file, async (http) => {
      expect(await stateOf(http)).toMatchObject({ state: 'ready', wanted: 'loaded' });
      expect(await http.ask('POST', '/models/none/unload')).toMatchObject({ status: 404, body: { code: 'LS_MODEL_UNKNOWN' } });
      expect(await http.ask('POST', '/models/notes/unload')).toEqual({ status: 202, body: { model: 'notes', wanted: 'unloaded', version: '1' } });
      await expect.poll(() => stateOf(http)).toMatchObject({ state: 'unloaded', wanted: 'unloaded' });
      await http.kill();
    });
    await withHttp(file, async (http) => {
      expect(await stateOf(http)).toMatchObject({ state: 'unloaded', wanted: 'unloaded' });
      expect(await http.ask('POST', '/predict?model=notes', note)).toMatchObject({ status: 200 });
      expect(await stateOf(http)).toMatchObject({ state: 'ready', wanted: 'unloaded' });
      await http.kill();
    });
    await withHttp(file, async (http) => {
      expect(await stateOf(http)).toMatchObject({ state: 'unloaded' });
      expect(await http.ask('POST', '/models/notes/load')).toMatchObject({ status: 202, body: { wanted: 'loaded' } });
      await expect.poll(() => stateOf(http), { timeout: 30_000 }).toMatchObject({ state: 'ready', wanted: 'loaded' });
    });
  });
});

test('dead letters are listed by pages, and redriven as the command does', async () => {
  await withConfigured(async (file) => {
    await withHttp(file, async ({ ask }) => {
      const broken = ['a', 'b', 'c'].map((id) => ({ id, source: 'bank', values: { variance: 1 } }));
      expect((await ask('POST', '/events/records', { events: broken })).status).toBe(202);
      type Letter = { id: string; item: string; state: string };
      const lettersAt = async (query: string): Promise<readonly Letter[]> => (await ask('GET', `/dead-letters${query}`)).body['deadLetters'] as Letter[];
      await expect.poll(async () => (await lettersAt('')).length, { timeout: 60_000 }).toBe(3);
      const paged: Letter[] = [];
      for (let after: string | null = ''; after !== null;) {
        const { status, body } = await ask('GET', `/dead-letters?limit=1${after === '' ? '' : `&after=${after}`}`);
        expect(status, JSON.stringify(body)).toBe(200);
        paged.push(...(body['deadLetters'] as Letter[]));
        after = body['next'] as string | null;
      }
      expect(paged).toEqual(await lettersAt(''));
      expect(paged[0]).toMatchObject({ state: 'open', code: 'LS_MODEL_INPUT', origin: { topic: 'record.events', sequence: expect.stringMatching(/^\d+$/) as string } });
      expect(await lettersAt('?code=LS_MODEL_LOAD')).toEqual([]);
      expect(await lettersAt('?item=bank/b&item=bank/c&state=open')).toHaveLength(2);
      expect((await ask('GET', '/dead-letters?since=yesterday')).status).toBe(400);

      const [first] = paged;
      expect(await ask('POST', '/dead-letters/redrive', {})).toMatchObject({ status: 400, body: { code: 'LS_SERVER_REQUEST' } });
      expect(await ask('POST', '/dead-letters/redrive', { ids: ['ffffffffffffffff', first!.id] })).toMatchObject({ status: 404, body: { detail: expect.stringContaining('ffffffffffffffff') as string } });
      expect(await ask('POST', '/dead-letters/redrive', { all: true, dryRun: true })).toEqual({ status: 200, body: { redriven: 3, skipped: 0, reasons: [], dryRun: true, waitFor: [] } });
      const redriven = await ask('POST', '/dead-letters/redrive', { ids: [first!.id] });
      expect(redriven).toMatchObject({ status: 202, body: { redriven: 1, waitFor: [{ topic: 'redrive' }] } });
      await reached(file, redriven);
      // It fails again, since nothing was mended, and a newer one is open in its place.
      await expect.poll(async () => (await lettersAt(`?item=${first!.item}`)).map(({ state }) => state)).toEqual(['failed', 'open']);
      const reason = 'it was redriven before, and is asked for again only by `again`';
      expect(await ask('POST', '/dead-letters/redrive', { ids: [first!.id] })).toMatchObject({ status: 202, body: { redriven: 0, skipped: 1, reasons: [{ id: first!.id, reason }] } });
    });
    expect(jsonLines((await succeed('dlq', 'list', '--state', 'failed', '--json', '-c', file)).stdout)).toHaveLength(1);
  });
});
