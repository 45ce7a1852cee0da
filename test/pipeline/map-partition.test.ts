import { describe, expect, it } from 'vitest';
import { errorFactory } from '../../src/core/errors/error.ts';
import type { ConsumedRecord } from '../../src/core/records.ts';
import type { MapStage } from '../../src/pipeline/stage.ts';
import { noFaults } from './memory-faults.ts';
import { createFixture, eventsOf, recordingObserver, testLimits, type Fixture } from './runner-fixture.ts';
import { echoesOf, echoStage, textOf, textRecord } from './stages.ts';

const input = { topic: 'in', partition: 0 };

function publish({ broker }: Fixture, count: number, text: (index: number) => string = String): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord(input, text(index))));
}

const outTexts = ({ broker }: Fixture): string[] => broker.allRecords('out').map(textOf);
const undisturbed = ({ broker }: Fixture, outputs: (record: ConsumedRecord) => number): string[] =>
  broker.records(input).flatMap((record) => echoesOf(record, outputs(record)).map(textOf));

describe('a map partition', () => {
  it('releases in input order what finishes in any order', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 50);
    const outputs = (): number => 2;
    const finished: string[] = [];
    const stage = echoStage({
      topics: ['in'],
      outputs,
      work: async (record) => {
        await fixture.clock.sleep(100 - 2 * Number(textOf(record)));
        finished.push(textOf(record));
      },
    });
    const runner = await fixture.start(fixture.broker.connect().transport, stage);
    await fixture.drain(runner, ['in']);
    expect(finished[0]).toBe('49');
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, outputs));
    await fixture.stop(runner);
  });

  it('commits a checkpoint even where a record gives no output', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 10);
    const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 0 }));
    await fixture.drain(runner, ['in']);
    expect(fixture.broker.checkpoint('group', input)?.sequence).toBe(fixture.broker.records(input).at(-1)?.sequence);
    await fixture.stop(runner);
  });

  it('waits a little for company, and bounds a delivery by records and by bytes', async () => {
    for (const limits of [
      { ...testLimits, deliveryRecordsMax: 8 },
      { ...testLimits, deliveryBytesMax: 8 * 90 },
    ]) {
      const fixture = createFixture({ in: 1, out: 1 });
      publish(fixture, 100);
      const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 2 }), { limits });
      await fixture.drain(runner, ['in']);
      const sizes = fixture.broker.applied.slice(1).map(({ outputs }) => outputs.length);
      expect(Math.max(...sizes)).toBe(8);
      expect(sizes.length).toBeLessThan(30);
      await fixture.stop(runner);
    }
  });

  it('delivers a record whole that is larger than any delivery', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 3);
    const limits = { ...testLimits, deliveryRecordsMax: 4 };
    const runner = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 9 }), { limits });
    await fixture.drain(runner, ['in']);
    expect(fixture.broker.applied.slice(1).map(({ outputs }) => outputs.length)).toEqual([9, 9, 9]);
    await fixture.stop(runner);
  });

  it('holds no more than its budget behind a slow head, and goes on when the head is done', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 200);
    const limits = { ...testLimits, partitionRecordsInFlightMax: 16, holdMsMax: Infinity };
    const client = fixture.broker.connect();
    let heldMax = 0;
    const stage = echoStage({
      topics: ['in'],
      outputs: () => 1,
      work: async (record) => {
        heldMax = Math.max(heldMax, client.held(input).records);
        if (textOf(record) === '20') await fixture.clock.sleep(60_000);
      },
    });
    const runner = await fixture.start(client.transport, stage, { limits });
    await fixture.clock.pass(30_000);
    expect(outTexts(fixture)).toHaveLength(20);
    expect(client.held(input).records).toBe(16);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1));
    expect(heldMax).toBe(16);
    await fixture.stop(runner);
  });

  it('bounds what it holds by bytes, outputs included, and admits a first record whatever its size', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 20, () => 'x'.repeat(1_000));
    const limits = { ...testLimits, partitionBytesInFlightMax: 3_000, holdMsMax: Infinity };
    const client = fixture.broker.connect();
    const stage = echoStage({ topics: ['in'], outputs: () => 0, work: () => fixture.clock.sleep(1_000) });
    const runner = await fixture.start(client.transport, stage, { limits });
    await fixture.clock.pass(500);
    expect(client.held(input).records).toBe(2);
    await fixture.drain(runner, ['in']);
    publish(fixture, 1, () => 'x'.repeat(10_000));
    await fixture.drain(runner, ['in']);
    await fixture.stop(runner);
  });

  it('parks a head that holds finished successors back, and aborts its processing', async () => {
    const fixture = createFixture({ in: 1, parked: 1, out: 1 });
    publish(fixture, 10);
    let aborted = false;
    const { observer, told } = recordingObserver();
    const stage = echoStage({
      topics: ['in', 'parked'],
      outputs: () => 1,
      parkTo: 'parked',
      work: async (record, signal) => {
        if (textOf(record) !== '3') return;
        await fixture.clock.sleep(record.topic === 'in' ? 1_000_000 : 5_000, signal);
        aborted ||= signal.aborted;
      },
    });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer });
    await fixture.drain(runner, ['in']);
    expect(aborted).toBe(true);
    expect(eventsOf(told, 'parked')).toEqual([['parked', fixture.broker.records(input)[3]?.sequence, testLimits.holdMsMax]]);
    const others = undisturbed(fixture, () => 1).filter((_, index) => index !== 3);
    expect(outTexts(fixture)).toEqual(others);
    await fixture.drain(runner, ['parked']);
    expect(outTexts(fixture)).toEqual([...others, undisturbed(fixture, () => 1)[3]]);
    await fixture.stop(runner);
  });

  it.each([
    { lingerMs: 5, transactionsMin: 35, transactionsMax: 55 },
    { lingerMs: 0, transactionsMin: 101, transactionsMax: 101 },
  ])('lets results of inputs that wait long wait for company: lingerMs $lingerMs', async ({ lingerMs, transactionsMin, transactionsMax }) => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 100);
    // One result each 10 ms, longer than the linger: a twentieth of the wait, 50 ms for the last input, is company for up to five.
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: (record) => fixture.clock.sleep(10 * (1 + Number(textOf(record)))) });
    const limits = { ...testLimits, recordsInFlightMax: 200, partitionRecordsInFlightMax: 200, lingerMs };
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { limits });
    await fixture.drain(runner, ['in']);
    expect(fixture.broker.applied.length).toBeGreaterThanOrEqual(transactionsMin);
    expect(fixture.broker.applied.length).toBeLessThanOrEqual(transactionsMax);
    expect(outTexts(fixture)).toHaveLength(100);
    await fixture.stop(runner);
  });

  it('reads again when a quarter of its share is free, not for each result', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 400);
    let polls = 0;
    const faults = { ...noFaults, poll: () => ((polls += 1) > 0 ? 'none' : 'rejected') } as const;
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: (record) => fixture.clock.sleep(10 * (1 + Number(textOf(record)))) });
    const limits = { ...testLimits, recordsInFlightMax: 40, partitionRecordsInFlightMax: 40, lingerMs: 0 };
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, stage, { limits });
    await fixture.drain(runner, ['in']);
    // 40 at first, then 10 at a time, and one poll that waits for more.
    expect(polls).toBeLessThanOrEqual(1 + 36 + 1);
    expect(outTexts(fixture)).toHaveLength(400);
    await fixture.stop(runner);
  });

  it('delivers and parks in time although what time it is was set back by an hour', async () => {
    const fixture = createFixture({ in: 1, parked: 1, out: 1 });
    const { clock, broker } = fixture;
    const { observer, told } = recordingObserver();
    const stage = echoStage({
      topics: ['in', 'parked'],
      outputs: () => 1,
      parkTo: 'parked',
      work: (record, signal) => (record.topic === 'in' && textOf(record) === '5' ? clock.sleep(1_000_000, signal) : Promise.resolve()),
    });
    const limits = { ...testLimits, lingerMs: 100, holdMsMax: 2_000 };
    const runner = await fixture.start(broker.connect().transport, stage, { observer, limits });
    publish(fixture, 10);
    await clock.pass(50);
    expect(outTexts(fixture), 'lingering').toEqual([]);
    clock.setWall(-3_600_000);
    // Makes the release look at the time again.
    broker.append([textRecord(input, 'more')]);
    await clock.pass(100);
    expect(outTexts(fixture)).toHaveLength(5);
    clock.setWall(-3_600_000);
    await clock.pass(3_000);
    expect(eventsOf(told, 'parked')).toEqual([['parked', broker.records(input)[5]?.sequence, expect.closeTo(2_000, 3)]]);
    expect(outTexts(fixture)).toHaveLength(11);
    await fixture.stop(runner);
  });

  it('waits for a slow head that holds nobody back, and for one that the stage does not park', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 3);
    const { observer, told } = recordingObserver();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: (record) => fixture.clock.sleep(textOf(record) === '0' ? 100_000 : 1) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer });
    await fixture.drain(runner, ['in']);
    expect(eventsOf(told, 'parked')).toEqual([]);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('pauses when more than half of the last 100 items fail by the system, and does them again once one succeeds', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 300);
    const limits = { ...testLimits, partitionRecordsInFlightMax: 32 };
    const { observer, told } = recordingObserver();
    let away = false;
    const stage = echoStage({ topics: ['in'], outputs: () => 1, failures: () => (away ? ['LS_MODEL_CRASHED'] : []) });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer, limits });
    await fixture.drain(runner, ['in']);
    away = true;
    publish(fixture, 300);
    await fixture.clock.pass(60_000);
    const failed = (): string[] => outTexts(fixture).filter((text) => text.startsWith('failed'));
    expect(failed()).toHaveLength(50);
    expect(eventsOf(told, 'paused')).toEqual([['paused', 'LS_MODEL_CRASHED']]);
    expect(eventsOf(told, 'resumed')).toEqual([]);
    away = false;
    await fixture.drain(runner, ['in']);
    expect(eventsOf(told, 'resumed')).toHaveLength(1);
    expect(failed()).toHaveLength(50);
    expect(outTexts(fixture).map((text) => text.replace('failed ', ''))).toEqual(undisturbed(fixture, () => 1));
    await fixture.stop(runner);
  });

  it('does not wait, when it is drained, for a record between two attempts at something that is away', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 20);
    const { observer, told } = recordingObserver();
    const away = errorFactory({ LS_TEST_AWAY: { cause: 'environment', retryable: true, summary: '', remedy: '' } })('LS_TEST_AWAY', 'away');
    const policy = { attemptsMax: Infinity, baseMs: 10_000, capMs: 10_000, waitedForCodes: new Set<string>() };
    const stage: MapStage = {
      ...echoStage({ topics: ['in'], outputs: () => 1 }),
      process: async (record, { retry }) => {
        if (textOf(record) === '7') await retry(() => Promise.reject(away), { policy, leastWaitMs: () => 0 });
        return { outputs: echoesOf(record, 1), systemFailures: [] };
      },
    };
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer, limits: { ...testLimits, holdMsMax: Infinity } });
    await fixture.clock.pass(100);
    const beganMs = fixture.clock.elapsedMs();
    expect(await fixture.stop(runner)).toEqual({ forced: false });
    expect(fixture.clock.elapsedMs() - beganMs).toBeLessThan(1_000);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1).slice(0, 7));
    expect(eventsOf(told, 'failed')).toEqual([]);
  });

  it('drains to the failing head when it is stopped during a pause', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 200);
    const { observer, told } = recordingObserver();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, failures: () => ['LS_MODEL_CRASHED'] });
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { observer });
    await fixture.clock.pass(10_000);
    expect(eventsOf(told, 'paused')).toHaveLength(1);
    expect(await fixture.stop(runner)).toEqual({ forced: false });
    expect(outTexts(fixture)).toHaveLength(50);
    expect(fixture.broker.checkpoint('group', input)?.sequence).toBe(fixture.broker.records(input)[49]?.sequence);
  });

  it('stops before the record on which the stage rejects, and names it', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 10);
    const stage = echoStage({
      topics: ['in'],
      outputs: () => 1,
      work: async (record) => {
        if (textOf(record) === '7') await fixture.clock.sleep(100).then(() => Promise.reject(new TypeError('a defect')));
      },
    });
    const runner = await fixture.start(fixture.broker.connect().transport, stage);
    const error = await fixture.clock.drive(runner.failed);
    expect(error).toMatchObject({
      code: 'LS_PIPELINE_PROCESS_FAILED',
      details: { topic: 'in', partition: 0, sequence: fixture.broker.records(input)[7]?.sequence },
    });
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1).slice(0, 7));
    await expect(fixture.drain(runner, ['in'])).rejects.toBe(error);
    await fixture.stop(runner);
  });

  it('fails on a delivery that is refused for good, and on a position that is lost', async () => {
    const fixture = createFixture({ in: 1, out: 0 });
    publish(fixture, 1);
    const first = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 1 }));
    expect(await fixture.clock.drive(first.failed)).toMatchObject({ code: 'LS_TRANSPORT_TOPIC_MISSING' });
    await fixture.stop(first);
    fixture.broker.truncate(input, 1);
    const second = await fixture.start(fixture.broker.connect().transport, echoStage({ topics: ['in'], outputs: () => 1 }));
    expect(await fixture.clock.drive(second.failed)).toMatchObject({ code: 'LS_TRANSPORT_POSITION_LOST' });
    await fixture.stop(second);
  });

  it('sends an ambiguous delivery again only if it did not get through', async () => {
    for (const fault of ['rejected-before', 'rejected-after', 'undecided'] as const) {
      for (const decides of [true, false]) {
        const fixture = createFixture({ in: 1, out: 1 });
        publish(fixture, 5);
        let deliveries = 0;
        const faults = { ...noFaults, decides: () => decides, deliver: () => ((deliveries += 1) === 2 ? fault : 'none') };
        const runner = await fixture.start(fixture.broker.connect({ faults }).transport, echoStage({ topics: ['in'], outputs: () => 1 }));
        await fixture.drain(runner, ['in']);
        expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1));
        await fixture.stop(runner);
      }
    }
  });

  it('stops when somebody else moved the committed position', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 5);
    let deliveries = 0;
    const faults = {
      ...noFaults,
      deliver: () => {
        deliveries += 1;
        if (deliveries === 2) fixture.broker.commit('group', input, [], { position: 'at:4', sequence: 77n, outputsSent: 0 });
        return deliveries === 2 ? 'rejected-before' : 'none';
      },
    } as const;
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, echoStage({ topics: ['in'], outputs: () => 1 }));
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_PIPELINE_CHECKPOINT_CONFLICT' });
    await fixture.stop(runner);
  });

  it('reads on where it stood after a poll that failed with records in its hands', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 50);
    let polls = 0;
    const faults = { ...noFaults, poll: () => ((polls += 1) % 2 === 0 ? 'rejected-with-records-lost' : 'none') } as const;
    const limits = { ...testLimits, partitionRecordsInFlightMax: 4 };
    const { observer, told } = recordingObserver();
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, echoStage({ topics: ['in'], outputs: () => 1 }), {
      limits,
      observer,
    });
    await fixture.drain(runner, ['in']);
    expect(eventsOf(told, 'pollRetried').length).toBeGreaterThan(5);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture, () => 1));
    await fixture.stop(runner);
  });
});
