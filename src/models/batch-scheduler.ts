/**
 * The queue of one model, as a pure data structure: the time is told to it, it starts nothing. Items of one group (a length bucket) form
 * batches in order of arrival; a batch is ready when it is full by count, bytes or padded cost, or when its oldest item has lingered.
 *
 *   group 32   [a b c d]          ready: full              take() gives the ready batch whose first item is oldest
 *   group 128  [e f]              ready at e + linger
 *
 * A first item is always admitted to its batch, whatever it costs: an item above every budget is run alone instead of never.
 */
export type BatchLimits = {
  readonly batchItemsMax: number;
  /** Of the inputs of a batch. */
  readonly batchBytesMax: number;
  /** Items times the length that the longest of them is padded to. */
  readonly paddedCostMax: number;
  /** How long an item waits for company. */
  readonly lingerMsMax: number;
  readonly queueItemsMax: number;
  readonly queueBytesMax: number;
};

export type Queued = {
  /** The length that it is probably padded to; items of one group are put together. */
  readonly group: number;
  readonly bytes: number;
  /** By a clock that is never set back. */
  readonly enqueuedAtMs: number;
};

export type BatchScheduler<Item extends Queued> = {
  /** False, and nothing is kept, where the queue is full. An empty queue takes any item. */
  readonly offer: (item: Item) => boolean;
  /** False where it is not in the queue any more. */
  readonly remove: (item: Item) => boolean;
  /** When the oldest item of the batch that `take` would give was queued; undefined where none is ready. */
  readonly readySinceMs: (elapsedMs: number) => number | undefined;
  /** How many items `take` would give; 0 where none is ready. */
  readonly readyItems: (elapsedMs: number) => number;
  /** The batch that is ready longest. */
  readonly take: (elapsedMs: number) => readonly Item[] | undefined;
  /** When a batch becomes ready by lingering; undefined where the queue is empty. */
  readonly dueAtMs: () => number | undefined;
  /** Empties the queue. */
  readonly drain: () => readonly Item[];
  readonly size: () => { readonly items: number; readonly bytes: number };
};

export function createBatchScheduler<Item extends Queued>(limits: BatchLimits): BatchScheduler<Item> {
  const groups = new Map<number, Item[]>();
  let items = 0;
  let bytes = 0;

  const forget = (item: Item): void => {
    items -= 1;
    bytes -= item.bytes;
  };
  const ready = (elapsedMs: number): Item[] | undefined => {
    let oldest: Item[] | undefined;
    for (const group of groups.values()) {
      const first = group[0];
      if (first === undefined || !isReady(group, first, limits, elapsedMs)) continue;
      if (first.enqueuedAtMs < (oldest?.[0]?.enqueuedAtMs ?? Number.POSITIVE_INFINITY)) oldest = group;
    }
    return oldest;
  };

  return {
    offer: (item) => {
      if (items > 0 && (items >= limits.queueItemsMax || bytes + item.bytes > limits.queueBytesMax)) return false;
      const group = groups.get(item.group);
      if (group === undefined) groups.set(item.group, [item]);
      else group.push(item);
      items += 1;
      bytes += item.bytes;
      return true;
    },
    remove: (item) => {
      const group = groups.get(item.group);
      const index = group?.indexOf(item) ?? -1;
      if (group === undefined || index < 0) return false;
      group.splice(index, 1);
      forget(item);
      return true;
    },
    readySinceMs: (elapsedMs) => ready(elapsedMs)?.[0]?.enqueuedAtMs,
    readyItems: (elapsedMs) => admitted(ready(elapsedMs) ?? [], limits).count,
    take: (elapsedMs) => {
      const group = ready(elapsedMs);
      if (group === undefined) return undefined;
      const batch = group.splice(0, admitted(group, limits).count);
      for (const item of batch) forget(item);
      return batch;
    },
    dueAtMs: () => {
      let dueAtMs: number | undefined;
      for (const [first] of groups.values()) {
        if (first !== undefined) dueAtMs = Math.min(dueAtMs ?? Number.POSITIVE_INFINITY, first.enqueuedAtMs + limits.lingerMsMax);
      }
      return dueAtMs;
    },
    drain: () => {
      const all = [...groups.values()].flat();
      groups.clear();
      items = 0;
      bytes = 0;
      return all;
    },
    size: () => ({ items, bytes }),
  };
}

/** How many of the group's first items make the next batch, and whether one more would not have fitted. */
function admitted(group: readonly Queued[], limits: BatchLimits): { count: number; full: boolean } {
  let count = 0;
  let bytes = 0;
  for (const item of group) {
    const fits = count < limits.batchItemsMax && bytes + item.bytes <= limits.batchBytesMax && (count + 1) * item.group <= limits.paddedCostMax;
    if (count > 0 && !fits) return { count, full: true };
    count += 1;
    bytes += item.bytes;
  }
  return { count, full: count >= limits.batchItemsMax || bytes >= limits.batchBytesMax || (count + 1) * (group[0]?.group ?? 0) > limits.paddedCostMax };
}

function isReady(group: readonly Queued[], first: Queued, limits: BatchLimits, elapsedMs: number): boolean {
  const waitedMs = elapsedMs - first.enqueuedAtMs;
  return waitedMs >= limits.lingerMsMax || admitted(group, limits).full;
}
