/** `topics repartition`: gives the features topic another number of partitions. */
import type { Command } from 'commander';
import type { Configuration } from '../config/load.ts';
import { counted } from '../core/counted.ts';
import { cliError } from '../core/errors/cli.ts';
import type { AccessRole } from '../process-context.ts';
import type { FamilyMove } from '../stages/cluster/repartition.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { tableText, type Output } from './output.ts';

type Options = ConfigurationOptions & { readonly json?: boolean; readonly dryRun?: boolean; readonly oneHost?: boolean };

export function addRepartitionCommand(topics: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(topics.command('repartition'))
    .summary('give features another number of partitions')
    .description(
      'give the topic features as many partitions as `transport.featuresPartitionCount` says (without it `transport.partitionCount`), while no `run` works and nothing is unread. The state of the clusters goes over, with ' +
        'their ids; the records of the topic do not: it is deleted and made anew. Cut short, it is brought to its end by the same command, and until then `run` refuses to start',
    )
    .option('--dry-run', 'only tell what would be done, and what is in the way: what is unread, groups with members (on Kafka), a state that others would not find; also beside a live `run`')
    .option('--one-host', 'on Kafka with `state.kind: directory`: all instances have that directory, on this host; others would not find the clusters again')
    .option('--json', 'one JSON object')
    .action(async (options: Options) => {
      const role: AccessRole = options.dryRun === true ? 'without-topics' : 'repartitioning';
      const output = outputOf(commandLine, options.json);
      const { repartitionFeatures, repartitionOutlookOf } = await import('../repartition.ts');
      await withAccess(options, commandLine, async (access) => {
        if (options.dryRun !== true) {
          if (!isStateFindable(access.configuration, options.oneHost === true)) throw cliError('LS_CLI_USAGE', unfindable);
          const done = await repartitionFeatures(access, commandLine.signal);
          if (output.json) output.object({ repartitioned: done, dryRun: false });
          else tellDone(done, output);
          return;
        }
        const outlook = await repartitionOutlookOf(access, commandLine.signal);
        if (output.json) {
          output.object({ ...outlook, oneHostNeeded: !isStateFindable(access.configuration, options.oneHost === true), dryRun: true });
          return;
        }
        if (outlook.pending) output.line('a repartition was cut short: it would be brought to its end first');
        tellMoves(outlook, output);
        for (const { group, topic, partition, records } of outlook.unread) output.line(`unread: ${records} in partition ${partition} of ${topic} (${group})`);
        for (const group of outlook.activeGroups) output.line(`in the way: group ${group} has members; stop every \`run\` of it first`);
        if (!isStateFindable(access.configuration, options.oneHost === true)) output.line(`in the way: ${unfindable}`);
        output.note('nothing was changed: --dry-run');
      }, { role });
    });
  withExamples(
    command,
    'labelstream topics repartition --dry-run --set transport.featuresPartitionCount=8 -c examples/news.yaml',
    'labelstream topics repartition --set transport.featuresPartitionCount=8 -c examples/news.yaml',
  );
}

const unfindable =
  'The clusters would go over into a directory of this host alone, and an instance on another host could not start again. Use a state store that all share (`state.kind` shared-directory or blob), ' +
  'let one `run` fill it, and repeat; or say --one-host where every instance has this directory.';

/** The new partitions begin with snapshots that lie in the state store alone: the log no longer holds what they are made of. */
export function isStateFindable({ state, transport }: Pick<Configuration, 'state' | 'transport'>, oneHost: boolean): boolean {
  return oneHost || transport.kind === 'log' || state.kind !== 'directory';
}

type Moves = { readonly from: number; readonly to: number; readonly families: readonly FamilyMove[] };

function tellDone(done: readonly Moves[], output: Output): void {
  if (done.length === 0) output.line('the topic features has that many partitions already');
  for (const moves of done) tellMoves(moves, output);
  if (done.length > 0) output.note('the topic features has its new partitions');
}

function tellMoves({ from, to, families }: Moves, output: Output): void {
  output.line(`features: ${counted(from, 'partition')} -> ${to}`);
  if (families.length === 0) return;
  output.lines(tableText(['FAMILY', 'FROM', 'TO', 'ITEMS'], families.map((move) => [move.family, String(move.from), String(move.to), String(move.items)])));
}
