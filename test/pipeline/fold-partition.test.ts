import { describe, expect, it } from 'vitest';
import type { RunnerOptions } from '../../src/pipeline/runner.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import type { MemoryClient } from './memory-client.ts';
import { noFaults } from './memory-faults.ts';
import { createMemoryStateStore } from './memory-state-store.ts';
import { createFixture, eventsOf, recordingObserver, testLimits, type Fixture } from './runner-fixture.ts';
import { sumStage, textOf, textRecord, type SumOptions } from './stages.ts';
import { log, offline, publish, sums } from './sum-log.ts';


/** Starts, waits until the log is folded, and dies without a word. */
async function runAndCrash(fixture: Fixture, outputs: SumOptions['outputs'], options: Partial<RunnerOptions> = {}): Promise<void> {
  const client = fixture.broker.connect();
  const runner = await fixture.start(client.transport, sumStage('log', { outputs }), options);
  await fixture.drain(runner, ['log']);
  await fixture.clock.pass(100);
  client.crash();
}

describe('a fold partition', () => {
  it('folds in order and commits every record, with and without outputs', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 1_000);
    const outputs = (record: { sequence: bigint }): number => Number(record.sequence % 3n);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs }));
    await fixture.drain(runner, ['log']);
    expect(sums(fixture)).toEqual(offline(fixture, outputs));
    expect(fixture.broker.checkpoint('group', log)).toMatchObject({ sequence: fixture.broker.records(log).at(-1)?.sequence, outputsSent: 0 });
    await fixture.stop(runner);
  });

  it('sends one record over several deliveries, and after a crash between them neither loses nor doubles', async () => {
    for (const crashAt of [1, 2, 3, 4, 5, 6]) {
      for (const crash of ['crash-before', 'crash-after'] as const) {
        const fixture = createFixture({ log: 1, sums: 1 });
        publish(fixture, 3);
        const outputs = (): number => 10;
        const limits = { ...testLimits, deliveryRecordsMax: 4 };
        let deliveries = 0;
        const faults = { ...noFaults, deliver: () => ((deliveries += 1) === crashAt + 1 ? crash : 'none') };
        const client = fixture.broker.connect({ faults });
        await fixture.start(client.transport, sumStage('log', { outputs }), { limits });
        await fixture.clock.drive(client.crashed);
        const second = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs }), { limits });
        await fixture.drain(second, ['log']);
        expect(sums(fixture)).toEqual(offline(fixture, outputs));
        for (const { outputs: sent } of fixture.broker.applied) expect(sent.length).toBeLessThanOrEqual(4);
        await fixture.stop(second);
      }
    }
  });

  it('restores the newest snapshot at or below the committed sequence and replays the rest without outputs', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryRecords: 100, foldRecordsMax: 30 };
    publish(fixture, 250);
    await runAndCrash(fixture, () => 1, { stateStore, limits });
    expect(stateStore.headers().length).toBe(2);
    publish(fixture, 50);
    const folded: bigint[] = [];
    const { observer, told } = recordingObserver();
    const stage = sumStage('log', { outputs: () => 1, folded: ({ sequence }) => folded.push(sequence) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { stateStore, limits, observer });
    await fixture.drain(runner, ['log']);
    const newest = stateStore.headers()[1]?.sequence ?? -1n;
    expect(folded).toEqual(fixture.broker.records(log).flatMap(({ sequence }) => (sequence > newest ? [sequence] : [])));
    const [restored] = eventsOf(told, 'restored');
    expect(restored?.[1]).toMatchObject({ snapshotSequence: newest });
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('takes nothing of a snapshot that shows damage only at its end, and goes on from the one before; nothing is removed until then', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryRecords: 100, foldRecordsMax: 30 };
    publish(fixture, 250);
    await runAndCrash(fixture, () => 1, { stateStore, limits });
    publish(fixture, 50);
    const done: string[] = [];
    const ending = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      yield* chunks;
      throw new Error('a checksum does not hold');
    };
    const damaged: StateStore = {
      ...stateStore,
      readNewest: async (key, sequence, read) => {
        const [newest = -1n] = (await stateStore.list(key)).filter((at) => at <= sequence);
        await expect(stateStore.readNewest(key, newest, ({ header, chunks }) => read({ header, chunks: ending(chunks) }))).rejects.toThrow('a checksum');
        done.push('passed over');
        return stateStore.readNewest(key, newest - 1n, read);
      },
      discardAbove: (key, sequence) => {
        done.push('discard');
        return stateStore.discardAbove(key, sequence);
      },
    };
    const folded: bigint[] = [];
    const { observer, told } = recordingObserver();
    const stage = sumStage('log', { outputs: () => 1, folded: ({ sequence }) => folded.push(sequence) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { stateStore: damaged, limits, observer });
    await fixture.drain(runner, ['log']);
    const older = stateStore.headers()[0]?.sequence ?? -1n;
    expect(eventsOf(told, 'restored')[0]?.[1]).toMatchObject({ snapshotSequence: older });
    expect(folded).toEqual(fixture.broker.records(log).flatMap(({ sequence }) => (sequence > older ? [sequence] : [])));
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    expect(done).toEqual(['passed over', 'discard']);
    await fixture.stop(runner);
  });

  it('keeps the state of a partition that comes back with nothing committed by another meanwhile, and restores it otherwise', async () => {
    const fixture = createFixture({ log: 2, sums: 2 });
    const both = [log, { topic: 'log', partition: 1 }];
    const publishBoth = (count: number): void => {
      for (const place of both) fixture.broker.append(Array.from({ length: count }, (_, index) => textRecord(place, String(index + 1))));
    };
    const start = async (client: MemoryClient) => {
      const folded: string[] = [];
      let states = 0;
      const { observer, told } = recordingObserver();
      const opened = (count: number): void => void (states += count);
      const stage = sumStage('log', { outputs: () => 1, folded: ({ partition, sequence }) => folded.push(`${partition} ${sequence}`), opened });
      const runner = await fixture.start(client.transport, stage, { observer });
      return { runner, folded, states: () => states, kept: () => eventsOf(told, 'restored').map(([, restored]) => (restored as { readonly kept: boolean }).kept) };
    };
    publishBoth(20);
    const client = fixture.broker.connect();
    const first = await start(client);
    await fixture.drain(first.runner, ['log']);

    // Everything goes, as in a rebalance, and comes back to where it was.
    await fixture.clock.drive(client.revoke(both));
    publishBoth(10);
    await fixture.clock.drive(client.assign(both));
    await fixture.drain(first.runner, ['log']);
    expect(first.kept()).toEqual([false, false, true, true]);
    expect(first.states()).toBe(2);
    expect(first.folded).toHaveLength(60);

    // This time another moves one of them on: what the first knows of it is of no use.
    await fixture.clock.drive(client.revoke(both));
    publishBoth(5);
    const second = await start(fixture.broker.connect({ assigned: [log] }));
    await fixture.clock.drive(second.runner.drainedTo([{ ...log, sequence: fixture.broker.bounds(log).end.sequence }]));
    await fixture.stop(second.runner);
    await fixture.clock.drive(client.assign(both));
    await fixture.drain(first.runner, ['log']);
    expect(first.kept().slice(4).sort()).toEqual([false, true]);
    expect([first.states(), second.states()]).toEqual([2, 0]);
    expect(first.folded).toHaveLength(60 + 5 + 35);
    for (const place of both) expect(fixture.broker.records({ ...place, topic: 'sums' }).map(textOf)).toHaveLength(35);
    expect(fixture.broker.records({ topic: 'sums', partition: 0 }).map(textOf)).toEqual(offline(fixture, () => 1));

    // What is kept while nothing is assigned goes with the runner.
    await fixture.clock.drive(client.revoke(both));
    expect(first.states()).toBe(2);
    await fixture.stop(first.runner);
    expect(first.states()).toBe(0);
  });

  it('cuts a snapshot in an idle log when its time has come, and only if there is something new', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryMs: 10_000 };
    publish(fixture, 5);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore, limits });
    await fixture.clock.pass(60_000);
    expect(stateStore.headers()).toHaveLength(1);
    expect(stateStore.headers()[0]).toMatchObject({ stage: 'sum', topic: 'log', partition: 0, sequence: fixture.broker.records(log)[4]?.sequence });
    publish(fixture, 1);
    await fixture.clock.pass(60_000);
    expect(stateStore.headers()).toHaveLength(2);
    await fixture.stop(runner);
  });

  it('cuts a snapshot in time although what time it is was set back by an hour', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryMs: 10_000 };
    const { observer, told } = recordingObserver();
    publish(fixture, 5);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore, limits, observer });
    await fixture.clock.pass(5_000);
    fixture.clock.setWall(-3_600_000);
    await fixture.clock.pass(6_000);
    expect(stateStore.headers()).toHaveLength(1);
    expect(eventsOf(told, 'restored')[0]?.[1]).toMatchObject({ durationMs: 0 });
    await fixture.stop(runner);
  });

  it('goes on when a snapshot cannot be written, and tries again later', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    let full = true;
    const stateStore = createMemoryStateStore(() => (full ? new RangeError('no space left') : undefined));
    const limits = { ...testLimits, snapshotEveryMs: 10_000 };
    const { observer, told } = recordingObserver();
    publish(fixture, 5);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore, limits, observer });
    await fixture.clock.pass(25_000);
    expect(eventsOf(told, 'snapshotFailed')).toHaveLength(2);
    full = false;
    publish(fixture, 5);
    await fixture.drain(runner, ['log']);
    await fixture.clock.pass(25_000);
    expect(eventsOf(told, 'snapshotWritten')).toHaveLength(1);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('never restores a snapshot of a future that its log lost, and removes it before the log grows past it', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryRecords: 10, foldRecordsMax: 5 };
    publish(fixture, 20);
    await runAndCrash(fixture, () => 1, { stateStore, limits });
    const own = stateStore.headers();
    expect(own.length).toBeGreaterThan(0);
    publish(fixture, 20);
    // What a process left that had folded other records there, before the log was restored from a copy without them.
    const { topic, partition, incarnation, sequence, nextPosition } = fixture.broker.records(log)[30] ?? expect.fail('no record');
    const foreign = { stage: 'sum', topic, partition, incarnation, sequence, position: nextPosition };
    await stateStore.write(foreign, [Buffer.from('1000000'), Buffer.from('31')]);
    await stateStore.write({ ...foreign, partition: 1 }, [Buffer.from('5'), Buffer.from('1')]);
    const { observer, told } = recordingObserver();
    await runAndCrash(fixture, () => 1, { stateStore, observer, limits: { ...limits, snapshotEveryRecords: 1_000 } });
    expect(stateStore.headers(), 'those of the log, and of another partition').toEqual([...own, { ...foreign, partition: 1 }]);
    expect(eventsOf(told, 'snapshotsDiscarded')).toEqual([['snapshotsDiscarded', [sequence]]]);
    publish(fixture, 20);
    await runAndCrash(fixture, () => 1, { stateStore, limits });
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
  });

  it('folds nothing while a snapshot of another history cannot be removed', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const error = new RangeError('read-only');
    const stateStore = { ...createMemoryStateStore(), discardAbove: () => Promise.reject(error) };
    publish(fixture, 5);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore });
    expect(await fixture.clock.drive(runner.failed)).toBe(error);
    expect(sums(fixture)).toEqual([]);
    await fixture.stop(runner);
  });

  it('removes no snapshot where the state cannot be rebuilt without it', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    publish(fixture, 10);
    await runAndCrash(fixture, () => 1, { stateStore, limits: { ...testLimits, snapshotEveryMs: 50 } });
    const kept = stateStore.headers();
    expect(kept.length).toBeGreaterThan(0);
    fixture.broker.truncate(log, 5);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore, group: 'began again' });
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED' });
    expect(stateStore.headers()).toEqual(kept);
    await fixture.stop(runner);
  });

  it('cuts no snapshot with a record half sent', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const limits = { ...testLimits, deliveryRecordsMax: 3, snapshotEveryRecords: 1 };
    publish(fixture, 20);
    await runAndCrash(fixture, () => 8, { stateStore, limits });
    const whole = new Set(fixture.broker.applied.filter(({ checkpoint }) => checkpoint.outputsSent === 0).map(({ checkpoint }) => checkpoint.sequence));
    expect(stateStore.headers().length).toBeGreaterThan(0);
    for (const { sequence } of stateStore.headers()) expect(whole.has(sequence)).toBe(true);
  });

  it('stops when the log begins after its first record and there is no snapshot', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 10);
    fixture.broker.truncate(log, 1);
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }));
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED', details: { topic: 'log', partition: 0 } });
    await fixture.stop(runner);
  });

  it('stops when the log begins after the snapshot, but not when it begins right after it', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    publish(fixture, 10);
    await runAndCrash(fixture, () => 1, { stateStore, limits: { ...testLimits, snapshotEveryMs: 50 } });
    publish(fixture, 10);
    await runAndCrash(fixture, () => 1);
    const snapshotted = fixture.broker.records(log).findIndex(({ sequence }) => sequence === stateStore.headers()[0]?.sequence) + 1;
    // The sequence after a snapshot may be a gap, and then nothing tells that no record was there.
    const [before, after] = [fixture.broker.records(log)[snapshotted - 1], fixture.broker.records(log)[snapshotted]];
    const adjacent = before !== undefined && after !== undefined && after.sequence === before.sequence + 1n;
    fixture.broker.truncate(log, snapshotted);
    const second = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore });
    if (adjacent) {
      await fixture.drain(second, ['log']);
      expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    }
    await fixture.stop(second);
    fixture.broker.truncate(log, snapshotted + 1);
    const third = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { stateStore });
    expect(await fixture.clock.drive(third.failed)).toMatchObject({ code: 'LS_STATE_LOG_TRUNCATED' });
    await fixture.stop(third);
  });

  it('stops on a failing fold, and names topic, partition and sequences', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 10);
    const limits = { ...testLimits, foldRecordsMax: 4 };
    const stage = sumStage('log', { outputs: () => 1, fails: (record) => textOf(record) === '6' });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { limits });
    const records = fixture.broker.records(log);
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({
      code: 'LS_PIPELINE_FOLD_FAILED',
      details: { topic: 'log', partition: 0, sequence: records[4]?.sequence, lastSequence: records[7]?.sequence },
      cause: new RangeError('this fold fails'),
    });
    expect(sums(fixture)).toEqual(offline(fixture, () => 1).slice(0, 4));
    await fixture.stop(runner);
  });

  it('stops at once where the fold waits, with the records before delivered, and folds the others later', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 10);
    const limits = { ...testLimits, foldRecordsMax: 4 };
    const stage = sumStage('log', { outputs: () => 1, waits: (record) => textOf(record) === '7' });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { limits });
    await fixture.clock.pass(60_000);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1).slice(0, 4));
    const startedMs = fixture.clock.elapsedMs();
    expect(await fixture.stop(runner)).toEqual({ forced: false });
    expect(fixture.clock.elapsedMs() - startedMs).toBeLessThan(1_000);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1).slice(0, 6));
    expect(fixture.broker.checkpoint('group', log)).toMatchObject({ sequence: fixture.broker.records(log)[5]?.sequence });
    const second = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 1 }), { limits });
    await fixture.drain(second, ['log']);
    expect(sums(fixture)).toEqual(offline(fixture, () => 1));
    await fixture.stop(second);
  });

  it('stops when folding again gives fewer outputs than were sent', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 1);
    const limits = { ...testLimits, deliveryRecordsMax: 2 };
    let deliveries = 0;
    const faults = { ...noFaults, deliver: () => ((deliveries += 1) === 3 ? 'crash-after' : 'none') } as const;
    const client = fixture.broker.connect({ faults });
    await fixture.start(client.transport, sumStage('log', { outputs: () => 10 }), { limits });
    await fixture.clock.drive(client.crashed);
    expect(fixture.broker.checkpoint('group', log)).toMatchObject({ sequence: -1n, outputsSent: 4 });
    const runner = await fixture.start(fixture.broker.connect().transport, sumStage('log', { outputs: () => 3 }), { limits });
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_PIPELINE_FOLD_DIVERGED' });
    await fixture.stop(runner);
  });
});
