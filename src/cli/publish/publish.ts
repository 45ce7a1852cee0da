/** `publish`: texts or records from files into their input topic, in batches, beside a live `run` or without one. */
import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { Access } from '../../compose.ts';
import { cliError } from '../../core/errors/cli.ts';
import { itemIdOf } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, recordBytes, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import type { Output } from '../output.ts';
import { readRows, type InputRow } from './input-rows.ts';
import { recordEventOf, textEventOf, type RowOptions } from './row-events.ts';

type PublishOptions = ConfigurationOptions & {
  readonly source: string;
  readonly collection?: string;
  readonly attribute: readonly string[];
  readonly attributeColumn: readonly string[];
  readonly textColumn?: readonly string[];
  readonly idColumn?: string;
  readonly header: boolean;
  readonly json?: boolean;
};

type Kind = 'text' | 'records';

const batchRecordsMax = 500;
const batchBytesMax = 1024 * 1024;

export function addPublishCommand(program: Command, commandLine: CommandLine): void {
  const publish = program.command('publish').description('publish events from files');
  addKind(publish.command('text'), 'text', commandLine)
    .description('publish texts: CSV, JSON lines (fields id, text, language, occurredAt, deleted) or plain lines')
    .option('--text-column <name>', 'column with the text; repeated columns are joined by a blank', collect, [])
    .addHelpText('after', '\nExample:\n  labelstream publish text news.csv --no-header --text-column 2 --text-column 3 --source news -c examples/news.yaml');
  addKind(publish.command('records'), 'records', commandLine)
    .description('publish records: every column that is not named otherwise is a number')
    .addHelpText('after', '\nExample:\n  labelstream publish records notes.csv --attribute-column class -c examples/banknotes.yaml');
}

function addKind(command: Command, kind: Kind, commandLine: CommandLine): Command {
  return withConfigurationOptions(command)
    .argument('<path...>', 'files: .csv, .jsonl, .ndjson, .txt')
    .option('--source <name>', 'source of the events', 'publish')
    .option('--id-column <name>', 'column with the id; without it file name and line')
    .option('--collection <name>', 'what ${collection} is in collection templates')
    .option('--attribute <name=value>', 'attribute of every event; may be repeated', collect, [])
    .option('--attribute-column <name>', 'column kept as attribute; may be repeated', collect, [])
    .option('--no-header', 'the first line of a CSV is data; columns are numbered from 1')
    .option('--json', 'the result as one JSON object')
    .action(async (paths: readonly string[], options: PublishOptions) => {
      const output = outputOf(commandLine, options.json);
      await withAccess(options, commandLine, (access) => publish(access, kind, paths, options, output, commandLine.signal));
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function publish(
  access: Access,
  kind: Kind,
  paths: readonly string[],
  options: PublishOptions,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const rowOptions = rowOptionsOf(options, access);
  const sizes = await Promise.all(paths.map(fileSize));
  const bar = output.terminal ? new SingleBar({ format: 'publishing {bar} {percentage}% | {events} events', stream: process.stderr }) : undefined;
  bar?.start(sizes.reduce((sum, size) => sum + size, 0), 0, { events: 0 });
  let published = 0;
  let bytesBefore = 0;
  let batch = emptyBatch();
  const flush = async (): Promise<void> => {
    if (batch.records.length > 0) await access.transport.append(batch.records);
    published += batch.records.length;
    bar?.increment(0, { events: published });
    batch = emptyBatch();
  };
  try {
    for (const [index, path] of paths.entries()) {
      for await (const row of readRows(path, { header: options.header }, (bytes) => bar?.update(bytesBefore + bytes))) {
        signal.throwIfAborted();
        const record = recordOf(access, kind, row, rowOptions);
        batch.records.push(record);
        batch.bytes += recordBytes(record);
        if (batch.records.length >= batchRecordsMax || batch.bytes >= batchBytesMax) await flush();
      }
      bytesBefore += sizes[index] ?? 0;
    }
    await flush();
  } finally {
    bar?.stop();
  }
  if (output.json) output.object({ published, topic: kind === 'text' ? topics.text : topics.record });
  else output.line(`published ${published} events to ${kind === 'text' ? topics.text : topics.record}`);
}

type Batch = { readonly records: OutputRecord[]; bytes: number };

function emptyBatch(): Batch {
  return { records: [], bytes: 0 };
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw cliError('LS_CLI_INPUT', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}

function recordOf({ codec, partitionCount, configuration }: Access, kind: Kind, row: InputRow, options: RowOptions): OutputRecord {
  const event = kind === 'text' ? textEventOf(row, options) : recordEventOf(row, options);
  const value = 'text' in event ? codec.encode('TextEvent', event) : codec.encode('RecordEvent', event);
  const key = itemIdOf(event);
  const topic = kind === 'text' ? topics.text : topics.record;
  const record = { topic, partition: partitionForKey(key, partitionCount), key: Buffer.from(key), value, headers: noHeaders };
  if (recordBytes(record) <= configuration.transport.recordBytesMax) return record;
  const { recordBytesMax } = configuration.transport;
  throw cliError('LS_CLI_INPUT', `${row.file}, line ${row.line}: the event has ${recordBytes(record)} bytes; at most ${recordBytesMax} are allowed`);
}

function rowOptionsOf(options: PublishOptions, { context }: Access): RowOptions {
  const attributes = options.attribute.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 1) throw cliError('LS_CLI_USAGE', `--attribute ${text} is not of the form name=value`);
    return [text.slice(0, equals), text.slice(equals + 1)] as const;
  });
  return {
    source: options.source,
    collection: options.collection,
    attributes: Object.fromEntries(attributes),
    textColumns: options.textColumn === undefined || options.textColumn.length === 0 ? ['text'] : options.textColumn,
    idColumn: options.idColumn,
    attributeColumns: options.attributeColumn,
    nowMs: context.clock.nowMs,
  };
}
