/** What is asked of an item's bytes without decoding all of it. */
import { expect, test } from 'vitest';
import { clusterIn, decodeItem, encodeItem, kindIn, timesIn, type ItemKind } from '../../../src/stages/cluster/item-bytes.ts';
import type { Item } from '../../../src/stages/cluster/item.ts';

const shared: ItemKind = { topic: 'media.events', incarnation: 'a', partition: 3, routeStep: 'r/0', model: 'm', modelVersion: '1' };
const item = (appendTime: number, occurredAt: number, sequence: bigint): Item => ({
  itemId: 'source/x', inputId: 'x', origin: { topic: 'media.events', incarnation: 'a', partition: 3, sequence, appendTime }, routeStep: 'r/0', model: 'm', modelVersion: '1', occurredAt, preview: null,
  toldClusterId: null,
});

test('kind, cluster and times are those that decoding finds, wherever the numbers before them end', () => {
  const times = [0, 1, 127, 128, 1_700_000_000_000, 2 ** 53 - 1, -1, 0.5];
  for (const appendTime of times) {
    for (const occurredAt of times) {
      for (const kind of [0, 1, 127, 128, 16_383, 16_384, 2 ** 31]) {
        const encoded = encodeItem(item(appendTime, occurredAt, 9n), kind, 7);
        // Between other bytes, as in a chunk.
        const bytes = Buffer.concat([Buffer.alloc(3, 0xff), encoded.bytes.subarray(encoded.start, encoded.start + encoded.length), Buffer.alloc(3, 0xff)]);
        const span = { bytes, start: 3, length: encoded.length };
        const found: number[] = [];
        const decoded = decodeItem(span, 'source/x', { kind: (number) => (found.push(number), shared), cluster: String });
        expect([kindIn(span), clusterIn(span), timesIn(span)]).toEqual([kind, 7, { appendTime, occurredAt }]);
        expect(found).toEqual([kind]);
        expect(decoded).toEqual({ ...item(appendTime, occurredAt, 9n), toldClusterId: '7' });
      }
    }
  }
});

test('bytes that end within a number are those of a number that ends there', () => {
  for (const flag of [0, 8]) expect(kindIn({ bytes: Buffer.from([0, 0, 0, 0, flag, 0xff, 0xff]), start: 0, length: 7 })).toBe(0);
});
