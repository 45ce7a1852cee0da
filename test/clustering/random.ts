import { seededRandom, shuffled } from '../../src/core/seeded-random.ts';

/** Seeded randomness, so that a failure can be repeated from the seed that the run prints. */
export type Random = {
  /** In [0, 1). */
  readonly next: () => number;
  /** A whole number in [0, limit). */
  readonly below: (limit: number) => number;
  readonly between: (low: number, high: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <Entry>(entries: readonly Entry[]) => Entry;
  readonly shuffle: <Entry>(entries: readonly Entry[]) => Entry[];
  readonly gaussian: () => number;
};

export function createRandom(seed: number): Random {
  const next = seededRandom(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (entries) => entries[below(entries.length)]!,
    shuffle: (entries) => shuffled(entries, next),
    gaussian: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** The float64 next to a positive number, upwards (1) or downwards (-1). */
export function nextDouble(value: number, direction: 1 | -1): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + BigInt(direction));
  return view.getFloat64(0);
}
