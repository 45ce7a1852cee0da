import { describe, expect, it } from 'vitest';
import { errorFactory } from '../../src/core/errors/error.ts';
import { backOffMs, codeOf, createRetry, isRetryable, type RetryPolicy } from '../../src/pipeline/retry.ts';
import { seededRandom } from '../../src/core/seeded-random.ts';
import { createVirtualClock } from './virtual-clock.ts';

const testError = errorFactory({
  LS_TEST_AWAY: { cause: 'environment', retryable: true, summary: '', remedy: '' },
  LS_TEST_OWN_AWAY: { cause: 'environment', retryable: true, summary: '', remedy: '' },
  LS_TEST_BROKEN: { cause: 'defect', retryable: false, summary: '', remedy: '' },
});
const policy: RetryPolicy = { attemptsMax: 3, baseMs: 100, capMs: 1_000, waitedForCodes: new Set(['LS_TEST_OWN_AWAY']) };

function failing(clock: ReturnType<typeof createVirtualClock>, errors: readonly Error[]) {
  const waitedMs: number[] = [];
  let lastMs = clock.nowMs();
  const operation = (attempt: number): Promise<string> => {
    waitedMs.push(clock.nowMs() - lastMs);
    lastMs = clock.nowMs();
    const error = errors[attempt - 1];
    return error === undefined ? Promise.resolve(`done at ${attempt}`) : Promise.reject(error);
  };
  return { operation, waitedMs };
}

describe('retry', () => {
  it('repeats what is retryable, up to the attempts of its policy', async () => {
    const clock = createVirtualClock();
    const retry = createRetry({ policy, clock, random: () => 1, signal: new AbortController().signal });
    const away = testError('LS_TEST_AWAY', 'away');
    const succeeding = failing(clock, [away, away]);
    expect(await clock.drive(retry(succeeding.operation))).toBe('done at 3');
    expect(succeeding.waitedMs).toEqual([0, 100, 200]);
    const never = failing(clock, [away, away, away, away]);
    await expect(clock.drive(retry(never.operation))).rejects.toBe(away);
    expect(never.waitedMs).toHaveLength(3);
  });

  it('waits without bound for what its policy names, and does not count it', async () => {
    const clock = createVirtualClock();
    const retry = createRetry({ policy, clock, random: () => 1, signal: new AbortController().signal });
    const own = testError('LS_TEST_OWN_AWAY', 'away');
    const errors = [...Array.from({ length: 40 }, () => own), testError('LS_TEST_AWAY', 'away')];
    expect(await clock.drive(retry(failing(clock, errors).operation))).toBe('done at 42');
  });

  it('repeats for a bounded time, which begins with the first failure that counts', async () => {
    const clock = createVirtualClock();
    const [away, own] = [testError('LS_TEST_AWAY', 'away'), testError('LS_TEST_OWN_AWAY', 'away')];
    const bounded = { ...policy, attemptsMax: Infinity, elapsedMsMax: 3_000 };
    const retry = createRetry({ policy: bounded, clock, random: () => 1, signal: new AbortController().signal });
    const { operation, waitedMs } = failing(clock, [...Array.from({ length: 20 }, () => own), ...Array.from({ length: 20 }, () => away)]);
    await expect(clock.drive(retry(operation))).rejects.toBe(away);
    expect(waitedMs.slice(21), 'no attempt begins when the time is over').toEqual([1_000, 1_000, 1_000]);
  });

  it('waits as long as a failure asks for, and gives up at once where that is beyond its time', async () => {
    const clock = createVirtualClock();
    const away = testError('LS_TEST_AWAY', 'away');
    const retryFor = (elapsedMsMax: number) => createRetry({ policy: { ...policy, elapsedMsMax }, clock, random: () => 0, signal: new AbortController().signal, leastWaitMs: () => 5_000 });
    const patient = failing(clock, [away]);
    expect(await clock.drive(retryFor(5_000)(patient.operation))).toBe('done at 2');
    expect(patient.waitedMs).toEqual([0, 5_000]);
    const impatient = failing(clock, [away]);
    await expect(clock.drive(retryFor(4_999)(impatient.operation))).rejects.toBe(away);
    expect(impatient.waitedMs).toHaveLength(1);
  });

  it('does not repeat what is not retryable, and no foreign error', async () => {
    const clock = createVirtualClock();
    const retry = createRetry({ policy, clock, random: () => 1, signal: new AbortController().signal });
    for (const error of [testError('LS_TEST_BROKEN', 'broken'), new TypeError('foreign')]) {
      const { operation, waitedMs } = failing(clock, [error]);
      await expect(clock.drive(retry(operation))).rejects.toBe(error);
      expect(waitedMs).toHaveLength(1);
    }
  });

  it('answers for any value whether it is retryable', () => {
    const trap = (): never => {
      throw new RangeError('a trap');
    };
    const hostile = new Proxy({}, { get: trap, getPrototypeOf: trap });
    for (const value of [undefined, null, 0, 'text', { retryable: true }, new Error('foreign'), Object.create(null), hostile]) {
      expect(isRetryable(value)).toBe(false);
      expect(codeOf(value)).toBeUndefined();
    }
    expect(isRetryable(testError('LS_TEST_AWAY', ''))).toBe(true);
    expect(isRetryable(testError('LS_TEST_BROKEN', ''))).toBe(false);
    expect(codeOf(testError('LS_TEST_BROKEN', ''))).toBe('LS_TEST_BROKEN');
  });

  it('ends its wait when the signal aborts', async () => {
    const clock = createVirtualClock();
    const controller = new AbortController();
    const retry = createRetry({ policy: { ...policy, attemptsMax: Infinity }, clock, random: () => 1, signal: controller.signal });
    const { operation, waitedMs } = failing(clock, Array.from({ length: 100 }, () => testError('LS_TEST_AWAY', 'away')));
    const running = retry(operation);
    running.catch(() => undefined);
    await clock.pass(1_000);
    const attempts = waitedMs.length;
    controller.abort();
    await expect(clock.drive(running)).rejects.toMatchObject({ code: 'LS_TEST_AWAY' });
    expect(waitedMs).toHaveLength(attempts);
  });

  it('backs off by a random part of a growing, capped bound', () => {
    const random = seededRandom(7);
    for (let attempt = 1; attempt < 2_000; attempt += 1) {
      const waitMs = backOffMs(policy, attempt, random);
      expect(waitMs).toBeGreaterThanOrEqual(0);
      expect(waitMs).toBeLessThanOrEqual(Math.min(1_000, 100 * 2 ** (attempt - 1)));
    }
    const waits = Array.from({ length: 1_000 }, () => backOffMs(policy, 3, random));
    expect(Math.min(...waits)).toBeLessThan(40);
    expect(Math.max(...waits)).toBeGreaterThan(360);
  });
});
