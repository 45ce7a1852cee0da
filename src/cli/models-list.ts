/** `models list`: what models there are, the broken ones with what is wrong with them. */
import type { Command } from 'commander';
import type { CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { withModelConfiguration, type ModelOptions } from './model-options.ts';

type ListOptions = ModelOptions & { readonly catalogue?: boolean; readonly json?: boolean };

export function addModelsListCommand(models: Command, commandLine: CommandLine): void {
  const command = withModelConfiguration(models.command('list'))
    .argument('[directory...]', 'directories of models, or folders that hold some')
    .summary('list the models that there are')
    .description(
      'list models: those of a configuration, by the names that it binds them to; those in directories; or, where neither is named, those that come with the program. ' +
        'What cannot be read is listed with what is wrong with it. The manifests are read, and no more: `models show` looks at a model itself, `models verify` proves it',
    )
    .option('--catalogue', 'instead: models to begin with, a small one for each task and a stronger one where one is known, with what they were measured to do')
    .option('--json', 'one JSON object per model')
    .action(async (directories: readonly string[], options: ListOptions) => {
      const { listModels } = await import('./list-models.ts');
      await listModels(directories, options, commandLine);
    });
  withExamples(command, 'labelstream models list', 'labelstream models list models data/models', 'labelstream models list -c examples/news.yaml --json', 'labelstream models list --catalogue');
}
