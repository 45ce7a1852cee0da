import { describe, expect, it } from 'vitest';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { noFaults } from './memory-faults.ts';
import { createFixture, eventsOf, recordingObserver, testLimits } from './runner-fixture.ts';
import { sumStage, textOf } from './stages.ts';
import { log, offline, publish, sums } from './sum-log.ts';


describe('records that a fold partition appends for itself', () => {
  it('appends what is due, once until it was folded, even if the append is repeated', async () => {
    for (const fault of ['none', 'rejected-before', 'rejected-after'] as const) {
      const fixture = createFixture({ log: 1, sums: 1 });
      publish(fixture, 3);
      let appends = 0;
      const faults = { ...noFaults, append: () => ((appends += 1) === 1 ? fault : 'none') };
      const { observer, told } = recordingObserver();
      const dueAtMs = fixture.clock.nowMs() + 5_000;
      const stage = sumStage('log', { outputs: () => 1, tickAtMs: (count) => (count < 4n ? dueAtMs : count === 4n ? dueAtMs + 5_000 : undefined) });
      const runner = await fixture.start(fixture.broker.connect({ faults }).transport, stage, { observer });
      await fixture.clock.pass(4_900);
      expect(eventsOf(told, 'ownRecordAppended')).toHaveLength(0);
      await fixture.clock.pass(30_000);
      const ticks = fixture.broker.records(log).map(textOf).filter((text) => text.startsWith('tick'));
      expect(ticks).toEqual(fault === 'rejected-after' ? ['tick 3', 'tick 3'] : ['tick 3', 'tick 4']);
      await fixture.stop(runner);
    }
  });

  it('appends nothing more while what it appended cannot be read', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 3);
    const isTick = (text: string): boolean => text.startsWith('tick');
    const ticks = (): number => fixture.broker.records(log).filter((record) => isTick(textOf(record))).length;
    let unreadable = true;
    const faults = { ...noFaults, poll: () => (unreadable && ticks() > 0 ? 'rejected' : 'none') } as const;
    const dueAtMs = fixture.clock.nowMs() + 5_000;
    const stage = sumStage('log', { outputs: () => 1, tickAtMs: (count) => (count < 4n ? dueAtMs : undefined) });
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, stage);
    await fixture.clock.pass(60_000);
    expect(ticks()).toBe(1);
    unreadable = false;
    await fixture.drain(runner, ['log']);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('does not append what is due while the log still has records to fold', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 1_000);
    const { observer, told } = recordingObserver();
    const stage = sumStage('log', { outputs: () => 0, clock: fixture.clock, tickAtMs: (count) => (count < 1_000n ? 0 : undefined) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer });
    await fixture.drain(runner, ['log']);
    await fixture.clock.pass(1_000);
    expect(eventsOf(told, 'ownRecordAppended')).toHaveLength(0);
    await fixture.stop(runner);
  });

  it('appends what is urgent between two batches, once until it was folded', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 1_000);
    const { observer, told } = recordingObserver();
    let ticks = 0;
    const folded = (record: ConsumedRecord): void => {
      if (textOf(record).startsWith('tick')) ticks += 1;
    };
    const tickAtMs = (count: bigint): number | undefined => (ticks === 0 && count > 100n ? 0 : undefined);
    const stage = sumStage('log', { outputs: () => 1, clock: fixture.clock, folded, tickAtMs, ticksAreUrgent: true });
    const limits = { ...testLimits, foldRecordsMax: 30 };
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer, limits });
    const isAppended = (): boolean => eventsOf(told, 'ownRecordAppended').length > 0;
    for (let waited = 0; waited < 10_000 && !isAppended(); waited += 1) await fixture.clock.pass(1);
    // Long before the log is empty.
    expect(isAppended()).toBe(true);
    expect(fixture.broker.checkpoint('group', log)?.sequence).toBeLessThan(500n);
    await fixture.drain(runner, ['log']);
    expect(ticks).toBe(1);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('is told when something is due although nothing was folded', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 3);
    let isDue = false;
    let listener: (() => void) | undefined;
    const tickAtMs = (count: bigint): number | undefined => (isDue && count === 3n ? 0 : undefined);
    const stage = sumStage('log', { outputs: () => 1, tickAtMs, ticksAreUrgent: true, watchDue: (given) => (listener = given) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage);
    await fixture.clock.pass(10_000);
    isDue = true;
    await fixture.clock.pass(10_000);
    expect(fixture.broker.records(log)).toHaveLength(3);
    listener?.();
    await fixture.clock.pass(100);
    expect(fixture.broker.records(log).map(textOf).at(-1)).toBe('tick 3');
    await fixture.stop(runner);
  });

  it('stops in good order where the run ends while something of its own is being appended', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 3);
    const appending = Promise.withResolvers<undefined>();
    const appended = Promise.withResolvers<undefined>();
    const { transport } = fixture.broker.connect();
    const slow = {
      ...transport,
      append: async (records: Parameters<typeof transport.append>[0]) => {
        appending.resolve(undefined);
        await appended.promise;
        await transport.append(records);
      },
    };
    const { observer, told } = recordingObserver();
    const stage = sumStage('log', { outputs: () => 1, tickAtMs: (count) => (count === 3n ? 0 : undefined), ticksAreUrgent: true });
    const runner = await fixture.start(slow, stage, { observer });
    await fixture.drain(runner, ['log']);
    await fixture.clock.drive(appending.promise);
    const stopping = fixture.stop(runner);
    await fixture.clock.pass(100);
    appended.resolve(undefined);
    expect(await stopping).toEqual({ forced: false });
    expect(eventsOf(told, 'failed')).toEqual([]);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1).slice(0, 3));
  });
});
