/** What of a fold partition's batches goes on beside each other, and what must not. */
import { describe, expect, it } from 'vitest';
import type { ConsumedRecord } from '../../src/core/records.ts';
import { pipelineError } from '../../src/core/errors/pipeline.ts';
import type { StateStore } from '../../src/pipeline/state-store.ts';
import { copied } from '../conformance/state-store-conformance.ts';
import { noFaults, type Faults } from './memory-faults.ts';
import { createMemoryStateStore } from './memory-state-store.ts';
import { createFixture, eventsOf, recordingObserver, testLimits, type Fixture } from './runner-fixture.ts';
import { sumOutput, sumStage, textOf, textRecord } from './stages.ts';

const log = { topic: 'log', partition: 0 };
const limits = { ...testLimits, foldRecordsMax: 4 };

function publish({ broker }: Fixture, count: number): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord(log, String(index + 1))));
}

const sums = ({ broker }: Fixture): string[] => broker.allRecords('sums').map(textOf);

function offline({ broker }: Fixture, count = Infinity): string[] {
  let sum = 0n;
  return broker.records(log).slice(0, count).map((record) => textOf(sumOutput(record, (sum += BigInt(textOf(record))), 0)));
}

/** Deliveries take a while, once there are outputs. */
function slowDeliveries({ clock }: Fixture, durationMs: number, seen: (busy: boolean) => void = () => undefined): Faults {
  let delivering = false;
  return {
    ...noFaults,
    deliver: (_partition, outputs) => {
      delivering = outputs.length > 0;
      if (delivering) seen(true);
      if (delivering) void clock.sleep(durationMs).then(() => seen(false));
      return 'none';
    },
    delayMs: () => (delivering ? ((delivering = false), durationMs) : 0),
  };
}

