/** `groups reset`: where EXTRACT goes on, as an operator decides it, for one who accepts a gap that retention left (SEMANTICS.md, rule 23). */
import { Option, type Command } from 'commander';
import type { Access } from '../open-access.ts';
import { startAtOf } from '../stage-groups.ts';
import { cliError } from '../core/errors/cli.ts';
import { inputTopics, topics } from '../core/topics.ts';
import type { TopicPartition } from '../core/records.ts';
import { clusterStageName } from '../stages/cluster/stage-name.ts';
import type { Bound, Landmark } from '../pipeline/transport.ts';
import { collectedPartition } from './collect.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { withExamples } from './help.ts';
import { tableText, type Output } from './output.ts';
import { parsedLandmark } from './time-option.ts';
import { ownTopic, parsedTopic } from './topic-names.ts';

const resettable: readonly string[] = [...inputTopics, topics.features];

type ResetOptions = ConfigurationOptions & {
  readonly topic: string;
  readonly partition: readonly number[];
  readonly to: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

export function addGroupsCommand(program: Command, commandLine: CommandLine): void {
  const groups = program
    .command('groups')
    .summary('set where processing goes on')
    .description('set where processing goes on; `labelstream lag` tells where it is');
  withExamples(groups, 'labelstream groups reset --topic text.events --to earliest -c examples/news.yaml');
  const command = withConfigurationOptions(groups.command('reset'))
    .summary('set the position of EXTRACT in an input topic')
    .description(
      'set the position of EXTRACT in an input topic, or one of CLUSTER in features that is gone, while no `run` works: to accept a gap where retention removed what was not processed yet (LS_TRANSPORT_POSITION_LOST), ' +
        'to leave records out, or to have them processed again under the same ids (which `replay` does without a stop). A position that CLUSTER has is not touched: it belongs to its state. One that expired is set: what lies before it is folded, and its outputs are not told again',
    )
    .addOption(new Option('--topic <topic>', 'the input topic, or features').choices(resettable).argParser(parsedTopic(resettable)).makeOptionMandatory())
    .option('--partition <number>', 'only this partition; may be repeated', collectedPartition, [])
    .requiredOption('--to <place>', 'the next record to be processed: earliest (the first one kept), latest (the next to come), a sequence, or an append time (ISO 8601); what is not there is the next one kept')
    .option('--dry-run', 'tell what would be set, and set nothing; also beside a live `run`')
    .option('--json', 'one JSON object per partition')
    .action(async (options: ResetOptions) => {
      const place = options.to === 'earliest' || options.to === 'latest' ? options.to : parsedLandmark('--to', options.to);
      const use = (access: Access): Promise<void> => reset(access, options, place, outputOf(commandLine, options.json));
      // On the embedded log the owner of the directory is the only one who can have members; on Kafka the brokers know.
      await withAccess(options, commandLine, use, { role: options.dryRun === true ? 'any' : 'owner-required' });
    });
  withExamples(
    command,
    'labelstream groups reset --topic text.events --to earliest --dry-run -c examples/news.yaml',
    'labelstream groups reset --topic text.events --partition 0 --to 2026-05-17T08:00:00Z -c examples/news.yaml',
  );
}

type Move = TopicPartition & {
  /** The next sequence before; undefined where the group never stood anywhere. */
  readonly before: bigint | undefined;
  /** Where it would go on without this. */
  readonly from: bigint;
  readonly to: Bound;
};

async function reset(access: Access, { topic: named, partition, dryRun }: ResetOptions, place: 'earliest' | 'latest' | Landmark, output: Output): Promise<void> {
  const { transport, configuration } = access;
  const topic = ownTopic(configuration, named, resettable);
  const isFold = topic === topics.features;
  const group = `${configuration.group}-${isFold ? clusterStageName : 'extract'}`;
  const moves: Move[] = [];
  for (const number of await partitionsOf(access, topic, partition)) {
    const location = { topic, partition: number };
    const committed = await transport.committed(group, location);
    if (isFold && committed !== undefined) continue;
    const bounds = await transport.bounds(location);
    const to = place === 'earliest' ? bounds.start : place === 'latest' ? bounds.end : await transport.boundAt(location, place);
    const before = committed === undefined ? undefined : committed.sequence + 1n;
    // The fold begins with its state, wherever its position is.
    const first = isFold ? to : startAtOf(configuration, topic) === 'earliest' ? bounds.start : bounds.end;
    moves.push({ ...location, before, from: before ?? first.sequence, to });
  }
  if (isFold && moves.length === 0) throw cliError('LS_CLI_USAGE', `${group} has its positions in ${topic}: they belong to its state and are not set`);
  if (dryRun !== true) {
    await transport.resetGroup(
      group,
      moves.map(({ topic: name, partition: number, to }) => ({
        topic: name,
        partition: number,
        checkpoint: { position: to.position, sequence: to.sequence - 1n, outputsSent: 0 },
      })),
    );
  }
  tell(group, moves, dryRun === true, output);
}

async function partitionsOf({ transport }: Access, topic: string, named: readonly number[]): Promise<readonly number[]> {
  const { partitionCount } = await transport.describeTopic(topic);
  const unknown = named.find((partition) => partition >= partitionCount);
  if (unknown !== undefined) throw cliError('LS_CLI_USAGE', `${topic} has the partitions 0 to ${partitionCount - 1}; there is no partition ${unknown}`);
  return named.length > 0 ? [...new Set(named)] : Array.from({ length: partitionCount }, (_, partition) => partition);
}

function tell(group: string, moves: readonly Move[], dryRun: boolean, output: Output): void {
  if (output.json) {
    for (const { topic, partition, before, to } of moves) output.object({ group, topic, partition, before: before ?? null, next: to.sequence, dryRun });
    return;
  }
  const rows = moves.map((move) => [group, move.topic, String(move.partition), move.before === undefined ? 'never' : String(move.before), String(move.to.sequence), effectText(move)]);
  output.lines(tableText(['GROUP', 'TOPIC', 'PARTITION', 'NEXT BEFORE', 'NEXT', 'EFFECT'], rows));
  output.note(dryRun ? 'nothing was set: --dry-run' : 'the positions are set');
}

function effectText({ before, from, to: { sequence: next } }: Move): string {
  if (from === next) return 'none';
  if (next > from) return `${next - from} left out`;
  return `${from - next} ${before === undefined ? 'more' : 'again'}`;
}
