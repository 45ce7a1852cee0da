/** `forget`: takes items out of every collection, and says where their vectors still are (SEMANTICS.md, rule 21). */
import type { Command } from 'commander';
import { counted } from '../core/counted.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { requireItemIds } from './item-ids.ts';

export function addForgetCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('forget'))
    .argument('<item...>', 'items, each as source/id')
    .summary('take items out of every collection')
    .description(
      'take items out of every collection, with what was published of them up to now; what is published of them later is new. `run` carries it out. ' +
        'The answer says where the vectors still may be; `labelstream erasure report` looks',
    )
    .option('--json', 'one JSON object')
    .action(async (items: readonly string[], options: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, options.json);
      requireItemIds(items);
      const [{ clustersOf }, { forget }] = await Promise.all([import('../clusters-of.ts'), import('../administration/forget.ts')]);
      await withAccess(options, commandLine, async (access) => {
        const view = await clustersOf(access, commandLine.signal);
        const { inCollections, stillIn } = await forget(access, items, (item) => view.item(item).value.length > 0);
        if (output.json) output.object({ forgotten: items, inCollections, stillIn });
        else {
          // An id that was misspelt shows here: it is in no collection, and may never have been anywhere.
          output.line(`forget sent for ${counted(items.length, 'item')}; ${inCollections.length} of them in a collection now`);
          for (const { place, until } of stillIn) output.line(`  what there was of them may still be in ${place}, until ${until}`);
          output.note(`once \`run\` has carried it out: labelstream erasure report --item ${items.join(' --item ')} -c ${options.config}`);
        }
      });
    });
  withExamples(command, 'labelstream forget news/17 news/18 -c examples/news.yaml');
}
