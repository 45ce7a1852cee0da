/** `models verify`: proves that a model's files are the manifest's, and that an item's result depends on the item alone. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { cliError } from '../core/errors/cli.ts';
import { collected } from './collect.ts';
import { outputOf, type CommandLine } from './context.ts';
import { withExamples } from './help.ts';
import { tableText } from './output.ts';

export function addModelsVerifyCommand(models: Command, commandLine: CommandLine): void {
  const verify = models
    .command('verify')
    .argument('<directory...>', 'directories with a manifest.json')
    .summary('prove that a model gives what its manifest says')
    .description('prove the hashes of the files, the known answers, and that the result of an item does not depend on its batch; exit code 1 where a model fails')
    .option('--plugin <module>', 'a plugin that runs some of them: a path, or a package that is installed here; may be repeated', collected)
    .option('--json', 'one JSON object per model')
    .action(async (directories: readonly string[], options: { readonly json?: boolean; readonly plugin?: readonly string[] }) => {
      const output = outputOf(commandLine, options.json);
      const [{ loadPlugins }, { verifyModel }] = await Promise.all([import('../load-plugins.ts'), import('../models/verify.ts')]);
      const { pluginUrls: plugins } = await loadPlugins(options.plugin ?? [], process.cwd());
      const failed: string[] = [];
      for (const directory of directories) {
        const report = await verifyModel(resolve(directory), { plugins, signal: commandLine.signal });
        if (!report.ok) failed.push(report.name);
        if (output.json) output.object(report);
        else {
          output.line(`${[report.name, report.version].filter((part) => part !== '').join(' ')}: ${report.ok ? 'ok' : 'FAILED'}`);
          output.lines(tableText(['  CHECK', 'OK', 'DETAIL'], report.checks.map(({ name, ok, detail }) => [`  ${name}`, ok ? 'yes' : 'NO', detail])));
        }
      }
      if (failed.length > 0) throw cliError('LS_CLI_MODEL_UNFIT', `not fit for use: ${failed.join(', ')}`);
    });
  withExamples(verify, 'labelstream models verify models/static-text-encoder', 'labelstream models verify models/static-text-encoder models/topic-classifier --json');
}
