/** `publish`: texts or records from files into their input topic, in batches, beside a live `run` or without one. */
import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { Access } from '../../compose.ts';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { identifierMistake, itemIdOf } from '../../core/ids.ts';
import { partitionForKey } from '../../core/partitioning.ts';
import { noHeaders, recordBytes, type OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { outputOf, withAccess, withConfigurationOptions, type CommandLine, type ConfigurationOptions } from '../context.ts';
import { withExamples } from '../help.ts';
import type { Output } from '../output.ts';
import { readRows, requireReadable, type InputRow } from './input-rows.ts';
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

const topicOf = { text: topics.text, records: topics.record } as const satisfies Record<Kind, string>;
const batchRecordsMax = 500;
const batchBytesMax = 1024 * 1024;

export function addPublishCommand(program: Command, commandLine: CommandLine): void {
  const publish = program
    .command('publish')
    .summary('publish events from files')
    .description('publish events from files into their input topic, beside a live `run` or without one. An event with the id of an earlier one replaces it');
  withExamples(publish, 'labelstream publish text news.jsonl --source news -c examples/news.yaml');
  const text = addKind(publish.command('text'), 'text', commandLine)
    .summary('publish texts')
    .description('publish texts: CSV, JSON lines (fields id, text, language, occurredAt, deleted) or plain lines')
    .option('--text-column <name>', 'column with the text; repeated columns are joined by a blank', collect, []);
  withExamples(
    text,
    'labelstream publish text news.csv --no-header --text-column 2 --text-column 3 --source news -c examples/news.yaml',
    'labelstream publish text lines.txt --source notes -c examples/news.yaml',
  );
  const records = addKind(publish.command('records'), 'records', commandLine)
    .summary('publish records')
    .description('publish records, from CSV or JSON lines: every column that is not named otherwise is a number');
  withExamples(records, 'labelstream publish records notes.csv --attribute-column class -c examples/banknotes.yaml');
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
      const rowOptions = rowOptionsOf(options);
      const files = await Promise.all(paths.map(inputFile));
      await withAccess(options, commandLine, async (access) => {
        const published = await publish(access, kind, files, { ...rowOptions, nowMs: access.context.clock.nowMs }, output, commandLine.signal);
        if (output.json) output.object({ published, topic: topicOf[kind] });
        else output.line(`published ${eventCount(published)} to ${topicOf[kind]}`);
      });
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

type PublishRowOptions = RowOptions & { readonly header: boolean };

/** How many were acknowledged. */
async function publish(
  access: Access,
  kind: Kind,
  files: readonly InputFile[],
  options: PublishRowOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const bar = output.terminal ? new SingleBar({ format: 'publishing {bar} {percentage}% | {events} events', stream: process.stderr }) : undefined;
  bar?.start(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), 0, { events: 0 });
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
    for (const { path, sizeBytes } of files) {
      for await (const row of readRows(path, options, (bytes) => bar?.update(bytesBefore + bytes))) {
        signal.throwIfAborted();
        const record = recordOf(access, kind, row, options);
        batch.records.push(record);
        batch.bytes += recordBytes(record);
        if (batch.records.length >= batchRecordsMax || batch.bytes >= batchBytesMax) await flush();
      }
      bytesBefore += sizeBytes;
    }
    await flush();
    return published;
  } catch (error) {
    bar?.stop();
    output.note(whatIsPublished(published, batch.records.length, error));
    throw error;
  } finally {
    bar?.stop();
  }
}

/** A lost connection is the one failure after which a batch may be there all the same. */
function whatIsPublished(published: number, batchSize: number, error: unknown): string {
  const before = `${eventCount(published)} published before the failure`;
  if (!(error instanceof LabelstreamError && error.code === 'LS_LOG_OWNER_LOST')) return before;
  return `${before}; whether the next ${batchSize} are, too, is unknown. Publish the files again: an event with the same id replaces the one before.`;
}

function eventCount(count: number): string {
  return count === 1 ? '1 event' : `${count} events`;
}

type Batch = { readonly records: OutputRecord[]; bytes: number };

function emptyBatch(): Batch {
  return { records: [], bytes: 0 };
}

type InputFile = { readonly path: string; readonly sizeBytes: number };

/** All are looked at before any is published. */
async function inputFile(path: string): Promise<InputFile> {
  requireReadable(path);
  try {
    return { path, sizeBytes: (await stat(path)).size };
  } catch (error) {
    throw cliError('LS_CLI_INPUT', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}

function recordOf({ codec, partitionCount, configuration }: Access, kind: Kind, row: InputRow, options: RowOptions): OutputRecord {
  const event = kind === 'text' ? textEventOf(row, options) : recordEventOf(row, options);
  const refused = (message: string): Error => cliError('LS_CLI_INPUT', `${row.file}, line ${row.line}: ${message}`, { file: row.file, line: row.line });
  const mistake = identifierMistake(event);
  if (mistake !== undefined) throw refused(mistake.message);
  const value = 'text' in event ? codec.encode('TextEvent', event) : codec.encode('RecordEvent', event);
  const key = itemIdOf(event);
  const record = { topic: topicOf[kind], partition: partitionForKey(key, partitionCount), key: Buffer.from(key), value, headers: noHeaders };
  const { recordBytesMax } = configuration.transport;
  if (recordBytes(record) > recordBytesMax) throw refused(`the event has ${recordBytes(record)} bytes; at most ${recordBytesMax} are allowed`);
  return record;
}

function rowOptionsOf(options: PublishOptions): Omit<PublishRowOptions, 'nowMs'> {
  const attributes = options.attribute.map((text) => {
    const equals = text.indexOf('=');
    if (equals < 1) throw cliError('LS_CLI_USAGE', `--attribute ${text} is not of the form name=value`);
    return [text.slice(0, equals), text.slice(equals + 1)] as const;
  });
  const mistake = identifierMistake({ source: options.source, id: '-' });
  if (mistake !== undefined) throw cliError('LS_CLI_USAGE', `--source ${options.source}: ${mistake.message}`);
  return {
    source: options.source,
    collection: options.collection,
    attributes: Object.fromEntries(attributes),
    textColumns: options.textColumn === undefined || options.textColumn.length === 0 ? ['text'] : options.textColumn,
    idColumn: options.idColumn,
    attributeColumns: options.attributeColumn,
    header: options.header,
  };
}
