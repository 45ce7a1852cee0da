/**
 * Repeating what may succeed later. The wait before attempt n + 1 is a random part of base * 2^(n - 1), at most the cap ("full jitter": the
 * clients that a broken service left behind do not come back in step).
 */
import type { Clock, Random } from '../core/clock.ts';
import { LabelstreamError } from '../core/errors/error.ts';

export type RetryPolicy = {
  /** Attempts in all, the first included; Infinity waits without bound. */
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** Failures with these codes do not count as attempts: what is configured as our own is waited for, however long (SEMANTICS.md, rule 22). */
  readonly waitedForCodes: ReadonlySet<string>;
  /** From the first failure that counts; what would be tried after that is not tried any more. Without it, attempts alone count. */
  readonly elapsedMsMax?: number;
};

/** What a stage asks of one operation instead of its own policy. */
export type Patience = {
  readonly policy: RetryPolicy;
  /** What a failure itself says of how long to wait; 0: nothing. */
  readonly leastWaitMs: (error: unknown) => number;
};

/** Runs an operation, repeating retryable failures with jittered back-off while the policy, the stage's or its own, and the signal allow. */
export type Retry = <Result>(operation: (attempt: number) => Promise<Result>, patience?: Patience) => Promise<Result>;

/** Total: an error that is not ours answers no. */
export function isRetryable(error: unknown): boolean {
  return ours(error)?.retryable ?? false;
}

/** The stable code of a failure; undefined for an error that is not ours. */
export function codeOf(error: unknown): string | undefined {
  return ours(error)?.code;
}

function ours(error: unknown): LabelstreamError | undefined {
  try {
    return error instanceof LabelstreamError ? error : undefined;
  } catch {
    // A proxy may throw even at being asked what it is.
    return undefined;
  }
}

/** @param attempt of the failure that is waited for, from 1. */
export function backOffMs(policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>, attempt: number, random: Random): number {
  return random() * Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(attempt - 1, 40));
}

export type RetryOptions = {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the waiting: the last failure is thrown. */
  readonly signal: AbortSignal;
  readonly leastWaitMs?: (error: unknown) => number;
  readonly retried?: (attempt: number, error: unknown) => void;
  /** Told when a wait between two attempts begins and ends. */
  readonly waiting?: (isWaiting: boolean) => void;
};

/** Rejects with the failure that ended it: the first that is not retryable, the last allowed, or the one after which the signal aborted. */
export function createRetry({ policy, clock, random, signal, leastWaitMs, retried, waiting }: RetryOptions): <Result>(operation: (attempt: number) => Promise<Result>) => Promise<Result> {
  return async (operation) => {
    let counted = 0;
    let countedFromMs: number | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await operation(attempt);
      } catch (error) {
        if (hasAborted(signal) || !isRetryable(error)) throw error;
        const waitMs = Math.max(backOffMs(policy, attempt, random), leastWaitMs?.(error) ?? 0);
        if (!policy.waitedForCodes.has(codeOf(error) ?? '')) {
          counted += 1;
          countedFromMs ??= clock.elapsedMs();
          if (counted >= policy.attemptsMax || clock.elapsedMs() + waitMs - countedFromMs > (policy.elapsedMsMax ?? Infinity)) throw error;
        }
        retried?.(attempt, error);
        waiting?.(true);
        await clock.sleep(waitMs, signal);
        waiting?.(false);
        if (hasAborted(signal)) throw error;
      }
    }
  };
}

/** A function, because a property that was false before a wait looks false for ever to the type checker. */
function hasAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
