/**
 * How commands speak: data on standard output (tables for people on a terminal, JSON lines for programs), everything else on standard error. Much of
 * it is of a stranger's making (ids, texts, names), so nothing goes out that a terminal would obey (printable.ts).
 */
import Table from 'cli-table3';
import { printableJson, printableLine, printableLines } from './printable.ts';

export type Output = {
  readonly json: boolean;
  /** Whether a person watches: progress bars and colours only then. */
  readonly terminal: boolean;
  /** Of the terminal that data goes to; undefined where it goes elsewhere, and may be as wide as it is. */
  readonly columns: number | undefined;
  /** One line of data, whatever line breaks are in the text. */
  readonly line: (text: string) => void;
  /** A table, or another text of several lines. */
  readonly lines: (text: string) => void;
  /** One JSON line; bigints become numbers where exact, otherwise text. */
  readonly object: (value: unknown) => void;
  /** One line. */
  readonly note: (text: string) => void;
};

export type Streams = { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream };

export function createOutput(streams: Streams, json: boolean): Output {
  const write = (text: string): void => void streams.stdout.write(`${text}\n`);
  return {
    json,
    terminal: streams.stderr.isTTY && !json,
    columns: streams.stdout.isTTY ? streams.stdout.columns : undefined,
    line: (text) => {
      write(printableLine(text));
    },
    lines: (text) => {
      write(printableLines(text));
    },
    object: (value) => {
      write(jsonText(value));
    },
    note: (text) => void streams.stderr.write(`${printableLine(text)}\n`),
  };
}

/** A reader that has seen enough (`| head`) closes the pipe: that ends the command, it is no failure of it. */
export function endWithReader({ stdout }: Streams): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

export function jsonText(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return Number.isSafeInteger(Number(part)) ? Number(part) : String(part);
    if (isSerializedBuffer(part)) return Buffer.from(part.data).toString('base64');
    return part;
  });
  return printableJson(json);
}

/** JSON.stringify turns a Buffer into this before the replacer sees it. */
function isSerializedBuffer(part: unknown): part is { readonly data: number[] } {
  return typeof part === 'object' && part !== null && 'type' in part && part.type === 'Buffer' && 'data' in part && Array.isArray(part.data);
}

/**
 * A table without frame, as kubectl and psql users expect: columns aligned, long cells cut by the caller, one line per row.
 * @param columns the cells of the last column are cut so that a line fits, but for a few characters that are always shown.
 */
export function tableText(head: readonly string[], allRows: readonly (readonly (string | number)[])[], columns?: number): string {
  const printable = allRows.map((row) => row.map((cell) => printableLine(String(cell))));
  const rows = columns === undefined ? printable : fitted(head, printable, columns);
  const table = new Table({
    head: [...head],
    chars: {
      top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
      left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((text) => text.trimEnd())
    .join('\n');
}

const lastColumnMin = 12;
const columnGap = 2;

function fitted(head: readonly string[], rows: readonly (readonly string[])[], columns: number): readonly (readonly string[])[] {
  const widths = head.slice(0, -1).map((title, index) => Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const left = Math.max(lastColumnMin, columns - widths.reduce((sum, width) => sum + width + columnGap, 0));
  return rows.map((row) => [...row.slice(0, -1), clipped(row.at(-1) ?? '', left)]);
}

/** At most `length` characters on one line. */
export function clipped(text: string, length: number): string {
  const single = printableLine(text.replace(/\s+/g, ' ').trim());
  return single.length <= length ? single : `${single.slice(0, length - 1).toWellFormed()}…`;
}
