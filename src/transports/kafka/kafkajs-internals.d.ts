/** What is used of kafkajs beyond its public interface, as version 2.2.4 (pinned, and not developed any more) has it. */

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type { Assigner, Broker, Cluster, Logger, RetryOptions } from 'kafkajs';

  /** The requests that kafkajs' own types leave out. */
  export type GroupCoordinator = Broker & {
    heartbeat: (request: { groupId: string; memberId: string; groupGenerationId: number }) => Promise<unknown>;
    leaveGroup: (request: { groupId: string; memberId: string }) => Promise<unknown>;
  };

  /** Membership without fetching: JoinGroup, the assignment where this member leads, SyncGroup. */
  export default class ConsumerGroup {
    constructor(options: {
      cluster: Cluster;
      groupId: string;
      topics: string[];
      topicConfigurations: Record<string, { fromBeginning?: boolean }>;
      logger: Logger;
      instrumentationEmitter: { emit: (name: string, payload?: unknown) => void };
      assigners: Assigner[];
      retry: RetryOptions;
      sessionTimeout: number;
      rebalanceTimeout: number;
    });
    readonly coordinator: GroupCoordinator | null;
    readonly generationId: number | null;
    memberId: string | null;
    isLeader(): boolean;
    joinAndSync(): Promise<void>;
    leave(): Promise<void>;
    assigned(): { topic: string; partitions: number[] }[];
  }
}
