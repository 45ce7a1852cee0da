/** What the brokers allow this user on topics. With Kafka's own words for rights, as people grant them. */
import { metadataV11 } from '@platformatic/kafka';
import { kafkaError } from '../../core/errors/kafka.ts';
import type { KafkaConnection } from './connection.ts';
import { asKafkaError } from './kafka-errors.ts';

export type TopicRight = 'Describe' | 'Read' | 'Write' | 'DescribeConfigs';

/** By topic: what the user may do; undefined where the brokers do not say: of one that does not exist. */
export type TopicRights = ReadonlyMap<string, ReadonlySet<TopicRight> | undefined>;

/** Kafka's numbers of the operations, which are bits of the answer. */
const operations = { Read: 3, Write: 4, Describe: 8, DescribeConfigs: 10 } as const satisfies Record<TopicRight, number>;
const notTold = -(2 ** 31);
const topicAuthorizationFailed = 29;

/** The version that Kafka 2.8 serves, too. */
type Answer = Awaited<ReturnType<typeof metadataV11.api.async>>;

export async function topicRights({ protocolAdmin }: KafkaConnection, topics: readonly string[]): Promise<TopicRights> {
  const answer = await ask(protocolAdmin, topics).catch(answerWithin);
  return new Map(
    answer.topics.map(({ name, errorCode, topicAuthorizedOperations: bits }) => {
      // Who may not even see a topic is told the same of one that does not exist.
      const told = errorCode === topicAuthorizationFailed ? 0 : bits;
      const rights = Object.entries(operations).flatMap(([right, bit]) => ((told & (1 << bit)) === 0 ? [] : [right as TopicRight]));
      return [name ?? '', told === notTold ? undefined : new Set(rights)];
    }),
  );
}

async function ask(protocolAdmin: KafkaConnection['protocolAdmin'], topics: readonly string[]): Promise<Answer> {
  const [connection] = (await protocolAdmin.connectToBrokers()).values();
  if (connection === undefined) throw kafkaError('LS_KAFKA_UNREACHABLE', 'The brokers name no broker that could be asked for rights.');
  return metadataV11.api.async(connection, [...topics], false, true);
}

/** One topic that is missing makes the client throw the answer for all. Whatever has no answer says nothing of rights. */
function answerWithin(error: unknown): Answer {
  if (error instanceof Error && 'response' in error && error.response !== undefined) return error.response as Answer;
  throw asKafkaError(error, { operation: 'ask for the rights on topics' });
}
