/**
 * Rows of the files that people publish: CSV (RFC 4180) by a library, JSON lines, plain lines of text. Files are streamed, so their size does
 * not matter; a row that cannot be read stops the command with file and line, before anything of it is sent.
 */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { cliError } from '../../core/errors/cli.ts';

export type InputRow = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** By column name (CSV with a header, JSON), or by column number from 1 (CSV without). */
  readonly fields: ReadonlyMap<string, unknown>;
};

export type RowFormat = { readonly header: boolean };

/** Called with the bytes read so far, for a progress bar. */
export type ReadProgress = (bytes: number) => void;

const extensions = new Set(['.csv', '.jsonl', '.ndjson', '.txt']);

/** Throws LS_CLI_FILE_KIND. */
export function requireReadable(file: string): void {
  if (extensions.has(extname(file).toLowerCase())) return;
  throw cliError('LS_CLI_FILE_KIND', `${file}: only ${[...extensions].join(', ')} files can be read`, { file });
}

export function readRows(file: string, format: RowFormat, progress: ReadProgress): AsyncIterable<InputRow> {
  switch (extname(file).toLowerCase()) {
    case '.csv':
      return csvRows(file, format, progress);
    case '.jsonl':
    case '.ndjson':
      return jsonRows(file, progress);
    default:
      return textRows(file, progress);
  }
}

/** A row of a table or a line that is longer is none of this program's events. */
const rowCharactersMax = 16 * 1024 * 1024;

/** The text of a file, which is UTF-8, with or without its mark. Rejects with LS_CLI_FILE, LS_CLI_INPUT. */
async function* textOf(file: string, progress: ReadProgress): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      progress(bytes);
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    // What cannot be decoded would be published as other characters than were written.
    if (error instanceof TypeError) throw cliError('LS_CLI_INPUT', `${file}: not UTF-8`, { file }, { cause: error });
    throw cliError('LS_CLI_FILE', `${file}: ${(error as Error).message}`, { file }, { cause: error });
  }
}

async function* csvRows(file: string, { header }: RowFormat, progress: ReadProgress): AsyncGenerator<InputRow> {
  const { CsvError, parse: parseCsv } = await import('csv-parse');
  const stream = Readable.from(textOf(file, progress));
  const parser = parseCsv({ columns: header, bom: true, info: true, skip_empty_lines: true, max_record_size: rowCharactersMax });
  stream.on('error', (error) => parser.destroy(error));
  try {
    for await (const row of stream.pipe(parser) as AsyncIterable<{ record: unknown; info: { lines: number } }>) {
      const { record, info } = row;
      const entries = Array.isArray(record) ? record.map((value, index): [string, unknown] => [String(index + 1), value]) : Object.entries(record as object);
      yield { file, line: info.lines, fields: new Map(entries) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? `, line ${error['lines']}` : '';
    throw cliError('LS_CLI_INPUT', `${file}${line}: ${error.message}`, { file }, { cause: error });
  } finally {
    stream.destroy();
  }
}

async function* jsonRows(file: string, progress: ReadProgress): AsyncGenerator<InputRow> {
  for await (const { text, line } of lines(file, progress)) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw cliError('LS_CLI_INPUT', `${file}, line ${line}: ${(error as Error).message}`, { file, line });
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw cliError('LS_CLI_INPUT', `${file}, line ${line}: not a JSON object`, { file, line });
    }
    yield { file, line, fields: new Map(Object.entries(value)) };
  }
}

async function* textRows(file: string, progress: ReadProgress): AsyncGenerator<InputRow> {
  for await (const { text, line } of lines(file, progress)) yield { file, line, fields: new Map([['text', text]]) };
}

/** Only LF, and CR LF, end a line: readline takes U+2028 for an end, too, which JSON has in its strings. */
async function* lines(file: string, progress: ReadProgress): AsyncGenerator<{ readonly text: string; readonly line: number }> {
  let line = 0;
  // In pieces: a long line would be searched from its beginning with each of them.
  let rest: string[] = [];
  let restCharacters = 0;
  for await (const text of textOf(file, progress)) {
    const [end = '', ...others] = text.split('\n');
    rest.push(end);
    restCharacters += end.length;
    if (restCharacters > rowCharactersMax) throw cliError('LS_CLI_INPUT', `${file}, line ${line + 1}: longer than ${rowCharactersMax} characters`, { file, line: line + 1 });
    const begun = others.pop();
    if (begun === undefined) continue;
    for (const complete of [rest.join(''), ...others]) yield* textLine(complete, (line += 1));
    [rest, restCharacters] = [[begun], begun.length];
  }
  yield* textLine(rest.join(''), line + 1);
}

function* textLine(ended: string, line: number): Generator<{ readonly text: string; readonly line: number }> {
  const text = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
  if (text.trim() !== '') yield { text, line };
}
