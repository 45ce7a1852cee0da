/** A state that nobody uses any more is closed (that of a partition that may come back: fold-partition.test.ts). */
import { expect, it } from 'vitest';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { createMemoryStateStore } from './memory-state-store.ts';
import { createFixture } from './runner-fixture.ts';
import { sumStage, textOf, textRecord } from './stages.ts';

it.each([
  { what: 'fails', options: { fails: (record: ConsumedRecord) => textOf(record) === '3' } },
  { what: 'cannot be restored', options: { outputs: () => 1 }, stateStore: { ...createMemoryStateStore(), readNewest: () => Promise.reject(new RangeError('no disk')) } },
])('closes a state that $what', async ({ options, stateStore }) => {
  const fixture = createFixture({ log: 1, sums: 1 });
  fixture.broker.append(Array.from({ length: 5 }, (_, index) => textRecord({ topic: 'log', partition: 0 }, String(index + 1))));
  const states: number[] = [];
  const opened = (count: number): void => void states.push(count);
  const stage = sumStage('log', { outputs: () => 1, ...options, opened });
  const runner = await fixture.start(fixture.broker.connect().transport, stage, stateStore === undefined ? {} : { stateStore });
  await fixture.clock.drive(runner.failed);
  await fixture.clock.pass(1);
  expect(states).toEqual([1, -1]);
  await fixture.stop(runner);
});
