/**
 * Several installations on one cluster: the names of topics, groups and transactional ids begin with a prefix on the brokers, and nowhere else. So what
 * an installation writes does not depend on its prefix.
 */
import type { TopicPartition } from '../../core/records.ts';
import type { RecordLimits } from '../../pipeline/record-limits.ts';
import type { AssignedPartition, Transport } from '../../pipeline/transport.ts';

const nameable = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

export function withoutPrefix(topic: string, prefix: string | undefined): string {
  return prefix !== undefined && topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
}

/** The same limits, asked for by the brokers' names. */
export function limitsUnderPrefix(limits: RecordLimits, prefix: string): RecordLimits {
  return { ...limits, bytesMax: (topic) => limits.bytesMax(withoutPrefix(topic, prefix)) };
}

export function withNamePrefix(transport: Transport, prefix: string): Transport {
  if (prefix === '') return transport;
  // A name that no topic can have stays one.
  const inner = (topic: string): string => (nameable.test(topic) ? `${prefix}${topic}` : topic);
  const outer = (topic: string): string => withoutPrefix(topic, prefix);
  const into = <Named extends { readonly topic: string }>(named: Named): Named => ({ ...named, topic: inner(named.topic) });
  const out = <Named extends { readonly topic: string }>(named: Named): Named => ({ ...named, topic: outer(named.topic) });
  const assigned = (partition: AssignedPartition): AssignedPartition => ({
    ...out(partition),
    poll: async (budget, signal) => (await partition.poll(budget, signal)).map(out),
    deliver: (outputs, checkpoint) => partition.deliver(outputs.map(into), checkpoint),
  });
  // Each by its name, so that the type tells of one that is missing.
  return {
    capabilities: transport.capabilities,
    close: transport.close,
    createTopics: (topics) => transport.createTopics(topics.map(into)),
    checkTopics: async (expectations) => (await transport.checkTopics({ ...expectations, topics: expectations.topics.map(into) })).map(out),
    describeTopic: async (topic) => out(await transport.describeTopic(inner(topic))),
    topicForm: (topic) => transport.topicForm(inner(topic)),
    topicRetention: (topic) => transport.topicRetention(inner(topic)),
    replaceTopic: async (replacement) => out(await transport.replaceTopic(into(replacement))),
    bounds: (topicPartition) => transport.bounds(into(topicPartition)),
    decided: (topicPartition) => transport.decided(into(topicPartition)),
    boundAt: (topicPartition, landmark) => transport.boundAt(into(topicPartition), landmark),
    read: async (topicPartition, from, budget, signal) => (await transport.read(into(topicPartition), from, budget, signal)).map(out),
    isKept: (topicPartition, position) => transport.isKept(into(topicPartition), position),
    append: (records) => transport.append(records.map(into)),
    claim: async (topic) => {
      const claim = await transport.claim(inner(topic));
      return { ...claim, append: (records) => claim.append(records.map(into)) };
    },
    committed: (group, topicPartition) => transport.committed(prefix + group, into(topicPartition)),
    resetGroup: (group, places) => transport.resetGroup(prefix + group, places.map(into)),
    subscribe: ({ group, topics, delivery, listener }) =>
      transport.subscribe({
        group: prefix + group,
        topics: topics.map(inner),
        delivery,
        listener: {
          assigned: (partitions) => listener.assigned(partitions.map(assigned)),
          revoked: (partitions: readonly TopicPartition[]) => listener.revoked(partitions.map(out)),
          failed: listener.failed,
        },
      }),
  };
}
