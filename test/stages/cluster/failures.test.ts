/**
 * What may go wrong with a record or a disk, as CLUSTER meets it: prepared or not, over the plain search and the fast one. The state is what it would be without
 * (SEMANTICS.md, rules 17 and 19).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import type { Define, FeatureEvent } from '../../../src/core/events.generated.ts';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import { createDirectoryStateStore } from '../../../src/pipeline/directory-state-store.ts';
import type { FileSystem } from '../../../src/pipeline/file-system.ts';
import { createNodeFileSystem } from '../../../src/pipeline/node-file-system.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { createRandom } from '../../clustering/random.ts';
import { seed } from '../../clustering/run-scenario.ts';
import { canonicalSnapshot } from './canonical-snapshot.ts';
import { codec, codesOf, decodeOutputs, define, feature, features, partitionCounts, recordAt } from './fold-harness.ts';

const never = new AbortController().signal;
const searches = { 'the plain search': createPlainSearch, 'the fast search': createNeighbourSearch };

type Opened = {
  readonly partition: ClusterPartition;
  readonly next: (event: FeatureEvent) => ConsumedRecord;
  readonly state: () => Promise<string>;
};

/** Of 24 dimensions, so that the fast search is none of a tree; around eight places, and on them. */
async function openWith(openSearch: typeof createPlainSearch, changes: Partial<Define>, itemCount = 40): Promise<Opened> {
  const partition = createClusterStage({ codec, partitionCounts, openSearch }).open(features);
  const random = createRandom(seed);
  const places = Array.from({ length: 8 }, () => Array.from({ length: 24 }, random.gaussian));
  let sequence = 0;
  const next = (event: FeatureEvent): ConsumedRecord => recordAt(sequence++, { event });
  await partition.fold([recordAt(sequence++, { event: define({ dimensions: 24, metric: 'cosine', eps: 0.1, ...changes }) })]);
  const records = Array.from({ length: itemCount }, (_, index) => next(feature({ item: `i${index}`, at: random.pick(places).map((value) => value + random.pick([0, 0.1]) * random.gaussian()), origin: index })));
  await partition.prepare!(records, never);
  await partition.fold(records);
  expect(partition.view.clusters().length).toBeGreaterThan(0);
  return { partition, next, state: async () => (await canonicalSnapshot(partition.snapshot())).toString('base64') };
}

const ones = Array.from({ length: 24 }, () => 1);
const wrong: Readonly<Record<string, Partial<FeatureEvent> | readonly number[]>> = {
  'NaN': ones.with(3, NaN),
  'infinity': ones.with(23, Infinity),
  'minus infinity': ones.with(0, -Infinity),
  'a value beyond float32': ones.with(5, 1e39),
  'the zero vector': ones.map(() => 0),
  'the zero vector with minus signs': ones.map(() => -0),
  'a dimension too few': ones.slice(1),
  'a dimension too many': [...ones, 1],
  'no dimensions': [],
  'bytes that are no vector': { vector: Buffer.alloc(95) },
  'another number of dimensions than it says': { vector: Buffer.alloc(92, 1), dimensions: 24 },
};

const wrongFeature = (content: Partial<FeatureEvent> | readonly number[], origin: number): FeatureEvent =>
  'length' in content ? feature({ item: 'x', at: content, origin }) : { ...feature({ item: 'x', at: ones, origin }), ...content };

describe.each(Object.entries(searches))('over %s', (_name, openSearch) => {
  it.each(Object.entries(wrong))('%s is a dead letter, and the state is as it was', async (_mistake, content) => {
    const { partition, next, state } = await openWith(openSearch, {});
    const before = await state();
    const record = next(wrongFeature(content, 100));
    await partition.prepare!([record], never);
    for (const outputs of [await partition.fold([record]), await partition.fold([next(wrongFeature(content, 100))])]) {
      expect(codesOf(decodeOutputs(outputs[0]!))).toEqual(['LS_CLUSTER_VECTOR_INVALID']);
    }
    expect(await state()).toBe(before);
    // One of the same coordinate that is right is taken.
    const [right] = await partition.fold([next(feature({ item: 'x', at: ones, origin: 100 }))]);
    expect(decodeOutputs(right!).labels).toMatchObject([{ itemId: 'test/x' }]);
    await partition.close();
  });

  it('a model version that nobody declared stops the partition, and the state is as it was', async () => {
    const { partition, next, state } = await openWith(openSearch, {});
    const before = await state();
    const record = next(feature({ item: 'x', at: ones, origin: 100, modelVersion: '9' }));
    await partition.prepare!([record], never);
    await expect(partition.fold([record])).rejects.toMatchObject({ code: 'LS_CLUSTER_MODEL_UNDECLARED' });
    expect(await state()).toBe(before);
    await partition.close();
  });
});

