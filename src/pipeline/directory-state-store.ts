/**
 * Snapshots as files: `<directory>/<stage>/<topic>-<incarnation>/<partition>/<20-digit sequence>.snapshot`.
 *
 * A snapshot is written under another name, synchronised, renamed, and its directory synchronised: under its own name it is whole or absent,
 * whenever the power fails. It is never overwritten, and it is checked as it is read, from beginning to end before anything of it is used.
 */
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { LabelstreamError } from '../core/errors/error.ts';
import type { FileSystem } from './file-system.ts';
import { corrupt, readSnapshotFile, writeSnapshotFile } from './snapshot-file.ts';
import type { ReadSnapshot, SnapshotHeader, SnapshotKey, StateStore } from './state-store.ts';
import {
  madeOf, messageOf, newestFirst, partitionFolder, readNothing, readSnapshot, sequenceInName, snapshotName, snapshotsKept, stageFolder, tellingDiscardFailures, tellingWriteFailures,
  type Made, type SnapshotPlace,
} from './stored-snapshots.ts';

export type DirectoryStateStoreOptions = {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  /** Told of every snapshot that is passed over, with LS_STATE_SNAPSHOT_CORRUPT. */
  readonly snapshotCorrupt?: (error: Error) => void;
};

const temporarySuffix = '.temporary';

/** `write` rejects with LS_STATE_WRITE_FAILED, and with what iterating over the chunks throws. */
export function createDirectoryStateStore({ directory, fileSystem, snapshotCorrupt }: DirectoryStateStoreOptions): StateStore {
  /** Directories whose entries are known to be durable. */
  const made = new Set<string>();

  const makeDirectories = async (key: SnapshotKey): Promise<string> => {
    const leaf = directoryOf(directory, key);
    if (made.has(leaf)) return leaf;
    await fileSystem.makeDirectory(leaf);
    for (let level = leaf; level !== dirname(directory); level = dirname(level)) await fileSystem.directorySync(dirname(level));
    made.add(leaf);
    return leaf;
  };
  /** Temporary files of this process that could not be removed. */
  const leftBehind = new Set<string>();
  const removeAll = async (paths: Iterable<string>): Promise<void> => {
    for (const path of paths) {
      await fileSystem.remove(path);
      leftBehind.delete(path);
    }
  };
  const write = async (header: SnapshotHeader, chunks: Iterable<Buffer>): Promise<void> => {
    const leaf = await makeDirectories(header);
    const name = snapshotName(header.sequence);
    const names = await fileSystem.list(leaf);
    const temporaryNames = names.filter((each) => each.endsWith(temporarySuffix));
    // Those of the same name may be another process's, which writes the same at this moment.
    await removeAll(temporaryNames.map((each) => join(leaf, each)).filter((path) => leftBehind.has(path) || !path.startsWith(join(leaf, name))));
    const isWhole = async (): Promise<boolean> => !('corruption' in (await readFile(fileSystem, join(leaf, name), header, readNothing)));
    if (names.includes(name)) {
      if (await isWhole()) return;
      await fileSystem.remove(join(leaf, name));
    }
    const temporary = join(leaf, `${name}.${randomUUID()}${temporarySuffix}`);
    const file = await fileSystem.open(temporary, { create: true });
    try {
      await writeSnapshotFile(file, header, chunks);
      await file.dataSync();
    } catch (error) {
      await file.close();
      // The disk may be full of it. What cannot be removed now goes before the next write.
      await fileSystem.remove(temporary).catch(() => leftBehind.add(temporary));
      throw error;
    }
    await file.close();
    try {
      await fileSystem.rename(temporary, join(leaf, name));
    } catch (error) {
      // Another process may have written it meanwhile: it stays. Or the same, and cleaned up.
      if (!isMissing(error)) await fileSystem.remove(temporary).catch(() => leftBehind.add(temporary));
      if (!(isMissing(error) || isThere(error)) || !(await isWhole())) throw error;
    }
    await fileSystem.directorySync(leaf);
    await removeTemporaries(fileSystem, leaf, name);
    await removeOld(fileSystem, leaf);
  };

  return {
    write: tellingWriteFailures(write),
    readNewest: async (key, sequence, read, passedOver = snapshotCorrupt) => {
      const leaf = directoryOf(directory, key);
      for (const at of sequencesIn(await fileSystem.list(leaf))) {
        if (at > sequence) continue;
        const outcome = await readFile(fileSystem, join(leaf, snapshotName(at)), { ...key, sequence: at }, read);
        if (!('corruption' in outcome)) return madeOf(outcome);
        passedOver?.(outcome.corruption);
      }
      return undefined;
    },
    list: async (key) => sequencesIn(await fileSystem.list(directoryOf(directory, key))),
    names: (stage) => filesBelow(fileSystem, directory, stageFolder(stage)),
    discardAbove: tellingDiscardFailures((key, sequence) => discardAbove(fileSystem, directoryOf(directory, key), sequence)),
  };
}

