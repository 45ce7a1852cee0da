/** Where consumer groups stand, asked and set from outside of them. */
import type { Broker, GroupDescriptions } from 'kafkajs';
import { LabelstreamError } from '../../core/errors/error.ts';
import { pipelineError } from '../../core/errors/pipeline.ts';
import type { TopicPartition } from '../../core/records.ts';
import type { Checkpoint, GroupPlace } from '../../pipeline/transport.ts';
import type { KafkaCluster, KafkaConnection } from './connection.ts';
import { asKafkaError, protocolCodeOf } from './kafka-errors.ts';
import { checkpointMetadata, checkpointOf, offsetAt } from './positions.ts';

/**
 * The group's checkpoint, for who goes on from it: where a transaction that moves it is not ended, it rejects with LS_KAFKA_REQUEST, and the caller
 * tries again. The transaction of a dead process is ended by its time-out alone.
 */
export function readCommitted(connection: KafkaConnection, group: string, topicPartition: TopicPartition): Promise<Checkpoint | undefined> {
  return read(connection, group, topicPartition, true);
}

/** For who only looks: where such a transaction is not ended within a second, what was committed before it. */
export async function lookUpCommitted(connection: KafkaConnection, group: string, topicPartition: TopicPartition): Promise<Checkpoint | undefined> {
  try {
    return await read(connection, group, topicPartition, true);
  } catch (error) {
    if (!isUnstable(error)) throw error;
    return read(connection, group, topicPartition, false);
  }
}

async function read({ protocolAdmin }: KafkaConnection, group: string, { topic, partition }: TopicPartition, requireStable: boolean): Promise<Checkpoint | undefined> {
  const groups = [{ groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] }];
  try {
    const [answer] = await protocolAdmin.listConsumerGroupOffsets({ groups, requireStable });
    const committed = answer?.topics.find(({ name }) => name === topic)?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
    if (committed === undefined || committed.committedOffset < 0n) return undefined;
    return checkpointOf(committed.committedOffset, committed.metadata ?? '');
  } catch (thrown) {
    throw asKafkaError(thrown, { operation: 'read the offsets of', group, topic, partition });
  }
}

function isUnstable(error: unknown): boolean {
  return error instanceof LabelstreamError && error.details['answer'] === 'UNSTABLE_OFFSET_COMMIT';
}

const noGeneration = -1;
/** UNKNOWN_MEMBER_ID: the group has members, and the request came from none of them. */
const unknownMember = 25;

/** All or nothing per broker answer; rejects with LS_TRANSPORT_GROUP_ACTIVE while the group has members. */
export async function resetGroup(cluster: KafkaCluster, group: string, places: readonly GroupPlace[]): Promise<void> {
  const byTopic = Map.groupBy(places, ({ topic }) => topic);
  const topics = [...byTopic].map(([topic, ofTopic]) => ({
    topic,
    partitions: ofTopic.map(({ partition, checkpoint }) => ({
      partition,
      offset: offsetAt(checkpoint.position).toString(),
      metadata: checkpointMetadata(checkpoint),
    })),
  }));
  try {
    const coordinator = await cluster.findGroupCoordinator({ groupId: group });
    if (topics.length > 0) await coordinator.offsetCommit({ groupId: group, groupGenerationId: noGeneration, memberId: '', topics });
    // Brokers take a commit of nothing without looking at the group.
    else await requireEmpty(coordinator, group);
  } catch (error) {
    if (error instanceof LabelstreamError) throw error;
    if (protocolCodeOf(error) !== unknownMember) throw asKafkaError(error, { operation: 'set the offsets of', group });
    throw groupActive(group, { cause: error });
  }
}

async function requireEmpty(coordinator: Broker, group: string): Promise<void> {
  const { groups } = (await coordinator.describeGroups({ groupIds: [group] })) as GroupDescriptions;
  if (groups.some(({ members }) => members.length > 0)) throw groupActive(group);
}

function groupActive(group: string, options?: ErrorOptions): LabelstreamError {
  return pipelineError('LS_TRANSPORT_GROUP_ACTIVE', `Group ${group} has members: they would go on from where they are.`, { group }, options);
}
