import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchProgress } from '../../src/models/progress-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('tells once of what does not come, after the time in which nothing else came', () => {
  const stalled = vi.fn();
  let awaited: object | undefined;
  watchProgress(() => awaited, 1_000, stalled);
  vi.advanceTimersByTime(5_000);
  for (let answers = 0; answers < 10; answers += 1) {
    awaited = {};
    vi.advanceTimersByTime(900);
  }
  awaited = undefined;
  vi.advanceTimersByTime(900);
  expect(stalled).not.toHaveBeenCalled();
  awaited = {};
  vi.advanceTimersByTime(1_000);
  expect(stalled).not.toHaveBeenCalled();
  vi.advanceTimersByTime(5_000);
  expect(stalled).toHaveBeenCalledOnce();
});

test('is silent once it is ended', () => {
  const stalled = vi.fn();
  const unwatch = watchProgress(() => stalled, 1_000, stalled);
  vi.advanceTimersByTime(900);
  unwatch();
  vi.advanceTimersByTime(5_000);
  expect(stalled).not.toHaveBeenCalled();
});
