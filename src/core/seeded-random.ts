/** Chance that can be repeated: the same seed gives the same numbers on every machine. */
import type { Random } from './clock.ts';

/** Mulberry32: 32 bits of state, enough to make up test items. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fisher-Yates; the list itself stays as it is. */
export function shuffled<Value>(values: readonly Value[], random: Random): Value[] {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [left, right] = [result[last], result[other]];
    if (left === undefined || right === undefined) continue;
    result[last] = right;
    result[other] = left;
  }
  return result;
}
