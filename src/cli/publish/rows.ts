/** `publish text` and `publish records`: the rows of files. */
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Access } from '../../open-access.ts';
import { counted } from '../../core/counted.ts';
import { cliError } from '../../core/errors/cli.ts';
import type { OutputRecord } from '../../core/records.ts';
import { topics } from '../../core/topics.ts';
import { collected } from '../collect.ts';
import { outputOf, withAccess, type CommandLine } from '../context.ts';
import { withExamples } from '../help.ts';
import { eventOptionsOf, withEventOptions, type EventCommandOptions } from './event-options.ts';
import { readRows, requireReadable, type InputRow } from './input-rows.ts';
import { eventRecord, publishRecords, type InputRecords } from './publisher.ts';
import { recordEventOf, textEventOf, type RowOptions } from './row-events.ts';

type RowCommandOptions = EventCommandOptions & {
  readonly attributeColumn: readonly string[];
  readonly textColumn?: readonly string[];
  readonly idColumn?: string;
  readonly header: boolean;
};

type Kind = 'text' | 'records';

const topicOf = { text: topics.text, records: topics.record } as const satisfies Record<Kind, string>;

export function addTextCommand(publish: Command, commandLine: CommandLine): void {
  const text = addKind(publish.command('text'), 'text', commandLine)
    .summary('publish texts')
    .description('publish texts: CSV, JSON lines (fields id, text, language, occurredAt, deleted) or plain lines')
    .option('--text-column <name>', 'column with the text; without it `text`; repeated columns are joined by a blank', collected, []);
  withExamples(
    text,
    'labelstream publish text news.csv --no-header --text-column 2 --text-column 3 --source news -c examples/news.yaml',
    'labelstream publish text lines.txt --source notes -c examples/news.yaml',
  );
}

export function addRecordsCommand(publish: Command, commandLine: CommandLine): void {
  const records = addKind(publish.command('records'), 'records', commandLine)
    .summary('publish records')
    .description('publish records, from CSV or JSON lines: every column that is not named otherwise is a number');
  withExamples(records, 'labelstream publish records notes.csv --attribute-column class -c examples/banknotes.yaml');
}

function addKind(command: Command, kind: Kind, commandLine: CommandLine): Command {
  return withEventOptions(command)
    .argument('<path...>', 'files: .csv, .jsonl, .ndjson, .txt')
    .option('--id-column <name>', 'column with the id; without it file name and line')
    .option('--attribute-column <name>', 'column kept as attribute; may be repeated', collected, [])
    .option('--no-header', 'the first line of a CSV is data; columns are numbered from 1')
    .action(async (paths: readonly string[], options: RowCommandOptions) => {
      const output = outputOf(commandLine, options.json);
      const rowOptions = rowOptionsOf(options);
      const files = await Promise.all(paths.map(inputFile));
      await withAccess(options, commandLine, async (access) => {
        await access.codec.prepareEncode(commandLine);
        const input = rowsOf(access, kind, files, { ...rowOptions, nowMs: access.context.clock.nowMs });
        const published = await publishRecords(access, input, output, commandLine.signal);
        if (output.json) output.object({ published, topic: topicOf[kind] });
        else output.line(`published ${counted(published, 'event')} to ${topicOf[kind]}`);
      }, { makesLog: true });
    });
}

type PublishRowOptions = RowOptions & { readonly header: boolean };

function rowOptionsOf(options: RowCommandOptions): Omit<PublishRowOptions, 'nowMs'> {
  return {
    ...eventOptionsOf(options),
    textColumns: options.textColumn === undefined || options.textColumn.length === 0 ? ['text'] : options.textColumn,
    idColumn: options.idColumn,
    attributeColumns: options.attributeColumn,
    header: options.header,
  };
}

type InputFile = { readonly path: string; readonly sizeBytes: number };

/** All are looked at before any is published. */
async function inputFile(path: string): Promise<InputFile> {
  requireReadable(path);
  try {
    return { path, sizeBytes: (await stat(path)).size };
  } catch (error) {
    throw cliError('LS_CLI_FILE', `${path}: ${(error as Error).message}`, { path }, { cause: error });
  }
}

function rowsOf(access: Access, kind: Kind, files: readonly InputFile[], options: PublishRowOptions): InputRecords {
  let bytesBefore = 0;
  let bytesOfFile = 0;
  const progress = (bytes: number): void => {
    bytesOfFile = bytes;
  };
  async function* records(): AsyncGenerator<OutputRecord> {
    for (const { path, sizeBytes } of files) {
      for await (const row of readRows(path, options, progress)) yield recordOf(access, kind, row, options);
      bytesBefore += sizeBytes;
      bytesOfFile = 0;
    }
  }
  return { records: records(), bytesTotal: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), bytesRead: () => bytesBefore + bytesOfFile };
}

function recordOf(access: Access, kind: Kind, row: InputRow, options: RowOptions): OutputRecord {
  const event = kind === 'text' ? textEventOf(row, options) : recordEventOf(row, options);
  const value = 'text' in event ? access.codec.encode('TextEvent', event) : access.codec.encode('RecordEvent', event);
  return eventRecord(access, { topic: topicOf[kind], event, value }, `${row.file}, line ${row.line}`);
}
