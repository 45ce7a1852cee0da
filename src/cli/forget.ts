/** `forget`: takes items out of every collection, and says where their vectors still are (SEMANTICS.md, rule 21). */
import type { Command } from 'commander';
import { counted } from '../core/counted.ts';
import { inputTopics, topics } from '../core/topics.ts';
import type { Access } from '../open-access.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { durationText } from './duration-text.ts';
import { knownRetention } from './erasure/known-retention.ts';
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
      const { clustersOf, forgetItems } = await import('../clusters-of.ts');
      await withAccess(options, commandLine, async (access) => {
        const view = await clustersOf(access, commandLine.signal);
        const kept = await topicsWithRecords(access, [...inputTopics, topics.features, topics.deadLetters]);
        const inCollections = items.filter((item) => view.item(item).value.length > 0);
        await forgetItems(access, items);
        const { dataDirectory, transport, state } = access.configuration;
        const [topicsIn, snapshotsIn] = [transport.kind === 'log' ? dataDirectory : 'Kafka', state.kind === 'blob' ? `the container ${state.container ?? state.containerUrl ?? ''}` : dataDirectory];
        const stillIn = [
          { place: `those topics in ${topicsIn} that it came through, of ${kept.length === 0 ? 'which none holds a record' : kept.join(', ')}`, until: `retention removes it${await retentionText(access, kept)}` },
          { place: `the snapshots in ${snapshotsIn}, where one holds it`, until: 'three newer ones are written per partition' },
        ];
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

/** The others never held anything, of this item or of another. */
async function topicsWithRecords({ transport }: Access, names: readonly string[]): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const topic of names) {
    const { partitionCount } = await transport.describeTopic(topic);
    const bounds = await Promise.all(Array.from({ length: partitionCount }, (_, partition) => transport.bounds({ topic, partition })));
    if (bounds.some(({ start, end }) => end.sequence > start.sequence)) kept.push(topic);
  }
  return kept;
}

/** Those that keep alike together. */
async function retentionText(access: Access, names: readonly string[]): Promise<string> {
  const alike = new Map<string, string[]>();
  for (const topic of names) {
    const { keptMsMax } = await knownRetention(access, topic);
    const said = keptMsMax === undefined ? 'no limit by age is known' : `${durationText(keptMsMax)} after it came at the latest`;
    alike.set(said, [...(alike.get(said) ?? []), topic]);
  }
  return alike.size === 0 ? '' : ` (${[...alike].map(([said, topicsAlike]) => `${topicsAlike.join(', ')}: ${said}`).join('; ')})`;
}
