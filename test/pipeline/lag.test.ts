import { expect, test } from 'vitest';
import { noHeaders, type OutputRecord } from '../../src/core/records.ts';
import { oldestUnprocessedMs, partitionLag, topicLag, type PartitionLag } from '../../src/pipeline/lag.ts';
import { createFixture, type Fixture } from './runner-fixture.ts';

const never = new AbortController().signal;
const place = { topic: 'in', partition: 0 };
const records = (count: number): OutputRecord[] => Array.from({ length: count }, () => ({ ...place, key: null, value: Buffer.from('x'), headers: noHeaders }));

type Measured = { readonly lag: PartitionLag; readonly oldestMs: number | undefined };

function measure({ broker, clock }: Fixture): Promise<Measured> {
  const { transport } = broker.connect();
  return clock.drive(
    (async () => {
      const lag = await partitionLag(transport, 'group', place);
      return { lag, oldestMs: await oldestUnprocessedMs(transport, lag, never) };
    })(),
  );
}

/** As if a group had handled the first `count` records. */
function commit({ broker }: Fixture, count: number): void {
  const last = broker.records(place)[count - 1]!;
  broker.commit('group', place, [], { position: last.nextPosition, sequence: last.sequence, outputsSent: 0 });
}

test('counts from what is committed to the end, and finds when the oldest of it came', async () => {
  const fixture = createFixture({ in: 1 });
  expect(await measure(fixture)).toMatchObject({ lag: { committed: undefined, start: 0n, end: 0n, records: 0n, positionLost: false }, oldestMs: undefined });
  fixture.broker.append(records(4));
  await fixture.clock.pass(5_000);
  fixture.broker.append(records(4));
  const all = fixture.broker.records(place);
  const { end } = fixture.broker.bounds(place);
  expect(await measure(fixture)).toMatchObject({ lag: { committed: undefined, end: end.sequence, records: end.sequence }, oldestMs: all[0]!.appendTimeMs });
  commit(fixture, 4);
  const expected = { committed: all[3]!.sequence, records: end.sequence - all[3]!.sequence - 1n };
  expect(await measure(fixture)).toMatchObject({ lag: expected, oldestMs: all[4]!.appendTimeMs });
  expect(all[4]!.appendTimeMs).toBe(all[0]!.appendTimeMs + 5_000);
  commit(fixture, 8);
  expect(await measure(fixture)).toMatchObject({ lag: { committed: end.sequence - 1n, records: 0n }, oldestMs: undefined });
});

test('says where retention has outrun the group', async () => {
  const fixture = createFixture({ in: 1 });
  fixture.broker.append(records(6));
  commit(fixture, 2);
  fixture.broker.truncate(place, 4);
  const { start, end } = fixture.broker.bounds(place);
  expect(await measure(fixture)).toMatchObject({ lag: { start: start.sequence, records: end.sequence - start.sequence, positionLost: true }, oldestMs: fixture.broker.records(place)[4]!.appendTimeMs });
});

test('where gaps alone stood between what was handled and what is kept, nothing is lost', async () => {
  const fixture = createFixture({ in: 1 });
  fixture.broker.append(records(3));
  const [first, last] = [fixture.broker.records(place)[0]!, fixture.broker.records(place)[2]!];
  // As a transport commits it that moves a position on over gaps.
  const stand = (position: string) => fixture.broker.commit('group', place, [], { position, sequence: first.sequence - 2n, outputsSent: 0 });
  stand(first.nextPosition);
  const { start, end } = fixture.broker.bounds(place);
  expect(await measure(fixture)).toMatchObject({ lag: { positionLost: false, records: end.sequence - start.sequence } });
  stand(last.nextPosition);
  fixture.broker.truncate(place, 3);
  // Nothing would come that could be read: whoever waited for it would wait here without end.
  expect(await measure(fixture)).toMatchObject({ lag: { positionLost: false, records: 0n }, oldestMs: undefined });
});

test('asks for all partitions at once', async () => {
  const fixture = createFixture({ in: 20 });
  const { transport } = fixture.broker.connect();
  const everyAsked = Promise.withResolvers<undefined>();
  let asked = 0;
  const bounds: typeof transport.bounds = async (topicPartition) => {
    if ((asked += 1) === 20) everyAsked.resolve(undefined);
    await everyAsked.promise;
    return transport.bounds(topicPartition);
  };
  const lags = await fixture.clock.drive(topicLag({ ...transport, bounds }, 'group', { topic: 'in', partitionCount: 20 }));
  expect(lags.map(({ partition, records }) => [partition, records])).toEqual(Array.from({ length: 20 }, (_, partition) => [partition, 0n]));
});
