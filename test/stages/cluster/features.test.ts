/** Features into clusters: what is told, and what is dropped as a duplicate, as late, or as superseded (SEMANTICS.md, rules 12 and 15). */
import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { partitionForKey } from '../../../src/core/partitioning.ts';
import type { OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import {
  assignmentIn, assignmentsIn, codec, codesOf, decodeOutputs, define, feature, features, openFold, openWithItems, originAt, partitionCounts, recordAt,
} from './fold-harness.ts';

const line = [[0, 0], [0.5, 0], [1, 0]];

describe('features', () => {
  it('are told as noise, then as members of the cluster that emerges', async () => {
    const harness = openFold();
    await harness.fold(define());
    const alone = await harness.insert({ item: 'a', at: [0, 0], origin: 0 });
    expect(assignmentsIn(alone)).toEqual(['test/a noise -']);
    await harness.insert({ item: 'b', at: [0.5, 0], origin: 1 });
    const third = await harness.insert({ item: 'c', at: [1, 0], origin: 2 });
    expect(third.clusterEvents).toHaveLength(1);
    const [event] = third.clusterEvents;
    expect(event).toMatchObject({ type: 'emerged', collection: 'news-en', epoch: 1, sequence: 3n, index: 0, cause: 'test/c', name: null });
    expect(assignmentsIn(third)).toEqual(['a', 'b', 'c'].map((item) => `test/${item} core ${event!.survivor!}`));
  });

  it('carry the item\'s own origin, model and revision in their assignments', async () => {
    const harness = await openWithItems(line.slice(0, 2));
    const { labels } = await harness.insert({ item: 'c', at: [1, 0], origin: 7, appendTime: 900 });
    expect(labels.map(({ itemId, origin }) => [itemId, origin])).toEqual([
      ['test/a', originAt(0)], ['test/b', originAt(1)], ['test/c', originAt(7, { appendTime: 900 })],
    ]);
    for (const label of labels) {
      expect(label).toMatchObject({ task: 'cluster-assignment', model: 'encoder', modelVersion: '1', routeStep: 'texts/embed' });
      expect(label.revision).toEqual({ epoch: 1, number: 3n });
      expect(assignmentIn(label)).toMatchObject({ family: 'news-${language}', collection: 'news-en', sequence: 3n });
    }
  });

  it('go to the partition of their key', async () => {
    const harness = await openWithItems(line.slice(0, 2));
    const [outputs] = await harness.partition.fold([recordAt(3, { event: feature({ item: 'c', at: [1, 0], origin: 2 }) })]);
    expect(outputs).toHaveLength(4);
    for (const { topic, key, partition } of outputs!) {
      const count = topic === 'labels' ? partitionCounts.labels : partitionCounts.clusterEvents;
      expect(partition).toBe(partitionForKey(key!, count));
      expect(topic === 'labels' || key!.toString() === 'news-en').toBe(true);
    }
  });

  it('bring their trace to what is told of their item and of clusters because of it, and to no other item', async () => {
    const traceparent = Buffer.from('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
    const stage = createClusterStage({ codec, partitionCounts, cloudEventSource: '/labelstream/g' });
    const fold = async (): Promise<readonly OutputRecord[]> => {
      const partition = stage.open(features);
      const events = [define(), ...line.map((at, index) => feature({ item: 'abc'.charAt(index), at, origin: index }))];
      const records = events.map((event, sequence) => recordAt(sequence, { event }));
      const last = { ...records[3]!, headers: new Map([['traceparent', traceparent], ['other', Buffer.from('x')]]) };
      return (await partition.fold([...records.slice(0, 3), last])).at(-1)!;
    };
    const outputs = await fold();
    const { labels, clusterEvents } = decodeOutputs(outputs);
    const told = outputs.map(({ headers }) => [headers.get('ce_id')?.toString(), headers.get('ce_type')?.toString(), headers.get('traceparent')]);
    expect(told).toEqual([
      [clusterEvents[0]!.id, 'labelstream.v1.ClusterEvent', traceparent],
      ...labels.map(({ id, itemId }) => [id, 'labelstream.v1.LabelEvent', itemId === 'test/c' ? traceparent : undefined]),
    ]);
    expect(labels.map(({ itemId }) => itemId)).toEqual(['test/a', 'test/b', 'test/c']);
    expect(outputs.some(({ headers }) => headers.has('other'))).toBe(false);
    expect(await fold(), 'once more').toEqual(outputs);
  });

  it('of one read coordinate count once', async () => {
    const harness = await openWithItems(line);
    const before = harness.snapshot();
    expect(await harness.insert({ item: 'b', at: [9, 9], origin: 1 })).toEqual({ labels: [], clusterEvents: [], deadLetters: [] });
    expect(await harness.insert({ item: 'z', at: [9, 9], origin: 2, read: { index: 0 } })).toMatchObject({ labels: [] });
    expect(await harness.insert({ item: 'z', at: [9, 9], origin: 1, read: { index: 5 } })).toMatchObject({ labels: [] });
    expect(harness.drops).toEqual(['duplicate', 'duplicate', 'duplicate']);
    expect(harness.snapshot()).toEqual(before);
    expect(assignmentsIn(await harness.insert({ item: 'z', at: [9, 9], origin: 2, read: { index: 1 } }))).toEqual(['test/z noise -']);
  });

  it('keep one mark per partition that EXTRACT read', async () => {
    const harness = await openWithItems(line);
    const other = { item: 'd', at: [9, 9], origin: 0, originPartition: 1 };
    expect(assignmentsIn(await harness.insert(other))).toEqual(['test/d noise -']);
    await harness.insert(other);
    expect(harness.drops).toEqual(['duplicate']);
  });

  it('of a re-sent id replace the item, with its new content', async () => {
    const harness = await openWithItems(line);
    const told = await harness.insert({ item: 'c', at: [9, 9], origin: 3 });
    expect(told.clusterEvents.map(({ type }) => type)).toEqual(['dissolved']);
    expect(assignmentsIn(told)).toEqual(['test/a noise -', 'test/b noise -', 'test/c noise -']);
    expect(told.labels.at(-1)?.origin).toEqual(originAt(3));
    expect(harness.partition.view.collections()).toMatchObject([{ itemCount: 3, noiseCount: 3, clusterCount: 0 }]);
  });

  it('redriven under another read coordinate are dropped while the live item is as new', async () => {
    const harness = await openWithItems(line);
    const redrive = { incarnation: 'parked-1', sequence: 0 };
    expect(assignmentsIn(await harness.insert({ item: 'b', at: [9, 9], origin: 1, read: redrive }))).toEqual([]);
    expect(harness.drops).toEqual(['superseded']);
  });

  it('redriven under another read coordinate are applied where nothing newer lives', async () => {
    const harness = await openWithItems(line.slice(0, 2));
    const told = await harness.insert({ item: 'late', at: [1, 0], origin: 0, read: { incarnation: 'parked-1', sequence: 0 } });
    expect(assignmentsIn(told)).toHaveLength(3);
    expect(harness.drops).toEqual([]);
  });

  it('of an older origin are dropped, of another partition or route step applied', async () => {
    const harness = await openWithItems([]);
    const replay = (sequence: number) => ({ incarnation: 'replay-1', sequence });
    await harness.insert({ item: 'a', at: [0, 0], origin: 5 });
    await harness.insert({ item: 'a', at: [1, 1], origin: 4, read: replay(0) });
    expect(harness.drops).toEqual(['superseded']);
    expect((await harness.insert({ item: 'a', at: [2, 2], origin: 4, routeStep: 'texts/other', read: replay(1) })).labels).toHaveLength(1);
    const elsewhere = { item: 'a', at: [3, 3], origin: 1, originPartition: 1, read: { incarnation: 'replay-1', sequence: 0 } };
    expect((await harness.insert(elsewhere)).labels[0]?.origin.partition).toBe(1);
    expect(harness.partition.view.item('test/a')).toHaveLength(1);
  });

  it('move between the collections of a family in one record', async () => {
    const harness = await openWithItems(line);
    const told = await harness.insert({ item: 'c', at: [1, 0], origin: 3, collection: 'news-de' });
    // The collections in byte order: news-de first. The move itself is told by the assignment in the new collection alone.
    expect(told.labels.map((label) => [label.itemId, assignmentIn(label).collection, assignmentIn(label).role])).toEqual([
      ['test/c', 'news-de', 'noise'], ['test/a', 'news-en', 'noise'], ['test/b', 'news-en', 'noise'],
    ]);
    expect(told.clusterEvents).toMatchObject([{ type: 'dissolved', collection: 'news-en', cause: 'test/c', index: 0 }]);
    expect(harness.partition.view.item('test/c')).toMatchObject([{ collection: 'news-de' }]);
    expect(harness.partition.view.collections().map(({ itemCount }) => itemCount)).toEqual([1, 2]);
  });

  it('count cluster events per collection', async () => {
    const harness = await openWithItems(line);
    for (const [index, at] of [[5, 0], [5.5, 0]].entries()) {
      await harness.insert({ item: `x${index}`, at, origin: 3 + index, collection: 'news-de' });
    }
    const told = await harness.insert({ item: 'c', at: [6, 0], origin: 5, collection: 'news-de' });
    expect(told.clusterEvents.map(({ collection, index, type }) => [collection, index, type])).toEqual([
      ['news-de', 0, 'emerged'], ['news-en', 0, 'dissolved'],
    ]);
    expect(new Set(told.clusterEvents.map(({ id }) => id)).size).toBe(2);
  });

  it('leave no collection behind when the last item moves away', async () => {
    const harness = await openWithItems([[0, 0]], { maxCollections: 1 });
    const told = await harness.insert({ item: 'a', at: [0, 0], origin: 1, collection: 'news-de' });
    expect(codesOf(told)).toEqual([]);
    expect(harness.partition.view.collections()).toMatchObject([{ collection: 'news-de', itemCount: 1 }]);
  });

  it('of a deletion take the item out of whatever collection it is in, and tell so', async () => {
    const harness = await openWithItems(line);
    await harness.insert({ item: 'd', at: [5, 5], origin: 3, collection: 'news-de' });
    const told = await harness.insert({ item: 'd', origin: 4, deleted: true });
    expect(told.labels.map(assignmentIn)).toMatchObject([{ collection: 'news-de', role: 'removed', clusterId: null }]);
    expect(told.labels[0]?.origin).toEqual(originAt(3));
    expect(harness.partition.view.item('test/d')).toEqual([]);
  });

  it('older than a deletion are dropped, later ones are new', async () => {
    const harness = await openWithItems(line);
    await harness.insert({ item: 'a', origin: 3, deleted: true });
    await harness.insert({ item: 'a', at: [0, 0], origin: 2, read: { incarnation: 'parked-1', sequence: 0 } });
    expect(harness.drops).toEqual(['buried']);
    expect(assignmentsIn(await harness.insert({ item: 'a', at: [9, 9], origin: 4 }))).toEqual(['test/a noise -']);
  });

  it('stay when a late deletion is older than they are', async () => {
    const harness = await openWithItems([]);
    await harness.insert({ item: 'a', at: [0, 0], origin: 5 });
    const told = await harness.insert({ item: 'a', origin: 4, deleted: true, read: { incarnation: 'parked-1', sequence: 0 } });
    expect(told.labels).toEqual([]);
    expect(harness.partition.view.item('test/a')).toHaveLength(1);
  });

  it('of a deletion from another input partition take the item away, since nothing says which is newer', async () => {
    const harness = await openWithItems([[0, 0]]);
    const told = await harness.insert({ item: 'a', origin: 0, originPartition: 1, deleted: true });
    expect(assignmentsIn(told)).toEqual(['test/a removed -']);
  });

  it('give ids that hang on content and coordinates alone', async () => {
    const outputs = async (): Promise<string> => {
      const { partition } = await openWithItems(line.slice(0, 2));
      const [told] = await partition.fold([recordAt(3, { event: feature({ item: 'c', at: [1, 0], origin: 2 }) })]);
      const hash = createHash('sha256');
      for (const { value } of told!) hash.update(value);
      return hash.digest('hex');
    };
    expect(await outputs()).toBe(await outputs());
  });
});
