import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { shareProducer } from '../../../src/transports/kafka/shared-producer.ts';
import { code } from '../../conformance/transport-harness.ts';
import { output } from './group-fixture.ts';

type Opened = { readonly sends: PromiseWithResolvers<undefined>[]; closed: boolean };

function setUp() {
  const opened: Opened[] = [];
  const shared = shareProducer({
    open: () => {
      const producer: Opened = { sends: [], closed: false };
      opened.push(producer);
      return Promise.resolve({
        send: async () => {
          const sending = Promise.withResolvers<undefined>();
          producer.sends.push(sending);
          await sending.promise;
        },
        close: () => {
          producer.closed = true;
          return Promise.resolve();
        },
      });
    },
  });
  return { opened, shared };
}

test('is opened once for all sends, and closed', async () => {
  const { opened, shared } = setUp();
  const sends = [shared.send([output('out', 'a')]), shared.send([output('out', 'b')])];
  await nextTurn();
  expect(opened.map(({ sends: sent }) => sent.length)).toEqual([2]);
  for (const sending of opened[0]!.sends) sending.resolve(undefined);
  await Promise.all(sends);
  await shared.close();
  expect(opened.map(({ closed }) => closed)).toEqual([true]);
});

test('after a failure sends by another, and closes the failed one when its other sends are over', async () => {
  const { opened, shared } = setUp();
  const failing = shared.send([output('out', 'a')]);
  const beside = shared.send([output('out', 'b')]);
  await nextTurn();
  opened[0]!.sends[0]!.reject(new Error('in doubt'));
  await expect(failing).rejects.toThrow('in doubt');
  const next = shared.send([output('out', 'a')]);
  await nextTurn();
  expect(opened).toHaveLength(2);
  expect(opened[0]!.closed).toBe(false);
  opened[0]!.sends[1]!.resolve(undefined);
  await beside;
  await nextTurn();
  expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
  opened[1]!.sends[0]!.resolve(undefined);
  await next;
  await shared.close();
  expect(opened[1]!.closed).toBe(true);
});

test('closes what has sends in flight, retired or not, and opens no other afterwards', async () => {
  const { opened, shared } = setUp();
  const failing = shared.send([output('out', 'a')]);
  const sends = [shared.send([output('out', 'b')])];
  await nextTurn();
  opened[0]!.sends[0]!.reject(new Error('in doubt'));
  await expect(failing).rejects.toThrow('in doubt');
  sends.push(shared.send([output('out', 'a')]));
  await nextTurn();
  await shared.close();
  expect(opened.map(({ closed }) => closed)).toEqual([true, true]);
  expect(await code(shared.send([output('out', 'c')]))).toBe('LS_TRANSPORT_CLOSED');
  for (const [index, { sends: sent }] of opened.entries()) sent[1 - index]!.resolve(undefined);
  await Promise.all(sends);
  await shared.close();
  expect(opened).toHaveLength(2);
});

test('one that could not be opened is not kept', async () => {
  let attempts = 0;
  const shared = shareProducer({
    open: () => {
      attempts += 1;
      if (attempts === 1) return Promise.reject(new Error('unreachable'));
      return Promise.resolve({ send: () => Promise.resolve(), close: () => Promise.resolve() });
    },
  });
  await expect(shared.send([output('out', 'a')])).rejects.toThrow('unreachable');
  await shared.send([output('out', 'a')]);
  await shared.close();
});
