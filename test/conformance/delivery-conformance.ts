/** Delivery: outputs and checkpoint, together or one after the other, and what a crash leaves of them. */
import { describe, expect, test } from 'vitest';
import type { AssignedPartition, Delivery, Transport } from '../../src/pipeline/transport.ts';
import { code, copying, hold, output, outputs, readAll, resume, roomy, until, values, type Sighting, type TransportHarness } from './transport-harness.ts';

const never = new AbortController().signal;
const crashPoints = [1, 2, 3].flatMap((step) => (['before', 'after'] as const).map((when) => ({ step, when })));

async function prepared(transport: Transport, delivery: Delivery): Promise<AssignedPartition> {
  await transport.createTopics([{ topic: 'in', partitionCount: 1 }, { topic: 'out', partitionCount: 2 }]);
  await transport.append(outputs('in', 0, 0, 4));
  const { held } = await hold(transport, { group: 'g', topics: ['in'], delivery });
  await resume(held()[0]!);
  return held()[0]!;
}

export function describeDelivery(current: () => TransportHarness): void {
  const deliveries = (): readonly Delivery[] =>
    current().transport.capabilities.transactions ? ['at-least-once', 'exactly-once'] : ['at-least-once'];

  describe('deliver', () => {
    test.for(['at-least-once', 'exactly-once'] as const)('%s: makes outputs and checkpoint durable, outputs in order', async (delivery, { skip }) => {
      if (!deliveries().includes(delivery)) skip('the transport has no transactions');
      const { transport, settled } = current();
      const partition = await prepared(transport, delivery);
      const records = await partition.poll({ records: 2, bytes: roomy.bytes }, never);
      const last = records.at(-1)!;
      const made = [...outputs('out', 0, 0, 3), ...outputs('out', 1, 10, 2), ...outputs('out', 0, 3, 2)];
      const checkpoint = { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 };
      await partition.deliver(made, checkpoint);
      await settled?.();
      expect(values(await readAll(transport, { topic: 'out', partition: 0 }))).toEqual(['0', '1', '2', '3', '4']);
      expect(values(await readAll(transport, { topic: 'out', partition: 1 }))).toEqual(['10', '11']);
      expect(await partition.committed()).toEqual(checkpoint);
      expect(await transport.committed('g', partition)).toEqual(checkpoint);
    });

    test('round-trips how many outputs of the next record are out, also before the first record', async () => {
      const { transport } = current();
      const partition = await prepared(transport, deliveries().at(-1)!);
      const { start } = await partition.bounds();
      const untouched = { position: start.position, sequence: start.sequence - 1n, outputsSent: 100_000 };
      await partition.deliver(outputs('out', 0, 0, 1), untouched);
      expect(await partition.committed()).toEqual(untouched);
      const [first] = await partition.poll(roomy, never);
      const handled = { position: first!.nextPosition, sequence: first!.sequence, outputsSent: 2, firstStartPartitions: 3 };
      await partition.deliver([], handled);
      expect(await partition.committed()).toEqual(handled);
    });

    test('to a missing topic or partition is refused whole', async () => {
      const { transport } = current();
      const partition = await prepared(transport, 'at-least-once');
      const { end } = await partition.bounds();
      const checkpoint = { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 };
      for (const bad of [output('absent', 0, 'x'), output('out', 9, 'x')]) {
        expect(await code(partition.deliver([output('out', 0, 'first'), bad], checkpoint))).toBe('LS_TRANSPORT_TOPIC_MISSING');
      }
      expect(await code(partition.deliver([], { ...checkpoint, position: 'elsewhere' }))).toBe('LS_TRANSPORT_POSITION_INVALID');
      expect(await partition.committed()).toBeUndefined();
      expect(await readAll(transport, { topic: 'out', partition: 0 })).toEqual([]);
    });
  });

  describe('a crash', () => {
    test.for(crashPoints)('exactly-once: $when step $step leaves outputs and checkpoint together', async ({ step, when }, { skip }) => {
      const { transport, crash, restart } = current();
      if (crash === undefined || restart === undefined || !deliveries().includes('exactly-once')) return skip('cannot be staged');
      const partition = await prepared(transport, 'exactly-once');
      crash(step, when);
      const copyOne = async (): Promise<void> => {
        const [record] = await partition.poll({ records: 1, bytes: roomy.bytes }, never);
        const copies = [output('out', 0, record!.value), output('out', 1, record!.value)];
        await partition.deliver(copies, { position: record!.nextPosition, sequence: record!.sequence, outputsSent: 0 });
      };
      for (let done = 1; done < step; done++) await copyOne();
      await expect(copyOne()).rejects.toThrow();
      const handled = when === 'before' ? step - 1 : step;
      const next = await restart();
      const checkpoint = await next.committed('g', { topic: 'in', partition: 0 });
      const expected = Array.from({ length: handled }, (_, index) => String(index));
      for (const side of [0, 1]) expect(values(await readAll(next, { topic: 'out', partition: side }))).toEqual(expected);
      const inputs = await readAll(next, { topic: 'in', partition: 0 });
      expect(checkpoint?.position).toBe(inputs[handled - 1]?.nextPosition);
      expect(checkpoint?.sequence).toBe(inputs[handled - 1]?.sequence);
    });

    test.for(crashPoints)('at-least-once: $when step $step never leaves a checkpoint ahead of its outputs', async ({ step, when }, { skip }) => {
      const { transport, crash, restart } = current();
      if (crash === undefined || restart === undefined) return skip('cannot be staged');
      await transport.createTopics([{ topic: 'in', partitionCount: 1 }, { topic: 'out', partitionCount: 1 }]);
      await transport.append(outputs('in', 0, 0, 6));
      crash(step, when);
      const seen: Sighting[] = [];
      const options = { group: 'g', from: 'in', to: 'out', delivery: 'at-least-once', seen, records: 2 } as const;
      const dying = await copying(transport, { ...options, name: 'dying' });
      await until(() => dying.failures.length > 0);
      const next = await restart();
      const inputs = await readAll(next, { topic: 'in', partition: 0 });
      const checkpoint = await next.committed('g', { topic: 'in', partition: 0 });
      const handled = inputs.filter(({ sequence }) => checkpoint !== undefined && sequence <= checkpoint.sequence);
      expect(values(await readAll(next, { topic: 'out', partition: 0 })).slice(0, handled.length)).toEqual(values(handled));
      const heir = await copying(next, { ...options, name: 'heir' });
      await until(async () => (await next.committed('g', { topic: 'in', partition: 0 }))?.sequence === inputs.at(-1)!.sequence);
      await heir.subscription.close();
      const copies = values(await readAll(next, { topic: 'out', partition: 0 }));
      expect([...new Set(copies)]).toEqual(values(inputs));
      expect(copies.length).toBeLessThanOrEqual(inputs.length + 2);
    });
  });
}
