// How long a partition's leader is asked for. The cluster is a stand-in: no real broker can be made to hand over a partition slowly.
import type { Broker } from 'kafkajs';
import { expect, test } from 'vitest';
import type { KafkaCluster } from '../../../src/transports/kafka/connection.ts';
import { createLeaders } from '../../../src/transports/kafka/leaders.ts';
import { createVirtualClock } from '../../pipeline/virtual-clock.ts';
import { kafkaOptions } from './group-fixture.ts';

const call = { operation: 'list offsets of', topic: 'flow', partition: 0 };

/** One broker, which the metadata says leads partition 0. */
const cluster = {
  connect: async () => Promise.resolve(),
  addTargetTopic: async () => Promise.resolve(),
  refreshMetadata: async () => Promise.resolve(),
  findBroker: async () => Promise.resolve({} as Broker),
  findTopicPartitionMetadata: () => [{ partitionId: 0, leader: 1 }],
} as unknown as KafkaCluster;

const answer = (type: string, code: number): Error => Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type, code, retriable: true });
const handingOver = answer('NOT_LEADER_FOR_PARTITION', 6);
const passing = answer('REQUEST_TIMED_OUT', 7);

/** @param refusals how often the broker refuses. */
function attemptWith(refusals: number, refusal: Error) {
  const clock = createVirtualClock();
  const leaders = createLeaders(cluster, { ...kafkaOptions('one:9092'), clock }, new AbortController().signal);
  let left = refusals;
  const outcome = clock.drive(
    leaders.attempt(call, () => {
      if (left === 0) return Promise.resolve('led');
      left -= 1;
      return Promise.reject(refusal);
    }),
  );
  return { outcome, elapsedMs: clock.elapsedMs };
}

test('a broker that does not lead yet what the metadata says it leads is asked for fifteen seconds', async () => {
  const late = attemptWith(16, handingOver);
  expect(await late.outcome).toBe('led');
  expect(late.elapsedMs()).toBeGreaterThan(10_000);
  const never = attemptWith(Infinity, handingOver);
  await expect(never.outcome).rejects.toMatchObject({ code: 'LS_KAFKA_REQUEST', details: { answer: 'NOT_LEADER_FOR_PARTITION' } });
  expect(never.elapsedMs()).toBeGreaterThanOrEqual(15_000);
  expect(never.elapsedMs()).toBeLessThan(17_000);
});

test('what else may pass is told after two seconds', async () => {
  const never = attemptWith(Infinity, passing);
  await expect(never.outcome).rejects.toMatchObject({ code: 'LS_KAFKA_REQUEST', details: { answer: 'REQUEST_TIMED_OUT' } });
  expect(never.elapsedMs()).toBeLessThan(2_000);
});
