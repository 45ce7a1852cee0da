/** `inputs`: which inputs are read, on every instance, until somebody says otherwise. */
import type { Command } from 'commander';
import { inputTopics } from '../core/topics.ts';
import type { Access } from '../open-access.ts';
import { changeDesiredState, readDesiredState } from '../pipeline/desired-state.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { tableText, type Output } from './output.ts';
import { ownTopic, parsedTopic } from './topic-names.ts';

type Options = ConfigurationOptions & { readonly json?: boolean };

export function addInputsCommand(program: Command, commandLine: CommandLine): void {
  const inputs = program
    .command('inputs')
    .summary('pause inputs and resume them')
    .description('tell which inputs EXTRACT reads, pause some and resume them. It is kept in the state store: it survives restarts, and holds for every instance that shares the store');
  withExamples(inputs, 'labelstream inputs list -c examples/news.yaml');
  const listing = withConfigurationOptions(inputs.command('list'))
    .summary('tell which inputs are paused')
    .description('tell which inputs are paused, beside a live `run` or without one')
    .option('--json', 'one JSON object')
    .action((options: Options) => withDesired(options, commandLine, async (access, output) => tell(await readDesiredState(access.stateStore, access.configuration.group), output)));
  withExamples(listing, 'labelstream inputs list --json -c examples/news.yaml');
  addChange(inputs, commandLine, 'pause', {
    summary: 'read no more of inputs',
    description: 'read no more of inputs, on every instance, within seconds and after every restart: what was read is finished, and what comes in waits in the log. `run --until-idle` does not wait for it',
  });
  addChange(inputs, commandLine, 'resume', { summary: 'read inputs again', description: 'read inputs again, from where they were left' });
}

function withDesired(options: Options, commandLine: CommandLine, use: (access: Access, output: Output) => Promise<void>): Promise<void> {
  return withAccess(options, commandLine, (access) => use(access, outputOf(commandLine, options.json)));
}

function addChange(inputs: Command, commandLine: CommandLine, verb: 'pause' | 'resume', { summary, description }: { readonly summary: string; readonly description: string }): void {
  const parse = parsedTopic(inputTopics);
  const command = withConfigurationOptions(inputs.command(verb))
    .argument('<topic...>', inputTopics.join(', '), (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), parse(text)])
    .summary(summary)
    .description(description)
    .option('--json', 'one JSON object')
    .action((named: readonly string[], options: Options) =>
      withDesired(options, commandLine, async (access, output) => {
        const meant = new Set(named.map((text) => ownTopic(access.configuration, text, inputTopics)));
        const changed = await changeDesiredState(access.stateStore, access.configuration.group, ({ pausedInputs, ...others }) => {
          const rest = pausedInputs.filter((topic) => !meant.has(topic));
          return { ...others, pausedInputs: verb === 'pause' ? [...rest, ...meant] : rest };
        });
        tell(changed, output);
      }),
    );
  withExamples(command, `labelstream inputs ${verb} text.events -c examples/news.yaml`);
}

function tell({ version, pausedInputs }: { readonly version: bigint; readonly pausedInputs: readonly string[] }, output: Output): void {
  const inputs = inputTopics.map((topic) => ({ topic, paused: pausedInputs.includes(topic) }));
  if (output.json) output.object({ inputs, version });
  else output.lines(tableText(['INPUT', 'STATE'], inputs.map(({ topic, paused }) => [topic, paused ? 'paused' : 'read'])));
}
