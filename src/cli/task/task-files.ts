/**
 * What the files of `labelstream task` hold, by their bytes: names and extensions count for nothing. A file is one image, one sound or one text; one of
 * records may hold many. A file that cannot be read is an item of its own, which fails alone.
 */
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { parse as parseCsv } from 'csv-parse/sync';
import { cliError } from '../../core/errors/cli.ts';
import { LabelstreamError } from '../../core/errors/error.ts';
import { soundSignatureOf } from '../../models/preprocessing/audio/audio-format.ts';
import { signatureOf } from '../../models/preprocessing/image/image-format.ts';
import type { TaskContent } from '../../tasks/task-request.ts';
import type { Task } from '../../tasks/task.ts';
import type { InputRow } from '../publish/input-rows.ts';
import { recordEventOf } from '../publish/row-events.ts';

export type TaskItem = {
  /** As it was named; `-` for standard input. */
  readonly file: string;
  /** From 1; of what is one of several in its file. */
  readonly line?: number;
  /** That it takes in memory. */
  readonly bytes: number;
} & ({ readonly content: TaskContent } | { readonly error: LabelstreamError });

export type TaskFileOptions = {
  readonly bytesMax: number;
  /** Each line of a text is a text of its own. */
  readonly byLines: boolean;
  /** Of records: kept out of the values. */
  readonly attributeColumns: readonly string[];
};

const standardInput = '-';

type Kind = Task['accepts'][number];

/** Never rejects because of a file. @param kinds that the task takes: of several, each file is what its bytes say. */
export async function* taskItems(files: readonly string[], kinds: readonly Kind[], options: TaskFileOptions): AsyncGenerator<TaskItem> {
  for (const file of files) {
    let items: readonly TaskItem[];
    try {
      const bytes = await contentOf(file, options.bytesMax);
      const kind = kindOf(bytes, kinds);
      items = kind === 'media' ? [{ file, bytes: bytes.length, content: { bytes, contentType: contentTypeOf(bytes) } }] : itemsOf(file, textOf(file, bytes), kind, options);
    } catch (error) {
      if (!(error instanceof LabelstreamError)) throw error;
      items = [{ file, bytes: 0, error }];
    }
    yield* items;
  }
}

function kindOf(bytes: Buffer, kinds: readonly Kind[]): Kind {
  const [only = 'media', ...others] = kinds;
  if (others.length === 0) return only;
  const takes = (kind: Kind): boolean => kinds.includes(kind);
  if (takes('media') && (signatureOf(bytes) !== undefined || soundSignatureOf(bytes) !== undefined || !isUtf8(bytes))) return 'media';
  if (takes('record') && (!takes('text') || isJson(bytes.toString()))) return 'record';
  return takes('text') ? 'text' : 'media';
}

/** An object, a list, or a line that is an object. */
function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  return jsonOf(text) !== undefined || jsonOf(text.trimStart().split('\n')[0] ?? '') !== undefined;
}

/** Rejects with LS_CLI_FILE, LS_CLI_INPUT. */
async function contentOf(file: string, bytesMax: number): Promise<Buffer> {
  try {
    if (file === standardInput) return await collectedBytes(process.stdin, file, bytesMax);
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > bytesMax) throw tooLarge(file, bytesMax);
    return await collectedBytes(handle.createReadStream({ autoClose: false }), file, bytesMax);
  } catch (error) {
    if (error instanceof LabelstreamError) throw error;
    throw cliError('LS_CLI_FILE', `${file}: ${error instanceof Error ? error.message : String(error)}`, { file }, { cause: error });
  }
}

/** A pipe tells no size before its end. */
async function collectedBytes(stream: AsyncIterable<unknown>, file: string, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(file, bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(file: string, bytesMax: number): LabelstreamError {
  return cliError('LS_CLI_INPUT', `${file} has more than ${bytesMax} bytes`, { file });
}

/** What is no image is for the model to find out, or to refuse: it says best what it is. */
function contentTypeOf(bytes: Buffer): string {
  const image = signatureOf(bytes);
  return image === undefined ? 'application/octet-stream' : `image/${image}`;
}

/** Throws LS_CLI_INPUT. */
function textOf(file: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw cliError('LS_CLI_INPUT', `${file}: not UTF-8`, { file }, { cause: error });
  }
}

function itemsOf(file: string, text: string, kind: 'text' | 'record', options: TaskFileOptions): readonly TaskItem[] {
  if (kind === 'record') return recordItems(file, text, options);
  if (!options.byLines) return [{ file, bytes: text.length, content: { text } }];
  return linesOf(text).map(({ line, text: of }) => ({ file, line, bytes: of.length, content: { text: of } }));
}

function linesOf(text: string): readonly { readonly line: number; readonly text: string }[] {
  return text.split(/\r?\n/).flatMap((of, index) => (of.trim() === '' ? [] : [{ line: index + 1, text: of }]));
}

/** Throws LS_CLI_INPUT where the file is none of records; a single row fails alone. */
function recordItems(file: string, text: string, { attributeColumns }: TaskFileOptions): readonly TaskItem[] {
  const rows = rowsOf(file, text);
  if (rows.length === 0) throw cliError('LS_CLI_INPUT', `${file} holds no record`, { file });
  return rows.map((row): TaskItem => {
    const of = { file, line: row.line, bytes: 0 };
    if ('error' in row) return { ...of, error: row.error };
    try {
      // One of the files may have columns that another has not.
      const kept = attributeColumns.filter((column) => row.fields.has(column));
      const { values } = recordEventOf(row, { source: '', collection: undefined, attributes: {}, textColumns: [], idColumn: undefined, attributeColumns: kept, nowMs: () => 0 });
      return { ...of, content: { values } };
    } catch (error) {
      if (error instanceof LabelstreamError) return { ...of, error };
      throw error;
    }
  });
}

type Row = InputRow | { readonly line: number; readonly error: LabelstreamError };

/** JSON (an object, or a list of them), JSON lines, or CSV with a header: by the first character. */
function rowsOf(file: string, text: string): readonly Row[] {
  const first = text.trimStart().charAt(0);
  if (first !== '{' && first !== '[') return csvRows(file, text);
  const whole = jsonOf(text);
  if (whole === undefined) return linesOf(text).map(({ line, text: of }) => objectRow(file, line, jsonOf(of)));
  return (Array.isArray(whole) ? (whole as readonly unknown[]) : [whole]).map((value, index) => objectRow(file, index + 1, value));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectRow(file: string, line: number, value: unknown): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { file, line, fields: new Map(Object.entries(value)) };
  return { line, error: cliError('LS_CLI_INPUT', `${file}, line ${line}: not a JSON object`, { file, line }) };
}

function csvRows(file: string, text: string): readonly Row[] {
  try {
    const rows = parseCsv(text, { columns: true, bom: true, info: true, skip_empty_lines: true }) as unknown as readonly { readonly record: object; readonly info: { readonly lines: number } }[];
    return rows.map(({ record, info }) => ({ file, line: info.lines, fields: new Map(Object.entries(record)) }));
  } catch (error) {
    throw cliError('LS_CLI_INPUT', `${file}: ${error instanceof Error ? error.message : String(error)}`, { file }, { cause: error });
  }
}
