/** Folding on under another number of partitions is folding on: the same clusters, and ids that go on (SEMANTICS.md, rule 11). */
import { describe, expect, it } from 'vitest';
import { createClusterResolver } from '../../../src/clustering/alias-resolver.ts';
import type { ControlEvent, FeatureEvent } from '../../../src/core/events.generated.ts';
import { partitionForKey } from '../../../src/core/partitioning.ts';
import { createClusterStage, type ClusterPartition } from '../../../src/stages/cluster/cluster-stage.ts';
import type { DropReason } from '../../../src/stages/cluster/fold-feature.ts';
import { repartitionedStates } from '../../../src/stages/cluster/repartitioned-states.ts';
import { restoreState, snapshotState } from '../../../src/stages/cluster/snapshot.ts';
import { emptyState } from '../../../src/stages/cluster/state.ts';
import { seededRandom } from '../../codec/seeded-random.ts';
import { asChunks, assignmentIn, codec, decodeOutputs, define, feature, partitionCounts, recordAt, tick, type Incoming, type Told } from './fold-harness.ts';
import { createLogSource } from './random-log.ts';

const seed = Number(process.env['LABELSTREAM_TEST_SEED'] ?? 20_261_121);
const logCount = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 40 : 6;
const recordsPerHalf = 250;

/** A features topic, folded as its partitions are. */
class Topic {
  partitions: ClusterPartition[] = [];
  sequences: number[] = [];
  incarnation = 0;
  readonly drops: DropReason[] = [];
  readonly resolver = createClusterResolver();
  readonly stage = createClusterStage({ codec, partitionCounts, observer: { dropped: (reason) => this.drops.push(reason) } });

  constructor(count: number) {
    for (let partition = 0; partition < count; partition++) this.partitions.push(this.open(partition));
    this.sequences = this.partitions.map(() => 0);
  }

  open(partition: number): ClusterPartition {
    return this.stage.open({ topic: 'features', partition, incarnation: `features-${this.incarnation}` });
  }

  /** To the partition of its family, or to all; then time goes on everywhere. */
  async fold(incoming: Incoming): Promise<readonly Told[]> {
    const { event, appendTimeMs = 1000 } = incoming;
    const family = event === undefined ? '' : event.family;
    const told: Told[] = [];
    for (const partition of this.partitions.keys()) {
      if (family === null || partitionForKey(family, this.partitions.length) === partition) told.push(await this.foldIn(partition, incoming));
    }
    for (const partition of this.partitions.keys()) told.push(await this.foldIn(partition, { event: tick, appendTimeMs }));
    return told;
  }

  async foldIn(partition: number, incoming: Incoming): Promise<Told> {
    const [outputs] = await this.partitions[partition]!.fold([recordAt(this.sequences[partition]!++, incoming)]);
    const told = decodeOutputs(outputs!);
    for (const label of told.labels) this.resolver.applyLabel(label);
    for (const event of told.clusterEvents) this.resolver.applyClusterEvent(event);
    return told;
  }

  async repartition(count: number): Promise<void> {
    const former = [];
    for (const [partition, opened] of this.partitions.entries()) {
      const state = emptyState({ topic: 'features', partition, incarnation: `features-${this.incarnation}` });
      await restoreState(state, asChunks(opened.snapshot()));
      former.push({ state, sequence: BigInt(this.sequences[partition]! - 1) });
    }
    this.incarnation += 1;
    const places = Array.from({ length: count }, (_, partition) => ({ partition: { topic: 'features', partition, incarnation: `features-${this.incarnation}` }, sequence: 0n }));
    const states = repartitionedStates(former, places);
    this.sequences = places.map(() => 1);
    this.partitions = [];
    for (const [partition, state] of states.entries()) {
      const opened = this.open(partition);
      await opened.restore(asChunks(snapshotState(state)));
      this.partitions.push(opened);
    }
  }

  clusters() {
    return this.partitions.flatMap(({ view }) => view.clusters({ samplesMax: 0 }).map((summary) => ({ ...summary, members: view.cluster(summary.clusterId)!.members })));
  }

  places() {
    return this.partitions.flatMap(({ view }) => Array.from({ length: 24 }, (_, index) => view.item(`test/i${index}`)).flat());
  }
}

/** Ids of the one -> ids of the other: by which cluster an item is in. */
function pairIds(plain: Topic, moved: Topic, pairs: Map<string, string>): void {
  const others = new Map(moved.places().map(({ family, itemId, clusterId, role, collection }) => [`${family} ${itemId}`, { clusterId, role, collection }]));
  const places = plain.places();
  expect(others.size).toBe(places.length);
  for (const { family, itemId, clusterId, role, collection } of places) {
    const other = others.get(`${family} ${itemId}`);
    expect(other).toMatchObject({ role, collection });
    if (clusterId === null) expect(other!.clusterId).toBeNull();
    else pairs.set(clusterId, pairs.get(clusterId) ?? other!.clusterId!);
    if (clusterId !== null) expect(other!.clusterId).toBe(pairs.get(clusterId));
  }
}

