/** What a connection to Kafka needs to know; the configuration's words with files read and defaults filled in. */
import type { Clock, Random } from '../../core/clock.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { RecordLimits } from '../../pipeline/record-limits.ts';

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

export type KafkaOptions = {
  /** host:port, at least one. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** PEM texts; undefined: not encrypted. */
  readonly tls: { readonly ca?: string; readonly certificate?: string; readonly key?: string } | undefined;
  readonly sasl: { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string } | undefined;
  readonly producer: 'kafkajs' | 'platformatic';
  readonly compression: Compression;
  /** Of topics that are made; undefined: the broker's default. */
  readonly replicationFactor: number | undefined;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly transactionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** What the brokers' names of the topics begin with, before the names that the limits know. */
  readonly namePrefix?: string;
  /** `once` for commands that people wait for: brokers that answer nothing are told, not waited for. */
  readonly patience?: 'unbounded' | 'once';
  readonly limits: RecordLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: KafkaObserver;
};

/** What operators want to see of it; components hold no counter. */
export type KafkaObserver = {
  /** Of the drivers, in their words. */
  readonly message: (level: 'debug' | 'info' | 'warn' | 'error', text: string, details: Readonly<Record<string, unknown>>) => void;
  /** All partitions that this member of a group had of its topics were taken back, and others, or the same, given. */
  readonly rebalanced: (group: string, topics: readonly string[], durationMs: number) => void;
  /** Whom to tell, after a rebalance, where the members of a group are; undefined where nobody wants to know, and the brokers are not asked. */
  readonly groupHosts?: (group: string) => ((hosts: readonly string[]) => void) | undefined;
  readonly transactionDone: (result: 'committed' | 'failed', durationMs: number) => void;
  /** Partitions that cannot be read now, each time that it was tried: it is waited for. */
  readonly fetchFailed: (topicPartition: TopicPartition, error: Error) => void;
  /** A group that this member cannot join now because nobody answers, each time that it was tried, or whose coordinator does not answer its heartbeats: it is waited for. */
  readonly groupFailed: (group: string, error: Error) => void;
  /** The coordinator has answered this member of the group. */
  readonly groupAnswered: (group: string) => void;
  /** With every answer to a fetch. Below the high watermark the last stable offset waits for a transaction to end. */
  readonly fetched: (topicPartition: TopicPartition, lastStableOffset: bigint, highWatermark: bigint) => void;
};

export const silentKafkaObserver: KafkaObserver = { message: () => undefined, rebalanced: () => undefined, transactionDone: () => undefined, fetchFailed: () => undefined, groupFailed: () => undefined, groupAnswered: () => undefined, fetched: () => undefined };
