/** Answers about clusters from somebody who owns none (SEMANTICS.md, rule 25), over the transport of the embedded log. */
import { describe, expect, it } from 'vitest';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import { forgetRecords } from '../../../src/stages/cluster/control-records.ts';
import { followClusters } from '../../../src/stages/cluster/cluster-follower.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { combineViews } from '../../../src/stages/cluster/view.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { createMemoryStateStore } from '../../pipeline/memory-state-store.ts';
import { readAll } from '../../conformance/transport-harness.ts';
import { createMemoryLogStore } from '../../transports/log/memory-log-store.ts';
import { codec, define, encodeIncoming, feature, openFold, openWithItems, partitionCounts, recordAt } from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0], [9, 9]];
const never = new AbortController().signal;

async function openLog() {
  const store = createMemoryLogStore(() => 1000);
  const transport = createLogTransport(store, { recordBytesMax: 1024 * 1024 });
  await transport.createTopics([{ topic: 'features', partitionCount: 2 }]);
  const stage = createClusterStage({ codec, partitionCounts });
  const stateStore = createMemoryStateStore();
  const append = (events: readonly Parameters<typeof encodeIncoming>[0][], partition = 1) =>
    transport.append(events.map((event) => ({ topic: 'features', partition, key: null, value: encodeIncoming(event), headers: new Map() })));
  const { incarnation } = await transport.describeTopic('features');
  /** As the owner does, after it has folded everything there is. */
  const snapshotAt = async (records: readonly ConsumedRecord[]): Promise<void> => {
    const last = records.at(-1)!;
    const partition = stage.open({ topic: 'features', partition: 1, incarnation });
    await partition.fold(records);
    const header = { stage: stage.name, topic: 'features', incarnation, partition: 1, sequence: last.sequence, position: last.nextPosition };
    await stateStore.write(header, partition.snapshot());
  };
  return { store, transport, stage, stateStore, append, snapshotAt, follow: () => followClusters({ transport, stateStore, stage, group: 'g' }, never) };
}

const events = [define(), ...line.map((at, origin) => feature({ item: `i${origin}`, at, origin }))];

describe('a follower', () => {
  it('folds the log to its end as it is now, and says where that was', async () => {
    const { append, follow } = await openLog();
    await append(events);
    const view = await follow();
    await append([feature({ item: 'later', at: [0, 0], origin: 9 })]);
    const clusters = view.clusters();
    expect(clusters.heldAt).toEqual([{ partition: 0, sequence: undefined }, { partition: 1, sequence: 4n }]);
    expect(clusters.value).toMatchObject([{ collection: 'news-en', size: 3, coreCount: 3, name: null }]);
    expect(view.collections().value).toMatchObject([{ itemCount: 4, noiseCount: 1, clusterCount: 1 }]);
    expect((await follow()).collections()).toMatchObject({ value: [{ itemCount: 5 }], heldAt: [{}, { sequence: 5n }] });
  });

  it('goes on from the newest snapshot, as from the beginning', async () => {
    const { append, follow, snapshotAt, transport, stateStore, store } = await openLog();
    await append(events.slice(0, 4));
    const whole = await follow();
    await snapshotAt(await readAll(transport, { topic: 'features', partition: 1 }));
    expect((await follow()).clusters()).toEqual(whole.clusters());
    expect(stateStore.headers()).toHaveLength(1);
    await append(events.slice(4));
    store.trim({ topic: 'features', partition: 1 }, 4n);
    const view = await follow();
    expect(view.collections()).toMatchObject({ value: [{ itemCount: 4, noiseCount: 1 }], heldAt: [{}, { sequence: 4n }] });
    store.trim({ topic: 'features', partition: 1 }, 5n);
    await expect(follow()).rejects.toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED' });
  });

  it('misses nothing where the owner has moved on from its snapshot over gaps, and retention took those', async () => {
    const { append, snapshotAt, transport, stateStore, stage } = await openLog();
    await append(events);
    const records = await readAll(transport, { topic: 'features', partition: 1 });
    await snapshotAt(records);
    // As Kafka has it where markers stood at 5 and 6, and nothing is left.
    const emptied = { position: '7', sequence: 7n };
    const bounds: typeof transport.bounds = (of) => (of.partition === 1 ? Promise.resolve({ start: emptied, end: emptied }) : transport.bounds(of));
    const follow = (committed: typeof transport.committed) => followClusters({ transport: { ...transport, bounds, committed }, stateStore, stage, group: 'g' }, never);
    const view = await follow(() => Promise.resolve({ position: '7', sequence: 4n, outputsSent: 0 }));
    expect(view.collections()).toMatchObject({ value: [{ itemCount: 4 }], heldAt: [{}, { sequence: 4n }] });
    await expect(follow(() => Promise.resolve({ position: '7', sequence: 6n, outputsSent: 0 }))).rejects.toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED' });
  });

  it('refuses a log that has lost its beginning', async () => {
    const { append, follow, store } = await openLog();
    await append(events);
    store.trim({ topic: 'features', partition: 1 }, 1n);
    await expect(follow()).rejects.toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED', details: { partition: 1, startSequence: 1n } });
  });

  it('stops when it is told to', async () => {
    const { append, transport, stateStore, stage } = await openLog();
    await append(events);
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(followClusters({ transport, stateStore, stage, group: 'g' }, aborted)).rejects.toThrow('enough');
  });

  it('reads in as many batches as its budget makes of the log', async () => {
    const { append, transport, stateStore, stage } = await openLog();
    await append(events);
    const view = await followClusters({ transport, stateStore, stage, group: 'g', budget: { records: 2, bytes: 1 } }, never);
    expect(view.collections().value).toMatchObject([{ itemCount: 4 }]);
  });

  it('sees forgets like everybody', async () => {
    const { append, transport, follow } = await openLog();
    await append(events);
    const through = [{ incarnation: 'text-1', partition: 0, endSequence: 4n }];
    await transport.append(forgetRecords(codec, 2, ['test/i0'], through));
    expect((await follow()).item('test/i0').value).toEqual([]);
  });
});

