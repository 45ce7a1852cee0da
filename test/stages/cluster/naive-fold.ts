/**
 * The rules of rules 12, 13 and 21 written a second time, as plainly as they read: which items live where after each record, from lists that
 * are searched from end to end. It knows nothing of clusters.
 */
import type { ControlEvent, Define, FeatureEvent, Origin, ReadCoordinate } from '../../../src/core/events.generated.ts';
import { compareItemIds, itemHashOf } from '../../../src/core/ids.ts';

type Live = { readonly feature: FeatureEvent };
type Grave = { readonly family: string | null; readonly hash: string; readonly origin: Pick<Origin, 'incarnation' | 'partition' | 'sequence'>; setAtMs: number };

export type NaiveFold = {
  /** @param refused whether the fold under test made a dead letter of it: the pure checks are not repeated here. */
  readonly fold: (event: FeatureEvent | ControlEvent | undefined, appendTimeMs: number, refused: boolean) => void;
  /** "family collection item", sorted. */
  readonly places: () => readonly string[];
};

export function createNaiveFold(): NaiveFold {
  let timeMs = 0;
  const definitions = new Map<string, Define>();
  const reads: ReadCoordinate[] = [];
  let graves: Grave[] = [];
  let live: Live[] = [];

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
    if (!isBuried && !isLate) live = [...live.filter((item) => item !== former), { feature }];
  }

  function foldControl({ family, action }: ControlEvent): void {
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
    fold: (event, appendTimeMs, refused) => {
      if (refused || event === undefined) return;
      timeMs = Math.max(timeMs, appendTimeMs);
      graves = graves.filter(({ family, setAtMs }) => {
        const retentionMs = retention(family);
        return retentionMs === null || BigInt(setAtMs) + retentionMs > BigInt(timeMs);
      });
      if ('action' in event) foldControl(event);
      else foldFeature(event);
      expire();
    },
    places: () => live.map(({ feature: { family, collection, itemId } }) => `${family} ${collection} ${itemId}`).sort(),
  };
}
