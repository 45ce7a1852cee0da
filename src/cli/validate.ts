import type { Command } from 'commander';
import { located } from '../config/mistakes.ts';
import { loadedConfiguration, outputOf, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes } from './failure.ts';
import { withExamples } from './help.ts';

export function addValidateCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('validate'))
    .summary('check a configuration')
    .description('check a configuration with the models and schemas it names, as `run` does, without opening the log. Every mistake is told at once, with its line and a remedy')
    .option('--json', 'one JSON object per mistake')
    .action(async (options: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, options.json);
      const { fileMistakes } = await import('./file-mistakes.ts');
      const loaded = await loadedConfiguration(options, commandLine);
      const mistakes =
        loaded.configuration === undefined ? loaded.mistakes : located(await fileMistakes(loaded.configuration, loaded.extensions, 'contents'), loaded.lineOf);
      if (output.json) for (const mistake of mistakes) output.object({ file: options.config, ...mistake });
      if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes, output.json);
      if (!output.json) output.line(`${options.config} is valid`);
      if (loaded.configuration !== undefined) {
        for (const { line, message } of loaded.plainSecrets) output.note(`${line === undefined ? '--set' : `${options.config}:${line}`}: ${message}`);
      }
      if (loaded.configuration?.routes.length === 0) output.note(`${options.config} has no routes: no event would be processed`);
    });
  withExamples(command, 'labelstream validate -c examples/news.yaml', 'labelstream validate -c examples/news.yaml --json');
}
