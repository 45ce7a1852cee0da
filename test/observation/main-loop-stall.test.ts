import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startStallMonitor } from '../../src/observation/main-loop-stall.ts';

function burnCpu(milliseconds: number): void {
  const start = process.threadCpuUsage();
  let elapsed = 0;
  while (elapsed < milliseconds * 1000) {
    const { user, system } = process.threadCpuUsage(start);
    elapsed = user + system;
  }
}

test('a turn that computes is a stall of at least its CPU time; waiting is none', async () => {
  const monitor = startStallMonitor();
  await sleep(30);
  const waiting = monitor.longestSinceLastMs();
  burnCpu(80);
  await sleep(20);
  monitor.stop();
  expect(monitor.longestMs()).toBeGreaterThanOrEqual(80);
  expect(waiting).toBeLessThan(monitor.longestMs());
});