describe('the batches of a fold partition', () => {
  it('are prepared, folded and delivered beside each other', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const { clock } = fixture;
    publish(fixture, 80);
    const busy = new Set<string>();
    let most = 0;
    const note = (what: string, isBusy: boolean): void => {
      if (isBusy) busy.add(what);
      else busy.delete(what);
      most = Math.max(most, busy.size);
    };
    const slow: typeof clock = {
      ...clock,
      sleep: async (durationMs) => {
        note('fold', true);
        await clock.sleep(durationMs);
        note('fold', false);
      },
    };
    const prepares = async (): Promise<void> => {
      note('prepare', true);
      await clock.sleep(4);
      note('prepare', false);
    };
    const client = fixture.broker.connect({ faults: slowDeliveries(fixture, 4, (isBusy) => note('deliver', isBusy)) });
    const runner = await fixture.start(client.transport, sumStage('log', { outputs: () => 1, clock: slow, prepares }), { limits });
    const startedMs = clock.elapsedMs();
    await fixture.drain(runner, ['log']);
    expect(most).toBe(3);
    // Each takes 4 ms a batch: 240 ms for 20 batches, one thing after the other.
    expect(clock.elapsedMs() - startedMs).toBeLessThan(120);
    expect(sums(fixture)).toEqual(offline(fixture));
    await fixture.stop(runner);
  });

  it('do not wait for each other: a lone record is out at once, and what came meanwhile goes together', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const { clock, broker } = fixture;
    const client = broker.connect({ faults: slowDeliveries(fixture, 20) });
    const runner = await fixture.start(client.transport, sumStage('log', { outputs: () => 1, prepares: () => Promise.resolve() }), { limits });
    await clock.pass(1_000);
    const startedMs = clock.elapsedMs();
    publish(fixture, 1);
    await fixture.drain(runner, ['log']);
    expect(clock.elapsedMs() - startedMs).toBe(20);
    const before = broker.applied.length;
    for (let record = 0; record < 20; record += 1) {
      publish(fixture, 1);
      await clock.pass(1);
    }
    await fixture.drain(runner, ['log']);
    expect(clock.elapsedMs() - startedMs).toBeLessThanOrEqual(80);
    expect(broker.applied.length - before).toBe(2);
    await fixture.stop(runner);
  });

  it('keep to the share of the partition, and outputs to two deliveries and a batch', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 300);
    const { observer } = recordingObserver();
    let held = 0;
    let folded = 0;
    let delivered = 0;
    let outputsHeld = 0;
    const watching = {
      ...observer,
      inFlight: (_partition: unknown, { records }: { readonly records: number }) => (held = Math.max(held, records)),
      delivered: (_partition: unknown, { outputs }: { readonly outputs: number }) => (delivered += outputs),
    };
    const stage = sumStage('log', {
      outputs: () => 3,
      prepares: () => Promise.resolve(),
      folded: () => {
        folded += 3;
        outputsHeld = Math.max(outputsHeld, folded - delivered);
      },
    });
    const tight = { ...limits, partitionRecordsInFlightMax: 20, deliveryRecordsMax: 5 };
    const runner = await fixture.start(fixture.broker.connect({ faults: slowDeliveries(fixture, 5) }).transport, stage, { limits: tight, observer: watching });
    await fixture.drain(runner, ['log']);
    expect(held).toBeGreaterThan(8);
    expect(held).toBeLessThanOrEqual(20);
    expect(outputsHeld).toBeGreaterThan(12);
    expect(outputsHeld).toBeLessThanOrEqual(2 * 5 + 4 * 3);
    await fixture.stop(runner);
  });

  it('let a snapshot in between them although they never end', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const { observer, told } = recordingObserver();
    const prepares = (): Promise<void> => fixture.clock.sleep(2);
    const every = { ...limits, snapshotEveryRecords: 40 };
    const client = fixture.broker.connect({ faults: slowDeliveries(fixture, 3) });
    publish(fixture, 800);
    const runner = await fixture.start(client.transport, sumStage('log', { outputs: () => 1, prepares }), { limits: every, stateStore, observer });
    await fixture.drain(runner, ['log']);
    const places = fixture.broker.records(log).map(({ sequence }) => sequence);
    const at = stateStore.headers().map(({ sequence }) => places.indexOf(sequence) + 1);
    expect(eventsOf(told, 'snapshotWritten').length).toBe(at.length);
    expect(at.length).toBeGreaterThanOrEqual(16);
    for (const [index, place] of at.entries()) expect(place - (at[index - 1] ?? 0), `snapshots at ${at.join()}`).toBeLessThanOrEqual(40 + 2 * 4);
    await fixture.stop(runner);
  });

  it('go on while a snapshot is written, which holds what was committed when it was cut', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const { observer, told } = recordingObserver();
    let deliveredMeanwhile = 0;
    const slowly: StateStore['write'] = async (header, chunks) => {
      const before = sums(fixture).length;
      const copied: Buffer[] = [];
      for (const chunk of chunks) {
        await fixture.clock.sleep(20);
        copied.push(chunk);
      }
      deliveredMeanwhile += sums(fixture).length - before;
      await stateStore.write(header, copied);
    };
    const every = { ...limits, snapshotEveryRecords: 40 };
    const client = fixture.broker.connect({ faults: slowDeliveries(fixture, 3) });
    publish(fixture, 800);
    const stage = sumStage('log', { outputs: () => 1, prepares: () => fixture.clock.sleep(1) });
    const runner = await fixture.start(client.transport, stage, { limits: every, stateStore: { ...stateStore, write: slowly }, observer });
    await fixture.drain(runner, ['log']);
    await fixture.stop(runner);
    expect(sums(fixture)).toEqual(offline(fixture));
    expect(eventsOf(told, 'snapshotWritten').length).toBe(stateStore.headers().length);
    expect(stateStore.headers().length).toBeGreaterThan(3);
    expect(deliveredMeanwhile).toBeGreaterThan(40);
    for (const { sequence } of stateStore.headers()) {
      const key = { stage: 'sum', topic: 'log', incarnation: fixture.broker.records(log)[0]!.incarnation, partition: 0 };
      const snapshot = await stateStore.readNewest(key, sequence, copied);
      const count = fixture.broker.records(log).findIndex((record) => record.sequence === sequence) + 1;
      expect(snapshot?.chunks.map(String), `at ${sequence}`).toEqual([String((count * (count + 1)) / 2), String(count)]);
    }
  });

  it('leave the snapshot that is due to the end of a drain, with nothing prepared', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const stateStore = createMemoryStateStore();
    const every = { ...limits, snapshotEveryRecords: 8 };
    const prepares = (records: readonly ConsumedRecord[], stopping: AbortSignal): Promise<void> =>
      fixture.clock.sleep(records.some((record) => textOf(record) === '10') ? 1e9 : 0, stopping);
    publish(fixture, 20);
    const faults = slowDeliveries(fixture, 100);
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, sumStage('log', { outputs: () => 1, prepares }), { limits: every, stateStore });
    // Two batches are folded, the third is being prepared, and the second is on its way.
    await fixture.clock.pass(50);
    expect(stateStore.headers()).toEqual([]);
    await fixture.stop(runner);
    expect(sums(fixture)).toEqual(offline(fixture, 8));
    expect(stateStore.headers()).toMatchObject([{ sequence: fixture.broker.records(log)[7]?.sequence }]);
  });

  it('are left to the next owner where they are only prepared, and this one goes on with its state', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    const { observer, told } = recordingObserver();
    let isStuck = true;
    const prepares = async (records: readonly ConsumedRecord[], stopping: AbortSignal): Promise<void> => {
      // As a worker that takes for ever, but heeds its signal.
      if (isStuck && records.some((record) => textOf(record) === '10')) await fixture.clock.sleep(1e9, stopping);
    };
    publish(fixture, 30);
    const client = fixture.broker.connect();
    const runner = await fixture.start(client.transport, sumStage('log', { outputs: () => 1, prepares }), { limits, observer });
    await fixture.clock.pass(1_000);
    expect(sums(fixture)).toEqual(offline(fixture, 8));
    const startedMs = fixture.clock.elapsedMs();
    await fixture.clock.drive(client.revoke([log]));
    expect(fixture.clock.elapsedMs()).toBe(startedMs);
    isStuck = false;
    await fixture.clock.drive(client.assign([log]));
    await fixture.drain(runner, ['log']);
    expect(eventsOf(told, 'restored').map(([, restored]) => (restored as { readonly kept: boolean }).kept)).toEqual([false, true]);
    expect(sums(fixture)).toEqual(offline(fixture));
    await fixture.stop(runner);
  });
});

