/** Partitions whose log has lost its beginning begin anew, and only those (SEMANTICS.md, rule 17). */
import { describe, expect, it } from 'vitest';
import type { Define } from '../../../src/core/events.generated.ts';
import { itemHashOf } from '../../../src/core/ids.ts';
import { partitionForKey } from '../../../src/core/partitioning.ts';
import type { AssignedPartition } from '../../../src/pipeline/transport.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { beginAnew, epochOfStart, findTruncated, type TruncatedLogOptions } from '../../../src/stages/cluster/truncated-log.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { readAll } from '../../conformance/transport-harness.ts';
import { createMemoryStateStore } from '../../pipeline/memory-state-store.ts';
import { createMemoryLogStore } from '../../transports/log/memory-log-store.ts';
import { asChunks, assignmentsIn, codec, codesOf, control, decodeOutputs, define, encodeIncoming, family, feature, originAt, partitionCounts, type FeatureContent } from './fold-harness.ts';

/** That of the family of the harness, among two. */
const location = { topic: 'features', partition: partitionForKey(family, 2) };
const group = 'g-cluster';
const never = new AbortController().signal;
const definition = (changes: Partial<Define> = {}): ReadonlyMap<string, Define> => {
  const { action } = define(changes);
  if (!('labelstream.v1.Define' in action)) throw new Error('no definition');
  return new Map([[family, action['labelstream.v1.Define']]]);
};

async function openLog(changes: { readonly fails?: () => Error | undefined; readonly collections?: TruncatedLogOptions['collections'] } = {}) {
  const store = createMemoryLogStore(() => 1000);
  const transport = createLogTransport(store, { recordBytesMax: 1024 * 1024 });
  await transport.createTopics(['features', 'labels', 'cluster-events'].map((topic) => ({ topic, partitionCount: 2 })));
  const stateStore = createMemoryStateStore(changes.fails);
  const stage = createClusterStage({ codec, partitionCounts: { ...partitionCounts, labels: 2 } });
  const { incarnation } = await transport.describeTopic('features');
  const key = { stage: stage.name, incarnation, ...location };
  const options: TruncatedLogOptions = { transport, stateStore, codec, group, collections: changes.collections ?? [] };
  const append = (...events: readonly Parameters<typeof encodeIncoming>[0][]) =>
    transport.append(events.map((event) => ({ ...location, key: null, value: encodeIncoming(event), headers: new Map() })));
  const open = async (through = 2n ** 60n) => {
    const partition = stage.open({ incarnation, ...location });
    const restored = await stateStore.readNewest(key, through, ({ header, chunks }) => partition.restore(chunks).then(() => header.sequence));
    const records = (await readAll(transport, location)).filter(({ sequence }) => sequence > (restored ?? -1n));
    return { partition, records, fold: async () => decodeOutputs((await partition.fold(records)).flat()) };
  };
  /** Folds everything, with its outputs, as the owner does. */
  const work = async (snapshots = true): Promise<void> => {
    const { partition, records } = await open();
    await transport.append((await partition.fold(records)).flat().filter(({ topic }) => topic !== 'dead-letters'));
    const last = records.at(-1)!;
    await transport.resetGroup(group, [{ ...location, checkpoint: { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 } }]);
    if (snapshots) await stateStore.write({ ...key, sequence: last.sequence, position: last.nextPosition }, partition.snapshot());
  };
  return { store, transport, stateStore, stage, key, options, append, open, work, find: () => findTruncated(options, never), trim: (start: bigint) => store.trim(location, start) };
}

const item = (origin: number, changes: Partial<FeatureContent> = {}) => feature({ item: `i${origin}`, at: [origin / 10, 0], origin, ...changes });
const items = (from: number, count: number) => Array.from({ length: count }, (_, index) => item(from + index));

