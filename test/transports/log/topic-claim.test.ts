/** What a claim is beyond what every transport promises of it: it outlives the owners of the log, and what is under way counts. */
import { expect, test } from 'vitest';
import type { LogStore } from '../../../src/transports/log/log-store.ts';
import { createLogTransport } from '../../../src/transports/log/log-transport.ts';
import { openSegmentLogStore } from '../../../src/transports/log/segment-log-store.ts';
import { code, outputs, readAll, values } from '../../conformance/transport-harness.ts';
import { storeOptions, temporaryDirectory } from './log-fixtures.ts';

const place = { topic: 'work', partition: 0 };

/** A store that goes on in another, as after the owner has changed. */
function forwarding(current: () => LogStore): LogStore {
  return {
    createTopic: (topic, partitionCount) => current().createTopic(topic, partitionCount),
    replaceTopic: (...replacement) => current().replaceTopic(...replacement),
    topics: () => current().topics(),
    commit: (transaction) => current().commit(transaction),
    read: (topicPartition, fromSequence, budget) => current().read(topicPartition, fromSequence, budget),
    bounds: (topicPartition) => current().bounds(topicPartition),
    checkpoint: (group, topicPartition) => current().checkpoint(group, topicPartition),
    waitForRecords: (topicPartition, endSequence, signal) => current().waitForRecords(topicPartition, endSequence, signal),
    close: () => current().close(),
  };
}

test('a claim goes on under the next owner of the log, and is fenced there', async () => {
  const directory = await temporaryDirectory();
  let store = await openSegmentLogStore(storeOptions(directory));
  const reopen = async (): Promise<void> => {
    await store.close();
    store = await openSegmentLogStore(storeOptions(directory));
  };
  const transport = createLogTransport(forwarding(() => store));
  await transport.createTopics([{ topic: 'work', partitionCount: 1 }]);
  const first = await transport.claim('work');
  await first.append(outputs('work', 0, 0, 1));
  await reopen();
  await first.append(outputs('work', 0, 1, 1));
  const second = await transport.claim('work');
  await reopen();
  expect(await code(first.append(outputs('work', 0, 2, 1)))).toBe('LS_TRANSPORT_FENCED');
  await second.append(outputs('work', 0, 3, 1));
  expect(values(await readAll(transport, place))).toEqual(['0', '1', '3']);
  await transport.close();
});

test('what was handed over counts before it is durable: an append behind a newer claim is refused, one before it goes through', async () => {
  const store = await openSegmentLogStore(storeOptions(await temporaryDirectory()));
  await store.createTopic('work', 1);
  const at = (nextSequence: bigint) => ({ group: 'claim', ...place, nextSequence });
  const claim = (number: bigint) => store.commit({ records: [], checkpoints: [{ ...at(number), metadata: '' }], expected: at(number - 1n) });
  const append = (value: string, number: bigint) => store.commit({ records: [{ ...place, key: null, value: Buffer.from(value), headers: new Map() }], checkpoints: [], expected: at(number) });
  const calls = [claim(1n), append('a', 1n), claim(2n), append('b', 1n), append('c', 2n), claim(2n), append('d', 2n)];
  expect(await Promise.all(calls.map(code))).toEqual(['resolved', 'resolved', 'resolved', 'LS_TRANSPORT_FENCED', 'resolved', 'LS_TRANSPORT_FENCED', 'resolved']);
  const records = await store.read(place, 0n, { records: 10, bytes: 1_000 });
  expect(values(records)).toEqual(['a', 'c', 'd']);
  expect((await store.checkpoint('claim', place))?.nextSequence).toBe(2n);
  await store.close();
});
