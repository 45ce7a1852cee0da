import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignRanges } from '../../../src/transports/log/consumer-groups.ts';

const topic = (name: string, partitionCount: number) => ({ topic: name, incarnation: `${name}-1`, partitionCount });
const named = (shares: ReturnType<typeof assignRanges>) => shares.map((share) => share.map((location) => `${location.topic}${location.partition}`));

test('topics read by the same members are pooled and cut into ranges', () => {
  const topics = [topic('b', 1), topic('a', 4)];
  expect(named(assignRanges([topics]))).toEqual([['a0', 'a1', 'a2', 'a3', 'b0']]);
  expect(named(assignRanges([topics, topics]))).toEqual([['a0', 'a1'], ['a2', 'a3', 'b0']]);
  expect(named(assignRanges([[topic('a', 2)], topics.slice(0, 1)]))).toEqual([['a0', 'a1'], ['b0']]);
  expect(assignRanges([])).toEqual([]);
});

test('every partition has exactly one owner, who reads its topic, and the shares of a pool differ by one at most', () => {
  const names = ['a', 'b', 'c'];
  const members = fc.array(fc.subarray(names, { minLength: 1 }), { minLength: 1, maxLength: 6 });
  const counts = fc.tuple(...names.map(() => fc.integer({ min: 1, max: 9 })));
  fc.assert(
    fc.property(members, counts, (subscriptions, partitionCounts) => {
      const described = new Map(names.map((name, index) => [name, topic(name, partitionCounts[index]!)]));
      const shares = named(assignRanges(subscriptions.map((subscription) => subscription.map((name) => described.get(name)!))));
      const expected = [...new Set(subscriptions.flat())].flatMap((name) =>
        Array.from({ length: described.get(name)!.partitionCount }, (_, partition) => `${name}${partition}`),
      );
      expect(shares.flat().toSorted()).toEqual(expected.toSorted());
      for (const [member, share] of shares.entries()) for (const owned of share) expect(subscriptions[member]).toContain(owned.charAt(0));
      if (subscriptions.every((subscription) => subscription.join() === subscriptions[0]!.join())) {
        const sizes = shares.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }),
  );
});
