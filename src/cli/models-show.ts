/** `models show`: one model with all that is known of it, and whether it is what it says. */
import type { Command } from 'commander';
import type { CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { withModelConfiguration, withPlugins, type ModelOptions } from './model-options.ts';

type ShowOptions = ModelOptions & { readonly json?: boolean };

export function addModelsShowCommand(models: Command, commandLine: CommandLine): void {
  const command = withPlugins(withModelConfiguration(models.command('show')))
    .argument('<model>', 'a directory with a manifest.json, or a name of the configuration')
    .summary('show a model')
    .description(
      'show what the manifest of a model says, its files with their sizes, its licence, its tasks and its known answers, about how much memory it takes, and whether it is so: the ' +
        'files are hashed, the model is loaded and asked for its known answers. Exit code 1 where it is not fit for use. `models verify` proves more',
    )
    .option('--json', 'one JSON object, with the whole manifest')
    .action(async (model: string, options: ShowOptions) => {
      const { showModel } = await import('./show-model.ts');
      await showModel(model, options, commandLine);
    });
  withExamples(command, 'labelstream models show models/topic-classifier', 'labelstream models show topics -c examples/news.yaml --json');
}
