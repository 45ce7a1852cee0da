import { describe, expect, it } from 'vitest';
import type { ConsumedRecord, TopicPartition } from '../../src/core/records.ts';
import type { Transport } from '../../src/pipeline/transport.ts';
import { noFaults, type Faults } from './memory-faults.ts';
import { createFixture, type Fixture } from './runner-fixture.ts';
import { echoStage } from './stages.ts';

const echo = echoStage({ topics: ['in'], outputs: () => 1 });
const partitionOf = (partition: number): TopicPartition => ({ topic: 'in', partition });
const latest = { startAt: 'latest' } as const;

function publish({ broker }: Fixture, count: number, partition: number): void {
  broker.append(Array.from({ length: count }, (_, index) => ({ ...partitionOf(partition), key: null, value: Buffer.from(`${partition}-${index}`), headers: new Map() })));
}

const echoed = ({ broker }: Fixture): readonly ConsumedRecord[] => broker.allRecords('out');

describe('a group that starts at the end', () => {
  it('begins every partition of its first start at the end, though the start was cut short after some of them', async () => {
    const fixture = createFixture({ in: 2, out: 1 });
    for (const partition of [0, 1]) publish(fixture, 5, partition);
    const faults: Faults = { ...noFaults, deliver: ({ partition }) => (partition === 1 ? 'crash-before' : 'none') };
    const client = fixture.broker.connect({ faults });
    void fixture.start(client.transport, echo, latest);
    await fixture.clock.drive(client.crashed);
    await fixture.clock.pass(100);
    expect(fixture.broker.checkpoint('group', partitionOf(0))).toMatchObject({ firstStartPartitions: 2 });
    expect(fixture.broker.checkpoint('group', partitionOf(1))).toBeUndefined();
    // What is delivered since must not hide what the first start said.
    const first = fixture.broker.connect({ assigned: [partitionOf(0)] });
    const firstRunner = await fixture.start(first.transport, echo, latest);
    publish(fixture, 3, 0);
    await fixture.clock.drive(firstRunner.drainedTo([{ ...partitionOf(0), sequence: fixture.broker.bounds(partitionOf(0)).end.sequence }]));
    expect(echoed(fixture)).toHaveLength(3);
    const second = fixture.broker.connect({ assigned: [partitionOf(1)] });
    const secondRunner = await fixture.start(second.transport, echo, latest);
    publish(fixture, 1, 1);
    await fixture.drain(secondRunner, ['in']);
    expect(echoed(fixture)).toHaveLength(4);
    await fixture.stop(firstRunner);
    await fixture.stop(secondRunner);
  });

  it('asks for no position that it knows, and once for the others', async () => {
    const fixture = createFixture({ in: 50, out: 1 });
    const counted = (assigned: readonly TopicPartition[]): { readonly transport: Transport; readonly asked: () => number } => {
      const { transport } = fixture.broker.connect({ assigned });
      let asked = 0;
      const committed: Transport['committed'] = (group, location) => {
        asked += 1;
        return transport.committed(group, location);
      };
      return { transport: { ...transport, committed }, asked: () => asked };
    };
    const all = Array.from({ length: 50 }, (_, partition) => partitionOf(partition));
    const some = counted(all.slice(0, 20));
    const runners = [await fixture.start(some.transport, echo, latest)];
    expect(some.asked()).toBe(30);
    const rest = counted(all.slice(20));
    runners.push(await fixture.start(rest.transport, echo, latest));
    expect(rest.asked()).toBe(1);
    for (const runner of runners) await fixture.stop(runner);
  });
});
