/**
 * Snapshots as files: `<directory>/<stage>/<topic>-<incarnation>/<partition>/<20-digit sequence>.snapshot`.
 *
 * A snapshot is written under another name, synchronised, renamed, and its directory synchronised: under its own name it is whole or absent,
 * whenever the power fails. It is never overwritten, and it is checked from beginning to end before anything of it is handed out.
 */
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { stateError } from '../core/errors/state.ts';
import type { FileSystem } from './file-system.ts';
import { corrupt, headerText, parseHeader, readSnapshotFile, writeSnapshotFile } from './snapshot-file.ts';
import type { SnapshotHeader, SnapshotKey, StateStore, StoredSnapshot } from './state-store.ts';

export type DirectoryStateStoreOptions = {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  /** Told of every snapshot that is passed over, with LS_STATE_SNAPSHOT_CORRUPT. */
  readonly snapshotCorrupt?: (error: Error) => void;
};

const snapshotsKept = 3;
const snapshotPattern = /^(\d{20})\.snapshot$/;
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
  const write = async (header: SnapshotHeader, chunks: Iterable<Buffer>): Promise<void> => {
    const leaf = await makeDirectories(header);
    const name = nameOf(header.sequence);
    const names = await fileSystem.list(leaf);
    for (const left of names.filter((each) => each.endsWith(temporarySuffix))) await fileSystem.remove(join(leaf, left));
    if (names.includes(name)) {
      if ((await checked(fileSystem, join(leaf, name), header, header.sequence)) instanceof Error) await fileSystem.remove(join(leaf, name));
      else return;
    }
    const temporary = join(leaf, `${name}.${randomUUID()}${temporarySuffix}`);
    const file = await fileSystem.open(temporary, { create: true });
    try {
      await writeSnapshotFile(file, header, chunks);
      await file.dataSync();
    } catch (error) {
      await file.close();
      // The disk may be full of it. What cannot be removed now goes before the next write.
      await fileSystem.remove(temporary).catch(() => undefined);
      throw error;
    }
    await file.close();
    await fileSystem.rename(temporary, join(leaf, name));
    await fileSystem.directorySync(leaf);
    await removeOld(fileSystem, leaf);
  };

  return {
    write: async (header, chunks) => {
      let stageFailure: unknown;
      const watched = watch(chunks, (error) => (stageFailure = error));
      try {
        await write(header, watched);
      } catch (cause) {
        if (stageFailure !== undefined && cause === stageFailure) throw cause;
        const { stage, topic, partition, sequence } = header;
        throw stateError(
          'LS_STATE_WRITE_FAILED',
          `The snapshot of ${stage} for partition ${partition} of ${topic} at ${sequence} could not be written: ${messageOf(cause)}`,
          { stage, topic, partition, sequence },
          { cause },
        );
      }
    },
    newest: async (key, sequence) => {
      const leaf = directoryOf(directory, key);
      for (const at of sequencesIn(await fileSystem.list(leaf))) {
        if (at > sequence) continue;
        const found = await checked(fileSystem, join(leaf, nameOf(at)), key, at);
        if (!(found instanceof Error)) return found;
        snapshotCorrupt?.(found);
      }
      return undefined;
    },
    list: async (key) => sequencesIn(await fileSystem.list(directoryOf(directory, key))),
    discardAbove: (key, sequence) =>
      discardAbove(fileSystem, directoryOf(directory, key), sequence).catch((cause: unknown) => {
        throw discardFailed(key, sequence, cause);
      }),
  };
}

async function discardAbove(fileSystem: FileSystem, leaf: string, sequence: bigint): Promise<readonly bigint[]> {
  const names = await fileSystem.list(leaf);
  const discarded = sequencesIn(names).filter((at) => at > sequence);
  for (const at of discarded) await fileSystem.remove(join(leaf, nameOf(at)));
  // Also where there was nothing to remove: an earlier attempt may have removed them and failed here.
  await fileSystem.directorySync(leaf).catch((error: unknown) => {
    if (names.length > 0 || !isMissing(error)) throw error;
  });
  return discarded;
}

function discardFailed({ stage, topic, partition }: SnapshotKey, sequence: bigint, cause: unknown): Error {
  return stateError(
    'LS_STATE_DISCARD_FAILED',
    `The snapshots of ${stage} for partition ${partition} of ${topic} above ${sequence} could not be removed: ${messageOf(cause)}`,
    { stage, topic, partition, sequence },
    { cause },
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** From newest to oldest. */
function sequencesIn(names: readonly string[]): readonly bigint[] {
  const digits = names.flatMap((name) => snapshotPattern.exec(name)?.[1] ?? []);
  return digits.map(BigInt).sort((left, right) => (left < right ? 1 : -1));
}

function nameOf(sequence: bigint): string {
  return `${String(sequence).padStart(20, '0')}.snapshot`;
}

function directoryOf(directory: string, { stage, topic, incarnation, partition }: SnapshotKey): string {
  return join(directory, encodeURIComponent(stage), encodeURIComponent(`${topic}-${incarnation}`), String(partition));
}

/** A snapshot that was just written is durable: old ones that cannot be removed now are tried again after the next. */
async function removeOld(fileSystem: FileSystem, leaf: string): Promise<void> {
  try {
    for (const sequence of sequencesIn(await fileSystem.list(leaf)).slice(snapshotsKept)) await fileSystem.remove(join(leaf, nameOf(sequence)));
  } catch {
    return;
  }
}

/** Reads all of it. Whatever keeps it from being read counts as corruption: the snapshot before it does as well. */
async function checked(fileSystem: FileSystem, path: string, key: SnapshotKey, sequence: bigint): Promise<StoredSnapshot | Error> {
  try {
    let header: SnapshotHeader | undefined;
    for await (const frame of framesOf(fileSystem, path)) header ??= expectHeader(path, frame, key, sequence);
    if (header === undefined) return corrupt(path, 'it has no header');
    return { header, chunks: () => chunksOf(fileSystem, path) };
  } catch (cause) {
    return corrupt(path, messageOf(cause), cause);
  }
}

function expectHeader(path: string, frame: Buffer, key: SnapshotKey, sequence: bigint): SnapshotHeader {
  const header = parseHeader(frame);
  if (header !== undefined && headerText(header) === headerText({ ...header, ...keyOf(key), sequence })) return header;
  throw corrupt(path, 'its header is not that of its name');
}

function keyOf({ stage, topic, incarnation, partition }: SnapshotKey): SnapshotKey {
  return { stage, topic, incarnation, partition };
}

async function* framesOf(fileSystem: FileSystem, path: string): AsyncGenerator<Buffer> {
  const file = await fileSystem.open(path, { create: false });
  try {
    yield* readSnapshotFile(file, path);
  } finally {
    await file.close();
  }
}

async function* chunksOf(fileSystem: FileSystem, path: string): AsyncGenerator<Buffer> {
  const frames = framesOf(fileSystem, path);
  await frames.next();
  yield* frames;
}

function* watch(chunks: Iterable<Buffer>, failed: (error: unknown) => void): Generator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    failed(error);
    throw error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
