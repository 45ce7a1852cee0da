/** What CLUSTER does for a batch before its fold: it changes nothing that comes of the records. */
import { afterAll, expect, it } from 'vitest';
import type { OpenSearch } from '../../../src/clustering/neighbour-search.ts';
import { createPlainSearch } from '../../../src/clustering/plain-search.ts';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import { createSearchWorkers } from '../../../src/clustering/search/search-workers.ts';
import type { OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage } from '../../../src/stages/cluster/cluster-stage.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import { canonicalSnapshot } from './canonical-snapshot.ts';
import { createCounted, liveVectors } from './counted-search.ts';
import { codec, define, feature, features, partitionCounts, recordAt, type Incoming } from './fold-harness.ts';
import { createLogSource } from './random-log.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_260_101);
const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const never = new AbortController().signal;
const written = (outputs: readonly OutputRecord[]): string[] => outputs.map(({ topic, partition, value }) => `${topic} ${partition} ${value.toString('hex')}`);

function openCounting() {
  const decoded: Buffer[] = [];
  const counting: typeof codec = {
    ...codec,
    decode: (value) => {
      decoded.push(value);
      return codec.decode(value);
    },
  };
  return { decoded, partition: createClusterStage({ codec: counting, partitionCounts }).open(features) };
}

const workers = createSearchWorkers();
afterAll(() => workers.close());

const searches: readonly (readonly [string, OpenSearch])[] = [
  ['plain', createPlainSearch],
  ['a tree', createNeighbourSearch],
  ['products in a worker', (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'flat', workers, workerFrom: 0 })],
  ['cells in a worker', (dimensions, parameters) => createNeighbourSearch(dimensions, parameters, { kernel: 'cells', workers, workerFrom: 0 })],
];

it.each(searches)(`folds a log that is prepared at random as it folds it without, searching with %s (seed ${seed})`, async (name, openSearch) => {
  let prepared = 0;
  for (let log = 0; log < (isFullScale ? 30 : 3); log += 1) {
    const random = seededRandom(seed + log);
    const plain = createClusterStage({ codec, partitionCounts }).open(features);
    const next = createLogSource(random, () => undefined);
    const malformed = (): Incoming => ({ value: Buffer.from([0xc3, 0x01, ...Array.from({ length: random.below(20) }, () => random.below(256))]) });
    const records = Array.from({ length: 300 }, (_, sequence) => recordAt(sequence, random.below(15) === 0 ? malformed() : next()));
    const expected = (await plain.fold(records)).flat();
    const counted = createCounted(openSearch);
    const partition = createClusterStage({ codec, partitionCounts, openSearch: counted.openSearch }).open(features);
    const outputs: OutputRecord[] = [];
    let ahead = Promise.resolve();
    for (let from = 0; from < records.length; ) {
      const batch = records.slice(from, (from += 1 + random.below(20)));
      await ahead;
      // The batch after it, as the runner does, or nothing, or what is then discarded.
      ahead = random.below(3) === 0 ? Promise.resolve() : partition.prepare!(records.slice(from, from + 30), never);
      outputs.push(...(await partition.fold(batch)).flat());
      if (random.below(8) === 0) partition.discard!();
    }
    await ahead;
    const hint = `seed ${seed + log}, ${name}`;
    expect(written(outputs), hint).toEqual(written(expected));
    expect((await canonicalSnapshot(partition.snapshot())).equals(await canonicalSnapshot(plain.snapshot())), hint).toBe(true);
    partition.discard!();
    expect(counted.stored(), hint).toBe(await liveVectors(partition));
    expect(counted.searches(), hint).toBe(partition.view.collections().length);
    prepared += counted.prepared();
    await partition.close();
    expect(counted.searches(), hint).toBe(0);
  }
  expect(prepared).toBeGreaterThan(100);
});

it('decodes a prepared record once, and one that was discarded, or asked for twice, again', async () => {
  const { decoded, partition } = openCounting();
  const records = [define(), feature({ item: 'a', at: [1, 1], origin: 0 }), feature({ item: 'b', at: [2, 1], origin: 1 })].map((event, sequence) => recordAt(sequence, { event }));
  await partition.prepare!(records, never);
  expect(decoded).toHaveLength(3);
  await partition.fold(records.slice(0, 2));
  expect(decoded).toHaveLength(3);
  partition.discard!();
  await partition.fold(records.slice(2));
  expect(decoded).toHaveLength(4);
});

it('prepares nothing where it would have to wait once it is to stop', async () => {
  const stopping = new AbortController();
  const waiting: typeof codec = {
    ...codec,
    prepareDecode: (_value, options) => new Promise((_resolve, reject) => options?.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true })),
  };
  const partition = createClusterStage({ codec: waiting, partitionCounts }).open(features);
  const records = [recordAt(0, { event: define() })];
  const prepared = partition.prepare!(records, stopping.signal);
  const folded = partition.fold(records, stopping.signal);
  stopping.abort();
  await prepared;
  expect(await folded).toEqual([]);
});
