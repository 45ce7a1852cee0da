/**
 * Tombstones of one family, by item hash, oldest first. Who reads them finds them as they were when the reading was opened: what is taken away
 * afterwards is kept for those readings that have not come to it, so that opening one copies nothing.
 */
import type { Origin } from '../../core/events.generated.ts';

export type InputPosition = Pick<Origin, 'incarnation' | 'partition' | 'sequence'>;

export type Tombstone = {
  /** The partition's time when it was set (last). */
  readonly setAtMs: number;
  /** By incarnation and partition; `sequence` is the last one that is dropped. */
  readonly through: ReadonlyMap<string, InputPosition>;
};

export type TombstoneScope = {
  readonly size: () => number;
  readonly get: (itemHash: string) => Tombstone | undefined;
  /** It becomes the last one, whether it was there or not. */
  readonly set: (itemHash: string, tombstone: Tombstone) => void;
  readonly delete: (itemHash: string) => void;
  /** As they are: what is taken away meanwhile and was not come to is not among them. */
  readonly entries: () => Iterable<readonly [itemHash: string, tombstone: Tombstone]>;
  readonly open: () => TombstoneReading;
};

export type TombstoneReading = {
  /** To be read once. */
  readonly entries: Iterable<readonly [itemHash: string, tombstone: Tombstone]>;
  /** Not needed where it was read to its end. */
  readonly close: () => void;
};

type Entry = { readonly order: number; readonly entry: readonly [string, Tombstone] };

type Reading = {
  /** The order of the last one that was come to. */
  passed: number;
  /** The first order that was not there yet. */
  readonly end: number;
  /** Taken away before they were come to; the first one last, where they are sorted. */
  readonly kept: Entry[];
  isSorted: boolean;
};

export function createTombstoneScope(): TombstoneScope {
  const byHash = new Map<string, Entry>();
  const readings = new Set<Reading>();
  let nextOrder = 0;

  function take(itemHash: string): void {
    const taken = byHash.get(itemHash);
    if (taken === undefined) return;
    byHash.delete(itemHash);
    for (const reading of readings) {
      if (taken.order <= reading.passed || taken.order >= reading.end) continue;
      reading.kept.push(taken);
      reading.isSorted = false;
    }
  }

  function* read(reading: Reading): Generator<readonly [string, Tombstone]> {
    for (const { order, entry } of byHash.values()) {
      if (order >= reading.end) break;
      reading.passed = order;
      yield* keptBefore(reading, order);
      yield entry;
    }
    reading.passed = reading.end;
    yield* keptBefore(reading, reading.end);
    readings.delete(reading);
  }

  return {
    size: () => byHash.size,
    get: (itemHash) => byHash.get(itemHash)?.entry[1],
    set: (itemHash, tombstone) => {
      take(itemHash);
      byHash.set(itemHash, { order: nextOrder++, entry: [itemHash, tombstone] });
    },
    delete: take,
    entries: function* () {
      for (const { entry } of byHash.values()) yield entry;
    },
    open: () => {
      const reading: Reading = { passed: -1, end: nextOrder, kept: [], isSorted: true };
      readings.add(reading);
      return { entries: read(reading), close: () => void readings.delete(reading) };
    },
  };
}

function keptBefore(reading: Reading, order: number): (readonly [string, Tombstone])[] {
  const { kept } = reading;
  if (!reading.isSorted) kept.sort((left, right) => right.order - left.order);
  reading.isSorted = true;
  const found: (readonly [string, Tombstone])[] = [];
  for (let next = kept.at(-1); next !== undefined && next.order < order; next = kept.at(-1)) {
    found.push(next.entry);
    kept.pop();
  }
  return found;
}
