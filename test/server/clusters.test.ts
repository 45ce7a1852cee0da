// Questions about clusters by HTTP, to a follower of a real log.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serverError } from '../../src/core/errors/server.ts';
import { collections } from '../../src/server/clusters/collections.ts';
import { items } from '../../src/server/clusters/items.ts';
import type { LiveClusters } from '../../src/stages/cluster/cluster-queries.ts';
import { trackPartitions } from '../../src/stages/cluster/owned-partitions.ts';
import { control, define, feature } from '../stages/cluster/fold-harness.ts';
import { openLog } from '../stages/cluster/live-log.ts';
import { keyNamed, startServer } from './http-fixture.ts';

const at = (item: string, place: readonly number[], origin: number, collection = 'news-en') => feature({ item, at: place, origin, collection });
const two = [
  define(),
  at('a', [0, 0], 0), at('b', [0.5, 0], 1), at('c', [1, 0], 2), at('d', [1.9, 0], 3),
  at('p', [20, 0], 4), at('q', [20.5, 0], 5), at('r', [21, 0], 6),
  at('far "away", \n', [90, 90], 7),
  at('deutsch', [0, 0], 8, 'news-de'),
];

async function start(events: Parameters<Awaited<ReturnType<typeof openLog>>['append']>[0] = two) {
  const log = await openLog();
  await log.append(events);
  const live = log.live();
  const server = await startServer([collections(() => live), items(() => live)]);
  const ask = async (path: string, init?: RequestInit): Promise<{ readonly status: number; readonly body: Record<string, never> }> => {
    const response = await fetch(`${server.url}${path}`, init);
    return { status: response.status, body: (await response.json()) as Record<string, never> };
  };
  const assign = (collection: string, vectors: unknown) => ask(`/collections/${collection}/assign`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ vectors }) });
  return { log, server, ask, assign };
}

const heldAt = [{ partition: 0, sequence: null }, { partition: 1, sequence: '9' }];

