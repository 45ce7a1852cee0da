/** A limited amount of something, handed out in the order in which it was asked for. What is larger than the whole is admitted alone. */

export type Budget = {
  /** Resolves when there is room, with the function that gives it back; rejects with the signal's reason. Giving back twice counts once. */
  readonly take: (amount: number, signal?: AbortSignal) => Promise<() => void>;
};

type Waiting = { readonly amount: number; readonly admit: () => void };

export function createBudget(limit: number): Budget {
  let taken = 0;
  const queue = new Set<Waiting>();

  function admitNext(): void {
    for (const next of queue) {
      if (taken > 0 && taken + next.amount > limit) return;
      queue.delete(next);
      taken += next.amount;
      next.admit();
    }
  }

  function giveBackOnce(amount: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      taken -= amount;
      admitNext();
    };
  }

  return {
    take: (amount, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const abandon = (): void => {
          queue.delete(waiting);
          reject(signal?.reason as Error);
          // Behind a large one there may be small ones that fit.
          admitNext();
        };
        const waiting: Waiting = {
          amount,
          admit: () => {
            signal?.removeEventListener('abort', abandon);
            resolve(giveBackOnce(amount));
          },
        };
        signal?.addEventListener('abort', abandon, { once: true });
        queue.add(waiting);
        admitNext();
      }),
  };
}
