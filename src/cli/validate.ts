import type { Command } from 'commander';
import { loadConfiguration } from '../config/load.ts';
import { tasks } from '../tasks/registry.ts';
import { outputOf, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes } from './failure.ts';

export function addValidateCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('validate'))
    .description('check a configuration; exit code 78 and every mistake at once where it has any')
    .option('--json', 'one JSON object per mistake')
    .addHelpText('after', '\nExample:\n  labelstream validate -c examples/news.yaml')
    .action(async ({ config, set, json }: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, json);
      const { mistakes } = await loadConfiguration({ file: config, environment: commandLine.environment, assignments: set, tasks: [...tasks.values()] });
      if (output.json) for (const mistake of mistakes) output.object({ file: config, ...mistake });
      if (mistakes.length > 0) throw new ConfigurationMistakes(config, mistakes);
      if (!output.json) output.line(`${config} is valid`);
    });
}
