// Applies batches to a view's file, from where that stands, and is killed (SIGKILL) at a statement of SQL: `node kill-child.ts DIRECTORY SEED COUNT STATEMENT`.
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { openLabelDatabase } from '../../src/views/label-database.ts';
import { viewBatches } from './view-batches.ts';

const [directory = '', seed, count, statement] = process.argv.slice(2);
let left = Number(statement);

function strike(): void {
  left -= 1;
  if (left > 0) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way; nothing more may happen until it arrives.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const exec = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'exec')?.value as (this: DatabaseSync, text: string) => void;
const run = Object.getOwnPropertyDescriptor(StatementSync.prototype, 'run')?.value as (this: StatementSync, ...values: readonly unknown[]) => unknown;
DatabaseSync.prototype.exec = function execOrDie(text) {
  strike();
  exec.call(this, text);
};
StatementSync.prototype.run = function runOrDie(...values: readonly unknown[]) {
  strike();
  return run.call(this, ...values) as ReturnType<StatementSync['run']>;
};

const database = openLabelDatabase({ directory, retentionMs: 1_000_000, itemsMax: 1_000_000 });
const standing = new Map(database.standing().places.map(({ topic, sequence }) => [topic, sequence ?? 0n]));
for (const batch of viewBatches(Number(seed), Number(count))) {
  if ((batch.place.sequence ?? 0n) > (standing.get(batch.place.topic) ?? 0n)) database.apply(batch);
}
database.close();
