/** What must hold of any log (SEMANTICS.md, rules 10, 12, 13, 15, 17 and 19 to 21), on seeded random ones. */
import { describe, expect, it } from 'vitest';
import { canonicalSnapshot } from './canonical-snapshot.ts';
import { createClusterResolver } from '../../../src/clustering/alias-resolver.ts';
import type { ConsumedRecord, OutputRecord } from '../../../src/core/records.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import type { DropReason } from '../../../src/stages/cluster/fold-feature.ts';
import { seededRandom, type SeededRandom } from '../../codec/seeded-random.ts';
import { asChunks, codec, codesOf, decodeOutputs, features, partitionCounts, recordAt } from './fold-harness.ts';
import { createNaiveFold } from './naive-fold.ts';
import { createLogSource } from './random-log.ts';

const isFullScale = process.env['LABELSTREAM_TEST_SCALE'] === 'full';
const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_260_101);
const logCount = isFullScale ? 50 : 5;
const recordsPerLog = isFullScale ? 1000 : 400;
const timeoutMs = 600_000;

function openPartition(dropped: (reason: DropReason) => void = () => undefined): ClusterPartition {
  return createClusterStage({ codec, partitionCounts, createOwner: () => 'owner', observer: { dropped }, sliceWork: 1 }).open(features);
}

function chooseFrom(partition: ClusterPartition) {
  return (random: SeededRandom) => {
    const clusters = partition.view.clusters({ samplesMax: 0 });
    return clusters.length === 0 ? undefined : random.pick(clusters);
  };
}

async function foldOne(partition: ClusterPartition, record: ConsumedRecord): Promise<readonly OutputRecord[]> {
  return (await partition.fold([record]))[0]!;
}

function placesIn(partition: ClusterPartition): readonly string[] {
  return Array.from({ length: 24 }, (_, index) => partition.view.item(`test/i${index}`))
    .flat()
    .map(({ family, collection, itemId }) => `${family} ${collection} ${itemId}`)
    .sort();
}

function frozenIn(partition: ClusterPartition): readonly string[] {
  return partition.view.collections().flatMap(({ family, collection, isFrozen }) => (isFrozen ? [`${family} ${collection}`] : [])).sort();
}

/** Ids that consumers would make of everything told so far, against the state. */
function expectAgreement(partition: ClusterPartition, resolver: ReturnType<typeof createClusterResolver>, hint: string): void {
  for (let index = 0; index < 24; index++) {
    for (const { itemId, family, clusterId } of partition.view.item(`test/i${index}`)) {
      expect(resolver.clusterOf(itemId, family), `${hint}, ${itemId} in ${family}`).toBe(clusterId);
    }
  }
  for (const { clusterId, name } of partition.view.clusters({ samplesMax: 0 })) {
    expect(resolver.nameOf(clusterId) ?? null, `${hint}, name of ${clusterId}`).toBe(name);
  }
}

describe(`on ${logCount} random logs of seed ${seed}`, () => {
  it('consumers with the resolver agree with the state, and the items live as the plain rules say', async () => {
    const seen = new Map<string, number>();
    const note = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1);
    for (let log = 0; log < logCount; log++) {
      const random = seededRandom(seed + log);
      const partition = openPartition((reason) => note(`dropped ${reason}`));
      const next = createLogSource(random, chooseFrom(partition));
      const resolver = createClusterResolver();
      const naive = createNaiveFold();
      for (let sequence = 0; sequence < recordsPerLog; sequence++) {
        const incoming = next();
        const told = decodeOutputs(await foldOne(partition, recordAt(sequence, incoming)));
        // Labels first or cluster events first: a consumer may read the two topics in any relative order.
        for (const event of random.below(2) === 0 ? told.clusterEvents : []) resolver.applyClusterEvent(event);
        for (const label of told.labels) resolver.applyLabel(label);
        for (const event of told.clusterEvents) resolver.applyClusterEvent(event);
        for (const { type } of told.clusterEvents) note(type);
        for (const code of codesOf(told)) note(code ?? 'no code');
        naive.fold(incoming.event, { sequence, appendTimeMs: incoming.appendTimeMs! }, codesOf(told)[0]);
        const hint = `seed ${seed + log}, record ${sequence}`;
        expect(placesIn(partition), hint).toEqual(naive.places());
        expect(frozenIn(partition), hint).toEqual(naive.frozen());
        expectAgreement(partition, resolver, hint);
      }
    }
    const kinds = ['emerged', 'merged', 'split', 'dissolved', 'labelled', 'dropped duplicate', 'dropped buried', 'dropped superseded'];
    for (const kind of [...kinds, 'LS_CLUSTER_COLLECTION_LIMIT', 'LS_CLUSTER_COLLECTION_FROZEN', 'LS_CLUSTER_VECTOR_INVALID']) {
      expect(seen.get(kind) ?? 0, `${kind} among ${JSON.stringify(Object.fromEntries(seen))}`).toBeGreaterThan(10);
    }
  }, timeoutMs);

  it('cutting the log anywhere, and going on from a snapshot, gives the same bytes', async () => {
    for (let log = 0; log < logCount; log++) {
      const random = seededRandom(seed + log);
      const whole = openPartition();
      const next = createLogSource(random, chooseFrom(whole));
      const records: ConsumedRecord[] = [];
      const expected: (readonly OutputRecord[])[] = [];
      for (let sequence = 0; sequence < recordsPerLog; sequence++) {
        const record = recordAt(sequence, next());
        records.push(record);
        expected.push(await foldOne(whole, record));
      }
      let partition = openPartition();
      const outputs: (readonly OutputRecord[])[] = [];
      for (let start = 0; start < records.length;) {
        const end = start + 1 + random.below(40);
        outputs.push(...(await partition.fold(records.slice(start, end))));
        start = end;
        if (random.below(2) === 0) continue;
        const bytes = Buffer.concat([...partition.snapshot()]);
        const restored = openPartition();
        await restored.restore(asChunks(recut(bytes, random)));
        const canonical = await canonicalSnapshot([bytes]);
        expect((await canonicalSnapshot(restored.snapshot())).equals(canonical), `seed ${seed + log}, snapshot before ${end}`).toBe(true);
        // What is urgent is the business of the process: it builds a generation, or has yet to begin.
        const [due, dueAfterRestore] = [partition.due(), restored.due()];
        if (due?.isUrgent !== true && dueAfterRestore?.isUrgent !== true) expect(dueAfterRestore, `seed ${seed + log}, due before ${end}`).toEqual(due);
        partition = restored;
      }
      for (const [sequence, output] of outputs.entries()) {
        expect(output, `seed ${seed + log}, record ${sequence}`).toEqual(expected[sequence]);
      }
      expect(outputs).toHaveLength(records.length);
      expect((await canonicalSnapshot(partition.snapshot())).equals(await canonicalSnapshot(whole.snapshot()))).toBe(true);
    }
  }, timeoutMs);
});

function recut(bytes: Buffer, random: SeededRandom): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + 1 + random.below(3000);
    chunks.push(bytes.subarray(start, end));
    start = end;
  }
  return chunks;
}
