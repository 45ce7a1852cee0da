/** Seeded logs of everything that a features partition may hold: what the fold's properties are tried on. */
import type { ControlEvent, FeatureEvent } from '../../../src/core/events.generated.ts';
import { generationId, itemHashOf } from '../../../src/core/ids.ts';
import type { SeededRandom } from '../../codec/seeded-random.ts';
import { control, define, feature, type Incoming } from './fold-harness.ts';

const families = ['news-${language}', 'all'] as const;
const collectionsOf = { 'news-${language}': ['news-de', 'news-en', 'news-fr'], all: ['all'] } as const;
const incarnations = ['text-1', 'parked-1'] as const;

/** A term above all sequences of these logs. */
const laterThanAll = 2n ** 40n;

type LabelChoice = (random: SeededRandom) => { readonly family: string; readonly collection: string; readonly clusterId: string } | undefined;

type SourceOptions = {
  /** Of owners that others may have followed. */
  readonly lateTerms?: readonly bigint[];
  readonly isFreezing?: boolean;
};

/** Draws the next record; `chooseCluster` gives a living cluster to name. */
export function createLogSource(random: SeededRandom, chooseCluster: LabelChoice, { lateTerms = [0n, 1n], isFreezing = true }: SourceOptions = {}): () => Incoming {
  let timeMs = 1000;
  let defined = 0;
  const versions = new Map<string, number>();
  /** What was asked for, the last at the end: in force, pending, or neither any more. */
  const asked = new Map<string, { readonly eps: number; readonly minPoints: number }[]>();
  const origins = [0, 0];
  const reads = new Map<string, number>();
  const sent: FeatureEvent[] = [];

  /** Of an owner whose claim is in force, mostly, or of one that others have followed. */
  const ofOwner = (control: ControlEvent): ControlEvent => ({ ...control, term: random.pick([...lateTerms, laterThanAll, laterThanAll, laterThanAll, laterThanAll]) });

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
    asked.set(family, [...(asked.get(family) ?? []), { eps: changes.eps, minPoints: 3 }]);
    return define(changes, family);
  }

  function setParameters(): ControlEvent {
    const family = random.pick(families);
    const parameters = { eps: random.pick([1, 1, 1.5]), minPoints: random.pick([null, 3, 4]) };
    const former = asked.get(family) ?? [];
    asked.set(family, [...former, { eps: parameters.eps, minPoints: parameters.minPoints ?? former.at(-1)?.minPoints ?? 3 }]);
    return control({ 'labelstream.v1.SetParameters': parameters }, family);
  }

  /** Mostly of what was asked for last. */
  function swapOrRefit(): ControlEvent {
    const family = random.pick(families);
    const parameters = random.pick((asked.get(family) ?? []).slice(random.below(4) === 0 ? -3 : -1));
    const generation = generationId({ model: 'encoder', modelVersion: '1', projectionSha256: null, metric: 'euclidean', ...parameters });
    if (random.below(4) === 0) return ofOwner(control({ 'labelstream.v1.Refit': { generation, through: 0n } }, family));
    return ofOwner(control({ 'labelstream.v1.Swap': { generation, artefactSha256: '' } }, family));
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

  function freezeOrThaw(): ControlEvent {
    const family = random.pick(families);
    return ofOwner(control({ 'labelstream.v1.Freeze': { collection: random.pick(collectionsOf[family]), isFrozen: random.below(8) === 0 } }, family));
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
    if (draw < 6) return setParameters();
    if (draw < 9) return forget();
    if (draw < 11) return random.pick([(tick: ControlEvent) => tick, ofOwner])(control({ 'labelstream.v1.Tick': {} }, null));
    if (draw < 12) return control({ 'labelstream.v1.Claim': { owner: `owner ${random.below(3)}` } }, null);
    if (draw < 18) {
      const cluster = chooseCluster(random);
      if (cluster === undefined) return nextFeature();
      const { family, collection, clusterId } = cluster;
      const name = random.pick(['', 'red', 'green', 'blue']);
      return control({ 'labelstream.v1.LabelCluster': { collection, clusterId, name } }, family);
    }
    if (draw < 20) return undefined;
    if (draw < 26 && sent.length > 0) return random.pick(sent.slice(-20));
    if (draw < 34) return swapOrRefit();
    if (draw < 37) return isFreezing ? freezeOrThaw() : nextFeature();
    if (draw < 39) {
      const invalid = { ...nextFeature(), vector: Buffer.alloc(4), deleted: false };
      // Nobody sends it as it should have been: whether that would count as a repeat depends on what else its partition has read.
      sent.pop();
      return invalid;
    }
    return nextFeature();
  }

  return () => {
    timeMs += random.below(60);
    // The clocks of brokers differ: append times of one partition may fall.
    const appendTimeMs = timeMs - (random.below(5) === 0 ? random.below(100) : 0);
    const event = nextEvent();
    if (event !== undefined) return { event, appendTimeMs };
    const value = Buffer.from(random.bytes(12));
    // A value that begins with 0 names a schema of a registry, and is no record's fault.
    value[0] ||= 1;
    return { value, appendTimeMs };
  };
}
