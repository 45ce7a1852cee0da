/**
 * The points of a clustering: one per distinct live vector, with the number the search knows it by. Items whose vectors are equal byte for
 * byte share a point, which weighs as much as they are many. All that the structure knows about a point is one record of 32 bytes:
 *
 *   weight      its items; 0: the point is not live (only prepared, or gone)
 *   density     the items within eps of it, its own among them: it is core from minPoints on
 *   component   of a core point; -1: not core
 *   anchor      core: the first of the border points that hang on it; otherwise the core point that it hangs on; -1: none
 *   next,       core: the circle of the core points of its component
 *   previous    border: the list of the points that hang on the same core point, -1 at its ends
 *   head        its neighbours (adjacency.ts)
 *   firstItem   its items (item-table.ts)
 */
import { capacityOf, createRecords, ensureRecord, recordsBytes, readField, writeField, type Records } from './records.ts';

export const pointFields = { weight: 0, density: 1, component: 2, anchor: 3, next: 4, previous: 5, head: 6, firstItem: 7 } as const;
const { weight, density, component, anchor, next, previous, head, firstItem } = pointFields;

export type Points = {
  readonly records: Records;
  /** For whoever has to recognise points while walking: all 0 between walks. */
  marks: Uint8Array;
  /** What is still to be tidied up (gone-points.ts). */
  flags: Uint8Array;
};

/** Of a point. gone: dead, but some may still list it; stale: alive, and its list may name points that are gone. */
export const pointFlags = { none: 0, gone: 1, stale: 2 } as const;

export function createPoints(): Points {
  return { records: createRecords(8), marks: new Uint8Array(0), flags: new Uint8Array(0) };
}

/** The indices of all live points are below it. */
export function pointLimit({ records }: Points): number {
  return capacityOf(records);
}

export function isLive({ records }: Points, point: number): boolean {
  return point < capacityOf(records) && readField(records, point, weight) > 0;
}

/** A point without items and neighbours. */
export function openPoint(points: Points, point: number): void {
  const { records } = points;
  ensureRecord(records, point);
  const limit = capacityOf(records);
  if (points.marks.length < limit) {
    points.marks = grown(points.marks, limit);
    points.flags = grown(points.flags, limit);
  }
  // One by one: a loop over a list of them takes several times as long, and a restore opens all points.
  writeField(records, point, weight, 0);
  writeField(records, point, density, 0);
  writeField(records, point, component, -1);
  writeField(records, point, anchor, -1);
  writeField(records, point, next, -1);
  writeField(records, point, previous, -1);
  writeField(records, point, head, -1);
  writeField(records, point, firstItem, -1);
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}

export function pointsBytes({ records, marks, flags }: Points): number {
  return recordsBytes(records) + marks.byteLength + flags.byteLength;
}