describe('collections and clusters', () => {
  it('are listed, with the record that the answer holds for', async () => {
    const { ask } = await start();
    expect((await ask('/collections')).body).toMatchObject({ collections: [{ collection: 'news-de', itemCount: 1, clusterCount: 0, noiseCount: 1 }, { collection: 'news-en', itemCount: 8, clusterCount: 2, noiseCount: 1, eps: 1, minPoints: 3, pending: null }], heldAt });
    const { status, body } = await ask('/collections/news-en/clusters?samples=2');
    expect([status, body]).toMatchObject([200, { total: 2, clusters: [{ size: 4, coreCount: 3, name: null, samples: [{ itemId: expect.stringMatching(/^test\//) as string }, {}] }, { size: 3 }], heldAt }]);
    expect((await ask('/collections/news-en/clusters?limit=1&offset=1')).body).toMatchObject({ total: 2, clusters: [{ size: 3, samples: [] }] });
    expect((await ask('/collections/news-en/clusters?limit=1&offset=1&samples=1')).body).toMatchObject({ total: 2, clusters: [{ size: 3, samples: [{}] }] });
    expect((await ask('/collections/news-de/clusters')).body).toMatchObject({ total: 0, clusters: [] });
  });

  it('show their members, page by page, also by the id of one that was merged away', async () => {
    const { ask, log } = await start();
    const { body } = await ask('/collections/news-en/clusters');
    const [large, small] = (body['clusters'] as unknown as { readonly clusterId: string }[]).map(({ clusterId }) => clusterId);
    expect((await ask(`/collections/news-en/clusters/${large}`)).body).toMatchObject({ size: 4, members: [{ itemId: 'test/a', role: 'core', preview: 'text of a' }, { itemId: 'test/b' }, { itemId: 'test/c' }, { itemId: 'test/d', role: 'border' }] });
    expect((await ask(`/collections/news-en/clusters/${large}?offset=3&limit=5`)).body).toMatchObject({ members: [{ itemId: 'test/d' }] });
    expect((await ask(`/collections/news-de/clusters/${large}`)).status).toBe(404);
    await log.append(Array.from({ length: 24 }, (_, index) => at(`bridge${index}`, [1.8 + index * 0.8, 0], 20 + index)));
    expect((await ask(`/collections/news-en/clusters/${small}?atLeast=1:33`)).body).toMatchObject({ clusterId: large, size: 31 });
  });

  it('unknown ones, and questions that are none, are refused in words', async () => {
    const { ask, assign } = await start();
    for (const [path, status, code] of [
      ['/collections/none/clusters', 404, 'LS_SERVER_NOT_FOUND'], ['/collections/news-en/clusters/0123', 404, 'LS_SERVER_NOT_FOUND'], ['/collections/none/items', 404, 'LS_SERVER_NOT_FOUND'],
      ['/items/none', 404, 'LS_SERVER_NOT_FOUND'], ['/items/none/neighbours', 404, 'LS_SERVER_NOT_FOUND'],
      ['/collections/news-en/clusters?limit=0', 400, 'LS_SERVER_REQUEST'], ['/collections/news-en/clusters?limit=1001', 400, 'LS_SERVER_REQUEST'], ['/collections/news-en/clusters?samples=1&offset=990&limit=11', 400, 'LS_SERVER_REQUEST'], ['/collections/news-en/clusters?what=1', 400, 'LS_SERVER_REQUEST'],
      ['/collections?atLeast=1', 400, 'LS_SERVER_REQUEST'], ['/collections?atLeast=1:1&atLeast=1:2', 400, 'LS_SERVER_REQUEST'],
    ] as const) expect(await ask(path), path).toMatchObject({ status, body: { code } });
    expect(await assign('none', [[0, 0]])).toMatchObject({ status: 404 });
    expect(await assign('news-en', [[0, 0, 0]])).toMatchObject({ status: 400, body: { code: 'LS_CLUSTER_VECTOR_INVALID' } });
    expect(await assign('news-en', [])).toMatchObject({ status: 400 });
    expect(await assign('news-en', [['1', 2]])).toMatchObject({ status: 400 });
  });

  it('a record that there is not is not waited for', async () => {
    const { ask } = await start();
    for (const place of ['1:10', '2:0']) expect(await ask(`/collections?atLeast=${place}`), place).toMatchObject({ status: 400, body: { code: 'LS_CLUSTER_SEQUENCE_UNKNOWN' } });
    expect((await ask('/collections?atLeast=1:9')).status).toBe(200);
  });

  it('need the scope read', async () => {
    const log = await openLog();
    const live = log.live();
    const sha256 = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
    const { url } = await startServer([collections(() => live), items(() => live)], { keys: [keyNamed('app', sha256, ['predict'])] });
    for (const path of ['/collections', '/collections/a/clusters', '/collections/a/items', '/items/a', '/items/a/neighbours']) expect((await fetch(`${url}${path}`, { headers: { 'x-api-key': 'foo' } })).status, path).toBe(403);
  });

  it('are refused while the stages are being started', async () => {
    const { url } = await startServer([collections(() => { throw serverError('LS_SERVER_NOT_READY', 'the stages are being started'); })]);
    const response = await fetch(`${url}/collections`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  });
});

describe('where a vector would be', () => {
  it('is told, and nothing is inserted', async () => {
    const { ask, assign, log } = await start();
    const label = control({ 'labelstream.v1.LabelCluster': { collection: 'news-en', clusterId: await largestOf(ask), name: 'left' } });
    await log.append([label]);
    await ask('/collections?atLeast=1:10');
    const { body } = await assign('news-en', [[0.5, 0.1], [2.5, 0], [50, 50]]);
    expect(body).toMatchObject({
      placements: [
        { collection: 'news-en', role: 'core', clusterName: 'left', nearestCore: { itemId: 'test/b', distance: expect.closeTo(0.1) as number } },
        { role: 'noise', clusterId: null, nearestCore: null },
        { role: 'noise', clusterId: null },
      ],
    });
    expect((await ask('/collections')).body).toMatchObject({ collections: [{}, { itemCount: 8 }] });
  });
});

async function largestOf(ask: (path: string) => Promise<{ readonly body: Record<string, never> }>): Promise<string> {
  const { body } = await ask('/collections/news-en/clusters');
  return (body['clusters'] as unknown as { readonly clusterId: string }[])[0]!.clusterId;
}

describe('an item', () => {
  it('is where it is for a reason, and has neighbours within eps or not', async () => {
    const { ask } = await start();
    const { body } = await ask('/items/test%2Fd');
    expect(body).toMatchObject({
      itemId: 'test/d',
      places: [{ collection: 'news-en', role: 'border', inputId: 'd', clusterName: null, preview: 'text of d', origin: { sequence: '3' }, reason: { eps: 1, minPoints: 3, density: 2, nearestCore: { itemId: 'test/c' }, changedAt: { partition: 1, sequence: expect.stringMatching(/^\d+$/) as string } } }],
      heldAt,
    });
    expect((await ask('/items/test%2Fd/neighbours?count=3')).body).toMatchObject({ places: [{ collection: 'news-en', neighbours: [{ itemId: 'test/c' }, { itemId: 'test/b' }, { itemId: 'test/a', distance: expect.closeTo(1.9) as number }] }], heldAt });
  });
});

describe('an export', () => {
  it('has every item once, with its cluster now, as lines of JSON or CSV', async () => {
    const { ask, server } = await start();
    const response = await fetch(`${server.url}/collections/news-en/items`);
    expect([response.headers.get('content-type'), response.headers.get('x-held-at')]).toEqual(['application/x-ndjson', '0: 1:9']);
    const lines = (await response.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const cluster = await largestOf(ask);
    expect(lines).toHaveLength(8);
    expect(lines.filter(({ clusterId }) => clusterId === cluster).map(({ itemId }) => itemId).sort()).toEqual(['test/a', 'test/b', 'test/c', 'test/d']);
    expect(lines[0]).toEqual({ itemId: 'test/a', inputId: 'a', role: 'core', clusterId: cluster, clusterName: null, collection: 'news-en', family: 'news-${language}', partition: 1, sequence: '9' });
    const csv = await (await fetch(`${server.url}/collections/news-en/items?format=csv`)).text();
    expect(csv.split('\r\n')[0]).toBe('itemId,inputId,role,clusterId,clusterName,collection,family,partition,sequence');
    expect(csv).toContain('"test/far ""away"", \n","far ""away"", \n",noise,,,news-en,news-${language},1,9\r\n');
  });

  it('goes on while records are folded: what lives throughout comes once', async () => {
    const { server, log } = await start([define(), ...Array.from({ length: 3_000 }, (_, index) => at(`i${index}`, [index, index % 7], index))]);
    const response = await fetch(`${server.url}/collections/news-en/items`);
    await log.append(Array.from({ length: 400 }, (_, index) => feature({ item: `i${index * 5}`, origin: 4_000 + index, deleted: true })));
    const ids = (await response.text()).trimEnd().split('\n').map((line) => (JSON.parse(line) as { readonly itemId: string }).itemId);
    expect(new Set(ids).size).toBe(ids.length);
    const lasting = Array.from({ length: 3_000 }, (_, index) => index).filter((index) => index % 5 !== 0 || index >= 2_000);
    expect(lasting.filter((index) => !ids.includes(`test/i${index}`))).toEqual([]);
  });

  it('lets the main loop turn between two reads of the state, and is not made for who wants its head alone', async () => {
    const log = await openLog();
    await log.append([define(), ...Array.from({ length: 3_000 }, (_, index) => at(`i${index}`, [index, index % 7], index))]);
    const live = log.live();
    let turns = 0;
    const turning = setImmediate(function turn() {
      turns += 1;
      next = setImmediate(turn);
    });
    let next = turning;
    onTestFinished(() => clearImmediate(next));
    const askedAt: number[] = [];
    const partitions: typeof live.partitions = async (options) =>
      (await live.partitions(options)).map(({ ask }) => ({
        ask: (question) => ask((view) => {
          askedAt.push(turns);
          return question(view);
        }),
      }));
    const { url } = await startServer([collections(() => ({ partitions }))]);
    const text = await (await fetch(`${url}/collections/news-en/items`)).text();
    expect(text.trimEnd().split('\n')).toHaveLength(3_000);
    const taken = askedAt.slice(2);
    expect(taken.length).toBeGreaterThan(6);
    expect(new Set(taken).size).toBe(taken.length);
    expect((await fetch(`${url}/collections/news-en/items`, { method: 'HEAD' })).status).toBe(405);
  });

  it('is broken off where the partition goes to another owner, so that nobody takes a part for the whole', async () => {
    const log = await openLog();
    await log.append([define(), ...Array.from({ length: 3_000 }, (_, index) => at(`i${index}`, [index, index % 7], index))]);
    const owned = trackPartitions(log.stage, () => undefined);
    const place = { topic: 'features', partition: 1 };
    const partition = owned.stage.open({ ...place, incarnation: log.incarnation });
    await partition.fold((await log.read()).slice(0, 2_000));
    owned.observer.restored(place, { kept: false, snapshotSequence: undefined, records: 0, durationMs: 0 });
    const live = log.live(owned);
    let asked = 0;
    const losing: Pick<LiveClusters, 'partitions'> = {
      partitions: async (options) =>
        (await live.partitions(options)).map((each) => ({
          ask: (question) => {
            // Two for the partitions, and the first lines.
            if (++asked === 4) owned.observer.ended(place);
            return each.ask(question);
          },
        })),
    };
    const { url, failed } = await startServer([collections(() => losing)]);
    const response = await fetch(`${url}/collections/news-en/items`);
    await expect(response.text()).rejects.toThrow();
    expect(asked).toBe(4);
    expect(failed).toMatchObject([{ code: 'LS_CLUSTER_EXPORT_OVERTAKEN' }]);
  });

  it('of which a client takes nothing more holds up no stop', async () => {
    const items = Array.from({ length: 500 }, (_, index) => ({ itemId: `test/${'a'.repeat(1_000)}${index}`, inputId: 'a', role: 'noise', clusterId: null, clusterName: null }));
    const endless = { familyOf: () => 'news', exports: () => [{ family: 'news', collection: 'news', take: () => items }] };
    const clusters = { partitions: () => Promise.resolve([{ ask: (question: (view: unknown) => unknown) => Promise.resolve({ value: question(endless), heldAt: { partition: 0, sequence: 1n } }) }]) };
    const { url, drain, answered, failed } = await startServer([collections(() => clusters as unknown as Pick<LiveClusters, 'partitions'>)]);
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
    socket.write('GET /collections/news/items HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.pause();
    await drain(AbortSignal.timeout(30_000));
    expect(answered).toMatchObject([{ path: '/collections/news/items', status: 503 }]);
    expect(failed).toMatchObject([{ code: 'LS_SERVER_DRAINING', message: 'the client took nothing of the export for 10000 ms' }]);
  });
});
