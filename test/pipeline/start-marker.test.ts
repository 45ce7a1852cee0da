import { describe, expect, it } from 'vitest';
import type { Transport } from '../../src/pipeline/transport.ts';
import type { RunnerOptions, Runner } from '../../src/pipeline/runner.ts';
import { createMemoryStateStore, type MemoryStateStore } from './memory-state-store.ts';
import { createFixture, eventsOf, recordingObserver, testLimits, type Fixture } from './runner-fixture.ts';
import { echoStage, sumStage, textRecord } from './stages.ts';

const input = { topic: 'in', partition: 0 };
const echo = echoStage({ topics: ['in'], outputs: () => 1 });
const lost = { code: 'LS_TRANSPORT_POSITION_LOST' };

function publish({ broker }: Fixture, count: number): void {
  broker.append(Array.from({ length: count }, (_, index) => textRecord(input, String(index))));
}

/** Leaves the group without positions, and three records more. */
async function handleSome(fixture: Fixture, stage: Parameters<Fixture['start']>[1], options: Partial<RunnerOptions>): Promise<void> {
  const runner = await fixture.start(fixture.broker.connect().transport, stage, options);
  publish(fixture, 5);
  await fixture.drain(runner, ['in']);
  await fixture.stop(runner);
  fixture.broker.forgetGroup('group');
  publish(fixture, 3);
}

const resetTo = ({ broker }: Fixture, transport: Transport, sequence: bigint): Promise<void> => {
  const at = broker.bounds(input).end;
  return transport.resetGroup('group', [{ ...input, checkpoint: { position: at.position, sequence, outputsSent: 0 } }]);
};

async function failureOf(fixture: Fixture, runner: Runner): Promise<Error> {
  const error = await fixture.clock.drive(runner.failed);
  await fixture.stop(runner);
  return error;
}

describe('a group whose positions expired', () => {
  for (const startAt of ['earliest', 'latest'] as const) {
    it(`stops until an operator says where to go on, with startAt ${startAt}`, async () => {
      const fixture = createFixture({ in: 1, out: 1 });
      const options = { startAt, stateStore: createMemoryStateStore(), positionsExpire: true };
      await handleSome(fixture, echo, options);
      const { transport } = fixture.broker.connect();
      expect(await failureOf(fixture, await fixture.start(transport, echo, options))).toMatchObject(lost);
      expect(fixture.broker.checkpoint('group', input)).toBeUndefined();
      expect(fixture.broker.allRecords('out')).toHaveLength(5);
      await fixture.clock.drive(resetTo(fixture, transport, fixture.broker.bounds(input).end.sequence - 1n));
      const runner = await fixture.start(fixture.broker.connect().transport, echo, options);
      publish(fixture, 1);
      await fixture.drain(runner, ['in']);
      expect(fixture.broker.allRecords('out')).toHaveLength(6);
      await fixture.stop(runner);
    });
  }

  it('names every topic and partition at once', async () => {
    const fixture = createFixture({ in: 3, more: 1, out: 1 });
    const options = { stateStore: createMemoryStateStore(), positionsExpire: true };
    const both = echoStage({ topics: ['in', 'more'], outputs: () => 1 });
    await fixture.stop(await fixture.start(fixture.broker.connect().transport, both, options));
    fixture.broker.forgetGroup('group');
    const { end } = fixture.broker.bounds(input);
    fixture.broker.commit('group', { topic: 'in', partition: 1 }, [], { position: end.position, sequence: -1n, outputsSent: 0 });
    const error = await failureOf(fixture, await fixture.start(fixture.broker.connect().transport, both, options));
    expect(error).toMatchObject({ ...lost, details: { partitions: 3 } });
    expect(error.message).toContain('in (0, 2), more (0)');
  });

  it('keeps the snapshots of a fold, also one that was cut before starts were marked', async () => {
    const fixture = createFixture({ in: 1, sums: 1 });
    const stateStore: MemoryStateStore = createMemoryStateStore();
    const limits = { ...testLimits, snapshotEveryRecords: 1 };
    const stage = sumStage('in', { outputs: () => 1 });
    await handleSome(fixture, stage, { stateStore, limits });
    const kept = stateStore.headers();
    expect(kept.length).toBeGreaterThan(0);
    const runner = await fixture.start(fixture.broker.connect().transport, stage, { stateStore, limits, positionsExpire: true });
    expect(await failureOf(fixture, runner)).toMatchObject({ ...lost, details: { snapshotSequence: kept.at(-1)?.sequence } });
    expect(stateStore.headers()).toEqual(kept);
  });

  it('starts all the same where its start cannot be marked, and says so', async () => {
    const fixture = createFixture({ in: 1, out: 1 });
    const { observer, told } = recordingObserver();
    const runner = await fixture.start(fixture.broker.connect().transport, echo, { stateStore: createMemoryStateStore(() => new RangeError('no space left')), positionsExpire: true, observer });
    publish(fixture, 2);
    await fixture.drain(runner, ['in']);
    expect(eventsOf(told, 'snapshotFailed')).toHaveLength(1);
    await fixture.stop(runner);
  });
});

describe('a topic that was made anew', () => {
  const startAgain = async (options: Partial<RunnerOptions>): Promise<Fixture> => {
    const fixture = createFixture({ in: 2, out: 1 });
    const first = await fixture.start(fixture.broker.connect({ assigned: [input] }).transport, echo, options);
    await fixture.stop(first);
    fixture.broker.makeAnew('in');
    for (const partition of [0, 1]) fixture.broker.append([textRecord({ topic: 'in', partition }, 'new')]);
    const runner = await fixture.start(fixture.broker.connect().transport, echo, options);
    await fixture.drain(runner, ['in']);
    await fixture.stop(runner);
    return fixture;
  };

  it('is begun at its beginning, in all partitions, whatever startAt says', async () => {
    const fixture = await startAgain({ startAt: 'latest', stateStore: createMemoryStateStore(), positionsExpire: true });
    expect(fixture.broker.allRecords('out')).toHaveLength(2);
  });

  it('is no other topic whose name begins alike, and no other group', async () => {
    const stateStore = createMemoryStateStore();
    for (const [group, topic] of [['group', 'inn'], ['groups', 'in']] as const) {
      await stateStore.write({ stage: `${group}.started`, topic, incarnation: 'x', partition: 0, sequence: 0n, position: '' }, []);
    }
    const fixture = createFixture({ in: 1, out: 1 });
    publish(fixture, 3);
    const runner = await fixture.start(fixture.broker.connect().transport, echo, { startAt: 'latest', stateStore, positionsExpire: true });
    await fixture.drain(runner, ['in']);
    expect(fixture.broker.allRecords('out')).toHaveLength(0);
    await fixture.stop(runner);
  });
});
