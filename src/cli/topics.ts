/** `topics`: makes the topics of a configuration, and says what is wrong with those that there are. */
import type { Command } from 'commander';
import type { Configuration } from '../config/load.ts';
import { topics as topicNames } from '../core/topics.ts';
import type { TopicFinding } from '../pipeline/transport.ts';
import { findingsText, topicExpectations, topicsError } from '../prepare-topics.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { addRepartitionCommand } from './repartition.ts';

type Options = ConfigurationOptions & { readonly json?: boolean; readonly dryRun?: boolean };

export function addTopicsCommand(program: Command, commandLine: CommandLine): void {
  const topics = program
    .command('topics')
    .summary('make the topics, and check their settings')
    .description('make the topics of a configuration, and check the settings of those that there are, before a stage depends on them');
  withExamples(topics, 'labelstream topics check -c examples/news.yaml');
  const creating = withConfigurationOptions(topics.command('create'))
    .summary('make the topics that are missing')
    .description(
      'make the topics that are missing, with `transport.partitionCount` partitions, append times and room for the largest records. Topics that exist are left as they ' +
        'are; one with another number of partitions is refused, and then none is made',
    )
    .option('--dry-run', 'only tell which are missing')
    .option('--json', 'one JSON object per topic')
    .action((options: Options) => create(options, commandLine));
  withExamples(creating, 'labelstream topics create -c examples/news.yaml', 'labelstream topics create --dry-run -c examples/news.yaml');
  const checking = withConfigurationOptions(topics.command('check'))
    .summary('say what is wrong with the topics')
    .description(
      'say what is wrong with the topics, as `run` does before it starts: missing ones (which `run` makes on the embedded log), partition counts, producers\' timestamps, compaction, message sizes, and retention ' +
        'against the interval of snapshots. Errors end it with exit code 78, warnings do not',
    )
    .option('--json', 'one JSON object per finding')
    .action((options: Options) => check(options, commandLine));
  addRepartitionCommand(topics, commandLine);
  withExamples(checking, 'labelstream topics check -c examples/news.yaml', 'labelstream topics check --json -c examples/news.yaml');
}

async function create(options: Options, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  await withAccess(options, commandLine, async (access) => {
    const { transport, configuration } = access;
    const expectations = topicExpectations(configuration);
    const missing = new Set((await transport.checkTopics(expectations)).flatMap(({ topic, setting }) => (setting === 'topic' ? [topic] : [])));
    if (options.dryRun !== true) {
      if (missing.has(topicNames.features)) await (await import('../repartition.ts')).requireNoRepartition(access);
      await transport.createTopics(expectations.topics);
    }
    for (const { topic, partitionCount } of expectations.topics) {
      const state = !missing.has(topic) ? 'exists' : options.dryRun === true ? 'missing' : 'made';
      if (output.json) output.object({ topic, partitionCount, state });
      else output.line(`${topic}: ${state}`);
    }
  }, { role: 'without-topics', makesLog: options.dryRun !== true });
}

async function check(options: Options, commandLine: CommandLine): Promise<void> {
  const output = outputOf(commandLine, options.json);
  await withAccess(options, commandLine, async ({ transport, configuration }) => {
    const expectations = topicExpectations(configuration);
    const findings = (await transport.checkTopics(expectations)).map((finding) => asRunTakesIt(finding, configuration));
    if (output.json) for (const finding of findings) output.object(finding);
    else if (findings.length > 0) output.lines(findingsText(findings, ({ severity }) => severity));
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw topicsError(errors, `${errors.length === 1 ? 'One thing is' : `${errors.length} things are`} wrong with the topics.`);
    if (output.json) return;
    const missing = findings.filter(({ setting }) => setting === 'topic').length;
    output.line(missing > 0 ? `nothing is wrong with the topics; ${missing} are still to be made` : `the ${expectations.topics.length} topics are as they must be`);
  }, { role: 'without-topics' });
}

/** On the embedded log the topics are made by who needs them. */
function asRunTakesIt(finding: TopicFinding, { transport }: Configuration): TopicFinding {
  if (transport.kind !== 'log' || finding.setting !== 'topic') return finding;
  return { ...finding, severity: 'warning', remedy: '`run` makes it, or: labelstream topics create -c FILE' };
}
