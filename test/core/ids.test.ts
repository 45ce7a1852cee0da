import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clusterEventId, clusterId, collectionIdentity, compareItemIds, hashId, itemHashOf, itemIdOf } from '../../src/core/ids.ts';

test('equal parts give equal ids, and no two lists of parts run together', () => {
  expect(hashId('a', 1, 2n)).toBe(hashId('a', '1', '2'));
  expect(hashId('ab', 'c')).not.toBe(hashId('a', 'bc'));
  expect(hashId('a', '')).not.toBe(hashId('a'));
  expect(hashId('x')).toMatch(/^[0-9a-f]{32}$/);
});

test('collections of one name in two families have their own ids', () => {
  const one = collectionIdentity('pets', 'pets');
  const other = collectionIdentity('${collection|pets}', 'pets');
  expect(clusterId(one, 1, 'g', 5n, 0)).not.toBe(clusterId(other, 1, 'g', 5n, 0));
  expect(clusterEventId(one, 1, 'g', 5n, 0)).not.toBe(clusterEventId(other, 1, 'g', 5n, 0));
});

test('items are ordered by the bytes of UTF-8, not by UTF-16 units', () => {
  expect(compareItemIds('\u{1F600}', '\uFFFD')).toBeGreaterThan(0);
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
    expect(Math.sign(compareItemIds(left, right))).toBe(Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right))));
  }));
});

test('an item is named by source and id, and its hash tells neither', () => {
  expect(itemIdOf({ source: 's', id: 'i' })).toBe('s/i');
  expect(itemHashOf('s/i')).toMatch(/^[0-9a-f]{64}$/);
});
