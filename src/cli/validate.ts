import type { Command } from 'commander';
import { located } from '../config/mistakes.ts';
import { loadedConfiguration, outputOf, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { ConfigurationMistakes } from './failure.ts';
import { fileMistakes } from './file-mistakes.ts';

export function addValidateCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('validate'))
    .description('check a configuration and the models and schemas it names; exit code 78 and every mistake at once where it has any')
    .option('--json', 'one JSON object per mistake')
    .addHelpText('after', '\nExample:\n  labelstream validate -c examples/news.yaml')
    .action(async (options: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, options.json);
      const loaded = await loadedConfiguration(options, commandLine);
      const mistakes =
        loaded.configuration === undefined ? loaded.mistakes : located(await fileMistakes(loaded.configuration, 'contents'), loaded.lineOf);
      if (output.json) for (const mistake of mistakes) output.object({ file: options.config, ...mistake });
      if (mistakes.length > 0) throw new ConfigurationMistakes(options.config, mistakes);
      if (!output.json) output.line(`${options.config} is valid`);
    });
}
