/** `forget`: takes items out of every collection, and says where their vectors still are (SEMANTICS.md, rule 21). */
import type { Command } from 'commander';
import { forgetItems } from '../compose.ts';
import { cliError } from '../core/errors/cli.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';

export function addForgetCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('forget'))
    .argument('<item...>', 'items, each as source/id')
    .description('take items out of every collection; what is published of them later is new')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExample:\n  labelstream forget news/17 news/18 -c examples/news.yaml')
    .action(async (items: readonly string[], options: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, options.json);
      for (const item of items) if (!isItemId(item)) throw cliError('LS_CLI_USAGE', `"${item}" is no item; write it as source/id`, { item });
      await withAccess(options, commandLine, async (access) => {
        await forgetItems(access, items);
        const stillIn = [
          { place: 'the topics text.events, record.events, media.events, parked, features and dead-letters', until: 'their segments are removed' },
          { place: `the snapshots in ${access.configuration.dataDirectory}`, until: 'three newer ones are written per partition' },
        ];
        if (output.json) output.object({ forgotten: items, stillIn });
        else {
          output.line(`forget sent for ${items.length === 1 ? '1 item' : `${items.length} items`}`);
          for (const { place, until } of stillIn) output.line(`  still in ${place}, until ${until}`);
        }
      });
    });
}

function isItemId(text: string): boolean {
  const slash = text.indexOf('/');
  return slash > 0 && slash < text.length - 1;
}
