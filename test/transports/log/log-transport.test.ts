/** What is the log transport's own; what it shares with every transport is in test/conformance. */
import { describe, expect, test } from 'vitest';
import { recordBytes } from '../../../src/core/records.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import type { LogTransaction } from '../../../src/transports/log/log-store.ts';
import { recordFrameBytes } from '../../../src/transports/log/record-frame.ts';
import { code, hold, output, outputs, readAll, resume, roomy } from '../../conformance/transport-harness.ts';
import { createMemoryLogStore } from './memory-log-store.ts';

const never = new AbortController().signal;

test.each([
  ['text.events', 0],
  ['features', 32],
  ['parked', 32],
  ['redrive', 32],
  ['replay', 32],
  ['dead-letters', 64],
  ['labels', 128],
  ['cluster-events', 128],
])('the largest record of %s is that of the setting and %i KiB', async (topic, kibibytes) => {
  const transport = createLogTransport(createMemoryLogStore(), { recordBytesMax: 1_000 });
  await transport.createTopics([{ topic, partitionCount: 1 }]);
  const recordBytesMax = 1_000 + kibibytes * 1024;
  const allowed = recordBytesMax - 64;
  await transport.append([output(topic, 0, Buffer.alloc(allowed))]);
  await expect(transport.append([output(topic, 0, 'fits'), output(topic, 0, Buffer.alloc(allowed + 1))])).rejects.toMatchObject({
    code: 'LS_TRANSPORT_RECORD_TOO_LARGE',
    details: { topic, index: 1, bytes: recordBytesMax + 1, recordBytesMax },
  });
});

test('the store never refuses what the transport takes: no frame is larger than its record', () => {
  const words = ['', 'a', 'é', '€', '😀', '\ud800', 'labelstream.origin'];
  let checked = 0;
  for (const word of words) {
    for (const count of [0, 1, 30_000]) {
      for (const key of [null, Buffer.alloc(0), Buffer.alloc(999)]) {
        const headers = new Map(Array.from({ length: Math.min(count, 40) }, (_, index) => [word.repeat(count % 7_001) + String(index), Buffer.alloc(index)]));
        const record = { key, value: Buffer.alloc(count), headers };
        expect(recordFrameBytes(record)).toBeLessThan(recordBytes(record));
        checked += 1;
      }
    }
  }
  expect(checked).toBe(63);
});

test('a long append goes in bounded commits, in order', async () => {
  const store = createMemoryLogStore();
  const commits: LogTransaction[] = [];
  const transport = createLogTransport({
    ...store,
    commit: (transaction) => {
      commits.push(transaction);
      return store.commit(transaction);
    },
  });
  await transport.createTopics([{ topic: 'long', partitionCount: 1 }]);
  await transport.append([...outputs('long', 0, 0, 2_500), ...Array.from({ length: 3 }, () => output('long', 0, Buffer.alloc(3_000_000)))]);
  expect(commits.map(({ records }) => records.length)).toEqual([1_000, 1_000, 501, 1, 1]);
  expect(await readAll(transport, { topic: 'long', partition: 0 })).toHaveLength(2_503);
});

test('a checkpoint that something else wrote is refused, not guessed', async () => {
  const store = createMemoryLogStore();
  const transport = createLogTransport(store);
  await transport.createTopics([{ topic: 'in', partitionCount: 1 }]);
  for (const metadata of ['', '{"sequence":1}', '2:1:1', '1:1:-1']) {
    await store.commit({ records: [], checkpoints: [{ group: 'g', topic: 'in', partition: 0, nextSequence: 1n, metadata }] });
    expect(await code(transport.committed('g', { topic: 'in', partition: 0 }))).toBe('LS_LOG_CHECKPOINT_INVALID');
  }
});

describe('a position', () => {
  test('beyond the end is lost: the log it came from had more', async () => {
    const transport = createLogTransport(createMemoryLogStore());
    await transport.createTopics([{ topic: 'in', partitionCount: 1 }]);
    const read = transport.read({ topic: 'in', partition: 0 }, '5', roomy, never);
    await expect(read).rejects.toMatchObject({ code: 'LS_TRANSPORT_POSITION_LOST', details: { position: 5n, endSequence: 0n } });
  });

  test.for(['', '-1', '01', '1.5', ' 1', '9'.repeat(30), '0x10'])('%j is none', async (position) => {
    const transport = createLogTransport(createMemoryLogStore());
    await transport.createTopics([{ topic: 'in', partitionCount: 1 }]);
    expect(await code(transport.read({ topic: 'in', partition: 0 }, position, roomy, never))).toBe('LS_TRANSPORT_POSITION_INVALID');
  });
});

test('a partition that is polled without a seek goes on where the group stands', async () => {
  const transport = createLogTransport(createMemoryLogStore());
  await transport.createTopics([{ topic: 'in', partitionCount: 1 }]);
  await transport.append(outputs('in', 0, 0, 3));
  const first = await hold(transport, { group: 'g', topics: ['in'] });
  const [record] = await first.held()[0]!.poll({ records: 1, bytes: 1 }, never);
  expect(record!.value.toString()).toBe('0');
  await first.held()[0]!.deliver([], { position: record!.nextPosition, sequence: record!.sequence, outputsSent: 0 });
  await first.subscription.close();
  const second = await hold(transport, { group: 'g', topics: ['in'] });
  expect((await second.held()[0]!.poll(roomy, never)).map(({ value }) => value.toString())).toEqual(['1', '2']);
});

test('a delivery that had started is awaited before the next owner is told', async () => {
  const store = createMemoryLogStore();
  const gate = Promise.withResolvers<undefined>();
  let gated = false;
  const transport = createLogTransport({
    ...store,
    commit: async (transaction) => {
      if (gated) await gate.promise;
      await store.commit(transaction);
    },
  });
  await transport.createTopics([{ topic: 'in', partitionCount: 1 }]);
  await transport.append(outputs('in', 0, 0, 1));
  // A member that does not drain: its delivery is under way when the partition is taken.
  const first = await hold(transport, { group: 'g', topics: ['in'] });
  const partition = first.held()[0]!;
  const { end } = await resume(partition);
  gated = true;
  const delivering = partition.deliver([], { position: end.position, sequence: end.sequence - 1n, outputsSent: 7 });
  const leaving = first.subscription.close();
  let found: number | undefined;
  const joining = hold(transport, {
    group: 'g',
    topics: ['in'],
    listener: { assigned: async (partitions) => { found = (await partitions[0]!.committed())?.outputsSent; } },
  });
  expect(await code(partition.bounds().then(() => partition.bounds()))).toBe('LS_TRANSPORT_REVOKED');
  gate.resolve(undefined);
  await Promise.all([delivering, leaving, joining]);
  expect(found).toBe(7);
});