describe('a truncated features log', () => {
  it('is one whose gap no snapshot bridges, and no other', async () => {
    const { append, work, find, trim, stateStore, key, options } = await openLog();
    expect(await find()).toEqual([]);
    await append(define(), ...items(0, 5));
    await work();
    trim(4n);
    expect(await find()).toEqual([]);
    await append(...items(5, 5));
    await work(false);
    trim(6n);
    expect(await find()).toEqual([]);
    trim(7n);
    expect(await find()).toMatchObject([{ partition: location, start: { sequence: 7n }, committed: 10n, snapshotSequence: 5n, recordsKept: 4n, epoch: 8, resets: [{ family, collection: 'news-en' }] }]);
    // A look changes nothing.
    expect(await stateStore.list(key)).toEqual([5n]);
    expect(await options.transport.committed(group, location)).toMatchObject({ sequence: 10n });
  });

  it('tells of its resets once, before all else, with the first record that is accepted', async () => {
    const { append, work, find, trim, open, options } = await openLog();
    await append(define(), ...items(0, 4), feature({ item: 'bad', at: [1, 2, 3], origin: 8 }), ...items(9, 4));
    await work(false);
    trim(5n);
    expect(await beginAnew(options, await find(), definition())).toEqual([]);
    expect(await find()).toEqual([]);
    const { partition, records } = await open();
    const [refused, first, ...later] = (await partition.fold(records)).map(decodeOutputs);
    expect([codesOf(refused!), refused!.clusterEvents]).toEqual([['LS_CLUSTER_VECTOR_INVALID'], []]);
    expect(first!.clusterEvents).toMatchObject([{ type: 'reset', family, collection: 'news-en', epoch: 6, sequence: 6n, index: 0, retired: [], survivor: null, cause: 'rebuild' }]);
    expect(first!.clusterEvents[0]!.generation).not.toBe('');
    expect(first!.labels).toMatchObject([{ itemId: 'test/i9', revision: { epoch: 6, number: 6n } }]);
    expect(later.flatMap(({ clusterEvents }) => clusterEvents.map(({ type, epoch, index }) => [type, epoch, index]))).toEqual([['emerged', 6, 0]]);
  });

  it('counts the events of a collection from its reset on', async () => {
    const { append, work, find, trim, open, options } = await openLog();
    await append(define(), item(0), item(1));
    await work(false);
    trim(2n);
    await beginAnew(options, await find(), definition({ minPoints: 1 }));
    const { clusterEvents } = await (await open()).fold();
    expect(clusterEvents.map(({ type, index }) => [type, index])).toEqual([['reset', 0], ['emerged', 1]]);
    expect(new Set(clusterEvents.map(({ id }) => id)).size).toBe(2);
  });

  it('tells of its resets by a record of its own where nothing is left', async () => {
    const { append, work, find, trim, open, options, stage, key, transport } = await openLog();
    await append(define(), ...items(0, 3));
    await work(false);
    trim(4n);
    await beginAnew(options, await find(), definition());
    const { partition } = await open();
    const due = partition.due()!;
    expect(due.atMs).toBe(0);
    await transport.append([due.record]);
    const outputs = await (await open()).fold();
    expect(outputs.clusterEvents.map(({ type, sequence }) => [type, sequence])).toEqual([['reset', 4n]]);
    // Until it is told, it stands in every snapshot; then nothing is due any more.
    const restored = stage.open(key);
    await restored.restore(asChunks([...partition.snapshot()]));
    expect(Buffer.concat([...restored.snapshot()])).toEqual(Buffer.concat([...partition.snapshot()]));
    await restored.fold(await readAll(transport, location));
    expect(restored.due()).toBeUndefined();
  });

  it('keeps from a former snapshot the definitions and what was forgotten, but neither items nor marks', async () => {
    const { append, work, find, trim, open, options } = await openLog();
    const forgotten = { itemHashes: [itemHashOf('test/i1')], through: [{ incarnation: originAt(0).incarnation, partition: 0, endSequence: 50n }] };
    await append(define({ version: 2, minPoints: 2 }), ...items(0, 3), control({ 'labelstream.v1.Forget': forgotten }, null));
    await work();
    await append(item(3), item(0), item(1), item(2));
    trim(6n);
    const truncated = await find();
    expect(truncated).toMatchObject([{ snapshotSequence: 4n }]);
    // No family of the configuration is here.
    await beginAnew(options, truncated, new Map());
    const outputs = await (await open()).fold();
    expect(codesOf(outputs)).toEqual([]);
    expect(outputs.clusterEvents.map(({ type }) => type)).toEqual(['reset', 'emerged']);
    expect(assignmentsIn(outputs).map((told) => told.split(' ').slice(0, 2).join(' '))).toEqual(['test/i0 noise', 'test/i0 core', 'test/i2 core']);
  });

  it('does not stop at features of models that only lost definitions named', async () => {
    const { append, work, find, trim, open, options } = await openLog();
    await append(define({ model: 'older' }), item(0, { model: 'older' }), item(1, { model: 'older' }));
    await work(false);
    await append(item(2));
    trim(2n);
    await beginAnew(options, await find(), definition({ version: 2 }));
    const outputs = await (await open()).fold();
    expect(codesOf(outputs)).toEqual(['LS_CLUSTER_GENERATION_RETIRED']);
    expect(outputs.labels.map(({ itemId }) => itemId)).toEqual(['test/i2']);
  });

  it('is left as it is where the configuration contradicts the former definitions', async () => {
    const { append, work, find, trim, options, stateStore, key } = await openLog();
    await append(define({ version: 3 }), item(0));
    await work();
    await append(item(1), item(2));
    trim(3n);
    const refused = await beginAnew(options, await find(), definition({ version: 2 }));
    expect(refused).toMatchObject([{ code: 'LS_CLUSTER_DEFINITION_STALE' }]);
    expect(await stateStore.list(key)).toEqual([1n]);
    expect(await find()).toHaveLength(1);
  });

  it('stays truncated when the first snapshot cannot be written, and can be tried again to the same end', async () => {
    let full = false;
    const { append, work, find, trim, options, stateStore, key } = await openLog({ fails: () => (full ? new Error('the disk is full') : undefined) });
    await append(define(), ...items(0, 6));
    await work(false);
    trim(3n);
    const before = await find();
    full = true;
    await expect(beginAnew(options, before, definition())).rejects.toThrow('the disk is full');
    full = false;
    const after = await find();
    expect(after).toEqual([{ ...before[0], committed: 2n }]);
    await beginAnew(options, after, definition());
    expect([await find(), await stateStore.list(key)]).toEqual([[], [2n]]);
  });

  it('is not touched while the group has a member', async () => {
    const { append, work, find, trim, options, transport, stateStore, key } = await openLog();
    await append(define(), ...items(0, 6));
    await work(false);
    trim(3n);
    const partitions: AssignedPartition[] = [];
    const listener = { assigned: (given: readonly AssignedPartition[]) => Promise.resolve(void partitions.push(...given)), revoked: () => Promise.resolve(), failed: () => undefined };
    const found = await find();
    const subscription = await transport.subscribe({ group, topics: ['features'], delivery: 'at-least-once', listener });
    await stateStore.write({ ...key, sequence: 9n, position: '9' }, [Buffer.from('of the member')]);
    await expect(beginAnew(options, found, definition())).rejects.toMatchObject({ code: 'LS_TRANSPORT_GROUP_ACTIVE' });
    expect(await stateStore.list(key)).toEqual([9n]);
    await subscription.close();
    await beginAnew(options, found, definition());
    expect(await stateStore.list(key)).toEqual([2n]);
  });

  it('gets an epoch above all that was ever told of it', async () => {
    const { append, work, find, trim, options, transport } = await openLog({ collections: [{ family, collection: 'news-fr' }, { family: 'elsewhere', collection: 'elsewhere' }] });
    await append(define(), ...items(0, 3));
    await work(false);
    trim(2n);
    const told = codec.encode('ClusterEvent', clusterEvent(41));
    await transport.append([{ topic: 'cluster-events', partition: 0, key: null, value: told, headers: new Map() }]);
    const [lost] = await find();
    expect(lost).toMatchObject({ epoch: 42 });
    expect(lost!.resets.map(({ collection }) => collection).sort()).toEqual(['news-de', 'news-en', 'news-fr']);
    await beginAnew(options, [lost!], definition());
    trim(4n);
    // Its own first snapshot is known now, too.
    expect(await find()).toMatchObject([{ epoch: 43, snapshotSequence: 1n }]);
  });
});

function clusterEvent(epoch: number) {
  const nothing = { survivor: null, retired: [], minted: [], sizes: [], name: null, cause: null };
  return { id: 'x', family, collection: 'news-de', epoch, generation: 'g', sequence: 1n, index: 0, type: 'dissolved' as const, ...nothing };
}

it('the epoch of a start rises with it, above the first, and is an Avro int for every sequence', () => {
  const starts = [1n, 2n, 1000n, 2n ** 30n - 1n, 2n ** 30n, 2n ** 30n + 2n ** 20n, 2n ** 40n];
  const epochs = starts.map(epochOfStart);
  expect(epochs.every((epoch, index) => epoch > (epochs[index - 1] ?? 1))).toBe(true);
  expect(epochs.slice(0, 4)).toEqual([2, 3, 1001, 2 ** 30]);
  for (const start of [...starts, 2n ** 62n]) {
    const event = clusterEvent(epochOfStart(start));
    expect(codec.decodeAs('ClusterEvent', codec.encode('ClusterEvent', event)).epoch).toBe(event.epoch);
  }
});
