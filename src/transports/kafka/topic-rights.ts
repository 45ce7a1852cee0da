/** What the brokers allow this user on topics. With Kafka's own words for rights, as people grant them. */
import { metadataV12 } from '@platformatic/kafka';
import type { KafkaConnection } from './connection.ts';

export type TopicRight = 'Describe' | 'Read' | 'Write' | 'DescribeConfigs';

/** By topic: what the user may do; undefined where the brokers do not say: of one that does not exist, and all before Kafka 2.8. */
export type TopicRights = ReadonlyMap<string, ReadonlySet<TopicRight> | undefined>;

/** Kafka's numbers of the operations, which are bits of the answer. */
const operations = { Read: 3, Write: 4, Describe: 8, DescribeConfigs: 10 } as const satisfies Record<TopicRight, number>;
const notTold = -(2 ** 31);
const topicAuthorizationFailed = 29;

type Answer = Awaited<ReturnType<typeof metadataV12.api.async>>;

export async function topicRights({ protocolAdmin }: KafkaConnection, topics: readonly string[]): Promise<TopicRights> {
  const [connection] = (await protocolAdmin.connectToBrokers()).values();
  if (connection === undefined) return new Map();
  const answer = await metadataV12.api.async(connection, [...topics], false, true).catch(answerWithin);
  return new Map(
    answer?.topics.map(({ name, errorCode, topicAuthorizedOperations: bits }) => {
      // Who may not even see a topic is told the same of one that does not exist.
      const told = errorCode === topicAuthorizationFailed ? 0 : bits;
      const rights = Object.entries(operations).flatMap(([right, bit]) => ((told & (1 << bit)) === 0 ? [] : [right as TopicRight]));
      return [name ?? '', told === notTold ? undefined : new Set(rights)];
    }),
  );
}

/** One topic that is missing makes the client throw the answer for all. What else is wrong the next request tells. */
function answerWithin(error: unknown): Answer | undefined {
  const response = error instanceof Error && 'response' in error ? (error.response as Answer | undefined) : undefined;
  return response;
}
