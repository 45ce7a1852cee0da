/** What a configuration asks of its topics: on the embedded log they are made, on a broker they are its administrator's and are looked at first. */
import type { Configuration } from './config/load.ts';
import { pipelineError } from './core/errors/pipeline.ts';
import { allTopics } from './core/topics.ts';
import type { TopicExpectations, TopicFinding, Transport } from './pipeline/transport.ts';
import type { AccessRole, ProcessContext } from './process-context.ts';

export function topicExpectations({ transport: { partitionCount }, cluster }: Configuration): TopicExpectations {
  return { topics: allTopics.map((topic) => ({ topic, partitionCount })), snapshotIntervalMs: cluster.snapshotIntervalMs };
}

/** Rejects with LS_TRANSPORT_TOPIC_SETTINGS, which names everything that is wrong, and with what making topics rejects with. */
export async function prepareTopics(transport: Transport, configuration: Configuration, { logger }: ProcessContext, role: AccessRole): Promise<void> {
  if (role === 'without-topics') return;
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
  if (errors.length > 0) throw pipelineError('LS_TRANSPORT_TOPIC_SETTINGS', `Topics are not as they must be:\n${errors.map(findingText).join('\n')}`);
}

export function findingText({ topic, setting, message, remedy }: TopicFinding): string {
  return `  ${topic}: ${setting}: ${message}\n    ${remedy}`;
}
