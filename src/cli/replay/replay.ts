/** `replay`: lets inputs be processed once more, with a corrected configuration or a new model. */
import { Option, type Command } from 'commander';
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import { eventTopics, topics } from '../../core/topics.ts';
import { readRange } from '../../pipeline/read-range.ts';
import { replayRecord } from '../../pipeline/redrive.ts';
import { createBatchAppender } from '../../pipeline/batch-appender.ts';
import { progressOf } from '../progress.ts';
import { collected, collectedPartition } from '../collect.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { eventIn } from '../../codec/decoded.ts';
import { withExamples } from '../help.ts';
import { tableText, type Output } from '../output.ts';
import { parsedLandmark } from '../time-option.ts';
import { parsedTopic } from '../topic-names.ts';
import { stepChooser, type ChooseSteps } from './chosen-steps.ts';
import { checkRange, rangesOf, type Range, type RangeOptions } from './ranges.ts';

type ReplayOptions = ConfigurationOptions & {
  readonly from: string;
  readonly until?: string;
  readonly topic?: string;
  readonly partition: readonly number[];
  readonly route: readonly string[];
  readonly task: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

export function addReplayCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('replay'))
    .summary('process inputs once more')
    .description(
      'append inputs that are in the log to the topic replay, which EXTRACT reads. Their results keep their ids, so that a consumer drops what is equal; after a ' +
        'model and its revision were raised, the new results replace the old ones. What was forgotten or deleted since stays out of the collections',
    )
    .requiredOption('--from <sequence|time>', 'the first record: a sequence (with --topic), or an append time (ISO 8601)')
    .option('--until <sequence|time>', 'the first record that is not replayed; without it, the end as it is now')
    .addOption(new Option('--topic <topic>', 'only this topic; without it, all three').choices(eventTopics).argParser(parsedTopic(eventTopics)))
    .option('--partition <number>', 'only this partition; may be repeated', collectedPartition, [])
    .option('--route <name>', 'only the steps of this route; may be repeated', collected, [])
    .option('--task <task>', 'only the steps with this task, and those that they read; may be repeated', collected, [])
    .option('--dry-run', 'tell what would be replayed, and write nothing')
    .option('--json', 'one JSON object per partition, then one with the sums')
    .action(async (options: ReplayOptions) => {
      const range: RangeOptions = {
        topics: options.topic === undefined ? [] : [options.topic],
        partitions: options.partition,
        from: parsedLandmark('--from', options.from),
        until: options.until === undefined ? undefined : parsedLandmark('--until', options.until),
      };
      checkRange(range);
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, async (access) => {
        const choose = stepChooser(access.configuration.routes, { routes: options.route, tasks: options.task });
        await replay(access, await rangesOf(access, range), { choose, dryRun: options.dryRun === true }, output, commandLine.signal);
      });
    });
  withExamples(
    command,
    'labelstream replay --from 2026-05-17T08:00:00Z --until 2026-05-17T09:00:00Z -c examples/news.yaml',
    'labelstream replay --topic text.events --partition 0 --from 120 --task text-classification --dry-run -c examples/news.yaml',
  );
}

type Done = Range & { replayed: number; skipped: number; firstMs: number | undefined; lastMs: number | undefined };
type Asked = { readonly choose: ChooseSteps; readonly dryRun: boolean };

async function replay(access: Access, ranges: readonly Range[], { choose, dryRun }: Asked, output: Output, signal: AbortSignal): Promise<void> {
  const { partitionCount } = await access.transport.describeTopic(topics.replay);
  const appender = createBatchAppender(access.transport, !dryRun);
  const total = ranges.reduce((sum, { from, until }) => sum + Number(until.sequence - from.sequence), 0);
  const progress = await progressOf(output, dryRun ? 'reading' : 'replaying', total);
  const all: Done[] = [];
  let seen = 0;
  try {
    for (const range of ranges) {
      const done: Done = { ...range, replayed: 0, skipped: 0, firstMs: undefined, lastMs: undefined };
      all.push(done);
      for await (const records of readRange(access.transport, range, range, signal)) {
        for (const record of records) {
          const steps = await choose(() => eventIn(access.codec, record.value, signal));
          if (steps?.length === 0) {
            done.skipped += 1;
            continue;
          }
          await appender.append(replayRecord(record, steps, partitionCount));
          done.replayed += 1;
          done.firstMs ??= record.appendTimeMs;
          done.lastMs = record.appendTimeMs;
        }
        progress.update((seen += records.length));
      }
    }
    await appender.flush();
  } catch (error) {
    if (!dryRun) output.note(`${counted(appender.appended(), 'record')} replayed before the failure; the same command again repeats them under the same ids`);
    throw error;
  } finally {
    progress.stop();
  }
  if (appender.appended() === 0) throw cliError('LS_CLI_RANGE_EMPTY', `none of ${counted(seen, 'record')} in the range has a step that was asked for`);
  tell(output, all, appender.appended(), dryRun);
}

function tell(output: Output, all: readonly Done[], replayed: number, dryRun: boolean): void {
  const skipped = all.reduce((sum, done) => sum + done.skipped, 0);
  const timeText = (timeMs: number | undefined): string => (timeMs === undefined ? '' : new Date(timeMs).toISOString());
  if (output.json) {
    for (const { topic, partition, from, until, ...done } of all) {
      output.object({
        topic, partition, from: from.sequence, until: until.sequence, records: done.replayed, skipped: done.skipped,
        firstAppendTime: timeText(done.firstMs) || null, lastAppendTime: timeText(done.lastMs) || null,
      });
    }
    output.object({ replayed: dryRun ? 0 : replayed, wouldReplay: dryRun ? replayed : 0, skipped, dryRun, topic: topics.replay });
    return;
  }
  const rows = all.map(({ topic, partition, from, until, ...done }) => [
    topic, partition, String(from.sequence), String(until.sequence), done.replayed, timeText(done.firstMs), timeText(done.lastMs),
  ]);
  output.lines(tableText(['TOPIC', 'PARTITION', 'FROM', 'UNTIL', 'RECORDS', 'FIRST', 'LAST'], rows));
  output.line(`${dryRun ? 'would replay' : 'replayed'} ${counted(replayed, 'record')}${skipped === 0 ? '' : `; ${skipped} have no such step`}`);
}
