/**
 * One owner per log directory, by a lock that dies with its process: an exclusive transaction of SQLite on a file of its own. It is a lock
 * of the operating system underneath (fcntl, LockFileEx), so kill -9 frees it, and containers that share the directory on one host see it.
 * Node has no other way to lock a file without a native addon.
 *
 * Nothing else ever opens the file: on POSIX, closing any descriptor of it in this process would drop the lock.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { logError } from '../../core/errors/log.ts';

export type OwnerLock = { readonly release: () => void };

const sqliteBusy = 5;

/** Makes the directory where it is missing. Undefined while somebody else, in this process or another, holds the lock. Never waits. */
export async function acquireOwnerLock(directory: string): Promise<OwnerLock | undefined> {
  const path = join(directory, 'owner.lock');
  let database: DatabaseSync | undefined;
  try {
    await makeDirectory(directory);
    const opened = new DatabaseSync(path, { timeout: 0 });
    database = opened;
    // Nothing is ever written, the open transaction is the lock. A journal in memory leaves no file behind (Node's SQLite refuses OFF).
    opened.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return { release: () => opened.close() };
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw logError('LS_LOG_LOCK_FAILED', `The lock ${path} could not be tried: ${reason}.`, { path }, { cause: error });
  }
}

/** Level by level: Node's own `recursive` never ends where a file system says of a directory's child that the directory is missing (/proc). */
async function makeDirectory(directory: string): Promise<void> {
  if (await isMade(directory)) return;
  await makeDirectory(dirname(directory));
  if (!(await isMade(directory))) throw new Error(`${directory} cannot be made: the file system takes no directories there`);
}

/** False where a directory above it is missing. */
async function isMade(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' && dirname(directory) !== directory) return false;
    if (await isDirectory(directory)) return true;
    throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}
