/** `lag`: how far the stages are behind, beside a live `run` or without one. */
import type { Command } from 'commander';
import type { Access } from '../open-access.ts';
import { inputTopics, topics } from '../core/topics.ts';
import { oldestUnprocessedMs, topicLag, type PartitionLag } from '../pipeline/lag.ts';
import { readDesiredState } from '../pipeline/desired-state.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { durationText } from '../core/duration-text.ts';
import { withExamples } from './help.ts';
import { tableText, type Output } from './output.ts';

export function addLagCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('lag'))
    .summary('tell how far processing is behind')
    .description(
      'tell for each group, topic and partition the sequence of the last record that is committed, that of the last one there is, how many are between, and how ' +
        'long ago the oldest of them was appended (with --json `end` is one above the last). A group that has committed nothing in a partition yet stands at `never`, one that has handled nothing of what is kept there at `start`. It only reads, beside a live `run` or without one',
    )
    .option('--json', 'one JSON object per partition, then one with the sums')
    .action(async (options: ConfigurationOptions & { readonly json?: boolean }) => {
      await withAccess(options, commandLine, (access) => tellLag(access, outputOf(commandLine, options.json), commandLine.signal));
    });
  withExamples(command, 'labelstream lag -c examples/news.yaml', 'labelstream lag --json -c examples/news.yaml');
}

type Row = PartitionLag & { readonly oldestAgeMs: number | undefined };

async function tellLag(access: Access, output: Output, signal: AbortSignal): Promise<void> {
  const { transport, configuration, context } = access;
  const reads = [...inputTopics.map((topic) => ({ stage: 'extract', topic })), { stage: 'cluster', topic: topics.features }];
  const rows: Row[] = [];
  for (const { stage, topic } of reads) {
    for (const lag of await topicLag(transport, `${configuration.group}-${stage}`, await transport.describeTopic(topic))) {
      const oldestMs = await oldestUnprocessedMs(transport, lag, signal);
      // The clocks of a broker and of this machine may differ.
      rows.push({ ...lag, oldestAgeMs: oldestMs === undefined ? undefined : Math.max(0, context.clock.nowMs() - oldestMs) });
    }
  }
  const paused = await pausedInputsOf(access);
  const ages = rows.flatMap(({ oldestAgeMs }) => oldestAgeMs ?? []);
  const total = { lag: rows.reduce((sum, { records }) => sum + records, 0n), oldestAgeMs: ages.length === 0 ? undefined : Math.max(...ages) };
  if (output.json) {
    for (const { group, topic, partition, committed, end, records, oldestAgeMs, positionLost } of rows) {
      output.object({ group, topic, partition, committed: committed ?? null, end, lag: records, oldestAgeMs: oldestAgeMs ?? null, positionLost, paused: paused?.includes(topic) ?? null });
    }
    output.object({ total: { lag: total.lag, oldestAgeMs: total.oldestAgeMs ?? null } });
  } else {
    const lines = rows.map(({ group, topic, partition, committed, start, end, records, oldestAgeMs }) => [
      group, topic, partition, committed === undefined ? 'never' : committed === start - 1n ? 'start' : String(committed), end === start ? 'none' : String(end - 1n), String(records),
      durationText(oldestAgeMs),
    ]);
    output.lines(tableText(['GROUP', 'TOPIC', 'PARTITION', 'COMMITTED', 'LAST', 'LAG', 'OLDEST'], [...lines, ['total', '', '', '', '', String(total.lag), durationText(total.oldestAgeMs)]]));
  }
  if (paused === undefined) output.note('the state store does not answer: whether inputs are paused is not known');
  for (const topic of paused ?? []) output.note(`${topic} is paused: \`labelstream inputs resume ${topic}\` has it read again`);
  for (const { group, topic, partition } of rows.filter(({ positionLost }) => positionLost)) {
    output.note(`the position of ${group} in partition ${partition} of ${topic} is not in the topic any more: its stage cannot start there`);
  }
}

/** How far processing is behind is told without the state store, too. */
const stateMsMax = 2_000;

async function pausedInputsOf({ stateStore, configuration, context: { clock } }: Access): Promise<readonly string[] | undefined> {
  const over = new AbortController();
  const read = readDesiredState(stateStore, configuration.group).then(({ pausedInputs }) => pausedInputs, () => undefined);
  const paused = await Promise.race([read, clock.sleep(stateMsMax, over.signal).then(() => undefined)]);
  over.abort();
  return paused;
}
