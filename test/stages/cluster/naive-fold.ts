/**
 * Rules 12, 13, 19, 20 and 21 written a second time, as plainly as they read: which items live where after each record, from lists that
 * are searched from end to end. It knows nothing of clusters.
 */
import type { ControlEvent, Define, FeatureEvent, Origin, ReadCoordinate } from '../../../src/core/events.generated.ts';
import { compareItemIds, itemHashOf } from '../../../src/core/ids.ts';

type Live = { readonly feature: FeatureEvent };
type Grave = { readonly family: string | null; readonly hash: string; readonly origin: Pick<Origin, 'incarnation' | 'partition' | 'sequence'>; setAtMs: number };

export type NaiveFold = {
  /**
   * @param refusedWith what the fold under test made a dead letter of it for: the pure checks are not repeated here.
   * @throws where that says of a collection that it is frozen, and it is not, or the other way round.
   */
  readonly fold: (event: FeatureEvent | ControlEvent | undefined, at: { readonly sequence: number; readonly appendTimeMs: number }, refusedWith: string | undefined) => void;
  /** "family collection item", sorted. */
  readonly places: () => readonly string[];
  /** "family collection", sorted. */
  readonly frozen: () => readonly string[];
};

const frozenCode = 'LS_CLUSTER_COLLECTION_FROZEN';

