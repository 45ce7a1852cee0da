/**
 * How far a features partition has come with each partition that EXTRACT reads (SEMANTICS.md, rule 12). EXTRACT releases in input order, so
 * whatever is at or below the mark was here before: after a crash in at-least-once delivery the same features are appended again.
 */
import type { ReadCoordinate } from '../../core/events.generated.ts';

/** By incarnation and partition of what EXTRACT read. */
export type Marks = Map<string, ReadCoordinate>;

function markKey(read: ReadCoordinate): string {
  return `${read.incarnation}\n${String(read.partition)}`;
}

export function isAtOrBelowMark(marks: Marks, read: ReadCoordinate): boolean {
  const mark = marks.get(markKey(read));
  if (mark === undefined || read.sequence > mark.sequence) return false;
  return read.sequence < mark.sequence || read.index <= mark.index;
}

export function raiseMark(marks: Marks, read: ReadCoordinate): void {
  marks.set(markKey(read), read);
}
