/** From rows to events. What a row does not say comes from the options: ids from file and line, source from the command line. */
import { basename } from 'node:path';
import { cliError } from '../../core/errors/cli.ts';
import type { RecordEvent, TextEvent } from '../../core/events.generated.ts';
import type { InputRow } from './input-rows.ts';

export type RowOptions = {
  readonly source: string;
  readonly collection: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  /** Columns joined by a blank. */
  readonly textColumns: readonly string[];
  readonly idColumn: string | undefined;
  /** Columns kept as attributes; the rest of a text's row is not published. */
  readonly attributeColumns: readonly string[];
  readonly nowMs: () => number;
};

export function textEventOf(row: InputRow, options: RowOptions): TextEvent {
  const deleted = row.fields.get('deleted') === true || row.fields.get('deleted') === 'true';
  return {
    id: idOf(row, options),
    source: options.source,
    occurredAt: occurredAtOf(row, options),
    // Who takes an item away need not know what it said.
    text: deleted ? '' : options.textColumns.map((column) => textField(row, column)).join(' '),
    language: row.fields.has('language') ? textField(row, 'language') : null,
    tasks: [],
    collection: options.collection ?? null,
    attributes: attributesOf(row, options),
    deleted,
  };
}

/** Every column that is a number and is neither id nor attribute is a value. */
export function recordEventOf(row: InputRow, options: RowOptions): RecordEvent {
  const values: Record<string, number> = {};
  const reserved = new Set([options.idColumn, 'occurredAt', ...options.attributeColumns]);
  for (const [column, value] of row.fields) {
    if (reserved.has(column)) continue;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number !== 'number' || Number.isNaN(number)) {
      throw cliError('LS_CLI_COLUMN', `${row.file}, line ${row.line}: the column ${column} is no number; name it with --attribute-column to keep it as text`, {
        file: row.file, line: row.line, column,
      });
    }
    values[column] = number;
  }
  return { id: idOf(row, options), source: options.source, occurredAt: occurredAtOf(row, options), values, tasks: [], attributes: attributesOf(row, options) };
}

function idOf(row: InputRow, { idColumn }: RowOptions): string {
  return idColumn === undefined ? `${basename(row.file)}:${row.line}` : textField(row, idColumn);
}

function occurredAtOf(row: InputRow, { nowMs }: RowOptions): number {
  const value = row.fields.get('occurredAt');
  if (value === undefined) return nowMs();
  const text = textField(row, 'occurredAt');
  const milliseconds = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isSafeInteger(milliseconds)) {
    throw cliError('LS_CLI_INPUT', `${row.file}, line ${row.line}: occurredAt is neither milliseconds nor an ISO 8601 date`, { file: row.file, line: row.line });
  }
  return milliseconds;
}

function attributesOf(row: InputRow, options: RowOptions): Record<string, string> {
  const columns = options.attributeColumns.map((column): [string, string] => [column, textField(row, column)]);
  return { ...Object.fromEntries(columns), ...options.attributes };
}

function textField(row: InputRow, column: string): string {
  const value = row.fields.get(column);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const message = `${row.file}, line ${row.line}: there is no text in the column ${column}; the columns are ${[...row.fields.keys()].join(', ')}`;
  throw cliError('LS_CLI_COLUMN', message, { file: row.file, line: row.line, column });
}