describe('a view', () => {
  it('shows one cluster with its members, and an item with its place', async () => {
    const { partition } = await openWithItems([[0, 0], [0.5, 0], [1, 0], [2, 0]]);
    const view = combineViews([{ view: partition.view, standing: () => ({ partition: 1, sequence: 4n }) }]);
    const [cluster] = view.clusters({ collection: 'news-en', samplesMax: 1 }).value;
    expect(cluster!.samples).toEqual([{ itemId: 'test/c', role: 'core', preview: 'text of c' }]);
    const detail = view.cluster(cluster!.clusterId).value!;
    expect(detail.members.map(({ itemId, role }) => [itemId, role])).toEqual([
      ['test/a', 'core'], ['test/b', 'core'], ['test/c', 'core'], ['test/d', 'border'],
    ]);
    expect(detail.samples).toHaveLength(3);
    expect(view.item('test/d')).toMatchObject({
      value: [{ role: 'border', clusterId: cluster!.clusterId, collection: 'news-en', preview: 'text of d', clusterName: null, inputId: 'd' }],
      heldAt: [{ partition: 1, sequence: 4n }],
    });
    expect(view.item('test/unknown').value).toEqual([]);
    expect(view.cluster('unknown').value).toBeUndefined();
    expect(view.clusters({ collection: 'other' }).value).toEqual([]);
    expect(view.clusters({ family: 'other' }).value).toEqual([]);
  });

  it('finds a cluster by an id that was retired', async () => {
    const harness = await openWithItems([[0, 0], [0.5, 0], [1, 0], [3, 0], [3.5, 0], [4, 0]]);
    const ids = harness.partition.view.clusters().map(({ clusterId }) => clusterId);
    await harness.insert({ item: 'bridge', at: [2, 0], origin: 6 });
    expect(ids.map((clusterId) => harness.partition.view.cluster(clusterId)?.size)).toEqual([7, 7]);
  });

  it('lists by collection, the largest cluster first', async () => {
    const places = [[0, 0], [0, 0], [0, 0], [5, 5], [5, 5], [5, 5], [5, 5]];
    const { partition } = await openWithItems(places);
    expect(partition.view.clusters().map(({ size }) => size)).toEqual([4, 3]);
  });

  it('shows directions, not lengths, under the cosine metric', async () => {
    const harness = openFold();
    await harness.fold(define({ metric: 'cosine', eps: 0.5 }));
    const vectors = [[100, 0], [1, 0.4], [1, 0.5], [1, 0.6]];
    const records = vectors.map((at, index) => recordAt(index + 1, { event: feature({ item: `i${index}`, at, origin: index }) }));
    await harness.partition.fold(records);
    expect(harness.partition.view.clusters({ samplesMax: 1 })[0]?.samples[0]?.itemId).toBe('test/i1');
  });
});
