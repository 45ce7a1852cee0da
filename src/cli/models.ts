/** `models`: what is done with the directories of models, outside of a running program. */
import type { Command } from 'commander';
import type { CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { addModelsBenchCommand } from './models-bench.ts';
import { addModelsImportCommand } from './models-import.ts';
import { addModelsListCommand } from './models-list.ts';
import { addModelsPullCommand } from './models-pull.ts';
import { addModelsShowCommand } from './models-show.ts';
import { addModelsVerifyCommand } from './models-verify.ts';

export function addModelsCommand(program: Command, commandLine: CommandLine): void {
  const models = program
    .command('models')
    .summary('list, fetch, import, prove and measure models')
    .description('list, fetch, import, prove and measure models: directories with a manifest.json that says what goes in, what comes out, and how it is proved');
  withExamples(models, 'labelstream models import squeezenet.onnx --to models/squeezenet --preset raw', 'labelstream models verify models/static-text-encoder');
  addModelsListCommand(models, commandLine);
  addModelsShowCommand(models, commandLine);
  addModelsPullCommand(models, commandLine);
  addModelsImportCommand(models, commandLine);
  addModelsVerifyCommand(models, commandLine);
  addModelsBenchCommand(models, commandLine);
}
