/** Takes batches out of the queues of all models, in the order that execution-shares.ts says. */
import { createExecutionShares, type Contender } from './execution-shares.ts';
import { priorities } from './model-port.ts';
import type { Item, ModelQueues, ServedModel } from './served-model.ts';
import type { PoolBatch } from './worker-pool.ts';

export type BatchOrder = {
  /** The batch that is executed next; undefined where none is ready. */
  readonly next: (elapsedMs: number) => PoolBatch<Item> | undefined;
  /** When one becomes ready by itself; undefined where nothing waits. */
  readonly dueAtMs: () => number | undefined;
  readonly ended: (batch: PoolBatch<Item>, durationMs: number) => void;
};

export function createBatchOrder(served: ReadonlyMap<string, ServedModel>, streamShareMin: number): BatchOrder {
  const shares = createExecutionShares(streamShareMin);
  const next = (elapsedMs: number): PoolBatch<Item> | undefined => {
    const contenders: Contender[] = [];
    for (const [model, of] of served) {
      const ready = executableOf(of, elapsedMs);
      for (const priority of priorities) {
        const sinceMs = ready?.queues[priority].readySinceMs(ready.atMs);
        if (sinceMs !== undefined) contenders.push({ model, priority, sinceMs });
      }
    }
    const chosen = shares.choose(contenders);
    const of = chosen === undefined ? undefined : served.get(chosen.model);
    if (chosen === undefined || of === undefined) return undefined;
    const ready = executableOf(of, elapsedMs);
    const queue = ready?.queues[chosen.priority];
    const atMs = ready?.atMs ?? elapsedMs;
    of.roomItemsMin = Math.max(1, queue?.readyItems(atMs) ?? 0);
    // It waits until there is room for the whole of it, and the model with it: torn apart it would leave batches of one for ever, and passed by it might never come.
    if (!hasRoom(of)) return next(elapsedMs);
    const items = queue?.take(atMs) ?? [];
    of.runningItems += items.length;
    of.roomItemsMin = 1;
    const length = Math.max(1, items[0]?.group ?? 1);
    return { model: chosen.model, items, execution: shares.begin(chosen, items.length * length) };
  };
  return {
    next,
    dueAtMs: () => {
      let dueAtMs = Number.POSITIVE_INFINITY;
      for (const of of served.values()) {
        const ready = executableOf(of, 0);
        for (const priority of priorities) dueAtMs = Math.min(dueAtMs, ready?.queues[priority].dueAtMs() ?? Number.POSITIVE_INFINITY);
      }
      return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs;
    },
    ended: ({ execution }, durationMs) => {
      if (execution !== undefined) shares.end(execution, durationMs);
    },
  };
}

/** Where nothing is in work there always is. */
function hasRoom({ runningItems, roomItemsMin, traits }: ServedModel): boolean {
  return runningItems === 0 || runningItems + roomItemsMin <= traits.inWorkItemsMax;
}

/** Where batches are taken from now, if it may have more in work. Of a model that is being unloaded, nothing waits for more. */
function executableOf(of: ServedModel, elapsedMs: number): { readonly queues: ModelQueues; readonly atMs: number } | undefined {
  // The end of what is in work brings the next turn: nothing is due before.
  if (!hasRoom(of)) return undefined;
  const { lifecycle, queues, draining } = of;
  if (lifecycle.state === 'ready') return { queues, atMs: elapsedMs };
  if (lifecycle.state === 'unloading' && draining !== undefined) return { queues: draining, atMs: Number.POSITIVE_INFINITY };
  return undefined;
}
