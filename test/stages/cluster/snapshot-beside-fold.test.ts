/** A snapshot is the state as it was when it was opened, whatever is folded before its last chunk is taken (SEMANTICS.md, rule 17). */
import { expect, it } from 'vitest';
import { createNeighbourSearch } from '../../../src/clustering/search/fast-search.ts';
import type { ConsumedRecord, OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import { seededRandom, type SeededRandom } from '../../codec/seeded-random.ts';
import { canonicalSnapshot } from './canonical-snapshot.ts';
import { createCounted, liveVectors } from './counted-search.ts';
import { asChunks, codec, features, partitionCounts, recordAt } from './fold-harness.ts';
import { createLogSource } from './random-log.ts';

const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_260_101);
const logCount = isFullScale ? 50 : 6;
const recordsPerLog = isFullScale ? 1000 : 500;
const never = new AbortController().signal;

function open(openSearch = createNeighbourSearch): ClusterPartition {
  return createClusterStage({ codec, partitionCounts, openSearch }).open(features);
}

function clusterOf(partition: ClusterPartition) {
  return (random: SeededRandom) => {
    const clusters = partition.view.clusters({ samplesMax: 0 });
    return clusters.length === 0 ? undefined : random.pick(clusters);
  };
}

type Writing = { readonly after: number; readonly expected: Buffer; readonly chunks: Iterator<Buffer>; readonly taken: Buffer[] };

/** What is left of a snapshot that is being written: some of it, or all of it. */
function takeSome({ chunks, taken }: Writing, count: number): boolean {
  for (let index = 0; index < count; index += 1) {
    const next = chunks.next();
    if (next.done === true) return true;
    taken.push(Buffer.from(next.value));
  }
  return false;
}

async function requireRestorable({ after, expected, taken }: Writing, records: readonly ConsumedRecord[], outputs: readonly (readonly OutputRecord[])[], hint: string): Promise<void> {
  expect((await canonicalSnapshot(taken)).equals(expected), hint).toBe(true);
  const restored = open();
  await restored.restore(asChunks(taken));
  expect(await restored.fold(records.slice(after, outputs.length)), hint).toEqual(outputs.slice(after));
}

it(`is restored to the state that it was opened of, on ${logCount} random logs of seed ${seed}`, async () => {
  let written = 0;
  let givenUp = 0;
  let foldedMeanwhile = 0;
  for (let log = 0; log < logCount; log += 1) {
    const random = seededRandom(seed + log);
    const counted = createCounted(createNeighbourSearch);
    const partition = open(counted.openSearch);
    const next = createLogSource(random, clusterOf(partition));
    const records: ConsumedRecord[] = [];
    const outputs: (readonly OutputRecord[])[] = [];
    let writing: Writing | undefined;
    while (records.length < recordsPerLog || writing !== undefined) {
      const batch = Array.from({ length: 1 + random.below(12) }, (_, index) => recordAt(records.length + index, next()));
      records.push(...batch);
      if (random.below(2) === 0) await partition.prepare!(batch, never);
      if (writing === undefined && records.length < recordsPerLog && random.below(3) > 0) {
        const expected = await canonicalSnapshot(partition.snapshot());
        writing = { after: outputs.length, expected, chunks: partition.snapshot()[Symbol.iterator](), taken: [] };
      }
      outputs.push(...(await partition.fold(batch)));
      if (writing === undefined) continue;
      const hint = `seed ${seed + log}, snapshot after ${writing.after} records, taken at ${outputs.length}`;
      if (takeSome(writing, random.below(10))) {
        await requireRestorable(writing, records, outputs, hint);
        written += 1;
        foldedMeanwhile += outputs.length - writing.after;
        writing = undefined;
      } else if (random.below(12) === 0) {
        writing.chunks.return?.();
        givenUp += 1;
        writing = undefined;
      }
    }
    partition.discard!();
    // Whatever was kept for a snapshot is gone with it.
    expect(counted.stored(), `seed ${seed + log}`).toBe(await liveVectors(partition));
  }
  expect(written).toBeGreaterThan(20);
  expect(givenUp).toBeGreaterThan(5);
  expect(foldedMeanwhile).toBeGreaterThan(15 * written);
}, 600_000);
