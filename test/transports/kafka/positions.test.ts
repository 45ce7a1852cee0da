import { expect, test } from 'vitest';
import { boundOf, checkpointMetadata, checkpointOf, offsetAt, positionOf } from '../../../src/transports/kafka/positions.ts';

test('a position is the next offset as text, and nothing else is one', () => {
  for (const offset of [0n, 7n, 2n ** 63n - 1n]) expect(offsetAt(positionOf(offset))).toBe(offset);
  expect(boundOf(12n)).toEqual({ position: '12', sequence: 12n });
  for (const text of ['', '-1', '01', '1.0', '0x1', 'elsewhere', '9'.repeat(20)]) {
    expect(() => offsetAt(text)).toThrow(expect.objectContaining({ code: 'LS_TRANSPORT_POSITION_INVALID' }));
  }
});

test('a checkpoint comes back from offset and metadata', () => {
  for (const checkpoint of [{ position: '0', sequence: -1n, outputsSent: 3 }, { position: '18', sequence: 12n, outputsSent: 0 }, { position: '18', sequence: 12n, outputsSent: 1, firstStartPartitions: 50 }]) {
    expect(checkpointOf(offsetAt(checkpoint.position), checkpointMetadata(checkpoint))).toEqual(checkpoint);
  }
});

test("an offset that somebody's tool committed counts everything before it as handled", () => {
  for (const metadata of ['', 'reset by hand', '2:1:0']) expect(checkpointOf(5n, metadata)).toEqual({ position: '5', sequence: 4n, outputsSent: 0 });
});
