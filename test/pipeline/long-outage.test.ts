// A transport that is away for ten minutes of the injected clock, in the middle of the work and at its beginning: waited for, with few attempts and
// bounded memory; afterwards everything is there, once (SEMANTICS.md, rule 22).
import { expect, test } from 'vitest';
import { brokerAway, noFaults, type Faults } from './memory-faults.ts';
import { createFixture, eventsOf, recordingObserver, testLimits } from './runner-fixture.ts';
import { echoesOf, echoStage, textOf, textRecord } from './stages.ts';

const minutesMs = 60_000;
const records = 500;
const limits = { ...testLimits, recordsInFlightMax: 40, deliveryRecordsMax: 20, patience: { baseMs: 50, capMs: 10_000 } };
const echo = echoStage({ topics: ['in'], outputs: () => 1 });

for (const delivery of ['exactly-once', 'at-least-once'] as const) {
  for (const seed of [1, 2, 3]) {
    test(`${delivery}: ten minutes away in the middle of the work, seed ${String(seed)}`, async () => {
      const fixture = createFixture({ in: 1, out: 1 }, seed);
      const publish = (count: number): void => fixture.broker.append(Array.from({ length: count }, (_, index) => textRecord({ topic: 'in', partition: 0 }, String(index))));
      publish(records);
      let away = false;
      let attempts = 0;
      let inFlightMax = 0;
      const failing = (): boolean => {
        if (away) attempts += 1;
        return away;
      };
      const faults: Faults = {
        ...noFaults,
        deliver: () => (failing() ? 'rejected-before' : 'none'),
        poll: () => (failing() ? 'rejected' : 'none'),
        committed: () => (failing() ? 'rejected' : 'none'),
        delayMs: () => 5,
      };
      const { observer, told } = recordingObserver();
      const inFlight = (_partition: unknown, held: { readonly records: number }): void => void (inFlightMax = Math.max(inFlightMax, held.records));
      const runner = await fixture.start(fixture.broker.connect({ faults }).transport, echo, { limits, delivery, observer: { ...observer, inFlight } });
      await fixture.clock.pass(50);
      const before = fixture.broker.allRecords('out').length;
      expect(before).toBeGreaterThan(0);
      expect(before).toBeLessThan(records);
      away = true;
      publish(10);
      await fixture.clock.pass(10 * minutesMs);
      away = false;
      expect(eventsOf(told, 'failed')).toEqual([]);
      expect(eventsOf(told, 'deliveryRetried').length + eventsOf(told, 'pollRetried').length).toBeGreaterThan(0);
      // Seconds apart in the end: neither at full speed nor given up.
      expect(attempts).toBeGreaterThan(30);
      expect(attempts).toBeLessThan(600);
      expect(inFlightMax).toBeLessThanOrEqual(40);
      await fixture.drain(runner, ['in']);
      expect(fixture.broker.allRecords('out').map(textOf)).toEqual(fixture.broker.allRecords('in').flatMap((record) => echoesOf(record, 1).map(textOf)));
      await fixture.stop(runner);
    });
  }
}

test('a group that is new is asked about until the transport answers, where it begins at the end', async () => {
  const fixture = createFixture({ in: 1, out: 1 });
  const { transport } = fixture.broker.connect();
  let refusals = 0;
  const describeTopic: typeof transport.describeTopic = (topic) => (fixture.clock.elapsedMs() < 10 * minutesMs ? ((refusals += 1), Promise.reject(brokerAway())) : transport.describeTopic(topic));
  const { observer, told } = recordingObserver();
  const started = fixture.start({ ...transport, describeTopic }, echo, { startAt: 'latest', limits, observer });
  await fixture.clock.pass(11 * minutesMs);
  const runner = await started;
  fixture.broker.append([textRecord({ topic: 'in', partition: 0 }, 'x')]);
  await fixture.drain(runner, ['in']);
  expect(refusals).toBeGreaterThan(30);
  expect(eventsOf(told, 'failed')).toEqual([]);
  expect(fixture.broker.allRecords('out')).toHaveLength(1);
  await fixture.stop(runner);
});
