import { describe, expect, it } from 'vitest';
import { unlessAborted } from '../../src/pipeline/abort.ts';
import { createCondition } from '../../src/pipeline/condition.ts';
import { systemClock } from '../../src/pipeline/system-clock.ts';
import { createVirtualClock } from './virtual-clock.ts';

describe('a condition', () => {
  it('wakes who waits for the state that came about, even if it is undone at once', async () => {
    const clock = createVirtualClock();
    const condition = createCondition(clock);
    let value = 0;
    const one = condition.until(() => value === 1);
    const two = condition.until(() => value === 2, 100);
    value = 1;
    condition.notify();
    value = 0;
    condition.notify();
    expect(await one).toBe(true);
    expect(await clock.drive(two)).toBe(false);
  });

  it('does not wait for what holds already, or for a time that has passed', async () => {
    const condition = createCondition(createVirtualClock());
    expect(await condition.until(() => true)).toBe(true);
    expect(await condition.until(() => false, 0)).toBe(false);
    expect(await condition.until(() => false, -1)).toBe(false);
  });
});

describe('a promise unless aborted', () => {
  it('gives the result, the rejection, or nothing once the signal aborted', async () => {
    const controller = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), controller.signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new RangeError('no')), controller.signal)).rejects.toThrow('no');
    const hanging = unlessAborted(new Promise(() => undefined), controller.signal);
    controller.abort();
    expect(await hanging).toBeUndefined();
    expect(await unlessAborted(new Promise(() => undefined), controller.signal)).toBeUndefined();
  });
});

describe('the system clock', () => {
  it('sleeps, and wakes at once when aborted', async () => {
    await systemClock.sleep(1);
    const controller = new AbortController();
    const sleeping = systemClock.sleep(1e12, controller.signal);
    controller.abort();
    await sleeping;
    await systemClock.sleep(1e12, controller.signal);
    await systemClock.sleep(-1);
    expect(systemClock.nowMs()).toBeGreaterThan(1_700_000_000_000);
    const beforeMs = systemClock.elapsedMs();
    expect(systemClock.elapsedMs()).toBeGreaterThanOrEqual(beforeMs);
  });
});
