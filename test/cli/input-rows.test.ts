import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRows, requireReadable, type InputRow } from '../../src/cli/publish/input-rows.ts';
import { recordEventOf, textEventOf, type RowOptions } from '../../src/cli/publish/row-events.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'labelstream-rows-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function rowsOf(name: string, content: string, header = true): Promise<InputRow[]> {
  const file = join(directory, name);
  await writeFile(file, content);
  let bytes = 0;
  const rows = await Array.fromAsync(readRows(file, { header }, (read) => (bytes = read)));
  expect(bytes).toBe(Buffer.byteLength(content));
  return rows;
}

const options: RowOptions = {
  source: 's', collection: undefined, attributes: { run: '1' }, textColumns: ['text'], idColumn: undefined, attributeColumns: [], nowMs: () => 42,
};

describe('CSV', () => {
  test('quoted fields, line breaks in them, a byte order mark and empty lines', async () => {
    const rows = await rowsOf('a.csv', '\ufeffid,text\n1,"a, ""b""\nc"\n\n2,d\n');
    expect(rows.map(({ fields }) => Object.fromEntries(fields))).toEqual([{ id: '1', text: 'a, "b"\nc' }, { id: '2', text: 'd' }]);
  });

  test('without a header the columns are numbers', async () => {
    const [row] = await rowsOf('b.csv', '"3","Title","Body"\n', false);
    expect(textEventOf(row!, { ...options, textColumns: ['2', '3'], attributeColumns: ['1'] })).toMatchObject({
      id: 'b.csv:1', text: 'Title Body', attributes: { 1: '3', run: '1' }, occurredAt: 42,
    });
  });

  test('an unclosed quote names file and line', async () => {
    await expect(rowsOf('c.csv', 'a\n"x\n')).rejects.toMatchObject({ code: 'LS_CLI_INPUT', message: expect.stringContaining('c.csv') as string });
  });
});

describe('JSON lines', () => {
  test('objects, with the line of each', async () => {
    const rows = await rowsOf('a.jsonl', '{"text":"a","language":"de","deleted":true}\n\n{"text":"b","occurredAt":"2020-01-01T00:00:00Z"}\n');
    expect(rows.map(({ line }) => line)).toEqual([1, 3]);
    expect(textEventOf(rows[0]!, options)).toMatchObject({ language: 'de', deleted: true });
    expect(textEventOf(rows[1]!, options)).toMatchObject({ occurredAt: Date.UTC(2020, 0, 1), deleted: false });
  });

  test.each(['{', '[1]', 'null', '3'])('%s is refused with its line', async (bad) => {
    await expect(rowsOf('b.jsonl', `{"text":"a"}\n${bad}\n`)).rejects.toMatchObject({ code: 'LS_CLI_INPUT', message: expect.stringContaining('line 2') as string });
  });
});

describe('lines', () => {
  test('end with LF or CR LF alone: what else Unicode takes for an end is text', async () => {
    const text = 'a\u2028b\u2029c\u0085d\re';
    const rows = await rowsOf('u.jsonl', `${JSON.stringify({ text })}\r\n${JSON.stringify({ text: 'next' })}`);
    expect(rows.map(({ line, fields }) => [line, fields.get('text')])).toEqual([[1, text], [2, 'next']]);
    expect((await rowsOf('u.txt', `\ufeff${text}\n \n\nnext\r\n`)).map(({ line, fields }) => [line, fields.get('text')])).toEqual([[1, text], [4, 'next']]);
  });

  test('go across the pieces in which a file is read', async () => {
    const long = '\u20ac'.repeat(100_000);
    expect((await rowsOf('long.txt', `${long}\n${long}`)).map(({ fields }) => fields.get('text'))).toEqual([long, long]);
  });

  test('of more than 16 Mi characters are refused', async () => {
    await expect(rowsOf('endless.txt', `a\n${'b'.repeat(17 * 1024 * 1024)}`)).rejects.toMatchObject({ code: 'LS_CLI_INPUT', message: expect.stringContaining('line 2') as string });
  });
});

test.each(['x.csv', 'x.jsonl', 'x.txt'])('%s that is not UTF-8 is refused: nothing is replaced', async (name) => {
  const file = join(directory, name);
  await writeFile(file, Buffer.from('text\n{"text":"M\xfcller"}\n', 'latin1'));
  await expect(Array.fromAsync(readRows(file, { header: true }, () => undefined))).rejects.toMatchObject({ code: 'LS_CLI_INPUT', message: `${file}: not UTF-8` });
});

test.each(['gone.csv', 'gone.jsonl'])('%s that is not there is told as a file', async (name) => {
  await expect(Array.fromAsync(readRows(join(directory, name), { header: true }, () => undefined))).rejects.toMatchObject({ code: 'LS_CLI_FILE' });
});

test('records: numeric columns are values, others must be named', async () => {
  const [row] = await rowsOf('r.csv', 'id,a,b,kind\nx,1.5,-2e3,good\n');
  const named = { ...options, idColumn: 'id', attributeColumns: ['kind'] };
  expect(recordEventOf(row!, named)).toEqual({ id: 'x', source: 's', occurredAt: 42, values: { a: 1.5, b: -2000 }, tasks: [], attributes: { kind: 'good', run: '1' } });
  expect(() => recordEventOf(row!, { ...named, attributeColumns: [] })).toThrow('the column kind is no number');
});

test('a missing text column is named, with those that are there', async () => {
  const [row] = await rowsOf('m.csv', 'a,b\n1,2\n');
  expect(() => textEventOf(row!, options)).toThrow('there is no text in the column text; the columns are a, b');
});

test('a file that is not there, and one of an unknown kind', async () => {
  await expect(Array.fromAsync(readRows(join(directory, 'no.txt'), { header: true }, () => undefined))).rejects.toMatchObject({ code: 'LS_CLI_FILE' });
  await expect(Array.fromAsync(readRows(join(directory, 'no.csv'), { header: true }, () => undefined))).rejects.toMatchObject({ code: 'LS_CLI_FILE' });
  expect(() => requireReadable('x.pdf')).toThrow('only .csv');
});
