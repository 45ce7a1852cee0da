/**
 * Where a pull puts its files. They are gathered beside the directory, in `.NAME.pull`, where a pull that was killed leaves them for the next one, and the
 * directory comes in one step, by a rename, when all of them are there. Of two pulls at once one is refused, by a lock of the operating system, which a killed
 * process does not keep.
 *
 *   models/minilm/                 the files                models/.minilm.pull/owner.lock
 *   models/minilm.lock.json        what they are            models/.minilm.pull/REVISION/files/onnx/model.onnx      whole
 *                                                           models/.minilm.pull/REVISION/parts/8d777f385d3dfec8     on its way
 *                                                           models/.minilm.pull/former/      the directory, while another one takes its place
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pullError } from '../core/errors/pull.ts';

export type Place = {
  /** The whole files of a path in the repository, and where it grows. */
  readonly fileOf: (path: string) => string;
  readonly partOf: (path: string) => string;
  /** Removes what is on its way, and whole files of other paths, which another choice of files left. */
  readonly keepOnly: (paths: readonly string[]) => Promise<void>;
  /** Puts the files into the directory's place. What was there is gone then. */
  readonly moveIn: () => Promise<void>;
  /** Lets others pull to it; what was gathered stays, if there is any. */
  readonly leave: () => Promise<void>;
};

const sqliteBusy = 5;

/** Rejects with LS_PULL_TARGET. */
export async function openPlace(directory: string, revision: string): Promise<Place> {
  const gathering = join(dirname(directory), `.${basename(directory)}.pull`);
  const former = join(gathering, 'former');
  const own = join(gathering, revision);
  const release = await acquired(gathering, directory);
  try {
    await recover(directory, former);
    for (const entry of await readdir(gathering)) if (![revision, 'owner.lock', 'former'].includes(entry)) await rm(join(gathering, entry), { recursive: true, force: true });
    for (const folder of ['files', 'parts']) await mkdir(join(own, folder), { recursive: true });
  } catch (error) {
    release();
    throw error;
  }
  return {
    fileOf: (path) => join(own, 'files', path),
    partOf: (path) => join(own, 'parts', createHash('sha256').update(path).digest('hex').slice(0, 16)),
    keepOnly: async (paths) => {
      const kept = new Set(paths);
      await rm(join(own, 'parts'), { recursive: true, force: true });
      for (const path of await filesIn(join(own, 'files'))) if (!kept.has(path)) await rm(join(own, 'files', path));
    },
    moveIn: async () => {
      if (await isThere(directory)) await rename(directory, former);
      await rename(join(own, 'files'), directory);
      await rm(former, { recursive: true, force: true });
    },
    leave: async () => {
      const isEmpty = (await filesIn(own)).length === 0;
      // Before the lock is free: what is there then is somebody else's.
      if (isEmpty) await rm(gathering, { recursive: true, force: true });
      release();
    },
  };
}

/** A pull that was killed between the two renames left the directory aside. */
async function recover(directory: string, former: string): Promise<void> {
  if (!(await isThere(former))) return;
  if (await isThere(directory)) await rm(former, { recursive: true, force: true });
  else await rename(former, directory);
}

async function acquired(gathering: string, directory: string): Promise<() => void> {
  let database: DatabaseSync | undefined;
  try {
    await mkdir(gathering, { recursive: true });
    const opened = new DatabaseSync(join(gathering, 'owner.lock'), { timeout: 0 });
    database = opened;
    // Nothing is ever written: the open transaction is the lock.
    opened.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return () => {
      if (opened.isOpen) opened.close();
    };
  } catch (error) {
    database?.close();
    const isBusy = error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
    const why = isBusy ? 'another pull works on it' : error instanceof Error ? error.message : String(error);
    throw pullError('LS_PULL_TARGET', `${directory} cannot be pulled to: ${why}`, { directory }, { cause: error });
  }
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false);
}

/** Every file below, by its path with slashes; none where there is no such directory. Rejects with LS_PULL_TARGET where it is none, or holds what is no file. */
export async function filesIn(directory: string): Promise<readonly string[]> {
  const refused = (what: string): Error => pullError('LS_PULL_TARGET', `${directory} ${what}`, { directory });
  const found = await lstat(directory).catch(() => undefined);
  if (found === undefined) return [];
  if (!found.isDirectory()) throw refused('is no directory');
  const files: string[] = [];
  const waiting = [''];
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    for (const entry of await readdir(join(directory, inside), { withFileTypes: true })) {
      const path = posix.join(inside, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) files.push(path);
      else throw refused(`holds ${path}, which is no file`);
    }
  }
  return files;
}

/** Rejects with LS_PULL_SPACE. */
export async function requireSpace(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free < bytes + reserveBytes) throw pullError('LS_PULL_SPACE', `${bytes} bytes are still to be fetched; ${directory} has ${free} bytes of free space, of which ${reserveBytes} are left alone`, { bytes, free });
}

/** What others on the file system may need meanwhile. */
const reserveBytes = 64 * 1024 * 1024;
