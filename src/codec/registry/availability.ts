/**
 * Waiting for a service that may be away, for all who need it together. While it answers, a few requests go at once. When one fails, a single
 * request after the other probes it, after a wait that doubles; everybody else waits for that. Nobody is refused because of an outage.
 */
import { createBudget } from '../../core/budget.ts';
import type { Clock, Random } from '../../core/clock.ts';
import { LabelstreamError } from '../../core/errors/error.ts';

export type AvailabilityOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** The wait after the first failure, and the longest; half of it is chance. */
  readonly backOffBaseMs: number;
  readonly backOffCapMs: number;
  readonly requestsMax: number;
  /** `once`: for commands that people wait for. An outage is then a failure. */
  readonly patience: 'unbounded' | 'once';
  readonly observer: AvailabilityObserver;
};

export type AvailabilityObserver = {
  /** Told of every failed attempt: `failures` in a row. */
  readonly unavailable: (error: unknown, failures: number, retryInMs: number) => void;
  readonly available: () => void;
};

export type Availability = {
  /** Rejects with what is no outage, with the signal's reason, and, without patience, with the outage. */
  readonly whenAvailable: <Result>(attempt: () => Promise<Result>, signal: AbortSignal) => Promise<Result>;
};

export function createAvailability({ clock, random, backOffBaseMs, backOffCapMs, requestsMax, patience, observer }: AvailabilityOptions): Availability {
  const requests = createBudget(requestsMax);
  const probes = createBudget(1);
  let failures = 0;
  let probeAtMs = 0;
  let lastFailure: unknown;

  function noteSuccess(): void {
    if (failures === 0) return;
    failures = 0;
    observer.available();
  }

  /** Requests that were on their way together have failed once, not each for itself. */
  function noteFailure(error: unknown, failuresBefore: number): void {
    if (failures !== failuresBefore) return;
    failures += 1;
    const waitMs = Math.min(backOffCapMs, backOffBaseMs * 2 ** Math.min(failures - 1, 40)) * (0.5 + random() / 2);
    probeAtMs = clock.elapsedMs() + waitMs;
    lastFailure = error;
    observer.unavailable(error, failures, waitMs);
  }

  /** A place among the probes, or among the requests where nothing has failed by the time that there is one. */
  async function take(signal: AbortSignal): Promise<() => void> {
    if (failures === 0) {
      const leave = await requests.take(1, signal);
      if (isUp()) return leave;
      leave();
    }
    return probes.take(1, signal);
  }

  /** A function, because what a variable was before a wait the type checker believes for ever. */
  function isUp(): boolean {
    return failures === 0;
  }

  async function attemptOnce<Result>(attempt: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const leave = await take(signal);
    try {
      if (failures > 0 && patience === 'once' && clock.elapsedMs() < probeAtMs) throw lastFailure;
      if (failures > 0) await clock.sleep(probeAtMs - clock.elapsedMs(), signal);
      signal.throwIfAborted();
      const failuresBefore = failures;
      try {
        const result = await attempt();
        noteSuccess();
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (isOutage(error)) noteFailure(error, failuresBefore);
        else noteSuccess();
        throw error;
      }
    } finally {
      leave();
    }
  }

  return {
    whenAvailable: async (attempt, signal) => {
      for (;;) {
        try {
          return await attemptOnce(attempt, signal);
        } catch (error) {
          if (signal.aborted || patience === 'once' || !isOutage(error)) throw error;
        }
      }
    },
  };
}

/** A failure that says nothing about what was asked: the same question may be answered later. */
function isOutage(error: unknown): boolean {
  return error instanceof LabelstreamError && error.retryable;
}
