/** `tail`: the records of a topic as they come, decoded where they are events. */
import type { Command } from 'commander';
import type { Access } from '../compose.ts';
import { cliError } from '../core/errors/cli.ts';
import { LabelstreamError } from '../core/errors/error.ts';
import type { ConsumedRecord } from '../core/records.ts';
import { headerNames } from '../pipeline/headers.ts';
import { allTopics } from '../core/topics.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from './context.ts';
import { eventText } from './event-text.ts';
import { clipped, type Output } from './output.ts';

type TailOptions = ConfigurationOptions & { readonly fromStart?: boolean; readonly untilEnd?: boolean; readonly json?: boolean };

const lineLength = 160;
const budget = { records: 500, bytes: 4 * 1024 * 1024 };

export function addTailCommand(program: Command, commandLine: CommandLine): void {
  withConfigurationOptions(program.command('tail'))
    .argument('<topic>', `one of ${allTopics.join(', ')}`)
    .description('print the records of a topic as they arrive: in the order of each partition')
    .option('--from-start', 'begin with the first record kept instead of the next one')
    .option('--until-end', 'stop at the end as it is now')
    .option('--json', 'one JSON object per record')
    .addHelpText('after', '\nExample:\n  labelstream tail labels -c examples/news.yaml --from-start --until-end --json')
    .action(async (topic: string, options: TailOptions) => {
      if (!allTopics.includes(topic)) throw cliError('LS_CLI_USAGE', `there is no topic "${topic}"; there are ${allTopics.join(', ')}`, { topic });
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, (access) => tailTopic(access, topic, options, output, commandLine.signal));
    });
}

async function tailTopic(access: Access, topic: string, options: TailOptions, output: Output, signal: AbortSignal): Promise<void> {
  const { partitionCount } = await access.transport.describeTopic(topic);
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  await Promise.all(partitions.map((partition) => tailPartition(access, { topic, partition }, options, output, signal)));
}

async function tailPartition(
  { transport, codec }: Access,
  topicPartition: { readonly topic: string; readonly partition: number },
  { fromStart, untilEnd }: TailOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const { start, end } = await transport.bounds(topicPartition);
  let { position, sequence } = fromStart === true ? { position: start.position, sequence: start.sequence - 1n } : { position: end.position, sequence: end.sequence - 1n };
  while (!signal.aborted && !(untilEnd === true && sequence >= end.sequence - 1n)) {
    const records = await transport.read(topicPartition, position, budget, signal);
    for (const record of records) {
      if (untilEnd === true && record.sequence >= end.sequence) return;
      print(record, codec, output);
      ({ nextPosition: position, sequence } = record);
    }
  }
}

type Decoder = Access['codec'];

function print(record: ConsumedRecord, codec: Decoder, output: Output): void {
  const event = eventOf(record, codec);
  if (!output.json) {
    const code = record.headers.get(headerNames.errorCode)?.toString();
    const reason = record.headers.get(headerNames.errorMessage)?.toString() ?? '';
    const content = event === undefined ? `${record.value.length} bytes that are no event` : eventText(event);
    const text = code === undefined ? content : `${reason} | ${content}`;
    output.line(`${new Date(record.appendTimeMs).toISOString()}  ${record.partition}:${record.sequence}  ${clipped(code === undefined ? text : `${code}  ${text}`, lineLength)}`);
    return;
  }
  output.object({
    topic: record.topic,
    partition: record.partition,
    sequence: record.sequence,
    appendTime: new Date(record.appendTimeMs).toISOString(),
    key: record.key?.toString() ?? null,
    headers: Object.fromEntries([...record.headers].map(([name, value]) => [name, value.toString()])),
    schema: event?.schema ?? null,
    value: event?.event ?? record.value,
  });
}

/** Undefined for what is no event, such as a dead letter of garbage. */
function eventOf(record: ConsumedRecord, codec: Decoder): ReturnType<Decoder['decode']> | undefined {
  try {
    return codec.decode(record.value);
  } catch (error) {
    if (error instanceof LabelstreamError) return undefined;
    throw error;
  }
}
