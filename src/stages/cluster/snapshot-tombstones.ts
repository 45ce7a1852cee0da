/** Tombstones as a snapshot keeps them: by scope, then age (the order in which they leave), then hash. */
import { compareText, sortedByKey } from './state.ts';
import type { Tombstone, TombstoneReading } from './tombstone-scope.ts';
import { bury, type Tombstones } from './tombstones.ts';

export type StoredTombstone = {
  readonly scope: string | null;
  readonly itemHash: string;
  readonly setAtMs: number;
  readonly through: readonly { readonly incarnation: string; readonly partition: number; readonly sequence: string }[];
};

export type OpenTombstones = { readonly stored: Iterable<StoredTombstone>; readonly close: () => void };

/** As they are now, whatever becomes of them before they are read; to be read to the end, or closed. */
export function openTombstones(tombstones: Tombstones): OpenTombstones {
  const scopes = [...tombstones].sort(([left], [right]) => compareText(left ?? '', right ?? '')).map(([name, scope]) => ({ name, reading: scope.open() }));
  return {
    stored: storedTombstones(scopes),
    close: () => {
      for (const { reading } of scopes) reading.close();
    },
  };
}

function* storedTombstones(scopes: readonly { readonly name: string | null; readonly reading: TombstoneReading }[]): Generator<StoredTombstone> {
  for (const { name, reading } of scopes) {
    for (const alike of ofOneAge(reading.entries)) {
      alike.sort(([left], [right]) => compareText(left, right));
      for (const [itemHash, tombstone] of alike) yield storedTombstone(name, itemHash, tombstone);
    }
  }
}

/** Time never falls, so those of one age lie together. */
function* ofOneAge(entries: TombstoneReading['entries']): Generator<(readonly [string, Tombstone])[]> {
  let alike: (readonly [string, Tombstone])[] = [];
  for (const entry of entries) {
    if (alike[0] !== undefined && alike[0][1].setAtMs !== entry[1].setAtMs) {
      yield alike;
      alike = [];
    }
    alike.push(entry);
  }
  if (alike.length > 0) yield alike;
}

function storedTombstone(scope: string | null, itemHash: string, { setAtMs, through }: Tombstone): StoredTombstone {
  const positions = sortedByKey(through).map(([, { incarnation, partition, sequence }]) => ({ incarnation, partition, sequence: String(sequence) }));
  return { scope, itemHash, setAtMs, through: positions };
}

export function restoreTombstones(tombstones: Tombstones, stored: readonly StoredTombstone[]): void {
  for (const { scope, itemHash, setAtMs, through } of stored) {
    const positions = through.map(({ incarnation, partition, sequence }) => ({ incarnation, partition, sequence: BigInt(sequence) }));
    bury(tombstones, scope, itemHash, positions, setAtMs);
  }
}