async function filesBelow(fileSystem: FileSystem, directory: string, name: string): Promise<readonly string[]> {
  try {
    const below = await fileSystem.list(join(directory, name));
    return (await Promise.all(below.map((each) => filesBelow(fileSystem, directory, `${name}/${each}`)))).flat();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return [name];
    throw error;
  }
}

async function discardAbove(fileSystem: FileSystem, leaf: string, sequence: bigint): Promise<readonly bigint[]> {
  const names = await fileSystem.list(leaf);
  const discarded = sequencesIn(names).filter((at) => at > sequence);
  for (const at of discarded) await fileSystem.remove(join(leaf, snapshotName(at)));
  // Also where there was nothing to remove: an earlier attempt may have removed them and failed here.
  await fileSystem.directorySync(leaf).catch((error: unknown) => {
    if (names.length > 0 || !isMissing(error)) throw error;
  });
  return discarded;
}

const isMissing = (error: unknown): boolean => hasCode(error, 'ENOENT');
const isThere = (error: unknown): boolean => hasCode(error, 'EEXIST');

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** From newest to oldest. */
function sequencesIn(names: readonly string[]): readonly bigint[] {
  return names.flatMap((name) => sequenceInName(name) ?? []).sort(newestFirst);
}

function directoryOf(directory: string, key: SnapshotKey): string {
  return join(directory, partitionFolder(key));
}

/** What was left of other attempts at a snapshot that is there now. Who is at it still finds it whole. */
async function removeTemporaries(fileSystem: FileSystem, leaf: string, name: string): Promise<void> {
  try {
    for (const left of await fileSystem.list(leaf)) if (left.startsWith(name) && left.endsWith(temporarySuffix)) await fileSystem.remove(join(leaf, left));
  } catch {
    return;
  }
}

/** A snapshot that was just written is durable: old ones that cannot be removed now are tried again after the next. */
async function removeOld(fileSystem: FileSystem, leaf: string): Promise<void> {
  try {
    for (const sequence of sequencesIn(await fileSystem.list(leaf)).slice(snapshotsKept)) await fileSystem.remove(join(leaf, snapshotName(sequence)));
  } catch {
    return;
  }
}

/** Whatever keeps it from being read counts as corruption: the snapshot before it does as well. */
async function readFile<Result>(fileSystem: FileSystem, path: string, place: SnapshotPlace, read: ReadSnapshot<Result>): Promise<Made<Result> | { readonly corruption: Error }> {
  const outcome = await readSnapshot(framesOf(fileSystem, path), path, place, read);
  if (!('failure' in outcome)) return outcome;
  const { failure } = outcome;
  // What reads the file says already that, and why, it is passed over.
  const isSaid = failure instanceof LabelstreamError && failure.code === 'LS_STATE_SNAPSHOT_CORRUPT';
  return { corruption: isSaid ? failure : corrupt(path, messageOf(failure), failure) };
}

async function* framesOf(fileSystem: FileSystem, path: string): AsyncGenerator<Buffer> {
  const file = await fileSystem.open(path, { create: false });
  try {
    yield* readSnapshotFile(file, path);
  } finally {
    await file.close();
  }
}
