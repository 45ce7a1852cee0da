import { seededRandom as repeatable } from '../../src/core/seeded-random.ts';

/** What the fuzzers draw. */
export type SeededRandom = {
  /** An integer in [0, below). */
  readonly below: (below: number) => number;
  readonly pick: <Item>(items: readonly Item[]) => Item;
  readonly bytes: (length: number) => Buffer;
};

export function seededRandom(seed: number): SeededRandom {
  const next = repeatable(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (items) => items[below(items.length)]!,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}