describe('what a fold partition fails with', () => {
  const cases = [
    { what: 'preparing', details: [8, 11], options: { prepares: (records: readonly ConsumedRecord[]) => (records.some((record) => textOf(record) === '10') ? Promise.reject(new RangeError('the worker died')) : Promise.resolve()) } },
    { what: 'folding', details: [8, 11], options: { prepares: () => Promise.resolve(), fails: (record: ConsumedRecord) => textOf(record) === '10' } },
  ] as const;
  for (const { what, details, options } of cases) {
    it(`in ${what}, when everything before is delivered, however long that takes`, async () => {
      const fixture = createFixture({ log: 1, sums: 1 });
      publish(fixture, 30);
      let away = true;
      const faults: Faults = { ...noFaults, deliver: (_partition, outputs) => (away && outputs.length > 0 ? 'rejected-before' : 'none') };
      const runner = await fixture.start(fixture.broker.connect({ faults }).transport, sumStage('log', { outputs: () => 1, ...options }), { limits });
      let failed = false;
      void runner.failed.then(() => (failed = true));
      await fixture.clock.pass(60_000);
      expect([failed, sums(fixture)]).toEqual([false, []]);
      away = false;
      const places = fixture.broker.records(log).map(({ sequence }) => sequence);
      expect(await fixture.clock.drive(runner.failed)).toMatchObject({
        code: 'LS_PIPELINE_FOLD_FAILED',
        details: { sequence: places[details[0]], lastSequence: places[details[1]] },
      });
      expect(sums(fixture)).toEqual(offline(fixture, 8));
      await fixture.stop(runner);
    });
  }

  it('in reading, when everything that was read is delivered', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 30);
    let polls = 0;
    const client = fixture.broker.connect({ faults: slowDeliveries(fixture, 50) });
    const { transport } = client;
    const failing: typeof transport = {
      ...transport,
      subscribe: (request) =>
        transport.subscribe({
          ...request,
          listener: {
            ...request.listener,
            assigned: (partitions) =>
              request.listener.assigned(
                partitions.map((partition) => ({
                  ...partition,
                  poll: (budget, signal) =>
                    (polls += 1) > 3 ? Promise.reject(pipelineError('LS_TRANSPORT_POSITION_LOST', 'retention took it')) : partition.poll(budget, signal),
                })),
              ),
          },
        }),
    };
    const runner = await fixture.start(failing, sumStage('log', { outputs: () => 1, prepares: () => fixture.clock.sleep(5) }), { limits });
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_TRANSPORT_POSITION_LOST' });
    expect(sums(fixture)).toEqual(offline(fixture, 12));
    expect(fixture.broker.checkpoint('group', log)).toMatchObject({ sequence: fixture.broker.records(log)[11]?.sequence, outputsSent: 0 });
    await fixture.stop(runner);
  });

  it('in delivering, at once', async () => {
    const fixture = createFixture({ log: 1, sums: 1 });
    publish(fixture, 30);
    let deliveries = 0;
    const faults: Faults = {
      ...noFaults,
      deliver: (partition, outputs, checkpoint) => {
        if (outputs.length === 0 || (deliveries += 1) !== 2) return 'none';
        // Somebody else moved the group on.
        fixture.broker.commit('group', partition, [], { ...checkpoint, sequence: checkpoint.sequence + 100n });
        return 'rejected-before';
      },
    };
    const prepares = async (records: readonly ConsumedRecord[]): Promise<void> => {
      if (records.some((record) => textOf(record) === '30')) await new Promise(() => undefined);
    };
    const runner = await fixture.start(fixture.broker.connect({ faults }).transport, sumStage('log', { outputs: () => 1, prepares }), { limits });
    expect(await fixture.clock.drive(runner.failed)).toMatchObject({ code: 'LS_PIPELINE_CHECKPOINT_CONFLICT' });
    await fixture.stop(runner);
  });
});
