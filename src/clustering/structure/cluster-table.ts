/**
 * The clusters by small integers: those that live, and those that are only named any more. What a consumer of the output knows is each item's
 * last told assignment (in the item table) and the aliases told since (SEMANTICS.md, rule 15): to an assignment it applies the aliases told
 * later, one after the other. Nothing is told of a cluster that does not live, so the aliases of its id are always told later.
 *
 * An alias stays while a live item's last assignment names its id, directly or through another alias that stays; a cluster that neither lives
 * nor is named leaves the table.
 */
import { compareAges, type Age } from './identities.ts';

export type ClusterTable = {
  /** By the id: index. */
  readonly indices: Map<string, number>;
  readonly entries: (ClusterEntry | undefined)[];
  readonly free: number[];
  /** Named by nothing, or not any more: to be looked at by `sweep`. */
  readonly unnamed: Set<number>;
};

export type ClusterEntry = {
  readonly id: string;
  age: Age;
  /** -1: it does not live. */
  component: number;
  alias: { readonly to: number; readonly sequence: bigint } | undefined;
  /** How many items' last assignments and aliases name it. */
  references: number;
};

export function createClusterTable(): ClusterTable {
  return { indices: new Map(), entries: [], free: [], unnamed: new Set() };
}

export function entryOf({ entries }: ClusterTable, index: number): ClusterEntry {
  const entry = entries[index];
  if (entry === undefined) throw new Error(`there is no cluster ${index}`);
  return entry;
}

export function foundCluster(table: ClusterTable, id: string, age: Age): number {
  const index = table.free.pop() ?? table.entries.length;
  table.entries[index] = { id, age, component: -1, alias: undefined, references: 0 };
  table.indices.set(id, index);
  return index;
}

export function nameCluster(table: ClusterTable, index: number): void {
  entryOf(table, index).references++;
}

export function unnameCluster(table: ClusterTable, index: number): void {
  const entry = entryOf(table, index);
  if (--entry.references === 0) table.unnamed.add(index);
}

/** It lives no more: it goes on as another, or is dissolved. */
export function retireCluster(table: ClusterTable, index: number, alias?: { readonly to: number; readonly sequence: bigint }): void {
  const entry = entryOf(table, index);
  entry.component = -1;
  entry.alias = alias;
  if (alias !== undefined) nameCluster(table, alias.to);
  if (entry.references === 0) table.unnamed.add(index);
}

/** Where an index leads by the aliases: to itself when there is none for it. */
export function follow(table: ClusterTable, index: number): number {
  let current = index;
  for (let { alias } = entryOf(table, current); alias !== undefined; { alias } = entryOf(table, current)) current = alias.to;
  return current;
}

/** Drops what nothing names any more: to be called at the end of a record. */
export function sweep(table: ClusterTable): void {
  // Dropping an alias may leave the next one unnamed; a Set also visits what is added while it is walked.
  for (const index of table.unnamed) {
    table.unnamed.delete(index);
    const entry = table.entries[index];
    if (entry === undefined || entry.references > 0 || entry.component !== -1) continue;
    table.entries[index] = undefined;
    table.indices.delete(entry.id);
    table.free.push(index);
    if (entry.alias !== undefined) unnameCluster(table, entry.alias.to);
  }
}

/** In the order of age, in which clusters are listed and written. */
export function livingByAge({ entries }: ClusterTable): ClusterEntry[] {
  return entries
    .filter((entry): entry is ClusterEntry => entry !== undefined && entry.component !== -1)
    .sort((left, right) => compareAges(left.age, right.age));
}

export function rebaseClusters({ entries }: ClusterTable, distance: bigint): void {
  for (const entry of entries) {
    if (entry === undefined) continue;
    // Only the ages of those that live and only the aliases kept are ever asked for.
    if (entry.component !== -1) entry.age = { ...entry.age, sequence: entry.age.sequence + distance };
    if (entry.alias !== undefined) entry.alias = { ...entry.alias, sequence: entry.alias.sequence + distance };
  }
}
