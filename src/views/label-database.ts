/**
 * The view's file: an SQLite database that one process has for itself. Positions and what they stand for are written in one transaction, so that
 * whatever ends the process, the file is what follows from the records up to its positions, and nothing else.
 *
 *     items:   itemId -> its labels (item-labels.ts)          assigned: cluster -> items told to be in it
 *     merges:  cluster -> the one that it went on under        resets:  collection -> from where on what is told counts
 */
/* eslint-disable n/no-sync -- It has a thread of its own. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createClusterResolver, type ClusterChange } from '../clustering/alias-resolver.ts';
import { assignmentOf, currentLabels, noLabels, withLabel, type ItemLabels, type LabelJson } from './item-labels.ts';
import type { CurrentLabel, FoundLabels, LabelsWanted, OpenedStore, Place, StoreLimits, StoreSetup, ToldChange, ToldLabel, ViewBatch } from './label-store.ts';
import { checkAll, checkedBody, checksumOf, createTables, DamagedFile, formatVersion, isDamage, statementsOf, transaction, type Statements } from './label-tables.ts';

export type LabelDatabase = {
  readonly standing: () => OpenedStore;
  readonly apply: (batch: ViewBatch) => void;
  /** From now on the view has had all that the log held. */
  readonly setBuilt: () => void;
  readonly find: (wanted: LabelsWanted) => FoundLabels;
  readonly close: () => void;
  /** Closes it, and removes the file. */
  readonly remove: () => void;
};

const sqliteBusy = 5;
/** Processes that share a directory have a file each. */
const filesMax = 100;
/** What is past its time counts as gone, so there is no hurry to remove it: so much at once, and so often, that it cannot grow. */
const tidiedRows = 500;
const batchesUntilTidied = 8;

/** Makes the directory. A file that is damaged, or of another format, is replaced by an empty one. Throws what the file system does. */
export function openLabelDatabase({ directory, ...limits }: StoreSetup): LabelDatabase {
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < filesMax; number++) {
    const path = join(directory, `labels-${number}.sqlite`);
    const opened = openOwn(path);
    if (opened !== undefined) return databaseOver(path, opened, limits);
  }
  throw new Error(`all of the ${filesMax} files in ${directory} are in use`);
}

function removeFile(path: string): void {
  for (const suffix of ['', '-wal', '-journal', '-shm']) rmSync(path + suffix, { force: true });
}

type OpenFile = { readonly database: DatabaseSync; readonly discarded: string | null };

/** Undefined where another process has it. */
function openOwn(path: string): OpenFile | undefined {
  let discarded: string | null = null;
  for (;;) {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      lock(database);
      const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
      const isNew = version === 0 && database.prepare('SELECT 1 FROM sqlite_master').get() === undefined;
      if (isNew) transaction(database, () => database.exec(createTables));
      else if (version !== formatVersion) throw new DamagedFile(`its format is ${version}, not ${formatVersion}`);
      else checkAll(database);
      return { database, discarded };
    } catch (error) {
      database.close();
      if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
      if (!isDamage(error) || discarded !== null) throw error;
      discarded = (error as Error).message;
      removeFile(path);
    }
  }
}

/** What is lost with the power is the end of it, whole transactions: positions with what they stand for. */
function lock(database: DatabaseSync): void {
  database.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; BEGIN EXCLUSIVE; COMMIT; PRAGMA cache_size=-8192');
}

function databaseOver(path: string, { database, discarded }: OpenFile, limits: StoreLimits): LabelDatabase {
  const statements = statementsOf(database);
  const places = new Map(readPlaces(statements).map((place) => [placeName(place), place]));
  let isBuilt = statements.get('SELECT 1 FROM places WHERE name = ?', builtName) !== undefined;
  let itemCount = Number(statements.get('SELECT count(*) AS items FROM items')?.['items']);
  let batchesSinceTidied = 0;
  return {
    standing: () => ({ places: [...places.values()], isBuilt, discarded }),
    apply: ({ place, labels, changes }) => {
      const isTidied = ++batchesSinceTidied >= batchesUntilTidied || itemCount > limits.itemsMax;
      const counted = transaction(database, () => {
        const { timeMs } = places.get(placeName(place)) ?? { timeMs: 0 };
        const added = applyLabels(statements, labels, place.partition, timeMs, limits);
        for (const change of changes) applyChange(statements, change);
        put(statements, 'places', placeName(place), JSON.stringify(place, bigintText));
        const now = new Map(places).set(placeName(place), place);
        if (isTidied && isBuilt) removeMerges(statements, now, limits);
        return itemCount + added - (isTidied ? removeItems(statements, now, limits, itemCount + added) : 0);
      });
      itemCount = counted;
      places.set(placeName(place), place);
      if (isTidied) batchesSinceTidied = 0;
    },
    setBuilt: () => {
      put(statements, 'places', builtName, 'true');
      isBuilt = true;
    },
    find: (wanted) => ({ labels: find(statements, wanted, places, limits), places: [...places.values()] }),
    close: () => database.close(),
    remove: () => {
      database.close();
      removeFile(path);
    },
  };
}

