import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noHeaders, recordBytes, type OutputRecord } from '../../../src/core/records.ts';
import { defaultSendBounds, recordSends } from '../../../src/transports/kafka/record-batches.ts';

const runs = process.env['LABELSTREAM_TEST_SCALE'] === 'full' ? 20_000 : 500;

const record = fc.record({
  topic: fc.constantFrom('a', 'b', '__proto__'),
  partition: fc.integer({ min: 0, max: 3 }),
  bytes: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 300 }) }, { weight: 1, arbitrary: fc.integer({ min: 900, max: 2_000 }) }),
});

const anySize = (): number => Infinity;

describe('records cut into sends', () => {
  test('have batches that a topic takes which takes no more than its largest record', () => {
    const records = ['a', 'b'].flatMap((topic) => Array.from({ length: 4 }, () => output(topic, 0, 100)));
    const sends = recordSends(records, (topic) => (topic === 'a' ? 2 * recordBytes(records[0]!) : Infinity));
    expect(sends.map((send) => send.map(({ topic }) => topic).join(''))).toEqual(['aabbbb', 'aa']);
  });

  test('keep their order per partition and their bounds, and lose nothing', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 200 }),
        fc.integer({ min: 100, max: 1_500 }),
        fc.integer({ min: 100, max: 6_000 }),
        (shapes, batchBytesMax, sendBytesMax) => {
          const records = shapes.map(({ topic, partition, bytes }) => output(topic, partition, bytes));
          const sends = recordSends(records, anySize, { batchBytesMax, sendBytesMax });
          expect(byPartition(sends.flat())).toEqual(byPartition(records));
          for (const send of sends) {
            expect(send.length).toBeGreaterThan(0);
            if (send.length > 1) expect(sum(send)).toBeLessThanOrEqual(sendBytesMax);
            for (const batch of byPartition(send).values()) if (batch.length > 1) expect(sum(batch)).toBeLessThanOrEqual(batchBytesMax);
          }
        },
      ),
      { numRuns: runs },
    );
  });

  test('are as few as the fullest partition needs, where the sends have room', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 200 }), fc.integer({ min: 100, max: 1_500 }), (shapes, batchBytesMax) => {
        const records = shapes.map(({ topic, partition, bytes }) => output(topic, partition, bytes));
        const sends = recordSends(records, anySize, { batchBytesMax, sendBytesMax: Number.MAX_SAFE_INTEGER });
        const batches = Array.from(byPartition(records).values(), (own) => recordSends(own, anySize, { batchBytesMax, sendBytesMax: Number.MAX_SAFE_INTEGER }).length);
        expect(sends).toHaveLength(Math.max(0, ...batches));
      }),
      { numRuns: runs },
    );
  });

  test('of many small ones for four partitions are filled side by side', () => {
    const records = Array.from({ length: 8_000 }, (_, index) => output('t', index % 4, 448));
    const sends = recordSends(records, anySize);
    const perBatch = Math.floor(defaultSendBounds.batchBytesMax / recordBytes(records[0]!));
    expect(sends.map((send) => send.length)).toEqual([4 * perBatch, 8_000 - 4 * perBatch]);
  });

  test('where one is larger than a send goes alone', () => {
    const sends = recordSends([output('t', 0, 1), output('t', 1, 5_000_000), output('t', 0, 2), output('t', 1, 3)], anySize);
    expect(sends.map((send) => send.map(({ value }) => value.length))).toEqual([[1, 2], [5_000_000], [3]]);
  });
});

function output(topic: string, partition: number, bytes: number): OutputRecord {
  return { topic, partition, key: null, value: Buffer.alloc(bytes), headers: noHeaders };
}

function byPartition(records: readonly OutputRecord[]): Map<string, OutputRecord[]> {
  const partitions = new Map<string, OutputRecord[]>();
  for (const one of records) {
    const key = `${one.topic}/${one.partition}`;
    partitions.set(key, [...(partitions.get(key) ?? []), one]);
  }
  return partitions;
}

const sum = (records: readonly OutputRecord[]): number => records.reduce((bytes, one) => bytes + recordBytes(one), 0);
