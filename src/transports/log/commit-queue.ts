/**
 * Group commit: what arrives while a round is being written waits, and goes together in the next one, in the order of arrival. One round at
 * a time.
 */
export type CommitSize = { readonly records: number; readonly bytes: number };

export type GroupCommitLimits = CommitSize & { readonly transactions: number };

export type CommitQueue<Item extends CommitSize> = {
  /** Settles as the item's round does. */
  readonly submit: (item: Item) => Promise<void>;
  /** Resolves when nothing is waiting or being written. */
  readonly idle: () => Promise<void>;
};

type Waiting<Item> = { readonly item: Item; readonly resolve: () => void; readonly reject: (reason: unknown) => void };

export function createCommitQueue<Item extends CommitSize>(
  limits: GroupCommitLimits,
  round: (items: readonly Item[]) => Promise<void>,
  /** What is better done after the round was acknowledged. Does not reject. */
  afterRound: () => Promise<void>,
): CommitQueue<Item> {
  let waiting: Waiting<Item>[] = [];
  let draining: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    // Calls made in the same turn join the first round.
    await Promise.resolve();
    while (waiting.length > 0) {
      const count = roundLength(waiting, limits);
      const taken = waiting.slice(0, count);
      waiting = waiting.slice(count);
      try {
        await round(taken.map((entry) => entry.item));
        for (const entry of taken) entry.resolve();
      } catch (error) {
        for (const entry of taken) entry.reject(error);
      }
      await afterRound();
    }
    draining = undefined;
  };

  return {
    submit: (item) => {
      const settled = new Promise<void>((resolve, reject) => waiting.push({ item, resolve, reject }));
      draining ??= drain();
      return settled;
    },
    idle: async () => {
      await draining;
    },
  };
}

/** As many as the limits allow, and at least one. */
function roundLength<Item extends CommitSize>(waiting: readonly Waiting<Item>[], limits: GroupCommitLimits): number {
  let records = 0;
  let bytes = 0;
  let count = 0;
  for (const { item } of waiting) {
    records += item.records;
    bytes += item.bytes;
    if (count > 0 && (count >= limits.transactions || records > limits.records || bytes > limits.bytes)) break;
    count += 1;
  }
  return count;
}
