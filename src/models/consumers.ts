/**
 * How the requests of a model are consumed: how many of them are put together, how long they wait for each other, and how many are in work at a time.
 * What they have in common stays with the scheduler and the pool: limits, priorities, shares, what is tried again, what is refused.
 *
 *   batched         as many as the largest batch of the model, on all workers (the default)
 *   pool            one by one, on all workers
 *   single-thread   one by one, on one worker at a time
 */

/** A model, as far as a consumer may look. */
export type ConsumedModel = {
  /** In items, rising. */
  readonly batchSizes: readonly [number, ...number[]];
  readonly input: 'text' | 'values' | 'image' | 'audio';
};

export type Consumption = {
  /** From 1 to the largest batch of the model. */
  readonly batchItemsMax: number;
  /** How long a batch waits for more; left out: as the configuration says. */
  readonly lingerMsMax?: number | undefined;
  /** From `batchItemsMax` up: items that are handed to workers and not answered; left out: as many as there is room for. */
  readonly inWorkItemsMax?: number | undefined;
};

/** Asked once whenever the model is loaded. */
export type Consumer = (model: ConsumedModel) => Consumption;

export const consumers = {
  batched: ({ batchSizes }) => ({ batchItemsMax: batchSizes.at(-1) ?? 1 }),
  pool: () => ({ batchItemsMax: 1, lingerMsMax: 0 }),
  'single-thread': () => ({ batchItemsMax: 1, lingerMsMax: 0, inWorkItemsMax: 1 }),
} as const satisfies Readonly<Record<string, Consumer>>;

/** One sentence for every mistake; none where it can be followed. */
export function consumptionMistakes({ batchItemsMax, lingerMsMax = 0, inWorkItemsMax = Infinity }: Consumption, { batchSizes }: ConsumedModel): readonly string[] {
  const largest = batchSizes.at(-1) ?? 1;
  return [
    ...(Number.isSafeInteger(batchItemsMax) && batchItemsMax >= 1 && batchItemsMax <= largest ? [] : [`batchItemsMax is ${batchItemsMax}, not a whole number from 1 to ${largest}`]),
    ...(Number.isFinite(lingerMsMax) && lingerMsMax >= 0 ? [] : [`lingerMsMax is ${lingerMsMax}, not a number from 0 up`]),
    ...(inWorkItemsMax >= batchItemsMax ? [] : [`inWorkItemsMax is ${inWorkItemsMax}, below batchItemsMax`]),
  ];
}
