/** Time that passes only when everybody waits for it, and chance that repeats. */
import type { Clock, Random } from '../../src/core/clock.ts';

export type VirtualClock = Clock & {
  /** Lets time pass until the promise settles; rejects when nothing is left that could settle it. */
  readonly drive: <Result>(promise: Promise<Result>) => Promise<Result>;
  /** Lets `durationMs` pass. */
  readonly pass: (durationMs: number) => Promise<void>;
  /** Sets what time it is, forward or back; no time passes. */
  readonly setWall: (byMs: number) => void;
};

/** @param random breaks ties between sleepers that wake at the same moment; without it the first come wakes first. */
export function createVirtualClock(random: Random = () => 0): VirtualClock {
  let wallAtStartMs = 1_700_000_000_000;
  let elapsedMs = 0;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  const sleep: Clock['sleep'] = (durationMs, signal) => {
    if (durationMs <= 0 || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        atMs: elapsedMs + durationMs,
        wake: (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  };
  const wakeNext = (): boolean => {
    let atMs = Infinity;
    for (const sleeper of sleepers) atMs = Math.min(atMs, sleeper.atMs);
    const due = [...sleepers].filter((sleeper) => sleeper.atMs === atMs);
    const chosen = due[Math.floor(random() * due.length)];
    if (chosen === undefined) return false;
    elapsedMs = Math.max(elapsedMs, chosen.atMs);
    chosen.wake();
    return true;
  };
  const drive = async <Result>(promise: Promise<Result>): Promise<Result> => {
    const settled = new AbortController();
    const settle = (): void => settled.abort();
    promise.then(settle, settle);
    for (let idleTurns = 0; idleTurns < 3; idleTurns += 1) {
      await turn();
      if (settled.signal.aborted) return promise;
      if (wakeNext()) idleTurns = 0;
    }
    throw new Error('deadlock: nobody sleeps, and what is waited for has not happened');
  };
  return {
    nowMs: () => wallAtStartMs + elapsedMs,
    elapsedMs: () => elapsedMs,
    sleep,
    drive,
    pass: (durationMs) => drive(sleep(durationMs)),
    setWall: (byMs) => void (wallAtStartMs += byMs),
  };
}

/** One turn of the event loop: everything that can go on without time passing has gone on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function integerIn(random: Random, from: number, through: number): number {
  return from + Math.floor(random() * (through - from + 1));
}
