/** Snapshots: canonical, complete, and refused where they are not (SEMANTICS.md, rule 17). */
import { describe, expect, it } from 'vitest';
import { itemHashOf } from '../../../src/core/ids.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { createCounted } from './counted-search.ts';
import { asChunks, codec, control, define, features, openFold, openWithItems, partitionCounts, type FoldHarness } from './fold-harness.ts';

async function restored(chunks: Iterable<Buffer>): Promise<FoldHarness> {
  const harness = openFold();
  await harness.partition.restore(asChunks(chunks));
  return harness;
}

async function full(): Promise<FoldHarness> {
  const harness = await openWithItems([[0, 0], [0.5, 0], [1, 0], [9, 9]], { windowAgeMs: 5000n, windowItems: 9 });
  const [cluster] = harness.partition.view.clusters();
  await harness.fold(control({ 'labelstream.v1.LabelCluster': { collection: 'news-en', clusterId: cluster!.clusterId, name: 'line' } }));
  await harness.insert({ item: 'x', at: [1, 1], origin: 4, collection: 'news-de' });
  await harness.insert({ item: 'y', origin: 5, deleted: true });
  const through = [{ incarnation: 'text-1', partition: 0, endSequence: 4n }, { incarnation: 'text-1', partition: 1, endSequence: 9n }];
  await harness.fold(control({ 'labelstream.v1.Forget': { itemHashes: [itemHashOf('test/z'), itemHashOf('test/w')], through } }, null));
  await harness.fold(define({ metric: 'cosine', eps: 0.1 }, 'other'));
  await harness.fold(control({ 'labelstream.v1.SetParameters': { eps: 1.5, minPoints: null } }));
  return harness;
}

describe('a snapshot', () => {
  it('brings everything back', async () => {
    const harness = await full();
    const again = await restored(harness.partition.snapshot());
    expect(again.snapshot()).toEqual(harness.snapshot());
    expect(again.partition.view.clusters()).toEqual(harness.partition.view.clusters());
    expect(again.partition.view.collections()).toEqual(harness.partition.view.collections());
    expect(again.partition.view.item('test/a')).toEqual(harness.partition.view.item('test/a'));
    expect(again.partition.due()).toEqual(harness.partition.due());
  });

  it('lets go of what it was read from, also where it is broken', async () => {
    const chunks = [...(await full()).partition.snapshot()];
    const released: string[] = [];
    async function* file(content: readonly Buffer[], name: string): AsyncGenerator<Buffer> {
      try {
        for (const chunk of content) yield await Promise.resolve(chunk);
        yield Buffer.alloc(0);
      } finally {
        released.push(name);
      }
    }
    await openFold().partition.restore(file(chunks, 'whole'));
    await expect(openFold().partition.restore(file(chunks.slice(0, 2), 'cut'))).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
    expect(released).toEqual(['whole', 'cut']);
  });

  it('that ends with an error, wherever, even behind its last chunk, leaves the state as it was and nothing open, and another can be restored', async () => {
    const chunks = [...(await full()).partition.snapshot()];
    const counted = createCounted(createPlainSearch);
    const partition = createClusterStage({ codec, partitionCounts, openSearch: counted.openSearch }).open(features);
    const empty = Buffer.concat([...partition.snapshot()]);
    const view = partition.view.collections();
    const damage = new Error('a checksum does not hold');
    for (let taken = 0; taken <= chunks.length; taken++) {
      const damaged = async function* (): AsyncGenerator<Buffer> {
        yield* asChunks(chunks.slice(0, taken));
        throw damage;
      };
      await expect(partition.restore(damaged()), `after ${taken} chunks`).rejects.toBe(damage);
      expect(Buffer.concat([...partition.snapshot()]), `after ${taken} chunks`).toEqual(empty);
      expect(counted.searches(), `after ${taken} chunks`).toBe(0);
    }
    expect(partition.view.collections()).toEqual(view);
    for (const more of [chunks[0]!, Buffer.alloc(3)]) await expect(partition.restore(asChunks([...chunks, more]))).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
    expect(counted.searches()).toBe(0);
    await partition.restore(asChunks(chunks));
    expect(Buffer.concat([...partition.snapshot()])).toEqual(Buffer.concat(chunks));
    expect(partition.view.collections()).toHaveLength(2);
    await partition.close();
    expect(counted.searches()).toBe(0);
  });

  it('of an empty state is one, too', async () => {
    const harness = openFold();
    expect((await restored(harness.partition.snapshot())).snapshot()).toEqual(harness.snapshot());
  });

  it('is equal for equal states, however they came about', async () => {
    const forwards = openFold();
    const backwards = openFold();
    for (const harness of [forwards, backwards]) {
      for (const family of harness === forwards ? ['one', 'two'] : ['two', 'one']) await harness.fold(define({}, family));
    }
    const marks = [0, 1].map((originPartition) => ({ item: 'gone', origin: 0, originPartition, deleted: true, family: 'one' }));
    for (const mark of marks) await forwards.insert(mark);
    for (const mark of marks.reverse()) await backwards.insert(mark);
    expect(backwards.snapshot()).toEqual(forwards.snapshot());
  });

  it('is refused where a chunk is missing, in disorder, or of another format', async () => {
    const chunks = [...(await full()).partition.snapshot()];
    for (let missing = 0; missing < chunks.length; missing++) {
      const refused = restored(chunks.filter((_, index) => index !== missing));
      await expect(refused, `without chunk ${missing}`).rejects.toMatchObject({ code: expect.stringMatching(/^LS_CLUSTER(ING)?_SNAPSHOT_INVALID$/) as string });
    }
    await expect(restored(chunks.toReversed())).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
    const other = Buffer.from(chunks[0]!.toString('latin1').replace('"format":3', '"format":9'), 'latin1');
    await expect(restored([other, ...chunks.slice(1)])).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
    const garbled = Buffer.from(chunks[0]!.toString('latin1').replace('{', '['), 'latin1');
    await expect(restored([garbled, ...chunks.slice(1)])).rejects.toMatchObject({ code: 'LS_CLUSTER_SNAPSHOT_INVALID' });
  });
});