/** What consumers are told, without ids and sequences: per collection, in order. */
function toldText(told: readonly Told[], pairs: ReadonlyMap<string, string>): readonly string[] {
  const paired = (id: string | null): string => (id === null ? '-' : (pairs.get(id) ?? id));
  return told
    .flatMap(({ labels, clusterEvents, deadLetters }) => [
      ...labels.map((label) => `${assignmentIn(label).family} ${label.itemId} ${assignmentIn(label).role} ${paired(assignmentIn(label).clusterId)}`),
      ...clusterEvents.map(({ family, collection, type, survivor, retired, minted, name }) => `${family} ${collection} ${type} ${[survivor, ...retired, '>', ...minted].map((id) => (id === '>' ? id : paired(id))).join(' ')} ${name ?? ''}`),
      ...deadLetters.map(() => 'dead letter'),
    ])
    .sort();
}

function translated(event: FeatureEvent | ControlEvent, pairs: ReadonlyMap<string, string>): FeatureEvent | ControlEvent {
  if (!('action' in event)) return event;
  if ('labelstream.v1.Define' in event.action) {
    // How long whole partitions remember depends on which families share them, as it always did.
    return { ...event, action: { 'labelstream.v1.Define': { ...event.action['labelstream.v1.Define'], tombstoneRetentionMs: null } } };
  }
  if (!('labelstream.v1.LabelCluster' in event.action)) return event;
  const label = event.action['labelstream.v1.LabelCluster'];
  return { ...event, action: { 'labelstream.v1.LabelCluster': { ...label, clusterId: pairs.get(label.clusterId) ?? label.clusterId } } };
}

const same: ReadonlyMap<string, string> = new Map();

describe(`on ${logCount} random logs of seed ${seed}`, () => {
  it.for([[1, 3], [3, 1], [2, 5], [5, 2]] as const)('%d partitions, then %d, give what the first number alone gives', { timeout: 600_000 }, async ([from, to]) => {
    const seen = new Map<string, number>();
    for (let log = 0; log < logCount; log++) {
      const random = seededRandom(seed + log);
      const [plain, moved] = [new Topic(from), new Topic(from)];
      const next = createLogSource(random, () => {
        const clusters = plain.clusters();
        return clusters.length === 0 ? undefined : random.pick(clusters);
        // A claim counts up to the repartition, so what comes of late terms after it differs; and whether what was refused counts as a repeat when it
        // comes again depends on what else its partition has read.
      }, { lateTerms: [], isFreezing: false });
      const pairs = new Map<string, string>();
      let idsBefore = new Set<string>();
      for (let index = 0; index < 2 * recordsPerHalf; index++) {
        if (index === recordsPerHalf) {
          idsBefore = new Set(plain.clusters().map(({ clusterId }) => clusterId));
          await moved.repartition(to);
          expect(moved.clusters().map(({ clusterId }) => clusterId).sort(), 'living ids').toEqual([...idsBefore].sort());
          for (const id of idsBefore) pairs.set(id, id);
          if (log % 2 === 1) await moved.repartition(to);
        }
        const drawn = next();
        // Garbage has no family, and goes anywhere.
        if (drawn.event === undefined) continue;
        const hint = `log ${log}, record ${index}`;
        const [told, toldMoved] = [await plain.fold({ ...drawn, event: translated(drawn.event, same) }), await moved.fold({ ...drawn, event: translated(drawn.event, pairs) })];
        pairIds(plain, moved, pairs);
        if (index >= recordsPerHalf) {
          const retired = told.flatMap(({ clusterEvents }) => clusterEvents).flatMap(({ retired: ids }) => ids);
          for (const id of retired) seen.set(idsBefore.has(id) ? 'retired an id of before' : 'retired', (seen.get(idsBefore.has(id) ? 'retired an id of before' : 'retired') ?? 0) + 1);
          expect(toldText(toldMoved, same), hint).toEqual(toldText(told, pairs));
        }
        for (const topic of [plain, moved]) {
          for (const { itemId, family, clusterId } of topic.places()) expect(topic.resolver.clusterOf(itemId, family), `${hint}: ${itemId} in ${family}`).toBe(clusterId);
        }
      }
      expect(moved.drops).toEqual(plain.drops);
      for (const id of idsBefore) expect(pairs.get(id)).toBe(id);
      for (const reason of moved.drops) seen.set(reason, (seen.get(reason) ?? 0) + 1);
    }
    for (const name of ['duplicate', 'buried', 'superseded', 'retired an id of before']) expect(seen.get(name), name).toBeGreaterThan(0);
  });

  // By the order in which they are sent the first or the last of the partitions has come furthest.
  it.for([[['all', 'news-${language}', 'shop', 'other']], [['other', 'shop', 'news-${language}', 'all']]])('drops what comes again, whatever partition it was in: %j', async ([families]) => {
    const topic = new Topic(3);
    expect(new Set(families!.map((family) => partitionForKey(family, 3))).size).toBe(3);
    const sent = families!.map((family, index) => feature({ item: 'i1', at: [0, 0], origin: index, read: { sequence: index }, family, collection: 'c' }));
    for (const family of families!) await topic.fold({ event: define({}, family) });
    for (const event of sent) await topic.fold({ event });
    await topic.repartition(5);
    expect(topic.drops).toEqual([]);
    for (const event of sent) await topic.fold({ event });
    expect(topic.drops).toEqual(families!.map(() => 'duplicate'));
    for (const event of sent) await topic.fold({ event: { ...event, origin: { ...event.origin, sequence: 10n + event.origin.sequence }, read: { ...event.read, sequence: 10n + event.read.sequence } } });
    expect(topic.drops).toHaveLength(families!.length);
  });
});
