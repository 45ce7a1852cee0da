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
  /** After failures the last who waited has left: nobody waits any more, and whether it answers is not known. */
  readonly abandoned: () => void;
};

export type Availability = {
  /** Rejects with what is no outage, with the signal's reason, and, without patience, with the outage. */
  readonly whenAvailable: <Result>(attempt: () => Promise<Result>, signal: AbortSignal) => Promise<Result>;
};

type OutageOptions = Pick<AvailabilityOptions, 'clock' | 'random' | 'backOffBaseMs' | 'backOffCapMs' | 'observer'>;

/** What is known of an outage, and who has been told what of it. */
function createOutage({ clock, random, backOffBaseMs, backOffCapMs, observer }: OutageOptions) {
  let failures = 0;
  let probeAtMs = 0;
  let lastFailure: unknown;
  let waiters = 0;
  /** The observer's last word was a failure. */
  let isAwaited = false;
  return {
    /** In a row. */
    failures: () => failures,
    untilProbeMs: () => probeAtMs - clock.elapsedMs(),
    lastFailure: () => lastFailure,
    succeeded: () => {
      if (failures === 0) return;
      failures = 0;
      isAwaited = false;
      observer.available();
    },
    /** Requests that were on their way together have failed once, not each for itself. */
    failed: (error: unknown, failuresBefore: number) => {
      if (failures !== failuresBefore) return;
      failures += 1;
      const waitMs = Math.min(backOffCapMs, backOffBaseMs * 2 ** Math.min(failures - 1, 40)) * (0.5 + random() / 2);
      probeAtMs = clock.elapsedMs() + waitMs;
      lastFailure = error;
      isAwaited = true;
      observer.unavailable(error, failures, waitMs);
    },
    waiterCame: () => void (waiters += 1),
    waiterLeft: () => {
      waiters -= 1;
      if (waiters > 0 || !isAwaited) return;
      isAwaited = false;
      observer.abandoned();
    },
  };
}

export function createAvailability(options: AvailabilityOptions): Availability {
  const { clock, requestsMax, patience } = options;
  const requests = createBudget(requestsMax);
  const probes = createBudget(1);
  const outage = createOutage(options);

  /** A place among the probes, or among the requests where nothing has failed by the time that there is one. */
  async function take(signal: AbortSignal): Promise<() => void> {
    if (outage.failures() === 0) {
      const leave = await requests.take(1, signal);
      if (outage.failures() === 0) return leave;
      leave();
    }
    return probes.take(1, signal);
  }

  async function attemptOnce<Result>(attempt: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const leave = await take(signal);
    try {
      if (outage.failures() > 0) {
        if (patience === 'once' && outage.untilProbeMs() > 0) throw outage.lastFailure();
        await clock.sleep(outage.untilProbeMs(), signal);
      }
      signal.throwIfAborted();
      const failuresBefore = outage.failures();
      try {
        const result = await attempt();
        outage.succeeded();
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (isOutage(error)) outage.failed(error, failuresBefore);
        else outage.succeeded();
        throw error;
      }
    } finally {
      leave();
    }
  }

  return {
    whenAvailable: async (attempt, signal) => {
      outage.waiterCame();
      try {
        for (;;) {
          try {
            return await attemptOnce(attempt, signal);
          } catch (error) {
            if (signal.aborted || patience === 'once' || !isOutage(error)) throw error;
          }
        }
      } finally {
        outage.waiterLeft();
      }
    },
  };
}

/** A failure that says nothing about what was asked: the same question may be answered later. */
function isOutage(error: unknown): boolean {
  return error instanceof LabelstreamError && error.retryable;
}
