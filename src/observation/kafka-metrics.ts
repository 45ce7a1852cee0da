/** What is worth watching of Kafka itself: rebalances, transactions, and transactions that never end. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import type { TopicPartition } from '../core/records.ts';

export type KafkaMetrics = {
  /** Told of every failed attempt, and when the brokers answer again. */
  readonly unavailable: () => void;
  readonly available: () => void;
  readonly rebalanced: (group: string, topics: readonly string[], durationMs: number) => void;
  readonly transactionDone: (outcome: 'committed' | 'failed', durationMs: number) => void;
  /** Seen with every answer of a broker. Below the high watermark the last stable offset waits for a transaction to end. */
  readonly fetched: (topicPartition: TopicPartition, lastStableOffset: bigint, highWatermark: bigint) => void;
};

const buckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

/** Both by answers: while nothing is fetched, because what was read ahead is still worked on, nobody knows, and nothing grows. */
type Stuck = { readonly topic: string; readonly lastStableOffset: bigint; readonly sinceMs: number; seenMs: number };

export function createKafkaMetrics(registry: Registry, prefix: string, clock: Pick<Clock, 'elapsedMs'>): KafkaMetrics {
  const registers = [registry];
  const rebalances = new Counter({ name: `${prefix}kafka_rebalances_total`, help: 'Assignments of partitions to this member.', labelNames: ['group'], registers });
  const rebalanceSeconds = new Histogram({ name: `${prefix}kafka_rebalance_duration_seconds`, help: 'From letting go of partitions to having the new ones.', labelNames: ['group'], buckets, registers });
  const transactions = new Counter({ name: `${prefix}kafka_transactions_total`, help: 'Transactions, by outcome.', labelNames: ['outcome'], registers });
  const transactionSeconds = new Histogram({ name: `${prefix}kafka_transaction_duration_seconds`, help: 'From the beginning of a transaction to the answer to its end.', buckets, registers });
  const away = new Gauge({ name: `${prefix}kafka_unavailable`, help: '1 while what needs the brokers waits for them.', registers });
  const failures = new Counter({ name: `${prefix}kafka_failures_total`, help: 'Failed attempts to start, to read, to join a group or to be heard in it, for which the brokers are waited for.', registers });
  const topics = new Set<string>();
  const stuck = new Map<string, Stuck>();
  new Gauge({
    name: `${prefix}kafka_last_stable_offset_age_seconds`,
    help: 'For how long an open transaction has been holding up what this process reads, by topic; 0 where none does.',
    labelNames: ['topic'],
    registers,
    collect() {
      const ages = new Map([...topics].map((topic) => [topic, 0]));
      for (const { topic, sinceMs, seenMs } of stuck.values()) ages.set(topic, Math.max(ages.get(topic) ?? 0, seenMs - sinceMs));
      for (const [topic, ageMs] of ages) this.set({ topic }, ageMs / 1000);
    },
  });
  return {
    unavailable: () => {
      away.set(1);
      failures.inc();
    },
    available: () => away.set(0),
    rebalanced: (group, ofGroup, durationMs) => {
      // Some of them are read by others from now on; those that are not are seen again with the next answer.
      for (const [name, { topic }] of stuck) if (ofGroup.includes(topic)) stuck.delete(name);
      for (const topic of ofGroup) topics.delete(topic);
      rebalances.inc({ group });
      rebalanceSeconds.observe({ group }, durationMs / 1000);
    },
    transactionDone: (outcome, durationMs) => {
      transactions.inc({ outcome });
      transactionSeconds.observe(durationMs / 1000);
    },
    fetched: ({ topic, partition }, lastStableOffset, highWatermark) => {
      const name = `${topic}-${partition}`;
      topics.add(topic);
      const before = stuck.get(name);
      const nowMs = clock.elapsedMs();
      if (lastStableOffset >= highWatermark) {
        if (before !== undefined) stuck.delete(name);
      } else if (before?.lastStableOffset === lastStableOffset) before.seenMs = nowMs;
      else stuck.set(name, { topic, lastStableOffset, sinceMs: nowMs, seenMs: nowMs });
    },
  };
}
