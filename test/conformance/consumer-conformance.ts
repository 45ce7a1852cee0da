/** Consumer groups: assignment, polling, revocation, rebalancing. */
import { describe, expect, test } from 'vitest';
import type { AssignedPartition, Transport } from '../../src/pipeline/transport.ts';
import {
  code, copying, hold, output, outputs, readAll, resume, roomy, until, values, type Sighting, type TransportHarness,
} from './transport-harness.ts';

const never = new AbortController().signal;

async function withRecords(current: () => TransportHarness, topic: string, count: number, partitionCount = 1): Promise<Transport> {
  const { transport } = current();
  await transport.createTopics([{ topic, partitionCount }]);
  for (let partition = 0; partition < partitionCount; partition++) await transport.append(outputs(topic, partition, 0, count));
  return transport;
}

async function sole(transport: Transport, group: string, topic: string): Promise<{ readonly partition: AssignedPartition; readonly close: () => Promise<void> }> {
  const { held, subscription } = await hold(transport, { group, topics: [topic] });
  return { partition: held()[0]!, close: subscription.close };
}

export function describeConsuming(current: () => TransportHarness): void {
  describe('an assigned partition', () => {
    test('of a group without a checkpoint says so, and is read from the start', async () => {
      const transport = await withRecords(current, 'first', 3);
      const { partition } = await sole(transport, 'new', 'first');
      expect(await partition.committed()).toBeUndefined();
      expect(await transport.committed('new', partition)).toBeUndefined();
      const bounds = await resume(partition);
      const records = await partition.poll(roomy, never);
      expect(records[0]!.sequence).toBe(bounds.start.sequence);
      expect(values(records)).toEqual(['0', '1', '2']);
      expect(partition.incarnation).toBe((await transport.describeTopic('first')).incarnation);
    });

    test('hands out each record once, in order, within the budget', async () => {
      const transport = await withRecords(current, 'polled', 25);
      const { partition } = await sole(transport, 'g', 'polled');
      await resume(partition);
      const seen: string[] = [];
      while (seen.length < 25) {
        const batch = await partition.poll({ records: 4, bytes: roomy.bytes }, never);
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(4);
        seen.push(...values(batch));
      }
      expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => String(index)));
    });

    test('goes back by seek, also under a poll that waits', async () => {
      const transport = await withRecords(current, 'sought', 3);
      const { partition } = await sole(transport, 'g', 'sought');
      const { start } = await resume(partition);
      await partition.poll(roomy, never);
      const waiting = partition.poll(roomy, never);
      partition.seek(start.position);
      expect(values(await waiting)).toEqual(['0', '1', '2']);
    });

    test('answers a poll in flight from where it was sought meanwhile', async () => {
      const transport = await withRecords(current, 'overtaken', 3);
      const { partition } = await sole(transport, 'g', 'overtaken');
      const { start } = await resume(partition);
      const [first] = await partition.poll({ records: 1, bytes: roomy.bytes }, never);
      partition.seek(start.position);
      const polling = partition.poll({ records: 1, bytes: roomy.bytes }, never);
      partition.seek(first!.nextPosition);
      expect(values(await polling)).toEqual(['1']);
      expect(values(await partition.poll(roomy, never))).toEqual(['2']);
    });

    test('waits at the end, and resolves with none when aborted', async () => {
      const transport = await withRecords(current, 'idle', 0);
      const { partition } = await sole(transport, 'g', 'idle');
      await resume(partition);
      const abort = new AbortController();
      const aborted = partition.poll(roomy, abort.signal);
      abort.abort();
      expect(await aborted).toEqual([]);
      const waiting = partition.poll(roomy, never);
      await transport.append([output('idle', 0, 'woken')]);
      expect(values(await waiting)).toEqual(['woken']);
    });

    test('refuses a second poll and a second deliver in flight', async () => {
      const transport = await withRecords(current, 'alone', 0);
      const { partition } = await sole(transport, 'g', 'alone');
      const { start } = await resume(partition);
      const abort = new AbortController();
      const waiting = partition.poll(roomy, abort.signal);
      expect(await code(partition.poll(roomy, never))).toBe('LS_TRANSPORT_CALL_OVERLAP');
      abort.abort();
      await waiting;
      const checkpoint = { position: start.position, sequence: start.sequence - 1n, outputsSent: 0 };
      const delivering = partition.deliver([], checkpoint);
      expect(await code(partition.deliver([], checkpoint))).toBe('LS_TRANSPORT_CALL_OVERLAP');
      await delivering;
      await partition.deliver([], checkpoint);
    });

    test('rejects a lost position and never resolves it by itself', async ({ skip }) => {
      const { removeFirst } = current();
      if (removeFirst === undefined) skip('retention cannot be staged');
      const transport = await withRecords(current, 'lost', 10);
      const { partition } = await sole(transport, 'g', 'lost');
      await resume(partition);
      const [first] = await partition.poll({ records: 1, bytes: roomy.bytes }, never);
      await partition.deliver([], { position: first!.nextPosition, sequence: first!.sequence, outputsSent: 0 });
      await removeFirst!({ topic: 'lost', partition: 0 }, 5);
      await resume(partition);
      for (let attempt = 0; attempt < 2; attempt++) {
        expect(await code(partition.poll(roomy, never))).toBe('LS_TRANSPORT_POSITION_LOST');
      }
    });

    test('a group without a member can be set to a place, and goes on from there', async () => {
      const transport = await withRecords(current, 'reset', 6);
      const first = await sole(transport, 'g', 'reset');
      const { end } = await resume(first.partition);
      await first.partition.deliver([], { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 });
      const place = await transport.boundAt(first.partition, { sequence: (await readAll(transport, first.partition))[2]!.sequence });
      const checkpoint = { position: place.position, sequence: place.sequence - 1n, outputsSent: 0 };
      const places = [{ topic: 'reset', partition: 0, checkpoint }];
      expect(await code(transport.resetGroup('g', places))).toBe('LS_TRANSPORT_GROUP_ACTIVE');
      // Also without a place, which sets nothing.
      expect(await code(transport.resetGroup('g', []))).toBe('LS_TRANSPORT_GROUP_ACTIVE');
      expect(await transport.committed('g', first.partition)).toMatchObject({ position: end.position });
      await first.close();
      await transport.resetGroup('g', places);
      for (const group of ['g', 'never-seen']) await transport.resetGroup(group, []);
      expect(await transport.committed('g', first.partition)).toEqual(checkpoint);
      const second = await sole(transport, 'g', 'reset');
      await resume(second.partition);
      expect(values(await second.partition.poll(roomy, never))[0]).toBe('2');
    });

    test('after revocation rejects every call', async () => {
      const transport = await withRecords(current, 'gone', 2);
      const { partition, close } = await sole(transport, 'g', 'gone');
      const { start, end } = await resume(partition);
      await close();
      const checkpoint = { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 };
      const calls = [
        () => partition.poll(roomy, never),
        () => partition.deliver([output('gone', 0, 'zombie')], checkpoint),
        () => partition.committed(),
        () => partition.bounds(),
        async () => { await Promise.resolve(); partition.seek(start.position); },
      ];
      for (const call of calls) expect(await code(call())).toBe('LS_TRANSPORT_REVOKED');
      expect(await transport.committed('g', partition)).toBeUndefined();
      expect(values(await readAll(transport, { topic: 'gone', partition: 0 }))).toEqual(['0', '1']);
    });

    test('rejects a poll in flight when it is revoked, and when the transport closes', async () => {
      const transport = await withRecords(current, 'flight', 0);
      const first = await sole(transport, 'one', 'flight');
      const second = await sole(transport, 'two', 'flight');
      await resume(first.partition);
      await resume(second.partition);
      const polls = [code(first.partition.poll(roomy, never)), code(second.partition.poll(roomy, never))];
      await first.close();
      expect(await polls[0]).toBe('LS_TRANSPORT_REVOKED');
      await transport.close();
      expect(await polls[1]).toBe('LS_TRANSPORT_REVOKED');
    });
  });

  describe('a consumer group', () => {
    test('is apart from other groups', async () => {
      const transport = await withRecords(current, 'shared', 3);
      const one = await sole(transport, 'one', 'shared');
      const two = await sole(transport, 'two', 'shared');
      for (const { partition } of [one, two]) {
        await resume(partition);
        expect(values(await partition.poll(roomy, never))).toEqual(['0', '1', '2']);
      }
      const { end } = await one.partition.bounds();
      await one.partition.deliver([], { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 });
      expect(await two.partition.committed()).toBeUndefined();
    });

    test('shares its partitions among its members and takes them back from one that leaves', async () => {
      const transport = await withRecords(current, 'split', 1, 4);
      const one = await hold(transport, { group: 'g', topics: ['split'] });
      expect(one.held().map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
      const two = await hold(await current().member(), { group: 'g', topics: ['split'] });
      await until(() => one.held().length + two.held().length === 4);
      expect(one.held()).toHaveLength(2);
      expect([...one.held(), ...two.held()].map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
      await one.subscription.close();
      await until(() => two.held().length === 4);
      expect(one.held()).toEqual([]);
    });

    test('assigns nothing before every former owner has let go, and then a final checkpoint', async () => {
      const transport = await withRecords(current, 'handover', 4, 2);
      const events: string[] = [];
      const one = await hold(transport, {
        group: 'g',
        topics: ['handover'],
        listener: {
          revoked: async (partitions) => {
            for (const partition of one.held()) {
              const { end } = await partition.bounds();
              await partition.deliver([], { position: end.position, sequence: end.sequence - 1n, outputsSent: 3 });
            }
            events.push(`one lost ${partitions.length}`);
          },
        },
      });
      const two = await hold(await current().member(), {
        group: 'g',
        topics: ['handover'],
        listener: {
          assigned: async (partitions) => {
            for (const partition of partitions) {
              const committed = await partition.committed();
              const { end } = await partition.bounds();
              events.push(`two got ${committed?.position === end.position ? 'the end' : 'stale'} with ${committed?.outputsSent ?? -1}`);
            }
          },
        },
      });
      expect(events).toEqual(['one lost 2', 'two got the end with 3']);
      await two.subscription.close();
    });

    test('goes on without a member whose listener rejects, and tells it', async () => {
      const transport = await withRecords(current, 'faulty', 1, 4);
      const healthy = await hold(transport, { group: 'g', topics: ['faulty'] });
      for (const fault of ['assigned', 'revoked'] as const) {
        const failed: Error[] = [];
        const faulty = await (await current().member()).subscribe({
          group: 'g',
          topics: ['faulty'],
          delivery: 'at-least-once',
          listener: {
            assigned: () => (fault === 'assigned' ? Promise.reject(new Error(fault)) : Promise.resolve()),
            revoked: () => Promise.reject(new Error(fault)),
            failed: (error) => { failed.push(error); },
          },
        });
        // Whoever joins next makes the one that cannot let go fail.
        const third = fault === 'revoked' ? await hold(transport, { group: 'g', topics: ['faulty'] }) : undefined;
        await until(() => failed.length > 0 && healthy.held().length + (third?.held().length ?? 0) === 4);
        expect(failed.map(({ message }) => message)).toEqual([fault]);
        await third?.subscription.close();
        await faulty.close();
        await until(() => healthy.held().length === 4);
        expect(failed).toHaveLength(1);
      }
    });

    test('rebalances while records flow: nothing lost, nothing handed to two owners at once', async () => {
      const { transport } = current();
      const partitionCount = 5;
      const perPartition = 120;
      await transport.createTopics([{ topic: 'flow', partitionCount }, { topic: 'flow-copy', partitionCount }]);
      const seen: Sighting[] = [];
      const join = async (name: string, via: Transport) =>
        copying(via, { name, group: 'g', from: 'flow', to: 'flow-copy', delivery: 'exactly-once', seen });
      const one = await join('one', transport);
      const producing = (async () => {
        for (let index = 0; index < perPartition; index += 10) {
          for (let partition = 0; partition < partitionCount; partition++) await transport.append(outputs('flow', partition, index, 10));
        }
      })();
      const members = [one];
      for (const name of ['two', 'three']) members.push(await join(name, await current().member()));
      await members[1]!.subscription.close();
      members.push(await join('four', await current().member()));
      await producing;
      const copied = async (): Promise<number> => {
        let count = 0;
        for (let partition = 0; partition < partitionCount; partition++) {
          count += (await readAll(transport, { topic: 'flow-copy', partition })).length;
        }
        return count;
      };
      await until(async () => (await copied()) >= partitionCount * perPartition);
      await Promise.all(members.map(({ subscription }) => subscription.close()));
      expect(members.flatMap(({ failures }) => failures)).toEqual([]);
      const expected = Array.from({ length: perPartition }, (_, index) => String(index));
      for (let partition = 0; partition < partitionCount; partition++) {
        // Members drain before they let go and checkpoints move with the copies: every record has exactly one owner and one copy.
        expect(values(await readAll(transport, { topic: 'flow-copy', partition }))).toEqual(expected);
        expect(seen.filter((sighting) => sighting.partition === partition).map(({ value }) => value)).toEqual(expected);
      }
      expect(new Set(seen.map(({ owner }) => owner)).size).toBeGreaterThan(1);
    });
  });
}
