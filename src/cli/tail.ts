/** `tail`: the records of a topic as they come, decoded where they are events. */
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import type { Access } from '../open-access.ts';
import { cliError } from '../core/errors/cli.ts';
import type { ConsumedRecord, Position } from '../core/records.ts';
import { headerNames } from '../pipeline/headers.ts';
import { allTopics } from '../core/topics.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { shownContent } from '../codec/decoded.ts';
import { eventText } from './event-text.ts';
import { withExamples } from './help.ts';
import { clipped, type Output } from './output.ts';
import { ownTopic, parsedTopic } from './topic-names.ts';

type Positions = ReadonlyMap<number, Position>;

type TailOptions = ConfigurationOptions & {
  readonly from: Positions;
  readonly fromStart?: boolean;
  readonly untilEnd?: boolean;
  readonly json?: boolean;
  readonly encoded?: boolean;
};

const noPositions: Positions = new Map();

const lineLength = 160;
const budget = { records: 500, bytes: 4 * 1024 * 1024 };

export function addTailCommand(program: Command, commandLine: CommandLine): void {
  const command = withConfigurationOptions(program.command('tail'))
    .addArgument(new Argument('<topic>', 'the topic').choices(allTopics).argParser(parsedTopic(allTopics)))
    .summary('print the records of a topic as they arrive')
    .description(
      'print the records of a topic as they arrive, in the order of each partition. A consumer that keeps its place takes `nextPosition` of the last record of ' +
        'each partition and gives it to --from the next time',
    )
    .option('--from <partition:position>', 'begin a partition at the nextPosition of a record; may be repeated', positionOption, noPositions)
    .option('--from-start', 'begin with the first record kept instead of the next one')
    .option('--until-end', 'stop at the end as it is now')
    .option('--json', 'one JSON object per record')
    .addOption(new Option('--encoded', 'as --json, with the value as it is in the topic (Avro), in base64, for programs that decode it').implies({ json: true }))
    .action(async (topic: string, options: TailOptions) => {
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, (access) => tailTopic(access, topic, options, output, commandLine.signal));
    });
  withExamples(command, 'labelstream tail labels -c examples/news.yaml --from-start --until-end --json', 'labelstream tail dead-letters -c examples/news.yaml --from-start');
}

function positionOption(text: string, before: Positions): Positions {
  const colon = text.indexOf(':');
  const partition = Number(text.slice(0, colon));
  if (colon < 1 || !Number.isInteger(partition) || colon === text.length - 1) throw new InvalidArgumentError('Write it as partition:position.');
  return new Map([...before, [partition, text.slice(colon + 1)]]);
}

async function tailTopic(access: Access, named: string, options: TailOptions, output: Output, signal: AbortSignal): Promise<void> {
  const topic = ownTopic(access.configuration, named, allTopics);
  const { partitionCount } = await access.transport.describeTopic(topic);
  const foreign = [...options.from.keys()].find((partition) => partition >= partitionCount);
  if (foreign !== undefined) throw cliError('LS_CLI_USAGE', `--from names partition ${foreign}, but ${topic} has the partitions 0 to ${partitionCount - 1}`, { topic });
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  await Promise.all(partitions.map((partition) => tailPartition(access, { topic, partition }, options, output, signal)));
}

async function tailPartition(
  { transport, codec }: Access,
  topicPartition: { readonly topic: string; readonly partition: number },
  { from, fromStart, untilEnd, encoded }: TailOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { start, end } = await transport.bounds(topicPartition);
  const atEnd = { position: end.position, sequence: end.sequence - 1n };
  const first = from.get(topicPartition.partition) ?? (fromStart === true ? start.position : end.position);
  let { position, sequence } = first === end.position ? atEnd : { position: first, sequence: start.sequence - 1n };
  while (!signal.aborted && !(untilEnd === true && sequence >= end.sequence - 1n)) {
    const records = await transport.read(topicPartition, position, budget, signal);
    for (const record of records) {
      if (untilEnd === true && record.sequence >= end.sequence) return;
      if (encoded === true) output.object({ ...placeOf(record), value: record.value });
      else await print(record, codec, output, signal);
      ({ nextPosition: position, sequence } = record);
    }
  }
}

async function print(record: ConsumedRecord, codec: Access['codec'], output: Output, signal: AbortSignal): Promise<void> {
  const { event, note } = await shownContent(codec, record.value, signal);
  if (!output.json) {
    const code = record.headers.get(headerNames.errorCode)?.toString();
    const reason = record.headers.get(headerNames.errorMessage)?.toString() ?? '';
    const content = event === undefined ? note : eventText(event);
    const text = code === undefined ? content : `${reason} | ${content}`;
    output.line(`${new Date(record.appendTimeMs).toISOString()}  ${record.partition}:${record.sequence}  ${clipped(code === undefined ? text : `${code}  ${text}`, lineLength)}`);
    return;
  }
  output.object({ ...placeOf(record), schema: event?.schema ?? null, value: event?.event ?? record.value });
}

function placeOf(record: ConsumedRecord): Readonly<Record<string, unknown>> {
  return {
    topic: record.topic,
    partition: record.partition,
    sequence: record.sequence,
    nextPosition: record.nextPosition,
    appendTime: new Date(record.appendTimeMs).toISOString(),
    key: record.key?.toString() ?? null,
    headers: Object.fromEntries([...record.headers].map(([name, value]) => [name, value.toString()])),
  };
}
