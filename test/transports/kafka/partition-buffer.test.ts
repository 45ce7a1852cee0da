import { describe, expect, test } from 'vitest';
import type { ConsumedRecord } from '../../../src/core/records.ts';
import type { VisibleBatches } from '../../../src/transports/kafka/fetched-records.ts';
import { openPartitionBuffer, type PartitionBuffer } from '../../../src/transports/kafka/partition-buffer.ts';

const never = new AbortController().signal;
const roomy = { records: 100, bytes: 1_000_000 };

function open(): PartitionBuffer {
  return openPartitionBuffer({ source: { topic: 't', partition: 0, incarnation: 'i' }, offset: 5n, nowMs: () => 0, changed: () => undefined, closed: () => undefined });
}

/** Records of 8 bytes: the length of what follows, attributes, two deltas, no key, a value of one letter, no headers. */
function batch(baseOffset: bigint, text: string): VisibleBatches {
  const records = Buffer.concat(Array.from(text, (letter, index) => Buffer.from([14, 0, 0, index * 2, 1, 2, letter.charCodeAt(0), 0])));
  return { batches: [{ baseOffset, count: text.length, baseTimestampMs: 0, appendTimeMs: 1, records }], hiddenFrom: baseOffset + BigInt(text.length), nextOffset: baseOffset + BigInt(text.length) };
}

const letters = (records: readonly ConsumedRecord[]): string => records.map(({ value }) => value.toString()).join('');
/** Lets a poll come to where it waits. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

describe('the buffer of a partition', () => {
  test('gives what was fetched in pieces, counts what is left, and says where to fetch next', async () => {
    const buffer = open();
    const began = buffer.begin();
    expect([began.offset, buffer.isFree()]).toEqual([5n, false]);
    buffer.add(began, batch(5n, 'abcd'));
    expect([buffer.offset(), buffer.isFree(), buffer.bytes()]).toEqual([9n, true, 32]);
    expect(letters(await buffer.reader.poll({ records: 1, bytes: 1 }, never))).toBe('a');
    expect(buffer.bytes()).toBe(24);
    // 65 bytes each: two fit, the third waits.
    expect(letters(await buffer.reader.poll({ records: 9, bytes: 130 }, never))).toBe('bc');
    expect(letters(await buffer.reader.poll(roomy, never))).toBe('d');
    expect(buffer.bytes()).toBe(0);
  });

  test('drops after a seek what was fetched, and what an earlier fetch still brings', async () => {
    const buffer = open();
    buffer.add(buffer.begin(), batch(5n, 'old'));
    const late = buffer.begin();
    const polling = buffer.reader.poll(roomy, never);
    buffer.reader.seek(50n);
    expect([buffer.offset(), buffer.bytes(), buffer.isFree()]).toEqual([50n, 0, true]);
    buffer.add(late, batch(8n, 'late'));
    await settle();
    expect(buffer.isPolled()).toBe(true);
    buffer.add(buffer.begin(), batch(50n, 'new'));
    expect(letters(await polling)).toBe('new');
    expect(buffer.offset()).toBe(53n);
  });

  test('knows which places are as good: between them nobody sees anything', () => {
    const { reader, begin, add } = open();
    add(begin(), { ...batch(5n, 'ab'), nextOffset: 9n });
    expect([5n, 6n, 7n, 8n, 9n, 10n].map(reader.pastHidden)).toEqual([5n, 6n, 9n, 9n, 9n, 10n]);
    add(begin(), { batches: [], hiddenFrom: 9n, nextOffset: 12n });
    expect(reader.pastHidden(7n)).toBe(12n);
    add(begin(), batch(12n, 'c'));
    expect([7n, 12n, 13n].map(reader.pastHidden)).toEqual([7n, 12n, 13n]);
    reader.seek(20n);
    add(begin(), { batches: [], hiddenFrom: 20n, nextOffset: 22n });
    expect([13n, 20n].map(reader.pastHidden)).toEqual([13n, 22n]);
  });

  test('passes what nobody sees, and goes on waiting', async () => {
    const buffer = open();
    const polling = buffer.reader.poll(roomy, never);
    buffer.add(buffer.begin(), { batches: [], hiddenFrom: 5n, nextOffset: 70n });
    await settle();
    expect([buffer.isPolled(), buffer.offset()]).toEqual([true, 70n]);
    buffer.add(buffer.begin(), batch(70n, 'x'));
    expect(letters(await polling)).toBe('x');
  });

  test('tells a failure to the poll that waits, and a loss to every poll until it is sought', async () => {
    const buffer = open();
    const polling = buffer.reader.poll(roomy, never);
    await settle();
    buffer.fail(buffer.begin(), new Error('away'));
    await expect(polling).rejects.toThrow('away');
    expect(buffer.isFree()).toBe(true);
    const stale = buffer.begin();
    buffer.reader.seek(6n);
    buffer.lose(stale, new Error('of the old place'));
    buffer.lose(buffer.begin(), new Error('lost'));
    expect(buffer.isFree()).toBe(false);
    for (let attempt = 0; attempt < 2; attempt++) await expect(buffer.reader.poll(roomy, never)).rejects.toThrow('lost');
    buffer.reader.seek(7n);
    buffer.add(buffer.begin(), batch(7n, 'y'));
    expect(letters(await buffer.reader.poll(roomy, never))).toBe('y');
  });

  test('has one poll at a time, which an abort or a close ends', async () => {
    const buffer = open();
    const abort = new AbortController();
    const aborted = buffer.reader.poll(roomy, abort.signal);
    await expect(buffer.reader.poll(roomy, never)).rejects.toMatchObject({ code: 'LS_TRANSPORT_CALL_OVERLAP' });
    abort.abort();
    expect(await aborted).toEqual([]);
    const closed = buffer.reader.poll(roomy, never);
    await settle();
    buffer.reader.close(new Error('closed'));
    await expect(closed).rejects.toThrow('closed');
    await expect(buffer.reader.poll(roomy, never)).rejects.toThrow('closed');
    expect(buffer.isFree()).toBe(false);
  });

  test('stops at a record that is damaged, after those before it', async () => {
    const buffer = open();
    const damaged = batch(5n, 'ab');
    damaged.batches[0]!.records[8 + 5] = 40;
    buffer.add(buffer.begin(), damaged);
    expect(letters(await buffer.reader.poll({ records: 1, bytes: 1 }, never))).toBe('a');
    for (let attempt = 0; attempt < 2; attempt++) await expect(buffer.reader.poll(roomy, never)).rejects.toMatchObject({ code: 'LS_KAFKA_RECORDS_UNREADABLE' });
  });
});