it.each([{ metric: 'cosine', eps: 0.1 }, { metric: 'euclidean', eps: 3 }, { metric: 'euclidean', eps: 3e24 }] as const)('values like 1e25 are values: both searches tell the same of them, byte for byte (%o)', async (changes) => {
  const random = createRandom(seed);
  const scales = [1, 1e25, 1e30, 3e37, 1e-20, 1e-30];
  const vectors = Array.from({ length: 120 }, () => Array.from({ length: 24 }, (_, axis) => (axis < 4 ? 1 : 0.02 * random.gaussian()))).map((vector) => {
    const scale = random.pick(scales);
    return vector.map((value) => value * scale);
  });
  const told: (readonly Buffer[])[] = [];
  for (const openSearch of Object.values(searches)) {
    const { partition, next } = await openWith(openSearch, changes);
    const records = vectors.map((at, index) => next(feature({ item: `large${index}`, at, origin: 100 + index })));
    for (let start = 0; start < records.length; start += 30) await partition.prepare!(records.slice(start, start + 30), never);
    const outputs = (await partition.fold(records)).flat();
    expect(decodeOutputs(outputs).deadLetters).toEqual([]);
    expect(partition.view.item('test/large0')[0]?.role).toBeDefined();
    told.push([...outputs.map(({ value }) => value), await canonicalSnapshot(partition.snapshot())]);
    await partition.close();
  }
  expect(told[1]).toEqual(told[0]);
});

/** A disk that takes so many bytes more. */
function fillingUp(space: { bytes: number }): FileSystem {
  const real = createNodeFileSystem();
  return {
    ...real,
    open: async (path, options) => {
      const file = await real.open(path, options);
      return {
        ...file,
        write: async (data, offset) => {
          space.bytes -= data.length;
          if (space.bytes < 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          return file.write(data, offset);
        },
      };
    },
  };
}

describe.each(Object.entries(searches))('a disk that is full, over %s', (_name, openSearch) => {
  it('costs the snapshot, wherever in it: the fold goes on as without, the one before serves, and the next is whole', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'labelstream-full-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const space = { bytes: Infinity };
    const store = createDirectoryStateStore({ directory, fileSystem: fillingUp(space) });
    const key = { stage: 'cluster', topic: features.topic, incarnation: features.incarnation, partition: features.partition };
    const [disturbed, undisturbed] = [await openWith(openSearch, {}), await openWith(openSearch, {})];
    const write = async (sequence: bigint, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> => {
      const chunks = disturbed.partition.snapshot();
      try {
        await Promise.all([store.write({ ...key, sequence, position: String(sequence) }, chunks), meanwhile()]);
      } finally {
        // As the runner does.
        chunks[Symbol.iterator]().return?.();
      }
    };
    await write(1n);
    const restored = await disturbed.state();
    const sizeBytes = Buffer.concat([...disturbed.partition.snapshot()]).length;
    let origin = 1000;
    const random = createRandom(seed);
    for (const share of [0, 0.01, 0.3, 0.6, 0.99]) {
      space.bytes = share * sizeBytes;
      const told = [disturbed, undisturbed].map(() => [] as unknown[]);
      const events = Array.from({ length: 10 }, () => feature({ item: `i${random.below(45)}`, at: ones.map((value) => value + random.gaussian()), origin: origin++, deleted: random.chance(0.3) }));
      const fold = async ({ partition, next }: Opened, into: unknown[]): Promise<void> => {
        for (const event of events) into.push(...(await partition.fold([next(event)])));
      };
      await expect(write(BigInt(origin), () => fold(disturbed, told[0]!))).rejects.toMatchObject({ code: 'LS_STATE_WRITE_FAILED', retryable: true, cause: { code: 'ENOSPC' } });
      await fold(undisturbed, told[1]!);
      expect(told[0]).toEqual(told[1]);
      expect(await disturbed.state()).toBe(await undisturbed.state());
      const again = createClusterStage({ codec, partitionCounts, openSearch }).open(features);
      expect(await store.readNewest(key, BigInt(origin), ({ header, chunks }) => again.restore(chunks).then(() => header.sequence))).toBe(1n);
      expect((await canonicalSnapshot(again.snapshot())).toString('base64')).toBe(restored);
      await again.close();
    }
    space.bytes = Infinity;
    await write(9999n);
    const whole = createClusterStage({ codec, partitionCounts, openSearch }).open(features);
    expect(await store.readNewest(key, 9999n, ({ header, chunks }) => whole.restore(chunks).then(() => header.sequence))).toBe(9999n);
    expect((await canonicalSnapshot(whole.snapshot())).toString('base64')).toBe(await undisturbed.state());
    await Promise.all([whole, disturbed.partition, undisturbed.partition].map((partition) => partition.close()));
  });
});
