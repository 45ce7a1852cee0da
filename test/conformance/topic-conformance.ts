/** Topics, appending and reading outside any group. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Transport } from '../../src/pipeline/transport.ts';
import { code, output, outputs, readAll, roomy, values, type TransportHarness } from './transport-harness.ts';

const never = new AbortController().signal;

async function withTopic(current: () => TransportHarness, topic: string, partitionCount = 1): Promise<Transport> {
  const { transport } = current();
  await transport.createTopics([{ topic, partitionCount }]);
  return transport;
}

export function describeTopics(current: () => TransportHarness): void {
  describe('topics', () => {
    test('are made once and described', async () => {
      const transport = await withTopic(current, 'made', 3);
      const described = await transport.describeTopic('made');
      expect(described).toMatchObject({ topic: 'made', partitionCount: 3 });
      expect(described.incarnation).not.toBe('');
      await transport.createTopics([{ topic: 'made', partitionCount: 3 }, { topic: 'made-too', partitionCount: 1 }]);
      expect(await transport.describeTopic('made')).toEqual(described);
      expect((await transport.describeTopic('made-too')).incarnation).not.toBe(described.incarnation);
    });

    test('refuse another partition count, and then make none of the list', async () => {
      const transport = await withTopic(current, 'counted', 2);
      const asked = transport.createTopics([{ topic: 'not-made', partitionCount: 1 }, { topic: 'counted', partitionCount: 3 }]);
      expect(await code(asked)).toBe('LS_TRANSPORT_PARTITION_COUNT');
      expect(await code(transport.describeTopic('not-made'))).toBe('LS_TRANSPORT_TOPIC_MISSING');
      expect((await transport.describeTopic('counted')).partitionCount).toBe(2);
    });

    test('are put in the place of others: records and positions of the former are gone, and partitions begin above 0', async () => {
      const transport = await withTopic(current, 'replaced', 2);
      await transport.append(outputs('replaced', 1, 0, 3));
      const former = await transport.describeTopic('replaced');
      const { end } = await transport.bounds({ topic: 'replaced', partition: 1 });
      await transport.resetGroup('replaced-group', [{ topic: 'replaced', partition: 1, checkpoint: { position: end.position, sequence: end.sequence - 1n, outputsSent: 0 } }]);
      const replacement = { topic: 'replaced', formerIncarnation: former.incarnation, partitionCount: 3, form: await transport.topicForm('replaced') };
      const { replacementRefused } = current();
      if (replacementRefused !== undefined) {
        expect(await code(transport.replaceTopic(replacement))).toBe(replacementRefused);
        expect(await transport.describeTopic('replaced')).toEqual(former);
        return;
      }
      // Made meanwhile by somebody else, with another number of partitions: while it holds nothing, it is replaced as well.
      const others = await transport.replaceTopic({ ...replacement, partitionCount: 1 });
      const replaced = await transport.replaceTopic(replacement);
      expect(replaced.incarnation).not.toBe(others.incarnation);
      expect(replaced).toMatchObject({ topic: 'replaced', partitionCount: 3 });
      expect(replaced.incarnation).not.toBe(former.incarnation);
      expect(await transport.describeTopic('replaced')).toEqual(replaced);
      for (let partition = 0; partition < 3; partition++) {
        const { start, end: none } = await transport.bounds({ topic: 'replaced', partition });
        expect([start.sequence, none.sequence]).toEqual([1n, 1n]);
        await vi.waitUntil(async () => (await transport.committed('replaced-group', { topic: 'replaced', partition })) === undefined, { timeout: 10_000 });
        await transport.append(outputs('replaced', partition, 0, 2));
        const records = await readAll(transport, { topic: 'replaced', partition });
        expect(records.map(({ sequence }) => sequence)).toEqual([1n, 2n]);
      }
      // Again, as after a crash: what there is stays.
      expect(await transport.replaceTopic(replacement)).toEqual(replaced);
      expect(await readAll(transport, { topic: 'replaced', partition: 2 })).toHaveLength(2);
      expect(await code(transport.replaceTopic({ ...replacement, partitionCount: 2 }))).toBe('LS_TRANSPORT_PARTITION_COUNT');
      expect(await code(transport.topicForm('no-such-topic'))).toBe('LS_TRANSPORT_TOPIC_MISSING');
    });

    test.for([
      ['', 1], ['..', 1], ['a/b', 1], ['a b', 1], ['x'.repeat(250), 1], ['none', 0], ['half', 1.5], ['less', -1],
    ] as const)('refuse the name %j with %d partitions', async ([topic, partitionCount]) => {
      expect(await code(current().transport.createTopics([{ topic, partitionCount }]))).toBe('LS_TRANSPORT_TOPIC_INVALID');
    });

    test('that are missing reject every call with one code', async () => {
      const transport = await withTopic(current, 'present', 2);
      const listener = { assigned: () => Promise.resolve(), revoked: () => Promise.resolve(), failed: () => undefined };
      const calls = [
        () => transport.describeTopic('absent'),
        () => transport.bounds({ topic: 'absent', partition: 0 }),
        () => transport.boundAt({ topic: 'absent', partition: 0 }, { sequence: 0n }),
        () => transport.decided({ topic: 'absent', partition: 0 }),
        () => transport.bounds({ topic: 'present', partition: 2 }),
        () => transport.bounds({ topic: 'present', partition: -1 }),
        () => transport.read({ topic: 'absent', partition: 0 }, undefined, roomy, never),
        () => transport.append([output('present', 0, 'held back'), output('absent', 0, 'x')]),
        () => transport.append([output('present', 7, 'x')]),
        () => transport.committed('group', { topic: 'absent', partition: 0 }),
        () => transport.subscribe({ group: 'group', topics: ['present', 'absent'], delivery: 'at-least-once', listener }),
      ];
      for (const call of calls) expect(await code(call())).toBe('LS_TRANSPORT_TOPIC_MISSING');
      expect(await readAll(transport, { topic: 'present', partition: 0 })).toEqual([]);
    });
  });

  describe('append and read', () => {
    test('keep order per partition, whatever is appended at once', async () => {
      const transport = await withTopic(current, 'ordered', 3);
      const interleaved = Array.from({ length: 3_000 }, (_, index) => output('ordered', index % 3, String(index)));
      await transport.append(interleaved);
      await transport.append(outputs('ordered', 1, 3_001, 1));
      for (const partition of [0, 1, 2]) {
        const read = await readAll(transport, { topic: 'ordered', partition });
        const expected = interleaved.filter((record) => record.partition === partition).map(({ value }) => value.toString());
        expect(values(read)).toEqual(partition === 1 ? [...expected, '3001'] : expected);
        for (const [index, record] of read.entries()) {
          if (index > 0) expect(record.sequence).toBeGreaterThan(read[index - 1]!.sequence);
        }
      }
    });

    test('appends that are in flight together keep each caller\'s order', async () => {
      const transport = await withTopic(current, 'callers');
      await Promise.all(
        Array.from({ length: 8 }, async (_, caller) => {
          for (let index = 0; index < 20; index++) await transport.append([output('callers', 0, `${caller}:${index}`)]);
        }),
      );
      const read = values(await readAll(transport, { topic: 'callers', partition: 0 }));
      for (let caller = 0; caller < 8; caller++) {
        const own = read.filter((value) => value.startsWith(`${caller}:`));
        expect(own).toEqual(Array.from({ length: 20 }, (_, index) => `${caller}:${index}`));
      }
      expect(read).toHaveLength(160);
    });

    test('round-trip keys, values and headers byte for byte', async () => {
      const transport = await withTopic(current, 'bytes');
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const records = [
        { key: null, value: everyByte, headers: new Map<string, Buffer>() },
        { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: new Map([['empty', Buffer.alloc(0)]]) },
        { key: everyByte, value: Buffer.from('{"not":"parsed"}'), headers: new Map([['b', everyByte], ['a', Buffer.from('1')], ['ünïcode ☃', Buffer.from([0])]]) },
        { key: Buffer.from('k'), value: Buffer.alloc(30_000, 7), headers: new Map<string, Buffer>() },
      ].map((record) => ({ topic: 'bytes', partition: 0, ...record }));
      await transport.append(records);
      const read = await readAll(transport, { topic: 'bytes', partition: 0 });
      expect(read.map(({ key, value, headers }) => ({ key, value, headers: [...headers] }))).toEqual(
        records.map(({ key, value, headers }) => ({ key, value: Buffer.from(value), headers: [...headers] })),
      );
      const { incarnation } = await transport.describeTopic('bytes');
      expect(new Set(read.map((record) => record.incarnation))).toEqual(new Set([incarnation]));
    });

    test('bounds follow the records, and a position leads on from its record', async () => {
      const transport = await withTopic(current, 'bounded');
      const partition = { topic: 'bounded', partition: 0 };
      const empty = await transport.bounds(partition);
      expect(empty.start).toEqual(empty.end);
      await transport.append(outputs('bounded', 0, 0, 5));
      const { start, end } = await transport.bounds(partition);
      const read = await transport.read(partition, start.position, roomy, never);
      expect(read[0]!.sequence).toBe(start.sequence);
      expect(read.at(-1)!.nextPosition).toBe(end.position);
      expect(end.sequence).toBe(read.at(-1)!.sequence + 1n);
      for (const [index, record] of read.slice(0, 4).entries()) {
        const rest = await transport.read(partition, record.nextPosition, roomy, never);
        expect(values(rest)).toEqual(values(read.slice(index + 1)));
      }
      expect(values(await transport.read(partition, undefined, roomy, never))).toEqual(values(read));
    });

    test('a place is found by sequence: the first record at or after it', async () => {
      const transport = await withTopic(current, 'sought');
      const partition = { topic: 'sought', partition: 0 };
      const empty = await transport.bounds(partition);
      expect(await transport.boundAt(partition, { sequence: 0n })).toEqual(empty.end);
      await transport.append(outputs('sought', 0, 0, 20));
      const { start, end } = await transport.bounds(partition);
      const records = await readAll(transport, partition);
      for (const [index, record] of records.entries()) {
        const bound = await transport.boundAt(partition, { sequence: record.sequence });
        expect(bound.sequence).toBe(record.sequence);
        expect(values(await transport.read(partition, bound.position, roomy, never))[0]).toBe(String(index));
      }
      expect(await transport.boundAt(partition, { sequence: start.sequence - 1n })).toEqual(start);
      for (const sequence of [end.sequence, end.sequence + 1_000n]) expect(await transport.boundAt(partition, { sequence })).toEqual(end);
    });

    test('a place is found by append time: the first record of that time or later', async () => {
      const transport = await withTopic(current, 'timed');
      const partition = { topic: 'timed', partition: 0 };
      expect(await transport.boundAt(partition, { appendTimeMs: 0 })).toEqual((await transport.bounds(partition)).end);
      for (let index = 0; index < 12; index++) {
        await transport.append(outputs('timed', 0, index * 3, 3));
        await sleep(2);
      }
      const { start, end } = await transport.bounds(partition);
      const records = await readAll(transport, partition);
      expect(new Set(records.map(({ appendTimeMs }) => appendTimeMs)).size).toBeGreaterThan(1);
      for (const { appendTimeMs } of records) {
        const first = records.find((record) => record.appendTimeMs >= appendTimeMs);
        const bound = await transport.boundAt(partition, { appendTimeMs });
        expect(bound.sequence).toBe(first!.sequence);
        expect((await transport.read(partition, bound.position, roomy, never))[0]!.sequence).toBe(first!.sequence);
      }
      expect(await transport.boundAt(partition, { appendTimeMs: 0 })).toEqual(start);
      expect(await transport.boundAt(partition, { appendTimeMs: records.at(-1)!.appendTimeMs + 1 })).toEqual(end);
    });

    test('a place is found among the records that are kept', async ({ skip }) => {
      const { removeFirst } = current();
      if (removeFirst === undefined) skip('retention cannot be staged');
      const transport = await withTopic(current, 'kept');
      const partition = { topic: 'kept', partition: 0 };
      await transport.append(outputs('kept', 0, 0, 10));
      const [first] = await readAll(transport, partition);
      await removeFirst!(partition, 4);
      const { start } = await transport.bounds(partition);
      expect(await transport.boundAt(partition, { sequence: first!.sequence })).toEqual(start);
      expect(await transport.boundAt(partition, { appendTimeMs: first!.appendTimeMs })).toEqual(start);
    });

    test('a budget of records or bytes ends a batch, and a first record is admitted whatever its size', async () => {
      const transport = await withTopic(current, 'budget');
      const partition = { topic: 'budget', partition: 0 };
      await transport.append([output('budget', 0, Buffer.alloc(5_000, 1)), ...outputs('budget', 0, 0, 50)]);
      const large = await transport.read(partition, undefined, { records: 10, bytes: 100 }, never);
      expect(large.map(({ value }) => value.length)).toEqual([5_000]);
      const byRecords = await transport.read(partition, large[0]!.nextPosition, { records: 4, bytes: roomy.bytes }, never);
      expect(byRecords.length).toBeGreaterThan(0);
      expect(byRecords.length).toBeLessThanOrEqual(4);
      const byBytes = await transport.read(partition, large[0]!.nextPosition, { records: 50, bytes: 400 }, never);
      expect(byBytes.length).toBeGreaterThan(0);
      expect(byBytes.length).toBeLessThan(7);
      expect(values(byBytes)[0]).toBe('0');
    });

    test('append time is the transport\'s own: a record dated 2099 by its producer is of today', async () => {
      const transport = await withTopic(current, 'dated');
      const before = Date.now();
      const dated = Buffer.from(String(Date.UTC(2099, 0, 1)));
      await transport.append([{ topic: 'dated', partition: 0, key: null, value: dated, headers: new Map([['timestamp', dated]]) }]);
      const [record] = await readAll(transport, { topic: 'dated', partition: 0 });
      // A broker's clock may be off by a little; never by decades.
      expect(Math.abs(record!.appendTimeMs - before)).toBeLessThan(3_600_000);
    });

    test('a read at the end waits for the next record, and ends with none when aborted', async () => {
      const transport = await withTopic(current, 'waiting');
      const partition = { topic: 'waiting', partition: 0 };
      const waiting = transport.read(partition, undefined, roomy, never);
      await transport.append([output('waiting', 0, 'late')]);
      const [record] = await waiting;
      expect(record!.value.toString()).toBe('late');
      const abort = new AbortController();
      const aborted = transport.read(partition, record!.nextPosition, roomy, abort.signal);
      abort.abort();
      expect(await aborted).toEqual([]);
      expect(await transport.read(partition, undefined, roomy, AbortSignal.abort())).toEqual([]);
    });

    test('a foreign position is refused', async () => {
      const transport = await withTopic(current, 'foreign');
      expect(await code(transport.read({ topic: 'foreign', partition: 0 }, 'no position', roomy, never))).toBe('LS_TRANSPORT_POSITION_INVALID');
    });

    test('a record over the limit is refused, and nothing of its call is appended', async ({ skip }) => {
      const { valueBytesMax } = current();
      if (valueBytesMax === undefined) skip('the transport names no limit');
      const transport = await withTopic(current, 'sized');
      const records = [output('sized', 0, 'small'), output('sized', 0, Buffer.alloc(valueBytesMax! + 1))];
      expect(await code(transport.append(records))).toBe('LS_TRANSPORT_RECORD_TOO_LARGE');
      expect(await readAll(transport, { topic: 'sized', partition: 0 })).toEqual([]);
      await transport.append([output('sized', 0, Buffer.alloc(valueBytesMax!))]);
      expect(await readAll(transport, { topic: 'sized', partition: 0 })).toHaveLength(1);
    });

    test('a position below the first record kept, or above the end, is lost', async ({ skip }) => {
      const { removeFirst } = current();
      if (removeFirst === undefined) skip('retention cannot be staged');
      const transport = await withTopic(current, 'trimmed');
      const partition = { topic: 'trimmed', partition: 0 };
      await transport.append(outputs('trimmed', 0, 0, 10));
      const { start, end } = await transport.bounds(partition);
      const first = (await readAll(transport, partition))[3]!;
      await removeFirst!(partition, 4);
      expect(await code(transport.read(partition, start.position, roomy, never))).toBe('LS_TRANSPORT_POSITION_LOST');
      const kept = await transport.bounds(partition);
      expect(values(await transport.read(partition, kept.start.position, roomy, never))[0]).toBe('4');
      expect(kept.end).toEqual(end);
      // And it is told without reading, where a read would wait for the next record, too.
      const isKept = (position: string): Promise<boolean> => transport.isKept(partition, position);
      expect(await Promise.all([start.position, kept.start.position, end.position, first.nextPosition].map(isKept))).toEqual([false, true, true, true]);
    });

    test('closing ends a waiting read and refuses later calls', async () => {
      const transport = await withTopic(current, 'closing');
      const waiting = vi.fn();
      const read = code(transport.read({ topic: 'closing', partition: 0 }, undefined, roomy, never)).finally(waiting);
      await transport.bounds({ topic: 'closing', partition: 0 });
      expect(waiting).not.toHaveBeenCalled();
      await transport.close();
      expect(await read).toBe('LS_TRANSPORT_CLOSED');
      expect(await code(transport.append([output('closing', 0, 'x')]))).toBe('LS_TRANSPORT_CLOSED');
      expect(await code(transport.describeTopic('closing'))).toBe('LS_TRANSPORT_CLOSED');
    });
  });
}
