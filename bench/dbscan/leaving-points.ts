/** Which of the points that are there leave next. */
import type { Random } from '../../src/core/clock.ts';

export type LeavingOrder = 'random' | 'oldest';

export type LeavingPoints = {
  /** Points from..to came in, younger than all before. */
  readonly add: (from: number, to: number) => void;
  /** These are gone then. */
  readonly take: (order: LeavingOrder, count: number) => readonly number[];
};

/** Begins with the points 0..count. */
export function leavingPoints(count: number, random: Random): LeavingPoints {
  const present = Array.from({ length: count }, (_, point) => point);
  const gone = new Set<number>();
  let oldest = 0;
  const takeRandom = (): number => {
    for (;;) {
      const place = Math.floor(random() * present.length);
      const point = present[place] ?? 0;
      const last = present.pop() ?? 0;
      if (place < present.length) present[place] = last;
      // Those that left as the oldest are still listed.
      if (!gone.has(point)) return point;
    }
  };
  const takeOldest = (): number => {
    while (gone.has(oldest)) oldest += 1;
    return oldest;
  };
  return {
    add: (from, to) => {
      for (let point = from; point < to; point += 1) present.push(point);
    },
    take: (order, wanted) =>
      Array.from({ length: wanted }, () => {
        const point = order === 'random' ? takeRandom() : takeOldest();
        gone.add(point);
        return point;
      }),
  };
}
