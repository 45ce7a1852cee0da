/** The tables of the view, and rows that are known to be what was written. */
import { crc32 } from 'node:zlib';
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';

/** To be raised with every change of what the rows hold: a file of another is not read. */
export const formatVersion = 1;

/** SQLite finds pages that are damaged, but not every byte: so each row has a checksum of its own. */
export const createTables = `
  CREATE TABLE places (name TEXT PRIMARY KEY, body TEXT NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE items (name TEXT PRIMARY KEY, body TEXT NOT NULL, checksum INTEGER NOT NULL, partition INTEGER NOT NULL, told_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX items_told ON items (partition, told_ms);
  CREATE INDEX items_oldest ON items (told_ms);
  CREATE TABLE inputs (input_id TEXT NOT NULL, item_id TEXT NOT NULL, PRIMARY KEY (input_id, item_id)) WITHOUT ROWID;
  CREATE INDEX inputs_item ON inputs (item_id);
  CREATE TABLE assigned (cluster_id TEXT NOT NULL, item_id TEXT NOT NULL, PRIMARY KEY (cluster_id, item_id)) WITHOUT ROWID;
  CREATE TABLE merges (name TEXT PRIMARY KEY, body TEXT NOT NULL, checksum INTEGER NOT NULL, retired TEXT NOT NULL, survivor TEXT NOT NULL, told_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX merges_survivor ON merges (survivor);
  CREATE INDEX merges_told ON merges (told_ms);
  CREATE TABLE resets (name TEXT PRIMARY KEY, body TEXT NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
  PRAGMA user_version = ${formatVersion};
`;

const checkedTables = ['places', 'items', 'merges', 'resets'] as const;

export type CheckedTable = (typeof checkedTables)[number];

export type Row = Record<string, SQLOutputValue>;

/** What is in the file is not what was written. */
export class DamagedFile extends Error {}

const sqliteCorrupt = 11;
const sqliteNotDatabase = 26;

export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedFile) return true;
  // The lower eight bits are the kind, those above say more.
  return error instanceof Error && 'errcode' in error && [sqliteCorrupt, sqliteNotDatabase].includes(Number(error.errcode) & 0xff);
}

export function checksumOf(name: string, body: string): number {
  return crc32(body, crc32(name));
}

/** Throws DamagedFile. */
export function checkedBody(table: CheckedTable, { name, body, checksum }: Row): string {
  if (typeof name !== 'string' || typeof body !== 'string' || checksumOf(name, body) !== checksum) throw new DamagedFile(`a row of ${table} is not what was written`);
  return body;
}

/** Reads all of it. Throws DamagedFile, or what SQLite does. */
export function checkAll(database: DatabaseSync): void {
  const found = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (found !== 'ok') throw new DamagedFile(String(found));
  for (const table of checkedTables) for (const row of database.prepare(`SELECT name, body, checksum FROM ${table}`).iterate()) checkedBody(table, row);
}

/** Statements are prepared once, by their text. */
export function statementsOf(database: DatabaseSync) {
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const statement = (text: string) => {
    const known = prepared.get(text) ?? database.prepare(text);
    prepared.set(text, known);
    return known;
  };
  return {
    get: (text: string, ...values: readonly SQLInputValue[]): Row | undefined => statement(text).get(...values),
    all: (text: string, ...values: readonly SQLInputValue[]): readonly Row[] => statement(text).all(...values),
    run: (text: string, ...values: readonly SQLInputValue[]): number => Number(statement(text).run(...values).changes),
  };
}

export type Statements = ReturnType<typeof statementsOf>;

export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // After some failures there is none open any more.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
