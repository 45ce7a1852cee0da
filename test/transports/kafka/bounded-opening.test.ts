import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { kafkaError } from '../../../src/core/errors/kafka.ts';
import { boundOpenings } from '../../../src/transports/kafka/producers/bounded-opening.ts';
import { code } from '../../conformance/transport-harness.ts';
import {  } from './group-fixture.ts';

test('eight producers are opened at once, the next when one is done or failed, and none once the transport closes', async () => {
  const opening: { readonly id: string; readonly fail: (error: Error) => void }[] = [];
  const closing = new AbortController();
  const producers = boundOpenings(
    {
      open: () => Promise.reject(new Error('is not asked for')),
      openTransactional: (id) => {
        const { promise, reject } = Promise.withResolvers<never>();
        opening.push({ id, fail: reject });
        return promise;
      },
    },
    closing.signal,
  );
  const codes = Array.from({ length: 20 }, (_, index) => code(producers.openTransactional(String(index))));
  await nextTurn();
  expect(opening).toHaveLength(8);
  opening[3]?.fail(kafkaError('LS_KAFKA_REQUEST', 'not now'));
  await nextTurn();
  expect(opening.map(({ id }) => id)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8']);
  closing.abort();
  for (const { fail } of opening) fail(kafkaError('LS_KAFKA_REQUEST', 'not now'));
  const ends = await Promise.all(codes);
  expect(opening).toHaveLength(9);
  expect(ends.filter((end) => end === 'LS_TRANSPORT_CLOSED')).toHaveLength(11);
});
