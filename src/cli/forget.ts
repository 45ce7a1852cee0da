/** `forget`: takes items out of every collection, and says where their vectors still are (SEMANTICS.md, rule 21). */
import type { Command } from 'commander';
import type { Access } from '../compose.ts';
import type { InputEnd } from '../core/events.generated.ts';
import { inputTopics } from '../core/topics.ts';
import { forgetRecords } from '../stages/cluster/control-records.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';

export function addForgetCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('forget'))
    .argument('<item...>', 'items, each as source/id')
    .description('take items out of every collection; what is published of them later is new')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExample:\n  labelstream forget news/17 news/18 -c examples/news.yaml')
    .action(async (items: readonly string[], options: ConfigurationOptions & { readonly json?: boolean }) => {
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, async (access) => {
        const through = await inputEnds(access);
        await access.transport.append(forgetRecords(access.codec, access.partitionCount, items, through));
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

async function inputEnds({ transport, partitionCount }: Access): Promise<readonly InputEnd[]> {
  const ends: InputEnd[] = [];
  for (const topic of inputTopics) {
    const { incarnation } = await transport.describeTopic(topic);
    for (let partition = 0; partition < partitionCount; partition++) {
      const { end } = await transport.bounds({ topic, partition });
      ends.push({ incarnation, partition, endSequence: end.sequence });
    }
  }
  return ends;
}
