/** `topics repartition`: gives the features topic another number of partitions. */
import type { Command } from 'commander';
import type { AccessRole } from '../process-context.ts';
import { repartitionFeatures, repartitionOutlookOf } from '../repartition.ts';
import type { FamilyMove } from '../stages/cluster/repartition.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { tableText, type Output } from './output.ts';

type Options = ConfigurationOptions & { readonly json?: boolean; readonly dryRun?: boolean };

export function addRepartitionCommand(topics: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(topics.command('repartition'))
    .summary('give features another number of partitions')
    .description(
      'give the topic features as many partitions as `transport.featuresPartitionCount` says, while no `run` works and nothing is unread. The state of the clusters goes over, with ' +
        'their ids; the records of the topic do not: it is deleted and made anew. Cut short, it is brought to its end by the same command, and until then `run` refuses to start',
    )
    .option('--dry-run', 'only tell what would be done, and what is unread; also beside a live `run`')
    .option('--json', 'one JSON object')
    .action(async (options: Options) => {
      const role: AccessRole = options.dryRun === true ? 'without-topics' : 'repartitioning';
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, async (access) => {
        if (options.dryRun !== true) {
          const done = await repartitionFeatures(access, commandLine.signal);
          if (output.json) output.object({ repartitioned: done, dryRun: false });
          else tellDone(done, output);
          return;
        }
        const outlook = await repartitionOutlookOf(access, commandLine.signal);
        if (output.json) {
          output.object({ ...outlook, dryRun: true });
          return;
        }
        if (outlook.pending) output.line('a repartition was cut short: it would be brought to its end first');
        tellMoves(outlook, output);
        for (const { group, topic, partition, records } of outlook.unread) output.line(`unread: ${records} in partition ${partition} of ${topic} (${group})`);
        output.note('nothing was changed: --dry-run');
      }, role);
    });
  withExamples(
    command,
    'labelstream topics repartition --dry-run --set transport.featuresPartitionCount=8 -c examples/news.yaml',
    'labelstream topics repartition --set transport.featuresPartitionCount=8 -c examples/news.yaml',
  );
}

type Moves = { readonly from: number; readonly to: number; readonly families: readonly FamilyMove[] };

function tellDone(done: readonly Moves[], output: Output): void {
  if (done.length === 0) output.line('the topic features has that many partitions already');
  for (const moves of done) tellMoves(moves, output);
}

function tellMoves({ from, to, families }: Moves, output: Output): void {
  output.line(`features: ${from} partitions -> ${to}`);
  if (families.length === 0) return;
  output.lines(tableText(['FAMILY', 'FROM', 'TO', 'ITEMS'], families.map((move) => [move.family, String(move.from), String(move.to), String(move.items)])));
}
