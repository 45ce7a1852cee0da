/** Requests to the leader of a partition: who leads is asked when it is not known, and asked anew when a request fails in a way that may pass. */
import type { Broker, PartitionMetadata } from 'kafkajs';
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { TopicPartition } from '../../core/records.ts';
import { refreshMetadata, type KafkaCluster } from './connection.ts';
import { protocolError } from './fetch-request.ts';
import { asKafkaError, protocolCodeOf, type KafkaCall } from './kafka-errors.ts';
import type { KafkaOptions } from './kafka-options.ts';

export type Leaders = {
  /** The node id of the leader, where it is known already. */
  readonly knownNode: (topicPartition: TopicPartition) => string | undefined;
  /** Rejects with LS_TRANSPORT_TOPIC_MISSING, and with what may pass where nobody leads. */
  readonly nodeOf: (topicPartition: TopicPartition) => Promise<string>;
  readonly broker: (nodeId: string) => Promise<Broker>;
  readonly refresh: () => Promise<void>;
  /**
   * Tries the action until it succeeds, for about two seconds where its failures may pass, and for about fifteen where a broker does not lead yet
   * what the metadata says it leads; rejects with a LabelstreamError.
   */
  readonly attempt: <Result>(call: KafkaCall & TopicPartition, action: (broker: Broker) => Promise<Result>) => Promise<Result>;
};

const attemptsMax = 6;
const delay = { baseMs: 25, capMs: 1_000 };
const leaderNotAvailable = 5;
/** Metadata names the leader of a partition before that broker has taken it up, by seconds on a busy machine. */
const notLeader = 6;
const handoverMsMax = 15_000;

export function createLeaders(cluster: KafkaCluster, { clock }: KafkaOptions, closing: AbortSignal): Leaders {
  /** None while nothing is known; kafkajs throws then. */
  const partitionsOf = (topic: string): readonly PartitionMetadata[] => {
    try {
      return cluster.findTopicPartitionMetadata(topic);
    } catch {
      return [];
    }
  };
  const knownNode = ({ topic, partition }: TopicPartition): string | undefined => {
    const leader = partitionsOf(topic).find(({ partitionId }) => partitionId === partition)?.leader;
    return leader === undefined || leader < 0 ? undefined : String(leader);
  };
  // `connect` is awaited also where it says that it is connected: kafkajs says so before it can send anything.
  const nodeOf = async ({ topic, partition }: TopicPartition): Promise<string> => {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    // kafkajs may have waited for an answer to a question that did not name the topic yet.
    if (partitionsOf(topic).length === 0) await refresh();
    const nodeId = knownNode({ topic, partition });
    if (nodeId !== undefined) return nodeId;
    if (partitionsOf(topic).some(({ partitionId }) => partitionId === partition)) throw protocolError(leaderNotAvailable);
    throw pipelineError('LS_TRANSPORT_TOPIC_MISSING', `There is no partition ${partition} of topic "${topic}".`, { topic, partition });
  };
  const broker = (nodeId: string): Promise<Broker> => cluster.findBroker({ nodeId });
  const refresh = async (): Promise<void> => {
    await cluster.connect();
    await refreshMetadata(cluster);
  };
  return {
    knownNode,
    nodeOf,
    broker,
    refresh,
    attempt: async (call, action) => {
      for (let attempt = 1, waitedMs = 0; ; attempt++) {
        try {
          return await action(await broker(await nodeOf(call)));
        } catch (thrown) {
          const error = asKafkaError(thrown, call);
          const isOver = protocolCodeOf(thrown) === notLeader ? waitedMs >= handoverMsMax : attempt >= attemptsMax;
          if (closing.aborted || isOver || !mayPass(error)) throw error;
          const waitMs = Math.min(delay.baseMs * 2 ** attempt, delay.capMs);
          await clock.sleep(waitMs, closing);
          waitedMs += waitMs;
          // What hinders this hinders the next attempt, which tells it.
          await refresh().catch(() => undefined);
        }
      }
    },
  };
}

/** A topic that was just made is not known everywhere. */
export function mayPass(error: unknown): boolean {
  return error instanceof LabelstreamError && (error.retryable || error.code === 'LS_TRANSPORT_TOPIC_MISSING');
}
