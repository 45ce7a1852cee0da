/** Claims: who appends under one, and what a newer one leaves of it. */
import { describe, expect, test } from 'vitest';
import type { Transport } from '../../src/pipeline/transport.ts';
import { code, output, outputs, readAll, values, type TransportHarness } from './transport-harness.ts';

const work = { topic: 'work', partition: 0 };
const things = Array.from({ length: 40 }, (_, index) => String(index));

/** What a command does whose work is whatever the topic does not hold yet. True where it came to the end of it. */
async function doTheRest(transport: Transport, name: string): Promise<boolean> {
  const claim = await transport.claim('work');
  try {
    const done = new Set((await readAll(transport, work)).map(({ value }) => value.toString().split(' ')[0]));
    const rest = things.filter((thing) => !done.has(thing));
    for (let index = 0; index < rest.length; index += 3) {
      const outcome = await code(claim.append(rest.slice(index, index + 3).map((thing) => output('work', 0, `${thing} by ${name}`))));
      if (outcome === 'LS_TRANSPORT_FENCED') return false;
      expect(outcome).toBe('resolved');
    }
    return true;
  } finally {
    await claim.close();
  }
}

export function describeClaims(current: () => TransportHarness): void {
  describe('a claim', () => {
    test('appends in order; a newer one reads what it appended, and lets it append nothing more', async ({ skip }) => {
      const { transport, member, settled } = current();
      if (!transport.capabilities.fencing) skip('the transport fences nobody');
      await transport.createTopics([{ topic: 'work', partitionCount: 2 }, { topic: 'other', partitionCount: 1 }]);
      const first = await transport.claim('work');
      const elsewhere = await transport.claim('other');
      await first.append([...outputs('work', 0, 0, 3), ...outputs('work', 1, 10, 2)]);
      const second = await (await member()).claim('work');
      expect(values(await readAll(transport, work))).toEqual(['0', '1', '2']);
      expect(await code(first.append([output('work', 0, 'late'), output('work', 1, 'late')]))).toBe('LS_TRANSPORT_FENCED');
      await second.append(outputs('work', 0, 3, 1));
      expect(await code(first.append(outputs('work', 0, 0, 1)))).toBe('LS_TRANSPORT_FENCED');
      // Neither other topics nor appends without a claim are any of its business.
      await elsewhere.append(outputs('other', 0, 0, 1));
      await transport.append(outputs('work', 1, 12, 1));
      await settled?.();
      expect(values(await readAll(transport, work))).toEqual(['0', '1', '2', '3']);
      expect(values(await readAll(transport, { topic: 'work', partition: 1 }))).toEqual(['10', '11', '12']);
      for (const claim of [first, second, elsewhere]) await claim.close();
    });

    test('of several at once one stands', async ({ skip }) => {
      const { transport, member, settled } = current();
      if (!transport.capabilities.fencing) skip('the transport fences nobody');
      await transport.createTopics([{ topic: 'work', partitionCount: 1 }]);
      const members = await Promise.all(Array.from({ length: 6 }, member));
      const claims = await Promise.all(members.map((each) => each.claim('work')));
      const outcomes = await Promise.all(claims.map((claim, index) => code(claim.append(outputs('work', 0, index, 1)))));
      expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'LS_TRANSPORT_FENCED')).toHaveLength(5);
      await settled?.();
      expect(values(await readAll(transport, work))).toEqual([String(outcomes.indexOf('resolved'))]);
      await Promise.all(claims.map((claim) => claim.close()));
    });

    test('lets those who do whatever is not done yet meet anywhere: nothing is done twice, and the last to come does the rest', async ({ skip }) => {
      const { transport, member, settled } = current();
      if (!transport.capabilities.fencing) skip('the transport fences nobody');
      await transport.createTopics([{ topic: 'work', partitionCount: 1 }]);
      const members = await Promise.all(Array.from({ length: 5 }, member));
      const ended = await Promise.all(members.map((each, index) => doTheRest(each, String(index))));
      expect(ended).toContain(true);
      await settled?.();
      const done = values(await readAll(transport, work)).map((value) => value.split(' ')[0]!);
      expect([...done].sort()).toEqual([...things].sort());
    });

    test('of a topic that there is not, or for records that are refused, is refused', async () => {
      const { transport } = current();
      await transport.createTopics([{ topic: 'work', partitionCount: 1 }]);
      expect(await code(transport.claim('absent'))).toBe('LS_TRANSPORT_TOPIC_MISSING');
      const claim = await transport.claim('work');
      expect(await code(claim.append([output('work', 0, 'held back'), output('work', 7, 'x')]))).toBe('LS_TRANSPORT_TOPIC_MISSING');
      expect(await readAll(transport, work)).toEqual([]);
      await claim.append(outputs('work', 0, 0, 1));
      await claim.close();
    });
  });
}