export function createNaiveFold(): NaiveFold {
  let timeMs = 0;
  const definitions = new Map<string, Define>();
  const reads: ReadCoordinate[] = [];
  let graves: Grave[] = [];
  let live: Live[] = [];
  let frozen = new Set<string>();
  let claim: { readonly owner: string; readonly term: number } | undefined;

  const placeOf = ({ family, collection }: Pick<FeatureEvent, 'family' | 'collection'>): string => `${family} ${collection}`;
  const samePartition = (left: { incarnation: string; partition: number }, right: { incarnation: string; partition: number }): boolean =>
    left.incarnation === right.incarnation && left.partition === right.partition;

  function retention(family: string | null): bigint | null {
    const all = family === null ? [...definitions.values()] : [definitions.get(family)!];
    const spans = all.map(({ tombstoneRetentionMs }) => tombstoneRetentionMs);
    return spans.includes(null) ? null : spans.map((span) => span!).reduce((left, right) => (left > right ? left : right));
  }

  function bury(family: string | null, hash: string, origins: readonly Grave['origin'][]): void {
    // All that is known of one item stays as long as the youngest of it.
    for (const grave of graves) if (grave.family === family && grave.hash === hash) grave.setAtMs = timeMs;
    graves.push(...origins.map((origin) => ({ family, hash, origin, setAtMs: timeMs })));
  }

  function foldFeature(feature: FeatureEvent): void {
    const { read, origin, itemId, family } = feature;
    const seen = reads.some(
      (known) =>
        samePartition(known, read) && (known.sequence > read.sequence || (known.sequence === read.sequence && known.index >= read.index)),
    );
    if (seen) return;
    reads.push(read);
    const former = live.find((item) => item.feature.itemId === itemId && item.feature.family === family);
    if (feature.deleted) {
      bury(family, itemHashOf(itemId), [origin]);
      const isNewer = former !== undefined && samePartition(former.feature.origin, origin) && former.feature.origin.sequence > origin.sequence;
      if (!isNewer) live = live.filter((item) => item !== former);
      return;
    }
    const hash = itemHashOf(itemId);
    const isBuried = graves.some(
      (grave) =>
        (grave.family === null || grave.family === family) &&
        grave.hash === hash &&
        samePartition(grave.origin, origin) &&
        grave.origin.sequence >= origin.sequence,
    );
    const isLate =
      former !== undefined &&
      former.feature.routeStep === feature.routeStep &&
      samePartition(former.feature.origin, origin) &&
      former.feature.origin.sequence >= origin.sequence;
    if (isBuried || isLate) return;
    if (frozen.has(placeOf(feature))) throw new Error(`${itemId} entered ${placeOf(feature)}, which is frozen`);
    live = [...live.filter((item) => item !== former), { feature }];
  }

  /** Of an owner that another one has followed. */
  function isLateOwner({ term, action }: ControlEvent): boolean {
    const own = ['Refit', 'Swap', 'Freeze', ...(term > 0n ? ['Tick'] : [])];
    return claim !== undefined && term < claim.term && own.some((name) => `labelstream.v1.${name}` in action);
  }

  function foldControl({ family, action }: ControlEvent, sequence: number): void {
    if ('labelstream.v1.Claim' in action) {
      const { owner } = action['labelstream.v1.Claim'];
      if (claim?.owner !== owner) claim = { owner, term: sequence };
    }
    if ('labelstream.v1.Freeze' in action) {
      const { collection, isFrozen } = action['labelstream.v1.Freeze'];
      frozen[isFrozen ? 'add' : 'delete'](placeOf({ family: family!, collection }));
    }
    if ('labelstream.v1.Define' in action) definitions.set(family!, action['labelstream.v1.Define']);
    if (!('labelstream.v1.Forget' in action)) return;
    const { itemHashes, through } = action['labelstream.v1.Forget'];
    for (const hash of itemHashes) {
      bury(family, hash, through.map(({ incarnation, partition, endSequence }) => ({ incarnation, partition, sequence: endSequence - 1n })));
    }
    for (const item of live) {
      const { itemId, origin } = item.feature;
      if (!itemHashes.includes(itemHashOf(itemId)) || (family !== null && family !== item.feature.family)) continue;
      const end = through.find((candidate) => samePartition(candidate, origin));
      if (end !== undefined && origin.sequence >= end.endSequence) continue;
      live = live.filter((other) => other !== item);
      bury(family, itemHashOf(itemId), [origin]);
    }
  }

  const ageMs = ({ feature }: Live): number => {
    const { windowAgeBy } = definitions.get(feature.family)!;
    return windowAgeBy === 'append' ? feature.origin.appendTime : Math.min(feature.origin.appendTime, feature.occurredAt);
  };

  function expire(): void {
    live = live.filter((item) => {
      const { windowAgeMs } = definitions.get(item.feature.family)!;
      return windowAgeMs === null || ageMs(item) + Number(windowAgeMs) > timeMs;
    });
    live.sort((left, right) => ageMs(left) - ageMs(right) || compareItemIds(left.feature.itemId, right.feature.itemId));
    live = live.filter((item, index) => {
      const { windowItems } = definitions.get(item.feature.family)!;
      const younger = live.slice(index + 1).filter(
        ({ feature }) => feature.family === item.feature.family && feature.collection === item.feature.collection,
      );
      return windowItems === null || younger.length < windowItems;
    });
  }

  return {
    fold: (event, { sequence, appendTimeMs }, refusedWith) => {
      const isFrozen = event !== undefined && 'vector' in event && frozen.has(placeOf(event));
      if (refusedWith === frozenCode && !isFrozen) throw new Error('Refused by a collection that is not frozen');
      if (refusedWith !== undefined || event === undefined || ('action' in event && isLateOwner(event))) return;
      timeMs = Math.max(timeMs, appendTimeMs);
      graves = graves.filter(({ family, setAtMs }) => {
        const retentionMs = retention(family);
        return retentionMs === null || BigInt(setAtMs) + retentionMs > BigInt(timeMs);
      });
      if ('action' in event) foldControl(event, sequence);
      else foldFeature(event);
      expire();
      // With its last item a collection has gone.
      const held = new Set(live.map(({ feature }) => placeOf(feature)));
      frozen = new Set([...frozen].filter((place) => held.has(place)));
    },
    frozen: () => [...frozen].sort(),
    places: () => live.map(({ feature: { family, collection, itemId } }) => `${family} ${collection} ${itemId}`).sort(),
  };
}
