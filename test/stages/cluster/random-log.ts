/** Seeded logs of everything that a features partition may hold: what the fold's properties are tried on. */
import type { ControlEvent, FeatureEvent } from '../../../src/core/events.generated.ts';
import { itemHashOf } from '../../../src/core/ids.ts';
import type { SeededRandom } from '../../codec/seeded-random.ts';
import { control, define, feature, type Incoming } from './fold-harness.ts';

const families = ['news-${language}', 'all'] as const;
const collectionsOf = { 'news-${language}': ['news-de', 'news-en', 'news-fr'], all: ['all'] } as const;
const incarnations = ['text-1', 'parked-1'] as const;

type LabelChoice = (random: SeededRandom) => { readonly family: string; readonly collection: string; readonly clusterId: string } | undefined;

/** Draws the next record; `chooseCluster` gives a living cluster to name. */
export function createLogSource(random: SeededRandom, chooseCluster: LabelChoice): () => Incoming {
  let timeMs = 1000;
  let defined = 0;
  const versions = new Map<string, number>();
  const origins = [0, 0];
  const reads = new Map<string, number>();
  const sent: FeatureEvent[] = [];

  function defineNext(): ControlEvent {
    const family = families[defined++ % families.length]!;
    const version = (versions.get(family) ?? 0) + 1;
    versions.set(family, version);
    const changes = {
      version,
      eps: random.pick([1, 1, 1.5]),
      windowItems: random.pick([null, 12, 20]),
      windowAgeMs: random.pick([null, 800n, 3000n]),
      windowAgeBy: random.pick(['append', 'occurred'] as const),
      maxCollections: random.pick([2, 3]),
      relabelOnMerge: random.below(4) === 0,
      tombstoneRetentionMs: random.pick([null, 200n, 1000n]),
    };
    return define(changes, family);
  }

  function nextFeature(): FeatureEvent {
    const originPartition = random.below(2);
    const redriven = random.below(8) === 0;
    const latest = origins[originPartition]!;
    const origin = redriven ? random.below(latest + 1) : latest;
    if (!redriven) origins[originPartition] = latest + 1;
    const incarnation = incarnations[redriven ? 1 : 0];
    const readKey = `${incarnation} ${originPartition}`;
    const readSequence = reads.get(readKey) ?? 0;
    reads.set(readKey, readSequence + 1);
    const family = random.pick(families);
    const deleted = random.below(9) === 0;
    const appendTime = timeMs - random.below(200);
    const event = feature({
      item: `i${random.below(24)}`,
      at: deleted ? [] : [random.below(8), random.below(4)],
      origin,
      originPartition,
      appendTime,
      occurredAt: appendTime + random.below(400) - 300,
      family,
      deleted,
      read: { incarnation, sequence: readSequence },
      routeStep: random.below(12) === 0 ? 'texts/other' : 'texts/embed',
      ...(deleted ? {} : { collection: random.pick(collectionsOf[family]) }),
    });
    sent.push(event);
    return event;
  }

  function forget(): ControlEvent {
    const itemHashes = [...new Set(Array.from({ length: 3 }, () => itemHashOf(`test/i${random.below(24)}`)))];
    const through = origins.map((end, partition) => ({
      incarnation: 'text-1',
      partition,
      endSequence: BigInt(Math.max(0, end - random.below(4) + 2)),
    }));
    return control({ 'labelstream.v1.Forget': { itemHashes, through } }, random.pick([null, null, families[0]]));
  }

  function nextEvent(): FeatureEvent | ControlEvent | undefined {
    const draw = random.below(100);
    if (defined < families.length) return defineNext();
    if (draw < 2) return defineNext();
    if (draw < 4) return control({ 'labelstream.v1.SetParameters': { eps: random.pick([1, 1, 1.5]), minPoints: random.pick([null, 3, 4]) } }, random.pick(families));
    if (draw < 7) return forget();
    if (draw < 10) return control({ 'labelstream.v1.Tick': {} }, null);
    if (draw < 16) {
      const cluster = chooseCluster(random);
      if (cluster === undefined) return nextFeature();
      const { family, collection, clusterId } = cluster;
      const name = random.pick(['', 'red', 'green', 'blue']);
      return control({ 'labelstream.v1.LabelCluster': { collection, clusterId, name } }, family);
    }
    if (draw < 18) return undefined;
    if (draw < 24 && sent.length > 0) return random.pick(sent.slice(-20));
    if (draw < 26) return { ...nextFeature(), vector: Buffer.alloc(4), deleted: false };
    return nextFeature();
  }

  return () => {
    timeMs += random.below(60);
    // The clocks of brokers differ: append times of one partition may fall.
    const appendTimeMs = timeMs - (random.below(5) === 0 ? random.below(100) : 0);
    const event = nextEvent();
    return event === undefined ? { value: random.bytes(12), appendTimeMs } : { event, appendTimeMs };
  };
}
