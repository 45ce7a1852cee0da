import { describe, expect, it } from 'vitest';
import type { Transport } from '../../src/pipeline/transport.ts';
import { noFaults, type Faults } from './memory-faults.ts';
import { createMemoryBroker } from './memory-broker.ts';
import { createFixture, eventsOf, recordingObserver, testLimits, type Fixture } from './runner-fixture.ts';
import { echoesOf, echoStage, textOf, textRecord } from './stages.ts';
import { createVirtualClock } from './virtual-clock.ts';

const hourMs = 3_600_000;
const input = { topic: 'in', partition: 0 };

function publish({ broker }: Fixture, count: number, partition = 0): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord({ topic: 'in', partition }, String(index))));
}

const outTexts = ({ broker }: Fixture): string[] => broker.allRecords('out').map(textOf);
const undisturbed = ({ broker }: Fixture): string[] => broker.allRecords('in').flatMap((record) => echoesOf(record, 1).map(textOf));
const echo = echoStage({ topics: ['in'], outputs: () => 1 });

describe('the runner', () => {
  it('refuses exactly once where the transport has no transactions', async () => {
    const clock = createVirtualClock();
    const broker = createMemoryBroker({ clock, transactions: false });
    broker.createTopic('in', 1);
    const fixture = createFixture({});
    await expect(fixture.start(broker.connect().transport, echo)).rejects.toMatchObject({ code: 'LS_PIPELINE_EXACTLY_ONCE_UNSUPPORTED' });
  });

  it('commits the resolved start of every partition before the first record is read', async () => {
    const fixture = createFixture({ in: 3, out: 1 });
    publish(fixture, 5, 1);
    const polls: number[] = [];
    const faults: Faults = {
      ...noFaults,
      poll: () => {
        polls.push(fixture.broker.applied.length);
        return 'none';
      },
    };
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, echo, { startAt: 'latest' });
    await fixture.clock.pass(100);
    expect(Math.min(...polls)).toBe(3);
    expect(fixture.broker.applied.map(({ checkpoint }) => checkpoint.sequence)).toEqual(
      fixture.broker.partitions('in').map((partition) => fixture.broker.bounds(partition).end.sequence - 1n),
    );
    publish(fixture, 1, 1);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toHaveLength(1);
    await fixture.stop(runner);
  });

  it('has drained nothing before the assigned partitions are open, nor after a failure', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    const lost = new Error('lost');
    const asked = Promise.withResolvers<undefined>();
    const { transport } = fixture.broker.connect();
    const failing: Transport = {
      ...transport,
      subscribe: async (options) => {
        const committed = async (): Promise<never> => {
          await asked.promise;
          throw lost;
        };
        // Only the first assignment is waited for.
        const assigned: typeof options.listener.assigned = (partitions) => {
          void options.listener.assigned(partitions.map((partition) => ({ ...partition, committed })));
          return Promise.resolve();
        };
        return transport.subscribe({ ...options, listener: { ...options.listener, assigned } });
      },
    };
    const runner = await fixture.start(failing, echo);
    const drained = runner.drainedTo([]).then(() => 'drained', (error: unknown) => error);
    await fixture.clock.pass(100);
    asked.resolve(undefined);
    expect(await fixture.clock.drive(drained)).toBe(lost);
    expect(await fixture.clock.drive(runner.drainedTo([]).catch((error: unknown) => error))).toBe(lost);
    await fixture.stop(runner);
  });

  it('begins at the committed position although the group was first started at the end, also after a crash before the first delivery', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 5);
    const client = fixture.broker.connect();
    await fixture.start(client.transport, echo, { startAt: 'latest' });
    client.crash();
    publish(fixture, 2);
    const runner = await fixture.start(fixture.broker.connect().transport, echo, { startAt: 'latest' });
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture).slice(5));
    await fixture.stop(runner);
  });

  it('may begin one topic at its end and another at its beginning', async () => {
    const topicsOfBoth = ['in', 'given'];
    const fixture = createFixture({ in: 1, given: 1, out: 1 });
    for (const topic of topicsOfBoth) fixture.broker.append([{ topic, partition: 0, key: null, value: Buffer.from(`from ${topic}`), headers: new Map() }]);
    const runner = await fixture.start(fixture.broker.connect().transport, { ...echo, topics: topicsOfBoth }, { startAt: (topic) => (topic === 'in' ? 'latest' : 'earliest') });
    await fixture.drain(runner, topicsOfBoth);
    expect(outTexts(fixture)).toHaveLength(1);
    expect(outTexts(fixture)[0]).toContain('given');
    await fixture.stop(runner);
  });

  it('says of a wait that a stop ended that it was stopped, though the transport was closed while it was asked', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 1);
    const { transport } = fixture.broker.connect({ assigned: [] });
    const [asked, answer] = [Promise.withResolvers<undefined>(), Promise.withResolvers<never>()];
    const slow: Transport = {
      ...transport,
      committed: () => {
        asked.resolve(undefined);
        return answer.promise;
      },
    };
    const runner = await fixture.start(slow, echo);
    const drained = fixture.drain(runner, ['in']);
    await fixture.clock.drive(asked.promise);
    await fixture.stop(runner);
    answer.reject(new Error('the transport is closed'));
    await expect(drained).rejects.toMatchObject({ code: 'LS_PIPELINE_STOPPED' });
  });

  it('begins a partition that was added later at its beginning', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 5, 0);
    const client = fixture.broker.connect({ assigned: [input] });
    const runner = await fixture.start(client.transport, echo, { startAt: 'latest' });
    fixture.broker.createTopic('in', 2);
    publish(fixture, 5, 1);
    await fixture.clock.drive(client.assign([{ topic: 'in', partition: 1 }]));
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture).slice(5));
    await fixture.stop(runner);
  });

  it('drains what was read before it gives a partition away, and reads nothing more of it', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 100);
    const client = fixture.broker.connect();
    const limits = { ...testLimits, partitionRecordsInFlightMax: 20 };
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(1_000) });
    const runner = await fixture.start(client.transport, stage, { limits });
    await fixture.clock.pass(500);
    await fixture.clock.drive(client.revoke([input]));
    expect(outTexts(fixture)).toEqual(undisturbed(fixture).slice(0, 20));
    expect(fixture.broker.checkpoint('group', input)?.sequence).toBe(fixture.broker.records(input)[19]?.sequence);
    await fixture.clock.drive(client.assign([input]));
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture));
    await fixture.stop(runner);
  });

  it('gives a partition away after the deadline even if processing hangs; what finishes later changes nothing', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 10);
    const client = fixture.broker.connect();
    const limits = { ...testLimits, revokeDeadlineMs: 5_000 };
    const { observer, told } = recordingObserver();
    let hangs = true;
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: (record) => fixture.clock.sleep(hangs && textOf(record) === '4' ? 20_000 : 1) });
    const runner = await fixture.start(client.transport, stage, { limits, observer });
    await fixture.clock.pass(100);
    hangs = false;
    await fixture.clock.drive(client.revoke([input]));
    expect(eventsOf(told, 'forced')).toEqual([['forced', 6]]);
    await fixture.clock.drive(client.assign([input]));
    await fixture.drain(runner, ['in']);
    await fixture.clock.pass(60_000);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture));
    expect(eventsOf(told, 'failed')).toEqual([]);
    await fixture.stop(runner);
  });

  it('takes a partition that vanished without a word for no failure', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 10);
    const [client, other] = [fixture.broker.connect(), fixture.broker.connect({ assigned: [] })];
    const { observer, told } = recordingObserver();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(1_000) });
    const runner = await fixture.start(client.transport, stage, { observer });
    const second = await fixture.start(other.transport, stage);
    await fixture.clock.pass(500);
    client.fence([input]);
    await fixture.clock.drive(other.assign([input]));
    await fixture.drain(second, ['in']);
    // The first asks the transport about what another member works on.
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture));
    expect(eventsOf(told, 'failed')).toEqual([]);
    expect(eventsOf(told, 'ended')).toHaveLength(1);
    await fixture.stop(runner);
    await fixture.stop(second);
  });

  it('stops in order under load', async () => {
    const fixture = createFixture({ in: 2, out: 1 });
    publish(fixture, 500, 0);
    publish(fixture, 500, 1);
    const limits = { ...testLimits, partitionRecordsInFlightMax: 50 };
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(100) });
    const first = await fixture.start(fixture.broker.connect().transport, stage, { limits });
    await fixture.clock.pass(250);
    expect(await fixture.stop(first)).toEqual({ forced: false });
    const sent = outTexts(fixture).length;
    expect(sent).toBeGreaterThan(50);
    expect(sent).toBeLessThan(1_000);
    await expect(fixture.drain(first, ['in'])).rejects.toMatchObject({ code: 'LS_PIPELINE_STOPPED' });
    const second = await fixture.start(fixture.broker.connect().transport, stage, { limits });
    await fixture.drain(second, ['in']);
    expect(outTexts(fixture).sort()).toEqual(undisturbed(fixture).sort());
    await fixture.stop(second);
  });

  it('forces the stop after three quarters of the deadline: a hanging record, a hanging delivery', async () => {
    for (const hang of ['processing', 'delivery'] as const) {
      const fixture = createFixture({ in: 1, out: 1 });
      publish(fixture, 10);
      let deliveries = 0;
      const faults = { ...noFaults, deliver: () => ((deliveries += 1) === 2 && hang === 'delivery' ? 'hangs' : 'none') } as const;
      const { observer, told } = recordingObserver();
      const stage = echoStage({
        topics: ['in'],
        outputs: () => 1,
        work: (record, signal) => fixture.clock.sleep(hang === 'processing' && textOf(record) === '4' ? 1_000_000 : 1, signal),
      });
      const runner = await fixture.start(fixture.broker.connect({ faults }).transport, stage, { observer });
      await fixture.clock.pass(100);
      const startedMs = fixture.clock.nowMs();
      expect(await fixture.clock.drive(runner.stop({ deadlineMs: 1_000 }))).toEqual({ forced: true });
      expect(fixture.clock.nowMs() - startedMs).toBe(750);
      expect(eventsOf(told, 'forced')).toEqual([['forced', hang === 'processing' ? 6 : 10]]);
      const second = await fixture.start(fixture.broker.connect().transport, echo);
      await fixture.drain(second, ['in']);
      expect(outTexts(fixture)).toEqual(undisturbed(fixture));
      await fixture.stop(second);
    }
  });

  it('stops in time although what time it is was set back by an hour', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 10);
    const { clock } = fixture;
    const { transport } = fixture.broker.connect();
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: (_record, signal) => clock.sleep(1_000_000, signal) });
    const close = (): Promise<void> => new Promise(() => undefined);
    const runner = await fixture.start({ ...transport, subscribe: async (options) => ({ ...(await transport.subscribe(options)), close }) }, stage);
    await clock.pass(100);
    const startedMs = clock.elapsedMs();
    const stopped = runner.stop({ deadlineMs: 1_000 });
    await clock.pass(10);
    clock.setWall(-hourMs);
    expect(await clock.drive(stopped)).toEqual({ forced: true });
    expect(clock.elapsedMs() - startedMs).toBeCloseTo(1_000, 6);
  });

  it('leaves within the deadline although leaving hangs or fails, and stops once', async () => {
    for (const leaving of ['hangs', 'fails'] as const) {
      const fixture = createFixture({ in: 1, out: 1 });
      const { transport } = fixture.broker.connect();
      const close = (): Promise<void> => (leaving === 'hangs' ? new Promise(() => undefined) : Promise.reject(new RangeError('cannot leave')));
      const runner = await fixture.start({ ...transport, subscribe: async (options) => ({ ...(await transport.subscribe(options)), close }) }, echo);
      const [first, second] = [runner.stop({ deadlineMs: 1_000 }), runner.stop({ deadlineMs: 1_000 })];
      expect(first).toBe(second);
      expect(await fixture.clock.drive(first)).toEqual({ forced: false });
    }
  });

  it('fails with the subscription', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    const client = fixture.broker.connect();
    const runner = await fixture.start(client.transport, echo);
    const error = new RangeError('the group is gone');
    client.failSubscription(error);
    expect(await runner.failed).toBe(error);
    await fixture.stop(runner);
  });

  it('waits for a transport that is away when it begins, and can be stopped meanwhile', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 3);
    let away = true;
    const faults = { ...noFaults, committed: () => (away ? 'rejected' : 'none') } as const;
    const client = fixture.broker.connect({ faults, assigned: [] });
    const runner = await fixture.start(client.transport, echo);
    const assigned = client.assign([input]);
    await fixture.clock.pass(10_000);
    away = false;
    await fixture.clock.drive(assigned);
    await fixture.drain(runner, ['in']);
    expect(outTexts(fixture)).toEqual(undisturbed(fixture));
    away = true;
    await fixture.clock.drive(client.revoke([input]));
    const again = client.assign([input]);
    await fixture.clock.pass(10_000);
    expect(await fixture.stop(runner)).toEqual({ forced: false });
    await fixture.clock.drive(again);
  });

  it('divides the budget of the stage among its partitions', async () => {
    const fixture = createFixture({ in: 4, out: 1 });
    for (let partition = 0; partition < 4; partition += 1) publish(fixture, 100, partition);
    const client = fixture.broker.connect();
    const limits = { ...testLimits, recordsInFlightMax: 40, holdMsMax: Infinity };
    const stage = echoStage({ topics: ['in'], outputs: () => 1, work: () => fixture.clock.sleep(1_000) });
    const runner = await fixture.start(client.transport, stage, { limits });
    await fixture.clock.pass(500);
    expect(fixture.broker.partitions('in').map((partition) => client.held(partition).records)).toEqual([10, 10, 10, 10]);
    await fixture.stop(runner);
  });
});