/** A row among the places, which it is written with. */
const builtName = 'built';
const placeName = ({ topic, partition }: Pick<Place, 'topic' | 'partition'>): string => `${topic}/${partition}`;
const labelsPlace = (partition: number): string => placeName({ topic: 'labels', partition });
const bigintText = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

function readPlaces({ all }: Statements): readonly Place[] {
  return all('SELECT name, body, checksum FROM places WHERE name <> ?', builtName).map((row) => {
    const place = JSON.parse(checkedBody('places', row)) as Omit<Place, 'sequence' | 'gap'> & { readonly sequence: string | null; readonly gap: { readonly since: string; readonly endedMs: number | null } | null };
    return { ...place, sequence: place.sequence === null ? null : BigInt(place.sequence), gap: place.gap && { ...place.gap, since: BigInt(place.gap.since) } };
  });
}

function put({ run }: Statements, table: 'places' | 'resets', name: string, body: string): void {
  run(`INSERT OR REPLACE INTO ${table} (name, body, checksum) VALUES (?, ?, ?)`, name, body, checksumOf(name, body));
}

/** @returns by how many the items are more. */
function applyLabels(statements: Statements, told: readonly ToldLabel[], partition: number, timeMs: number, { retentionMs }: StoreLimits): number {
  let added = 0;
  let nowMs = timeMs;
  for (const { label, appendTimeMs } of told) {
    nowMs = Math.max(nowMs, appendTimeMs);
    const { itemId } = label;
    const row = statements.get('SELECT name, body, checksum, told_ms FROM items WHERE name = ?', itemId);
    if (row === undefined) added += 1;
    const former = row === undefined ? noLabels : itemOf(row);
    // What is past its time counts as gone, whether it has been removed already or not.
    const isOver = row !== undefined && Number(row['told_ms']) + retentionMs < nowMs;
    writeItem(statements, itemId, former, withLabel(isOver ? noLabels : former, label), { partition, toldMs: Math.max(nowMs, isOver ? 0 : Number(row?.['told_ms'] ?? 0)) });
  }
  return added;
}

const itemOf = (row: Parameters<typeof checkedBody>[1]): ItemLabels => JSON.parse(checkedBody('items', row)) as ItemLabels;

function writeItem({ run }: Statements, itemId: string, former: ItemLabels, item: ItemLabels, told: { readonly partition: number; readonly toldMs: number }): void {
  const body = JSON.stringify(item);
  run('INSERT OR REPLACE INTO items (name, body, checksum, partition, told_ms) VALUES (?, ?, ?, ?, ?)', itemId, body, checksumOf(itemId, body), told.partition, told.toldMs);
  if (item === former) return;
  const [clustersBefore, clusters] = [clustersOf(former), clustersOf(item)];
  for (const clusterId of clustersBefore) if (!clusters.has(clusterId)) run('DELETE FROM assigned WHERE cluster_id = ? AND item_id = ?', clusterId, itemId);
  for (const clusterId of clusters) if (!clustersBefore.has(clusterId)) run('INSERT OR IGNORE INTO assigned (cluster_id, item_id) VALUES (?, ?)', clusterId, itemId);
  const [inputsBefore, inputs] = [inputsOf(itemId, former), inputsOf(itemId, item)];
  for (const inputId of inputsBefore) if (!inputs.has(inputId)) run('DELETE FROM inputs WHERE input_id = ? AND item_id = ?', inputId, itemId);
  for (const inputId of inputs) if (!inputsBefore.has(inputId)) run('INSERT OR IGNORE INTO inputs (input_id, item_id) VALUES (?, ?)', inputId, itemId);
}

const clustersOf = ({ labels }: ItemLabels): ReadonlySet<string> => new Set(Object.values(labels).flatMap((label) => assignmentOf(label)?.clusterId ?? []));

/** Where they are not the item's own id, by which it is found anyway. */
const inputsOf = (itemId: string, { labels }: ItemLabels): ReadonlySet<string> => new Set(Object.values(labels).flatMap(({ inputId }) => (inputId === itemId ? [] : inputId)));

/** Names as the tables have them: parts that may hold anything, told apart by their lengths. */
const nameOf = (family: string, part: string): string => `${family.length} ${family} ${part}`;

function applyChange(statements: Statements, { event, appendTimeMs }: ToldChange): void {
  const { type, family, collection, survivor } = event;
  if (type === 'reset') {
    const known = statements.get('SELECT name, body, checksum FROM resets WHERE name = ?', nameOf(family, collection));
    if (known === undefined || comparePlaces(event, tellingOf('resets', known)) > 0) put(statements, 'resets', nameOf(family, collection), JSON.stringify(event, bigintText));
  }
  if (type !== 'merged' || survivor === null) return;
  for (const retired of event.retired) {
    const name = nameOf(family, retired);
    const body = JSON.stringify({ ...event, retired: [retired] }, bigintText);
    statements.run('INSERT OR REPLACE INTO merges (name, body, checksum, retired, survivor, told_ms) VALUES (?, ?, ?, ?, ?, ?)', name, body, checksumOf(name, body), retired, survivor, appendTimeMs);
  }
}

