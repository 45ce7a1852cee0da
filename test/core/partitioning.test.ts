import { expect, test } from 'vitest';
import { murmur2, partitionForKey } from '../../src/core/partitioning.ts';

// The vectors of Apache Kafka's own UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
] as const)('murmur2 of %s is that of Kafka', (key, expected) => {
  expect(murmur2(Buffer.from(key)) | 0).toBe(expected);
});

test('a partition is never negative and below the count', () => {
  for (let index = 0; index < 1000; index++) {
    const partition = partitionForKey(`key-${String(index)}`, 7);
    expect(partition).toBeGreaterThanOrEqual(0);
    expect(partition).toBeLessThan(7);
  }
});
