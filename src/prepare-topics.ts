/** What a configuration asks of its topics: on the embedded log they are made, on a broker they are its administrator's and are looked at first. */
import type { Configuration } from './config/load.ts';
import type { LabelstreamError } from './core/errors/error.ts';
import { pipelineError } from './core/errors/pipeline.ts';
import { allTopics, topics } from './core/topics.ts';
import type { TopicExpectations, TopicFinding, Transport } from './pipeline/transport.ts';
import type { AccessRole, ProcessContext } from './process-context.ts';

/** How many partitions each topic has, or is to have. */
export function partitionCounts({ transport: { partitionCount, featuresPartitionCount = partitionCount } }: Configuration): (topic: string) => number {
  return (topic) => (topic === topics.features ? featuresPartitionCount : partitionCount);
}

export function topicExpectations(configuration: Configuration): TopicExpectations {
  const countOf = partitionCounts(configuration);
  const settingOf = (topic: string): string => (topic === topics.features && configuration.transport.featuresPartitionCount !== undefined ? 'transport.featuresPartitionCount' : 'transport.partitionCount');
  return { topics: allTopics.map((topic) => ({ topic, partitionCount: countOf(topic), partitionCountSetting: settingOf(topic) })), snapshotIntervalMs: configuration.cluster.snapshotIntervalMs };
}

/** Rejects with LS_TRANSPORT_PARTITION_COUNT where that of features is another, with LS_TRANSPORT_TOPIC_SETTINGS, which names everything that is wrong, and with what making topics rejects with. */
export async function prepareTopics(transport: Transport, configuration: Configuration, { logger }: ProcessContext, role: AccessRole): Promise<void> {
  if (role === 'without-topics' || role === 'repartitioning') return;
  const expectations = topicExpectations(configuration);
  if (configuration.transport.kind === 'log') {
    await transport.createTopics(expectations.topics);
    return;
  }
  // What only looks needs only the topics that it looks at.
  if (role === 'any') return;
  const findings = await transport.checkTopics(expectations);
  const errors = findings.filter(({ severity }) => severity === 'error');
  for (const finding of findings) if (finding.severity === 'warning') logger.warn(finding, 'a setting of a topic may lose or refuse records');
  if (errors.length > 0) throw topicsError(errors, `Topics are not as they must be:\n${findingsText(errors)}`);
}

/** LS_TRANSPORT_PARTITION_COUNT where nothing but the number of partitions of features is wrong, which can change; otherwise LS_TRANSPORT_TOPIC_SETTINGS. */
export function topicsError(errors: readonly TopicFinding[], message: string): LabelstreamError {
  const [first, ...others] = errors;
  if (first?.topic !== topics.features || first.setting !== 'partitions' || others.length > 0) return pipelineError('LS_TRANSPORT_TOPIC_SETTINGS', message);
  return pipelineError('LS_TRANSPORT_PARTITION_COUNT', `The topic ${first.topic} has ${first.message}: ${first.remedy}.`, { topic: first.topic });
}

/** @param head what the first line of each begins with. A remedy that several have one after the other is said once, below the last of them. */
export function findingsText(findings: readonly TopicFinding[], head: (finding: TopicFinding) => string = () => ''): string {
  const textOf = (finding: TopicFinding, index: number): string => {
    const { topic, setting, message, remedy } = finding;
    return `${head(finding)}  ${topic}: ${setting}: ${message}${remedy === findings[index + 1]?.remedy ? '' : `\n    ${remedy}`}`;
  };
  return findings.map(textOf).join('\n');
}
