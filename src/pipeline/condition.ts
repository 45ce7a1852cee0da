import type { Clock } from '../core/clock.ts';
import { timerOver } from './abort.ts';

/**
 * A condition variable: whoever changes shared state calls `notify`, whoever waits for a state of it names that state. The predicate is asked
 * where the change happens, so a change that is undone before the waiter runs is not missed, and a thousand changes wake nobody in vain.
 */
export type Condition = {
  readonly notify: () => void;
  /** Resolves true once the predicate holds, at once if it does already; false when `timeoutMs` passed first. */
  readonly until: (predicate: () => boolean, timeoutMs?: number) => Promise<boolean>;
};

export function createCondition(clock: Clock): Condition {
  const waiting = new Set<{ readonly predicate: () => boolean; readonly wake: (held: boolean) => void }>();
  return {
    notify: () => {
      for (const waiter of waiting) {
        if (waiter.predicate()) waiter.wake(true);
      }
    },
    until: (predicate, timeoutMs) => {
      if (predicate()) return Promise.resolve(true);
      if (timeoutMs !== undefined && timeoutMs <= 0) return Promise.resolve(false);
      return new Promise((resolve) => {
        const timer = new AbortController();
        const waiter = {
          predicate,
          wake: (held: boolean): void => {
            if (!waiting.delete(waiter)) return;
            timer.abort(timerOver);
            resolve(held);
          },
        };
        waiting.add(waiter);
        if (timeoutMs !== undefined) void clock.sleep(timeoutMs, timer.signal).then(() => waiter.wake(false));
      });
    },
  };
}