function comparePlaces(left: ClusterChange, right: ClusterChange): number {
  return left.epoch - right.epoch || (left.sequence === right.sequence ? 0 : left.sequence < right.sequence ? -1 : 1);
}

function tellingOf(table: 'resets' | 'merges', row: Parameters<typeof checkedBody>[1]): ClusterChange {
  const event = JSON.parse(checkedBody(table, row)) as ClusterChange & { readonly sequence: string };
  return { ...event, sequence: BigInt(event.sequence) };
}

function find(statements: Statements, wanted: LabelsWanted, places: ReadonlyMap<string, Place>, { retentionMs }: StoreLimits): readonly CurrentLabel[] {
  const itemIds = 'itemId' in wanted ? [wanted.itemId] : [wanted.inputId, ...statements.all('SELECT item_id FROM inputs WHERE input_id = ? ORDER BY item_id', wanted.inputId).map((row) => String(row['item_id']))];
  return [...new Set(itemIds)].flatMap((itemId) => {
    const row = statements.get('SELECT name, body, checksum, partition, told_ms FROM items WHERE name = ?', itemId);
    if (row === undefined || Number(row['told_ms']) + retentionMs < (places.get(labelsPlace(Number(row['partition'])))?.timeMs ?? 0)) return [];
    const labels = currentLabels(itemOf(row)).filter(({ inputId }) => 'itemId' in wanted || inputId === wanted.inputId);
    return labels.flatMap((label) => resolved(statements, label) ?? []);
  });
}

/** Undefined for what is void since a reset. The resolver is told what it needs for this one assignment. */
function resolved(statements: Statements, label: LabelJson): CurrentLabel | undefined {
  const assignment = assignmentOf(label);
  if (assignment === undefined) return { label };
  const { family, collection, clusterId } = assignment;
  const resolver = createClusterResolver();
  const reset = statements.get('SELECT name, body, checksum FROM resets WHERE name = ?', nameOf(family, collection));
  if (reset !== undefined) resolver.applyClusterEvent(tellingOf('resets', reset));
  const passed = new Set<string>();
  for (let id = clusterId; id !== null && !passed.has(id); ) {
    passed.add(id);
    const merge = statements.get('SELECT name, body, checksum FROM merges WHERE name = ?', nameOf(family, id));
    const event = merge && tellingOf('merges', merge);
    if (event !== undefined) resolver.applyClusterEvent(event);
    id = event?.survivor ?? null;
  }
  const { epoch, number } = label.revision;
  const role = assignment.role as 'core' | 'border' | 'noise';
  resolver.applyLabel({ itemId: label.itemId, revision: { epoch, number: BigInt(number) }, result: { 'labelstream.v1.Assignment': { ...assignment, role, sequence: BigInt(assignment.sequence) } } });
  const currentClusterId = resolver.clusterOf(label.itemId, family);
  return currentClusterId === undefined ? undefined : { label, currentClusterId };
}

/** @returns how many. */
function removeItems(statements: Statements, places: ReadonlyMap<string, Place>, { retentionMs, itemsMax }: StoreLimits, itemCount: number): number {
  const over = [...places.values()].flatMap(({ topic, partition, timeMs }) =>
    topic === 'labels' ? statements.all('SELECT name, body, checksum FROM items WHERE partition = ? AND told_ms < ? LIMIT ?', partition, timeMs - retentionMs, tidiedRows) : [],
  );
  const excess = Math.min(tidiedRows, itemCount - itemsMax);
  const rows = over.length === 0 && excess > 0 ? statements.all('SELECT name, body, checksum FROM items ORDER BY told_ms LIMIT ?', excess) : over.slice(0, tidiedRows);
  for (const row of rows) {
    const itemId = String(row['name']);
    for (const clusterId of clustersOf(itemOf(row))) statements.run('DELETE FROM assigned WHERE cluster_id = ? AND item_id = ?', clusterId, itemId);
    statements.run('DELETE FROM inputs WHERE item_id = ?', itemId);
    statements.run('DELETE FROM items WHERE name = ?', itemId);
  }
  return rows.length;
}

/** Those past their time that lead from no cluster that an item is told to be in. What is told later is told with the later id. */
function removeMerges(statements: Statements, places: ReadonlyMap<string, Place>, { retentionMs }: StoreLimits): void {
  const times = [...places.values()].filter(({ topic }) => topic === 'labels').map(({ timeMs }) => timeMs);
  const beforeMs = Math.max(0, ...times) - retentionMs;
  statements.run(
    `DELETE FROM merges WHERE name IN (SELECT name FROM merges WHERE told_ms < ? AND NOT EXISTS (SELECT 1 FROM assigned WHERE cluster_id = merges.retired)
      AND NOT EXISTS (SELECT 1 FROM merges AS before WHERE before.survivor = merges.retired) LIMIT ?)`,
    beforeMs,
    tidiedRows,
  );
}
