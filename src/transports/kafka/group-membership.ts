import type { Cluster, Logger } from 'kafkajs';
import type { OutputRecord, TopicPartition } from '../../core/records.ts';
import type { Checkpoint, PartitionBounds, SubscribeOptions, Subscription, TopicDescription } from '../../pipeline/transport.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { Fetcher } from './partition-reader.ts';
import type { Producers } from './producers/producer-port.ts';

/** What a membership shares with the rest of the transport. */
export type GroupContext = {
  /**
   * A cluster of its own, not connected, closed by the membership: a JoinGroup holds its connection up for the whole rebalance.
   */
  readonly openCluster: () => Cluster;
  readonly logger: Logger;
  readonly options: KafkaOptions;
  readonly fetcher: Fetcher;
  readonly producers: Producers;
  readonly bounds: (topicPartition: TopicPartition) => Promise<PartitionBounds>;
  /** The group's checkpoint as the broker has it. */
  readonly readCommitted: (group: string, topicPartition: TopicPartition) => Promise<Checkpoint | undefined>;
  /** Asked of the broker, not of a memory. */
  readonly describeTopic: (topic: string) => Promise<TopicDescription>;
  /** Rejects, before anything is sent, what the broker does not take: a missing topic or partition, a record that is too large. */
  readonly checkRecords: (records: readonly OutputRecord[]) => Promise<void>;
};

export type GroupOptions = SubscribeOptions & { readonly descriptions: readonly TopicDescription[] };

/**
 * Resolves as soon as the membership is at work: it joins in its own time, and what happens from there on is told to the listener. `close` awaits
 * `revoked`, leaves the group and resolves; calling it again waits for the same.
 */
export function joinGroup(context: GroupContext, options: GroupOptions): Promise<Subscription> {
  return Promise.reject(new Error(`not yet ${context.options.clientId} ${options.group}`));
}
