/**
 * The pause on a failing system (SEMANTICS.md, rule 8): when more than half of the last 100 items fail with one code that their input did not
 * cause, dead-lettering them would only move the backlog to where it is harder to get back from.
 *
 * The window holds items whose result is final. One that would tip it is not final: its partition pauses and the item is done again. So at most
 * half a window of such dead letters is ever written for one outage.
 */
const failureWindowItems = 100;

export type FailureWindow = {
  /** The code with which this item would tip the window; undefined: record it. */
  readonly tippedBy: (codes: readonly string[]) => string | undefined;
  readonly record: (codes: readonly string[]) => void;
};

export function createFailureWindow(items: number = failureWindowItems): FailureWindow {
  const ring: (readonly string[])[] = [];
  const failures = new Map<string, number>();
  let next = 0;
  const add = (codes: readonly string[], change: 1 | -1): void => {
    for (const code of codes) failures.set(code, (failures.get(code) ?? 0) + change);
  };
  return {
    tippedBy: (codes) => {
      if (codes.length === 0) return undefined;
      const leaving = ring[next] ?? [];
      return codes.find((code) => (failures.get(code) ?? 0) + 1 - (leaving.includes(code) ? 1 : 0) > items / 2);
    },
    record: (codes) => {
      const distinct = codes.length > 1 ? [...new Set(codes)] : codes;
      add(ring[next] ?? [], -1);
      add(distinct, 1);
      ring[next] = distinct;
      next = (next + 1) % items;
    },
  };
}
