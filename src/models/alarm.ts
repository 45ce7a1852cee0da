/** One alarm that rings at the earliest of the times that it was set to. */
import type { Clock } from '../core/clock.ts';

export type Alarm = {
  /** Nothing changes where it rings earlier already. */
  readonly setAt: (atMs: number) => void;
  readonly stop: () => void;
};

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let pending: { readonly atMs: number; readonly controller: AbortController } | undefined;
  const stop = (): void => {
    pending?.controller.abort();
    pending = undefined;
  };
  return {
    setAt: (atMs) => {
      if (pending !== undefined && pending.atMs <= atMs) return;
      stop();
      const mine = { atMs, controller: new AbortController() };
      pending = mine;
      void clock.sleep(Math.max(1, atMs - clock.elapsedMs()), mine.controller.signal).then(() => {
        if (pending !== mine) return;
        pending = undefined;
        ring();
      });
    },
    stop,
  };
}
