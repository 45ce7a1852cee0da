/**
 * Rows of the files that people publish: CSV (RFC 4180) by a library, JSON lines, plain lines of text. Files are streamed, so their size does
 * not matter; a row that cannot be read stops the command with file and line, before anything of it is sent.
 */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { CsvError, parse as parseCsv } from 'csv-parse';
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

/** Throws LS_CLI_FILE for a file of an unknown kind. */
export function requireReadable(file: string): void {
  if (extensions.has(extname(file).toLowerCase())) return;
  throw cliError('LS_CLI_FILE', `${file}: only ${[...extensions].join(', ')} files can be read`, { file });
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

function openStream(file: string, progress: ReadProgress) {
  const stream = createReadStream(file);
  let bytes = 0;
  stream.on('data', (chunk) => {
    bytes += chunk.length;
    progress(bytes);
  });
  return stream;
}

async function* csvRows(file: string, { header }: RowFormat, progress: ReadProgress): AsyncGenerator<InputRow> {
  const stream = openStream(file, progress);
  const parser = parseCsv({ columns: header, bom: true, info: true, skip_empty_lines: true, max_record_size: 16 * 1024 * 1024 });
  stream.on('error', (error) => parser.destroy(error));
  try {
    for await (const row of stream.pipe(parser) as AsyncIterable<{ record: unknown; info: { lines: number } }>) {
      const { record, info } = row;
      const entries = Array.isArray(record) ? record.map((value, index): [string, unknown] => [String(index + 1), value]) : Object.entries(record as object);
      yield { file, line: info.lines, fields: new Map(entries) };
    }
  } catch (error) {
    const line = error instanceof CsvError && typeof error['lines'] === 'number' ? `, line ${error['lines']}` : '';
    const code = error instanceof CsvError ? 'LS_CLI_INPUT' : 'LS_CLI_FILE';
    throw cliError(code, `${file}${line}: ${(error as Error).message}`, { file }, { cause: error });
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

async function* lines(file: string, progress: ReadProgress): AsyncGenerator<{ readonly text: string; readonly line: number }> {
  const stream = openStream(file, progress);
  const failed = new Promise<never>((_resolve, reject) => {
    stream.on('error', (error) => {
      reject(cliError('LS_CLI_FILE', `${file}: ${error.message}`, { file }, { cause: error }));
    });
  });
  // The iteration below is what observes the failure; without this the rejection would count as unhandled when it ends first.
  failed.catch(() => undefined);
  const reader = createInterface({ input: stream, crlfDelay: Infinity })[Symbol.asyncIterator]();
  let line = 0;
  try {
    for (;;) {
      const next = await Promise.race([reader.next(), failed]);
      if (next.done === true) return;
      line += 1;
      if (next.value.trim() !== '') yield { text: next.value, line };
    }
  } finally {
    stream.destroy();
  }
}
